"""Series of runs, or of disks made of rings, over time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from ..common.errors import StoreError
from ..common.states import LOOKS, State
from ..common.text import listed, text
from ..results.columns import labels, stopped_early
from ..results.curves import Curve
from ..results.quantity import Quantity, is_logarithmic, is_logarithmic_time
from ..results.rerun import find_run
from ..store.store import Store
from .bands import (
    INNER_WORDS,
    OUTER_WORDS,
    Sample,
    band_legend,
    count_in_words,
    draw_bands,
    group_curves,
    has_both,
)
from .choice import Choice, source, with_unit
from .colours import MAX_LEGEND_ENTRIES, bar_of_steps
from .curves import read_curves
from .page import Page, plain
from .points import are_numbers
from .ticks import label_few_decades

#: Curves that are drawn with lines of full width.
MAX_WIDE_CURVES = 40
#: Dashes of the curves that have a colour each, so that they differ without colour, too.
DASHES: tuple[Any, ...] = (
    "-",
    "--",
    ":",
    "-.",
    (0, (5, 1, 1, 1, 1, 1)),
    (0, (8, 2)),
    (0, (1, 3)),
)
#: Dashes and markers that many curves have besides their colour.
FURTHER_LOOKS: Mapping[str, tuple[str, ...]] = {
    "ls": ("-", "--", ":", "-."),
    "marker": ("", "o", "^", "s"),
}
#: Markers along a curve.
MARKERS_OF_CURVE = 8

#: Options of a line, such as its colour.
LineStyle = dict[str, Any]


@dataclass(frozen=True)
class _Panel:
    """What one panel shows."""

    choice: Choice
    over: str | None  #: the parameter with a curve, or a band, for each of its values
    summed: str | None  #: the ring axis where rings are summed
    sample: Sample | None  #: with bands instead of curves


@dataclass
class _Key:
    """What the looks of curves mean, the same in all panels of a figure."""

    leading: str | None  #: the parameter that colours stand for
    entries: dict[str, Any] = field(default_factory=dict)  #: of the legend, by their words
    steps: list[Any] = field(default_factory=list)  #: values of ``leading``, for a colour bar
    details: str = ""  #: what else is to be said of the lines or bands

    def add(self, *entries: Any) -> None:
        """Add entries to the legend, each once."""
        for entry in entries:
            self.entries.setdefault(str(entry.get_label()), entry)


def series(
    store: Store,
    page: Page,
    *,
    name: Sequence[str] = ("M_out_dot",),
    over: str | None = None,
    run: Sequence[str] = (),
    where: str | None = None,
    ring: int | None = None,
) -> Figure:
    """Draw series of the chosen runs over time.

    A quantity that adds up is summed over the rings of a disk unless runs or a ring are chosen, or
    rings are what the curves are over. Runs that are a sample of distributions are shown by the
    median and by bands between quantiles.

    Parameters
    ----------
    store : Store
        The store.
    page : Page
        Style of the figure; it receives notes on what was chosen automatically.
    name : str or sequence of str
        The series, a panel for each.
    over : str or None
        Parameter with a curve for each of its values, and the middle values of the others; with
        bands for each value where the runs are a sample. By default all runs have a curve.
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
        There is no such series, parameter, or run, or no run has a result.
    """
    names = [name] if isinstance(name, str) else list(dict.fromkeys(name))
    chosen = Choice.of(store, page, where, ring=ring)
    if run and over:
        raise StoreError("each chosen run has a curve of its own; drop --run or --over")
    if run:
        numbers = [find_run(store, run_name) for run_name in dict.fromkeys(run)]
        chosen = Choice.of_runs(store, page, numbers)
    figure, axes = page.figure(len(names), 1, height=0.6 if len(names) == 1 else 0.45, sharex=True)
    key = _Key(over)
    panel = _Panel(chosen, over, None, None)
    lacking = ""
    title = ", ".join(names)
    for ax, panel_name in zip(axes[:, 0], names, strict=True):
        if not run:
            panel = _choose_panel(chosen, panel_name, over, one_ring=len(names) > 1)
        choice = panel.choice
        choice.refuse_no_number(panel_name, ("sample",))
        stored, lacking = read_curves(choice, panel_name, panel.summed)
        values = np.concatenate([curve.values for curve in stored])
        quantity = choice.quantity(panel_name, values, summed=panel.summed)
        times = np.concatenate([curve.t for curve in stored])
        time = Quantity.of(store, "t", times, "time")
        curves = [curve.converted(time, quantity) for curve in stored]
        if panel.sample:
            _draw_bands(ax, panel, panel.sample, curves, key)
        else:
            _draw_curves(ax, panel, curves, key)
        label_few_decades(ax)
        ax.set_ylabel(page.label(quantity, folds=True))
        if len(names) == 1:
            title = quantity.head
    axes[-1, 0].set_xlabel(time.head)
    if key.leading and key.steps:
        _add_bar(figure, axes, panel.choice, key.leading, key.steps)
    page.legend(figure, [*key.entries.values()])
    page.title(
        figure,
        title,
        key.details,
        panel.choice.fixed(summed=panel.summed),
        source(store),
        f"not shown: {lacking}" if lacking else "",
        panel.choice.doubts(),
    )
    return figure


def _choose_panel(chosen: Choice, name: str, over: str | None, *, one_ring: bool) -> _Panel:
    """Choose the runs of a panel, and the middle of parameters that are left over."""
    store = chosen.store
    if over is not None:
        chosen.refuse_no_parameter(over)
    choice, summed = chosen.summed_over_rings(name, (over,))
    if summed:
        chosen.note_added_rings(name)
    sample = Sample.of(choice)
    drawn = sample.drawn if sample else ()
    free = [axis for axis in choice.varying() if axis not in {over, summed, *drawn}]
    if sample and over not in drawn:
        choice = sample.choice
        if over is None:
            fitting = [axis for axis in free if len(choice.values(axis)) <= MAX_LEGEND_ENTRIES]
            over = fitting[0] if fitting else None
        choice = choice.middle([axis for axis in free if axis != over])
        return _Panel(choice, over, summed, sample)
    if over is not None:
        if not choice.tells_apart(over, summed):
            choice = choice.middle(free)
    elif one_ring and not summed and store.ring_axis in choice.varying():
        choice = choice.middle([str(store.ring_axis)])
    return _Panel(choice, over, summed, None)


def _draw_bands(ax: Axes, panel: _Panel, sample: Sample, curves: list[Curve], key: _Key) -> None:
    """Draw the median and the bands of each value of a parameter, or of all curves."""
    choice = panel.choice
    over = panel.over
    bands = group_curves(choice, curves, over)
    if len(bands) > len(DASHES):
        raise StoreError(
            f"{over} has {len(bands)} values, bands for each are too many; choose at most"
            f" {len(DASHES)} with --where"
        )
    colours = choice.page.colours_of_few(len(bands))
    has_zeros = draw_bands(ax, bands, colours, DASHES)
    noun = "disk" if panel.summed else "run"
    counts = count_in_words(bands, noun)
    words = [f"{band.count} {noun}s" for band in bands]
    if over:
        for band, group, colour, dash in zip(bands, words, colours, DASHES, strict=False):
            label = f"{_assignment(choice, over, band.value)} ({group})"
            key.add(Line2D([], [], color=colour, ls=dash, label=label))
    key.add(*band_legend(bands, words))
    if has_zeros:
        key.add(Line2D([], [], lw=0, label="where a line or band ends: zero"))
    quantiles = f"median, {INNER_WORDS}, and {OUTER_WORDS}"
    if not has_both(bands):
        quantiles = f"median and {INNER_WORDS}"
    each = f" for each {plain(over)}" if over else ""
    drawn = listed([plain(name) for name in sample.drawn])
    key.details = f"{quantiles} of {counts}{each}, a {sample.method} sample of {drawn}"


def _draw_curves(ax: Axes, panel: _Panel, curves: list[Curve], key: _Key) -> None:
    """Fill one panel with a line for each curve."""
    choice = panel.choice
    styles = _line_styles(panel, curves, key)
    stop = choice.store.column("stop_reason")
    log_t = is_logarithmic_time([curve.t for curve in curves])
    if log_t:
        curves = [curve.after_start() for curve in curves]
    values = np.concatenate([curve.values for curve in curves])
    log_y = is_logarithmic(values)
    width = mpl.rcParams["lines.linewidth"] if len(curves) <= MAX_WIDE_CURVES else 0.5
    early = LOOKS[State.EARLY]
    has_early = False
    for curve, style in zip(curves, styles, strict=True):
        y = np.where(curve.values > 0.0, curve.values, np.nan) if log_y else curve.values
        if style.get("marker"):
            style["markevery"] = max(1, curve.t.size // MARKERS_OF_CURVE)
        ax.plot(curve.t, y, lw=width, gid=f"run-{curve.runs[0]}", **style)
        if stopped_early(stop[curve.runs]).any():
            has_early = True
            ax.plot(curve.t[-1:], y[-1:], early.marker, color=style["color"])
    ax.set(xscale="log" if log_t else "linear", yscale="log" if log_y else "linear")
    if log_y and (values == 0.0).any():
        key.add(Line2D([], [], lw=0, label="where a line ends: zero"))
    if has_early:
        key.add(Line2D([], [], marker=early.marker, lw=0, color="0.3", label=early.word))


def _line_styles(panel: _Panel, curves: list[Curve], key: _Key) -> list[LineStyle]:
    """Return the style of each curve, and add to the key what it means.

    Few curves have a colour and dashes each. Many are coloured by the parameter that sets them
    apart most, which is the same in all panels, and have dashes and markers by others.
    """
    choice = panel.choice
    shown_as_one = (panel.summed,)
    varying = [axis for axis in choice.varying() if axis not in shown_as_one]
    # By parameter, its value for each curve.
    values: dict[str, list[Any]] = {}
    for axis in varying:
        column = labels(choice.store, axis)
        values[axis] = [column[curve.runs[0]] for curve in curves]
    if len(curves) <= MAX_LEGEND_ENTRIES:
        return _styles_of_few(choice, values, curves, key)
    if not varying:
        return [{"color": "0.4"} for _ in curves]
    by_spread = sorted(varying, key=lambda axis: _spread(values[axis], curves), reverse=True)
    if key.leading not in varying:
        key.leading = by_spread[0]
    leading = str(key.leading)
    steps = choice.values(leading)
    colours = choice.page.line_colours(len(steps))
    index = {step: i for i, step in enumerate(steps)}
    styles: list[LineStyle] = [{"color": colours[index[value]]} for value in values[leading]]
    if len(steps) > MAX_LEGEND_ENTRIES and are_numbers(steps):
        key.steps = steps
    else:
        for step, colour in zip(steps, colours, strict=True):
            key.add(Line2D([], [], color=colour, label=_assignment(choice, leading, step)))
    if panel.over:
        differing = [plain(axis) for axis in by_spread if axis != leading]
        key.details = f"curves also differ in {listed(differing)}" if differing else ""
    else:
        others = {axis: values[axis] for axis in by_spread if axis != leading}
        _add_further_looks(choice, others, styles, key)
    return styles


def _add_further_looks(
    choice: Choice, values: dict[str, list[Any]], styles: list[LineStyle], key: _Key
) -> None:
    """Give curves dashes and markers by parameters, and note those that none are left for."""
    free_looks = dict(FURTHER_LOOKS)
    unseen = []
    for axis, column in values.items():
        steps = choice.values(axis)
        if not free_looks or len(steps) > len(next(iter(free_looks.values()))):
            unseen.append(axis)
            continue
        option = next(iter(free_looks))
        looks = dict(zip(steps, free_looks.pop(option), strict=False))
        for style, value in zip(styles, column, strict=True):
            style[option] = looks[value]
        for step, look in looks.items():
            words = _assignment(choice, axis, step)
            key.add(Line2D([], [], color="0.3", label=words, **{option: look}))
    if unseen:
        choice.page.notes.append(
            f"curves that differ in {listed(unseen)} alone look alike; see --over and --where"
        )


def _styles_of_few(
    choice: Choice, values: dict[str, list[Any]], curves: list[Curve], key: _Key
) -> list[LineStyle]:
    """Return a colour and dashes for each curve, and name each of them in the key."""
    styles: list[LineStyle] = []
    colours = choice.page.colours_of_few(len(curves))
    for i, curve in enumerate(curves):
        parts = [_assignment(choice, axis, column[i]) for axis, column in values.items()]
        style: LineStyle = {"color": colours[i], "ls": DASHES[i]}
        styles.append(style)
        key.add(Line2D([], [], label=", ".join(parts) or f"run {curve.runs[0]}", **style))
    return styles


def _add_bar(
    figure: Figure, axes: NDArray[Any], choice: Choice, name: str, steps: list[Any]
) -> None:
    """Add a colour bar of the values of a parameter."""
    quantity = Quantity.of_axis(choice.store, name)
    bar_of_steps(
        figure,
        axes,
        choice.page.line_colours(len(steps)),
        [text(quantity.label_of(step)) for step in steps],
        choice.page.label(quantity),
    )


def _assignment(choice: Choice, axis: str, value: Any) -> str:
    """Return an axis with its value, such as ``T0 = 4000 K``."""
    return f"{plain(axis)} = {with_unit(choice.store, axis, value)}".replace("\u00a0", " ")


def _spread(parts: Sequence[Any], curves: Sequence[Curve]) -> float:
    """Return how far the means of groups of curves lie apart, in decades."""
    groups: dict[Any, list[float]] = {}
    for part, curve in zip(parts, curves, strict=True):
        positive = curve.values[curve.values > 0.0]
        mean = float(np.mean(np.log10(positive))) if positive.size else 0.0
        groups.setdefault(part, []).append(mean)
    return float(np.std([np.mean(means) for means in groups.values()]))
