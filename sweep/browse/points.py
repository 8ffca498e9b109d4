"""Runs as points: samples that make no grid, one parameter, or none."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from bokeh.models import ColumnDataSource, CustomJSHover, HoverTool, LegendItem
from numpy.typing import NDArray

from ..views import ended_early
from .cells import colour_bar, legend, set_colours
from .data import RUN, Data
from .scales import Scale
from .style import COLOURS, plot, set_axis, set_range
from .texts import plain, shown

VALUE = "\u0000value"  # no name of an array
MOST = 20_000  # points that a browser moves without delay
FEW = 6  # values, each of which gets its tick
NEAR = 0.03  # of the figure's width and height: a click so near to a point is meant for it
KINDS: dict[str, dict[str, Any]] = {
    "done": {"marker": "circle", "size": 8},
    "stopped early": {"marker": "triangle", "size": 10},
    "failed": {"marker": "x", "size": 9, "line_width": 2},
    "not done yet": {"marker": "dot", "size": 14},
}


@dataclass(frozen=True)
class Axis:
    """One of a figure's axes: places of runs, or labels of texts."""

    name: str
    scale: Scale
    place: NDArray[np.float64]
    ticks: list[tuple[float, str]]

    @classmethod
    def of(cls, data: Data, name: str, runs: NDArray[np.int64]) -> "Axis":
        """A parameter of ``runs``."""
        values = data.columns[name][runs]
        if values.dtype.kind in "iuf":
            # all values need a place
            scale = Scale.of(values, None if (values[np.isfinite(values)] > 0.0).all() else False)
            once = np.unique(values[np.isfinite(values)])
            few = [
                (float(place), shown(value))
                for place, value in zip(scale.place(once), once.tolist(), strict=True)
            ]
            return cls(
                name, scale, scale.place(values), few if len(few) <= FEW else scale.ticks(7, 0.04)
            )
        labels, codes = data.coded(name)
        scale = Scale(False, 0.0, float(max(len(labels) - 1, 0)))
        every = -(-len(labels) // 12)
        return cls(
            name,
            scale,
            codes[runs].astype(float),
            [(float(i), shown(labels[i], 18)) for i in range(0, len(labels), every)],
        )


@dataclass(frozen=True)
class Points:
    """What is shown of each run."""

    run: NDArray[np.int64]
    name: str
    value: NDArray[np.float64]
    kind: NDArray[Any]  #: of :data:`KINDS`
    x: Axis
    y: Axis | None  #: None for the value itself
    left_out: int

    @classmethod
    def of(cls, data: Data, runs: NDArray[np.int64], x: str, y: str, name: str) -> "Points":
        """``name`` of ``runs`` over parameters; evenly chosen ones where there are more than :data:`MOST`."""
        shown_runs = (
            runs
            if runs.size <= MOST
            else runs[np.linspace(0, runs.size - 1, MOST).astype(np.int64)]
        )
        status = data.columns["status"][shown_runs].astype(object)
        kind = np.where(
            status == "done", "done", np.where(status == "failed", "failed", "not done yet")
        ).astype(object)
        kind[(kind == "done") & ended_early(data.columns["stop_reason"][shown_runs])] = (
            "stopped early"
        )
        done = (kind == "done") | (kind == "stopped early")
        value = np.where(done, data.columns[name][shown_runs], np.nan).astype(np.float64)
        up = None if y == VALUE else Axis.of(data, y, shown_runs)
        return cls(
            shown_runs,
            name,
            value,
            kind,
            Axis.of(data, x, shown_runs),
            up,
            runs.size - shown_runs.size,
        )

    def in_words(self) -> str:
        """How many runs of each kind there are."""
        parts = [
            f"{count} {kind}"
            for kind in KINDS
            if kind != "done" and (count := int((self.kind == kind).sum()))
        ]
        more = (
            f"; {self.left_out} more are not drawn, a filter brings them" if self.left_out else ""
        )
        return f"{self.run.size} runs" + (f": {', '.join(parts)}" if parts else ", all done") + more

    def table(self, data: Data) -> dict[str, list[Any]]:
        """For a file."""
        names = [axis.name for axis in (self.x, self.y) if axis is not None and axis.name != RUN]
        columns = {data.with_unit(name): data.columns[name][self.run].tolist() for name in names}
        return {
            "run": self.run.tolist(),
            **columns,
            data.with_unit(self.name): self.value.tolist(),
            "state": self.kind.tolist(),
        }


class PointsFigure:
    """A scatter plot."""

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
            colour: Any = (
                {"field": "shade", "transform": self.mapper}
                if kind in {"done", "stopped early"}
                else "#8a96a1"
            )
            line = "#d55e00" if kind == "failed" else "#ffffff" if kind == "done" else "#1c2733"
            renderer = self.figure.scatter(
                "x",
                "y",
                source=source,
                fill_color=colour,
                line_color=line,
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
        self.place: tuple[NDArray[np.float64], NDArray[np.float64]] = (np.empty(0), np.empty(0))

    def show(self, points: Points, scale: Scale, title: str) -> None:
        """Draw points with their colours on ``scale``."""
        self.points, figure = points, self.figure
        coloured = points.y is not None
        self.bar.visible = coloured
        set_colours(self.mapper, self.bar, scale)
        x = points.x
        margin = 0.04
        shade = scale.place(points.value)
        if points.y is not None:
            y = points.y.place
            y_scale = points.y.scale
            y_ticks = points.y.ticks
            y_label = self.data.with_unit(points.y.name)
        else:  # what has no value stands on the lower edge
            y_scale = scale
            y_ticks = scale.ticks(7, margin)
            y_label = self.data.with_unit(points.name)
            y = np.where(np.isfinite(shade), shade, scale.ends(margin)[0])
        self.place = (x.place, y)
        for kind, source in self.sources.items():
            here = points.kind == kind
            count = int(here.sum())
            source.data = {
                "x": x.place[here],
                "y": y[here],
                "shade": shade[here] if coloured else np.full(count, np.mean(scale.ends())),
                "run": points.run[here],
                "value": points.value[here],
            }
            lacks = ", no value" if kind in {"failed", "not done yet"} and points.y is None else ""
            self.items[kind].update(
                label={"value": f"{kind}{lacks} ({count} run{'s' * (count != 1)})"},
                visible=count > 0 and kind != "done",
            )
        self.legend.visible = any(item.visible for item in self.items.values())
        figure.title.text = plain(title, 110)
        set_axis(figure.xaxis[0], x.ticks, plain(self.data.with_unit(x.name), 50))
        set_axis(figure.yaxis[0], y_ticks, plain(y_label, 50))
        set_range(figure.x_range, *x.scale.ends(margin))
        set_range(figure.y_range, *y_scale.ends(margin))

    def run_at(self, x: float, y: float) -> int | None:
        """The run whose point is nearest to a place, if one is near."""
        if self.points is None:
            return None
        spans = [span.end - span.start for span in (self.figure.x_range, self.figure.y_range)]
        far = np.hypot((self.place[0] - x) / spans[0], (self.place[1] - y) / spans[1])
        far = np.where(np.isfinite(far), far, np.inf)
        return int(self.points.run[np.argmin(far)]) if far.size and far.min() < NEAR else None

    def mark(self, chosen: Sequence[int]) -> None:
        """Ring the points of runs."""
        if self.points is None:
            return
        at = [
            (np.flatnonzero(self.points.run == run), colour)
            for run, colour in zip(chosen, COLOURS, strict=False)
        ]
        here = [(int(index[0]), colour) for index, colour in at if index.size]
        self.outline.data = {
            "x": [self.place[0][index] for index, _ in here],
            "y": [self.place[1][index] for index, _ in here],
            "colour": [colour for _, colour in here],
        }
