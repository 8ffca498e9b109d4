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
from ..views import labels, ring_axis, stopped_early
from .choice import Choice, counted, quantity, source, unit_of, with_unit
from .page import CMAP, COLOURS, Page, decades, folded, plain

MOST_CURVES = 2000
MOST_NAMED = 7
DASHES = ("-", "--", ":", "-.")


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
        chosen = Choice(
            group,
            page,
            np.array([find_run(group, one) for one in dict.fromkeys(run)], dtype=np.int64),
        )
    figure, axes = page.figure(len(names), 1, height=0.6 if len(names) == 1 else 0.45, sharex=True)
    summed = None
    choice = chosen
    lacking = ""
    legend = list[Line2D]()
    for ax, one in zip(axes[:, 0], names, strict=True):
        summed = None if run else chosen.over_rings(unit_of(group, one), ())
        rings = ring_axis(group)
        choice = (
            chosen
            if summed or run or rings not in chosen.varying() or len(names) == 1
            else chosen.middle([str(rings)])
        )
        what = quantity(group, one, summed, ("sample",))
        curves, lacking = _curves(choice, one, summed)
        legend = _draw(ax, choice, curves, what, () if run else (summed,))
    axes[-1, 0].set_xlabel("time [yr]")
    what = quantity(group, names[0], summed, ("sample",)) if len(names) == 1 else ", ".join(names)
    page.legend(figure, legend)
    page.title(
        figure,
        what,
        choice.fixed(summed=summed),
        source(group),
        f"not shown: {lacking}" if lacking else "",
        choice.doubts(),
    )
    return figure


def _curves(choice: Choice, name: str, summed: str | None) -> tuple[list[_Curve], str]:
    """One for each finished run, or for each disk all of whose rings have finished and have the same times; what is left out, in words."""
    group = choice.group
    status = reader.column(choice.group, "status")
    others = {axis: labels(group, axis) for axis in choice.dimensions if axis != summed}
    sets: dict[Any, list[int]] = {}
    for one in choice.runs.tolist():
        sets.setdefault(tuple(others[axis][one] for axis in others) if summed else one, []).append(
            one
        )
    if len(sets) > MOST_CURVES:
        raise StoreError(
            f"{len(sets)} curves are too many; choose at most {MOST_CURVES} with --where or --run"
        )
    found = []
    whole = len(choice.values(summed)) if summed else 1
    uneven = 0
    for runs in sets.values():
        if len(runs) < whole or (status[runs] != layout.DONE).any():
            continue
        times = np.array([reader.part(group, "t", one) for one in runs])
        if not np.allclose(times, times[0], rtol=1e-9, atol=0.0):
            uneven += 1
            continue
        found.append(
            _Curve(
                runs,
                times[0] / YEAR,
                np.sum([reader.part(group, name, one) for one in runs], axis=0),
            )
        )
    lacking = ", ".join(
        filter(
            None,
            [
                choice.lacking(),
                f"{counted(uneven, 'disk')} whose rings ended at different times" if uneven else "",
            ],
        )
    )
    if uneven:
        choice.page.notes.append(
            f"not shown: {counted(uneven, 'disk')} whose rings ended at different times; --ring"
            " shows one ring"
        )
    if not found:
        raise StoreError(
            f"no curve can be drawn: {lacking}; choose others with --where, --run or --ring"
        )
    return found, lacking


