"""One driver at a time: by a file lock in a folder, by a lease in an object store.

The operating system releases a file lock when its process ends, however it does.
"""

import json
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import filelock

from ..common.errors import StoreError
from .identity import this_process, unique_mark
from .location import Folder, Place

# notes next to the store: the file that is locked, and the description of its holder
LOCK = "lock"
DRIVER = "driver"
#: Attempts at a lock that is held: a doctor holds it for an instant to see whether somebody does.
MAX_ATTEMPTS_WHILE_HELD = 5
#: Attempts while drivers that end remove the file between finding and locking it.
MAX_ATTEMPTS = 50
ATTEMPT_SECONDS = 0.01  # between two attempts


def this_driver() -> dict[str, Any]:
    """Describe this process as a driver, for the message of another driver that is refused.

    Returns
    -------
    dict
        As of :func:`sweep.store.identity.this_process`, with the time ``since`` when it drives.
    """
    return {**this_process(), "since": datetime.now(UTC).isoformat(timespec="seconds")}


def describe_driver(driver: Mapping[str, Any]) -> str:
    """Return the description of :func:`this_driver` in words."""
    return f"process {driver['pid']} on {driver['host']} since {driver['since']}"


def refusal(store: Place, driver: str) -> StoreError:
    """Return the error of a second driver."""
    return StoreError(
        f"{store}: {driver} is driving this sweep; wait for it (sweep status {store}) or stop it"
        " first"
    )


def holder(store: str | Path | Place) -> str:
    """Return the last driver of a store, from the note that it has written."""
    place = Place.of(store)
    note = DRIVER if isinstance(place, Folder) else LOCK
    try:
        return describe_driver(json.loads(place.note_read(note) or b""))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return "another process"


class Driving(ABC):
    """The right to drive a store, which may be lost."""

    def __init__(self) -> None:
        self.on_loss: Callable[[], None] = lambda: None
        self.lost = ""  #: the driver that took it, or "somebody"; empty while it is held

    @property
    @abstractmethod
    def loss(self) -> str:
        """The message about the loss."""

    def lose(self, to: str) -> None:
        """Record that another driver has the right, or may have it, and stop this one."""
        self.lost = to
        self.on_loss()

    @abstractmethod
    def notice_loss(self) -> None:
        """Find out whether the right is still held, where nothing else does."""


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
def driving(store: str | Path | Place) -> Iterator[Driving]:
    """Hold the right to drive a store for as long as the context lasts.

    A folder that another driver holds is refused at once, an object store as soon as it is known
    whether its holder is alive.

    Parameters
    ----------
    store : str or Path or Place
        Where the store is, or is to be created.

    Yields
    ------
    Driving
        The right; it says when it is lost.

    Raises
    ------
    StoreError
        Another driver is alive, or the place cannot be written.
    """
    place = Place.of(store)
    place.refuse_bad_name()
    if not isinstance(place, Folder):
        from .lease import leased  # imports the object store's client

        with leased(place) as lease:
            yield lease
        return
    lock = _acquire(place)
    try:
        right = LockFile(place.note_path(LOCK))
        # the note only serves the message of a driver that is refused
        with suppress(OSError):
            place.note_write(DRIVER, json.dumps(this_driver()).encode())
        try:
            yield right
        finally:
            # a file that cannot be read now is not lost
            with suppress(OSError):
                right.notice_loss()
            # once it is lost, the notes are another driver's
            if not right.lost:
                _remove_notes(place)
    finally:
        lock.release()


def _remove_notes(place: Folder) -> None:
    with suppress(OSError):
        place.note_delete(DRIVER)
    # where an open file cannot be removed it stays, and does no harm; it is removed before the lock
    # is released, since filelock does not lock a file that is gone
    with suppress(OSError):
        place.note_delete(LOCK)


def driver_of(place: Place) -> str | None:
    """Return the driver that holds a store now, without taking or changing anything.

    Parameters
    ----------
    place : Place
        Where the store is.

    Returns
    -------
    str or None
        The driver in words; None where nobody drives the store.
    """
    if not isinstance(place, Folder):
        from .lease import holder_of

        return holder_of(place)
    path = place.note_path(LOCK)
    # unlike Path.exists, this is False also where the name is too long
    if not os.path.exists(path):
        return None
    lock = filelock.FileLock(path, blocking=False)
    try:
        lock.acquire()
    except (filelock.Timeout, OSError):
        return holder(place)
    lock.release()
    return None


def _acquire(place: Folder) -> filelock.BaseFileLock:
    path = place.note_path(LOCK)
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
                    _refuse_bad_folder(place)
                elif attempt >= MAX_ATTEMPTS_WHILE_HELD:
                    break
                time.sleep(ATTEMPT_SECONDS)
    except StoreError:
        raise
    except OSError as error:
        raise StoreError(
            f"{place}: the folder cannot be written: {error.strerror or error}; choose another"
            " location with --store"
        ) from error
    raise refusal(place, holder(place))


def _refuse_bad_folder(place: Folder) -> None:
    """Refuse a folder in which no file can be created, such as one of /proc."""
    probe = place.note_path(f"probe-{unique_mark()}")
    try:
        probe.touch()
        probe.unlink()
    except FileNotFoundError:
        raise StoreError(
            f"{place}: no file can be created in {place.path.parent}; choose another location with"
            " --store"
        ) from None
