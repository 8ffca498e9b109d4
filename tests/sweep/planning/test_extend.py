"""``--extend``: new runs go into new blocks, and the blocks of the store are not touched."""

import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_sweeps import assert_same_bits, run_command, run_here, sweep_file
from zarr.storage import LocalStore

import sweep
from sweep.common.errors import PlanChangedError, StoreError
from sweep.planning.plan import Plan
from sweep.results.columns import Columns
from sweep.store import doctor, layout
from sweep.store.store import Store
from sweep.store.writer import UNFILLED

THREE = {"temperature.T0": [3000.0, 3500.0, 4000.0]}
FIVE = {"temperature.T0": [3000.0, 3250.0, 3500.0, 4000.0, 4500.0]}


def files_of(store: Path) -> dict[str, tuple[int, bytes]]:
    """Return time and content of the chunks that workers have written, without commit records."""
    by_block = {
        variable.name for variable in layout.variables(shared_grid=False, parts=layout.OPTIONAL)
    } - {"status", "s"}
    chunks = (
        path
        for path in store.rglob("c/**/*")
        if path.is_file() and path.relative_to(store).parts[0] in by_block
    )
    return {
        str(path.relative_to(store)): (path.stat().st_mtime_ns, path.read_bytes())
        for path in chunks
    }


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the store of three runs in blocks of two; read only."""
    folder = tmp_path_factory.mktemp("three")
    run_here(sweep_file(folder, axes=THREE), folder / "s.zarr")
    return folder / "s.zarr"


@pytest.fixture(scope="module")
def five(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the store of five runs made at once, those of ``three`` among them; read only."""
    folder = tmp_path_factory.mktemp("five")
    run_here(sweep_file(folder, axes=FIVE), folder / "s.zarr")
    return folder / "s.zarr"


@pytest.fixture
def store(tmp_path: Path, three: Path) -> Path:
    """Return a copy of ``three``, to be extended; its file small.yaml is in the same folder."""
    shutil.copy(three.parent / "small.yaml", tmp_path)
    return Path(shutil.copytree(three, tmp_path / "s.zarr"))


def extended(store: Path, **changes: Any) -> Plan:
    return run_here(sweep_file(store.parent, "more.yaml", **changes), store, extending=True)


def test_more_values_on_an_axis_are_added_behind_and_nothing_is_written_again(
    store: Path, five: Path
) -> None:
    before = files_of(store)
    ids = Store.open(store).column("run_id").tolist()
    extended(store, axes=FIVE)
    assert before.items() <= files_of(store).items()
    dataset = sweep.open_store(store)
    assert dataset.run_id.values.tolist()[:3] == ids
    assert dataset.status.values.tolist() == [1, 1, 1, 3, 1, 1]
    assert np.isnan(dataset.T0.values[3])
    assert dataset.block.values.tolist() == [0, 0, 1, 0, 2, 2]
    assert_same_bits(store, five)
    assert (
        Store.open(store).counts().runs,
        Store.open(store).counts().done,
        Store.open(store).counts().pending,
    ) == (5, 5, 0)


def test_who_has_opened_a_store_before_it_was_extended_still_sees_it_as_it_was(store: Path) -> None:
    columns = Columns(Store.open(store))
    assert columns["T0"].size == columns.where(None).size == 3
    extended(store, axes=FIVE)
    assert columns["M_loss"].size == columns["run"].size == 3
    assert columns.value("M_loss", 1) == columns["M_loss"][1] > 0.0


def test_the_grid_view_of_an_extended_store_is_that_of_one_made_at_once(
    store: Path, five: Path
) -> None:
    extended(store, axes=FIVE)
    grids = [sweep.open_store(path).sweep.grid() for path in (store, five)]
    assert grids[0].T0.values.tolist() == grids[1].T0.values.tolist() == FIVE["temperature.T0"]
    assert grids[0].M_loss.values.tolist() == grids[1].M_loss.values.tolist()


def test_without_extend_more_runs_are_refused_with_their_number(store: Path) -> None:
    with pytest.raises(
        PlanChangedError,
        match=(
            r"(?s)sweep file\.axes\.temperature\.T0: the store has .*--extend .* adds the 2 runs"
            r" that it lacks"
        ),
    ):
        run_here(sweep_file(store.parent, axes=FIVE), store)
    assert Store.open(store).counts().runs == 3


