"""Time until the first result; ``python -m tests.benchmarks.startup [--write]``."""

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from sweep.store.store import Store

from .page import PERFORMANCE, ROOT, publish, table

STUDY = ROOT / "configs" / "sweeps" / "temperature_supply.yaml"
SMALL = f"""
name: small
base: {ROOT / "configs" / "mars_0d_melt_simple.yaml"}
set: {{numerics.t_end_years: 0.02}}
axes: {{temperature.T0: {{linspace: [3000, 4000, 8]}}}}
block: 1
"""
# s; workers: s
HELP_GOAL = 0.3
FIRST_RUN_GOALS = {2: 6.0, 0: 3.0}
REPEATS = 3


class Waited(NamedTuple):
    """Seconds of the clock, and of the processors, where other programs do not count."""

    wall: float
    processor: float


def command(module: str, *words: object) -> list[str]:
    return [sys.executable, "-m", module, *map(str, words)]


def processor_seconds() -> float:
    """Return the seconds of all children of this process that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def of_a_command(words: Sequence[str], repeats: int) -> list[Waited]:
    """Time a command from its start to its end, for each repeat."""
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        before = processor_seconds()
        subprocess.run(words, check=True, capture_output=True, cwd=ROOT)
        times.append(Waited(time.perf_counter() - begin, processor_seconds() - before))
    return times


@contextmanager
def driving(file: Path, store: Path, workers: int) -> Iterator["subprocess.Popen[bytes]"]:
    words = command("sweep", "run", file, "--store", store, "--workers", workers)
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=ROOT)
    try:
        yield process
    finally:
        process.terminate()  # commits what it is at, and stops
        process.communicate()


def to_the_first_run(file: Path, workers: int, repeats: int) -> list[Waited]:
    """Time ``sweep run`` from its start to the first committed block, for each repeat.

    The processor time is that of the whole command.
    """
    times = []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as folder:
            store = Path(folder) / "first.zarr"
            records = store / "status" / "c"
            begin = time.perf_counter()
            before = processor_seconds()
            with driving(file, store, workers) as process:
                while not (
                    records.is_dir() and any(name.isdigit() for name in os.listdir(records))
                ):
                    if process.poll() not in (None, 0):
                        raise RuntimeError(process.communicate()[1].decode())
                    time.sleep(0.002)
                wall = time.perf_counter() - begin
            times.append(Waited(wall, processor_seconds() - before))
            assert Store.open(store).counts().done
    return times


def row(title: str, goal: object, times: list[Waited]) -> list[object]:
    """Return a row of the table."""
    walls = sorted(waited.wall for waited in times)
    processor = min(waited.processor for waited in times)
    return [title, f"{walls[0]:.2f}", f"{walls[len(walls) // 2]:.2f}", f"{processor:.2f}", goal]


def lines(repeats: int = REPEATS, workers_of: Sequence[int] = tuple(FIRST_RUN_GOALS)) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder) / "small.yaml"
        small.write_text(SMALL, encoding="utf-8")
        of_a_command(
            command("sweep", "run", small, "--store", Path(folder) / "s.zarr", "--workers", 0),
            1,
        )  # compiles, and fills the disk's cache
        commands: list[tuple[str, object, list[str]]] = [
            ("python -c pass", "", [sys.executable, "-c", "pass"]),
            ("sweep --help", HELP_GOAL, command("sweep", "--help")),
            ("marsdisk --help", HELP_GOAL, command("marsdisk", "--help")),
            ("sweep run --help", HELP_GOAL, command("sweep", "run", "--help")),
        ]
        rows = [row(title, goal, of_a_command(words, repeats)) for title, goal, words in commands]
        for name, unit, file in (
            ("of short runs, block: 1", "run", small),
            ("temperature_supply.yaml", "block of 144 runs", STUDY),
        ):
            for workers in workers_of:
                title = f"sweep run {name} --workers {workers}, to its first finished {unit}"
                times = to_the_first_run(file, workers, repeats)
                rows.append(row(title, FIRST_RUN_GOALS[workers], times))
    return table(
        ("what", "best [s]", "median [s]", "processors, whole command [s]", "goal [s]"), rows
    )


if __name__ == "__main__":
    publish("startup", PERFORMANCE, lines)
