"""Series of runs, or of disks made of rings, over time."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from ..common.errors import StoreError
from ..common.states import LOOKS, State
from ..common.text import counted
from ..results.columns import labels, stopped_early
from ..results.quantity import Quantity, is_logarithmic, is_logarithmic_time
from ..results.rerun import find_run
from ..results.selection import drawn_at_random
from ..store import layout
from ..store.store import Store
from .choice import Choice, source, with_unit
from .colours import COLOURS
from .page import Page, plain

#: Curves of a figure; of more, a random sample is drawn.
MAX_CURVES_DRAWN = 2000
#: Curves that have a colour and an entry of the legend each.
MAX_NAMED_CURVES = 7
#: Values of a parameter that the legend lists.
MAX_NAMED_VALUES = 6
#: Curves that are drawn with lines of full width.
MAX_WIDE_CURVES = 40
DASHES = ("-", "--", ":", "-.")

#: Options of a line, such as its colour.
LineStyle = dict[str, Any]


@dataclass(frozen=True)
class _Curve:
    runs: list[int]  #: a single run, or the rings of a disk
    t: NDArray[np.float64]
    values: NDArray[np.float64]


def series(
    store: Store,
    page: Page,
    *,
    name: Sequence[str] = ("M_out_dot",),
    run: Sequence[str] = (),
    where: str | None = None,
    ring: int | None = None,
) -> Figure:
    """Draw series of the chosen runs over time.

    A quantity that adds up is summed over the rings of a disk unless runs or a ring are chosen.

    Parameters
    ----------
    store : Store
        The store.
    page : Page
        Style of the figure; it receives notes on what was chosen automatically.
    name : str or sequence of str
        The series, a panel for each.
    run : sequence of str
        Numbers or identifiers of runs; by default all runs.
    where : str or None
        Condition on the runs.
    ring : int or None
        The only ring to show.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.

    Raises
    ------
    StoreError
        There is no such series or run, or no run has a result.
    """
    names = [name] if isinstance(name, str) else list(dict.fromkeys(name))
    chosen = Choice.of(store, page, where, ring=ring)
    if run:
        numbers = [find_run(store, run_name) for run_name in dict.fromkeys(run)]
        chosen = Choice.of_runs(store, page, numbers)
    figure, axes = page.figure(len(names), 1, height=0.6 if len(names) == 1 else 0.45, sharex=True)
    summed = None
    choice = chosen
    lacking = ""
    legend = list[Line2D]()
    title = ", ".join(names)
    for ax, panel_name in zip(axes[:, 0], names, strict=True):
        summed = None
        choice = chosen
        if not run:
            choice, summed = chosen.summed_over_rings(panel_name, ())
            if summed:
                chosen.note_added_rings(panel_name)
        rings = store.ring_axis
        if not summed and not run and rings in chosen.varying() and len(names) > 1:
            choice = chosen.middle([str(rings)])
        choice.refuse_no_number(panel_name, ("sample",))
        stored, lacking = _read_curves(choice, panel_name, summed)
        values = np.concatenate([curve.values for curve in stored])
        quantity = choice.quantity(panel_name, values, summed=summed)
        times = np.concatenate([curve.t for curve in stored])
        time = Quantity.of(store, "t", times, "time")
        curves = [
            replace(curve, t=time.convert(curve.t), values=quantity.convert(curve.values))
            for curve in stored
        ]
        legend = _draw_panel(ax, choice, curves, explained=() if run else (summed,))
        ax.set_ylabel(page.label(quantity, folds=True))
        if len(names) == 1:
            title = quantity.head
    axes[-1, 0].set_xlabel(time.head)
    page.legend(figure, legend)
    page.title(
        figure,
        title,
        choice.fixed(summed=summed),
        source(store),
        f"not shown: {lacking}" if lacking else "",
        choice.doubts(),
    )
    return figure


def _read_curves(choice: Choice, name: str, summed: str | None) -> tuple[list[_Curve], str]:
    """Read a curve for each finished run or disk; the text says which are left out.

    All rings of a disk must have finished and have the same times.
    """
    store = choice.store
    status = store.column("status")
    ring_count = len(choice.values(summed)) if summed else 1
    done = []
    for runs in _runs_of_curves(choice, summed):
        if len(runs) == ring_count and (status[runs] == layout.DONE).all():
            done.append(runs)
    drawn = drawn_at_random(np.arange(len(done)), MAX_CURVES_DRAWN)
    curves = []
    uneven = 0
    for runs in (done[i] for i in drawn):
        times = np.array([store.rows("t", run) for run in runs])
        if not np.allclose(times, times[0], rtol=1e-9, atol=0.0):
            uneven += 1
            continue
        values = np.sum([store.rows(name, run) for run in runs], axis=0)
        curves.append(_Curve(runs, times[0], values))
    reasons = [choice.lacking()]
    if drawn.size < len(done):
        sample = f"a random sample of {drawn.size} of {len(done)} curves"
        reasons.append(f"{len(done) - drawn.size} curves ({sample} is drawn)")
        choice.page.notes.append(f"drawn: {sample}; choose others with --where")
    if uneven:
        ended_apart = f"{counted(uneven, 'disk')} whose rings ended at different times"
        reasons.append(ended_apart)
        choice.page.notes.append(f"not shown: {ended_apart}; --ring shows one ring")
    lacking = ", ".join(filter(None, reasons))
    if not curves:
        raise StoreError(
            f"no curve can be drawn: {lacking}; choose others with --where, --run or --ring"
        )
    return curves, lacking


def _runs_of_curves(choice: Choice, summed: str | None) -> list[list[int]]:
    """Return the runs of each curve: a single run, or the rings that differ in nothing else."""
    if not summed:
        return [[run] for run in choice.runs.tolist()]
    columns = [labels(choice.store, axis) for axis in choice.dimensions if axis != summed]
    disks: dict[tuple[Any, ...], list[int]] = {}
    for run in choice.runs.tolist():
        disk = tuple(column[run] for column in columns)
        disks.setdefault(disk, []).append(run)
    return list(disks.values())


def _draw_panel(
    ax: Axes,
    choice: Choice,
    curves: list[_Curve],
    *,
    explained: Sequence[str | None],
) -> list[Line2D]:
    """Fill one panel and return the entries of its legend."""
    varying = [axis for axis in choice.varying() if axis not in explained]
    styles, legend = _line_styles(choice, varying, curves)
    stop = choice.store.column("stop_reason")
    log_t = is_logarithmic_time([curve.t for curve in curves])
    if log_t:
        curves = [_after_start(curve) for curve in curves]
    values = np.concatenate([curve.values for curve in curves])
    log_y = is_logarithmic(values)
    width = mpl.rcParams["lines.linewidth"] if len(curves) <= MAX_WIDE_CURVES else 0.5
    early = LOOKS[State.EARLY]
    has_early = False
    for curve, style in zip(curves, styles, strict=True):
        y = np.where(curve.values > 0.0, curve.values, np.nan) if log_y else curve.values
        ax.plot(curve.t, y, lw=width, gid=f"run-{curve.runs[0]}", **style)
        if stopped_early(stop[curve.runs]).any():
            has_early = True
            ax.plot(curve.t[-1:], y[-1:], early.marker, color=style["color"])
    ax.set(xscale="log" if log_t else "linear", yscale="log" if log_y else "linear")
    if log_y and (values == 0.0).any():
        legend.append(Line2D([], [], lw=0, label="where a line ends: zero"))
    if has_early:
        legend.append(Line2D([], [], marker=early.marker, lw=0, color="0.3", label=early.word))
    return legend


def _after_start(curve: _Curve) -> _Curve:
    """Return a curve without its start, which has no place on a logarithmic axis."""
    positive = curve.t > 0.0
    return _Curve(curve.runs, curve.t[positive], curve.values[positive])


def _line_styles(
    choice: Choice, varying: list[str], curves: list[_Curve]
) -> tuple[list[LineStyle], list[Line2D]]:
    """Return the style of each curve and the entries of the legend.

    Few curves have a colour each. Many are coloured by the parameter that sets them apart most, and
    dashed by the next.
    """
    # By parameter, its value for each curve.
    values: dict[str, list[Any]] = {}
    for axis in varying:
        column = labels(choice.store, axis)
        values[axis] = [column[curve.runs[0]] for curve in curves]
    if len(curves) <= MAX_NAMED_CURVES:
        return _styles_of_few(choice, values, curves)
    if not varying:
        return [{"color": "0.4"}] * len(curves), []
    by_spread = sorted(varying, key=lambda axis: _spread(values[axis], curves), reverse=True)
    colour_axis, *other_axes = by_spread
    steps = choice.values(colour_axis)
    colours = choice.page.line_colours(len(steps))
    styles: list[LineStyle] = []
    for value in values[colour_axis]:
        styles.append({"color": colours[steps.index(value)]})
    count = min(len(steps), MAX_NAMED_VALUES)
    named = sorted({round(i) for i in np.linspace(0, len(steps) - 1, count)})
    entries = [
        Line2D([], [], color=colours[i], label=_assignment(choice, colour_axis, steps[i]))
        for i in named
    ]
    for axis in other_axes:
        if 1 < len(choice.values(axis)) <= len(DASHES):
            dashes = dict(zip(choice.values(axis), DASHES, strict=False))
            for style, value in zip(styles, values[axis], strict=True):
                style["ls"] = dashes[value]
            for value, dash in dashes.items():
                text = _assignment(choice, axis, value)
                entries.append(Line2D([], [], color="0.3", ls=dash, label=text))
            break
    return styles, entries


def _styles_of_few(
    choice: Choice, values: dict[str, list[Any]], curves: list[_Curve]
) -> tuple[list[LineStyle], list[Line2D]]:
    """Return a colour for each curve and a legend that names each of them."""
    styles: list[LineStyle] = []
    entries = []
    for i, curve in enumerate(curves):
        parts = [_assignment(choice, axis, column[i]) for axis, column in values.items()]
        style: LineStyle = {"color": COLOURS[i]}
        styles.append(style)
        entries.append(Line2D([], [], label=", ".join(parts) or f"run {curve.runs[0]}", **style))
    return styles, entries


def _assignment(choice: Choice, axis: str, value: Any) -> str:
    """Return an axis with its value, such as ``T0 = 4000 K``."""
    return f"{plain(axis)} = {with_unit(choice.store, axis, value)}".replace("\u00a0", " ")


def _spread(parts: Sequence[Any], curves: Sequence[_Curve]) -> float:
    """Return how far the means of groups of curves lie apart, in decades."""
    groups: dict[Any, list[float]] = {}
    for part, curve in zip(parts, curves, strict=True):
        positive = curve.values[curve.values > 0.0]
        mean = float(np.mean(np.log10(positive))) if positive.size else 0.0
        groups.setdefault(part, []).append(mean)
    return float(np.std([np.mean(means) for means in groups.values()]))
