"""One driver at a time where no file can be locked: a lease.

That is a note that its holder writes anew every few seconds, and that nobody else may replace
while it does. Every write is conditional on the version that was read, so that of two that try at
once one fails. Ages are by the object store's clock alone: clocks of machines may differ, and may
jump.

Others on the same machine need not wait for the note to grow old: its holder also locks a file in
the machine's folder for temporary files, which the operating system unlocks when the holder ends,
however it does. The number of its process says nothing: another container or machine may have the
same.
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

from ..errors import StoreError
from .failures import reason, storage_errors, telling
from .identity import unique_mark
from .lock import GLANCES, LOCK, Driving, describe_driver, refusal, this_driver
from .objects import Objects, Tagged
from .place import Place

logger = logging.getLogger(__name__)

BEAT_SECONDS = 10.0  # between two writes of the holder
GONE_SECONDS = 60.0  # without one: it is dead, or cut off for so long that it must ask again
ANSWER_SECONDS = 5.0  # for the object store to answer the holder, which else tries again at once
TRIES_AT_A_LOSS = 3  # to read the note again when it could not be replaced
RELEASED = "released"


@contextmanager
def leased(place: Place) -> Iterator[Driving]:
    """Hold the lease of a store; a thread keeps it alive until the context ends.

    Parameters
    ----------
    place : Place
        In an object store.

    Yields
    ------
    Driving
        It says when another driver has taken the lease.

    Raises
    ------
    StoreError
        As of :meth:`Lease.take`.
    """
    lease = Lease(_object_place(place))
    with telling(place, "cannot be written"):
        lease.take()
    try:
        yield lease
    finally:
        lease.release()


class Lease(Driving):
    """The note of one driver.

    Parameters
    ----------
    place : Objects
        The store that it drives.
    """

    def __init__(self, place: Objects) -> None:
        super().__init__()
        self.place = place
        self._quick_place = place.within(ANSWER_SECONDS)
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
        return (
            f"{self.lost} has taken over this sweep, as this one gave no sign of life for too long"
        )

    def notice_loss(self) -> None:
        """Do nothing: the thread that renews the lease notices."""

    def take(self) -> None:
        """Take the lease, and keep it alive.

        This waits until its holder has shown that it lives, or is surely gone.

        Raises
        ------
        StoreError
            Another driver lives, or the object store does not know conditional writes.
        """
        with suppress(OSError, NotImplementedError, filelock.Timeout):  # others must wait, then
            self._life.acquire()
        try:
            self._take()
        except BaseException:
            self._end_life()
            raise
        self._thread.start()

    def _take(self) -> None:
        while not self.place.note_create(LOCK, self._note_text()):
            known = self.place.note_tagged(LOCK)
            if known is None:  # removed by hand in between
                continue
            self._wait_for_its_end(known)
            if self.place.note_replace(LOCK, self._note_text(), known.tag):
                _remove_life_file(_content(known.data))
                break
        if self.place.note_create(LOCK, self._note_text("a second one")):
            problem = "this object store ignores conditional writes"
            effect = "so that two drivers could not be kept apart"
            raise StoreError(f"{self.place}: {problem}, {effect}; use another")

    def release(self) -> None:
        """Give the lease up.

        The note stays and says so, for an object store cannot remove a certain version of it.
        """
        self._ended.set()
        self._thread.join()
        try:
            if not self.lost:
                self._replace(RELEASED)
        except storage_errors():  # it ends by itself, a minute later
            self._life.release()  # for others on this machine it ends at once
        else:
            self._end_life()

    def _end_life(self) -> None:
        """Free the lock of this driver's life, and remove its file, which nobody needs any more."""
        with suppress(OSError):
            self._life.release()
            Path(self._life.lock_file).unlink(missing_ok=True)

    def _note_text(self, state: str = "held") -> bytes:
        return json.dumps({**self.note, "state": state}).encode()

    def _replace(self, state: str = "held") -> bool:
        """Write our note anew; False where it is another's.

        Where it could not be replaced, it is read again: only another's id in it is a loss, not a
        write that was done though its answer was lost.
        """
        for _ in range(TRIES_AT_A_LOSS):
            found = self._quick_place.note_tagged(LOCK)
            if found is None or _content(found.data).get("id") != self.note["id"]:
                return False
            self.note["beat"] += 1
            if self._quick_place.note_replace(LOCK, self._note_text(state), found.tag):
                return True
        return True  # it was ours whenever it was read

    def _keep_alive(self) -> None:
        seconds = BEAT_SECONDS
        silent = False
        while not self._ended.wait(seconds):
            try:
                if not self._replace():
                    self.lose(_describe(self._quick_place.note_read(LOCK)))
                    return
                seconds = BEAT_SECONDS
                silent = False
            except storage_errors() as error:  # what others do until it comes back shows then
                if not silent:
                    logger.info("the lease could not be renewed: %s", reason(error))
                seconds = BEAT_SECONDS / 10.0
                silent = True

    def _wait_for_its_end(self, known: Tagged) -> None:
        """Return when the holder of a note is gone for good; refuse if it shows a sign of life."""
        content = _content(known.data)
        lives = _lives(content)
        if content.get("state") == RELEASED or lives is False:
            return
        if lives:
            raise refusal(self.place, _describe(known.data))
        left = GONE_SECONDS - (_server_time(self.place) - known.written).total_seconds()
        if left > 0:
            doubt = "may be driving this sweep; looking whether it lives, for up to"
            logger.warning("%s: %s %s %.0f s", self.place, _describe(known.data), doubt, left)
        end = time.monotonic() + left
        while time.monotonic() < end:
            time.sleep(min(1.0, GONE_SECONDS / 10.0))
            found = self.place.note_tagged(LOCK)
            if found is None:
                return
            if found.tag == known.tag:
                continue
            if _content(found.data).get("state") != RELEASED:
                raise refusal(self.place, _describe(found.data))
            return


