"""The heartbeat of a driver: notes next to the store about its progress, and requests to stop."""

import math
import threading
import time
import uuid
from contextlib import suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from marsdisk.common.exit_codes import BAD_INPUT, INTERRUPTED, OK, SOME_FAILED

from ..common.errors import Interrupted
from ..store.driving import driver_of
from ..store.driving_right import Driving, this_driver
from ..store.failures import storage_errors
from ..store.folder import Folder
from ..store.location import Location
from .driver_notes import (
    CANCELLED,
    DRIVER_INTERRUPTED,
    FINISHED,
    KILLED,
    RUNNING,
    STOPPED,
    Beat,
    StopRequest,
)
from .progress import Reporter, duration

GONE_SECONDS = 15.0  # without a heartbeat, after which nobody drives any more
ANSWER_SECONDS = 5.0  # for an object store to take a heartbeat; another one follows anyway
BEAT_SECONDS = 1.0
BEAT_SECONDS_OF_OBJECTS = 5.0  # in an object store, where each one costs a request


class Heartbeat:
    """Writes the heartbeat of a driver every second or so until the context ends.

    Each time, it also checks for a request to cancel, and that this driver still holds the lock of
    the store.

    Parameters
    ----------
    location : Location
        Location of the store.
    reporter : Reporter
        Counts and messages of the driver.
    stop : threading.Event
        Set when somebody asks the driver to stop.
    lock : Driving
        The lock of the store.
    """

    def __init__(
        self, location: Location, reporter: Reporter, stop: threading.Event, lock: Driving
    ) -> None:
        self.lock = lock
        self.location = location.within(ANSWER_SECONDS)
        self.reporter = reporter
        self.stop = stop
        self.fixed = {**this_driver(), "id": uuid.uuid4().hex}
        self.beats = 0
        self.cancelled = False
        self._interval = BEAT_SECONDS if isinstance(location, Folder) else BEAT_SECONDS_OF_OBJECTS
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="sweep-heartbeat", daemon=True)

    def __enter__(self) -> "Heartbeat":
        self._write(RUNNING)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()
        if error is None:
            code = SOME_FAILED if self.reporter.tally.failed_in_all else OK
            self._write(FINISHED, exit_code=code)
        elif isinstance(error, Interrupted | KeyboardInterrupt):
            self._write(CANCELLED if self.cancelled else DRIVER_INTERRUPTED, exit_code=INTERRUPTED)
        else:
            self._write(STOPPED, exit_code=BAD_INPUT, error=str(error) or type(error).__name__)

    def _write(self, state: str, **fields: Any) -> None:
        tally = self.reporter.tally
        rate = tally.finished / tally.seconds if tally.finished else 0.0
        self.beats += 1
        beat = Beat(
            **self.fixed,
            state=state,
            beat=self.beats,
            at=datetime.now(UTC).isoformat(timespec="seconds"),
            runs=tally.done_before + tally.failed_before + tally.runs,
            done=tally.done_in_all,
            failed=tally.failed_in_all,
            rate=rate,
            left=(tally.runs - tally.finished) / rate if rate else None,
            said=list(self.reporter.messages),
            count_said=self.reporter.message_count,
            **fields,
        )
        # that others cannot follow is no reason to stop
        with suppress(*storage_errors()):
            beat.write(self.location)

    def _beat(self) -> None:
        while not self._ended.wait(self._interval):
            self._write(RUNNING)
            with suppress(OSError):
                self.lock.notice_loss()
            with suppress(*storage_errors()):
                self._obey_request()

    def _obey_request(self) -> None:
        """Stop if somebody has asked this driver to."""
        request = StopRequest.read(self.location)
        if self.cancelled or request.id != self.fixed["id"]:
            return
        self.cancelled = True
        StopRequest.delete(self.location)
        self.reporter.say(
            f"stopping, as {request.by} asked; what is committed stays, and the"
            " same command goes on"
        )
        self.stop.set()


def driver_line(beat: Beat) -> str:
    """Return who drives, or drove last, as one line; empty without a heartbeat."""
    if not beat:
        return ""
    driver = f"process {beat.pid} on {beat.host}"
    if beat.state != RUNNING:
        error = f": {beat.error}" if beat.error else ""
        return f"last driven by {driver}, {beat.state} at {beat.at}{error}"
    return f"driven by {driver} since {beat.since}, last sign of it {_age(beat)}"


def _age(beat: Beat) -> str:
    seconds = _silence(beat)
    if math.isnan(seconds):
        return "at an unknown time"
    return f"{duration(max(0.0, seconds))} ago by this machine's clock"


def _silence(beat: Beat) -> float:
    """Return the age of a heartbeat by this machine's clock, in s; NaN if it has no time."""
    try:
        return (datetime.now(UTC) - datetime.fromisoformat(beat.at)).total_seconds()
    except (ValueError, TypeError):
        return math.nan


def heartbeat(location: Location) -> Beat:
    """Return the last heartbeat.

    If it says that the driver is running, but is old, and nobody holds the lock, then the state is
    :data:`~sweep.running.driver_notes.KILLED`.
    """
    beat = Beat.read(location)
    is_recent = _silence(beat) < GONE_SECONDS
    if beat.state == RUNNING and not is_recent and driver_of(location) is None:
        return beat.model_copy(update={"state": KILLED})
    return beat


class Follower:
    """Reads a store's heartbeat again and again, and measures how long it has not changed.

    It does so by its own clock, since the clocks of machines differ.
    """

    def __init__(self, location: Location) -> None:
        self.location = location
        self.beat = Beat()
        self._last: object = None
        self._change_time = time.monotonic()

    def read(self) -> Beat:
        """Read the heartbeat."""
        self.beat = Beat.read(self.location)
        current = (self.beat.id, self.beat.beat, self.beat.state)
        if current != self._last:
            self._last = current
            self._change_time = time.monotonic()
        return self.beat

    @property
    def silence(self) -> float:
        """Time since the heartbeat changed, in s."""
        return time.monotonic() - self._change_time
