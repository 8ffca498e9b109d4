"""Cells of a map: one image of colours, and hatched boxes over missing or incomplete results."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from bokeh.models import (
    ColorBar,
    ColumnDataSource,
    CustomJSHover,
    FixedTicker,
    HoverTool,
    Legend,
    LegendItem,
    LinearColorMapper,
)
from bokeh.palettes import Viridis256
from numpy.typing import NDArray

from ...common.states import LOOKS, State
from ...common.text import counted
from ...results.cells import Cells
from ..data import Data
from .html import plain, shown
from .scales import Scale
from .style import ABSENT, COLOURS, FONT, INK, plot, set_axis, set_range

#: Letters of all labels of an axis beyond which they are crowded.
MAX_LABEL_LETTERS = 70
MAX_TICKS = 12
#: States of cells that are marked, with the colour of their hatches.
HATCH_COLOURS = {
    State.FAILED: "#222222",
    State.PENDING: ABSENT,
    State.EARLY: "#ffffff",
    State.FILTERED: ABSENT,
    State.UNUSED: "#ffffff",
    State.ZERO: "#ffffff",
}
#: JavaScript that writes a number in a hint to five digits.
FIVE_DIGITS = "return Number.isFinite(value) ? String(Number(value.toPrecision(5))) : '–'"
_WORD = (
    "return words.data.words[Math.max(0, Math.min(words.data.words.length - 1, Math.floor(value)))]"
)
_STATE = f"return {[state.word for state in State]}[value]"


def colour_bar() -> tuple[LinearColorMapper, ColorBar]:
    """Return a colour mapper and its bar, which :func:`set_colours` sets to a scale."""
    mapper = LinearColorMapper(palette=Viridis256, low=0, high=1, nan_color="rgba(0,0,0,0)")
    bar = ColorBar(
        color_mapper=mapper,
        ticker=FixedTicker(ticks=[]),
        width=14,
        padding=4,
        label_standoff=6,
        bar_line_color=None,
        major_tick_line_color=None,
        major_label_text_font=FONT,
        major_label_text_font_size="12px",
        major_label_text_color=INK,
    )
    return mapper, bar


def set_colours(mapper: LinearColorMapper, bar: ColorBar, scale: Scale) -> None:
    """Set a colour mapper and its bar to a scale."""
    low, high = scale.ends()
    mapper.update(low=low, high=high)
    ticks = scale.ticks(7)
    bar.ticker.ticks = [position for position, _ in ticks]
    bar.major_label_overrides = {position: plain(words) for position, words in ticks}


def legend() -> Legend:
    """Return a legend in the page's style, for below a figure."""
    return Legend(
        orientation="horizontal",
        location="left",
        border_line_color=None,
        padding=0,
        margin=4,
        spacing=14,
        label_text_font=FONT,
        label_text_font_size="12px",
        label_text_color=INK,
        glyph_width=20,
        glyph_height=14,
        label_height=14,
    )


