"""The effect of each axis alone on a scalar (tornado chart)."""

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from ..common.errors import StoreError
from ..common.states import State
from ..common.text import counted
from ..results.cells import cells
from ..results.columns import labels
from ..results.quantity import is_logarithmic
from ..store.store import Store
from .choice import Choice, source, with_unit
from .colours import COLOURS
from .page import Page, plain
from .ticks import label_few_decades

#: Fraction of the range that is left free on both sides for the values of the axes.
MARGIN = 0.22
#: How often the range is widened for words that need more, and by how much of what they need.
MAX_WIDENINGS = 6
WIDENING = 1.3


_WITH_VALUE = (State.DONE, State.EARLY)


@dataclass(frozen=True)
class _Bar:
    axis: str
    points: list[Any]  #: values of the axis
    values: NDArray[np.float64]  #: (points,), NaN where there is no result
    without_value: dict[State, int]  #: number of points in each state without a value

    @property
    def low(self) -> int:
        return int(np.nanargmin(self.values))

    @property
    def high(self) -> int:
        return int(np.nanargmax(self.values))

    @property
    def span(self) -> float:
        if not np.isfinite(self.values).any():
            return 0.0
        return float(self.values[self.high] - self.values[self.low])

    @property
    def lacking(self) -> str:
        """How many points have no result, in words."""
        counts = self.without_value.items()
        words = ", ".join(f"{count} {state.word}" for state, count in counts if count)
        return f"{words} of {len(self.points)}" if words else ""


def sensitivity(
    store: Store,
    page: Page,
    *,
    name: str = "M_loss",
    where: str | None = None,
    ring: int | None = None,
) -> Figure:
    """Draw the range of a scalar along each axis, with all others at their middle values.

    Parameters
    ----------
    store : Store
        The store.
    page : Page
        Style of the figure; it receives notes on the runs.
    name : str
        The scalar.
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
        No two runs differ in one axis alone, or none of them has a result.
    """
    choice = Choice.of(store, page, where, ring=ring)
    chosen = choice
    choice, summed = chosen.summed_over_rings(name, ())
    if summed:
        chosen.note_added_rings(name)
    choice.refuse_no_number(name)
    axes = [axis for axis in choice.varying() if axis != summed]
    if not axes:
        raise StoreError("no axis has more than one value; there is nothing to compare")
    centre = _centre(choice, axes)
    bars = _read_bars(choice, name, centre, summed)
    infinite = sum(int(np.isinf(bar.values).sum()) for bar in bars)
    if infinite:
        page.notes.append(f"not shown: {counted(infinite, 'value')} of {name}, being infinite")
    bars = [replace(bar, values=np.where(np.isinf(bar.values), np.nan, bar.values)) for bar in bars]
    stored = np.concatenate([bar.values for bar in bars]) if bars else np.empty(0)
    quantity = choice.quantity(name, stored, summed=summed)
    bars = [replace(bar, values=quantity.convert(bar.values)) for bar in bars]
    values = quantity.convert(stored)
    are_alone = all(np.isfinite(bar.values).sum() < 2 for bar in bars)
    if are_alone and choice.runs.size > 1 and not choice.lacking() and not infinite:
        raise StoreError(
            "no two runs differ in one parameter alone around the middle; this figure is for grids"
            " and one-at-a-time sweeps, not for samples"
        )
    if not np.isfinite(values).any():
        reason = "all values are infinite" if infinite else choice.lacking() or "there is none"
        raise StoreError(f"no run on the axes through the middle has a result ({reason})")
    reference = _value_at_centre(bars, centre)
    scale = _Scale.of(values)
    figure, grid = page.figure(height=0.16 + 0.08 * len(bars), lines=5.0 + 2.0 * len(bars))
    ax = grid[0, 0]
    for y, bar in enumerate(bars):
        _draw_bar(ax, store, y, bar, reference, scale)
    if np.isfinite(reference):
        ax.axvline(scale.position(reference), color="0.3", lw=0.8)
    _set_axes(ax, bars, scale, page.label(quantity))
    _make_room(figure, ax)
    middle = ", ".join(
        f"{axis} = {with_unit(store, axis, value)}" for axis, value in centre.items()
    )
    absent = "" if np.isfinite(reference) else ", which has no result"
    page.title(
        figure,
        f"Effect of each axis alone on {quantity.head}",
        f"middle (line): {middle}{absent}",
        choice.fixed(*axes, summed=summed),
        source(store),
        choice.doubts(),
    )
    if np.isfinite(reference):
        page.legend(
            figure,
            [
                Patch(color=COLOURS[0], label="below the middle"),
                Patch(color=COLOURS[1], label="above the middle"),
            ],
        )
    return figure


def _centre(choice: Choice, axes: list[str]) -> dict[str, Any]:
    """Return the base of a one-at-a-time sweep, or else the middle of a grid."""
    if "one_at_a_time" in choice.store.axes:
        steps = choice.store.column("one_at_a_time")
        base = [run for run in choice.runs.tolist() if steps[run] == "base"]
        if base:
            return {axis: labels(choice.store, axis)[base[0]] for axis in axes}
    return choice.middles(axes)


