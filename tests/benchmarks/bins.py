"""Time and memory of a run over the number of bins.

``python -m tests.benchmarks.bins [--write]``
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from marsdisk.config import load_config
from marsdisk.zero_d import run_zero_d

from .page import PERFORMANCE, ROOT, publish, table

BINS = (20, 40, 80, 160, 320)
YEARS = 2.0
REPEATS = 15


def kilobytes(entry: str) -> int:
    """Return VmRSS, the memory of this process, or VmHWM, its peak since that was reset."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    (line,) = (line for line in lines if line.startswith(f"{entry}:"))
    return int(line.split()[1])


def measure_here(bins: int, years: float, repeats: int) -> dict[str, float]:
    """Measure runs in the present process, which has to be a new one.

    Memory of an earlier, larger run would hide that of a smaller one.
    """

    def run(n: int) -> tuple[float, int]:
        result = run_zero_d(
            load_config(
                ROOT / "configs" / "mars_0d_melt_simple.yaml",
                {"sizes.n_bins": n, "numerics.t_end_years": years},
            )
        )
        return result.wall_time, result.steps + result.steps_rejected

    run(8)  # compiled code and what else a process needs once
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
    before = kilobytes("VmRSS")
    run(bins)
    memory = 1024.0 * (kilobytes("VmHWM") - before)
    runs = [run(bins) for _ in range(repeats)]
    return {"seconds": min(seconds for seconds, _ in runs), "steps": runs[0][1], "memory": memory}


def in_a_process(bins: int, years: float, repeats: int) -> dict[str, float]:
    words = [
        sys.executable,
        "-m",
        "tests.benchmarks.bins",
        "--one",
        str(bins),
        str(years),
        str(repeats),
    ]
    done = subprocess.run(words, cwd=ROOT, check=True, capture_output=True, text=True)
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


def slope(bins: Sequence[int], values: Sequence[float]) -> float:
    """Fit the exponent of a power of ``bins``."""
    return float(np.polyfit(np.log(bins), np.log(values), 1)[0])


def lines(bins: Sequence[int] = BINS, years: float = YEARS, repeats: int = REPEATS) -> list[str]:
    in_a_process(bins[0], years, 1)  # compiles
    measured = [in_a_process(n, years, repeats) for n in bins]
    seconds = [figures["seconds"] for figures in measured]
    per_step = [figures["seconds"] / figures["steps"] for figures in measured]
    exponents = [""]
    for i in range(1, len(bins)):
        exponents.append(f"{slope(bins[i - 1 : i + 1], seconds[i - 1 : i + 1]):.2f}")
    rows = []
    for n, exponent, figures in zip(bins, exponents, measured, strict=True):
        rows.append(
            [
                n,
                f"{1e3 * figures['seconds']:.2f}",
                f"{figures['steps']:.0f}",
                f"{1e6 * figures['seconds'] / figures['steps']:.0f}",
                exponent,
                f"{figures['memory'] / 1e6:.1f}",
                f"{figures['memory'] / (8.0 * n**2):.0f}",
                f"{8e-6 * n**3:.1f}",
            ]
        )
    head = (
        "bins",
        "run [ms]",
        "steps",
        "per step [us]",
        "exponent since the row above",
        "memory [MB]",
        "in n x n arrays",
        "one n^3 array [MB]",
    )
    return [
        *table(head, rows),
        "",
        (
            f"Over all rows the time of a run goes as n^{slope(bins, seconds):.2f}, that of a step"
            f" as n^{slope(bins, per_step):.2f}."
        ),
    ]


if __name__ == "__main__":
    if "--one" in sys.argv:
        print(json.dumps(measure_here(int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]))))
    else:
        publish("bins", PERFORMANCE, lines)