class CellsFigure:
    """The figure of a map that is drawn as cells."""

    def __init__(self, data: Data) -> None:
        self.data = data
        self.figure = plot(400, name="cells")
        self.figure.grid.grid_line_color = None
        self.mapper, self.bar = colour_bar()
        self.source = ColumnDataSource(
            data={"shade": [], "value": [], "run": [], "state": [], "dw": [], "dh": []}
        )
        image = self.figure.image(
            "shade", x=0, y=0, dw="dw", dh="dh", color_mapper=self.mapper, source=self.source
        )
        self.marks: dict[State, ColumnDataSource] = {}
        self.items: dict[State, LegendItem] = {}
        for state, hatch_colour in HATCH_COLOURS.items():
            source = self.marks[state] = ColumnDataSource(data={"x": [], "y": [], "w": []})
            shared = {
                "line_color": None,
                "hatch_scale": 14,
                "hatch_weight": 1.2,
                "width": "w",
                "height": 1,
                "source": source,
            }
            if state == State.EARLY:
                # Dark hatches below the light ones make them visible on any colour.
                self.figure.rect(
                    "x",
                    "y",
                    fill_color=None,
                    hatch_pattern="\\",
                    hatch_color="#000000",
                    **{**shared, "hatch_weight": 3},
                )
            renderer = self.figure.rect(
                "x",
                "y",
                fill_color=LOOKS[state].face or None,
                hatch_pattern=LOOKS[state].hatch_on_page,
                hatch_color=hatch_colour,
                **shared,
            )
            self.items[state] = LegendItem(
                label={"value": state.word}, renderers=[renderer], visible=False
            )
        self.outline = ColumnDataSource(data={"x": [], "y": [], "colour": []})
        self.figure.rect(
            "x",
            "y",
            width=1,
            height=1,
            fill_color=None,
            line_color="#ffffff",
            line_width=5,
            source=self.outline,
        )
        self.figure.rect(
            "x",
            "y",
            width=1,
            height=1,
            fill_color=None,
            line_color="colour",
            line_width=3,
            source=self.outline,
        )
        self.legend = legend()
        self.legend.items = list(self.items.values())
        self.figure.add_layout(self.bar, "right")
        self.figure.add_layout(self.legend, "below")
        self.words = {which: ColumnDataSource(data={"words": [""]}) for which in "xy"}
        self.hover = HoverTool(
            renderers=[image],
            formatters={
                **{
                    f"${which}": CustomJSHover(args={"words": source}, code=_WORD)
                    for which, source in self.words.items()
                },
                "@value": CustomJSHover(code=FIVE_DIGITS),
                "@state": CustomJSHover(code=_STATE),
            },
        )
        self.figure.add_tools(self.hover)
        self.cells: Cells | None = None

    def show(self, cells: Cells, scale: Scale, title: str, x: str, y: str) -> None:
        """Draw cells.

        Parameters
        ----------
        cells : Cells
            A scalar over two parameters.
        scale : Scale
            Scale of the colours.
        title : str
            Title of the figure.
        x, y : str
            Names of the parameters.
        """
        self.cells = cells
        set_colours(self.mapper, self.bar, scale)
        self.bar.visible = bool(np.isfinite(cells.value).any())
        ny, nx = cells.run.shape
        self.source.data = {
            "shade": [scale.positions_of(cells.value).astype(np.float32)],
            "value": [cells.value],
            "run": [cells.run.astype(np.int32)],
            "state": [cells.state],
            "dw": [nx],
            "dh": [ny],
        }
        for state, marked in cells.marked(log=scale.log).items():
            self.marks[state].data = _boxes(marked)
            count = int(marked.sum())
            self.items[state].update(
                label={"value": f"{state.word} ({counted(count, 'cell')})"}, visible=count > 0
            )
        if not scale.log:
            self.marks[State.ZERO].data = _boxes(np.zeros_like(cells.run, np.bool_))
            self.items[State.ZERO].visible = False
        self.legend.visible = any(item.visible for item in self.items.values())
        figure = self.figure
        figure.title.text = plain(title, 110)
        self._show_axis("x", x, cells.x)
        self._show_axis("y", y, cells.y)
        self.hover.tooltips = [
            (shown(x, 40), "$x{custom}"),
            (shown(y, 40), "$y{custom}"),
            ("value", "@value{custom}"),
            ("state", "@state{custom}"),
            ("run", "@run"),
        ]

    def _show_axis(self, which: str, name: str, values: Sequence[Any]) -> None:
        """Label the cells along an axis, skipping values where there are many."""
        quantity = self.data.axis_quantity(name)
        words = [quantity.with_unit(value, shown(value, 40)) for value in values]
        self.words[which].data = {"words": words}
        step = max(-(-len(values) // MAX_TICKS), 1)
        labels = [quantity.label_of(value) for value in values]
        ticks = [(i + 0.5, shown(labels[i], 18)) for i in range(0, len(labels), step)]
        is_crowded = sum(len(words) + 2 for _, words in ticks) > MAX_LABEL_LETTERS
        axis = self.figure.xaxis[0] if which == "x" else self.figure.yaxis[0]
        axis.major_label_orientation = 0.6 if is_crowded and which == "x" else 0.0
        set_axis(axis, ticks, plain(quantity.head, 50))
        span = self.figure.x_range if which == "x" else self.figure.y_range
        set_range(span, 0, max(len(values), 1))

    def run_at(self, x: float, y: float) -> int | None:
        """Return the run of the cell at a position, if there is one."""
        if self.cells is None:
            return None
        i = int(np.floor(x))
        j = int(np.floor(y))
        if not (0 <= i < len(self.cells.x) and 0 <= j < len(self.cells.y)):
            return None
        run = int(self.cells.run[j, i])
        return run if run >= 0 else None

    def mark(self, chosen: Sequence[int]) -> None:
        """Outline the cells of runs."""
        if self.cells is None:
            return
        data: dict[str, list[Any]] = {"x": [], "y": [], "colour": []}
        for run, colour in zip(chosen, COLOURS, strict=False):
            for j, i in np.argwhere(self.cells.run == run)[:1]:
                data["x"].append(float(i) + 0.5)
                data["y"].append(float(j) + 0.5)
                data["colour"].append(colour)
        self.outline.data = data


def _boxes(marked: NDArray[np.bool_]) -> dict[str, list[float]]:
    """Return boxes of the marked cells; those that touch within a row share one."""
    boxes: dict[str, list[float]] = {"x": [], "y": [], "w": []}
    for j, row in enumerate(marked):
        steps = np.diff(row.astype(np.int8), prepend=0, append=0)
        starts = np.flatnonzero(steps == 1).tolist()
        stops = np.flatnonzero(steps == -1).tolist()
        for start, stop in zip(starts, stops, strict=True):
            boxes["x"].append((start + stop) / 2.0)
            boxes["y"].append(float(j) + 0.5)
            boxes["w"].append(float(stop - start))
    return boxes