def _read_bars(choice: Choice, name: str, centre: dict[str, Any], summed: str | None) -> list[_Bar]:
    """Read the scalar along each axis through the centre; the longest bar comes last."""
    axes = list(centre)
    columns = choice.selection.columns
    bars = []
    for axis in axes:
        line = choice
        for fixed_axis, value in centre.items():
            if fixed_axis != axis:
                line = line.with_value(fixed_axis, value)
        if not line.runs.size:
            continue
        # Cells need two axes: the second one has a single value.
        across = axes[0] if axes[0] != axis else axes[-1]
        grid = cells(columns, name, axis, across, {}, among=line.runs, over=summed)
        states = Counter(_along(grid.state).tolist())
        lacking = {state: states[state] for state in State if state not in _WITH_VALUE}
        bars.append(_Bar(axis, grid.x, _along(grid.value), lacking))
    return sorted(bars, key=lambda bar: bar.span)


def _along(values: NDArray[Any]) -> NDArray[Any]:
    """Return the cells along the first axis, where the second has one value or is the same axis."""
    return values[0] if values.shape[0] == 1 else np.diagonal(values)


def _value_at_centre(bars: list[_Bar], centre: dict[str, Any]) -> float:
    """Return the scalar of the run at the centre, or NaN where there is none."""
    for bar in bars:
        if centre[bar.axis] in bar.points:
            return float(bar.values[bar.points.index(centre[bar.axis])])
    return float("nan")


@dataclass(frozen=True)
class _Scale:
    """The scale of the scalar: from the lowest to the highest value, with space for labels."""

    log: bool
    low: float  #: of a logarithmic scale, the lowest value above zero
    high: float
    has_zero: bool  #: whether a logarithmic scale needs room for a zero, and for words beside it

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> "_Scale":
        finite = values[np.isfinite(values)]
        log = is_logarithmic(values)
        shown = finite[finite > 0.0] if log else finite
        has_zero = log and bool((finite == 0.0).any())
        return cls(log, float(shown.min()), float(shown.max()), has_zero)

    @property
    def limits(self) -> tuple[float, float]:
        if self.log:
            factor = (self.high / self.low) ** MARGIN
            return self.low / (factor**2 if self.has_zero else factor), self.high * factor
        margin = MARGIN * (self.high - self.low or abs(self.high) or 1.0)
        return self.low - margin, self.high + margin

    def position(self, value: float) -> float:
        """Return where a value is drawn: a zero has no place on a logarithmic scale, so left."""
        if self.log and value <= 0.0:
            return float(self.low / (self.high / self.low) ** (MARGIN / 2.0))
        return value

    def words(self, value: float) -> str:
        """Return a remark on a value that is not drawn to scale."""
        return f" ({State.ZERO.word})" if self.log and value == 0.0 else ""


def _set_axes(ax: Axes, bars: list[_Bar], scale: _Scale, label: str) -> None:
    ax.set(
        xscale="log" if scale.log else "linear",
        xlabel=label,
        yticks=range(len(bars)),
        yticklabels=[plain(bar.axis) for bar in bars],
    )
    ax.set(xlim=scale.limits, ylim=(-0.6, len(bars) - 0.4))
    label_few_decades(ax)


def _draw_bar(ax: Axes, store: Store, y: int, bar: _Bar, reference: float, scale: _Scale) -> None:
    if not np.isfinite(bar.values).any():
        ax.annotate(
            f"  {bar.lacking}",
            (0.0, y),
            xycoords=("axes fraction", "data"),
            va="center",
            color="0.3",
            fontsize="small",
        )
        return
    lowest = float(bar.values[bar.low])
    low = scale.position(lowest)
    high = scale.position(float(bar.values[bar.high]))
    has_reference = np.isfinite(reference)
    middle = min(max(scale.position(reference), low), high) if has_reference else low
    ax.barh(y, middle - low, left=low, height=0.6, color=COLOURS[0])
    ax.barh(y, high - middle, left=middle, height=0.6, color=COLOURS[1] if has_reference else "0.6")
    high_words = with_unit(store, bar.axis, bar.points[bar.high])
    if low != high:
        low_words = with_unit(store, bar.axis, bar.points[bar.low]) + scale.words(lowest)
        _annotate_end(ax, low, y, low_words, "right")
    elif np.isfinite(bar.values).sum() > 1:
        high_words = "no effect"
    else:
        high_words = f"only {high_words}"
    if bar.lacking:
        high_words += f"  ({bar.lacking})"
    _annotate_end(ax, high, y, high_words, "left")


def _make_room(figure: Figure, ax: Axes) -> None:
    """Widen the scale until the words beside the bars are within the panel."""
    axis = ax.xaxis.get_transform()
    for _ in range(MAX_WIDENINGS):
        figure.draw_without_rendering()
        frame = ax.get_window_extent()
        boxes = [words.get_window_extent() for words in ax.texts]
        below = max([0.0, *(frame.x0 - box.x0 for box in boxes)])
        above = max([0.0, *(box.x1 - frame.x1 for box in boxes)])
        if not below and not above:
            return
        low, high = axis.transform(np.array(ax.get_xlim()))
        # a little more than is missing, for the bars become shorter
        unit = WIDENING * (high - low) / frame.width
        limits = np.array([low - below * unit, high + above * unit])
        ax.set_xlim(*axis.inverted().transform(limits))


def _annotate_end(ax: Axes, x: float, y: float, words: str, alignment: str) -> None:
    """Write words beside the end of a bar."""
    ax.annotate(
        words,
        (x, y),
        textcoords="offset points",
        xytext=(4 if alignment == "left" else -4, 0),
        ha=alignment,
        va="center",
        fontsize="small",
    )
