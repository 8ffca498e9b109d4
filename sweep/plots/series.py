"""Series of runs, or of disks made of rings, over time."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
import zarr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from marsdisk.physics.constants import YEAR

from ..errors import StoreError
from ..rerun import find_run
from ..store import layout, reader
from ..views import label, labels, ring_axis, row, stopped_early
from .choice import Choice, quantity, source, unit_of, with_unit
from .page import CMAP, COLOURS, Page, decades, plain

MOST_CURVES, MOST_NAMED = 2000, 7


@dataclass(frozen=True)
class _Curve:
    runs: list[int]  #: one, or the rings of a disk
    t: NDArray[np.float64]  #: yr
    values: NDArray[np.float64]


def series(
    group: zarr.Group,
    page: Page,
    *,
    name: Sequence[str] = ("M_out_dot",),
    run: Sequence[str] = (),
    where: str | None = None,
    ring: int | None = None,
) -> Figure:
    """Series of the chosen runs over time; a quantity that adds up is summed over the rings of a disk unless runs or a ring are chosen."""
    names = [name] if isinstance(name, str) else list(dict.fromkeys(name))
    chosen = Choice.of(group, page, where, ring=ring)
    if run:
        chosen = Choice(group, page, np.array([find_run(group, one) for one in dict.fromkeys(run)], dtype=np.int64))
    figure, axes = page.figure(len(names), 1, height=0.6 if len(names) == 1 else 0.45, sharex=True)
    summed, choice = None, chosen
    for ax, one in zip(axes[:, 0], names, strict=True):
        summed = None if run else chosen.over_rings(unit_of(group, one), ())
        rings = ring_axis(group)
        choice = chosen if summed or run or rings not in chosen.varying() or len(names) == 1 else chosen.middle([str(rings)])
        what = quantity(group, one, summed, ("sample",))
        curves = _curves(choice, one, summed)
        _draw(ax, page, choice, curves, what, () if run else (summed,))
    axes[-1, 0].set_xlabel("time [yr]")
    what = quantity(group, names[0], summed, ("sample",)) if len(names) == 1 else ", ".join(names)
    lacking = choice.lacking()
    page.title(figure, what, choice.fixed(summed=summed), source(group) + (f"; not shown: {lacking}" if lacking else ""))
    return figure


def _curves(choice: Choice, name: str, summed: str | None) -> list[_Curve]:
    """One for each finished run, or for each disk all of whose rings have finished and have the same times."""
    group, status = choice.group, reader.column(choice.group, "status")
    others = {axis: labels(group, axis) for axis in choice.dimensions if axis != summed}
    sets: dict[Any, list[int]] = {}
    for one in choice.runs.tolist():
        sets.setdefault(tuple(others[axis][one] for axis in others) if summed else one, []).append(one)
    if len(sets) > MOST_CURVES:
        raise StoreError(f"{len(sets)} curves are too many; choose at most {MOST_CURVES} with --where or --run")
    found, whole, uneven = [], len(choice.values(summed)) if summed else 1, 0
    for runs in sets.values():
        if len(runs) < whole or (status[runs] != layout.DONE).any():
            continue
        times = np.array([row(group, "t", one) for one in runs])
        if not np.allclose(times, times[0], rtol=1e-9, atol=0.0):
            uneven += 1
            continue
        found.append(_Curve(runs, times[0] / YEAR, np.sum([row(group, name, one) for one in runs], axis=0)))
    if uneven:
        choice.page.notes.append(f"{uneven} disks are not shown, as their rings ended at different times; choose a ring with --ring")
    if not found:
        raise StoreError(
            f"no curve can be drawn: {choice.lacking() or 'the rings of every disk ended at different times'}; choose others with --where, --run or --ring"
        )
    return found


def _draw(ax: Any, page: Page, choice: Choice, curves: list[_Curve], what: str, known: Sequence[str | None]) -> None:
    group = choice.group
    varying = [axis for axis in choice.varying() if axis not in known]
    values = {axis: labels(group, axis) for axis in varying}
    colours, legend = _colours(choice, varying, values, curves)
    stop = reader.column(group, "stop_reason")
    all_values, all_times = np.concatenate([curve.values for curve in curves]), np.concatenate([curve.t for curve in curves])
    positive_times = all_times[all_times > 0.0]
    log_t = positive_times.size > 0 and float(np.median([curve.t[curve.t > 0.0][0] / curve.t[-1] for curve in curves if curve.t[-1] > 0.0])) < 0.02
    log_y = decades(all_values) > 2.0
    early = False
    for curve, colour in zip(curves, colours, strict=True):
        shown = np.where(curve.values > 0.0, curve.values, np.nan) if log_y else curve.values
        some = curve.t > 0.0 if log_t else np.ones(curve.t.size, bool)
        ax.plot(
            curve.t[some], shown[some], color=colour, lw=mpl.rcParams["lines.linewidth"] if len(curves) <= 40 else 0.5, gid=f"run-{curve.runs[0]}"
        )
        if stopped_early(stop[curve.runs]).any():
            early = True
            ax.plot(curve.t[-1:], shown[-1:], "x", color=colour)
    ax.set(xscale="log" if log_t else "linear", yscale="log" if log_y else "linear", ylabel=what)
    if log_y and (all_values == 0.0).any():
        legend.append(Line2D([], [], lw=0, label="gaps: zero"))
    if early:
        legend.append(Line2D([], [], marker="x", lw=0, color="0.3", label="stopped early"))
    if legend:
        heads = ", ".join(label(group, axis) for axis in varying) if len(curves) <= MOST_NAMED else label(group, varying[0]) if varying else ""
        title = heads if len(heads) < 60 else None
        ax.legend(handles=legend, title=title, fontsize="small", title_fontsize="small", alignment="left", loc="best")


def _colours(choice: Choice, varying: list[str], values: dict[str, list[Any]], curves: list[_Curve]) -> tuple[list[Any], list[Any]]:
    """A colour for each curve, and what to put into the legend: every curve, or the values of the first parameter that varies."""
    if len(curves) <= MOST_NAMED:
        words = [
            ", ".join(with_unit(choice.group, axis, values[axis][curve.runs[0]]) for axis in varying) or f"run {curve.runs[0]}" for curve in curves
        ]
        colours: list[Any] = list(itertools.islice(COLOURS, len(curves)))
        return colours, [Line2D([], [], color=colour, label=word) for colour, word in zip(colours, words, strict=True)]
    if not varying:
        return ["0.4"] * len(curves), []
    steps = choice.values(varying[0])
    scale = [mpl.colormaps[CMAP](i / max(len(steps) - 1, 1) * 0.92) for i in range(len(steps))]
    named = sorted({round(i) for i in np.linspace(0, len(steps) - 1, min(len(steps), 6))})
    legend = [Line2D([], [], color=scale[i], label=plain(with_unit(choice.group, varying[0], steps[i]))) for i in named]
    return [scale[steps.index(values[varying[0]][curve.runs[0]])] for curve in curves], legend
