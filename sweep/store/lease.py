"""One driver at a time where no file can be locked: a lease.

A lease is a note that its holder rewrites every few seconds, and that nobody else may replace
while it does. Every write is conditional on the version that was read, so that of two writers at
once one fails. Ages are by the object store's clock alone: clocks of machines may differ, and may
jump.

Others on the same machine need not wait for the note to grow old: its holder also locks a file in
the machine's folder for temporary files, which the operating system unlocks when the holder ends,
however it does. The number of its process proves nothing: another container or machine may have
the same.
"""

import functools
import json
import logging
import re
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import filelock

from ..common.errors import StoreError
from .driving_right import (
    ATTEMPT_SECONDS,
    LOCK,
    MAX_ATTEMPTS_WHILE_HELD,
    Driving,
    describe_driver,
    refusal,
    this_driver,
)
from .failures import reason, storage_errors, telling
from .identity import unique_mark
from .location import Location
from .object_store import Objects, Tagged

logger = logging.getLogger(__name__)

BEAT_SECONDS = 10.0  # between two writes of the holder
GONE_SECONDS = 60.0  # without a write, after which others may take the lease
ANSWER_SECONDS = 5.0  # for the object store to answer the holder, before it tries again
POLL_SECONDS = 1.0  # at most, between two reads of another's note
MAX_REPLACE_ATTEMPTS = 3  # at the holder's own note, which may have been replaced
RELEASED = "released"


@contextmanager
def leased(location: Location) -> Iterator[Driving]:
    """Hold the lease of a store; a thread keeps it alive until the context ends.

    Parameters
    ----------
    location : Location
        Where the store is, in an object store.

    Yields
    ------
    Driving
        The lease; it says when another driver has taken it.

    Raises
    ------
    StoreError
        As of :meth:`Lease.take`.
    """
    lease = Lease(_object_location(location))
    with telling(location, "cannot be written"):
        lease.take()
    try:
        yield lease
    finally:
        lease.release()


class Lease(Driving):
    """The note of one driver.

    Parameters
    ----------
    location : Objects
        Where the store is that it drives.
    """

    def __init__(self, location: Objects) -> None:
        super().__init__()
        self.location = location
        self._quick_location = location.within(ANSWER_SECONDS)
        self.note: dict[str, Any] = {
            **this_driver(),
            "machine": _machine(),
            "id": uuid.uuid4().hex,
            "beat": 0,
        }
        self._life = filelock.FileLock(_life_file(self.note["id"]), blocking=False)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep_alive, name="sweep-lease", daemon=True)

    @property
    def loss(self) -> str:
        """The message about the loss."""
        return f"{self.lost} has taken over this sweep, as this driver was silent for too long"

    def notice_loss(self) -> None:
        """Do nothing: the thread that renews the lease notices a loss."""

    def take(self) -> None:
        """Take the lease, and keep it alive.

        This waits until its holder has proved to be alive, or is certainly gone.

        Raises
        ------
        StoreError
            Another driver is alive, or the object store does not support conditional writes.
        """
        # without this lock, others on this machine wait for the note to grow old
        with suppress(OSError, NotImplementedError, filelock.Timeout):
            self._life.acquire()
        try:
            self._take()
        except BaseException:
            # also where Ctrl-C ends it: others on this machine would take this driver for alive
            self._end_life()
            raise
        self._thread.start()

    def _take(self) -> None:
        while not self.location.note_create(LOCK, self._note_text()):
            note = self.location.note_tagged(LOCK)
            if note is None:  # removed by hand in between
                continue
            self._wait_for_end(note)
            if self.location.note_replace(LOCK, self._note_text(), note.tag):
                _remove_life_file(_content(note.data))
                break
        if self.location.note_create(LOCK, self._note_text("a second one")):
            problem = "this object store ignores conditional writes"
            effect = "so that two drivers could not be kept apart"
            raise StoreError(f"{self.location}: {problem}, {effect}; use another")

    def release(self) -> None:
        """Give up the lease.

        The note stays and says so, since an object store cannot remove one version of it.
        """
        self._ended.set()
        self._thread.join()
        try:
            if not self.lost:
                self._replace(RELEASED)
        except storage_errors():
            # the lease expires a minute later, and at once for others on this machine
            self._life.release()
        else:
            self._end_life()

    def _end_life(self) -> None:
        """Release the lock that shows this driver to be alive, and remove its file."""
        with suppress(OSError):
            self._life.release()
            Path(self._life.lock_file).unlink(missing_ok=True)

    def _note_text(self, state: str = "held") -> bytes:
        return json.dumps({**self.note, "state": state}).encode()

    def _replace(self, state: str = "held") -> bool:
        """Rewrite our note; return False where it is another driver's.

        A note that could not be replaced is read again: the lease is lost only if the note has
        another id, not if a write was done though its answer was lost.
        """
        for _ in range(MAX_REPLACE_ATTEMPTS):
            note = self._quick_location.note_tagged(LOCK)
            if note is None or _content(note.data).get("id") != self.note["id"]:
                return False
            self.note["beat"] += 1
            if self._quick_location.note_replace(LOCK, self._note_text(state), note.tag):
                return True
        # it was ours each time it was read
        return True

    def _keep_alive(self) -> None:
        seconds = BEAT_SECONDS
        silent = False
        while not self._ended.wait(seconds):
            try:
                if not self._replace():
                    self.lose(_describe(self._quick_location.note_read(LOCK)))
                    return
                seconds = BEAT_SECONDS
                silent = False
            except storage_errors() as error:
                # whether others take the lease meanwhile shows when the object store answers again
                if not silent:
                    logger.info("the lease could not be renewed: %s", reason(error))
                seconds = BEAT_SECONDS / 10.0
                silent = True

    def _wait_for_end(self, note: Tagged) -> None:
        """Return when the holder of a note is gone for good; refuse if it proves to be alive."""
        content = _content(note.data)
        is_alive = _lives(content)
        if content.get("state") == RELEASED or is_alive is False:
            return
        if is_alive:
            raise refusal(self.location, _describe(note.data))
        remaining = GONE_SECONDS - (_server_time(self.location) - note.written).total_seconds()
        if remaining > 0:
            logger.warning(
                "%s: %s may be driving this sweep; waiting for a sign of life, for up to %.0f s",
                self.location,
                _describe(note.data),
                remaining,
            )
        end = time.monotonic() + remaining
        while time.monotonic() < end:
            time.sleep(min(POLL_SECONDS, GONE_SECONDS / 10.0))
            latest = self.location.note_tagged(LOCK)
            if latest is None:
                return
            if latest.tag == note.tag:
                continue
            if _content(latest.data).get("state") != RELEASED:
                raise refusal(self.location, _describe(latest.data))
            return