@pytest.mark.parametrize(
    "axes", [{"temperature.T0": [3000.0, 4000.0, 4500.0]}, {"dynamics.i0": [0.1]}]
)
def test_runs_that_the_store_has_and_the_plan_lacks_are_never_dropped(
    store: Path, axes: dict[str, Any]
) -> None:
    with pytest.raises(PlanChangedError, match="holds another plan; nothing was changed"):
        extended(store, axes=axes)
    assert Store.open(store).counts().runs == 3


def test_the_new_file_and_the_store_alone_both_go_on_with_an_extension(store: Path) -> None:
    extended(store, axes=FIVE)
    file = sweep_file(store.parent, "more.yaml", axes=FIVE)
    for words in (
        ("run", file, "--store", store, "--workers", 0),
        ("resume", store, "--workers", 0),
        ("run", file, "--store", store, "--extend"),
    ):
        done = run_command("sweep", *words, cwd=store.parent)
        assert (done.returncode, done.stderr) == (0, "")
        assert "5 of 5 runs done" in done.stdout
        assert "nothing to do" in done.stdout
    (extension,) = Store.open(store).description.extensions
    assert extension.recorded["sweep_before"]["content"]["axes"] == THREE


def test_a_store_is_extended_again_and_again(store: Path) -> None:
    extended(store, axes=FIVE)
    extended(store, axes=FIVE, include=[{"temperature.T0": 5000.0}])
    seven = {"temperature.T0": [*FIVE["temperature.T0"], 4750.0]}
    extended(store, axes=seven, include=[{"temperature.T0": 5000.0}])
    assert [e.first_row for e in Store.open(store).description.extensions] == [4, 6, 8]
    run_here(
        sweep_file(store.parent, "at_once.yaml", axes=seven, include=[{"temperature.T0": 5000.0}]),
        store.parent / "at_once.zarr",
    )
    assert_same_bits(store, store.parent / "at_once.zarr")
    assert doctor.examine(store).findings == []


def test_a_key_that_only_new_runs_differ_in_becomes_a_coordinate_of_all(store: Path) -> None:
    extended(store, axes=THREE, include=[{"temperature.T0": 3000.0, "dynamics.i0": 0.1}])
    dataset = sweep.open_store(store)
    assert dataset.i0.values.tolist()[:3] == [0.05] * 3
    assert dataset.i0.values[4] == 0.1
    assert dataset.i0.attrs["config_key"] == "dynamics.i0"


def test_a_part_of_the_model_that_only_new_runs_use_gets_its_arrays(store: Path) -> None:
    extended(store, axes=THREE, include=[{"temperature.T0": 3000.0, "energy.enabled": True}])
    energy = sweep.open_store(store).E_collisions.values
    assert np.isnan(energy[:4]).all()
    assert energy[4] > 0.0


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"sizes.s_min": 1e-6}, "all its runs share one size grid, and the new ones have others"),
        ({"sizes.n_bins": 50}, "all its runs share one size grid, and the new ones have others"),
    ],
)
def test_what_the_arrays_cannot_hold_is_refused_before_anything_is_changed(
    store: Path, entry: dict[str, Any], words: str
) -> None:
    before = {path: path.read_bytes() for path in store.rglob("*") if path.is_file()}
    with pytest.raises(StoreError, match=words):
        extended(store, axes=THREE, include=[{"temperature.T0": 3000.0, **entry}])
    assert {path: path.read_bytes() for path in store.rglob("*") if path.is_file()} == before


def test_more_bins_than_the_store_has_room_for_are_refused(tmp_path: Path) -> None:
    axes = {"sizes.n_bins": [20, 30]}
    run_here(sweep_file(tmp_path, axes=axes), tmp_path / "s.zarr")
    with pytest.raises(StoreError, match="its runs have at most 30 bins, and the new ones 40"):
        extended(tmp_path / "s.zarr", axes={"sizes.n_bins": [20, 30, 40]})
    extended(tmp_path / "s.zarr", axes={"sizes.n_bins": [20, 25, 30]})
    assert Store.open(tmp_path / "s.zarr").counts().done == 3


