"""The right to drive a folder, by a file lock.

The operating system releases a file lock when its process ends, however it does.
"""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import filelock

from ..common.errors import StoreError
from .driving_right import (
    ATTEMPT_SECONDS,
    DRIVER,
    LOCK,
    MAX_ATTEMPTS,
    MAX_ATTEMPTS_WHILE_HELD,
    Driving,
    describe_driver,
    refusal,
    this_driver,
)
from .folder import Folder
from .identity import unique_mark


class LockFile(Driving):
    """The right to drive that a locked file gives, for as long as it is the one that others see.

    Parameters
    ----------
    path : Path
        The file, already locked.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self._locked = self._identity()

    @property
    def loss(self) -> str:
        """The message about the loss."""
        return (
            f"{self.lost} has removed the lock of this driver, {self.path}; resume with the same"
            " command"
        )

    def notice_loss(self) -> None:
        """Find out whether the file is still the one that was locked."""
        if self.lost:
            return
        identity = self._identity()
        if identity is None or identity != self._locked:
            self.lose("somebody")

    def _identity(self) -> tuple[int, int] | None:
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return None
        return status.st_dev, status.st_ino


@contextmanager
def locked(location: Folder) -> Iterator[LockFile]:
    """Hold the lock of a folder for as long as the context lasts.

    Raises
    ------
    StoreError
        Another driver holds it, or the folder cannot be written.
    """
    lock = _acquire(location)
    try:
        right = LockFile(location.note_path(LOCK))
        # the note only serves the message of a driver that is refused
        with suppress(OSError):
            location.note_write(DRIVER, json.dumps(this_driver()).encode())
        try:
            yield right
        finally:
            # a file that cannot be read now is not lost
            with suppress(OSError):
                right.notice_loss()
            # once it is lost, the notes are another driver's
            if not right.lost:
                _remove_notes(location)
    finally:
        lock.release()


def _remove_notes(location: Folder) -> None:
    with suppress(OSError):
        location.note_delete(DRIVER)
    # where an open file cannot be removed it stays, and does no harm; it is removed before the lock
    # is released, since filelock does not lock a file that is gone
    with suppress(OSError):
        location.note_delete(LOCK)


def holder_of(location: Folder) -> str | None:
    """Return who holds the lock of a folder now; None where nobody does."""
    path = location.note_path(LOCK)
    # unlike Path.exists, this is False also where the name is too long
    if not os.path.exists(path):
        return None
    lock = filelock.FileLock(path, blocking=False)
    try:
        lock.acquire()
    except (filelock.Timeout, OSError):
        return _last_driver(location)
    lock.release()
    return None


def _last_driver(location: Folder) -> str:
    """Return the last driver of a folder, from the note that it has written."""
    try:
        return describe_driver(json.loads(location.note_read(DRIVER) or b""))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return "another process"


def _acquire(location: Folder) -> filelock.BaseFileLock:
    path = location.note_path(LOCK)
    lock = filelock.FileLock(path, blocking=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for attempt in range(MAX_ATTEMPTS):
            try:
                lock.acquire()
                return lock
            except filelock.Timeout:
                # somebody holds it; or has just removed it; or no file can be created here
                if not path.exists():
                    _refuse_bad_folder(location)
                elif attempt >= MAX_ATTEMPTS_WHILE_HELD:
                    break
                time.sleep(ATTEMPT_SECONDS)
    except StoreError:
        raise
    except OSError as error:
        raise StoreError(
            f"{location}: the folder cannot be written: {error.strerror or error}; choose another"
            " location with --store"
        ) from error
    raise refusal(location, _last_driver(location))


def _refuse_bad_folder(location: Folder) -> None:
    """Refuse a folder in which no file can be created, such as one of /proc."""
    probe = location.note_path(f"probe-{unique_mark()}")
    try:
        probe.touch()
        probe.unlink()
    except FileNotFoundError:
        raise StoreError(
            f"{location}: no file can be created in {location.path.parent}; choose another"
            " location with --store"
        ) from None
