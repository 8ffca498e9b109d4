"""The same number in other bits is the same: within a file, and between a file and a store."""

import math
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_sweeps import (
    assert_same_bits,
    base_in,
    forget_block,
    in_one_line,
    run_command,
    run_here,
    sweep_file,
)

import sweep
from marsdisk.common.errors import ConfigError
from sweep.common.errors import PlanChangedError
from sweep.planning.plan import Plan
from sweep.spec.file import Sweep
from sweep.store import layout
from sweep.store.store import Store

UNROUNDED = 0.1 + 0.2  # as linspace gives it
SPANS: dict[str, Any] = {
    "dynamics.e0": {"linspace": [0.1, 0.5, 5]},
    "ring": {"rings": [1.1, 2.7, 3]},
}
BASE_AND_MOVES = {"dynamics.e0": {"linspace": [0.1, 0.5, 5]}}


@pytest.fixture(scope="module")
def old_stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with stores of an older version, each with its file; read only."""
    folder = tmp_path_factory.mktemp("old")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sweep.spec.axes.rounded", float)
        base = base_in(folder)
        spans = sweep_file(folder, "spans.yaml", base=base, axes=SPANS)
        run_here(spans, folder / "spans.zarr")
        moves = sweep_file(folder, "moves.yaml", base=base, one_at_a_time=BASE_AND_MOVES)
        run_here(moves, folder / "moves.zarr")
    return folder


@pytest.fixture
def old(tmp_path: Path, old_stores: Path) -> Callable[[str], Path]:
    """Return a function that copies the store of a name, and its file."""

    def copy(name: str) -> Path:
        for file in (f"{name}.yaml", "base.yaml"):
            shutil.copy(old_stores / file, tmp_path)
        return Path(shutil.copytree(old_stores / f"{name}.zarr", tmp_path / f"{name}.zarr"))

    return copy


@pytest.mark.parametrize("name", ["spans", "moves"])
@pytest.mark.parametrize("command", ["run", "resume"])
def test_a_store_with_unrounded_spans_is_resumed_with_its_own_file(
    old: Callable[[str], Path], old_stores: Path, name: str, command: str
) -> None:
    store = old(name)
    assert UNROUNDED in sweep.open_store(store).e0.values
    assert_resumes(store, command, f"{name}.yaml", "nothing to do")
    forget_block(store, 1)
    assert_resumes(store, command, f"{name}.yaml", "are committed already")
    assert_same_bits(store, old_stores / f"{name}.zarr")


def assert_resumes(store: Path, verb: str, file: str, words: str) -> None:
    words_of_command = {"run": [file, "--store", store.name], "resume": [store.name]}[verb]
    done = run_command("sweep", verb, *words_of_command, "--workers", 0, cwd=store.parent)
    assert done.returncode == 0, done.stderr
    assert words in in_one_line(done.stdout + done.stderr)


def test_an_old_store_is_extended_by_a_file_that_says_the_same_numbers_otherwise(
    old: Callable[[str], Path],
) -> None:
    store = old("spans")
    ids = Store.open(store).column("run_id").tolist()
    values = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    axes = {**SPANS, "dynamics.e0": values}
    run_here(
        sweep_file(store.parent, "more.yaml", base="base.yaml", axes=axes), store, extending=True
    )
    dataset = sweep.open_store(store)
    assert dataset.run_id.values.tolist()[: len(ids)] == ids
    assert (dataset.status.values == layout.DONE).sum() == len(ids) + 3
    assert dataset.sweep.grid().e0.values.tolist() == values
    assert_resumes(store, "resume", "", "nothing to do")
    assert_resumes(store, "run", "more.yaml", "nothing to do")


def test_an_old_store_is_asked_for_the_numbers_that_were_typed(old: Callable[[str], Path]) -> None:
    store = old("spans")
    dataset = sweep.open_store(store)
    chosen = dataset.sweep.grid().sel(e0=0.3)
    assert chosen.status.values.tolist() == [layout.DONE] * 3
    shown = run_command(
        "sweep", "show", store, "--where", "e0 == 0.3", "--columns", "run", cwd=store.parent
    )
    assert "3 of 15 runs" in shown.stdout


def test_the_command_of_an_old_run_repeats_its_bits(
    old: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = old("spans")
    monkeypatch.chdir(store.parent)
    dataset = sweep.open_store(store)
    run = int(np.flatnonzero(dataset.e0.values == UNROUNDED)[0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert f"dynamics.e0={UNROUNDED}" in dataset.sweep.command(run)


def test_stores_are_compared_run_by_run_where_their_numbers_are_the_same(
    old: Callable[[str], Path],
) -> None:
    store = old("spans")
    run_here(store.parent / "spans.yaml", store.parent / "new.zarr")
    compared = run_command("sweep", "compare", store, "new.zarr", "--rtol", 1e-6, cwd=store.parent)
    assert "15 runs in both" in compared.stdout
    assert compared.returncode == 0


@pytest.mark.parametrize(
    ("name", "entry", "numbers"),
    [
        ("dynamics.e0", {"linspace": [0.1, 0.9, 9]}, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]),
        ("dynamics.i0", {"geomspace": [1e-5, 1e-1, 5]}, [1e-5, 1e-4, 1e-3, 1e-2, 1e-1]),
    ],
)
def test_a_span_has_the_numbers_that_are_shown(
    plan: Callable[..., Plan], name: str, entry: Any, numbers: list[float]
) -> None:
    assert sorted(plan(axes={name: entry}).runs.values[name].tolist()) == numbers


def test_edges_of_rings_are_rounded(load: Callable[..., Sweep]) -> None:
    (axis,) = load(axes={"ring": {"rings": [1.1, 1.7, 6]}}).axes
    assert [point["disk.r_in_RM"] for point in axis.points] == [1.1, 1.2, 1.3, 1.4, 1.5, 1.6]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"axes": {"dynamics.e0": [0.3, UNROUNDED, 0.5]}},
            "has the value 0.30000000000000004 twice (numbers are the same if 12 digits of them"
            " are); drop one",
        ),
        (
            {"one_at_a_time": {"dynamics.e0": [0.3, UNROUNDED]}},
            "has the value 0.30000000000000004 twice",
        ),
        (
            {"zip": [{"dynamics.e0": [0.3, UNROUNDED]}]},
            "has a different value at every point",
        ),
        (
            {
                "sample": {
                    "method": "random",
                    "n": 4,
                    "axes": {"dynamics.e0": {"choice": [0.3, UNROUNDED]}},
                }
            },
            "choice has the value 0.30000000000000004 twice",
        ),
        (
            {"axes": {"ring": {"rings": [1.1, 1.1000000000001, 2]}}},
            "rings [1.1, 1.1000000000001, 2] have no width in 12 digits",
        ),
        (
            {"axes": {"sizes.n_bins": {"linspace": [20, 50, 5]}}},
            "axes.sizes.n_bins must have whole numbers, for sizes.n_bins takes no others, but"
            " linspace [20, 50, 5] gives 27.5, 42.5; choose ends and n so that all are whole, or"
            " write a list, such as [20, 28, 35, 42, 50]",
        ),
        (
            {"axes": {"sizes.n_bins": {"geomspace": [20, 900, 30]}}},
            "and 18 more; choose ends and n so that all are whole, or write a list",
        ),
    ],
)
def test_numbers_that_are_the_same_or_broken_are_refused(
    load: Callable[..., Sweep], changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        load(**changes)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("entry", "numbers"),
    [
        ({"linspace": [20, 50, 4]}, [20, 30, 40, 50]),
        ({"geomspace": [10, 160, 5]}, [10, 20, 40, 80, 160]),
    ],
)
def test_a_span_of_a_key_that_takes_whole_numbers_is_whole(
    plan: Callable[..., Plan], entry: Any, numbers: list[int]
) -> None:
    values = plan(axes={"sizes.n_bins": entry}).runs.values["sizes.n_bins"]
    assert sorted(values.tolist()) == numbers
    assert values.dtype == np.int64


@pytest.mark.parametrize(
    "changes",
    [
        {"axes": {"dynamics.e0": [0.1, 0.3]}, "include": [{"dynamics.e0": UNROUNDED}]},
        {
            "axes": {"dynamics.e0": [0.1, 0.3]},
            "variants": {"as_is": {}, "wide": {"dynamics.e0": UNROUNDED}},
        },
    ],
)
def test_cases_that_say_the_same_number_otherwise_are_one_run(
    plan: Callable[..., Plan], changes: dict[str, Any]
) -> None:
    joined = plan(**changes)
    assert joined.count == 2
    assert sorted(joined.runs.values["dynamics.e0"].tolist()) == [0.1, 0.3]


def test_a_store_of_joined_cases_is_resumed_from_its_own_record(tmp_path: Path) -> None:
    changes = {"axes": {"dynamics.e0": [0.1, 0.3]}, "include": [{"dynamics.e0": UNROUNDED}]}
    run_here(sweep_file(tmp_path, **changes), tmp_path / "small.zarr")
    assert_resumes(tmp_path / "small.zarr", "resume", "", "nothing to do")


def test_cases_are_excluded_by_the_same_number(load: Callable[..., Sweep]) -> None:
    axes = {"dynamics.e0": [0.1, UNROUNDED]}
    assert load(axes=axes, exclude=[{"dynamics.e0": 0.3}]).excluded() == 1


def test_a_span_with_more_points_extends_the_store_of_a_span_with_fewer(tmp_path: Path) -> None:
    store = tmp_path / "small.zarr"
    key = "supply.mu_orbit10pct"
    run_here(sweep_file(tmp_path, axes={key: {"linspace": [0.1, 1.0, 3]}}), store)
    more = sweep_file(tmp_path, "more.yaml", axes={key: {"linspace": [0.1, 1.0, 7]}})
    run_here(more, store, extending=True)
    assert Store.open(store).counts().done == 7


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            [0.1, 0.5],
            "the store has 1 run with dynamics.e0 = 0.2, which the file does not ask for;"
            " its nearest value is 0.1",
        ),
        (
            [0.1],
            "the store has 1 run with dynamics.e0 = 0.5, which the file does not ask for;"
            " its nearest value is 0.1",
        ),
    ],
)
@pytest.mark.parametrize("extending", [True, False])
def test_a_value_that_is_gone_is_named(
    tmp_path: Path, values: list[float], words: str, extending: bool
) -> None:
    store = tmp_path / "small.zarr"
    run_here(sweep_file(tmp_path, axes={"dynamics.e0": [0.1, 0.2, 0.5]}), store)
    fewer = sweep_file(tmp_path, "fewer.yaml", axes={"dynamics.e0": values})
    with pytest.raises(PlanChangedError) as refused:
        run_here(fewer, store, extending=extending)
    assert words in str(refused.value)
    assert "ask for them in the file again" in str(refused.value)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (
            {"axes": {"dynamics.e0": [0.1, 0.2], "temperature.T0": [3000, 4000]}},
            {
                "axes": {"dynamics.e0": [0.1, 0.2], "temperature.T0": [3000, 4000]},
                "exclude": [{"dynamics.e0": 0.2, "temperature.T0": 4000}],
            },
            "the store has 1 run that the file does not ask for, such as dynamics.e0 = 0.2,"
            " temperature.T0 = 4000.0",
        ),
        (
            {"axes": {"qstar.table": ["basalt", "forsterite"]}},
            {"axes": {"qstar.table": ["forsterite"]}},
            "the store has 1 run with qstar.table = 'basalt', which the file does not ask for",
        ),
        (
            {"axes": {"dynamics.e0": [k / 100 for k in range(1, 10)]}},
            {"axes": {"dynamics.e0": [0.01]}},
            "and 3 more values of dynamics.e0",
        ),
    ],
)
def test_runs_that_are_gone_are_named(
    tmp_path: Path, before: dict[str, Any], after: dict[str, Any], words: str
) -> None:
    store = tmp_path / "small.zarr"
    run_here(sweep_file(tmp_path, **before), store)
    with pytest.raises(PlanChangedError) as refused:
        run_here(sweep_file(tmp_path, "after.yaml", **after), store, extending=True)
    assert words in str(refused.value)


def test_a_constant_that_is_the_same_number_is_no_other_plan(tmp_path: Path) -> None:
    store = tmp_path / "small.zarr"
    axes = {"temperature.T0": [3000.0, 4000.0]}
    years = {"numerics.t_end_years": 0.02}
    run_here(sweep_file(tmp_path, axes=axes, set={**years, "dynamics.e0": UNROUNDED}), store)
    file = sweep_file(tmp_path, axes=axes, set={**years, "dynamics.e0": 0.3})
    assert_resumes(store, "run", file.name, "nothing to do")


def test_a_list_with_both_bits_in_an_old_store_is_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "small.zarr"
    file = sweep_file(tmp_path, axes={"dynamics.e0": [0.3, math.nextafter(0.3, 1.0)]})
    with monkeypatch.context() as patch:
        patch.setattr("sweep.spec.axes.identity", lambda value: value)
        patch.setattr(
            "sweep.spec.file.with_equal_numbers_joined",
            lambda axes, include, drawn: (axes, include),
        )
        run_here(file, store)
    assert Store.open(store).counts().done == 2
    assert_resumes(store, "resume", "", "nothing to do")
