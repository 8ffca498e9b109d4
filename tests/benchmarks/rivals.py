"""Our sweep against alternatives on the same runs; ``python -m tests.benchmarks.rivals [--write]``.

Tools that are not installed are left out and named; ``make rivals`` installs them.
"""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from marsdisk.config import load_config

from .page import PERFORMANCE, ROOT, publish, table
from .rival_tools import TOOLS, WORKERS
from .studies import BASE, CASES_PER_RING

RINGS = 32
REPEATS = 2
METHODS = ("BDF", "LSODA", "Radau")


class Measured(NamedTuple):
    """Times [s] and sizes [bytes] of one tool."""

    whole: float
    runs: float
    bytes: int
    files: int
    memory: int


def resident(process: psutil.Process) -> int:
    """Sum the memory [bytes] of a process and its children; what they share counts each time."""
    total = 0
    with suppress(psutil.Error):
        for member in (process, *process.children(recursive=True)):
            with suppress(psutil.Error):
                total += member.memory_info().rss
    return total


def fastest(measured: list[Measured]) -> Measured:
    """Return the least of each quantity over repeats."""
    return Measured(*map(min, zip(*measured, strict=True)))


def measure(name: str, rings: int) -> Measured:
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),
    }
    with tempfile.TemporaryDirectory() as folder:
        words = [
            sys.executable,
            "-c",
            "from tests.benchmarks.rival_tools import main; main()",
            name,
            folder,
            str(rings),
        ]
        begin = time.perf_counter()
        memory = 0
        process = subprocess.Popen(
            words,
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        watched = psutil.Process(process.pid)
        while process.poll() is None:
            memory = max(memory, resident(watched))
            time.sleep(0.05)
        whole = time.perf_counter() - begin
        out, err = process.communicate()
        if process.returncode:
            raise RuntimeError(f"{name}: {err}")
        files = [
            path for path in Path(folder).rglob("*") if path.is_file() and path.suffix != ".yaml"
        ]
        return Measured(
            whole,
            json.loads(out.splitlines()[-1])["seconds"],
            sum(path.stat().st_size for path in files),
            len(files),
            memory,
        )


def tool_lines(rings: int, repeats: int, names: Sequence[str]) -> list[str]:
    missing = []
    for name in names:
        package = TOOLS[name].package
        if package and not importlib.util.find_spec(package):
            missing.append(name)
    installed = [name for name in names if name not in missing]
    tries: dict[str, list[Measured]] = {name: [] for name in installed}
    # in turns, so that other load of the machine meets all of them
    for _ in range(repeats):
        for name in installed:
            tries[name].append(measure(name, rings))
    best = {name: fastest(measured) for name, measured in tries.items()}
    count = CASES_PER_RING * rings
    mine = best["ours"]
    rows = [
        [
            TOOLS[name].title,
            f"{count / measured.runs:.0f}",
            f"{mine.runs / measured.runs:.2f}",
            f"{count / measured.whole:.0f}",
            f"{mine.whole / measured.whole:.2f}",
            f"{measured.bytes / count:.0f}",
            measured.files,
            f"{measured.memory / 1e6:.0f}",
            TOOLS[name].lacks,
        ]
        for name, measured in best.items()
    ]
    head = (
        "tool",
        "runs/s, workers ready",
        "over ours",
        "runs/s in all",
        "over ours",
        "bytes per run",
        "files",
        "memory of all processes [MB]",
        "lacks",
    )
    left_out = []
    if missing:
        titles = ", ".join(TOOLS[name].title for name in missing)
        left_out = [f"Not installed and left out: {titles}.", ""]
    about = (
        f"{count} runs of the temperature-supply study, {WORKERS} workers, best of {repeats}, in"
        " turns."
    )
    return [about, "", *left_out, *table(head, rows)]


def solver_lines(methods: Sequence[str] = METHODS, **overrides: Any) -> list[str]:
    """Compare our integrator and SciPy's at the same tolerances, on the same compiled equations.

    All return the states at all output times.
    """
    import precision  # of docs, on the path since page.py

    config = load_config(BASE, {"optical_depth.tau_stop": None, **overrides})
    problem, result = precision.problem_of(config)
    case = precision.Case(
        "", config, problem, result.t, precision.ours(problem, 1e-12, 1e-18)(result.t), "M_loss"
    )
    rate, slope = precision.compiled(problem)
    tolerances = config.numerics.rtol, config.numerics.atol
    solves = {"**ours**": precision.ours(problem, *tolerances)}
    solves |= {
        f"solve_ivp {method}": precision.scipys(problem, rate, slope, method, *tolerances)
        for method in methods
    }
    timings = {name: precision.timed(solve, case.times) for name, solve in solves.items()}
    mine = timings["**ours**"][0]
    rows = [
        [
            name,
            f"{1.0 / seconds:.0f}",
            f"{1e3 * seconds:.2f}",
            f"{mine / seconds:.3f}",
            f"{case.error_of_series(states):.0e}",
        ]
        for name, (seconds, states) in timings.items()
    ]
    rtol, atol = (f"{tolerance:g}" for tolerance in tolerances)
    about = (
        f"`mars_0d_melt_simple.yaml`, one process, rtol {rtol}, atol {atol} (ours of the current"
        " Sigma, SciPy's of Sigma_0); `make precision` compares at equal errors."
    )
    return [
        about,
        "",
        *table(
            ("integrator", "runs/s", "run [ms]", "over ours", "largest error of a series"), rows
        ),
    ]


def lines(
    rings: int = RINGS, repeats: int = REPEATS, names: Sequence[str] = tuple(TOOLS)
) -> list[str]:
    return [*tool_lines(rings, repeats, names), "", *solver_lines()]


if __name__ == "__main__":
    publish("rivals", PERFORMANCE, lines)
