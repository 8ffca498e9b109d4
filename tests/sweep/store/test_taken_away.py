"""A driver whose store or lock is taken away says so, and the same command resumes the sweep."""

import itertools
import shutil
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from small_sweeps import T0_AND_RINGS, assert_same_bits, run_here, sweep_file

import sweep.workers.block
from sweep.common.errors import StoreError
from sweep.running import heartbeat
from sweep.store.driving import driving
from sweep.store.driving_right import LOCK
from sweep.store.file_lock import LockFile
from sweep.store.folder import Folder
from sweep.store.store import Store

PATIENCE = 300.0  # s
RUNS = 6


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return sweep_file(tmp_path, axes=T0_AND_RINGS)


def before_runs(acts: Mapping[int, Callable[[], object]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Do something before the first, second, ... run is integrated."""
    solve_normally = sweep.workers.block.solve
    number = itertools.count(1)

    def solve(run: Any) -> Any:
        acts.get(next(number), lambda: None)()
        return solve_normally(run)

    monkeypatch.setattr(sweep.workers.block, "solve", solve)


def lock_of(store: Path) -> Path:
    return Folder(str(store)).note_path(LOCK)


def test_a_driver_whose_lock_is_removed_stops_and_the_same_command_goes_on(
    file: Path, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "s.zarr"
    lost = threading.Event()
    lose_lock = LockFile.lose

    def lose(lock: LockFile, to: str) -> None:
        lose_lock(lock, to)
        lost.set()

    monkeypatch.setattr(LockFile, "lose", lose)
    monkeypatch.setattr(heartbeat, "BEAT_SECONDS", 0.01)

    def remove_lock() -> None:
        lock_of(store).unlink()
        assert lost.wait(PATIENCE)

    with monkeypatch.context() as patch:
        before_runs({3: remove_lock}, patch)
        with pytest.raises(
            StoreError,
            match=r"somebody has removed the lock of this driver, .*; resume with the same command",
        ):
            run_here(file, store)
    assert 0 < Store.open(store).counts().pending < RUNS
    run_here(file, store)
    assert_same_bits(store, finished)


def test_a_lock_of_another_driver_is_left_alone(tmp_path: Path) -> None:
    store = tmp_path / "s.zarr"
    with driving(store) as first:
        lock_of(store).unlink()
        with driving(store):
            first.notice_loss()
            assert first.lost
            with pytest.raises(StoreError, match="is driving this sweep"), driving(store):
                pass
    assert not lock_of(store).exists()


def test_the_lock_of_a_driver_that_began_after_ours_was_removed_outlives_ours(
    tmp_path: Path,
) -> None:
    store = tmp_path / "s.zarr"
    first = driving(store)
    first.__enter__()
    lock_of(store).unlink()
    with driving(store):
        first.__exit__(None, None, None)
        assert lock_of(store).exists()


@pytest.mark.parametrize(
    ("saved_at", "words"), [(1, "4 runs are pending again"), (3, "2 runs are pending again")]
)
def test_a_store_that_is_replaced_by_its_backup_is_not_called_finished(
    file: Path,
    finished: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    saved_at: int,
    words: str,
) -> None:
    store = tmp_path / "s.zarr"
    backup = tmp_path / "backup.zarr"

    def save() -> None:
        shutil.copytree(store, backup)

    def restore() -> None:
        shutil.rmtree(store)
        shutil.copytree(backup, store)

    with monkeypatch.context() as patch:
        before_runs({saved_at: save, 5: restore}, patch)
        with pytest.raises(
            StoreError,
            match=(
                f"{words}: the store was changed or replaced during the sweep; resume with the same"
                " command"
            ),
        ):
            run_here(file, store)
    run_here(file, store)
    assert_same_bits(store, finished)
