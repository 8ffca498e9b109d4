"""Runs as points, for samples that make no grid and for maps over a single parameter."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from bokeh.models import ColumnDataSource, CustomJSHover, HoverTool, LegendItem
from numpy.typing import NDArray

from ...results.columns import ended_early
from ..data import RUN, Data
from .cells import colour_bar, legend, set_colours
from .html import plain, shown
from .scales import Scale
from .style import ABSENT, ALARM, COLOURS, INK, plot, set_axis, set_range

#: Stands for the scalar itself on the vertical axis; no array can have this name.
VALUE = "\u0000value"
#: Points that a browser moves without delay.
MOST = 20_000
#: Numbers of which each gets its tick.
MAX_NUMBER_TICKS = 6
MAX_TEXT_TICKS = 12
#: Distance of a click from its point, as a fraction of the figure's width and height.
MAX_CLICK_DISTANCE = 0.03
KINDS: dict[str, dict[str, Any]] = {
    "done": {"marker": "circle", "size": 8},
    "stopped early": {"marker": "triangle", "size": 10},
    "failed": {"marker": "x", "size": 9, "line_width": 2},
    "not done yet": {"marker": "dot", "size": 14},
}
LINE_COLOURS = {
    "done": "#ffffff",
    "stopped early": INK,
    "failed": ALARM,
    "not done yet": INK,
}


def evenly_chosen(runs: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Return at most ``most`` of the runs, evenly spread over all of them."""
    if runs.size <= most:
        return runs
    return runs[np.linspace(0, runs.size - 1, most).astype(np.int64)]


