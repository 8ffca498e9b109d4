"""Accuracy of a sweep: which runs are compared, what the store holds, what the end reports."""

import dataclasses
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import zarr
from small_sweeps import (
    SOME,
    T0_AND_RINGS,
    assert_same_bits,
    results,
    run_command,
    run_here,
    sweep_file,
)

import sweep
import sweep.workers.block
from marsdisk.accuracy.convergence import QUANTITIES, check_run
from marsdisk.common.errors import ConfigError, SolverError
from marsdisk.config import build_config, merge
from sweep.common.errors import PlanChangedError
from sweep.planning.create_store import create, forecast
from sweep.planning.plan import Plan, make_plan
from sweep.running.driver import block_task
from sweep.spec.file import load_sweep
from sweep.store import layout
from sweep.store.fence import Fence
from sweep.store.store import Store, read_fence
from sweep.workers.block import CacheScopes, run_block

Planner = Callable[..., Plan]
ERRORS = ("err_time", "err_bins")
ARRAYS = (*ERRORS, "order_bins")


def ids_checked(plan: Plan) -> set[str]:
    return {plan.cases[run].run_id for run in plan.accuracy_rows}


@pytest.mark.parametrize(
    ("fraction", "count"), [(0.0, 0), (1e-9, 1), (0.05, 1), (0.4, 2), (0.5, 3), (1.0, 6)]
)
def test_a_fraction_of_the_runs_is_checked_and_at_least_one(
    plan: Planner, fraction: float, count: int
) -> None:
    assert len(plan(axes=T0_AND_RINGS, accuracy={"fraction": fraction}).accuracy_rows) == count


def test_without_the_section_nothing_is_checked_and_an_empty_one_checks_a_twentieth(
    plan: Planner,
) -> None:
    axes = {"temperature.T0": {"linspace": [3000, 5000, 40]}}
    assert plan(axes=axes).accuracy_rows == frozenset()
    assert len(plan(axes=axes, accuracy={}).accuracy_rows) == 2


def test_the_same_runs_are_checked_in_any_order_and_any_blocks(plan: Planner) -> None:
    axes = {
        "temperature.T0": [3000.0, 4000.0, 5000.0],
        "material.rho": [3000.0, 3270.0],
        "dynamics.e0": [0.3, 0.5],
    }
    turned = {key: values[::-1] for key, values in reversed(axes.items())}
    one = plan(axes=axes, accuracy={"fraction": 0.3})
    other = plan(axes=turned, accuracy={"fraction": 0.3}, block=5)
    assert len(one.accuracy_rows) == 4
    assert ids_checked(one) == ids_checked(other)
    assert ids_checked(one) < ids_checked(plan(axes=axes, accuracy={"fraction": 0.6}))


def test_each_block_is_sent_its_own_share(plan: Planner) -> None:
    made = plan(axes=T0_AND_RINGS, accuracy={"fraction": 0.5}, block=4)
    tasks = [block_task(made, "nowhere", block, Fence("", made.digest)) for block in made.blocks]
    assert {task.rows[i] for task in tasks for i in task.accuracy_indices} == made.accuracy_rows
    assert all(i < len(task.overrides) for task in tasks for i in task.accuracy_indices)


def test_the_choice_of_runs_is_part_of_the_plan_and_the_limits_are_not(plan: Planner) -> None:
    none = plan(axes=T0_AND_RINGS).digest
    some = plan(**SOME).digest
    assert plan(axes=T0_AND_RINGS, accuracy={"fraction": 0.0}).digest == none
    assert (
        plan(
            axes=T0_AND_RINGS, accuracy={"fraction": 0.35, "time_limit": 1e-5, "bins_limit": 0.5}
        ).digest
        == some
    )
    assert len({none, some, plan(axes=T0_AND_RINGS, accuracy={"fraction": 1.0}).digest}) == 3