def holder_of(place: Place) -> str | None:
    """Return who holds the lease of a store.

    Parameters
    ----------
    place : Place
        In an object store.

    Returns
    -------
    str or None
        The driver in words; None where the lease is released or its holder is known to be gone.
    """
    known = _object_place(place).note_tagged(LOCK)
    if known is None:
        return None
    content = _content(known.data)
    silence = (datetime.now(UTC) - known.written).total_seconds()
    is_silent = silence > 10.0 * GONE_SECONDS  # for longer than a difference of clocks explains
    if content.get("state") == RELEASED or _lives(content) is False or is_silent:
        return None
    return _describe(known.data)


def _object_place(place: Place) -> Objects:
    if not isinstance(place, Objects):
        raise TypeError(f"{place} is in no object store")
    return place


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


def _server_time(place: Objects) -> datetime:
    """Return the object store's time, from a note written now."""
    note = f"clock-{unique_mark()}"
    place.note_write(note, b"")
    written = place.note_tagged(note)
    place.note_delete(note)
    if written is None:
        problem = "what was written beside it a moment ago is gone"
        raise StoreError(f"{place}: {problem}; does somebody clear the bucket?")
    return written.written


@functools.cache
def _machine() -> str | None:
    """Name the machine since its last start, None where it has no such name."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return None


def _life_file(lease_id: str) -> Path:
    """Return where the holder of a lease has its lock, on its own machine."""
    return Path(tempfile.gettempdir()) / f"sweep-lease-{lease_id}.lock"


def _life_file_of(holder: Mapping[str, Any]) -> Path | None:
    """Return where a holder has its lock.

    None where it is no process of this machine, or its note is made up.
    """
    lease_id = holder.get("id")
    if _machine() is None or holder.get("machine") != _machine():
        return None
    if not isinstance(lease_id, str) or not re.fullmatch("[0-9a-f]{32}", lease_id):
        return None
    return _life_file(lease_id)


def _remove_life_file(holder: Mapping[str, Any]) -> None:
    """Remove what a holder of this machine has left that is gone and was replaced."""
    path = _life_file_of(holder)
    if path is not None:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _lives(holder: Mapping[str, Any]) -> bool | None:
    """Whether a holder, on this machine, still runs; None where that cannot be known."""
    path = _life_file_of(holder)
    if path is None:
        return None
    lock = filelock.FileLock(path, blocking=False)
    for _ in range(GLANCES):
        if not path.is_file():  # it sees another folder than we do, or has just released the lease
            return None
        try:
            lock.acquire()
        except filelock.Timeout:  # its holder has it; or somebody who glances, as we do
            time.sleep(0.01)
        except (OSError, NotImplementedError):
            return None
        else:
            lock.release()
            return False
    return True
