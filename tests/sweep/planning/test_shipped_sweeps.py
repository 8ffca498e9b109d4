"""The sweeps of configs/sweeps/ can be planned and drawn, and have the runs that they state."""

import dataclasses
import re
from pathlib import Path

import pytest
from small_sweeps import CONFIGS, run_here

from sweep import plots
from sweep.common.errors import StoreError
from sweep.planning.plan import make_plan
from sweep.results.judge import judge
from sweep.results.judged_columns import Results
from sweep.spec.axes import Axis
from sweep.spec.file import Sweep, load_sweep
from sweep.store.store import Store

FILES = sorted((CONFIGS / "sweeps").glob("*.yaml"))
#: Files of thousands of cases, each of which a plan validates.
LARGE = {"map1", "map1b", "map3", "mass_loss_prior", "mass_loss_sensitivity"}


#: Like map1, and larger.
LIKE_MAP1 = {"map1b", "map3"}
#: Sweeps whose figures ``make test`` draws, too; all others take longer.
DRAWN_QUICKLY = {"map2"}


def marked(file: Path) -> object:
    """Return the file as a parameter; the large ones are planned by ``make thorough`` only."""
    marks = [pytest.mark.thorough] if file.stem in LARGE else []
    return pytest.param(file, marks=marks, id=file.stem)


def sizes_in_comment(file: Path) -> set[int]:
    """Return all numbers of runs that the comment names."""
    lines = file.read_text(encoding="utf-8").splitlines()
    comment = " ".join(line.removeprefix("# ") for line in lines if line.startswith("# "))
    return {int(number.replace(",", "")) for number in re.findall(r"([\d,]+) runs", comment)}


def ends(axis: Axis) -> Axis:
    """Return the axis with its first and its last value only."""
    return dataclasses.replace(
        axis,
        points=axis.points[:: len(axis.points) - 1],
        labels=axis.labels[:: len(axis.labels) - 1],
    )


@pytest.mark.parametrize("file", [*map(marked, FILES)])
def test_a_shipped_sweep_is_what_its_comment_says(file: Path) -> None:
    sweep = load_sweep(file)
    assert sweep.spec.name == file.stem
    assert len(make_plan(sweep).cases) in sizes_in_comment(file)


@pytest.mark.parametrize("name", sorted(LARGE))
def test_a_large_sweep_has_the_cases_that_its_comment_says_and_those_at_its_ends_can_run(
    name: str,
) -> None:
    file = CONFIGS / "sweeps" / f"{name}.yaml"
    sweep = load_sweep(file)
    assert sweep.spec.name == name
    assert sum(1 for _ in sweep.numbered()) in sizes_in_comment(file)
    at_ends = dataclasses.replace(sweep, axes=tuple(map(ends, sweep.axes)))
    assert len(make_plan(at_ends).cases) == 2 ** len(sweep.axes)


# the short ones
@pytest.mark.parametrize("name", ["map2", "shielding_temperature", "temperature_supply_36"])
def test_the_checks_of_a_shipped_sweep_hold(name: str, tmp_path: Path) -> None:
    run_here(file := CONFIGS / "sweeps" / f"{name}.yaml", tmp_path / "s.zarr")
    judgements = judge(
        load_sweep(file).expectations, Results.of(Store.open(tmp_path / "s.zarr")), name
    )
    assert judgements
    assert [judgement.name for judgement in judgements if not judgement.passed] == []


def lacks(sweep: Sweep, kind: str) -> str:
    """Return why a figure cannot be drawn of a sweep; empty where it can."""
    content = sweep.spec
    is_scattered = bool(content.sample or content.design)
    has_rings = any("rings" in entry for entry in content.axes.values() if isinstance(entry, dict))
    if kind == "radial" and not has_rings:
        return "the sweep has no rings"
    has_one_axis = len(content.axes) == 1 and not (is_scattered or content.variants)
    if kind == "heatmap" and has_one_axis:
        return "a heat map needs two parameters that differ"
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
            marks=[] if file.stem in DRAWN_QUICKLY else [pytest.mark.thorough],
        )
        for file in FILES
        if file.stem not in LIKE_MAP1
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
