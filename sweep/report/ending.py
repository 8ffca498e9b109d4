"""Text after a sweep: its totals, its failures, and the next commands."""

from rich.console import Console

from marsdisk.common.exit_codes import OK, SOME_FAILED

from ..common.command import Command
from ..common.errors import TooManyFailures
from ..results.notes import Notes
from ..running.progress import Tally, duration, say
from ..spec.designs import drawn_by
from ..spec.file import Sweep
from ..store.location import Location
from ..store.store import Store
from .closing_lines import accuracy_lines, cache_line, failures
from .expectations import report_expectations
from .totals import totals


def finish(location: Location, sweep: Sweep, tally: Tally, console: Console) -> int:
    """Print totals, failures, expectations and speed.

    Parameters
    ----------
    location : Location
        Where the store is.
    sweep : Sweep
        The sweep of the store.
    tally : Tally
        What this process has run.
    console : Console
        Where to print.

    Returns
    -------
    int
        The exit code.
    """
    store = Store.open(location)
    counts = store.counts()
    table = totals(store)
    if table is not None:
        console.print(table)
    pending = f", {counts.pending} pending" if counts.pending else ""
    say(console, f"{counts.done} of {counts.runs} runs done, {counts.failed} failed{pending}")
    say(console, _speed_line(tally))
    say(console, f"cache hits: {cache_line(store)}")
    for line in Notes.of(store).lines:
        say(console, f"note: {line}")
    for line in [*failures(store, sweep), *accuracy_lines(store, sweep)]:
        say(console, line)
    code = max(
        OK if counts.done == counts.runs else SOME_FAILED,
        report_expectations(store, sweep.expectations, console),
    )
    for section, verb in (("design", "sensitivity"), ("sample", "summary")):
        if drawn_by(sweep.axes) == section:
            say(console, f"ask: {Command.sweep(verb, store, target='M_loss')}")
    say(
        console,
        f"next: {Command.sweep('show', store)}, {Command.sweep('plot', store, 'heatmap')},"
        f" {Command.sweep('browse', store)}, or in Python: import sweep;"
        f" store = sweep.Store.open({str(store)!r})",
    )
    return code


def _speed_line(tally: Tally) -> str:
    if not tally.runs:
        return "all runs were already complete; nothing to do"
    rate = 0.0
    if tally.seconds:
        rate = tally.finished / tally.seconds
    share = 0.0
    if tally.block_seconds:
        share = 100.0 * (1.0 - tally.solver_seconds / tally.block_seconds)
    return (
        f"{duration(tally.seconds)}, {rate:.0f} runs per second; {share:.0f} % of the workers' time"
        " outside the solver"
    )


def interrupted(store: Location, command: str, console: Console) -> None:
    """Print how far a sweep has come, and the command that resumes it.

    Parameters
    ----------
    store : Location
        Where the store is.
    command : str
        The command that was interrupted.
    console : Console
        Where to print.
    """
    if not store.exists():
        say(console, "interrupted before anything was started")
        return
    counts = Store.open(store).counts()
    say(
        console,
        f"interrupted: {counts.done + counts.failed} of {counts.runs} runs are committed in"
        f" {store}; resume with: {command}",
    )


def too_many_failed(
    store: Location,
    stopped: TooManyFailures,
    sweep: Sweep,
    command: str,
    console: Console,
    *,
    retry: str = "--retry-failed",
    allow: str = "--max-failures",
) -> None:
    """Print why a sweep stopped, the runs that failed, and the commands that resume it.

    Parameters
    ----------
    store : Location
        Where the store is.
    stopped : TooManyFailures
        The reason.
    sweep : Sweep
        The sweep of the store.
    command : str
        The command that has stopped.
    console : Console
        Where to print.
    retry, allow : str
        Options of the command that run failed runs again, and that allow more failures.
    """
    say(console, f"stopped: {stopped}")
    for line in failures(Store.open(store), sweep):
        say(console, line)
    say(
        console,
        f"when the cause is fixed: {command} {retry}; to continue anyway, allow more with {allow}",
    )
