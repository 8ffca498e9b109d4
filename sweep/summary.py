"""What a sweep ends with on the terminal: totals over its axes, failures, speed, what to type next."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from rich.table import Table

from marsdisk.accuracy_report import bins_advice, percent, rounded_up, time_advice
from marsdisk.convergence import BINS_LIMIT, TIME_LIMIT, bins_for

from .accuracy import ERRORS, Accuracy, Spread
from .design import POINT
from .outcomes import GOOD, STATES, Outcomes, outcomes
from .progress import duration
from .rerun import RecordedRuns
from .spec import Sweep
from .store import layout, reader
from .store.place import Place
from .tables import text
from .views import coded, runs_of

ROWS_SHOWN = 40
COLUMNS_SHOWN = 8
AVAILABLE = "M_available"


def totals(group: zarr.Group, name: str = "M_loss") -> Table | None:
    """``name`` over the axes of the product, summed over rings; None where there is no axis to lay out.

    A cell with a failed, pending or excluded run says so instead of showing a sum that lacks it;
    included runs are not in it.
    """
    if POINT in reader.axis_names(group):
        return None  # points of a design are no table; sweep summary and sweep sensitivity ask them
    found = outcomes(group, name)
    if not found.axes:
        return None
    available = _available(group, name, found)
    codes = {axis: coded(found.labels[axis]) for axis in found.axes}
    column_axis = next(
        (axis for axis in reversed(found.axes) if len(codes[axis][0]) <= COLUMNS_SHOWN), None
    )
    row_axes = [axis for axis in found.axes if axis != column_axis]
    values, code = (
        codes[column_axis] if column_axis else ([""], np.zeros(found.value.size, np.int64))
    )
    rows = found.groups({axis: found.labels[axis] for axis in row_axes})
    share = " (and its share of the mass that was available)" if available is not None else ""
    table = Table(title=f"{found.words}{share} over {', '.join(found.axes)}", title_justify="left")
    for axis in row_axes:
        table.add_column(axis, justify="right")
    for value in values:
        table.add_column(
            f"{column_axis} = {_label(value)}" if column_axis else found.words, justify="right"
        )
    for at, here in rows[:ROWS_SHOWN]:
        table.add_row(
            *map(_label, at.values()),
            *(_cell(found, available, here[code[here] == i]) for i in range(len(values))),
        )
    if len(rows) > ROWS_SHOWN:
        table.caption = f"and {len(rows) - ROWS_SHOWN} rows more"
    return table


def _label(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _available(group: zarr.Group, name: str, found: Outcomes) -> NDArray[np.float64] | None:
    """Mass [M_Mars] that each case could have lost; None where that is not known of all, or not asked for."""
    if name != "M_loss" or AVAILABLE not in group:
        return None
    available = outcomes(group, AVAILABLE)
    is_known = np.isfinite(available.value[found.state == GOOD])
    return available.value if is_known.all() else None


def _cell(found: Outcomes, available: NDArray[np.float64] | None, cases: NDArray[np.int64]) -> str:
    """Of the one case that is there, if any."""
    if not cases.size:
        return "-"
    case = int(cases[0])
    state = int(found.state[case])
    if state != GOOD:
        return STATES[state]
    value = float(found.value[case])
    share = "" if available is None else f" ({100.0 * value / available[case]:.2g} %)"
    return f"{text(value)}{share}"


def failures(group: zarr.Group, store: Place, sweep: Sweep, shown: int = 10) -> list[str]:
    """A line for each failed run, and the command that reruns it."""
    failed = np.flatnonzero(reader.column(group, "status") == layout.FAILED)
    errors = reader.column(group, "error").tolist() if failed.size else []
    recorded = RecordedRuns.of(group, sweep)
    lines = []
    for run in failed[:shown].tolist():
        lines += [
            f"run {run} failed: {errors[run]}",
            *_rerun_lines("  run it alone: ", recorded, run),
        ]
    if failed.size > shown:
        lines.append(f"and {failed.size - shown} more: sweep show {store} --columns status,error")
    return lines


def _rerun_lines(
    invitation: str,
    recorded: RecordedRuns,
    run: int,
    verb: str = "run",
    options: str = "",
) -> list[str]:
    """Lines with the command that runs (or checks) a run alone, and with what has changed since."""
    repetition = recorded.repetition(run, verb)
    if not repetition.command:
        return [f"  note: {repetition.words}"]
    line = f"{invitation}{repetition.command}{options}"
    return [line, f"  note: {repetition.words}"] if repetition.words else [line]


def accuracy_lines(group: zarr.Group, sweep: Sweep, shown: int = 10) -> list[str]:
    """The errors of the repeated runs by quantity, which are beyond a limit, and what to do.

    Nothing where the sweep file has no ``accuracy:``.
    """
    spec = sweep.spec.accuracy
    found = None if spec is None else Accuracy.of(group, spec)
    if found is None:
        return []
    recorded = RecordedRuns.of(group, sweep)
    count = f"repeated {found.compared.size} of {runs_of(group).size} runs"
    lines = [f"{count} with tighter steps and with half and twice the bins"]
    if found.compared.size:
        lines[0] += "; relative errors:"
        lines += _error_table(found)
        lines += _judgement(found, recorded)
    for run in found.lost[:shown].tolist():
        invitation = f"run {run} could not be compared; see why: "
        lines += _rerun_lines(invitation, recorded, run, "check")
    lines += [f"and {found.lost.size - shown} more like it"] if found.lost.size > shown else []
    return lines


def _error_table(found: Accuracy) -> list[str]:
    """A line for each quantity: largest and median errors, and how many are beyond a limit."""
    heads = ["quantity"]
    for kind in ERRORS:
        heads += [f"{kind}: largest", "median", f"over {found.limits[kind]:g}"]
    rows = [heads]
    for quantity in found.quantities:
        cells = [text(quantity)]
        for kind in ERRORS:
            spread = found.spread(kind, quantity)
            cells += [f"{spread.largest:.2g}", f"{spread.median:.2g}", str(spread.beyond)]
        rows.append(cells)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [f"  {_aligned(cells, widths)}" for cells in rows]


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    """The first cell to the left, the others to the right."""
    numbers = [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)]
    return "  ".join([cells[0].ljust(widths[0]), *numbers])


def _judgement(found: Accuracy, recorded: RecordedRuns) -> list[str]:
    """Which quantities are beyond a limit in how many runs, how good the others are, what to do."""
    good = ", ".join(f"{text(name)} to {percent(error)}" for name, error in found.within.items())
    if not found.runs_beyond:
        return [f"all are within the limits: {good}"]
    beyond = found.beyond
    counts = [f"{spread.kind} of {text(spread.quantity)} in {spread.beyond}" for spread in beyond]
    count = f"{found.runs_beyond} of them count as done, but are beyond a limit"
    lines = [f"{count}: {', '.join(counts)}"]
    if good:
        lines.append(f"  within both limits in every run: {good}")
    slow = [spread for spread in beyond if spread.kind == "err_time"]
    if slow:
        lines.append(f"  {_advice_on_time(found, recorded, slow)}")
    coarse = [spread for spread in beyond if spread.kind == "err_bins"]
    if coarse:
        lines.append(f"  {_advice_on_bins(found, recorded, coarse)}")
    run = max(coarse or slow, key=lambda spread: spread.largest).run
    invitation = f"  look closer at run {run}: "
    return [*lines, *_rerun_lines(invitation, recorded, run, "check", _limit_options(found))]


def _advice_on_time(found: Accuracy, recorded: RecordedRuns, beyond: Sequence[Spread]) -> str:
    worst = max(beyond, key=lambda spread: spread.largest)
    limit = found.limits[worst.kind]
    accepted = _accepted("time_limit", worst.largest)
    return time_advice(recorded.config(worst.run), worst.largest, limit, accepted)


def _advice_on_bins(found: Accuracy, recorded: RecordedRuns, beyond: Sequence[Spread]) -> str:
    run, quantity = found.neediest
    column = found.quantities.index(quantity)
    error = float(found.errors["err_bins"][run, column])
    order = float(found.orders[run, column])
    bins = recorded.config(run).sizes.n_bins
    needed = bins_for(bins, error, order, found.limits["err_bins"])
    accepted = _accepted("bins_limit", max(spread.largest for spread in beyond))
    return bins_advice(needed, f"{text(quantity)} of run {run}", accepted)


def _accepted(key: str, error: float) -> str:
    """What to write into the sweep file to accept an error; nothing where no limit would."""
    return f"accuracy: {{{key}: {rounded_up(error):g}}} in the sweep file" if error < 1.0 else ""


def _limit_options(found: Accuracy) -> str:
    """The limits that are not the default, for the command line of ``marsdisk check``."""
    options = ""
    for name, default in (("time", TIME_LIMIT), ("bins", BINS_LIMIT)):
        limit = found.limits[f"err_{name}"]
        if limit != default:
            options += f" --{name}-limit {limit:g}"
    return options


def cache_line(group: zarr.Group) -> str:
    """Cache hits over lookups of all finished runs, and the time that building every value anew would have taken."""
    hits, misses, rebuilds = (
        reader.column(group, f"cache_{name}").sum(axis=0) for name in ("hits", "misses", "rebuilds")
    )
    lookups = int((hits + misses + rebuilds).sum())
    builds = misses + rebuilds
    if not lookups:
        return "not used"
    seconds = np.nansum(reader.column(group, "cache_build_time"), axis=0)
    saved = float(np.sum(hits * seconds / np.maximum(builds, 1)))
    return (
        f"{100.0 * int(hits.sum()) / lookups:.1f} % of {lookups} lookups, which saved"
        f" {duration(saved)} of building"
    )