def test_errors_stand_in_the_store_for_checked_runs_alone(checked: Path) -> None:
    plan = make_plan(load_sweep(checked.parent / "small.yaml"))
    dataset = sweep.open_store(checked)
    assert dataset.quantity.values.tolist() == list(QUANTITIES)
    assert {"M_loss", "t99", "Sigma_final", "t_end", "tau_max", "tau_final", "M_out_dot_max"} == {
        *QUANTITIES
    }
    for name in ERRORS:
        assert dataset[name].dims == ("run", "quantity")
        assert dataset[name].attrs["units"] == "1"
        assert (
            set(np.flatnonzero(np.isfinite(dataset[name].values).all(axis=1))) == plan.accuracy_rows
        )
        assert np.isnan(
            dataset[name].values[[run for run in range(6) if run not in plan.accuracy_rows]]
        ).all()
    assert (
        dataset.err_time.attrs["long_name"]
        == "relative error from time steps, by the same run with tighter ones"
    )
    assert (
        dataset.err_bins.attrs["long_name"]
        == "relative error from bins, extrapolated from half, as many and twice as many"
    )
    assert dataset.order_bins.dims == ("run", "quantity")
    orders = dataset.order_bins.values
    assert set(np.flatnonzero(np.isfinite(orders).any(axis=1))) == plan.accuracy_rows
    assert np.all((orders >= 0.5) & (orders <= 2.0) | np.isnan(orders))


def test_the_errors_are_those_of_the_run_checked_alone(checked: Path) -> None:
    plan = make_plan(load_sweep(checked.parent / "small.yaml"))
    dataset = sweep.open_store(checked)
    for run in plan.accuracy_rows:
        alone = check_run(build_config(merge(plan.sweep.base, plan.cases[run].overrides)))
        for name in ARRAYS:
            np.testing.assert_array_equal(
                dataset[name].values[run], [*getattr(alone, name).values()]
            )


def test_a_store_without_checks_has_no_arrays_for_them(finished: Path, tmp_path: Path) -> None:
    run_here(
        sweep_file(tmp_path, axes=T0_AND_RINGS, accuracy={"fraction": 0.0}), tmp_path / "s.zarr"
    )
    for store in (finished, tmp_path / "s.zarr"):
        assert not {*ARRAYS, "quantity"} & {path.name for path in store.iterdir()}


def test_blocks_without_a_checked_run_have_files_for_them_too(checked: Path) -> None:
    plan = make_plan(load_sweep(checked.parent / "small.yaml"))
    assert len(plan.accuracy_rows) < len(plan.blocks)
    for name in ARRAYS:
        files = {int(path.name) for path in (checked / name / "c").iterdir()}
        assert files == {block.index for block in plan.blocks}


def test_the_forecast_of_files_and_bytes_counts_them(checked: Path, finished: Path) -> None:
    with_checks, without = (
        forecast(make_plan(load_sweep(store.parent / "small.yaml")))
        for store in (checked, finished)
    )
    files = [path for path in checked.rglob("*") if path.is_file()]
    assert 0.5 * with_checks.files < len(files) <= with_checks.files
    assert with_checks.bytes_raw - without.bytes_raw == 6 * len(ARRAYS) * len(QUANTITIES) * 8


@pytest.mark.parametrize(
    ("workers", "changes"),
    [
        (2, {}),
        (0, {"cache": {"scope": "run"}}),
        (0, {"cache": {"enabled": False}}),
        (0, {"block": 5}),
    ],
)
def test_however_it_is_run_the_errors_have_the_same_bits(
    checked: Path, tmp_path: Path, workers: int, changes: dict[str, Any]
) -> None:
    run_here(sweep_file(tmp_path, **{**SOME, **changes}), tmp_path / "s.zarr", workers=workers)
    assert {*ARRAYS} <= results(checked).keys()
    assert_same_bits(checked, tmp_path / "s.zarr")


