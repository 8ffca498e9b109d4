"""Follow or stop a driver that runs anywhere, through the store and the notes next to it."""

import time
from collections.abc import Mapping
from typing import Any

from rich.console import Console

from marsdisk.common.exit_codes import BAD_INPUT, INTERRUPTED, OK, SOME_FAILED

from ..common.command import Command
from ..results.notes import Notes
from ..running.heartbeat import (
    BROKEN_OFF,
    CANCEL,
    CANCELLED,
    FINISHED,
    GONE_SECONDS,
    RUNNING,
    STOPPED,
    SUBMISSION,
    Follower,
    ask_to_stop,
    driver_line,
    read_note,
)
from ..running.progress import duration, say
from ..spec.expectations import checks_of
from ..store.location import Place
from ..store.store import Store
from .expectations import report_checks

READ_SECONDS = 0.5  # between two readings of the heartbeat
SECONDS_BETWEEN_LINES = 2.0  # where there is no terminal


def follow(place: Place, patience: float, console: Console) -> int:
    """Show the progress of a sweep until it ends.

    Parameters
    ----------
    place : Place
        Location of the store.
    patience : float
        Time without any change of the heartbeat after which to give up, in s.
    console : rich.console.Console
        Where to print.

    Returns
    -------
    int
        Exit code of the sweep.
    """
    follower = Follower(place)
    messages = _Messages(console)
    next_line_time = 0.0
    with console.status("looking for a driver") as status:
        while True:
            beat = follower.read()
            messages.print_new(beat)
            state = beat.get("state")
            submitted = bool(read_note(place, SUBMISSION))
            if state in (FINISHED, CANCELLED, STOPPED) or (state == BROKEN_OFF and not submitted):
                return _report_end(place, beat, console)
            if not beat and not submitted:
                return _report_undriven(place, console)
            if follower.silence > patience:
                _report_silence(place, follower, console)
                return BAD_INPUT
            line = "waiting for a worker to take the driver"
            if state == RUNNING:
                line = _progress(beat)
            if console.is_terminal:
                status.update(line)
            elif state == RUNNING and time.monotonic() >= next_line_time:
                next_line_time = time.monotonic() + SECONDS_BETWEEN_LINES
                say(console, line)
            time.sleep(READ_SECONDS)


def _report_silence(place: Place, follower: Follower, console: Console) -> None:
    driver = driver_line(follower.beat) or "it was submitted, but no worker has taken it"
    say(console, f"{place}: no sign of a driver for {duration(follower.silence)}; {driver}")
    say(console, f"go on with: {_resume(place)}; what is committed stays")


def _resume(place: Place) -> str:
    return f"{Command.sweep('resume', place)} (or sweep submit)"


class _Messages:
    """The messages of drivers, each of which is printed once."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.id = ""
        self.count = 0

    def print_new(self, beat: Mapping[str, Any]) -> None:
        """Print the new messages in a heartbeat."""
        messages = beat.get("said")
        count = beat.get("count_said")
        if not isinstance(messages, list) or not isinstance(count, int):
            return
        if beat.get("id") != self.id and beat.get("state") == RUNNING:
            self.id = str(beat.get("id"))
            self.count = 0
            say(self.console, driver_line(beat))
        new = min(max(0, count - self.count), len(messages))
        for message in messages[len(messages) - new :]:
            say(self.console, str(message))
        self.count = max(count, self.count)


def _progress(beat: Mapping[str, Any]) -> str:
    done = beat.get("done")
    failed = beat.get("failed")
    rate = beat.get("rate")
    left = beat.get("left")
    finished = done + failed if isinstance(done, int) and isinstance(failed, int) else 0
    speed = f"{rate:.0f} runs/s" if isinstance(rate, float) and rate else "starting"
    time_left = f", {duration(left)} left" if isinstance(left, float) else ""
    return f"{finished} of {beat.get('runs')} runs, {speed}{time_left}, {failed} failed"


def _report_end(place: Place, beat: Mapping[str, Any], console: Console) -> int:
    counts = Store.open(place).counts()
    say(
        console,
        f"{place}: {counts.done} of {counts.runs} runs done, {counts.failed} failed,"
        f" {counts.pending} pending; {driver_line(beat)}",
    )
    code = beat.get("exit_code")
    if code in (INTERRUPTED, BAD_INPUT) and counts.is_open:
        say(console, f"go on with: {_resume(place)}")
        return int(code)
    if counts.is_open:
        return _report_undriven(place, console)
    return _exit_code(place, console)


def _report_undriven(place: Place, console: Console) -> int:
    counts = Store.open(place).counts()
    if counts.is_open:
        rounds = " and further rounds of the refinement" if counts.refining else ""
        say(
            console,
            f"{place}: nobody drives it, and {counts.pending} of {counts.runs} runs{rounds} are"
            f" pending; go on with: {Command.sweep('resume', place)}",
        )
        return BAD_INPUT
    say(console, f"{place}: {counts.done} of {counts.runs} runs done, {counts.failed} failed")
    return _exit_code(place, console)


def _exit_code(place: Place, console: Console) -> int:
    """Report the expectations of a finished sweep, and return its exit code."""
    store = Store.open(place)
    expectations = checks_of(store.description.sweep.content, str(place))
    for line in Notes.of(store).lines:
        say(console, f"note: {line}")
    code = SOME_FAILED if store.counts().failed else OK
    return max(code, report_checks(store, expectations, console))


def cancel(place: Place, patience: float, console: Console) -> int:
    """Ask the driver of a store to stop, and wait until it has.

    Parameters
    ----------
    place : Place
        Location of the store.
    patience : float
        Time to wait for the driver to stop, in s.
    console : rich.console.Console
        Where to print.

    Returns
    -------
    int
        Exit code of the command.
    """
    Store.open(place)
    follower = Follower(place)
    deadline = time.monotonic() + patience
    asked_id = ""
    while time.monotonic() < deadline:
        beat = follower.read()
        submission = read_note(place, SUBMISSION)
        running = beat.get("state") == RUNNING and follower.silence < GONE_SECONDS
        if asked_id and beat.get("state") in (CANCELLED, BROKEN_OFF, STOPPED, FINISHED):
            counts = Store.open(place).counts()
            say(
                console,
                f"{place}: stopped; {counts.done + counts.failed} of {counts.runs} runs are"
                f" committed; go on with: {Command.sweep('resume', place)}",
            )
            return OK
        if not running and not submission:
            place.note_delete(CANCEL)
            say(console, f"{place}: nobody drives it; there is nothing to cancel{_last(beat)}")
            return BAD_INPUT
        request_id = str(beat.get("id") if running else submission.get("id"))
        if request_id != asked_id:
            ask_to_stop(place, request_id)
            asked_id = request_id
        time.sleep(READ_SECONDS)
    say(
        console,
        f"{place}: asked, but it has not stopped within {duration(patience)}{_last(follower.beat)};"
        " the request is kept and obeyed when it is seen",
    )
    return BAD_INPUT


def _last(beat: Mapping[str, Any]) -> str:
    return f" ({driver_line(beat)})" if beat else ""