@dataclass(frozen=True)
class Axis:
    """One of a figure's axes.

    Attributes
    ----------
    name : str
        The parameter.
    scale : Scale
        From values, or from the indices of texts, to positions.
    place : numpy.ndarray
        Positions of the runs, shape (runs,).
    ticks : list of (float, str)
        Positions and labels.
    """

    name: str
    scale: Scale
    place: NDArray[np.float64]
    ticks: list[tuple[float, str]]

    @classmethod
    def of(cls, data: Data, name: str, runs: NDArray[np.int64]) -> "Axis":
        """Return the axis of a parameter."""
        values = data.columns[name][runs]
        if values.dtype.kind in "iuf":
            return cls._of_numbers(name, values)
        labels, codes = data.coded(name)
        scale = Scale(log=False, low=0.0, high=float(max(len(labels) - 1, 0)))
        step = -(-len(labels) // MAX_TEXT_TICKS)
        ticks = [(float(i), shown(labels[i], 18)) for i in range(0, len(labels), step)]
        return cls(name, scale, codes[runs].astype(float), ticks)

    @classmethod
    def _of_numbers(cls, name: str, values: NDArray[Any]) -> "Axis":
        finite = values[np.isfinite(values)]
        # A logarithmic scale would have no position for some of the values.
        scale = Scale.of(values, log=None if (finite > 0.0).all() else False)
        distinct = np.unique(finite)
        if distinct.size > MAX_NUMBER_TICKS:
            return cls(name, scale, scale.place(values), scale.ticks(7, 0.04))
        ticks = []
        for position, value in zip(scale.place(distinct), distinct.tolist(), strict=True):
            ticks.append((float(position), shown(value)))
        return cls(name, scale, scale.place(values), ticks)


@dataclass(frozen=True)
class Points:
    """A scalar of runs over one or two parameters."""

    run: NDArray[np.int64]
    name: str
    value: NDArray[np.float64]
    kind: NDArray[Any]  #: of :data:`KINDS`
    x: Axis
    y: Axis | None  #: None for the value itself
    left_out: int

    @classmethod
    def of(cls, data: Data, runs: NDArray[np.int64], x: str, y: str, name: str) -> "Points":
        """Return the points of at most :data:`MOST` runs, chosen evenly.

        Parameters
        ----------
        data : Data
            The store.
        runs : numpy.ndarray
            Numbers of the runs.
        x, y : str
            Parameters of the axes; ``y`` may be :data:`VALUE`.
        name : str
            The scalar.

        Returns
        -------
        Points
            Their values are NaN where a run is not done.
        """
        chosen = evenly_chosen(runs, MOST)
        status = data.columns["status"][chosen].astype(object)
        is_done = status == "done"
        kind = np.full(chosen.size, "not done yet", dtype=object)
        kind[status == "failed"] = "failed"
        kind[is_done] = "done"
        kind[is_done & ended_early(data.columns["stop_reason"][chosen])] = "stopped early"
        return cls(
            run=chosen,
            name=name,
            value=np.where(is_done, data.columns[name][chosen], np.nan).astype(np.float64),
            kind=kind,
            x=Axis.of(data, x, chosen),
            y=None if y == VALUE else Axis.of(data, y, chosen),
            left_out=runs.size - chosen.size,
        )

    def in_words(self) -> str:
        """Return how many runs of each kind there are."""
        parts = []
        for kind in KINDS:
            count = int((self.kind == kind).sum())
            if count and kind != "done":
                parts.append(f"{count} {kind}")
        states = f": {', '.join(parts)}" if parts else ", all done"
        more = ""
        if self.left_out:
            more = f"; {self.left_out} more are not drawn, a filter brings them"
        return f"{self.run.size} runs{states}{more}"

    def table(self, data: Data) -> dict[str, list[Any]]:
        """Return the columns of a table for a file."""
        columns: dict[str, list[Any]] = {"run": self.run.tolist()}
        for axis in (self.x, self.y):
            if axis is not None and axis.name != RUN:
                columns[data.with_unit(axis.name)] = data.columns[axis.name][self.run].tolist()
        columns[data.with_unit(self.name)] = self.value.tolist()
        columns["state"] = self.kind.tolist()
        return columns


class PointsFigure:
    """The figure of a map that is drawn as points."""

    def __init__(self, data: Data) -> None:
        self.data = data
        self.figure = plot(400, name="points")
        self.mapper, self.bar = colour_bar()
        self.sources: dict[str, ColumnDataSource] = {}
        self.items: dict[str, LegendItem] = {}
        renderers = []
        for kind, style in KINDS.items():
            self.sources[kind] = source = ColumnDataSource(
                data={"x": [], "y": [], "shade": [], "run": [], "value": []}
            )
            colour: Any = ABSENT
            if kind in {"done", "stopped early"}:
                colour = {"field": "shade", "transform": self.mapper}
            renderer = self.figure.scatter(
                "x",
                "y",
                source=source,
                fill_color=colour,
                line_color=LINE_COLOURS[kind],
                **{"line_width": 0.5, **style},
            )
            renderers.append(renderer)
            self.items[kind] = LegendItem(
                label={"value": kind}, renderers=[renderer], visible=False
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
        code = "return Number.isFinite(value) ? String(Number(value.toPrecision(5))) : '–'"
        self.hover = HoverTool(
            renderers=renderers,
            tooltips=[("run", "@run"), ("value", "@value{custom}")],
            formatters={"@value": CustomJSHover(code=code)},
        )
        self.figure.add_tools(self.hover)
        self.points: Points | None = None
        # Positions of the points.
        self._x: NDArray[np.float64] = np.empty(0)
        self._y: NDArray[np.float64] = np.empty(0)

    def show(self, points: Points, scale: Scale, title: str) -> None:
        """Draw points with their colours on ``scale``."""
        self.points = points
        figure = self.figure
        is_coloured = points.y is not None
        self.bar.visible = is_coloured
        set_colours(self.mapper, self.bar, scale)
        margin = 0.04
        shade = scale.place(points.value)
        if points.y is not None:
            y = points.y.place
            y_scale = points.y.scale
            y_ticks = points.y.ticks
            y_label = self.data.with_unit(points.y.name)
        else:
            # Runs without a value stand on the lower edge.
            y = np.where(np.isfinite(shade), shade, scale.ends(margin)[0])
            y_scale = scale
            y_ticks = scale.ticks(7, margin)
            y_label = self.data.with_unit(points.name)
        self._x = points.x.place
        self._y = y
        for kind, source in self.sources.items():
            selected = points.kind == kind
            count = int(selected.sum())
            source.data = {
                "x": self._x[selected],
                "y": y[selected],
                "shade": shade[selected] if is_coloured else np.full(count, np.mean(scale.ends())),
                "run": points.run[selected],
                "value": points.value[selected],
            }
            has_values = is_coloured or kind not in {"failed", "not done yet"}
            lacking = "" if has_values else ", no value"
            self.items[kind].update(
                label={"value": f"{kind}{lacking} ({count} run{'s' * (count != 1)})"},
                visible=count > 0 and kind != "done",
            )
        self.legend.visible = any(item.visible for item in self.items.values())
        figure.title.text = plain(title, 110)
        x_label = self.data.with_unit(points.x.name)
        set_axis(figure.xaxis[0], points.x.ticks, plain(x_label, 50))
        set_axis(figure.yaxis[0], y_ticks, plain(y_label, 50))
        set_range(figure.x_range, *points.x.scale.ends(margin))
        set_range(figure.y_range, *y_scale.ends(margin))

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
