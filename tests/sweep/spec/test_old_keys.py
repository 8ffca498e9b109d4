"""Old names of sections of a sweep file, and of a command, in files and in stores."""

import json
from pathlib import Path
from typing import Any

import pytest
from small_sweeps import SOME, T0_AND_RINGS, assert_same_bits, run_command, run_here, sweep_file

import sweep.cli.commands
from marsdisk.common.errors import ConfigError
from sweep.common.errors import PlanChangedError
from sweep.planning.create_store import create
from sweep.planning.plan import make_plan
from sweep.results.accuracy import Accuracy
from sweep.running.driver import block_task
from sweep.spec.file import load_sweep
from sweep.store.store import Store, read_fence
from sweep.workers.block import CacheScopes, run_block

ACCURACY = {"fraction": 0.4, "bins_limit": 1e-9}
EXPECT = {"little": {"expect": "M_loss < 1.0e-30"}}
NEW: dict[str, Any] = {"axes": T0_AND_RINGS, "accuracy": ACCURACY, "expect": EXPECT}
OLD: dict[str, Any] = {"axes": T0_AND_RINGS, "check": ACCURACY, "checks": EXPECT}


def with_old_record(store: Path) -> Path:
    """Give a store the record that an earlier version wrote."""
    names = {"accuracy": "check", "expect": "checks"}
    file = store / "zarr.json"
    described = json.loads(file.read_text(encoding="utf-8"))
    record = described["attributes"]["sweep"]
    record["content"] = {names.get(key, key): value for key, value in record["content"].items()}
    file.write_text(json.dumps(described), encoding="utf-8")
    return store


@pytest.fixture
def old_store(tmp_path: Path) -> Path:
    """Make the store of an earlier version, of whose three blocks one is finished."""
    plan = make_plan(load_sweep(sweep_file(tmp_path, **NEW)))
    store = tmp_path / "old.zarr"
    create(plan, store)
    run_block(block_task(plan, str(store), plan.blocks[1], read_fence(store)), CacheScopes())
    return with_old_record(store)


def test_old_keys_give_the_plan_and_the_record_of_new_ones_and_a_note(tmp_path: Path) -> None:
    old = make_plan(load_sweep(sweep_file(tmp_path, "old.yaml", **OLD)))
    new = make_plan(load_sweep(sweep_file(tmp_path, "new.yaml", **NEW)))
    assert old.digest == new.digest
    assert old.sweep.given == new.sweep.given
    assert old.sweep.expectations == new.sweep.expectations
    assert [note for note in old.warnings if note not in new.warnings] == [
        "check: of the sweep file is now called accuracy: and is still read by its old name",
        "checks: of the sweep file is now called expect: and is still read by its old name",
    ]


@pytest.mark.parametrize(("old", "new"), [("check", "accuracy"), ("checks", "expect")])
def test_a_section_under_both_names_is_refused(tmp_path: Path, old: str, new: str) -> None:
    message = rf"{old} is the old name of {new}, and both are given; keep {new}\n.*line 1"
    with pytest.raises(ConfigError, match=message):
        load_sweep(sweep_file(tmp_path, axes=T0_AND_RINGS, **{old: {}, new: {}}))


def test_a_mistake_is_told_under_the_name_that_the_file_has(tmp_path: Path) -> None:
    file = sweep_file(tmp_path, axes=T0_AND_RINGS, check={"fraction": 2.0}, checks={"a": {}})
    with pytest.raises(ConfigError) as refused:
        load_sweep(file)
    assert refused.value.problems[0].startswith("check.fraction = 2.0: must be a number in [0, 1]")
    file = sweep_file(tmp_path, axes=T0_AND_RINGS, checks={"a": {}})
    with pytest.raises(ConfigError, match=r"checks\.a: expect is missing"):
        load_sweep(file)


@pytest.mark.parametrize("sections", [OLD, NEW], ids=["old", "new"])
def test_an_old_store_is_resumed_by_a_file_with_either_names(
    old_store: Path, checked: Path, tmp_path: Path, sections: dict[str, Any]
) -> None:
    run_here(sweep_file(tmp_path, **sections), old_store)
    assert_same_bits(checked, old_store)


def test_an_old_store_is_resumed_from_its_record(
    old_store: Path, checked: Path, tmp_path: Path
) -> None:
    done = run_command("sweep", "resume", "old.zarr", "--workers", 0, cwd=tmp_path)
    assert done.returncode == 3
    assert "expectation little fails in 6 of 6 runs" in done.stdout
    assert "note: check" not in done.stdout
    assert_same_bits(checked, old_store)


def test_limits_and_differences_are_read_from_the_record_of_an_old_store(
    old_store: Path, tmp_path: Path
) -> None:
    accuracy = Accuracy.of(Store.open(old_store))
    assert accuracy is not None
    assert accuracy.limits["err_bins"] == 1e-9
    other = sweep_file(tmp_path, **{**SOME, "accuracy": {"fraction": 1.0}})
    words = r"accuracy\.fraction: the store has 0\.4, now it is 1\.0"
    for extending in (False, True):
        with pytest.raises(PlanChangedError, match=words):
            run_here(other, old_store, extending=extending)


def test_an_old_store_is_extended_by_a_file_with_new_names(old_store: Path, tmp_path: Path) -> None:
    more = {"temperature.T0": [3000.0, 4000.0, 5000.0], "ring": {"rings": [1.0, 2.7, 3]}}
    run_here(sweep_file(tmp_path, **{**NEW, "axes": more}), old_store, extending=True)
    extension = Store.open(old_store).description.extensions[0]
    assert extension.recorded["sweep_before"]["content"]["check"] == ACCURACY
    assert Store.open(old_store).counts().done == 9


def test_the_old_name_of_a_command_still_works(finished: Path, tmp_path: Path) -> None:
    file = tmp_path / "old.yaml"
    file.write_text(json.dumps({"checks": EXPECT}), encoding="utf-8")
    old = run_command("sweep", "checks", finished, "--checks", file, "--json", cwd=tmp_path)
    new = run_command("sweep", "expect", finished, "--file", file, "--json", cwd=tmp_path)
    assert (old.returncode, old.stdout) == (new.returncode, new.stdout)
    assert old.returncode == 3
    renamed_section = (
        "note: checks: of the sweep file is now called expect: and is still read by its old name\n"
    )
    renamed_command = "note: sweep checks is now sweep expect, and its --checks is --file\n"
    assert new.stderr == renamed_section
    assert old.stderr == renamed_command + renamed_section
    assert sweep.cli.commands.main.commands["checks"].hidden
