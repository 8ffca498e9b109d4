"""Text before and after a sweep: the plan, the totals, the failures, and the next commands."""

import time
from contextlib import suppress

from rich.console import Console

from marsdisk.accuracy.convergence import check_run
from marsdisk.cli.program import compile_kernels
from marsdisk.common.errors import MarsDiskError
from marsdisk.common.exit_codes import OK, SOME_FAILED
from marsdisk.config import RunConfig, build_config, merge
from marsdisk.zero_d import run_zero_d

from ..common.command import Command
from ..common.errors import TooManyFailures
from ..common.text import text
from ..planning.create_store import forecast
from ..planning.plan import Plan
from ..planning.refinement_size import runs_in_all
from ..results.notes import Notes
from ..running.progress import Tally, duration, say
from ..spec.designs import drawn_by
from ..spec.file import Sweep
from ..store.location import Location
from ..store.store import Store
from ..workers.profiles import usable_cores
from .expectations import report_expectations
from .totals import accuracy_lines, cache_line, failures, totals


def print_plan(plan: Plan, console: Console) -> None:
    """Print cases, blocks, distinct cache keys, time from a measured run, bytes and files."""
    compile_kernels(lambda line: say(console, line))
    sweep = plan.sweep
    middle = build_config(merge(sweep.base, plan.case(plan.count // 2).overrides))
    runs = runs_in_all(sweep, plan.count)
    seconds = _seconds_of_run(middle) * runs
    seconds_repeating = 0.0
    if plan.accuracy_rows:
        share_repeated = len(plan.accuracy_rows) / plan.count
        seconds_repeating = _seconds_of_comparison(middle) * share_repeated * runs
    expected = forecast(plan)
    cores = usable_cores()
    say(console, f"sweep {sweep.spec.name}")
    for axis in sweep.axes:
        say(console, f"  axis {axis.name}: {len(axis.points)} points, {axis.ends}")
    say(
        console,
        f"  {plan.count} runs{_counts_in_words(plan)} in {len(plan.blocks)} blocks of up to"
        f" {plan.block_size}",
    )
    if runs > plan.count:
        say(console, f"  more in rounds, up to {runs} runs; what follows is of all of them")
    say(
        console,
        f"  {len(plan.runs.identities)} distinct sets of cached arrays, cache scope"
        f" {sweep.spec.cache.scope}",
    )
    if plan.accuracy_rows:
        share = 100.0 * seconds_repeating / (seconds + seconds_repeating)
        ways = "with tighter steps and with half and twice the bins"
        say(
            console,
            f"  {len(plan.accuracy_rows)} of them repeated {ways}, {share:.0f} % of the time",
        )
    time_needed = duration((seconds + seconds_repeating) / cores)
    say(console, f"  about {time_needed} on {cores} cores, measured on one run")
    megabytes = expected.bytes_raw / 1e6
    say(console, f"  at most {megabytes:.1f} MB before compression, {expected.files} files")
    for name, expectation in sweep.expectations.items():
        say(console, f"  evaluated at the end: {text(name)}: {expectation.words}")
    for warning in plan.warnings:
        say(console, f"  note: {warning}")


def _counts_in_words(plan: Plan) -> str:
    """Return in brackets how many cases are included, excluded, or coincide with others."""
    counts = {
        "included": len(plan.sweep.spec.include),
        "excluded": plan.sweep.excluded(),
        "that coincide with others are left out": plan.duplicates,
    }
    words = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
    return f" ({words})" if words else ""


def _seconds_of_run(config: RunConfig) -> float:
    """Return the seconds that a run takes once the compiled kernels are loaded."""
    run_zero_d(config)  # the first run of a process loads the kernels
    begin = time.perf_counter()
    run_zero_d(config)
    return time.perf_counter() - begin


def _seconds_of_comparison(config: RunConfig) -> float:
    """Return the seconds that repeating a run with tighter steps and other bins takes."""
    run = run_zero_d(config)
    begin = time.perf_counter()
    with suppress(MarsDiskError):
        check_run(config, run=run)
    return time.perf_counter() - begin


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
    failed = f"{counts.failed} failed" if counts.failed else "0 failed (none)"
    pending = f", {counts.pending} pending" if counts.pending else ""
    say(console, f"{counts.done} of {counts.runs} runs done, {failed}{pending}")
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
        f"next: {Command.sweep('show', store)}, or in Python: import sweep;"
        f" sweep.open_store({str(store)!r})",
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
    store: Location, stopped: TooManyFailures, sweep: Sweep, command: str, console: Console
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
    """
    say(console, f"stopped: {stopped}")
    for line in failures(Store.open(store), sweep):
        say(console, line)
    say(
        console,
        f"when the cause is fixed: {command} --retry-failed; to continue anyway, allow more with"
        " --max-failures",
    )
