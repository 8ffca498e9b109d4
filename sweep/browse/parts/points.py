"""Runs as points, for samples that make no grid and for maps over a single parameter."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from bokeh.models import ColumnDataSource, CustomJSHover, HoverTool, LegendItem
from numpy.typing import NDArray

from ...common.states import LOOKS, State
from ...common.text import counted
from ...results.columns import ended_early
from ...results.quantity import Quantity
from ...results.selection import drawn_at_random
from ..data import RUN, Data
from .cells import FIVE_DIGITS, colour_bar, legend, set_colours
from .html import plain, shown
from .scales import Scale
from .style import ABSENT, ALARM, COLOURS, INK, plot, set_axis, set_range

#: Stands for the scalar itself on the vertical axis; no array can have this name.
VALUE = "\u0000value"
#: Points that a browser moves without delay.
MAX_POINTS_DRAWN = 20_000
#: Numbers of which each gets its tick.
MAX_NUMBER_TICKS = 6
MAX_TEXT_TICKS = 12
#: Distance of a click from its point, as a fraction of the figure's width and height.
MAX_CLICK_DISTANCE = 0.03
#: Sizes of the points of each state that is drawn.
SIZES = {
    State.DONE: 8,
    State.EARLY: 10,
    State.ZERO: 8,
    State.FAILED: 9,
    State.PENDING: 14,
}
LINE_COLOURS = {
    State.DONE: "#ffffff",
    State.EARLY: INK,
    State.ZERO: INK,
    State.FAILED: ALARM,
    State.PENDING: INK,
}
COLOURED = (State.DONE, State.EARLY)
#: Height of the tick of zeros below a logarithmic axis, as a fraction of its length.
GAP_OF_ZERO = 0.08


@dataclass(frozen=True)
class Axis:
    """One of a figure's axes.

    Attributes
    ----------
    quantity : Quantity
        What it shows: its name, and its unit on the axis.
    scale : Scale
        From values, or from the indices of texts, to positions.
    positions : (runs,) array of float
        Of the runs; NaN where one has no value.
    ticks : list of (float, str)
        Positions and labels.
    zero : float or None
        Position of zeros where the scale, being logarithmic, has none.
    is_text : bool
        Whether values are texts.
    """

    quantity: Quantity
    scale: Scale
    positions: NDArray[np.float64]
    ticks: list[tuple[float, str]]
    zero: float | None = None
    is_text: bool = False

    def ends(self, margin: float = 0.0) -> tuple[float, float]:
        """Return the positions of the lowest and the highest value, with a margin at both."""
        low, high = self.scale.ends(margin)
        return (low if self.zero is None else self.zero - margin * (high - low)), high

    @classmethod
    def of(cls, data: Data, name: str, runs: NDArray[np.int64]) -> "Axis":
        """Return the axis of a parameter."""
        values = data.values(name, runs)
        if values.dtype.kind in "iuf":
            is_result = name in data.scalars
            quantity = data.quantity(name, values) if is_result else data.axis_quantity(name)
            values = quantity.convert(values)
            is_numbering = name in {RUN, data.rings}
            scale = Scale.of(values, log=False if is_numbering else None)
            return cls.of_numbers(quantity, values, scale)
        labels, codes = data.coded(name)
        scale = Scale(log=False, low=0.0, high=float(max(len(labels) - 1, 0)))
        step = -(-len(labels) // MAX_TEXT_TICKS)
        ticks = [(float(i), shown(labels[i], 18)) for i in range(0, len(labels), step)]
        positions = codes[runs].astype(float)
        return cls(data.quantity(name), scale, positions, ticks, is_text=True)

    @classmethod
    def of_numbers(cls, quantity: Quantity, values: NDArray[Any], scale: Scale) -> "Axis":
        """Return the axis of numbers, in their unit of display, on a scale."""
        positions = scale.positions_of(values)
        is_zero = values == 0.0
        zero = None
        ticks = []
        if scale.log and is_zero.any():
            low, high = scale.ends()
            zero = low - GAP_OF_ZERO * (high - low)
            positions = np.where(is_zero, zero, positions)
            ticks.append((zero, "0"))
        distinct = np.unique(values[np.isfinite(positions) & ~(is_zero & scale.log)])
        if distinct.size > MAX_NUMBER_TICKS:
            ticks += _at_rings(scale.ticks(7, 0.04), quantity)
            return cls(quantity, scale, positions, ticks, zero)
        for position, value in zip(scale.positions_of(distinct), distinct.tolist(), strict=True):
            ticks.append((float(position), shown(quantity.label_of(value))))
        return cls(quantity, scale, positions, ticks, zero)

    def scale_ticks(self, most: int) -> list[tuple[float, str]]:
        """Return at most some ``most`` positions at round numbers, with their labels."""
        ticks = _at_rings(self.scale.ticks(most), self.quantity)
        return ticks if self.zero is None else [(self.zero, "0"), *ticks]


def _at_rings(ticks: list[tuple[float, str]], quantity: Quantity) -> list[tuple[float, str]]:
    """Return ticks with the radii of rings in place of their numbers, and others unchanged."""
    if not quantity.radii:
        return ticks
    return [
        (position, shown(quantity.radii[position]))
        for position, _ in ticks
        if position in quantity.radii
    ]


@dataclass(frozen=True)
class Points:
    """A scalar of runs over one or two parameters."""

    run: NDArray[np.int64]
    name: str
    value: NDArray[np.float64]
    state: NDArray[np.uint8]  #: of :data:`SIZES`
    x: Axis
    y: Axis | None  #: None for the value itself
    left_out: int

    @classmethod
    def of(cls, data: Data, runs: NDArray[np.int64], x: str, y: str, name: str) -> "Points":
        """Return the points of at most :data:`MAX_POINTS_DRAWN` runs, drawn at random.

        Parameters
        ----------
        data : Data
            The store.
        runs : numpy.ndarray
            Rows of the runs.
        x, y : str
            Parameters of the axes; ``y`` may be :data:`VALUE`.
        name : str
            The scalar.

        Returns
        -------
        Points
            Their values are NaN where a run is not done.
        """
        chosen = drawn_at_random(runs, MAX_POINTS_DRAWN)
        status = data.columns["status"][chosen].astype(object)
        is_done = status == State.DONE.word
        state = np.full(chosen.size, State.PENDING, dtype=np.uint8)
        state[status == State.FAILED.word] = State.FAILED
        state[is_done] = State.DONE
        state[is_done & ended_early(data.columns["stop_reason"][chosen])] = State.EARLY
        return cls(
            run=chosen,
            name=name,
            value=data.values(name, chosen).astype(np.float64),
            state=state,
            x=Axis.of(data, x, chosen),
            y=None if y == VALUE else Axis.of(data, y, chosen),
            left_out=runs.size - chosen.size,
        )

    def states_on(self, scale: Scale) -> NDArray[np.uint8]:
        """Return the states, where a zero without a place on a scale is a state of its own."""
        return np.where((self.value == 0.0) & scale.log, State.ZERO, self.state).astype(np.uint8)

    def in_words(self, scale: Scale) -> str:
        """Return how many runs are in each state."""
        states = self.states_on(scale)
        counts = {state.word: int((states == state).sum()) for state in SIZES}
        parts = []
        for word, count in counts.items():
            if count and word != State.DONE.word:
                parts.append(f"{count} {word}")
        words = f": {', '.join(parts)}" if parts else ", all done"
        infinite = int(np.isinf(self.value).sum())
        if infinite:
            words += f"; {infinite} infinite"
        more = ""
        if self.left_out:
            hidden = counted(self.left_out, "more run")
            more = f", a random sample; not drawn: {hidden} (filter to see them)"
        return f"{counted(self.run.size, 'run')}{words}{more}"

    def table(self, data: Data) -> dict[str, list[Any]]:
        """Return the columns of a table for a file."""
        columns: dict[str, list[Any]] = {"run": self.run.tolist()}
        for axis in (self.x, self.y):
            if axis is not None and axis.quantity.name != RUN:
                name = axis.quantity.name
                columns[data.with_unit(name)] = data.columns[name][self.run].tolist()
        columns[data.with_unit(self.name)] = self.value.tolist()
        columns["state"] = [State(code).word for code in self.state.tolist()]
        return columns


class PointsFigure:
    """The figure of a map that is drawn as points."""

    def __init__(self, data: Data) -> None:
        self.data = data
        self.figure = plot(400, name="points")
        self.mapper, self.bar = colour_bar()
        self.sources: dict[State, ColumnDataSource] = {}
        self.items: dict[State, LegendItem] = {}
        renderers = []
        for state, size in SIZES.items():
            self.sources[state] = source = ColumnDataSource(
                data={"x": [], "y": [], "shade": [], "run": [], "value": []}
            )
            colour: Any = LOOKS[state].face or ABSENT
            if state in COLOURED:
                colour = {"field": "shade", "transform": self.mapper}
            renderer = self.figure.scatter(
                "x",
                "y",
                source=source,
                marker=LOOKS[state].marker_on_page,
                size=size,
                fill_color=colour,
                line_color=LINE_COLOURS[state],
                line_width=2 if state == State.FAILED else 0.5,
            )
            renderers.append(renderer)
            self.items[state] = LegendItem(
                label={"value": state.word}, renderers=[renderer], visible=False
            )
        self.outline = ColumnDataSource(data={"x": [], "y": [], "colour": []})
        self.figure.scatter(
            "x",
            "y",
            size=15,
            fill_color=None,
            line_color="colour",
            line_width=3,
            source=self.outline,
        )
        self.legend = legend()
        self.legend.items = list(self.items.values())
        self.figure.add_layout(self.bar, "right")
        self.figure.add_layout(self.legend, "below")
        self.hover = HoverTool(
            renderers=renderers,
            tooltips=[("run", "@run"), ("value", "@value{custom}")],
            formatters={"@value": CustomJSHover(code=FIVE_DIGITS)},
        )
        self.figure.add_tools(self.hover)
        self.points: Points | None = None
        # Positions of the points.
        self._x: NDArray[np.float64] = np.empty(0)
        self._y: NDArray[np.float64] = np.empty(0)

    def show(self, points: Points, quantity: Quantity, scale: Scale, title: str) -> None:
        """Draw points with their colours on ``scale``, which is in the quantity's unit."""
        values = quantity.convert(points.value)
        self.points = points
        figure = self.figure
        is_coloured = points.y is not None
        self.bar.visible = is_coloured
        set_colours(self.mapper, self.bar, scale)
        margin = 0.04
        shade = scale.positions_of(values)
        upright = points.y or Axis.of_numbers(quantity, values, scale)
        y_ends = upright.ends(margin)
        y = upright.positions
        if not is_coloured:
            # Runs without a value stand on the lower edge, and infinite ones on the upper.
            y = np.where(np.isfinite(y), y, y_ends[0])
            y = np.where(np.isposinf(values), y_ends[1], y)
        self._x = points.x.positions
        self._y = y
        states = points.states_on(scale)
        for state, source in self.sources.items():
            selected = states == state
            count = int(selected.sum())
            source.data = {
                "x": self._x[selected],
                "y": y[selected],
                "shade": shade[selected] if is_coloured else np.full(count, np.mean(scale.ends())),
                "run": points.run[selected],
                "value": values[selected],
            }
            has_values = is_coloured or state not in {State.FAILED, State.PENDING}
            lacking = "" if has_values else ", no value"
            self.items[state].update(
                label={"value": f"{state.word}{lacking} ({counted(count, 'run')})"},
                visible=count > 0 and state != State.DONE,
            )
        self.legend.visible = any(item.visible for item in self.items.values())
        figure.title.text = plain(title, 110)
        set_axis(figure.xaxis[0], points.x.ticks, plain(points.x.quantity.head, 50))
        set_axis(figure.yaxis[0], upright.ticks, plain(upright.quantity.head, 50))
        set_range(figure.x_range, *points.x.ends(margin))
        set_range(figure.y_range, *y_ends)

    def run_at(self, x: float, y: float) -> int | None:
        """Return the run whose point is nearest to a position, if it is near enough."""
        if self.points is None or not self.points.run.size:
            return None
        width = self.figure.x_range.end - self.figure.x_range.start
        height = self.figure.y_range.end - self.figure.y_range.start
        distance = np.hypot((self._x - x) / width, (self._y - y) / height)
        distance = np.where(np.isfinite(distance), distance, np.inf)
        nearest = int(np.argmin(distance))
        if distance[nearest] >= MAX_CLICK_DISTANCE:
            return None
        return int(self.points.run[nearest])

    def mark(self, chosen: Sequence[int]) -> None:
        """Ring the points of runs."""
        if self.points is None:
            return
        data: dict[str, list[Any]] = {"x": [], "y": [], "colour": []}
        for run, colour in zip(chosen, COLOURS, strict=False):
            for index in np.flatnonzero(self.points.run == run)[:1]:
                data["x"].append(self._x[index])
                data["y"].append(self._y[index])
                data["colour"].append(colour)
        self.outline.data = data
