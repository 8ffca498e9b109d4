"""Parallel coordinates: a line for each run across all parameters that differ and one result."""

import math
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Context
from typing import TYPE_CHECKING, Any

import numpy as np
from bokeh.core.properties import value
from bokeh.events import SelectionGeometry
from bokeh.models import BoxSelectTool, ColumnDataSource, Select, Span
from numpy.typing import NDArray

from ...common.states import LOOKS, State
from ...common.text import counted
from ...results.quantity import Quantity, remark_on_units
from ...results.selection import drawn_at_random
from ..data import RUN, Data
from ..parts import csv_text
from ..parts.cells import colour_bar, set_colours
from ..parts.html import plain, rendered, shown
from ..parts.points import Axis
from ..parts.style import (
    ABSENT,
    COLOURS,
    FAINT,
    FONT,
    INK,
    WIDGET,
    adds_run,
    apart,
    call_on_change,
    downloads,
    foot,
    on_click,
    plot,
    set_axis,
    set_range,
    stack,
    text_block,
)

if TYPE_CHECKING:
    from ..host import Host

#: Lines that a browser moves without delay and a person can tell apart.
MAX_LINES_DRAWN = 1000
MAX_AXES = 12
MAX_TICKS = 6
#: Distance of a click from its line, as a fraction of the length of an axis.
MAX_CLICK_DISTANCE = 0.02


@dataclass(frozen=True)
class Upright:
    """One of the upright axes, from 0 at its lowest value to 1 at its highest."""

    axis: Axis

    @property
    def ends(self) -> tuple[float, float]:
        """Positions of the lowest and the highest value."""
        return self.axis.ends()

    def heights(self) -> NDArray[np.float64]:
        """Return the heights of the runs."""
        low, high = self.ends
        return (self.axis.positions - low) / (high - low)

    def ticks(self) -> list[tuple[float, str]]:
        """Return heights and labels."""
        low, high = self.ends
        ticks = self.axis.ticks
        is_crowded = len(ticks) > MAX_TICKS and not self.axis.is_text
        if self.axis.scale.log or is_crowded:
            ticks = self.axis.scale_ticks(MAX_TICKS)
        return [((position - low) / (high - low), text) for position, text in ticks]

    def between(self, lower: float, upper: float) -> tuple[str, str]:
        """Return the lowest and the highest number between two heights, as people write them.

        They are in the unit of the store, as in a filter.
        """
        factor = self.axis.quantity.factor
        low, high = self.ends
        lowest = low + lower * (high - low)
        highest = low + upper * (high - low)
        if not self.axis.scale.log:
            # to a thousandth of the axis
            digits = max(4, 4 + math.ceil(math.log10(max(abs(low), abs(high)) / (high - low))))
            return (
                _bound(lowest * factor, digits, ROUND_FLOOR),
                _bound(highest * factor, digits, ROUND_CEILING),
            )
        zero = self.axis.zero
        has_zero = zero is not None and lowest <= zero
        has_others = zero is None or highest >= self.axis.scale.ends()[0]
        # between zero and the smallest other number there is nothing
        return (
            "0" if has_zero else _bound(10.0**lowest * factor, 4, ROUND_FLOOR),
            _bound(10.0**highest * factor, 4, ROUND_CEILING) if has_others else "0",
        )


def _bound(number: float, digits: int, rounding: str) -> str:
    """Return a number with some digits, rounded downwards or upwards."""
    return f"{Context(digits, rounding).create_decimal_from_float(number):g}"


