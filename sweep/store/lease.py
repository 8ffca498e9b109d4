"""One driver at a time where no file can be locked: a note that its holder writes anew every few seconds, and that nobody else may replace
while it does.

Every write is conditional on the version that was read, so that of two that try at once one fails. Ages are by the object store's clock
alone: clocks of machines may differ, and may jump.
"""

import functools
import json
import logging
import os
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..errors import StoreError
from .lock import LOCK, Driving, named, refusal, this_driver
from .objects import Objects, Tagged
from .place import Place, reason, storage_errors, telling

logger = logging.getLogger(__name__)

BEAT_SECONDS = 10.0  # between two writes of the holder
GONE_SECONDS = 60.0  # without one: it is dead, or cut off for so long that it must ask again
RELEASED = "released"


@contextmanager
def leased(place: Place) -> Iterator[Driving]:
    """Hold the lease of ``place``; a thread keeps it alive until the context ends."""
    assert isinstance(place, Objects)
    lease = Lease(place)
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
        self.mine: dict[str, Any] = {**this_driver(), "namespace": _namespace(), "started": _started("self"), "id": uuid.uuid4().hex, "beat": 0}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep_alive, name="sweep-lease", daemon=True)

    def take(self) -> None:
        """Take the lease, waiting until its holder shows that it lives or is surely gone; then keep it alive.

        Raises
        ------
        StoreError
            Another driver lives, or the object store does not know conditional writes.
        """
        while not self.place.note_create(LOCK, self._text()):
            known = self.place.note_tagged(LOCK)
            if known is None:  # removed by hand in between
                continue
            self._wait_for_its_end(known)
            if self.place.note_replace(LOCK, self._text(), known.tag):
                break
        if self.place.note_create(LOCK, self._text()):
            raise StoreError(f"{self.place}: this object store ignores conditional writes, so that two drivers could not be kept apart; use another")
        self._thread.start()

    def release(self) -> None:
        """Give it up: the note stays and says so, for an object store cannot remove a certain version of it."""
        self._ended.set()
        self._thread.join()
        if not self.lost:
            with suppress(*storage_errors()):  # it ends by itself then, a minute later
                self._replace(RELEASED)

    def _text(self, state: str = "held") -> bytes:
        return json.dumps({**self.mine, "state": state}).encode()

    def _replace(self, state: str = "held") -> bool:
        """Write our note anew, if it still is ours."""
        now = self.place.note_tagged(LOCK)
        if now is None or _read(now.data).get("id") != self.mine["id"]:
            return False
        self.mine["beat"] += 1
        return self.place.note_replace(LOCK, self._text(state), now.tag)

    def _keep_alive(self) -> None:
        while not self._ended.wait(BEAT_SECONDS):
            try:
                if not self._replace():
                    self.lose(_named(self.place.note_read(LOCK)))
                    return
            except storage_errors() as error:  # it may come back; what others may do meanwhile shows then
                logger.warning("%s: the lease could not be renewed: %s", self.place, reason(error))

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
    assert isinstance(place, Objects)
    known = place.note_tagged(LOCK)
    if known is None:
        return None
    content = _read(known.data)
    if content.get("state") == RELEASED or _lives(content) is False or (datetime.now(UTC) - known.written).total_seconds() > 10.0 * GONE_SECONDS:
        return None  # so long ago that no difference of clocks explains it
    return _named(known.data)


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
    note = f"clock-{uuid.uuid4().hex}"
    place.note_write(note, b"")
    written = place.note_tagged(note)
    place.note_delete(note)
    assert written is not None
    return written.written


@functools.cache
def _namespace() -> str | None:
    """Names the machine since its last start and the process namespace, where process ids mean something; None where that cannot be known."""
    try:
        return f"{Path('/proc/sys/kernel/random/boot_id').read_text(encoding='ascii').strip()} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return None


def _started(pid: int | str) -> int | None:
    """When a process of this machine began, in ticks since the machine did: no clock that is set changes it. None where there is none."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[19])
    except OSError:
        return None


def _lives(holder: Mapping[str, Any]) -> bool | None:
    """Whether the holder, a process of this machine, still runs; None where that cannot be known."""
    if _namespace() is None or holder.get("namespace") != _namespace() or type(holder.get("pid")) is not int:
        return None
    return _started(holder["pid"]) == holder.get("started")
