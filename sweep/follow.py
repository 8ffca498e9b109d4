"""Following and stopping a driver from afar: all that is known of it are the store and the notes beside it."""

import time
from collections.abc import Mapping
from typing import Any

from rich.console import Console

from marsdisk.commands import BAD_INPUT, INTERRUPTED, OK, SOME_FAILED

from .checks import checks_of
from .heartbeat import (
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
from .progress import duration, say
from .store import reader
from .store.place import Place
from .verdicts import report_checks

LOOK_SECONDS = 0.5


def follow(place: Place, patience: float, console: Console) -> int:
    """Show how a sweep goes on until it ends; its exit code."""
    follower = Follower(place)
    told = _Told(console)
    shown = 0.0
    with console.status("looking for a driver") as live:
        while True:
            beat = follower.read()
            told.news(beat)
            state = beat.get("state")
            submitted = bool(read_note(place, SUBMISSION))
            if state in (FINISHED, CANCELLED, STOPPED) or (state == BROKEN_OFF and not submitted):
                return _ending(place, beat, console)
            if not beat and not submitted:
                return _undriven(place, console)
            if follower.silence > patience:
                say(
                    console,
                    f"{place}: no sign of a driver for {duration(follower.silence)};"
                    f" {driver_line(beat) or 'it was submitted, but no worker has taken it'}",
                )
                say(
                    console,
                    f"go on with: sweep resume {place} (or sweep submit); what is committed stays",
                )
                return BAD_INPUT
            line = (
                _progress(beat) if state == RUNNING else "waiting for a worker to take the driver"
            )
            if console.is_terminal:
                live.update(line)
            elif time.monotonic() >= shown and state == RUNNING:
                shown = time.monotonic() + 2.0
                say(console, line)
            time.sleep(LOOK_SECONDS)


class _Told:
    """What drivers said, each line once."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.id = ""
        self.count = 0

    def news(self, beat: Mapping[str, Any]) -> None:
        """Print what is new."""
        said = beat.get("said")
        count = beat.get("count_said")
        if not isinstance(said, list) or not isinstance(count, int):
            return
        if beat.get("id") != self.id and beat.get("state") == RUNNING:
            self.id = str(beat.get("id"))
            self.count = 0
            say(self.console, driver_line(beat))
        new = min(max(0, count - self.count), len(said))
        for line in said[len(said) - new :]:
            say(self.console, str(line))
        self.count = max(count, self.count)


def _progress(beat: Mapping[str, Any]) -> str:
    done, failed, runs, rate, left = (
        beat.get(name) for name in ("done", "failed", "runs", "rate", "left")
    )
    finished = done + failed if isinstance(done, int) and isinstance(failed, int) else 0
    speed = f"{rate:.0f} runs/s" if isinstance(rate, float) and rate else "starting"
    rest = f", {duration(left)} left" if isinstance(left, float) else ""
    return f"{finished} of {runs} runs, {speed}{rest}, {failed} failed"


def _ending(place: Place, beat: Mapping[str, Any], console: Console) -> int:
    counts = reader.counts(place)
    say(
        console,
        f"{place}: {counts.done} of {counts.runs} runs done, {counts.failed} failed,"
        f" {counts.pending} pending; {driver_line(beat)}",
    )
    code = beat.get("exit_code")
    if code in (INTERRUPTED, BAD_INPUT) and counts.is_open:
        say(console, f"go on with: sweep resume {place} (or sweep submit)")
        return int(code)
    return _undriven(place, console) if counts.is_open else _finished(place, console)


def _undriven(place: Place, console: Console) -> int:
    counts = reader.counts(place)
    if counts.is_open:
        rounds = " and further rounds of the refinement" * counts.refining
        say(
            console,
            f"{place}: nobody drives it, and {counts.pending} of {counts.runs} runs{rounds} are"
            f" pending; go on with: sweep resume {place}",
        )
        return BAD_INPUT
    say(console, f"{place}: {counts.done} of {counts.runs} runs done, {counts.failed} failed")
    return _finished(place, console)


def _finished(place: Place, console: Console) -> int:
    """Exit code of a sweep that has come to its end."""
    group = reader.open_group(place)
    checks = checks_of(reader.read_descriptions(place)[0]["sweep"]["content"], str(place))
    return max(
        SOME_FAILED if reader.counts(place).failed else OK,
        report_checks(group, checks, place, console),
    )


def cancel(place: Place, patience: float, console: Console) -> int:
    """Ask whoever drives to stop, and wait until that has happened; the exit code of the command."""
    reader.open_group(place)
    follower = Follower(place)
    end = time.monotonic() + patience
    asked = ""
    while time.monotonic() < end:
        beat = follower.read()
        submission = read_note(place, SUBMISSION)
        running = beat.get("state") == RUNNING and follower.silence < GONE_SECONDS
        if asked and beat.get("state") in (CANCELLED, BROKEN_OFF, STOPPED, FINISHED):
            counts = reader.counts(place)
            say(
                console,
                f"{place}: stopped; {counts.done + counts.failed} of {counts.runs} runs are"
                f" committed; go on with: sweep resume {place}",
            )
            return OK
        if not running and not submission:
            place.note_delete(CANCEL)
            say(console, f"{place}: nobody drives it; there is nothing to cancel{_last(beat)}")
            return BAD_INPUT
        of = str(beat.get("id") if running else submission.get("id"))
        if of != asked:
            ask_to_stop(place, of)
            asked = of
        time.sleep(LOOK_SECONDS)
    say(
        console,
        f"{place}: asked, but it has not stopped within {duration(patience)}{_last(follower.beat)};"
        " the request stays and is obeyed when it is seen",
    )
    return BAD_INPUT


def _last(beat: Mapping[str, Any]) -> str:
    return f" ({driver_line(beat)})" if beat else ""
