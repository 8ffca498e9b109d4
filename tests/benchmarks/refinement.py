"""Runs that a refinement saves against a grid at equal interpolation error.

``python -m tests.benchmarks.refinement``, some minutes.

The sweep is configs/sweeps/mass_loss_refined.yaml, with more runs. Between runs M_loss is
interpolated linearly: in the triangles of the refinement, in the cells of the grid. The error is
that at random points where the model is run, too, as a share of the range of M_loss.
"""

import io
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.interpolate import LinearNDInterpolator, RegularGridInterpolator

from marsdisk.config.yaml_file import read_yaml_mapping
from sweep.results.outcomes import outcomes
from sweep.running.session import run_sweep
from sweep.spec.designs import POINT
from sweep.spec.file import build_sweep, load_sweep
from sweep.store.store import Store
from sweep.workers.profiles import usable_cores

FILE = Path(__file__).parents[2] / "configs" / "sweeps" / "mass_loss_refined.yaml"
RUNS = (50, 100, 200, 400, 800)  # of the refinement
GRIDS = (8, 10, 12, 15, 18, 22, 27, 33, 40, 49, 60)  # points along each axis
RANDOM_POINTS = 1500
Floats = NDArray[np.float64]


def _run(folder: Path, name: str, **sections: Any) -> tuple[Floats, Floats]:
    """Run the shipped sweep with other sections; return points of the unit square and M_loss.

    The shapes are (cases, 2) and (cases,).
    """
    record = load_sweep(FILE).given
    content = read_yaml_mapping(FILE)
    ranges = content.pop("refine")["axes"]
    sweep = build_sweep({**content, **sections}, record["base"], base_path=record["base_path"])
    run_sweep(sweep, folder / name, workers=usable_cores(), console=Console(file=io.StringIO()))
    results = outcomes(Store.open(folder / name), "M_loss")
    order = np.arange(results.value.size)
    if POINT in results.labels:
        order = np.argsort(results.labels[POINT])
    points = [
        (results.columns[key.split(".")[-1]] - span["uniform"][0]) / np.ptp(span["uniform"])
        for key, span in ranges.items()
    ]
    return np.column_stack(points)[order], results.value[order]


def _grid(folder: Path, n: int, ranges: dict[str, Any]) -> RegularGridInterpolator:
    axes = {key: {"linspace": [*span["uniform"], n]} for key, span in ranges.items()}
    points, values = _run(folder, f"{n}.zarr", axes=axes)
    axis = np.linspace(0.0, 1.0, n)
    order = np.lexsort(points.T[::-1])
    return RegularGridInterpolator((axis, axis), values[order].reshape(n, n))


def _runs_for(error: float, grids: dict[int, float]) -> float:
    """Return the runs of an equally accurate grid, by a power law between those measured.

    Infinite where no grid is as accurate, 0 where all are.
    """
    runs = np.array(list(grids))
    errors = np.minimum.accumulate(list(grids.values()))
    return float(
        np.exp(np.interp(-np.log(error), -np.log(errors), np.log(runs), left=-np.inf, right=np.inf))
    )


def _grid_cells(runs: float, refined_runs: int, grids: Iterable[int]) -> list[str]:
    """Format the runs of an equally accurate grid, and their ratio to those of the refinement."""
    sign = ""
    if runs == np.inf:
        runs = max(grids)
        sign = "> "
    elif runs == 0.0:
        runs = min(grids)
        sign = "< "
    return [f"{sign}{runs:.0f}", f"{sign}{runs / refined_runs:.1f}"]


def main() -> None:
    """Print the table."""
    refine = read_yaml_mapping(FILE)["refine"]
    sample = {"method": "random", "n": RANDOM_POINTS, "axes": refine["axes"]}
    with TemporaryDirectory() as path:
        folder = Path(path)
        targets, truth = _run(folder, "targets.zarr", sample=sample)
        span = np.ptp(truth)
        points, values = _run(folder, "refined.zarr", refine={**refine, "max_runs": max(RUNS)})
        refined = {}
        for n in RUNS:
            estimate = LinearNDInterpolator(points[:n], values[:n])(targets)
            refined[n] = np.abs(estimate - truth) / span
        grids = {}
        for n in GRIDS:
            estimate = _grid(folder, n, refine["axes"])(targets)
            grids[n * n] = np.abs(estimate - truth) / span
    table = Table(
        title=(
            f"Refined, and grids as good: error of M_loss at {RANDOM_POINTS} random points as a"
            " share of its range"
        ),
        title_justify="left",
    )
    for name in (
        "runs",
        "mean error",
        "runs of a grid",
        "ratio",
        "largest error",
        "runs of a grid",
        "ratio",
    ):
        table.add_column(name, justify="right")
    for n, errors in refined.items():
        cells = [str(n)]
        for measure in (np.mean, np.max):
            error = float(measure(errors))
            grid_errors = {count: float(measure(of_grid)) for count, of_grid in grids.items()}
            runs = _runs_for(error, grid_errors)
            cells += [f"{error:.1e}", *_grid_cells(runs, n, grids)]
        table.add_row(*cells)
    console = Console(width=150)
    console.print(table)
    console.print(
        "grids, mean and largest error: "
        + ", ".join(
            f"{n} runs {errors.mean():.1e}, {errors.max():.1e}" for n, errors in grids.items()
        ),
        soft_wrap=True,
    )


if __name__ == "__main__":
    main()
