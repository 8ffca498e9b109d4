"""The sweeps of configs/sweeps/ can be planned, and have the names and runs that they state."""

import dataclasses
import re
from pathlib import Path

import pytest
from small_sweeps import CONFIGS, run_here

from sweep.planning.plan import make_plan
from sweep.results.judge import judge
from sweep.results.judged_columns import Results
from sweep.spec.axes import Axis
from sweep.spec.file import load_sweep
from sweep.store.store import Store

FILES = sorted((CONFIGS / "sweeps").glob("*.yaml"))
#: Files of thousands of cases, each of which a plan validates.
LARGE = {"map1", "map1b", "map3", "mass_loss_prior", "mass_loss_sensitivity"}


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