def test_values_of_another_kind_are_refused(tmp_path: Path) -> None:
    run_here(sweep_file(tmp_path, axes={"blowout.chi": [1.0, 2.0]}), tmp_path / "s.zarr")
    with pytest.raises(StoreError, match="chi has values of another kind"):
        extended(tmp_path / "s.zarr", axes={"blowout.chi": [1.0, 2.0, "auto"]})


def test_an_extension_checks_a_share_of_its_own_runs(store: Path, tmp_path: Path) -> None:
    run_here(
        sweep_file(tmp_path, axes=THREE, accuracy={"fraction": 0.4}), tmp_path / "checked.zarr"
    )
    with pytest.raises(PlanChangedError, match="accuracy"):
        extended(tmp_path / "checked.zarr", axes=FIVE)
    extended(tmp_path / "checked.zarr", axes=FIVE, accuracy={"fraction": 0.4})
    checked = np.isfinite(sweep.open_store(tmp_path / "checked.zarr").err_time.values).all(axis=1)
    assert (checked[:3].sum(), checked[4:].sum()) == (1, 1)


class Killed(BaseException):
    """A stand-in for SIGKILL, which no code of ours catches."""


Dying = Callable[[float], Callable[[], int]]


def watch_changes(patch: pytest.MonkeyPatch) -> Dying:
    """Return ``dying(n)``, which lets the process die before its n-th next change of a store.

    The function that it returns counts the changes.
    """
    changes_made = [0]
    die_at = [math.inf]

    def watched(function: Callable[..., Any]) -> Callable[..., Any]:
        async def change(*arguments: Any, **options: Any) -> Any:
            if changes_made[0] >= die_at[0]:
                raise Killed
            changes_made[0] += 1
            return await function(*arguments, **options)

        return change

    for name in ("set", "delete", "delete_dir"):
        patch.setattr(LocalStore, name, watched(getattr(LocalStore, name)))

    def dying(changes: float) -> Callable[[], int]:
        changes_made[0] = 0
        die_at[0] = changes
        return lambda: changes_made[0]

    return dying


PARTS = 5
INCLUDED = [
    {"temperature.T0": 3000.0, "dynamics.i0": 0.1},
    {"temperature.T0": 3000.0, "energy.enabled": True},
]


