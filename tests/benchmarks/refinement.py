"""Runs that a refinement saves against a grid at equal interpolation error.

``python -m tests.benchmarks.refinement``, some minutes.

The sweep is configs/sweeps/mass_loss_refined.yaml, with more runs. Between runs M_loss is
interpolated linearly: in the triangles of the refinement, in the cells of the grid. The error is
that at random points where the model is run, too, as a share of the range of M_loss.
"""

import io
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.interpolate import LinearNDInterpolator, RegularGridInterpolator

from marsdisk.yamlfile import read_yaml_mapping
from sweep.design import POINT
from sweep.outcomes import outcomes
from sweep.profiles import usable_cores
from sweep.session import run_sweep
from sweep.spec import build_sweep, load_sweep
from sweep.store import reader

FILE = Path(__file__).parents[2] / "configs" / "sweeps" / "mass_loss_refined.yaml"
RUNS = (50, 100, 200, 400, 800)  # of the refinement
GRIDS = (8, 10, 12, 15, 18, 22, 27, 33, 40, 49, 60)  # points along each axis
ASKED = 1500  # random points
Floats = NDArray[np.float64]


def _run(folder: Path, name: str, **sections: Any) -> tuple[Floats, Floats]:
    """Run the shipped sweep with other sections; return points of the unit square and M_loss.

    The shapes are (cases, 2) and (cases,).
    """
    given = load_sweep(FILE).given
    content = read_yaml_mapping(FILE)
    ranges = content["refine"]["axes"]
    made = build_sweep(
        {**{key: value for key, value in content.items() if key != "refine"}, **sections},
        given["base"],
        base_path=given["base_path"],
    )
    run_sweep(made, folder / name, workers=usable_cores(), console=Console(file=io.StringIO()))
    found = outcomes(reader.open_group(folder / name), "M_loss")
    order = (
        np.argsort(found.labels[POINT]) if POINT in found.labels else np.arange(found.value.size)
    )
    at = [
        (found.columns[key.split(".")[-1]] - span["uniform"][0]) / np.ptp(span["uniform"])
        for key, span in ranges.items()
    ]
    return np.column_stack(at)[order], found.value[order]


def _grid(folder: Path, n: int, ranges: dict[str, Any]) -> RegularGridInterpolator:
    at, values = _run(
        folder,
        f"{n}.zarr",
        axes={key: {"linspace": [*span["uniform"], n]} for key, span in ranges.items()},
    )
    along = np.linspace(0.0, 1.0, n)
    by_place = np.lexsort(at.T[::-1])
    return RegularGridInterpolator((along, along), values[by_place].reshape(n, n))


def _runs_for(error: float, grids: dict[int, float]) -> float:
    """Return the runs of an equally accurate grid, by a power law between those measured.

    Infinite where no grid is as accurate, 0 where all are.
    """
    runs = np.array(list(grids))
    errors = np.minimum.accumulate(list(grids.values()))
    return float(
        np.exp(np.interp(-np.log(error), -np.log(errors), np.log(runs), left=-np.inf, right=np.inf))
    )


def main() -> None:
    """Print the table."""
    refine = read_yaml_mapping(FILE)["refine"]
    with TemporaryDirectory() as given:
        folder = Path(given)
        asked, truth = _run(
            folder, "asked.zarr", sample={"method": "random", "n": ASKED, "axes": refine["axes"]}
        )
        span = np.ptp(truth)
        at, values = _run(folder, "refined.zarr", refine={**refine, "max_runs": max(RUNS)})
        refined = {
            n: np.abs(LinearNDInterpolator(at[:n], values[:n])(asked) - truth) / span for n in RUNS
        }
        grids = {
            n * n: np.abs(_grid(folder, n, refine["axes"])(asked) - truth) / span for n in GRIDS
        }
    table = Table(
        title=(
            f"Refined, and grids as good: error of M_loss at {ASKED} random points as a share of"
            " its range"
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
            runs = _runs_for(error, {count: float(measure(of)) for count, of in grids.items()})
            cells += [f"{error:.1e}"]
            bound, sign = (
                (max(grids), "> ")
                if runs == np.inf
                else (min(grids), "< ")
                if runs == 0.0
                else (runs, "")
            )
            cells += [f"{sign}{bound:.0f}", f"{sign}{bound / n:.1f}"]
        table.add_row(*cells)
    console = Console(width=150)
    console.print(table)
    console.print(
        "grids, mean and largest error: "
        + ", ".join(f"{n} runs {of.mean():.1e}, {of.max():.1e}" for n, of in grids.items()),
        soft_wrap=True,
    )


if __name__ == "__main__":
    main()
