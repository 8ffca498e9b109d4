"""Comparison of two stores: what agrees, what differs and by how much, and how they were made."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from click.testing import CliRunner
from small_sweeps import SMALL, T0_AND_RINGS, forget_block, run_here, sweep_file

import sweep.cli.commands
from sweep.common.errors import StoreError
from sweep.results.compare import compare
from sweep.store.store import Store


def printed(*words: object) -> tuple[int, str]:
    done = CliRunner().invoke(sweep.cli.commands.main, ["compare", *map(str, words)])
    return done.exit_code, " ".join((done.stdout + done.stderr).split())


@pytest.fixture
def changed(finished: Path, tmp_path: Path) -> Callable[[str, Callable[[Any], None]], Path]:
    """Return a function that copies the finished store and changes one array."""

    def changed(name: str, change: Callable[[Any], None]) -> Path:
        store = tmp_path / "changed.zarr"
        shutil.copytree(finished, store)
        array = zarr.open_group(store, mode="r+")[name]
        assert isinstance(array, zarr.Array)
        values = np.asarray(array[...])
        change(values)
        array[...] = values
        return store

    return changed


def losses_by_case(store: Path) -> dict[tuple[float, int], float]:
    """Return M_loss by T0 and ring."""
    group = Store.open(store)
    columns = (group.column(name).tolist() for name in ("T0", "ring", "M_loss"))
    return {(T0, ring): loss for T0, ring, loss in zip(*columns, strict=True)}


def test_a_store_is_the_same_as_its_copy_whatever_the_order_and_the_day(
    finished: Path, tmp_path: Path
) -> None:
    axes = dict(reversed(T0_AND_RINGS.items()))
    run_here(sweep_file(tmp_path, axes=axes, block=5), tmp_path / "other.zarr")
    code, text = printed(finished, tmp_path / "other.zarr")
    assert code == 0
    assert "6 runs in both: 6 with the same run_id, 0 with the same parameters" in text
    assert text.endswith("the results are the same, bit for bit")


@pytest.mark.parametrize(
    ("name", "index", "head"),
    [
        ("M_loss", (4,), "M_loss [M_Mars]"),
        ("Sigma", (4, 3), "Sigma [kg m-2]"),
        ("N", (4, 1, 7), "N [m-2]"),
    ],
)
def test_the_largest_difference_of_an_array_is_named_with_its_run(
    finished: Path, changed: Callable[..., Path], name: str, index: tuple[int, ...], head: str
) -> None:
    def change(values: Any) -> None:
        scale = values[4].max()
        values[index] += 1e-3 * scale
        values[(1, *index[1:])] *= 1.0 + 1e-9

    store = changed(name, change)
    comparison = compare(Store.open(finished), Store.open(store))
    assert not comparison.same
    assert not comparison.identical
    (difference,) = comparison.differences
    assert (difference.name, difference.runs, difference.pair) == (head, 2, (4, 4))
    assert difference.largest == pytest.approx(1e-3, rel=0.01)
    assert printed(finished, store)[0] == 1
    assert compare(Store.open(finished), Store.open(store), rtol=1e-8).differences[0].runs == 1
    code, text = printed(finished, store, "--rtol", "1e-2")
    assert code == 0
    assert "1 array differs by no more than 0.01" in text
    assert text.endswith("the results are the same within 0.01")


def test_a_number_that_is_lost_is_an_infinite_difference(
    finished: Path, changed: Callable[..., Path]
) -> None:
    def change(values: Any) -> None:
        values[2] = np.nan

    comparison = compare(Store.open(finished), Store.open(changed("M_loss", change)), rtol=0.5)
    (difference,) = comparison.differences
    assert (difference.name, difference.runs) == ("M_loss [M_Mars]", 1)
    assert (difference.largest, difference.values[1]) == (np.inf, "-")


def test_other_states_are_differences_and_uncommitted_numbers_none(
    finished: Path, tmp_path: Path
) -> None:
    store = tmp_path / "torn.zarr"
    shutil.copytree(finished, store)
    forget_block(store, 1)
    code, text = printed(finished, store)
    assert code == 1
    assert "done (t_end_years) in A, pending in B: 2, 3" in text
    assert text.endswith("the results are different")
    assert compare(Store.open(finished), Store.open(store)).differences == []


def test_failed_runs_are_compared_by_their_state(mixed: Path) -> None:
    code, text = printed(mixed, mixed)
    assert code == 0
    assert "18 with the same run_id" in text
    assert text.endswith("bit for bit")


def test_another_tolerance_is_matched_by_parameters_and_named_as_the_reason(
    finished: Path, tmp_path: Path
) -> None:
    base = {"numerics.t_end_years": 0.02, "numerics.rtol": 1e-7}
    run_here(sweep_file(tmp_path, axes=T0_AND_RINGS, set=base), tmp_path / "fine.zarr")
    code, text = printed(finished, tmp_path / "fine.zarr", "--rtol", "1e-3")
    assert "6 runs in both: 0 with the same run_id, 6 with the same parameters" in text
    assert "numerics.rtol: A has 0.001, B has 1e-07" in text
    assert "solver statistics differ: ledger_error, steps" in text
    assert code == 0
    code, text = printed(finished, tmp_path / "fine.zarr")
    assert code == 1
    comparison = compare(Store.open(finished), Store.open(tmp_path / "fine.zarr"))
    (loss,) = (array for array in comparison.differences if array.name == "M_loss [M_Mars]")
    left = losses_by_case(finished)
    right = losses_by_case(tmp_path / "fine.zarr")
    worst = max(abs(left[case] - right[case]) / max(left[case], right[case]) for case in left)
    assert loss.largest == pytest.approx(worst, rel=1e-12)


def test_runs_in_one_store_only_are_counted_and_a_swept_constant_is_matched(
    finished: Path, tmp_path: Path
) -> None:
    axes = {**T0_AND_RINGS, "material.rho": [3270.0, 3000.0]}
    run_here(
        sweep_file(tmp_path, axes=axes, set={**SMALL["set"], "numerics.max_steps": 50000}),
        tmp_path / "more.zarr",
    )
    code, text = printed(finished, tmp_path / "more.zarr")
    assert code == 1
    assert "6 runs in both: 0 with the same run_id, 6 with the same parameters" in text
    assert "6 runs only in B: " in text
    assert "material.rho is swept in B (rho) and 3270 in A" in text
    assert "numerics.max_steps: A has 100000, B has 50000" in text
    assert compare(Store.open(finished), Store.open(tmp_path / "more.zarr")).identical


def test_what_made_the_stores_is_compared(finished: Path, tmp_path: Path) -> None:
    store = tmp_path / "older.zarr"
    shutil.copytree(finished, store)
    description = json.loads((store / "zarr.json").read_text(encoding="utf-8"))
    provenance = description["attributes"]["provenance"]
    provenance["model_version"] = "0.0.1+old"
    provenance["packages"]["numpy"] = "2.2.0"
    provenance["tables"] = dict.fromkeys(provenance["tables"], "0" * 64)
    (store / "zarr.json").write_text(json.dumps(description), encoding="utf-8")
    code, text = printed(finished, store)
    assert code == 0
    for line in (
        "model version: A has",
        "B has 0.0.1+old",
        "package numpy: A has",
        "B has 2.2.0",
        "table radiation.Q_pr = forsterite: A has",
    ):
        assert line in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("nothing.zarr",), "there is no store of a sweep here"),
        (("--rtol", "2"), "2.0 is not in the range"),
    ],
)
def test_a_comparison_with_nothing_is_exit_code_2(
    finished: Path, words: tuple[str, ...], message: str
) -> None:
    code, text = printed(finished, *([finished] if words[0].startswith("-") else []), *words)
    assert code == 2
    assert message in text


def test_a_damaged_store_is_named_with_what_to_do(finished: Path, tmp_path: Path) -> None:
    shutil.copytree(finished, tmp_path / "s.zarr")
    (tmp_path / "s.zarr" / "M_loss" / "c" / "1").write_bytes(b"xx")
    with pytest.raises(StoreError, match=r"s\.zarr: M_loss .*sweep doctor"):
        compare(Store.open(tmp_path / "s.zarr"), Store.open(finished))