@pytest.mark.parametrize("scope", ["task", "worker"])
def test_a_check_changes_no_bit_and_no_count_of_any_run(
    finished: Path, tmp_path: Path, scope: str
) -> None:
    cache = {"scope": scope}
    for name, accuracy in (("with", {"fraction": 1.0}), ("without", None)):
        run_here(
            sweep_file(tmp_path, axes=T0_AND_RINGS, cache=cache, accuracy=accuracy),
            tmp_path / f"{name}.zarr",
        )
    left = results(tmp_path / "with.zarr")
    right = results(tmp_path / "without.zarr")
    assert left.keys() - right.keys() == {*ARRAYS}
    for name, values in right.items():
        assert (
            left[name].tolist() == values.tolist()
            if values.dtype.kind == "T"
            else left[name].tobytes() == values.tobytes()
        ), name
    groups = [Store.open(tmp_path / f"{name}.zarr") for name in ("with", "without")]
    for variable in layout.VARIABLES:
        if variable.name.startswith("cache_") and variable.name != "cache_build_time":
            one, other = (group.column(variable.name) for group in groups)
            assert one.tobytes() == other.tobytes(), variable.name


def test_an_interrupted_sweep_goes_on_with_the_same_checks(checked: Path, tmp_path: Path) -> None:
    file = sweep_file(tmp_path, **SOME)
    store = tmp_path / "s.zarr"
    plan = make_plan(load_sweep(file))
    create(plan, store)
    run_block(block_task(plan, str(store), plan.blocks[1], read_fence(store)), CacheScopes())
    run_here(file, store)
    assert_same_bits(checked, store)


def test_another_choice_of_runs_is_refused_and_other_limits_are_not(
    checked: Path, tmp_path: Path
) -> None:
    with pytest.raises(
        PlanChangedError, match=r"accuracy\.fraction: the store has 0\.4, now it is 1\.0"
    ):
        run_here(sweep_file(tmp_path, axes=T0_AND_RINGS, accuracy={"fraction": 1.0}), checked)
    with pytest.raises(
        PlanChangedError, match=r"accuracy: the store has \{'fraction': 0\.4\}, now it is nothing"
    ):
        run_here(sweep_file(tmp_path, axes=T0_AND_RINGS), checked)
    run_here(
        sweep_file(tmp_path, axes=T0_AND_RINGS, accuracy={"fraction": 0.4, "bins_limit": 1e-9}),
        checked,
    )


def test_a_comparison_that_fails_is_infinite_and_the_run_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*given: object, **named: object) -> None:
        raise SolverError("no")

    monkeypatch.setattr(sweep.workers.block, "check_run", fail)
    plan = run_here(sweep_file(tmp_path, **SOME), tmp_path / "s.zarr")
    dataset = sweep.open_store(tmp_path / "s.zarr")
    assert dataset.status.values.tolist() == [layout.DONE] * 6
    for name in ERRORS:
        assert {
            int(run) for run in np.flatnonzero(np.isinf(dataset[name].values).all(axis=1))
        } == plan.accuracy_rows


def test_a_check_that_would_kill_its_worker_is_not_started_and_its_run_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = make_plan(
        load_sweep(sweep_file(tmp_path, axes=T0_AND_RINGS, accuracy={"fraction": 1.0}, block=6))
    )
    create(plan, tmp_path / "s.zarr")
    seen: list[object] = []
    monkeypatch.setattr(
        sweep.workers.block,
        "check_run",
        lambda config, **given: seen.append(config) or check_run(config, **given),
    )  # type: ignore[func-returns-value]
    task = block_task(
        plan, str(tmp_path / "s.zarr"), plan.blocks[0], read_fence(tmp_path / "s.zarr")
    )
    run_block(dataclasses.replace(task, condemned_repeats=frozenset([2])), CacheScopes())
    dataset = sweep.open_store(tmp_path / "s.zarr")
    assert len(seen) == 5
    assert (dataset.status.values == layout.DONE).all()
    assert np.flatnonzero(np.isinf(dataset.err_time.values).any(axis=1)).tolist() == [2]


def test_a_run_that_fails_has_no_error_to_tell(tmp_path: Path) -> None:
    variants = {"good": {}, "short": {"numerics.max_steps": 3}}
    file = sweep_file(
        tmp_path,
        set={"numerics.t_end_years": 0.02, "optical_depth.tau_stop": None},
        variants=variants,
        accuracy={"fraction": 1.0},
    )
    run_here(file, tmp_path / "s.zarr")
    dataset = sweep.open_store(tmp_path / "s.zarr")
    failed = dataset.status.values == layout.FAILED
    assert failed.sum() == 1
    assert np.isnan(dataset.err_bins.values[failed]).all()
    assert np.isfinite(dataset.err_bins.values[~failed]).all()