class ParallelView:
    """Lines of the runs across all axes, for sweeps with more parameters than a map shows."""

    def __init__(self, page: "Host") -> None:
        self.page = page
        self.data = page.data
        options: Any = [(name, shown(name, 40)) for name in self.data.scalars]
        self.name = Select(
            title="result",
            options=options,
            value="M_loss",
            width=200,
            stylesheets=[WIDGET],
            margin=0,
        )
        call_on_change(self.name, "value", page.guarded(self.update))
        self.figure = plot(440, name="parallel", min_border_left=40, min_border_right=40)
        self.figure.grid.grid_line_color = None
        self.figure.axis.axis_line_color = None
        self.figure.yaxis.visible = False
        self.mapper, self.bar = colour_bar()
        no_segments = _segments(np.empty((1, 0)))
        self.lines = ColumnDataSource(data=no_segments | {"shade": np.empty(0)})
        self.zeros = ColumnDataSource(data=no_segments)
        self.without_value = ColumnDataSource(data=no_segments)
        ends = ("x0", "y0", "x1", "y1")
        self.figure.segment(
            *ends, source=self.without_value, line_color=ABSENT, line_dash="dashed", line_width=1
        )
        colour: Any = {"field": "shade", "transform": self.mapper}
        self.figure.segment(
            *ends, source=self.lines, line_color=colour, line_alpha=0.55, line_width=1.2
        )
        self.figure.segment(
            *ends, source=self.zeros, line_color=LOOKS[State.ZERO].face, line_width=1.2
        )
        self.marked = ColumnDataSource(data={"xs": [], "ys": [], "colour": []})
        self.figure.multi_line("xs", "ys", source=self.marked, line_color="#ffffff", line_width=6)
        self.figure.multi_line("xs", "ys", source=self.marked, line_color="colour", line_width=3)
        self.ticks = ColumnDataSource(data={"x": [], "y": [], "words": []})
        self.figure.text(
            "x",
            "y",
            "words",
            source=self.ticks,
            x_offset=5,
            text_font=value(FONT),
            text_font_size="11px",
            text_color=INK,
            text_baseline="middle",
            background_fill_color="#ffffff",
            background_fill_alpha=0.75,
        )
        self.figure.add_tools(BoxSelectTool())
        self.figure.on_event(SelectionGeometry, page.guarded(self._brushed))
        on_click(self.figure, page.guarded(self._tapped))
        self.figure.add_layout(self.bar, "right")
        self.note = text_block()
        self.root = stack(
            self.name,
            apart(self.figure),
            foot(self.note, downloads(page, [self.figure], self._csv, "-parallel")),
        )
        self._uprights: list[Upright] = []
        self._runs = np.arange(0)
        self._heights = np.empty((0, 0))

    def update(self) -> None:
        """Draw the lines of the runs that pass the filter."""
        name = self.name.value
        self._runs = drawn_at_random(self.page.runs, MAX_LINES_DRAWN)
        names = self._names()
        self._uprights = [Upright(Axis.of(self.data, axis, self._runs)) for axis in [*names, name]]
        self._heights = np.array([upright.heights() for upright in self._uprights])
        coloured = self._uprights[-1].axis
        scale = coloured.scale
        values = coloured.quantity.convert(self.data.values(name, self._runs))
        shade = scale.positions_of(values)
        set_colours(self.mapper, self.bar, scale)
        done = np.isfinite(shade)
        zero = ~done & (values == 0.0)
        self.bar.visible = bool(done.any())
        segments: dict[str, Any] = _segments(self._heights[:, done])
        segments["shade"] = np.tile(shade[done], len(names))
        self.lines.data = segments
        self.zeros.data = _segments(self._heights[:, zero])
        self.without_value.data = _segments(self._heights[:-1, ~(done | zero)])
        self._draw_axes()
        self.figure.title.text = plain(
            f"{self.data.title}: {self._runs.size} runs, coloured by {coloured.quantity.head}",
            110,
        )
        self._write_note(coloured.quantity, len(names), zero, ~(done | zero))
        self.mark()

    def _names(self) -> list[str]:
        """Return the parameters that have an axis."""
        names = [name for name in self.data.dimensions if not self.data.is_determined(name)]
        return names[:MAX_AXES] or [RUN]

    def _draw_axes(self) -> None:
        ticks: dict[str, list[Any]] = {"x": [], "y": [], "words": []}
        for i, upright in enumerate(self._uprights):
            for height, words in upright.ticks():
                ticks["x"].append(i)
                ticks["y"].append(height)
                ticks["words"].append(words)
        self.ticks.data = ticks
        others = [part for part in self.figure.center if not isinstance(part, Span)]
        # New models are only made where needed, since Bokeh goes through all models for each.
        if len(self.figure.center) - len(others) != len(self._uprights):
            spans = [
                Span(
                    location=float(i),
                    dimension="height",
                    line_color=FAINT,
                    line_width=1,
                    level="underlay",
                )
                for i in range(len(self._uprights))
            ]
            self.figure.center = others + spans
        heads = [upright.axis.quantity.head for upright in self._uprights]
        labels = [(float(i), shown(head, 22)) for i, head in enumerate(heads)]
        set_axis(self.figure.xaxis[0], labels)
        self.figure.xaxis[0].major_label_orientation = 0.35 if len(heads) > 5 else 0.0
        set_range(self.figure.x_range, -0.15, len(heads) - 1 + 0.45)
        set_range(self.figure.y_range, -0.04, 1.04)

    def _write_note(
        self,
        quantity: Quantity,
        parameter_count: int,
        zero: NDArray[np.bool_],
        without_value: NDArray[np.bool_],
    ) -> None:
        name = quantity.name
        sentences = [f"{counted(self._runs.size, 'run')}."]
        if zero.any():
            sentences.append(f"{counted(int(zero.sum()), 'run')} with {name} = 0, grey.")
        if without_value.any():
            sentences.append(f"{counted(int(without_value.sum()), 'run')} without {name}, dashed.")
        hidden_runs = self.page.runs.size - self._runs.size
        if hidden_runs:
            sentences.append(
                f"They are a random sample; not drawn: {counted(hidden_runs, 'more run')} (filter"
                " to see them)."
            )
        hidden_parameters = len(self.data.varying) - parameter_count
        if hidden_parameters > 0 and parameter_count == MAX_AXES:
            hidden = counted(hidden_parameters, "more parameter")
            sentences.append(f"Not drawn: {hidden}.")
        remark = remark_on_units(upright.axis.quantity for upright in self._uprights)
        if remark:
            sentences.append(f"{remark}.")
        sentences.append("Draw a box over an axis to filter, click a line to choose it.")
        self.note.text = rendered("note", sentences=sentences)

    def mark(self) -> None:
        """Draw the chosen runs above the others."""
        across = np.arange(len(self._uprights), dtype=np.float64)
        data: dict[str, list[Any]] = {"xs": [], "ys": [], "colour": []}
        for run, colour in zip(self.page.chosen, COLOURS, strict=False):
            for index in np.flatnonzero(self._runs == run)[:1]:
                data["xs"].append(across)
                data["ys"].append(self._heights[:, index])
                data["colour"].append(colour)
        self.marked.data = data

    def _brushed(self, event: Any) -> None:
        """Add the ranges that a box covers on the axes that it crosses to the filter."""
        box = event.geometry
        if not event.final or not {"x0", "x1", "y0", "y1"} <= box.keys():
            return
        low, high = sorted((box["y0"], box["y1"]))
        first = max(int(np.ceil(box["x0"])), 0)
        last = min(int(np.floor(box["x1"])), len(self._uprights) - 1)
        crossed = self._uprights[first : last + 1] if last >= first else []
        if crossed:
            conditions = [
                condition_within(self.data, upright, self._runs, low, high) for upright in crossed
            ]
            self.page.narrow(" and ".join(conditions))

    def _tapped(self, event: Any) -> None:
        if event.x is None or not self._runs.size or len(self._uprights) < 2:
            return
        i = min(max(int(np.floor(event.x)), 0), len(self._uprights) - 2)
        share = min(max(event.x - i, 0.0), 1.0)
        heights = (1.0 - share) * self._heights[i] + share * self._heights[i + 1]
        distance = np.where(np.isfinite(heights), np.abs(heights - event.y), np.inf)
        nearest = int(np.argmin(distance))
        if distance[nearest] < MAX_CLICK_DISTANCE:
            self.page.choose([int(self._runs[nearest])], add=adds_run(event))

    def _csv(self) -> tuple[str, str]:
        names = [upright.axis.quantity.name for upright in self._uprights]
        columns = {"run": self.page.runs.tolist()}
        columns |= {
            self.data.with_unit(name): self.data.columns[name][self.page.runs].tolist()
            for name in names
            if name != RUN
        }
        return csv_text.table(columns), f"{self.page.file_name}-parallel.csv"


