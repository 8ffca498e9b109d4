"""Follow or stop a driver that runs anywhere, through the store and the notes next to it."""

import time
from contextlib import suppress

from rich.console import Console

from marsdisk.common.exit_codes import BAD_INPUT, INTERRUPTED, OK, SOME_FAILED

from ..common.command import Command
from ..results.notes import Notes
from ..running.driver_notes import (
    CANCELLED,
    DRIVER_INTERRUPTED,
    FINISHED,
    RUNNING,
    STOPPED,
    Beat,
    StopRequest,
    Submission,
)
from ..running.heartbeat import GONE_SECONDS, Follower, driver_line
from ..running.progress import duration, say
from ..spec.expectations import expectations_of
from ..store.failures import storage_errors, telling
from ..store.location import Location
from ..store.store import Store
from .expectations import report_expectations

READ_SECONDS = 0.5  # between two readings of the heartbeat
SECONDS_BETWEEN_LINES = 2.0  # where there is no terminal


def follow(location: Location, patience: float, console: Console) -> int:
    """Show the progress of a sweep until it ends.

    Parameters
    ----------
    location : Location
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
    follower = Follower(location)
    messages = _Messages(console)
    next_line_time = 0.0
    with console.status("looking for a driver") as status:
        while True:
            beat = follower.read()
            messages.print_new(beat)
            state = beat.state
            submitted = bool(Submission.read(location))
            is_over = state in (FINISHED, CANCELLED, STOPPED)
            if is_over or (state == DRIVER_INTERRUPTED and not submitted):
                return _report_end(location, beat, console)
            if not beat and not submitted:
                return _report_undriven(location, console)
            if follower.silence > patience:
                _report_silence(location, follower, console)
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


def _report_silence(location: Location, follower: Follower, console: Console) -> None:
    driver = driver_line(follower.beat) or "it was submitted, but no worker has taken it"
    say(console, f"{location}: no sign of a driver for {duration(follower.silence)}; {driver}")
    say(console, f"resume with: {_resume(location)}; what is committed stays")


def _resume(location: Location) -> str:
    return f"{Command.sweep('resume', location)} (or sweep submit)"


class _Messages:
    """The messages of drivers, each of which is printed once."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.id = ""
        self.count = 0

    def print_new(self, beat: Beat) -> None:
        """Print the new messages in a heartbeat."""
        messages = beat.said
        if beat.id != self.id and beat.state == RUNNING:
            self.id = beat.id
            self.count = 0
            say(self.console, driver_line(beat))
        new = min(max(0, beat.count_said - self.count), len(messages))
        for message in messages[len(messages) - new :]:
            say(self.console, message)
        self.count = max(beat.count_said, self.count)


def _progress(beat: Beat) -> str:
    speed = f"{beat.rate:.0f} runs/s" if beat.rate else "starting"
    time_left = "" if beat.left is None else f", {duration(beat.left)} left"
    finished = beat.done + beat.failed
    return f"{finished} of {beat.runs} runs, {speed}{time_left}, {beat.failed} failed"


def _report_end(location: Location, beat: Beat, console: Console) -> int:
    counts = Store.open(location).counts()
    say(
        console,
        f"{location}: {counts.done} of {counts.runs} runs done, {counts.failed} failed,"
        f" {counts.pending} pending; {driver_line(beat)}",
    )
    if beat.exit_code in (INTERRUPTED, BAD_INPUT) and counts.is_open:
        say(console, f"resume with: {_resume(location)}")
        return beat.exit_code
    if counts.is_open:
        return _report_undriven(location, console)
    return _exit_code(location, console)


def _report_undriven(location: Location, console: Console) -> int:
    counts = Store.open(location).counts()
    if counts.is_open:
        rounds = " and further rounds of the refinement" if counts.refining else ""
        say(
            console,
            f"{location}: nobody drives it, and {counts.pending} of {counts.runs} runs{rounds} are"
            f" pending; resume with: {Command.sweep('resume', location)}",
        )
        return BAD_INPUT
    say(console, f"{location}: {counts.done} of {counts.runs} runs done, {counts.failed} failed")
    return _exit_code(location, console)


def _exit_code(location: Location, console: Console) -> int:
    """Report the expectations of a finished sweep, and return its exit code."""
    store = Store.open(location)
    expectations = expectations_of(store.description.sweep.content, str(location))
    for line in Notes.of(store).lines:
        say(console, f"note: {line}")
    code = SOME_FAILED if store.counts().failed else OK
    return max(code, report_expectations(store, expectations, console))


def cancel(location: Location, patience: float, console: Console) -> int:
    """Ask the driver of a store to stop, and wait until it has.

    Parameters
    ----------
    location : Location
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
    Store.open(location)
    follower = Follower(location)
    deadline = time.monotonic() + patience
    asked_id: str | None = None
    while time.monotonic() < deadline:
        beat = follower.read()
        submission = Submission.read(location)
        running = beat.state == RUNNING and follower.silence < GONE_SECONDS
        has_ended = beat.state in (CANCELLED, DRIVER_INTERRUPTED, STOPPED, FINISHED)
        if asked_id is not None and has_ended:
            counts = Store.open(location).counts()
            say(
                console,
                f"{location}: stopped; {counts.done + counts.failed} of {counts.runs} runs are"
                f" committed; resume with: {Command.sweep('resume', location)}",
            )
            return OK
        if not running and not submission:
            with suppress(*storage_errors()):  # of an earlier request
                StopRequest.delete(location)
            say(console, f"{location}: nobody drives it; there is nothing to cancel{_last(beat)}")
            return BAD_INPUT
        request_id = beat.id if running else submission.id
        if request_id != asked_id:
            with telling(location, "the request to stop cannot be written"):
                StopRequest.to(request_id).write(location)
            asked_id = request_id
        time.sleep(READ_SECONDS)
    say(
        console,
        f"{location}: asked, but it has not stopped within {duration(patience)}"
        f"{_last(follower.beat)}; the request is kept and obeyed when it is seen",
    )
    return BAD_INPUT


def _last(beat: Beat) -> str:
    return f" ({driver_line(beat)})" if beat else ""
