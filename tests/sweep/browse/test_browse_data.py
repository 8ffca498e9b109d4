"""What the page offers to lay its map over: axes of a sweep, and whatever else differs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_sweeps import sweep_file

from sweep.browse.data import Data
from sweep.planning.create_store import create
from sweep.planning.plan import make_plan
from sweep.spec.file import load_sweep
from sweep.store.store import Store

T0 = {"temperature.T0": [3000.0, 4000.0]}
TAU0 = {"optical_depth.tau0_target": [0.5, 1.0]}
RINGS = {"ring": {"rings": [1.0, 2.7, 3]}}
PRIOR = {
    "method": "random",
    "n": 3,
    "axes": {"dynamics.e0": {"uniform": [0.1, 0.5]}, "psd.alpha": {"uniform": [1.7, 2.0]}},
}

#: Sections of a sweep file, its axes in which runs differ, and what else differs between them.
SWEEPS: dict[str, tuple[dict[str, Any], list[str], list[str]]] = {
    "a product": ({"axes": {**T0, **TAU0}}, ["T0", "tau0_target"], []),
    "its order": ({"axes": {**TAU0, **T0}}, ["tau0_target", "T0"], []),
    "an axis of one value": ({"axes": {"temperature.T0": [3000.0], **TAU0}}, ["tau0_target"], []),
    "whole numbers": ({"axes": {"sizes.n_bins": [20, 30]}}, ["n_bins"], []),
    "null": ({"axes": {"optical_depth.tau_stop": [None, 2.0]}}, ["tau_stop"], []),
    "rings": ({"axes": {**T0, **RINGS}}, ["T0", "ring"], ["r_in_RM", "r_out_RM"]),
    "one ring": ({"axes": {**T0, "ring": {"rings": [1.0, 2.7, 1]}}}, ["T0"], []),
    "keys that move together": (
        {"zip": [{"temperature.T0": [3000.0, 4000.0], "dynamics.e0": [0.1, 0.5]}]},
        ["T0"],
        ["e0"],
    ),
    "variants": (
        {"axes": T0, "variants": {"as is": {}, "flat": {"dynamics.e0": 0.1}}},
        ["T0", "variant"],
        ["e0"],
    ),
    "one at a time": (
        {"one_at_a_time": {"dynamics.e0": [0.1], "temperature.T0": [3000.0]}},
        ["one_at_a_time"],
        ["e0", "T0"],
    ),
    "drawn points": ({"sample": PRIOR}, [], ["e0", "alpha"]),
    "drawn points at each value": ({"axes": T0, "sample": PRIOR}, [], ["T0", "e0", "alpha"]),
    "included runs": (
        {"include": [{"temperature.T0": 3000.0 + i, "dynamics.e0": 0.1 * i} for i in (1, 2)]},
        [],
        ["T0", "e0"],
    ),
    "included runs beside a product": (
        {"axes": {**T0, **TAU0}, "include": [{"temperature.T0": 5000.0, "dynamics.e0": 0.1}]},
        ["T0", "tau0_target"],
        ["e0"],
    ),
    "included runs at points of a product": (
        {"axes": {**T0, **TAU0}, "include": [{"temperature.T0": 3000.0, "dynamics.e0": 0.1}]},
        ["T0", "tau0_target"],
        ["e0"],
    ),
    "a single run": ({"include": [{"temperature.T0": 4000.0}]}, [], []),
}


@pytest.fixture
def data_of(tmp_path: Path) -> Callable[..., Data]:
    """Return the data of a store without any finished run, from the sections of its sweep file."""

    def data_of(**sections: Any) -> Data:
        store = tmp_path / "s.zarr"
        create(make_plan(load_sweep(sweep_file(tmp_path, **sections))), store)
        return Data(lambda: Store.open(store))

    return data_of


@pytest.mark.parametrize("name", SWEEPS)
def test_a_map_may_be_laid_over_axes_first_and_then_over_what_else_differs(
    data_of: Callable[..., Data],
    name: str,
) -> None:
    sections, axes, others = SWEEPS[name]
    data = data_of(**sections)
    assert data.axes == axes
    assert data.dimensions == [*axes, *others]


@pytest.mark.parametrize(
    ("name", "implied"),
    [
        ("a product", []),
        ("rings", ["r_in_RM", "r_out_RM"]),
        ("keys that move together", ["e0"]),
        ("variants", ["e0"]),
        ("drawn points", []),
        ("included runs beside a product", ["e0"]),
        ("included runs at points of a product", []),
    ],
)
def test_a_parameter_that_an_axis_tells_need_not_be_told_again(
    data_of: Callable[..., Data],
    name: str,
    implied: list[str],
) -> None:
    data = data_of(**SWEEPS[name][0])
    assert [dimension for dimension in data.dimensions if data.is_determined(dimension)] == implied


def test_one_parameter_follows_another_where_no_value_of_that_stands_for_two(
    data_of: Callable[..., Data],
) -> None:
    zipped = {"temperature.T0": [3000.0, 4000.0, 5000.0], "dynamics.e0": [0.1, 0.5, 0.5]}
    data = data_of(axes=TAU0, zip=[zipped])
    assert data.follows("e0", "T0")
    assert not data.follows("T0", "e0")
    assert not data.follows("tau0_target", "T0")
    assert data.follows("T0", "T0")