def condition_within(
    data: Data, upright: Upright, runs: NDArray[np.int64], low: float, high: float
) -> str:
    """Return the condition of the runs that pass an upright axis between two heights.

    Parameters
    ----------
    data : Data
        The store.
    upright : Upright
        The axis.
    runs : (runs,) array of int
        Rows of the runs that it shows.
    low, high : float
        The heights.

    Returns
    -------
    str
        As in the filter, in the units of the store.
    """
    name = upright.axis.quantity.name
    kind = data.columns[name].dtype.kind
    if kind in "iuf":
        lowest, highest = upright.between(low, high)
        condition = f"{lowest} <= {name} <= {highest}"
        # Integers of runs without a result are zeros in the store.
        is_count = name in data.scalars and kind in "iu"
        return f"{condition} and status == '{State.DONE.word}'" if is_count else condition
    heights = upright.heights()
    inside = (low <= heights) & (heights <= high)
    labels = dict.fromkeys(data.columns[name][runs][inside].tolist())
    return f"{name} in ({', '.join(map(repr, labels)) or repr('')},)"


def _segments(heights: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Return the lines through ``heights`` (axis, run) as segments from axis to axis.

    Bokeh would send whole lines number by number.
    """
    x = np.repeat(np.arange(len(heights) - 1.0), heights.shape[1])
    return {"x0": x, "y0": heights[:-1].ravel(), "x1": x + 1.0, "y1": heights[1:].ravel()}