def holder_of(location: Location) -> str | None:
    """Return the driver that holds the lease of a store.

    Parameters
    ----------
    location : Location
        Where the store is, in an object store.

    Returns
    -------
    str or None
        The driver in words; None where the lease is released or its holder is known to be gone.
    """
    note = _object_location(location).note_tagged(LOCK)
    if note is None:
        return None
    content = _content(note.data)
    silence = (datetime.now(UTC) - note.written).total_seconds()
    # for longer than a difference between clocks explains
    is_silent = silence > 10.0 * GONE_SECONDS
    if content.get("state") == RELEASED or _lives(content) is False or is_silent:
        return None
    return _describe(note.data)


def _object_location(location: Location) -> Objects:
    if not isinstance(location, Objects):
        raise TypeError(f"{location} is in no object store")
    return location


def _content(data: bytes) -> Mapping[str, Any]:
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _describe(data: bytes | None) -> str:
    with suppress(KeyError):
        return describe_driver(_content(data or b""))
    return "another process"


def _server_time(location: Objects) -> datetime:
    """Return the object store's time, from a note that is written now."""
    note = f"clock-{unique_mark()}"
    location.note_write(note, b"")
    written = location.note_tagged(note)
    location.note_delete(note)
    if written is None:
        problem = "a note written next to it a moment ago is gone"
        raise StoreError(f"{location}: {problem}; is somebody clearing the bucket?")
    return written.written


@functools.cache
def _machine() -> str | None:
    """Return the name that the machine has since its last start; None where it has none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return None


def _life_file(lease_id: str) -> Path:
    """Return the file that the holder of a lease locks, on its own machine."""
    return Path(tempfile.gettempdir()) / f"sweep-lease-{lease_id}.lock"


def _life_file_of(holder: Mapping[str, Any]) -> Path | None:
    """Return the file that a holder locks; None where it is on another machine, or forged."""
    lease_id = holder.get("id")
    if _machine() is None or holder.get("machine") != _machine():
        return None
    if not isinstance(lease_id, str) or not re.fullmatch("[0-9a-f]{32}", lease_id):
        return None
    return _life_file(lease_id)


def _remove_life_file(holder: Mapping[str, Any]) -> None:
    """Remove the file of a holder of this machine that is gone and was replaced."""
    path = _life_file_of(holder)
    if path is not None:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _lives(holder: Mapping[str, Any]) -> bool | None:
    """Return whether a holder on this machine still runs; None where that cannot be known."""
    path = _life_file_of(holder)
    if path is None:
        return None
    lock = filelock.FileLock(path, blocking=False)
    for _ in range(MAX_ATTEMPTS_WHILE_HELD):
        # its container may have another folder, or it has just released the lease
        if not path.is_file():
            return None
        try:
            lock.acquire()
        except filelock.Timeout:
            # its holder has locked it, or for an instant somebody who tries to, as we do
            time.sleep(ATTEMPT_SECONDS)
        except (OSError, NotImplementedError):
            return None
        else:
            lock.release()
            return False
    return True
