"""Very many runs end to end: ``python -m tests.benchmarks.many [RUNS ...] [--write]``.

RUNS is 100000 by default.

The sweep is a product of four axes of two-year runs of mars_0d_melt_simple.yaml. Beside its rate
stands that of the bare solver in one process, alone and with a second one beside it; over time, the
memory of the driver (which holds the scheduler) and of the workers; files and bytes.
"""

import functools
import math
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from marsdisk.cache import RunCache
from marsdisk.config import Variations
from marsdisk.zero_d import ensure_compiled, prepare, solve
from sweep.spec.file import load_sweep

from .page import PERFORMANCE, ROOT, publish, table

SAMPLE = 1000  # runs of the bare solver
Rows = Iterator[tuple[str, str]]


def sweep_file(folder: Path, runs: int) -> Path:
    """Write the file of a sweep of ``runs`` runs, or of a few more."""
    n = round(runs**0.25)
    rings = max(1, n // 2)
    temperatures = math.ceil(runs / (n * n * rings))
    file = folder / "many.yaml"
    file.write_text(
        f"""
name: many
base: {ROOT / "configs" / "mars_0d_melt_simple.yaml"}
axes:
  temperature.T0: {{linspace: [3000, 5000, {temperatures}]}}
  supply.mu_orbit10pct: {{geomspace: [0.1, 10, {n}]}}
  initial.melt_psd.f_fine: {{geomspace: [0.01, 0.3, {n}]}}
  ring: {{rings: [1.0, 2.7, {rings}]}}
""",
        encoding="utf-8",
    )
    return file


def bare(file: Path) -> float:
    """Return runs per second of the integrator and its dense output alone.

    Over runs drawn from the sweep.
    """
    sweep = load_sweep(file)
    cache = RunCache()
    ensure_compiled()
    variations = Variations(sweep.base)
    draw = random.Random(0)
    seconds = 0.0
    for i in range(SAMPLE + 20):
        run = prepare(variations.config(sweep.overrides(draw.randrange(sweep.product_size))), cache)
        begin = time.perf_counter()
        solve(run)
        seconds += time.perf_counter() - begin if i >= 20 else 0.0
    return SAMPLE / seconds


def bare_rates(file: Path, processes: int) -> float:
    """Return runs per second of the bare solver in each of ``processes`` processes at once."""
    words = [sys.executable, "-m", "tests.benchmarks.many", "--bare", str(file)]
    running = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(processes)]
    return sum(float(process.communicate()[0]) for process in running) / processes


def memory_of(process: psutil.Process) -> tuple[float, float]:
    """Return the memory [MB] of a driver, and of its largest worker."""
    try:
        return process.memory_info().rss / 1e6, max(
            (child.memory_info().rss / 1e6 for child in process.children(recursive=True)),
            default=0.0,
        )
    except psutil.Error:
        return 0.0, 0.0


def rows(runs: int) -> Rows:
    """Return the rows of the table: quantity and figure."""
    with tempfile.TemporaryDirectory() as folder:
        file = sweep_file(Path(folder), runs)
        store = Path(folder) / "many.zarr"
        count = load_sweep(file).product_size
        alone = bare_rates(file, 1)
        in_company = bare_rates(file, 2)
        yield (
            "bare solver in one process, alone / beside another",
            f"{alone:.0f} / {in_company:.0f} runs per second",
        )
        begin = time.perf_counter()
        seen = list[tuple[float, float, float]]()
        driver = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "sweep",
                "run",
                str(file),
                "--store",
                str(store),
                "--workers",
                "2",
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        process = psutil.Process(driver.pid)
        while driver.poll() is None:
            if store.exists() or not seen:
                seen.append((time.perf_counter() - begin, *memory_of(process)))
            time.sleep(0.5)
        out = driver.communicate()[0]
        seconds = time.perf_counter() - begin
        assert f"{count} of {count} runs done, 0 failed" in out, out
        (summary,) = (line for line in out.splitlines() if "runs per second" in line)
        rate = count / seconds
        yield (
            f"sweep run of {count} runs, 2 workers, from typing to the end",
            f"{seconds:.0f} s, {rate:.0f} runs per second",
        )
        yield "the same as the sweep says, from the moment its workers are ready", summary
        yield (
            "share of twice the bare solver alone / of two beside each other",
            f"{100 * rate / (2 * alone):.0f} % / {100 * rate / (2 * in_company):.0f} %",
        )
        yield "planning, until the store is made", f"{seen[1][0]:.1f} s"
        quarters = [seen[round(share * (len(seen) - 1))] for share in (0.25, 0.5, 0.75, 1.0)]
        for processes, column in (("driver and scheduler", 1), ("largest worker", 2)):
            memory = [moment[column] for moment in quarters[:3]]
            memory.append(max(moment[column] for moment in seen))
            yield (
                f"memory of the {processes} after a quarter, half, three quarters; most",
                f"{' / '.join(f'{megabytes:.0f}' for megabytes in memory)} MB",
            )
        sizes = [path.stat().st_size for path in store.rglob("*") if path.is_file()]
        yield (
            "files, bytes",
            (
                f"{len(sizes)} files, {sum(sizes) / 1e9:.2f} GB, {sum(sizes) / count / 1e3:.1f} kB"
                " per run"
            ),
        )
        for verb in ("status", "doctor"):
            begin = time.perf_counter()
            subprocess.run(
                [sys.executable, "-m", "sweep", verb, str(store)],
                check=True,
                capture_output=True,
            )
            yield f"sweep {verb}, the command as a whole", f"{time.perf_counter() - begin:.1f} s"
        begin = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "sweep", "run", str(file), "--store", str(store)],
            check=True,
            capture_output=True,
        )
        yield "sweep run again, which finds nothing to do", f"{time.perf_counter() - begin:.1f} s"


def lines(runs: int) -> list[str]:
    return table(("what", "measured"), rows(runs))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--bare"]:
        print(bare(Path(sys.argv[2])))
    else:
        for number in [int(word) for word in sys.argv[1:] if word.isdigit()] or [100_000]:
            publish(f"many {number}", PERFORMANCE, functools.partial(lines, number))
