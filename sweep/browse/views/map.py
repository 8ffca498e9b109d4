"""A scalar over two parameters, as cells of a grid or, where there is no grid, as points."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from bokeh.models import Column, Row, Select, Slider
from numpy.typing import NDArray

from ...common.errors import StoreError
from ...common.states import State
from ...common.text import counted
from ...results.cells import Cells, cells
from ...results.quantity import Quantity, remark_on_units
from ..data import RUN
from ..parts import csv_text
from ..parts.cells import CellsFigure
from ..parts.html import rendered, shown
from ..parts.points import VALUE, Points, PointsFigure
from ..parts.scales import Scale
from ..parts.style import (
    SLIDER_BAR,
    WIDGET,
    WRAP,
    adds_run,
    apart,
    call_on_change,
    downloads,
    foot,
    on_click,
    stack,
    text_block,
)

if TYPE_CHECKING:
    from ..host import Host

F = TypeVar("F", CellsFigure, PointsFigure)
SUM = "sum"
#: Values of a parameter from which they are chosen by a slider instead of from a list.
MIN_SLIDER_VALUES = 7
#: Cells per run beyond which runs are drawn as points.
MAX_CELLS_PER_RUN = 20
#: Runs that are assumed at least for this limit.
MIN_RUNS_COUNTED = 20
SCALES = [("auto", "automatic"), ("linear", "linear"), ("log", "logarithmic")]
LOG_SCALES = {"auto": None, "linear": False, "log": True}


class MapView:
    """A map with controls for its axes, its scalar, and the other parameters."""

    def __init__(self, page: "Host") -> None:
        self.page = page
        self.data = page.data
        dimensions = self.data.dimensions
        x = dimensions[0] if dimensions else RUN
        y = dimensions[1] if len(dimensions) > 1 else VALUE
        self.x = self._select("across", [*dict.fromkeys([*dimensions, RUN])], x)
        self.y = self._select("upwards", [*dimensions, VALUE], y)
        self.name = self._select("colour", self.data.scalars, "M_loss")
        self.scale = Select(
            title="scale", options=SCALES, value="auto", width=110, stylesheets=[WIDGET], margin=0
        )
        for control in (self.x, self.y, self.name, self.scale):
            call_on_change(control, "value", self._changed)
        self.fixed: dict[str, Select | Slider] = {}
        # The last choice of each parameter, kept while it is an axis of the map.
        self._kept: dict[str, Any] = {}
        self.others = Row(stylesheets=[WRAP], margin=0)
        self.note = text_block()
        self.picture = Column(sizing_mode="stretch_width", margin=0)
        self._figure: CellsFigure | PointsFigure | None = None
        #: what the figure shows, in the units of the store
        self.drawn: Cells | Points | None = None
        #: scale of its colours, in the unit in which they are shown
        self.drawn_scale = Scale(log=False, low=0.0, high=1.0)
        controls = Row(self.x, self.y, self.name, self.scale, stylesheets=[WRAP], margin=0)
        self.root = stack(
            controls,
            self.others,
            apart(self.picture),
            foot(self.note, downloads(page, [self.picture], self.csv, "-map")),
        )

    def _select(self, title: str, names: list[str], value: str) -> Select:
        options: Any = []
        for name in names:
            label = "value itself" if name == VALUE else shown(self.data.listed(name), 40)
            options.append((name, label))
        return Select(
            title=title, options=options, value=value, width=170, stylesheets=[WIDGET], margin=0
        )

    @cached_property
    def _cells_figure(self) -> CellsFigure:
        return self._with_clicks(CellsFigure(self.data))

    @cached_property
    def _points_figure(self) -> PointsFigure:
        return self._with_clicks(PointsFigure(self.data))

    def _with_clicks(self, figure: F) -> F:
        on_click(figure.figure, self.page.guarded(self._tapped))
        return figure

    def _changed(self) -> None:
        self.page.guarded(self.update)()

    def update(self) -> None:
        """Draw the map that the controls describe."""
        x = self.x.value
        y = self.y.value
        name = self.name.value
        runs, left_out = self._runs()
        grid = None
        axes = [self.data.axis_quantity(name) for name in (x, y) if name not in {RUN, VALUE}]
        if y != VALUE and x not in {RUN, y}:
            grid = self._cells(runs, x, y, name)
        if grid is None:
            self._fix([])
            points = Points.of(self.data, runs, x, y if y != x else VALUE, name)
            quantity = self._quantity(points.value)
            self.drawn_scale = self._scale(quantity.convert(points.value))
            self._points_figure.show(points, quantity, self.drawn_scale, self._title(quantity))
            self.drawn = points
            self._figure = self._points_figure
        else:
            quantity = self._quantity(grid.value)
            converted = replace(grid, value=quantity.convert(grid.value))
            self.drawn_scale = self._scale(converted.value)
            self._cells_figure.show(converted, self.drawn_scale, self._title(quantity), x, y)
            self.drawn = grid
            self._figure = self._cells_figure
        if self.picture.children != [self._figure.figure]:
            self.picture.children = [self._figure.figure]
        self.note.text = self._notes(left_out, remark_on_units([quantity, *axes]))
        self.mark()

    def mark(self) -> None:
        """Show which runs are chosen."""
        if self._figure is not None:
            self._figure.mark(self.page.chosen)

    def step(self, by: int) -> int | None:
        """Return the run ``by`` steps after the first chosen one, in the order of the map."""
        return step_in(self._order(), self.page.chosen, by)

    def _order(self) -> NDArray[np.int64]:
        if isinstance(self.drawn, Cells):
            return self.drawn.run[self.drawn.run >= 0]
        return self.drawn.run if self.drawn is not None else np.arange(0)

    def _runs(self) -> tuple[NDArray[np.int64], int]:
        """Return the runs to show and the number of those that are on no axis."""
        runs = self.page.runs
        if not {self.x.value, self.y.value} <= {*self.data.axes}:
            return runs, 0
        product = self.data.columns["in_product"][runs]
        return runs[product], int((~product).sum())

    def _cells(self, runs: NDArray[np.int64], x: str, y: str, name: str) -> Cells | None:
        """Return the cells of a grid, or None where the runs make none."""
        count = len(self.data.coded(x)[0]) * len(self.data.coded(y)[0])
        limit = MAX_CELLS_PER_RUN * max(runs.size, MIN_RUNS_COUNTED)
        if count > limit or not self._is_grid(x, y):
            return None
        others = [
            axis
            for axis in self.data.axes
            if axis not in {x, y}
            and not self.data.follows(axis, x)
            and not self.data.follows(axis, y)
        ]
        self._fix(others)
        over = None
        fixed = {}
        for axis in others:
            value = self._value(axis)
            if value == SUM:
                over = axis
            else:
                fixed[axis] = value
        if over:
            runs = self.page.selection.only(runs).whole_disks.runs
        try:
            return cells(self.data.columns, name, x, y, fixed, among=runs, over=over)
        except StoreError:
            # Several runs share a cell: there is no grid.
            return None

    def _is_grid(self, x: str, y: str) -> bool:
        """Whether most pairs of values have runs, as for two axes."""
        if {x, y} <= {*self.data.axes}:
            return True
        xs, i = self.data.coded(x)
        ys, j = self.data.coded(y)
        pairs = np.unique(i * len(ys) + j).size
        return bool(self.data.axes) and 2 * pairs > len(xs) * len(ys)

    def _fix(self, names: list[str]) -> None:
        """Show controls for the axes that the map does not show."""
        adds_up = self.data.sums(self.name.value)
        # By axis, whether the control offers the sum over it.
        wanted = {name: adds_up and name == self.data.rings for name in names}
        present = {name: control.tags == [SUM] for name, control in self.fixed.items()}
        if wanted == present:
            return
        for name in self.fixed:
            self._kept[name] = self._value(name)
        self.fixed = {name: self._control(name, sums=sums) for name, sums in wanted.items()}
        self.others.children = list(self.fixed.values())
        self.others.visible = bool(self.fixed)

    def _control(self, name: str, *, sums: bool) -> Select | Slider:
        values = self.data.coded(name)[0]
        middle = values[(len(values) - 1) // 2]
        are_texts = isinstance(values[0], str)
        if name in self._kept:
            value = self._kept[name]
        elif sums:
            value = SUM
        else:
            value = values[0] if are_texts else middle
        if value == SUM and not sums:
            value = middle
        if len(values) < MIN_SLIDER_VALUES or sums or are_texts:
            return self._list_control(name, values, value, sums=sums)
        return self._slider_control(name, values, value)

    def _list_control(self, name: str, values: list[Any], value: Any, *, sums: bool) -> Select:
        options: Any = [(SUM, "sum over rings")] if sums else []
        options += [(str(i), self.data.in_words(name, label, 40)) for i, label in enumerate(values)]
        select = Select(
            title=shown(self.data.with_unit(name), 40),
            options=options,
            value=SUM if value == SUM else str(values.index(value)),
            width=170,
            stylesheets=[WIDGET],
            margin=0,
        )
        select.tags = [SUM] if sums else []
        call_on_change(select, "value", self._changed)
        return select

    def _slider_control(self, name: str, values: list[Any], value: Any) -> Slider:
        slider = Slider(
            title=self._slider_title(name, value),
            start=0,
            end=len(values) - 1,
            step=1,
            value=values.index(value),
            show_value=False,
            width=240,
        )
        slider.update(stylesheets=[WIDGET], margin=(0, 8, 0, 8), bar_color=SLIDER_BAR)

        def moved() -> None:
            slider.title = self._slider_title(name, values[int(slider.value)])
            self._changed()

        call_on_change(slider, "value", moved)
        return slider

    def _slider_title(self, name: str, value: Any, longest: int = 40) -> str:
        return f"{shown(name, longest)} = {self.data.in_words(name, value)}"

    def _value(self, name: str) -> Any:
        chosen = self.fixed[name].value
        return SUM if chosen == SUM else self.data.coded(name)[0][int(chosen)]

    def _scale(self, values: NDArray[np.float64]) -> Scale:
        return Scale.of(values, log=LOG_SCALES[self.scale.value])

    @property
    def _is_summed(self) -> bool:
        """Whether cells are sums over rings."""
        return any(self._value(axis) == SUM for axis in self.fixed)

    def _quantity(self, values: NDArray[np.float64] | None = None) -> Quantity:
        """Return the scalar as it is shown with these values, or else as it is stored."""
        name = self.name.value
        words = ""
        if self._is_summed:
            words = f"{name} of {self.page.selection.whole_disks.rings_in_words}"
        return self.data.quantity(name, values, words)

    def _title(self, quantity: Quantity) -> str:
        parts = [quantity.head]
        for axis in self.fixed:
            value = self._value(axis)
            if value != SUM:
                parts.append(self._slider_title(axis, value, 24))
        return ", ".join(parts)

    def _notes(self, left_out: int, remark: str) -> str:
        """Return HTML that describes what is shown; the remark is on its unit."""
        lines = [f"{remark}."] if remark else []
        if isinstance(self.drawn, Cells):
            if self._is_summed:
                lines.append("A click chooses the first ring of a disk.")
                lines += self._remarks_on_rings()
            lines.append(_count_cells(self.drawn, log=self.drawn_scale.log))
        elif self.drawn is not None:
            lines.append(self.drawn.in_words(self.drawn_scale) + ".")
        if left_out:
            lines.append(
                f"Not shown: {counted(left_out, 'included run')} on no axis; see the table of runs."
            )
        name = self.name.value
        return rendered("map_note", name=name, meaning=self.data.meaning(name), sentences=lines)

    def _remarks_on_rings(self) -> list[str]:
        """Return a sentence where the filter lets rings pass, and sums are over whole disks."""
        selection = self.page.selection
        if selection.whole_disks.runs.size <= selection.runs.size:
            return []
        return [
            "Sums are over all rings of each disk with a run that passes the filter; a condition on"
            f" {self.data.rings} chooses rings."
        ]

    def _tapped(self, event: Any) -> None:
        if event.x is None or event.y is None or self._figure is None:
            return
        run = self._figure.run_at(event.x, event.y)
        if run is not None:
            self.page.choose([run], add=adds_run(event))

    def csv(self) -> tuple[str, str]:
        """Return a file with what is drawn, and its name."""
        if self.drawn is None:
            raise StoreError("nothing is shown that could be saved")
        if isinstance(self.drawn, Cells):
            columns = self._table_of_cells(self.drawn)
        else:
            columns = self.drawn.table(self.data)
        return csv_text.table(columns), f"{self.page.file_name}-map.csv"

    def _table_of_cells(self, grid: Cells) -> dict[str, list[Any]]:
        j, i = np.nonzero(grid.run >= 0)
        words = [State(code).word for code in grid.state[j, i].tolist()]
        return {
            self.data.with_unit(self.x.value): [grid.x[k] for k in i],
            self.data.with_unit(self.y.value): [grid.y[k] for k in j],
            self._title(self._quantity()): grid.value[j, i].tolist(),
            "state": words,
            "first run" if self._is_summed else "run": grid.run[j, i].tolist(),
        }


def step_in(order: NDArray[np.int64], chosen: Sequence[int], by: int) -> int | None:
    """Return the run ``by`` steps after the first chosen one in a cyclic order.

    Parameters
    ----------
    order : numpy.ndarray
        Rows of the runs.
    chosen : sequence of int
        The chosen runs.
    by : int
        Number of steps; negative for steps back.

    Returns
    -------
    int or None
        The first run where the chosen one is not in the order; None where the order is empty.
    """
    if not order.size:
        return None
    index = np.flatnonzero(order == chosen[0]) if chosen else order[:0]
    if not index.size:
        return int(order[0])
    return int(order[(int(index[0]) + by) % order.size])


def _count_cells(grid: Cells, *, log: bool) -> str:
    """Return a sentence with the number of cells in each state."""
    counts = {state.word: int(marked.sum()) for state, marked in grid.marked(log=log).items()}
    counts["infinite"] = int(np.isinf(grid.value).sum())
    parts = [f"{count} {word}" for word, count in counts.items() if count]
    states = f": {', '.join(parts)}" if parts else ", all done"
    return f"{counted(grid.run.size, 'cell')}{states}."
