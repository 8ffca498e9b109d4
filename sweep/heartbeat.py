"""What a driver tells others beside the store: that it lives, how far it is, what it said; and how it is asked to stop."""

import getpass
import json
import math
import os
import socket
import threading
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from marsdisk.commands import BAD_INPUT, INTERRUPTED, OK, SOME_FAILED

from .errors import Interrupted
from .progress import Reporter, duration
from .store.failures import storage_errors
from .store.lock import Driving, driver_of, this_driver
from .store.place import Folder, Place

# notes beside the store
HEARTBEAT = "heartbeat"
CANCEL = "cancel"
SUBMISSION = "submission"  # another one, as long as a cluster takes care of the sweep
RUNNING = "running"
FINISHED = "finished"
CANCELLED = "cancelled"
BROKEN_OFF = "interrupted"
STOPPED = "stopped"
# written by nobody: said of one that runs no more without having said so
KILLED = "killed or cut off"
NOTE_BYTES = 2**20  # more is none of ours
GONE_SECONDS = 15.0  # without a heartbeat: nobody drives any more
ANSWER_SECONDS = 5.0  # for an object store to answer a heartbeat, which another one follows
BEAT_SECONDS = 1.0
BEAT_SECONDS_OF_OBJECTS = 5.0  # each costs a request


class Heartbeat:
    """Writes the note of a driver every second or so until the context ends, and sets ``stop`` when somebody asks for it.

    It also checks, as often, that this driver still holds the store.
    """

    def __init__(
        self, place: Place, reporter: Reporter, stop: threading.Event, held: Driving
    ) -> None:
        self.held = held
        self.place = place.within(ANSWER_SECONDS)
        self.reporter = reporter
        self.stop = stop
        self.fixed = {**this_driver(), "id": uuid.uuid4().hex}
        self.beats = 0
        self.cancelled = False
        self._interval = BEAT_SECONDS if isinstance(place, Folder) else BEAT_SECONDS_OF_OBJECTS
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
            self._write(
                FINISHED, exit_code=SOME_FAILED if self.reporter.tally.failed_in_all else OK
            )
        elif isinstance(error, Interrupted | KeyboardInterrupt):
            self._write(CANCELLED if self.cancelled else BROKEN_OFF, exit_code=INTERRUPTED)
        else:
            self._write(STOPPED, exit_code=BAD_INPUT, error=str(error) or type(error).__name__)

    def _write(self, state: str, **more: Any) -> None:
        tally = self.reporter.tally
        rate = tally.finished / tally.seconds if tally.finished else 0.0
        self.beats += 1
        content = {
            **self.fixed,
            "state": state,
            "beat": self.beats,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "runs": tally.done_before + tally.failed_before + tally.runs,
            "done": tally.done_in_all,
            "failed": tally.failed_in_all,
            "rate": rate,  # runs per second
            "left": (tally.runs - tally.finished) / rate if rate else None,  # s
            "said": list(self.reporter.said),
            "count_said": self.reporter.count_said,
            **more,
        }
        with suppress(*storage_errors()):  # whether others can follow is no reason to stop
            self.place.note_write(HEARTBEAT, json.dumps(content).encode())

    def _beat(self) -> None:
        while not self._ended.wait(self._interval):
            self._write(RUNNING)
            with suppress(OSError):
                self.held.notice_loss()
            with suppress(*storage_errors()):
                request = read_note(self.place, CANCEL)
                if request.get("id") == self.fixed["id"] and not self.cancelled:
                    self.cancelled = True
                    self.place.note_delete(CANCEL)
                    self.reporter.say(
                        f"stopping, as {request.get('by', 'somebody')} asked; what is committed"
                        " stays, and the same command goes on"
                    )
                    self.stop.set()


def read_note(place: Place, note: str) -> Mapping[str, Any]:
    """The plain values of a note, empty where there is none that can be read; it may come from anybody."""
    if isinstance(place, Folder):
        path = place.note_path(note)
        if not os.path.isfile(path) or path.stat().st_size > NOTE_BYTES:  # a pipe would hang
            return {}
    try:
        content = json.loads(place.note_read(note) or b"{}")
    except (ValueError, RecursionError):
        return {}
    if not isinstance(content, dict):
        return {}
    return {
        name: value
        for name, value in content.items()
        if isinstance(value, str | int | None) or _is_plain(value)
    }


def _is_plain(value: Any) -> bool:
    return (
        math.isfinite(value)
        if isinstance(value, float)
        else isinstance(value, list) and all(isinstance(line, str) for line in value)
    )


def ask_to_stop(place: Place, id: str) -> None:
    """Leave the request for the driver (or submission) of that id."""
    by = f"{getpass.getuser()} on {socket.gethostname()} (process {os.getpid()})"
    place.note_write(CANCEL, json.dumps({"id": id, "by": by}).encode())


def driver_line(beat: Mapping[str, Any]) -> str:
    """Who drives, or drove last, in a line; empty for no heartbeat."""
    if not beat:
        return ""
    who = f"process {beat.get('pid')} on {beat.get('host')}"
    if beat.get("state") != RUNNING:
        error = f": {beat['error']}" if beat.get("error") else ""
        return f"last driven by {who}, {beat.get('state')} at {beat.get('at')}{error}"
    return f"driven by {who} since {beat.get('since')}, last sign of it {_age(beat)}"


def _age(beat: Mapping[str, Any]) -> str:
    seconds = _silence(beat)
    return (
        "at an unknown time"
        if math.isnan(seconds)
        else f"{duration(max(0.0, seconds))} ago by this machine's clock"
    )


def _silence(beat: Mapping[str, Any]) -> float:
    try:
        return (datetime.now(UTC) - datetime.fromisoformat(str(beat.get("at")))).total_seconds()
    except (ValueError, TypeError):
        return math.nan


def heartbeat(place: Place) -> Mapping[str, Any]:
    """The last heartbeat beside a store; of a driver that has been silent for long and holds the store no more, as that of a killed one."""
    beat = read_note(place, HEARTBEAT)
    gone = (
        beat.get("state") == RUNNING
        and not _silence(beat) < GONE_SECONDS
        and driver_of(place) is None
    )
    return {**beat, "state": KILLED} if gone else beat


class Follower:
    """Reads a store's heartbeat again and again; how long it has not moved is told by our own clock, since those of machines differ."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.beat: Mapping[str, Any] = {}
        self._seen: object = None
        self._since = time.monotonic()

    def read(self) -> Mapping[str, Any]:
        """The heartbeat now."""
        self.beat = read_note(self.place, HEARTBEAT)
        seen = (self.beat.get("id"), self.beat.get("beat"), self.beat.get("state"))
        if seen != self._seen:
            self._seen, self._since = seen, time.monotonic()
        return self.beat

    @property
    def silence(self) -> float:
        """s since it moved."""
        return time.monotonic() - self._since
