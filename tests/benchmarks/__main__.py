"""``make bench``: the figures of the README, as a Markdown table."""

import io
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from rich.console import Console

from marsdisk.cache import RunCache
from marsdisk.config import load_config
from marsdisk.zero_d import run_zero_d
from sweep.session import run_sweep
from sweep.spec import load_sweep

ROOT = Path(__file__).parents[2]
SWEEP = ROOT / "configs" / "sweeps" / "temperature_supply.yaml"
REPEATS = 200


def row(what: str, figure: str) -> None:
    print(f"| {what} | {figure} |", flush=True)


def one_run() -> None:
    config = load_config(ROOT / "configs" / "mars_0d_melt.yaml")
    exact = run_zero_d(load_config(ROOT / "configs" / "mars_0d_melt.yaml", {"numerics.rtol": 1e-9, "numerics.atol": 1e-16}))
    cache = RunCache()
    results = [run_zero_d(config, cache=cache) for _ in range(REPEATS)]
    walls, solver = sorted(r.wall_time for r in results), sorted(r.solver_time for r in results)
    middle = REPEATS // 2
    row("two-year run of mars_0d_melt.yaml, 40 bins, warm: fastest / median", f"{1e3 * walls[0]:.2f} / {1e3 * walls[middle]:.2f} ms")
    row("of it in the integrator", f"{1e3 * solver[0]:.2f} / {1e3 * solver[middle]:.2f} ms, {results[0].steps} + {results[0].steps_rejected} steps")
    for name in ("M_loss", "Sigma_final"):
        row(f"its {name} against rtol 1e-9", f"{abs(getattr(results[0], name) / getattr(exact, name) - 1):.1e} relative")


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
                    self.largest[child.pid] = max(self.largest.get(child.pid, 0), child.memory_info().rss)
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
            sweep = load_sweep(SWEEP, {"numerics.rtol": 1e-5, "numerics.atol": 1e-12})
            seconds[workers] = run_sweep(sweep, Path(folder) / f"tight{workers}.zarr", workers=workers, console=quiet)[1].seconds
        row("576 runs at rtol 1e-5, workers ready: one process over two", f"{seconds[1] / seconds[2]:.2f} times")

        store, tallies = Path(folder) / "sweep.zarr", []
        memory = Memory().megabytes(lambda: tallies.append(run_sweep(load_sweep(SWEEP), store, workers=2, console=quiet)[1]))
        tally = tallies[0]
        row(
            "make sweep: 576 runs, 2 processes, from the moment they are ready",
            f"{tally.seconds:.1f} s, {tally.finished / tally.seconds:.0f} runs per second",
        )
        row("share of the workers' time outside the integrator", f"{100 * (1 - tally.solver_seconds / tally.block_seconds):.0f} %")
        row("largest memory of a worker", f"{memory:.0f} MB")
        again = [sys.executable, "-m", "sweep.cli", "run", str(SWEEP), "--store", str(store)]
        begin = time.perf_counter()
        subprocess.run(again, check=True, capture_output=True)
        finished = time.perf_counter() - begin
        begin = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import numba, zarr, pydantic, rich"], check=True)
        row("the finished sweep again / importing numba, zarr, pydantic, rich", f"{finished:.1f} / {time.perf_counter() - begin:.1f} s")


if __name__ == "__main__":
    print("| what | measured |\n|---|---|")
    one_run()
    whole_sweep()
