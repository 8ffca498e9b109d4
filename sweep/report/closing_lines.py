"""Lines at the end of a sweep: its failures, its accuracy, and its cache hits."""

from collections.abc import Sequence

import numpy as np

from marsdisk.accuracy.convergence import BINS_LIMIT, TIME_LIMIT, bins_for
from marsdisk.report.accuracy import bins_advice, percent, rounded_up, time_advice

from ..common.command import Command
from ..common.text import text
from ..results.accuracy import ERRORS, Accuracy, Spread
from ..results.columns import runs_of
from ..results.rerun import RecordedRuns
from ..running.progress import duration
from ..spec.file import Sweep
from ..store import layout
from ..store.store import Store


def failures(store: Store, sweep: Sweep, max_runs: int = 10) -> list[str]:
    """Return lines on failed runs, each with its error and the command that repeats it.

    Parameters
    ----------
    store : Store
        The store.
    sweep : Sweep
        The sweep of the store.
    max_runs : int
        Failed runs that are listed.

    Returns
    -------
    list of str
        Empty where no run has failed.
    """
    failed = np.flatnonzero(store.column("status") == layout.FAILED)
    errors = store.column("error").tolist() if failed.size else []
    recorded = RecordedRuns.of(store, sweep)
    lines = []
    for run in failed[:max_runs].tolist():
        lines.append(f"run {run} failed: {errors[run]}")
        lines += _rerun_lines("  run it alone: ", recorded, run)
    if failed.size > max_runs:
        hidden = failed.size - max_runs
        command = Command.sweep("show", store, columns="status,error")
        lines.append(f"and {hidden} more: {command}")
    return lines


def _rerun_lines(
    invitation: str,
    recorded: RecordedRuns,
    run: int,
    verb: str = "run",
    options: str = "",
) -> list[str]:
    """Return lines with the command that runs or checks a run alone, and what has changed since."""
    repetition = recorded.repetition(run, verb)
    lines = []
    if repetition.command:
        lines.append(f"{invitation}{repetition.command}{options}")
    if repetition.words or not repetition.command:
        lines.append(f"  note: {repetition.words}")
    return lines


def accuracy_lines(store: Store, sweep: Sweep, max_runs: int = 10) -> list[str]:
    """Return lines on the numerical errors of each quantity, those beyond a limit, and the cure.

    Parameters
    ----------
    store : Store
        The store.
    sweep : Sweep
        The sweep of the store, with the limits.
    max_runs : int
        Runs that are listed of those that could not be compared.

    Returns
    -------
    list of str
        Empty where the sweep file has no ``accuracy:``.
    """
    spec = sweep.spec.accuracy
    accuracy = None if spec is None else Accuracy.of(store, spec)
    if accuracy is None:
        return []
    recorded = RecordedRuns.of(store, sweep)
    count = f"repeated {accuracy.compared.size} of {runs_of(store).size} runs"
    lines = [f"{count} with tighter steps and with half and twice the bins"]
    if accuracy.compared.size:
        lines[0] += "; relative errors:"
        lines += _error_table(accuracy)
        lines += _lines_on_limits(accuracy, recorded)
    for run in accuracy.lost[:max_runs].tolist():
        invitation = f"run {run} could not be compared; see why: "
        lines += _rerun_lines(invitation, recorded, run, "check")
    if accuracy.lost.size > max_runs:
        lines.append(f"and {accuracy.lost.size - max_runs} more like it")
    return lines


def _error_table(accuracy: Accuracy) -> list[str]:
    """Return a line for each quantity: largest and median errors, and how many are too large."""
    headings = ["quantity"]
    for kind in ERRORS:
        headings += [f"{kind}: largest", "median", f"over {accuracy.limits[kind]:g}"]
    rows = [headings, *accuracy.rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [f"  {_aligned(cells, widths)}" for cells in rows]


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Return a line of cells, the first aligned to the left, the others to the right."""
    numbers = [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)]
    return "  ".join([cells[0].ljust(widths[0]), *numbers])


def _lines_on_limits(accuracy: Accuracy, recorded: RecordedRuns) -> list[str]:
    """Return lines on quantities beyond a limit, the accuracy of the others, and what to do."""
    errors_within = ", ".join(
        f"{text(name)} to {percent(error)}" for name, error in accuracy.within.items()
    )
    if not accuracy.runs_beyond:
        return [f"all are within the limits: {errors_within}"]
    beyond = accuracy.beyond
    counts = [f"{spread.kind} of {text(spread.quantity)} in {spread.beyond}" for spread in beyond]
    count = f"{accuracy.runs_beyond} of them count as done, but are beyond a limit"
    lines = [f"{count}: {', '.join(counts)}"]
    if errors_within:
        lines.append(f"  within both limits in every run: {errors_within}")
    slow = [spread for spread in beyond if spread.kind == "err_time"]
    if slow:
        lines.append(f"  {_advice_on_time(accuracy, recorded, slow)}")
    coarse = [spread for spread in beyond if spread.kind == "err_bins"]
    if coarse:
        lines.append(f"  {_advice_on_bins(accuracy, recorded, coarse)}")
    run = max(coarse or slow, key=lambda spread: spread.largest).run
    invitation = f"  look closer at run {run}: "
    return [*lines, *_rerun_lines(invitation, recorded, run, "check", _limit_options(accuracy))]


def _advice_on_time(accuracy: Accuracy, recorded: RecordedRuns, beyond: Sequence[Spread]) -> str:
    worst = max(beyond, key=lambda spread: spread.largest)
    limit = accuracy.limits[worst.kind]
    accepted = _accepted("time_limit", worst.largest)
    return time_advice(recorded.config(worst.run), worst.largest, limit, accepted)


def _advice_on_bins(accuracy: Accuracy, recorded: RecordedRuns, beyond: Sequence[Spread]) -> str:
    run, quantity = accuracy.neediest
    column = accuracy.quantities.index(quantity)
    error = float(accuracy.errors["err_bins"][run, column])
    order = float(accuracy.orders[run, column])
    bins = recorded.config(run).sizes.n_bins
    needed = bins_for(bins, error, order, accuracy.limits["err_bins"])
    accepted = _accepted("bins_limit", max(spread.largest for spread in beyond))
    return bins_advice(needed, f"{text(quantity)} of run {run}", accepted)


def _accepted(key: str, error: float) -> str:
    """Return the limit for the sweep file that accepts an error; empty where there is none."""
    if error >= 1.0:
        return ""
    return f"accuracy: {{{key}: {rounded_up(error):g}}} in the sweep file"


def _limit_options(accuracy: Accuracy) -> str:
    """Return the limits that are not the default, as options of ``marsdisk check``."""
    options = ""
    for name, default in (("time", TIME_LIMIT), ("bins", BINS_LIMIT)):
        limit = accuracy.limits[f"err_{name}"]
        if limit != default:
            options += f" --{name}-limit {limit:g}"
    return options


def cache_line(store: Store) -> str:
    """Return the share of cache hits in all finished runs, and the time that they saved."""
    hits = store.column("cache_hits").sum(axis=0)
    misses = store.column("cache_misses").sum(axis=0)
    builds = misses + store.column("cache_rebuilds").sum(axis=0)
    lookups = int((hits + builds).sum())
    if not lookups:
        return "not used"
    seconds = np.nansum(store.column("cache_build_time"), axis=0)
    saved = float(np.sum(hits * seconds / np.maximum(builds, 1)))
    return (
        f"{100.0 * int(hits.sum()) / lookups:.1f} % of {lookups} lookups, saving"
        f" {duration(saved)} of set-up"
    )
