"""One driver at a time where no file can be locked: a note that its holder writes anew every few seconds, and that nobody else may replace
while it does.

Every write is conditional on the version that was read, so that of two that try at once one fails. Ages are by the object store's clock
alone: clocks of machines may differ, and may jump.

Others on the same machine need not wait for the note to grow old: its holder also locks a file in the
machine's folder for temporary files, which the operating system unlocks when the holder ends, however
it does. The number of its process says nothing: another container or machine may have the same.
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
from .lock import GLANCES, LOCK, Driving, named, refusal, this_driver
from .objects import Objects, Tagged
from .place import Place

logger = logging.getLogger(__name__)

BEAT_SECONDS = 10.0  # between two writes of the holder
GONE_SECONDS = 60.0  # without one: it is dead, or cut off for so long that it must ask again
ANSWER_SECONDS = 5.0  # for the object store to answer the holder, which otherwise tries again at once
TRIES_AT_A_LOSS = 3  # to read the note again when it could not be replaced
RELEASED = "released"


@contextmanager
def leased(place: Place) -> Iterator[Driving]:
    """Hold the lease of ``place``; a thread keeps it alive until the context ends."""
    lease = Lease(_in_bucket(place))
    with telling(place, "cannot be written"):
        lease.take()
    try:
        yield lease
    finally:
        lease.release()


class Lease(Driving):
    """The note of one driver."""

    def __init__(self, place: Objects) -> None:
        super().__init__()
        self.place = place
        self._soon = place.within(ANSWER_SECONDS)
        self.mine: dict[str, Any] = {
            **this_driver(),
            "machine": _machine(),
            "id": uuid.uuid4().hex,
            "beat": 0,
        }
        self._life = filelock.FileLock(_life_file(self.mine["id"]), blocking=False)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep_alive, name="sweep-lease", daemon=True)

    def take(self) -> None:
        """Take the lease, waiting until its holder shows that it lives or is surely gone; then keep it alive.

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
        while not self.place.note_create(LOCK, self._text()):
            known = self.place.note_tagged(LOCK)
            if known is None:  # removed by hand in between
                continue
            self._wait_for_its_end(known)
            if self.place.note_replace(LOCK, self._text(), known.tag):
                _remove_life_file(_read(known.data))
                break
        if self.place.note_create(LOCK, self._text("a second one")):
            raise StoreError(f"{self.place}: this object store ignores conditional writes, so that two drivers could not be kept apart; use another")

    def release(self) -> None:
        """Give it up: the note stays and says so, for an object store cannot remove a certain version of it."""
        self._ended.set()
        self._thread.join()
        try:
            if not self.lost:
                self._replace(RELEASED)
        except storage_errors():  # it ends by itself, a minute later; here at once, for its lock is free
            self._life.release()
        else:
            self._end_life()

    def _end_life(self) -> None:
        """Free the lock of this driver's life, and remove its file, which nobody needs any more."""
        with suppress(OSError):
            self._life.release()
            Path(self._life.lock_file).unlink(missing_ok=True)

    def _text(self, state: str = "held") -> bytes:
        return json.dumps({**self.mine, "state": state}).encode()

    def _replace(self, state: str = "held") -> bool:
        """Write our note anew; False where it is another's.

        Where it could not be replaced, it is read again: only another's id in it is a loss, not a write
        that was done though its answer was lost.
        """
        for _ in range(TRIES_AT_A_LOSS):
            now = self._soon.note_tagged(LOCK)
            if now is None or _read(now.data).get("id") != self.mine["id"]:
                return False
            self.mine["beat"] += 1
            if self._soon.note_replace(LOCK, self._text(state), now.tag):
                return True
        return True  # it was ours whenever it was read

    def _keep_alive(self) -> None:
        seconds = BEAT_SECONDS
        silent = False
        while not self._ended.wait(seconds):
            try:
                if not self._replace():
                    self.lose(_named(self._soon.note_read(LOCK)))
                    return
                seconds = BEAT_SECONDS
                silent = False
            except storage_errors() as error:  # it may come back; what others may do meanwhile shows then
                if not silent:
                    logger.info("the lease could not be renewed: %s", reason(error))
                seconds = BEAT_SECONDS / 10.0
                silent = True

    def _wait_for_its_end(self, known: Tagged) -> None:
        """Return when the holder of ``known`` is gone for good; refuse if it shows a sign of life."""
        content = _read(known.data)
        lives = _lives(content)
        if content.get("state") == RELEASED or lives is False:
            return
        if lives:
            raise refusal(self.place, _named(known.data))
        left = GONE_SECONDS - (_server_time(self.place) - known.written).total_seconds()
        if left > 0:
            logger.warning("%s: %s may be driving this sweep; looking whether it lives, for up to %.0f s", self.place, _named(known.data), left)
        end = time.monotonic() + left
        while time.monotonic() < end:
            time.sleep(min(1.0, GONE_SECONDS / 10.0))
            now = self.place.note_tagged(LOCK)
            if now is not None and now.tag != known.tag and _read(now.data).get("state") != RELEASED:
                raise refusal(self.place, _named(now.data))
            if now is None or now.tag != known.tag:
                return


def holder_of(place: Place) -> str | None:
    """Who holds the lease, None where it is released or its holder is known to be gone."""
    known = _in_bucket(place).note_tagged(LOCK)
    if known is None:
        return None
    content = _read(known.data)
    silence = (datetime.now(UTC) - known.written).total_seconds()
    if content.get("state") == RELEASED or _lives(content) is False or silence > 10.0 * GONE_SECONDS:
        return None  # so long ago that no difference of clocks explains it
    return _named(known.data)


def _in_bucket(place: Place) -> Objects:
    if not isinstance(place, Objects):
        raise TypeError(f"{place} is in no object store")
    return place


def _read(data: bytes) -> Mapping[str, Any]:
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _named(data: bytes | None) -> str:
    with suppress(KeyError):
        return named(_read(data or b""))
    return "another process"


def _server_time(place: Objects) -> datetime:
    """The object store's time, from a note written now."""
    note = f"clock-{unique_mark()}"
    place.note_write(note, b"")
    written = place.note_tagged(note)
    place.note_delete(note)
    if written is None:
        raise StoreError(f"{place}: what was written beside it a moment ago is gone; does somebody clear the bucket?")
    return written.written


@functools.cache
def _machine() -> str | None:
    """Name the machine since its last start, None where it has no such name."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return None


def _life_file(id: str) -> Path:
    """Where the holder of the lease ``id`` has its lock, on its own machine."""
    return Path(tempfile.gettempdir()) / f"sweep-lease-{id}.lock"


def _life_file_of(holder: Mapping[str, Any]) -> Path | None:
    """Where a holder has its lock, None where it is no process of this machine or its note is made up."""
    id = holder.get("id")
    if _machine() is None or holder.get("machine") != _machine():
        return None
    if not isinstance(id, str) or not re.fullmatch("[0-9a-f]{32}", id):
        return None
    return _life_file(id)


def _remove_life_file(holder: Mapping[str, Any]) -> None:
    """Remove what a holder of this machine has left that is gone and was replaced."""
    path = _life_file_of(holder)
    if path is not None:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _lives(holder: Mapping[str, Any]) -> bool | None:
    """Whether the holder, on this machine, still runs; None where that cannot be known."""
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
