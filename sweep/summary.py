"""What a sweep ends with on the terminal: totals over its axes, failures, speed, what to type next."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from rich.table import Table

from marsdisk.convergence import BINS_LIMIT, QUANTITIES, TIME_LIMIT

from .design import POINT
from .outcomes import GOOD, STATES, Outcomes, outcomes
from .progress import duration
from .rerun import RecordedRuns
from .spec import Sweep
from .store import layout, reader
from .store.place import Place
from .tables import text
from .views import coded, runs_of

ROWS_SHOWN, COLUMNS_SHOWN = 40, 8
AVAILABLE = "M_available"


def totals(group: zarr.Group, name: str = "M_loss") -> Table | None:
    """``name`` over the axes of the product, summed over rings; None where there is no axis to lay out.

    A cell with a failed, pending or excluded run says so instead of showing a sum that lacks it; included runs are not in it.
    """
    if POINT in reader.axis_names(group):
        return None  # points of a design are no table; sweep summary and sweep sensitivity ask them
    found = outcomes(group, name)
    if not found.axes:
        return None
    available = _available(group, name, found)
    codes = {axis: coded(found.labels[axis]) for axis in found.axes}
    column_axis = next((axis for axis in reversed(found.axes) if len(codes[axis][0]) <= COLUMNS_SHOWN), None)
    row_axes = [axis for axis in found.axes if axis != column_axis]
    values, code = codes[column_axis] if column_axis else ([""], np.zeros(found.value.size, np.int64))
    rows = found.groups({axis: found.labels[axis] for axis in row_axes})
    share = " (and its share of the mass that was available)" if available is not None else ""
    table = Table(title=f"{found.words}{share} over {', '.join(found.axes)}", title_justify="left")
    for axis in row_axes:
        table.add_column(axis, justify="right")
    for value in values:
        table.add_column(f"{column_axis} = {_label(value)}" if column_axis else found.words, justify="right")
    for at, here in rows[:ROWS_SHOWN]:
        table.add_row(*map(_label, at.values()), *(_cell(found, available, here[code[here] == i]) for i in range(len(values))))
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
        lines += [f"run {run} failed: {errors[run]}", *_rerun_lines("  run it alone: ", recorded, run)]
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


def check_lines(group: zarr.Group, sweep: Sweep, shown: int = 10) -> list[str]:
    """How many runs were checked, the largest differences, and the runs beyond a limit; nothing where the sweep asks for no checks."""
    spec = sweep.spec.check
    if spec is None or "err_time" not in group:
        return []
    limits = {"err_time": spec.time_limit, "err_bins": spec.bins_limit}
    errors = {name: reader.column(group, name) for name in limits}
    looked_at = np.flatnonzero(~np.isnan(errors["err_time"]).any(axis=1)).tolist()
    not_compared = [run for run in looked_at if all(np.isinf(of[run]).all() for of in errors.values())]
    compared = sorted({*looked_at} - {*not_compared})
    lines = [f"checked {len(compared)} of {runs_of(group).size} runs with tighter steps and with twice the bins"]
    if compared:
        lines[0] += ": " + ", ".join(_largest(name, errors[name], compared, limit) for name, limit in limits.items())
    over = {run: [words for name, limit in limits.items() for words in _over(name, errors[name][run], limit)] for run in compared}
    beyond = [run for run in compared if over[run]]
    recorded = RecordedRuns.of(group, sweep)
    if beyond:
        lines.append(f"{len(beyond)} of them beyond a limit; they count as done, but are no more exact than this:")
        lines += [f"  run {run}: {', '.join(over[run])}" for run in beyond[:shown]]
        lines += [f"  and {len(beyond) - shown} more: err_time and err_bins in the store"] if len(beyond) > shown else []
        own = {"time": (spec.time_limit, TIME_LIMIT), "bins": (spec.bins_limit, BINS_LIMIT)}
        options = "".join(f" --{name}-limit {limit:g}" for name, (limit, default) in own.items() if limit != default)
        lines += _rerun_lines("  look closer: ", recorded, beyond[0], "check", options)
    for run in not_compared[:shown]:
        invitation = f"run {run} could not be compared; see why: "
        lines += _rerun_lines(invitation, recorded, run, "check")
    lines += [f"and {len(not_compared) - shown} more like it"] if len(not_compared) > shown else []
    return lines


def _largest(name: str, errors: NDArray[np.float64], runs: Sequence[int], limit: float) -> str:
    row, column = divmod(int(np.argmax(errors[runs])), len(QUANTITIES))
    return f"largest {name} {errors[runs[row], column]:.2g} ({QUANTITIES[column]} of run {runs[row]}; limit {limit:g})"


def _over(name: str, errors: NDArray[np.float64], limit: float) -> list[str]:
    return [f"{name} of {quantity} = {error:.2g}" for quantity, error in zip(QUANTITIES, errors.tolist(), strict=True) if error > limit]


def cache_line(group: zarr.Group) -> str:
    """Cache hits over lookups of all finished runs, and the time that building every value anew would have taken."""
    hits, misses, rebuilds = (reader.column(group, f"cache_{name}").sum(axis=0) for name in ("hits", "misses", "rebuilds"))
    lookups, builds = int((hits + misses + rebuilds).sum()), misses + rebuilds
    if not lookups:
        return "not used"
    seconds = np.nansum(reader.column(group, "cache_build_time"), axis=0)
    saved = float(np.sum(hits * seconds / np.maximum(builds, 1)))
    return f"{100.0 * int(hits.sum()) / lookups:.1f} % of {lookups} lookups, which saved {duration(saved)} of building"
