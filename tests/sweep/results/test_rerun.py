"""A store alone knows how each of its runs came about."""

import shlex
from pathlib import Path
from typing import Any

import pytest
from small_sweeps import T0_AND_RINGS, base_in, sweep_file

from marsdisk.cli.options import parse_override
from marsdisk.config import load_config
from sweep.common.errors import StoreError
from sweep.planning.plan import make_plan, run_id
from sweep.results.rerun import RecordedRuns, find_run
from sweep.running.session import create
from sweep.spec.file import load_sweep
from sweep.store.description import Description
from sweep.store.store import Store

DAMPING = {"epsilon": 0.3, "e_eq": 0.01}
SWEEPS: dict[str, dict[str, Any]] = {
    "rings": {"axes": T0_AND_RINGS},
    "included": {
        "axes": {"temperature.T0": [3000]},
        "include": [{"temperature.T0": 3500, "dynamics.e0": 0.3}, {"temperature.T0": 3500}],
    },
    "only included": {"include": [{"temperature.T0": 3500}, {"material.rho": 3000}]},
    "excluded": {
        "axes": {**T0_AND_RINGS, "material.rho": [3000, 3270]},
        "exclude": [{"ring": 1, "material.rho": 3000}],
    },
    "values of several kinds": {
        "axes": {
            "dynamics.damping": [None, DAMPING],
            "radiation.Q_pr": [1.0, "forsterite"],
            "optical_depth.tau_stop": [None, 2],
        }
    },
    "variants": {
        "axes": {"temperature.T0": [3000, 3500.0]},
        "variants": {
            "as is": {},
            "<b>x</b>": {"blowout.enabled": False},
            "damped": {"dynamics.damping": DAMPING},
        },
    },
    "sections": {"axes": {"dynamics": [{"e0": 0.5}, {"e0": 0.1}], "temperature.T0": [3000, 4000]}},
    "put over by a variant": {
        "axes": {"temperature.T0": [3000, 4000]},
        "variants": {"a": {}, "b": {"temperature.T0": 3500}},
    },
    "coinciding": {
        "axes": {"temperature.T0": [3000, 4000]},
        "variants": {"a": {}, "b": {}, "c": {"dynamics.e0": 0.3}},
        "include": [{"temperature.T0": 3000}],
    },
    "zip": {
        "zip": [{"material.rho": [3000, 3000, 3270], "qstar.scale": [1, 2, 3]}],
        "output": {"samples": 4, "snapshots": 2, "spacing": "linear"},
    },
}


@pytest.mark.parametrize("kind", SWEEPS)
def test_every_run_of_a_store_has_the_configuration_and_the_command_that_made_it(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # the folder of the sweep file
    file = sweep_file(tmp_path, base=base_in(tmp_path), **SWEEPS[kind])
    plan = make_plan(load_sweep(file, {"sizes.s_max": 2.0}))
    create(plan, tmp_path / "small.zarr")
    group = Store.open(tmp_path / "small.zarr")
    recorded = RecordedRuns.of(group)
    ids = group.column("run_id").tolist()
    assert len(ids) == len(plan.cases) >= 2
    assert [run_id(recorded.config(run)) for run in range(len(ids))] == ids
    for run, expected_id in enumerate(ids):
        marsdisk, verb, base, *settings = shlex.split(recorded.command(run))
        overrides = dict(parse_override(text) for text in settings[1::2])
        assert (marsdisk, verb, set(settings[::2])) == ("marsdisk", "run", {"--set"})
        assert run_id(load_config(base, overrides)) == expected_id


def test_a_run_is_found_by_number_and_by_the_beginning_of_its_run_id(finished: Path) -> None:
    group = Store.open(finished)
    ids = group.column("run_id").tolist()
    assert [find_run(group, str(run)) for run in range(6)] == list(range(6))
    assert [find_run(group, name) for name in ids] == list(range(6))
    assert find_run(group, ids[4][:9]) == 4


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("99", "there is no run '99'.*from 0 to 5"),
        ("zz", "no run 'zz'"),
        ("", "no run ''"),
        ("-1", "no run '-1'"),
    ],
)
def test_a_run_that_is_not_there_is_named(finished: Path, name: str, message: str) -> None:
    with pytest.raises(StoreError, match=message):
        find_run(Store.open(finished), name)


def test_a_number_is_not_taken_for_the_beginning_of_a_run_id(tmp_path: Path) -> None:
    axes = {"temperature.T0": {"linspace": [3000, 3100, 60]}}
    create(make_plan(load_sweep(sweep_file(tmp_path, axes=axes))), tmp_path / "small.zarr")
    group = Store.open(tmp_path / "small.zarr")
    beginnings = [name[:2] for name in group.column("run_id").tolist()]
    numbers = [name for name in beginnings if name.isdecimal() and int(name) >= 60]
    assert numbers
    for name in numbers:
        with pytest.raises(StoreError, match=f"there is no run '{name}'"):
            find_run(group, name)


def test_a_beginning_that_several_share_asks_for_more(tmp_path: Path) -> None:
    create(
        make_plan(
            load_sweep(
                sweep_file(tmp_path, axes={"temperature.T0": {"linspace": [3000, 3100, 60]}})
            )
        ),
        tmp_path / "small.zarr",
    )
    group = Store.open(tmp_path / "small.zarr")
    first = [name[0] for name in group.column("run_id").tolist()]
    with pytest.raises(
        StoreError, match=r"runs have a run_id that begins with '\w' \(\w{16}, .*; give more of it"
    ):
        find_run(group, next(letter for letter in "abcdef" if first.count(letter) > 1))


def test_a_record_that_does_not_fit_its_runs_is_refused(finished: Path) -> None:
    group = Store.open(finished)
    given = group.description.recorded
    given["sweep"]["content"]["axes"]["temperature.T0"] = [3000.0, 4500.0]
    recorded = RecordedRuns(Description.of(given), group.column)
    wrong = [run for run, T0 in enumerate(group.column("T0").tolist()) if T0 == 4000.0]
    with pytest.raises(StoreError, match="is no case of the sweep that the store records"):
        recorded.config(wrong[0])
