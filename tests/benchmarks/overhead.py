"""Overhead of a sweep: driver and scheduler, memory, status of a large store, a dead worker.

``python -m tests.benchmarks.overhead [--write]``.
"""

import io
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import dask
import psutil
import zarr
from rich.console import Console

from sweep.planning.create_store import create
from sweep.planning.plan import make_plan
from sweep.running.driver import block_task, run_blocks
from sweep.running.progress import Reporter, Tally
from sweep.spec.file import load_sweep
from sweep.store import layout
from sweep.store.store import read_fence
from sweep.workers import block as worker
from tests.preloading import preloading

from . import many
from .page import PERFORMANCE, publish, table

ROOT = Path(__file__).parents[2]
RUNS = 100_000
MILLION = 1_000_000
SWEEP = f"""
name: overhead
base: {ROOT / "configs" / "mars_0d_melt_simple.yaml"}
set: {{numerics.t_end_years: 0.02}}
axes: {{temperature.T0: {{linspace: [3000, 4000, COUNT]}}}}
"""
NO_RUNS = """
import sweep.workers.block
from sweep.workers.block import Receipt
def run_block(task, scopes=None):
    return Receipt(task.index, len(task.overrides), 0, 0, 0, 0.0, 0.0, "nobody")
sweep.workers.block.run_block = run_block
"""

Rows = list[tuple[str, str]]


def sweep_file(folder: Path, runs: int) -> Path:
    file = folder / f"{runs}.yaml"
    file.write_text(SWEEP.replace("COUNT", str(runs)), encoding="utf-8")
    return file


def driver_and_scheduler(folder: Path) -> Rows:
    """Run all of a sweep but its workers' part: they answer at once, without running or writing."""
    (folder / "no_runs.py").write_text(NO_RUNS, encoding="utf-8")
    begin = time.perf_counter()
    plan = make_plan(load_sweep(sweep_file(folder, RUNS)))
    planned = time.perf_counter() - begin
    process = psutil.Process()
    store = folder / "never_written.zarr"
    largest = [0]
    stop = threading.Event()
    watching = threading.Event()

    def watch() -> None:
        while not watching.wait(0.05):
            largest[0] = max(largest[0], process.memory_info().rss)

    def used() -> tuple[float, float]:
        times = process.cpu_times()
        return time.perf_counter(), times.user + times.system

    begun: list[tuple[tuple[float, float], int]] = []

    class Beginning(Tally):
        def restart_clock(self) -> None:  # what the driver calls when its workers are ready
            begun.append((used(), process.memory_info().rss))

    tally = Beginning(RUNS)
    threading.Thread(target=watch, daemon=True).start()
    sys.path.insert(0, str(folder))  # which processes that Dask starts take over
    with (
        dask.config.set({"distributed.worker.preload": ["no_runs"]}),
        Reporter(Console(file=io.StringIO()), tally) as reporter,
    ):
        run_blocks(plan, str(store), plan.blocks, workers=2, reporter=reporter, stop=stop)
    wall, cpu = (1e6 * (now - then) / RUNS for now, then in zip(used(), begun[0][0], strict=True))
    watching.set()
    assert tally.done == RUNS
    blocks = f"{RUNS} runs in {len(plan.blocks)} blocks"
    return [
        (
            f"driver and scheduler, {blocks}, 2 workers that answer at once",
            f"{wall:.1f} us per run, of it {cpu:.1f} us of processor time",
        ),
        ("checking and ordering the cases before that", f"{1e6 * planned / RUNS:.0f} us per run"),
        (
            "growth of the memory of driver and scheduler meanwhile",
            f"{(largest[0] - begun[0][1]) / 1e6:.0f} MB",
        ),
    ]


PARTS = {
    "_configs": "configuration",
    "prepare": "set-up: geometry, start, supply, look-ups in the cache, collision terms",
    "solve": "integrator and its dense output",
    "finish": "result",
    "write_block": "packing, compression, writing",
}