def _draw(
    ax: Any, choice: Choice, curves: list[_Curve], what: str, known: Sequence[str | None]
) -> list[Line2D]:
    """Fill one panel; what is to be explained of it."""
    group = choice.group
    varying = [axis for axis in choice.varying() if axis not in known]
    looks, legend = _looks(choice, varying, curves)
    stop = reader.column(group, "stop_reason")
    log_t = float(np.median([_first(curve.t) / curve.t[-1] for curve in curves])) < 0.02
    everything = np.concatenate(
        [curve.values[curve.t > 0.0] if log_t else curve.values for curve in curves]
    )
    log_y = decades(everything) > 2.0
    early = False
    for curve, look in zip(curves, looks, strict=True):
        shown = np.where(curve.values > 0.0, curve.values, np.nan) if log_y else curve.values
        some = curve.t > 0.0 if log_t else np.ones(curve.t.size, bool)
        ax.plot(
            curve.t[some],
            shown[some],
            lw=mpl.rcParams["lines.linewidth"] if len(curves) <= 40 else 0.5,
            gid=f"run-{curve.runs[0]}",
            **look,
        )
        if stopped_early(stop[curve.runs]).any():
            early = True
            ax.plot(curve.t[-1:], shown[-1:], "x", color=look["color"])
    ax.set(
        xscale="log" if log_t else "linear",
        yscale="log" if log_y else "linear",
        ylabel=folded(what),
    )
    if log_y and (everything == 0.0).any():
        legend.append(Line2D([], [], lw=0, label="where a line ends: zero"))
    if early:
        legend.append(Line2D([], [], marker="x", lw=0, color="0.3", label="stopped early"))
    return legend


def _first(t: NDArray[np.float64]) -> float:
    """The first time after the start."""
    return float(t[t > 0.0][0]) if (t > 0.0).any() else float("nan")


def _looks(
    choice: Choice, varying: list[str], curves: list[_Curve]
) -> tuple[list[dict[str, Any]], list[Line2D]]:
    """Colour and dashes of each curve, the entries of the legend.

    Few curves have a colour each. Many are coloured by the parameter that sets them apart most, and
    dashed by the next.
    """
    values = {axis: labels(choice.group, axis) for axis in varying}
    if len(curves) <= MOST_NAMED:
        words = [
            ", ".join(_named(choice, axis, values[axis][curve.runs[0]]) for axis in varying)
            or f"run {curve.runs[0]}"
            for curve in curves
        ]
        looks: list[dict[str, Any]] = [
            {"color": colour} for colour in itertools.islice(COLOURS, len(curves))
        ]
        entries = [
            Line2D([], [], label=word, **look) for look, word in zip(looks, words, strict=True)
        ]
        return looks, entries
    if not varying:
        return [{"color": "0.4"}] * len(curves), []
    first, *others = sorted(
        varying,
        key=lambda axis: _spread([values[axis][curve.runs[0]] for curve in curves], curves),
        reverse=True,
    )
    steps = choice.values(first)
    colours = [mpl.colormaps[CMAP](i / max(len(steps) - 1, 1) * 0.92) for i in range(len(steps))]
    looks = [{"color": colours[steps.index(values[first][curve.runs[0]])]} for curve in curves]
    named = sorted({round(i) for i in np.linspace(0, len(steps) - 1, min(len(steps), 6))})
    entries = [
        Line2D([], [], color=colours[i], label=_named(choice, first, steps[i])) for i in named
    ]
    second = next((axis for axis in others if 1 < len(choice.values(axis)) <= len(DASHES)), None)
    if second:
        dashes = dict(zip(choice.values(second), DASHES, strict=False))
        looks = [
            {**look, "ls": dashes[values[second][curve.runs[0]]]}
            for look, curve in zip(looks, curves, strict=True)
        ]
        entries += [
            Line2D([], [], color="0.3", ls=dash, label=_named(choice, second, value))
            for value, dash in dashes.items()
        ]
    return looks, entries


def _named(choice: Choice, axis: str, value: Any) -> str:
    return f"{plain(axis)} = {with_unit(choice.group, axis, value)}".replace("\u00a0", " ")


def _spread(parts: Sequence[Any], curves: Sequence[_Curve]) -> float:
    """How far the means of groups of curves lie apart, in decades."""
    sizes: dict[Any, list[float]] = {}
    for part, curve in zip(parts, curves, strict=True):
        positive = curve.values[curve.values > 0.0]
        sizes.setdefault(part, []).append(
            float(np.mean(np.log10(positive))) if positive.size else 0.0
        )
    return float(np.std([np.mean(group) for group in sizes.values()]))
