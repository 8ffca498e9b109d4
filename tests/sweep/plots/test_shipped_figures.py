"""Every kind of figure is drawn of every shipped sweep that has what it shows."""

from pathlib import Path

import pytest
from small_sweeps import CONFIGS, run_here

from sweep import plots
from sweep.common.errors import StoreError
from sweep.spec.file import Sweep, load_sweep

#: Like map1, and dearer.
LEFT_OUT = {"map1b", "map3"}
FILES = [file for file in sorted((CONFIGS / "sweeps").glob("*.yaml")) if file.stem not in LEFT_OUT]
#: Sweeps that ``make test`` runs, too; all others take longer.
QUICK = {"map2"}


def lacks(sweep: Sweep, kind: str) -> str:
    """Return why a figure cannot be drawn of a sweep; empty where it can."""
    content = sweep.spec
    is_scattered = bool(content.sample or content.design or content.refine)
    has_rings = any("rings" in entry for entry in content.axes.values() if isinstance(entry, dict))
    if kind == "radial" and not has_rings:
        return "the sweep has no rings"
    if kind == "convergence" and content.accuracy is None:
        return "no run of this store was repeated"
    if kind == "sensitivity" and is_scattered:
        return "this figure is for grids and one-at-a-time sweeps"
    return ""


@pytest.mark.parametrize(
    "file",
    [
        pytest.param(
            file,
            id=file.stem,
            marks=[] if file.stem in QUICK else [pytest.mark.thorough],
        )
        for file in FILES
    ],
)
def test_every_kind_of_figure_is_drawn_of_a_shipped_sweep(file: Path, tmp_path: Path) -> None:
    run_here(file, tmp_path / "s.zarr")
    sweep = load_sweep(file)
    for kind in plots.KINDS:
        problem = lacks(sweep, kind)
        if problem:
            with pytest.raises(StoreError, match=problem):
                plots.draw(tmp_path / "s.zarr", kind)
        else:
            figure = plots.draw(tmp_path / "s.zarr", kind)
            plots.save(figure, tmp_path / f"{kind}.png")