def parts_of_a_run(folder: Path) -> Rows:
    """Measure the processor time of each part of a run, in blocks as long as those of many runs."""
    plan = replace(make_plan(load_sweep(many.sweep_file(folder, 10_000))), block_size=1024)
    store = folder / "parts.zarr"
    create(plan, store)
    spent: dict[str, float] = {}

    def timed(name: str) -> Callable[..., Any]:
        part = getattr(worker, name)

        def call(*arguments: Any, **options: Any) -> Any:
            begin = time.process_time()
            result = part(*arguments, **options)
            spent[name] = spent.get(name, 0.0) + time.process_time() - begin
            return result

        return call

    with ExitStack() as stack:
        for name in PARTS:
            stack.enter_context(patch.object(worker, name, timed(name)))
        scopes = worker.CacheScopes()
        # the first block opens the arrays, too
        worker.run_block(block_task(plan, str(store), plan.blocks[0], read_fence(store)), scopes)
        spent.clear()
        block = plan.blocks[1]
        begin = time.process_time()
        worker.run_block(block_task(plan, str(store), block, read_fence(store)), scopes)
        whole = time.process_time() - begin
        runs = len(block.rows)
    parts = [
        (f"one run of a block of {runs}: {words}", spent[name]) for name, words in PARTS.items()
    ]
    parts += [
        ("the rest", whole - sum(spent.values())),
        ("all but the integrator", whole - spent["solve"]),
    ]
    return [(title, f"{1e3 * seconds / runs:.3f} ms of processor time") for title, seconds in parts]


def status_of_a_million(folder: Path) -> Rows:
    """Time the command ``sweep status`` on a store of which every block is committed."""
    plan = make_plan(load_sweep(many.sweep_file(folder, MILLION)))
    store = folder / "million.zarr"
    create(plan, store)
    array = zarr.open_array(store / layout.STATUS_VARIABLE.name, mode="r+")
    array[:] = layout.DONE
    seconds = []
    for _ in range(3):
        begin = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "sweep", "status", str(store)],
            check=True,
            capture_output=True,
            text=True,
        )
        seconds.append(time.perf_counter() - begin)
        assert f"{plan.count} done, 0 failed, 0 pending" in done.stdout
    return [
        (
            (
                f"sweep status of {plan.count} runs in {len(plan.blocks)} blocks, the command as a"
                " whole, best of 3"
            ),
            f"{min(seconds):.2f} s",
        )
    ]


def blocks_of_a_dead_worker(folder: Path) -> Rows:
    """Measure from SIGKILL of a worker until another one begins the interrupted run."""
    file = sweep_file(folder, 120)
    working = folder / "working"
    store = folder / "dead.zarr"
    file.write_text(file.read_text(encoding="utf-8") + "block: 1\n", encoding="utf-8")
    working.mkdir()
    faults = {"FAULT_SLEEP": "0.5", "FAULT_WORKING": str(working)}
    environment = {**os.environ, **preloading("inside_workers"), **faults}
    words = [
        sys.executable,
        "-m",
        "sweep",
        "run",
        str(file),
        "--store",
        str(store),
        "--workers",
        "2",
    ]
    driver = subprocess.Popen(
        words, env=environment, stdout=subprocess.DEVNULL, start_new_session=True
    )
    try:
        while len(logs := list(working.iterdir())) < 2 or any(
            len(log.read_text(encoding="utf-8").splitlines()) < 3 for log in logs
        ):
            assert driver.poll() is None
            time.sleep(0.05)
        victim = logs[0]
        os.kill(int(victim.name), signal.SIGKILL)
        killed = time.monotonic()
        lost = victim.read_text(encoding="utf-8").split()[-2]
        while True:
            lines = [
                line.split()
                for log in working.iterdir()
                if log != victim
                for line in log.read_text(encoding="utf-8").splitlines()
            ]
            again = [float(moment) for T0, moment in lines if lost == T0]
            if again:
                return [
                    (
                        "from the death of a worker to its block running on another",
                        f"{min(again) - killed:.1f} s",
                    )
                ]
            assert driver.poll() is None
            assert time.monotonic() - killed < 120.0
            time.sleep(0.05)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(driver.pid, signal.SIGKILL)
        driver.wait()


def rows() -> Rows:
    """Return the rows of the table: quantity and figure."""
    rows: Rows = []
    for measure in (
        parts_of_a_run,
        driver_and_scheduler,
        status_of_a_million,
        blocks_of_a_dead_worker,
    ):
        with tempfile.TemporaryDirectory() as folder:
            rows += measure(Path(folder))
    return rows


if __name__ == "__main__":
    publish("overhead", PERFORMANCE, lambda: table(("what", "measured"), rows()))
