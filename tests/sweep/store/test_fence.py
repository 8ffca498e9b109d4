"""A block is written only into its own store and plan, and only over uncommitted rows."""

import asyncio
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_sweeps import T0_AND_RINGS, assert_same_bits, results, run_here, sweep_file

import sweep.workers.block
from sweep.common.errors import StoreError
from sweep.planning.create_store import create
from sweep.planning.plan import Plan, make_plan
from sweep.running.driver import task_maker
from sweep.spec.file import load_sweep
from sweep.store import layout
from sweep.store.locate import locate
from sweep.store.object_store import Objects
from sweep.store.store import Store
from sweep.workers.block import BlockTask, CacheScopes, run_block


@pytest.fixture(params=["folder", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the location of a new store: on disk, or in an object store within this process."""
    if request.param == "memory":
        pytest.importorskip("obstore")
        return f"memory://{tmp_path.name}/s.zarr"
    return str(tmp_path / "s.zarr")


def planned(folder: Path, **changes: object) -> Plan:
    return make_plan(load_sweep(sweep_file(folder, axes=T0_AND_RINGS, **changes)))


def remove(store: str) -> None:
    """Delete a store as a person would."""
    if "://" not in store:
        shutil.rmtree(store)
        return
    location = locate(store)
    location.delete([key for key, _ in location.listing()])


def tasks_of(plan: Plan, store: str) -> list[BlockTask]:
    make_task = task_maker(plan, store)
    return [make_task(block) for block in plan.blocks]


def test_a_block_of_a_store_that_was_replaced_changes_nothing(tmp_path: Path, store: str) -> None:
    old = planned(tmp_path)
    new = planned(tmp_path, set={"numerics.t_end_years": 0.01})
    create(old, store)
    late = tasks_of(old, store)[0]
    remove(store)
    create(new, store)
    for task in tasks_of(new, store):
        assert run_block(task, CacheScopes()).refusal == ""
    before = results(store)
    receipt = run_block(late, CacheScopes())
    assert receipt.refusal == "another store is in its place"
    assert (receipt.done, receipt.failed, receipt.repeated) == (0, 0, False)
    after = results(store)
    assert before.keys() == after.keys()
    assert all(
        np.array_equal(before[name], after[name], equal_nan=True)
        for name in before
        if before[name].dtype.kind == "f"
    )


def test_a_block_of_the_same_sweep_in_a_store_made_anew_changes_nothing(
    tmp_path: Path, store: str
) -> None:
    plan = planned(tmp_path)
    create(plan, store)
    late = tasks_of(plan, store)[0]
    remove(store)
    create(plan, store)
    assert run_block(late, CacheScopes()).refusal == "another store is in its place"
    assert (Store.open(store).counts().done, Store.open(store).counts().blocks_committed) == (0, 0)


def test_a_block_of_a_store_that_is_gone_makes_none(tmp_path: Path, store: str) -> None:
    plan = planned(tmp_path)
    create(plan, store)
    late = tasks_of(plan, store)[0]
    remove(store)
    assert run_block(late, CacheScopes()).refusal == "the store is gone"
    with pytest.raises(StoreError, match=r"there is no store of a sweep here"):
        Store.open(store).counts()


def test_a_block_of_a_plan_that_was_extended_since_is_thrown_away(tmp_path: Path) -> None:
    store = str(tmp_path / "s.zarr")
    plan = planned(tmp_path)
    create(plan, store)
    late = tasks_of(plan, store)[1]
    axes = {**T0_AND_RINGS, "temperature.T0": [3000.0, 4000.0, 5000.0]}
    run_here(sweep_file(tmp_path, axes=axes), Path(store), extending=True)
    assert run_block(late, CacheScopes()).refusal == "the store has another plan by now"


def test_a_second_attempt_at_a_committed_block_is_thrown_away_and_says_so(
    tmp_path: Path, store: str
) -> None:
    plan = planned(tmp_path)
    create(plan, store)
    task = tasks_of(plan, store)[0]
    run_block(task, CacheScopes())
    for attempt in (1, 2, 7):
        receipt = run_block(replace(task, attempt=attempt), CacheScopes())
        assert (receipt.repeated, receipt.refusal, receipt.done, receipt.failed) == (True, "", 2, 0)
    group = Store.open(store)
    assert group.column("attempt")[list(task.rows)].tolist() == [1, 1]


def fail_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every run of this process fail, as a time limit does that strikes a frozen worker."""

    def solve(run: object) -> object:
        raise RuntimeError("took longer than it may")

    monkeypatch.setattr(sweep.workers.block, "solve", solve)


def test_a_worker_that_wakes_up_past_its_time_limit_does_not_fail_a_run_that_is_done(
    tmp_path: Path, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planned(tmp_path)
    create(plan, store)
    task = tasks_of(plan, store)[0]
    run_block(task, CacheScopes())
    before = results(store)
    with monkeypatch.context() as patch:
        fail_all(patch)
        receipt = run_block(task, CacheScopes())
    assert (receipt.repeated, receipt.done, receipt.failed) == (True, 2, 0)
    assert Store.open(store).counts().failed == 0
    after = results(store)
    assert all(
        before[name].tobytes() == after[name].tobytes()
        for name in before
        if before[name].dtype.kind == "f"
    )


def test_only_a_named_retry_with_a_higher_attempt_replaces_a_failed_run(
    tmp_path: Path, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planned(tmp_path)
    create(plan, store)
    task = tasks_of(plan, store)[0]
    with monkeypatch.context() as patch:
        fail_all(patch)
        assert run_block(task, CacheScopes()).failed == 2
    assert run_block(replace(task, attempt=2), CacheScopes()).repeated
    assert run_block(replace(task, attempt=1, retry=True), CacheScopes()).repeated
    assert Store.open(store).counts().failed == 2
    assert run_block(replace(task, attempt=2, retry=True), CacheScopes()).done == 2
    assert (Store.open(store).counts().done, Store.open(store).counts().failed) == (2, 0)
    with monkeypatch.context() as patch:
        fail_all(patch)
        assert run_block(replace(task, attempt=2, retry=True), CacheScopes()).repeated
        assert run_block(replace(task, attempt=3, retry=True), CacheScopes()).repeated
    assert Store.open(store).counts().failed == 0


Disturb = Callable[[Path], None]


def replace_store(store: Path) -> None:
    """Put an empty store of the same sweep, made anew, in the location of one."""
    shutil.rmtree(store)
    create(make_plan(load_sweep(store.parent / "small.yaml")), store)


def move_store(store: Path) -> None:
    store.rename(store.with_name("moved.zarr"))


@pytest.mark.parametrize(
    "disturb", [replace_store, move_store, shutil.rmtree], ids=["replaced", "moved", "deleted"]
)
def test_a_worker_frozen_between_its_last_check_and_its_writing_changes_no_other_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, disturb: Disturb
) -> None:
    plan = planned(tmp_path)
    store = tmp_path / "s.zarr"
    create(plan, store)
    task = tasks_of(plan, str(store))[0]
    replace_normally = Path.replace
    disturbed: list[Path] = []

    def replace_late(self: Path, target: Path) -> Path:
        if self.name.endswith(".partial") and not disturbed:
            disturbed.append(self)
            disturb(store)
        return replace_normally(self, target)

    monkeypatch.setattr(Path, "replace", replace_late)
    receipt = run_block(task, CacheScopes())
    monkeypatch.undo()
    assert disturbed
    was_replaced = disturb is replace_store
    assert receipt.refusal == (
        "another store is in its place" if was_replaced else "the store is gone"
    )
    if was_replaced:
        assert Store.open(store).counts().blocks_committed == 0
        run_here(tmp_path / "small.yaml", store)
        run_here(tmp_path / "small.yaml", tmp_path / "other.zarr")
        assert_same_bits(store, tmp_path / "other.zarr")
    else:
        assert not (store / "zarr.json").exists()


SOLVE = sweep.workers.block.solve
# requests to the object store cannot be disturbed from outside
PUT_OVER = Objects._put_over  # noqa: SLF001


def disturb_puts(
    monkeypatch: pytest.MonkeyPatch, put: int | str, disturb: Callable[[], None]
) -> None:
    """Disturb before a put, given by its number or by the name of its array."""
    keys: list[str] = []

    async def put_late(self: Objects, key: str, chunk: bytes, tag: str | None) -> bool:
        keys.append(key)
        if put in (len(keys), key.partition("/")[0]):
            await asyncio.to_thread(disturb)
        return await PUT_OVER(self, key, chunk, tag)

    monkeypatch.setattr(Objects, "_put_over", put_late)


@pytest.mark.parametrize("put", [1, 20, "status"])
@pytest.mark.parametrize("elsewhere", ["another store", "another attempt"])
def test_a_worker_frozen_between_two_objects_changes_nothing_that_is_committed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, put: int | str, elsewhere: str
) -> None:
    pytest.importorskip("obstore")
    store = f"memory://{tmp_path.name}/s.zarr"
    replaced = elsewhere == "another store"
    plan = planned(tmp_path)
    create(plan, store)
    late, *_ = tasks_of(plan, store)
    committed: dict[str, np.ndarray] = {}

    def commit_elsewhere() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(sweep.workers.block, "solve", SOLVE)
            patch.setattr(Objects, "_put_over", PUT_OVER)
            present_plan = plan
            if replaced:
                remove(store)
                present_plan = planned(tmp_path, set={"numerics.t_end_years": 0.01})
                create(present_plan, store)
            for task in tasks_of(present_plan, store):
                run_block(task, CacheScopes())
        committed.update(results(store))

    with monkeypatch.context() as patch:
        fail_all(patch)
        disturb_puts(patch, put, commit_elsewhere)
        receipt = run_block(late, CacheScopes())
    assert committed
    if replaced:
        assert receipt.refusal == "another store is in its place"
    else:
        assert (receipt.repeated, receipt.done, receipt.failed) == (True, 2, 0)
    now = results(store)
    assert all(
        now[name].tobytes() == value.tobytes()
        for name, value in committed.items()
        if value.dtype.kind == "f"
    )


def test_a_store_without_a_uid_is_written_all_the_same(tmp_path: Path) -> None:
    plan = planned(tmp_path)
    store = tmp_path / "s.zarr"
    create(plan, store)
    described = json.loads((store / "zarr.json").read_text(encoding="utf-8"))
    del described["attributes"]["uid"]
    (store / "zarr.json").write_text(json.dumps(described), encoding="utf-8")
    run_here(tmp_path / "small.yaml", store)
    assert Store.open(store).counts().done == 6
    assert (Store.open(store).column("status") == layout.DONE).all()


def test_a_store_that_is_deleted_while_a_block_is_written_leaves_no_folder_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planned(tmp_path)
    store = tmp_path / "s.zarr"
    create(plan, store)
    task = tasks_of(plan, str(store))[0]
    write_normally = Path.write_bytes
    written: list[Path] = []

    def write_late(self: Path, data: bytes) -> int:
        size = write_normally(self, data)
        written.append(self)
        if len(written) == 10:
            shutil.rmtree(store)
        return size

    monkeypatch.setattr(Path, "write_bytes", write_late)
    assert run_block(task, CacheScopes()).refusal == "the store is gone"
    assert not store.exists()
