"""One driver at a time: in a folder the operating system's file lock, which a killed process cannot leave behind; elsewhere a lease."""

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

from ..errors import StoreError
from .identity import this_process, unique_mark
from .place import Folder, Place

# notes beside the store: what is locked, and who holds it
LOCK = "lock"
DRIVER = "driver"
# attempts while it is held: doctor holds it for an instant to see whether somebody does
GLANCES = 5
ATTEMPTS = 50  # to lock, 10 ms apart, while the file is removed under our hands by drivers that end


def this_driver() -> dict[str, Any]:
    """Return who drives, for the message of a driver that is refused.

    Returns
    -------
    dict
        As of :func:`sweep.store.identity.this_process`, and ``since`` when.
    """
    return {**this_process(), "since": datetime.now(UTC).isoformat(timespec="seconds")}


def describe_driver(driver: Mapping[str, Any]) -> str:
    """Return a driver as :func:`this_driver` gives it in words."""
    return f"process {driver['pid']} on {driver['host']} since {driver['since']}"


def refusal(store: Place, driver: str) -> StoreError:
    """Why a second driver may not start."""
    return StoreError(
        f"{store}: {driver} is driving this sweep; wait for it (sweep status {store}) or stop it"
        " first"
    )


def holder(store: str | Path | Place) -> str:
    """Who wrote last that it drives the store."""
    place = Place.of(store)
    try:
        return describe_driver(
            json.loads(place.note_read(DRIVER if isinstance(place, Folder) else LOCK) or b"")
        )
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return "another process"


class Driving(ABC):
    """The right to drive a store, which may be lost."""

    def __init__(self) -> None:
        self.on_loss: Callable[[], None] = lambda: None
        self.lost = ""  #: who took it, or "somebody"

    @property
    @abstractmethod
    def loss(self) -> str:
        """How it was lost, in words."""

    def lose(self, to: str) -> None:
        """Another driver has it, or may: tell ours to stop."""
        self.lost = to
        self.on_loss()

    @abstractmethod
    def notice_loss(self) -> None:
        """See whether the right is still held, where nobody else tells."""


class LockFile(Driving):
    """The right that a locked file gives, as long as it is the file that others see.

    Parameters
    ----------
    path : Path
        Of the file, which is locked.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self._locked = self._identity()

    @property
    def loss(self) -> str:
        return (
            f"{self.lost} has removed the lock of this driver, {self.path}; resume with the same"
            " command"
        )

    def notice_loss(self) -> None:
        if self.lost:
            return
        identity = self._identity()
        if identity is None or identity != self._locked:
            self.lose("somebody")

    def _identity(self) -> tuple[int, int] | None:
        try:
            about = self.path.stat()
        except FileNotFoundError:
            return None
        return about.st_dev, about.st_ino


@contextmanager
def driving(store: str | Path | Place) -> Iterator[Driving]:
    """Hold the store's lock, or refuse at once (an object store's: as soon as it is known whether its holder lives).

    Raises
    ------
    StoreError
        Another driver lives, or the place cannot be written.
    """
    place = Place.of(store)
    place.refuse_bad_name()
    if not isinstance(place, Folder):
        from .lease import leased  # brings the object store's client

        with leased(place) as held:
            yield held
        return
    lock = _locked(place)
    try:
        right = LockFile(place.note_path(LOCK))
        with suppress(OSError):  # the note only serves the message of a driver that is refused
            place.note_write(DRIVER, json.dumps(this_driver()).encode())
        try:
            yield right
        finally:
            with suppress(OSError):  # what cannot be seen is not lost
                right.notice_loss()
            if not right.lost:  # else they are another driver's
                _remove_notes(place)
    finally:
        lock.release()


def _remove_notes(place: Folder) -> None:
    with suppress(OSError):
        place.note_delete(DRIVER)
    with suppress(OSError):  # where an open file cannot be removed it stays, and does no harm
        # before it is released: filelock takes no lock on a file that is gone
        place.note_delete(LOCK)


def driver_of(place: Place) -> str | None:
    """Who drives the store now, None where nobody does; takes nothing and changes nothing."""
    if not isinstance(place, Folder):
        from .lease import holder_of

        return holder_of(place)
    path = place.note_path(LOCK)
    if not os.path.exists(path):  # nor can be, where the store has too long a name
        return None
    lock = filelock.FileLock(path, blocking=False)
    try:
        lock.acquire()
    except (filelock.Timeout, OSError):
        return holder(place)
    lock.release()
    return None


def _locked(place: Folder) -> filelock.BaseFileLock:
    path = place.note_path(LOCK)
    lock = filelock.FileLock(path, blocking=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for attempt in range(ATTEMPTS):
            try:
                lock.acquire()
                return lock
            except filelock.Timeout:
                # somebody holds it; or has just removed it; or no file can be made here
                if not path.exists():
                    _refuse_where_no_file_can_be_made(place)
                elif attempt >= GLANCES:
                    break
                time.sleep(0.01)
    except StoreError:
        raise
    except OSError as error:
        raise StoreError(
            f"{place}: the folder cannot be written: {error.strerror or error}; choose another"
            " place with --store"
        ) from error
    raise refusal(place, holder(place))


def _refuse_where_no_file_can_be_made(place: Folder) -> None:
    probe = place.note_path(f"probe-{unique_mark()}")
    try:
        probe.touch()
        probe.unlink()
    except FileNotFoundError:
        raise StoreError(
            f"{place}: no file can be made in {place.path.parent}; choose another place with"
            " --store"
        ) from None
