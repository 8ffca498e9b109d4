"""What people read before and after a sweep: the plan, the totals, the failures, what to type next."""

import time
from contextlib import suppress

from rich.console import Console

from marsdisk.commands import OK, SOME_FAILED, compile_kernels
from marsdisk.config import RunConfig, build_config, merge
from marsdisk.convergence import check_run
from marsdisk.errors import MarsDiskError
from marsdisk.zero_d import run_zero_d

from .design import drawn_by
from .errors import TooManyFailures
from .making import forecast
from .notes import Notes
from .plan import Plan
from .profiles import usable_cores
from .progress import Tally, duration, say
from .refine import runs_in_all
from .spec import Sweep
from .store import reader
from .store.place import Place
from .summary import cache_line, accuracy_lines, failures, totals
from .tables import text
from .verdicts import report_checks


def print_plan(plan: Plan, console: Console) -> None:
    """Cases, blocks, distinct cache keys, time from a measured run, bytes and files."""
    compile_kernels(lambda text: say(console, text))
    middle = build_config(merge(plan.sweep.base, plan.case(plan.count // 2).overrides))
    run_zero_d(middle)  # the first run of a process loads the compiled kernels
    begin = time.perf_counter()
    run_zero_d(middle)
    seconds = time.perf_counter() - begin
    runs = runs_in_all(plan.sweep, plan.count)
    seconds = seconds * runs
    share_checked = len(plan.checked) / plan.count
    checking = _seconds_of_check(middle) * share_checked * runs if plan.checked else 0.0
    expected = forecast(plan)
    cores = usable_cores()
    say(console, f"sweep {plan.sweep.spec.name}")
    for axis in plan.sweep.axes:
        say(console, f"  axis {axis.name}: {len(axis.points)} points, {axis.ends}")
    counts = {
        "included": len(plan.sweep.spec.include),
        "excluded": plan.sweep.excluded(),
        "that coincide with others are left out": plan.duplicates,
    }
    besides = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    say(
        console,
        f"  {plan.count} runs{f' ({besides})' if besides else ''} in {len(plan.blocks)} blocks of"
        f" up to {plan.block_size}",
    )
    if runs > plan.count:
        say(console, f"  more in rounds, up to {runs} runs; what follows is of all of them")
    say(
        console,
        f"  {len(plan.runs.identities)} distinct sets of cached arrays, cache scope"
        f" {plan.sweep.spec.cache.scope}",
    )
    if plan.checked:
        share = 100.0 * checking / (seconds + checking)
        ways = "with tighter steps and with half and twice the bins"
        say(console, f"  {len(plan.checked)} of them repeated {ways}, {share:.0f} % of the time")
    say(
        console,
        f"  about {duration((seconds + checking) / cores)} on {cores} cores, measured on one run",
    )
    say(
        console,
        f"  at most {expected.bytes_raw / 1e6:.1f} MB before compression, {expected.files} files",
    )
    for name, expectation in plan.sweep.expectations.items():
        say(console, f"  judged when it ends: {text(name)}: {expectation.words}")
    for warning in plan.warnings:
        say(console, f"  note: {warning}")


def _seconds_of_check(config: RunConfig) -> float:
    """Seconds that checking a run takes beside the run itself; 0 where it cannot be checked."""
    run = run_zero_d(config)
    begin = time.perf_counter()
    with suppress(MarsDiskError):
        check_run(config, run=run)
    return time.perf_counter() - begin


def finish(store: Place, sweep: Sweep, tally: Tally, console: Console) -> int:
    """Print totals, failures, expectations and speed; return the exit code."""
    group = reader.open_group(store)
    counts = reader.counts(store)
    table = totals(group)
    if table is not None:
        console.print(table)
    say(
        console,
        f"{counts.done} of {counts.runs} runs done, {counts.failed} failed"
        + ("" if counts.failed else " (none)")
        + (f", {counts.pending} pending" if counts.pending else ""),
    )
    if tally.runs:
        rate = tally.finished / tally.seconds if tally.seconds else 0.0
        share = (
            100.0 * (1.0 - tally.solver_seconds / tally.block_seconds)
            if tally.block_seconds
            else 0.0
        )
        say(
            console,
            f"{duration(tally.seconds)}, {rate:.0f} runs per second; {share:.0f} % of the workers'"
            " time outside the solver",
        )
    else:
        say(console, "everything was committed already; nothing was run")
    say(console, f"cache hits: {cache_line(group)}")
    for line in Notes.of(group).lines:
        say(console, f"note: {line}")
    for line in [*failures(group, store, sweep), *accuracy_lines(group, sweep)]:
        say(console, line)
    code = max(
        OK if counts.done == counts.runs else SOME_FAILED,
        report_checks(group, sweep.expectations, store, console),
    )
    for section, verb in (("design", "sensitivity"), ("sample", "summary")):
        if drawn_by(sweep.axes) == section:
            say(console, f"ask: sweep {verb} {store} --target M_loss")
    say(
        console,
        f"next: sweep show {store}, or in Python: import sweep; sweep.open_store({str(store)!r})",
    )
    return code


def interrupted(store: Place, again: str, console: Console) -> None:
    """Say how far it came and how to go on."""
    if store.exists():
        counts = reader.counts(store)
        say(
            console,
            f"interrupted: {counts.done + counts.failed} of {counts.runs} runs are committed in"
            f" {store}; go on with: {again}",
        )
    else:
        say(console, "interrupted before anything was started")


def too_many_failed(
    store: Place, stopped: TooManyFailures, sweep: Sweep, again: str, console: Console
) -> None:
    """Say why it stopped, which runs failed and how to go on."""
    say(console, f"stopped: {stopped}")
    for line in failures(reader.open_group(store), store, sweep):
        say(console, line)
    say(
        console,
        f"when the cause is cured: {again} --retry-failed; to go on all the same, allow more with"
        " --max-failures",
    )