@pytest.fixture(scope="module")
def whole(three: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """Return an extended store, and how often its extension changed it; read only.

    Nothing interrupted the extension.
    """
    folder = tmp_path_factory.mktemp("whole")
    file = sweep_file(folder, "more.yaml", axes=FIVE, include=INCLUDED)
    store = folder / "whole.zarr"
    shutil.copytree(three, store)
    with pytest.MonkeyPatch.context() as only_extending:
        only_extending.setattr("sweep.running.session._run", lambda *arguments: None)
        changes = watch_changes(only_extending)(math.inf)
        run_here(file, store, extending=True)
        total = changes()
    run_here(file, store)
    return store, total


@pytest.mark.parametrize("part", range(PARTS))
def test_an_extension_broken_off_anywhere_is_finished_or_taken_back(
    store: Path, whole: tuple[Path, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: int
) -> None:
    file = sweep_file(tmp_path, "more.yaml", axes=FIVE, include=INCLUDED)
    undisturbed, total = whole
    dying = watch_changes(monkeypatch)
    between = 0
    for location in (tmp_path / "finished.zarr", tmp_path / "taken_back.zarr"):
        shutil.copytree(store, location)
        dying(part * (total - 1) // (PARTS - 1))
        with pytest.raises(Killed):
            run_here(file, location, extending=True)
        dying(math.inf)
        between += Store.open(location, same_length=False).is_between_lengths
    assert between == (2 if part else 0)
    run_here(file, tmp_path / "finished.zarr", extending=True)
    assert_same_bits(tmp_path / "finished.zarr", undisturbed)
    command_of_the_store = run_command(
        "sweep", "resume", tmp_path / "taken_back.zarr", "--workers", 0, cwd=tmp_path
    )
    assert (command_of_the_store.returncode, command_of_the_store.stderr) == (0, "")
    assert_same_bits(tmp_path / "taken_back.zarr", store)
    run_here(file, tmp_path / "taken_back.zarr", extending=True)
    assert_same_bits(tmp_path / "taken_back.zarr", undisturbed)
    assert [
        doctor.examine(location).findings
        for location in (tmp_path / "finished.zarr", tmp_path / "taken_back.zarr")
    ] == [[], []]


def test_an_array_that_a_broken_off_extension_has_not_filled_is_filled_by_the_next(
    store: Path,
    whole: tuple[Path, int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def die(*arguments: object) -> None:
        raise Killed

    file = sweep_file(tmp_path, "more.yaml", axes=FIVE, include=INCLUDED)
    with monkeypatch.context() as patch:
        patch.setattr("sweep.store.writer._fill", die)
        with pytest.raises(Killed):
            run_here(file, store, extending=True)
    run_here(file, store, extending=True)
    assert doctor.examine(store).findings == []
    assert_same_bits(store, whole[0])
    assert UNFILLED not in sweep.open_store(store).E_collisions.attrs


def test_an_included_run_that_comes_to_lie_on_an_axis_gets_its_place_there(tmp_path: Path) -> None:
    run_here(
        sweep_file(tmp_path, axes=THREE, include=[{"temperature.T0": 4500.0}]), tmp_path / "s.zarr"
    )
    extended(tmp_path / "s.zarr", axes=FIVE)
    assert sweep.open_store(tmp_path / "s.zarr").sweep.grid().M_loss.notnull().all()


def test_rings_that_are_numbered_anew_have_their_new_numbers(tmp_path: Path) -> None:
    run_here(sweep_file(tmp_path, axes={"ring": {"rings": [1.5, 2.5, 2]}}), tmp_path / "s.zarr")
    extended(tmp_path / "s.zarr", axes={"ring": {"rings": [1.0, 2.5, 3]}})
    grid = sweep.open_store(tmp_path / "s.zarr").sweep.grid()
    assert grid.r_in_RM.values.tolist() == [1.0, 1.5, 2.0]


def test_a_damaged_chunk_of_a_block_that_is_not_full_does_not_keep_it_from_being_run_again(
    store: Path,
) -> None:
    extended(store, axes=FIVE)
    (store / "status" / "c" / "1").unlink()
    (store / "M_loss" / "c" / "1").write_bytes(b"garbled")
    run_here(sweep_file(store.parent, "more.yaml", axes=FIVE), store)
    assert sweep.open_store(store).status.values.tolist() == [1, 1, 1, 3, 1, 1]
    assert doctor.examine(store, deep=True).findings == []


def test_a_design_that_can_be_continued_is_extended_to_the_one_made_at_once(tmp_path: Path) -> None:
    pytest.importorskip("scipy")

    def sample(n: int) -> dict[str, Any]:
        return {
            "method": "sobol",
            "n": n,
            "seed": 1,
            "axes": {"temperature.T0": {"uniform": [3000.0, 5000.0]}},
        }

    run_here(sweep_file(tmp_path, sample=sample(4)), tmp_path / "s.zarr")
    first = sweep.open_store(tmp_path / "s.zarr").load()
    extended(tmp_path / "s.zarr", sample=sample(8))
    run_here(sweep_file(tmp_path, "at_once.yaml", sample=sample(8)), tmp_path / "at_once.zarr")
    assert_same_bits(tmp_path / "s.zarr", tmp_path / "at_once.zarr")
    both = sweep.open_store(tmp_path / "s.zarr")
    assert both.run_id.values[:4].tolist() == first.run_id.values.tolist()
    assert both.wall_time.values[:4].tolist() == first.wall_time.values.tolist()  # not run again
    at_once = sweep.open_store(tmp_path / "at_once.zarr")
    assert (
        both.run_id.values[both.case_run.values].tolist()
        == at_once.run_id.values[at_once.case_run.values].tolist()
    )


def test_a_block_marked_as_pending_by_a_repair_is_finished_beside_its_unused_rows(
    store: Path,
) -> None:
    extended(store, axes=FIVE)
    (store / "M_loss" / "c" / "1").write_bytes(b"garbled")
    assert not doctor.repair(store).is_clean
    run_here(sweep_file(store.parent, "more.yaml", axes=FIVE), store)
    assert sweep.open_store(store).status.values.tolist() == [1, 1, 1, 3, 1, 1]
    assert doctor.examine(store).findings == []
