"""``make bench``: the main job and its caches, as two tables of docs/performance.md.

With ``--write`` they are put there.
"""

import io
import math
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
from rich.console import Console

from marsdisk.cache import RunCache
from marsdisk.classic.profiling import profile_step
from marsdisk.config import load_config
from marsdisk.zero_d import run_zero_d
from sweep.planning.create_store import create
from sweep.planning.plan import make_plan
from sweep.running.driver import block_task
from sweep.running.session import run_sweep
from sweep.spec.file import load_sweep
from sweep.store.store import Store, read_fence
from sweep.workers.block import CacheScopes, run_block
from tests.benchmarks.page import PERFORMANCE, put_between_markers

ROOT = Path(__file__).parents[2]
SWEEP = ROOT / "configs" / "sweeps" / "temperature_supply.yaml"
REPEATS = 200


TABLES: dict[str, list[str]] = {"figures": [], "caches": []}


def row(table: str, quantity: str, figure: str) -> None:
    TABLES[table] = TABLES[table] or ["| what | measured |", "|---|---|"]
    TABLES[table].append(f"| {quantity} | {figure} |")
    print(TABLES[table][-1], flush=True)


def one_run() -> None:
    config = load_config(ROOT / "configs" / "mars_0d_melt_simple.yaml")
    exact = run_zero_d(
        load_config(
            ROOT / "configs" / "mars_0d_melt_simple.yaml",
            {"numerics.rtol": 1e-9, "numerics.atol": 1e-16},
        )
    )
    cache = RunCache()
    results = [run_zero_d(config, cache=cache) for _ in range(REPEATS)]
    walls = sorted(r.wall_time for r in results)
    solver = sorted(r.solver_time for r in results)
    middle = REPEATS // 2
    row(
        "figures",
        "two-year run of mars_0d_melt_simple.yaml, 40 bins, warm: fastest / median",
        f"{1e3 * walls[0]:.2f} / {1e3 * walls[middle]:.2f} ms",
    )
    row(
        "figures",
        "of it in the integrator and its dense output",
        f"{1e3 * solver[0]:.2f} / {1e3 * solver[middle]:.2f} ms, {results[0].steps} +"
        f" {results[0].steps_rejected} steps",
    )
    for name in ("M_loss", "Sigma_final"):
        row(
            "figures",
            f"its {name} against rtol 1e-9",
            f"{abs(getattr(results[0], name) / getattr(exact, name) - 1):.1e} relative",
        )


class Memory:
    """Largest resident memory of any worker process while it watches."""

    def __init__(self) -> None:
        self.largest: dict[int, int] = {}
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self) -> None:
        while not self.stop.wait(0.2):
            for child in psutil.Process().children(recursive=True):
                try:
                    self.largest[child.pid] = max(
                        self.largest.get(child.pid, 0), child.memory_info().rss
                    )
                except psutil.Error:
                    continue

    def megabytes(self, call: Callable[[], object]) -> float:
        self.thread.start()
        call()
        self.stop.set()
        self.thread.join()
        return max(self.largest.values(), default=0) / 1e6


def whole_sweep() -> None:
    quiet = Console(file=io.StringIO())
    seconds = {}
    with tempfile.TemporaryDirectory() as folder:
        for workers in (1, 2):
            # a tighter tolerance gives both enough to do for their start-up not to matter
            sweep = load_sweep(SWEEP, {"numerics.rtol": 1e-7, "numerics.atol": 1e-14})
            seconds[workers] = run_sweep(
                sweep, Path(folder) / f"tight{workers}.zarr", workers=workers, console=quiet
            )[1].seconds
        row(
            "figures",
            "576 runs at rtol 1e-7, workers ready: one process over two",
            f"{seconds[1] / seconds[2]:.2f} times",
        )

        store = Path(folder) / "sweep.zarr"
        tallies = []
        memory = Memory().megabytes(
            lambda: tallies.append(run_sweep(load_sweep(SWEEP), store, workers=2, console=quiet)[1])
        )
        tally = tallies[0]
        row(
            "figures",
            "make sweep: 576 runs, 2 processes, from the moment they are ready",
            f"{tally.seconds:.1f} s, {tally.finished / tally.seconds:.0f} runs per second",
        )
        row(
            "figures",
            "share of the workers' time outside the integrator and its dense output",
            f"{100 * (1 - tally.solver_seconds / tally.block_seconds):.0f} %",
        )
        row("figures", "largest memory of a worker", f"{memory:.0f} MB")
        again = [sys.executable, "-m", "sweep", "run", str(SWEEP), "--store", str(store)]
        begin = time.perf_counter()
        subprocess.run(again, check=True, capture_output=True)
        finished = time.perf_counter() - begin
        begin = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import numba, zarr, pydantic, rich"], check=True)
        row(
            "figures",
            "the finished sweep again / importing numba, zarr, pydantic, rich",
            f"{finished:.1f} / {time.perf_counter() - begin:.1f} s",
        )


def classic_step() -> None:
    config = ROOT / "configs" / "mars_0d_baseline.yaml"
    at_40 = profile_step(load_config(config, {"sizes.n_bins": 40}), 2000)
    at_160 = profile_step(load_config(config, {"sizes.n_bins": 160}), 2000)
    on = 1e6 * at_40.step_cached
    off = 1e6 * at_40.step_uncached
    row(
        "caches",
        "step_collisions, warm, 40 bins: cache on / off",
        f"{on:.0f} / {off:.0f} us, {off / on:.1f} times",
    )
    for name in ("step_collisions", "_fragment_tensor"):
        row(
            "caches",
            f"{name} under cProfile: time without the cache over time with it",
            f"{at_40.uncached[name] / at_40.cached[name]:.0f} times",
        )
    ratio = at_160.step_cached / at_40.step_cached
    row(
        "caches",
        "step_collisions, 160 bins over 40",
        f"{ratio:.1f} times, n^{math.log(ratio) / math.log(4.0):.2f}",
    )


def cache_scopes() -> None:
    """Run half of the study in this process, under each scope.

    A block holds whole rings, so that a task meets each key once.
    """
    for title, scope, enabled in (
        ("scope run", "run", True),
        ("scope task", "task", True),
        ("cache off", "run", False),
    ):
        plan = make_plan(load_sweep(SWEEP))
        with tempfile.TemporaryDirectory() as folder:
            store = Path(folder) / "s.zarr"
            create(plan, store)
            fence = read_fence(store)
            tasks = [
                replace(
                    block_task(plan, str(store), block, fence), scope=scope, cache_enabled=enabled
                )
                for block in plan.blocks[:2]
            ]
            receipts = [run_block(task, CacheScopes()) for task in tasks]
            runs = sum(receipt.done for receipt in receipts)
            whole = 1e3 * sum(receipt.seconds for receipt in receipts) / runs
            solver = 1e3 * sum(receipt.solver_seconds for receipt in receipts) / runs
            group = Store.open(store)
            built = group.column("cache_misses") + group.column("cache_rebuilds")
            tensors = int(built[:, 1].sum())
            keys = 0
            for block in plan.blocks[:2]:
                keys += len({case.identity for case in map(plan.case, block.rows)})
            row(
                "caches",
                f"{runs} runs of the study, {title}: whole run / beside the integrator",
                f"{whole:.2f} / {whole - solver:.2f} ms per run; {tensors} fragment tensors built,"
                f" {keys} keys met",
            )


if __name__ == "__main__":
    one_run()
    whole_sweep()
    classic_step()
    cache_scopes()
    if "--write" in sys.argv:
        for name, rows in TABLES.items():
            put_between_markers(name, "make bench", rows, PERFORMANCE)