def test_bins_that_cannot_be_doubled_are_refused_before_anything_starts(plan: Planner) -> None:
    axes = {"temperature.T0": [3000.0], "sizes.n_bins": [20, 600]}
    assert plan(axes=axes).bins == 600
    with pytest.raises(
        ConfigError,
        match=(
            r"sizes\.n_bins = 600: a check needs a run with twice as many.*, or drop accuracy "
            r" \[temperature\.T0 = 3000"
        ),
    ):
        plan(axes=axes, accuracy={"fraction": 1.0})


@pytest.mark.parametrize(
    ("accuracy", "words"),
    [
        ({"fraction": 1.5}, r"accuracy\.fraction = 1\.5: must be a number in \[0, 1\]"),
        ({"time_limit": 0.0}, r"accuracy\.time_limit = 0\.0: must be a number in \(0, 1\]"),
        ({"share": 0.5}, r"accuracy\.share = 0\.5: there is no such key"),
        (0.05, "accuracy = 0.05: must be a section with keys"),
    ],
)
def test_a_bad_section_is_named_with_what_to_do(
    load: Callable[..., Any], accuracy: Any, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        load(axes=T0_AND_RINGS, accuracy=accuracy)


@pytest.mark.parametrize("name", [*ARRAYS, "quantity"])
def test_no_axis_may_have_the_name_of_their_arrays(load: Callable[..., Any], name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name}: the store has an array of that name"):
        load(axes={name: {"rings": [1.0, 2.7, 3]}})


def test_the_grid_view_spreads_the_errors_too(checked: Path) -> None:
    grid = sweep.open_store(checked).sweep.grid()
    assert dict(grid.err_bins.sizes) == {"T0": 2, "ring": 3, "quantity": len(QUANTITIES)}
    assert int(np.isfinite(grid.err_bins.sel(quantity="M_loss")).sum()) == 2


def test_every_array_of_such_a_store_is_described(checked: Path) -> None:
    arrays = {
        name: array
        for name, array in zarr.open_group(checked, mode="r").arrays()
        if name not in layout.indexes(["check"])
    }
    assert [name for name, array in arrays.items() if not array.attrs.get("long_name")] == []


def test_a_plan_counts_the_checks_in_its_time(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By a clock on which a run takes 1 s, and a check 6 s: two checks of six runs are 2/3."""
    moments = iter([0.0, 1.0, 10.0, 16.0])
    monkeypatch.setattr(
        "sweep.report.preview.time", SimpleNamespace(perf_counter=lambda: next(moments))
    )
    sweep_file(tmp_path, **SOME)
    done = run_command("sweep", "plan", "small.yaml", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    checked = (
        "2 of them repeated with tighter steps and with half and twice the bins, 67 % of the time"
    )
    assert checked in done.stdout
    monkeypatch.undo()
    sweep_file(tmp_path, axes=T0_AND_RINGS)
    assert "repeated" not in run_command("sweep", "plan", "small.yaml", cwd=tmp_path).stdout


def test_a_classic_sweep_whose_steps_collisions_bound_says_how_to_see_why_it_could_not_be_compared(
    tmp_path: Path,
) -> None:
    coarse = {
        "sizes": {"s_min": 1e-4, "s_max": 1e-2, "n_bins": 20},
        "initial": {"s0_mode": "upper"},
        "optical_depth.tau_stop": None,
    }
    classic = {"numerics": {"scheme": "imex_bdf1", "t_end_orbits": 1e-4, "dt": 1.0}, **coarse}
    file = sweep_file(
        tmp_path, set=classic, axes={"dynamics.e0": [0.3, 0.5]}, accuracy={"fraction": 0.5}
    )
    done = run_command("sweep", "run", file, "--workers", 0, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "repeated 0 of 2 runs" in done.stdout
    (line,) = re.findall(r"run \d could not be compared; see why: (marsdisk check .*)", done.stdout)
    alone = run_command(*shlex.split(line), cwd=tmp_path)
    assert alone.returncode == 2
    assert "half of dt would not show their error" in alone.stderr
