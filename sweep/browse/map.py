"""A scalar over two parameters: a cell for each run or disk, or a point for each run where there is no grid of them."""

from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from bokeh.models import Column, Row, Select, Slider
from numpy.typing import NDArray

from ..errors import StoreError
from ..store import layout
from ..views import Cells, cells
from . import csvtext
from .cells import CellsFigure
from .data import RUN
from .points import VALUE, Points, PointsFigure
from .scales import Scale
from .style import WIDGET, WRAP, apart, downloads, foot, on_click, stack, text_block
from .texts import escaped, shown

if TYPE_CHECKING:
    from .app import Page

F = TypeVar("F", CellsFigure, PointsFigure)
SUM = "sum"
SLIDER_FROM = 7  # values of a parameter, fewer are chosen from a list
MOST_EMPTY = 20  # a grid with so many times more cells than runs is none
SCALES = [("auto", "automatic"), ("linear", "linear"), ("log", "logarithmic")]


class MapView:
    """The first picture of a sweep."""

    def __init__(self, page: "Page") -> None:
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
            control.on_change("value", self._changed)
        self.fixed: dict[str, Select | Slider] = {}
        # last choice of each parameter, also while it is an axis of the map
        self._kept: dict[str, Any] = {}
        self.others = Row(stylesheets=[WRAP], margin=0)
        self.note = text_block()
        self.picture = Column(sizing_mode="stretch_width", margin=0)
        self._figure: CellsFigure | PointsFigure | None = None
        self._shown: Cells | Points | None = None
        controls = Row(self.x, self.y, self.name, self.scale, stylesheets=[WRAP], margin=0)
        self.root = stack(
            controls,
            self.others,
            apart(self.picture),
            foot(self.note, downloads(page, [self.picture], self._csv, "-map")),
        )

    def _select(self, title: str, names: list[str], value: str) -> Select:
        options: Any = [
            (name, "value itself" if name == VALUE else shown(self.data.with_unit(name), 40))
            for name in names
        ]
        return Select(
            title=title, options=options, value=value, width=170, stylesheets=[WIDGET], margin=0
        )

    @cached_property
    def _cells_figure(self) -> CellsFigure:
        return self._listening(CellsFigure(self.data))

    @cached_property
    def _points_figure(self) -> PointsFigure:
        return self._listening(PointsFigure(self.data))

    def _listening(self, made: F) -> F:
        on_click(made.figure, self.page.guarded(self._tapped))
        return made

    def _changed(self, attr: str, old: Any, new: Any) -> None:
        self.page.guarded(self.update)()

    def update(self) -> None:
        """Draw what the controls ask for."""
        x = self.x.value
        y = self.y.value
        name = self.name.value
        runs, left_out = self._runs()
        found = None if VALUE in (y,) or RUN in (x,) or x == y else self._cells(runs, x, y, name)
        if found is None:
            self._fix([])
            self._shown = Points.of(self.data, runs, x, y if y != x else VALUE, name)
            self._points_figure.show(self._shown, self._scale(self._shown.value), self._title(name))
            self._figure = self._points_figure
        else:
            self._shown = found
            self._cells_figure.show(found, self._scale(found.value), self._title(name), x, y)
            self._figure = self._cells_figure
        if self.picture.children != [self._figure.figure]:
            self.picture.children = [self._figure.figure]
        self.note.text = self._notes(left_out)
        self.mark()

    def mark(self) -> None:
        """Show which runs are chosen."""
        if self._figure is not None:
            self._figure.mark(self.page.chosen)

    def step(self, by: int) -> int | None:
        """The run ``by`` places after the first chosen one, in the order of the map."""
        order = self._order()
        if not order.size:
            return None
        at = np.flatnonzero(order == self.page.chosen[0]) if self.page.chosen else order[:0]
        return int(order[(int(at[0]) + by) % order.size]) if at.size else int(order[0])

    def _order(self) -> NDArray[np.int64]:
        if isinstance(self._shown, Cells):
            return self._shown.run[self._shown.run >= 0]
        return self._shown.run if self._shown is not None else np.arange(0)

    def _runs(self) -> tuple[NDArray[np.int64], int]:
        """Runs to show and how many are on none of the axes."""
        runs = self.page.runs
        if (
            not self.data.axes
            or self.x.value not in self.data.axes
            or self.y.value not in self.data.axes
        ):
            return runs, 0
        product = self.data.columns["in_product"][runs]
        return runs[product], int((~product).sum())

    def _cells(self, runs: NDArray[np.int64], x: str, y: str, name: str) -> Cells | None:
        (xs, _), (ys, _) = self.data.coded(x), self.data.coded(y)
        if len(xs) * len(ys) > MOST_EMPTY * max(runs.size, 20) or not self._is_grid(x, y):
            return None
        others = [
            axis
            for axis in self.data.axes
            if axis not in {x, y} and not any(self.data.follows(axis, shown) for shown in (x, y))
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
        try:
            return cells(
                self.data.group, name, x, y, fixed, among=runs, over=over, columns=self.data.columns
            )
        except StoreError:  # several runs in a cell: it is no grid
            return None

    def _is_grid(self, x: str, y: str) -> bool:
        """Whether most pairs of values have runs, as those of two axes have."""
        if {x, y} <= {*self.data.axes}:
            return True
        (xs, i), (ys, j) = self.data.coded(x), self.data.coded(y)
        return bool(self.data.axes) and 2 * np.unique(i * len(ys) + j).size > len(xs) * len(ys)

    def _fix(self, names: list[str]) -> None:
        """Controls for the axes that the map does not show."""
        wanted = {
            name: self.data.sums(self.name.value) and name == self.data.rings for name in names
        }
        if (
            wanted == {name: control.tags == [SUM] for name, control in self.fixed.items()}
            and self.fixed.keys() == wanted.keys()
        ):
            return
        for name in self.fixed:
            self._kept[name] = self._value(name)
        self.fixed = {name: self._control(name, sums=sums) for name, sums in wanted.items()}
        self.others.children = list(self.fixed.values())
        self.others.visible = bool(self.fixed)

    def _control(self, name: str, *, sums: bool) -> Select | Slider:
        values = self.data.coded(name)[0]
        kept = self._kept.get(
            name,
            (
                SUM
                if sums
                else values[(len(values) - 1) // 2]
                if not isinstance(values[0], str)
                else values[0]
            ),
        )
        if kept == SUM and not sums:
            kept = values[(len(values) - 1) // 2]
        if len(values) < SLIDER_FROM or sums or isinstance(values[0], str):
            options: Any = [(SUM, f"sum over {len(values)} rings")] if sums else []
            options += [(str(i), shown(value, 40)) for i, value in enumerate(values)]
            chosen = SUM if kept == SUM else str(values.index(kept))
            select = Select(
                title=shown(self.data.with_unit(name), 40),
                options=options,
                value=chosen,
                width=170,
                stylesheets=[WIDGET],
                margin=0,
            )
            select.tags = [SUM] if sums else []
            select.on_change("value", self._changed)
            return select
        slider = Slider(
            title=self._slider_title(name, kept),
            start=0,
            end=len(values) - 1,
            step=1,
            value=values.index(kept),
            show_value=False,
            width=240,
        )
        slider.update(stylesheets=[WIDGET], margin=(0, 8, 0, 8), bar_color="#9fb9cc")

        def moved(attr: str, old: Any, new: Any) -> None:
            slider.title = self._slider_title(name, values[int(new)])
            self._changed(attr, old, new)

        slider.on_change("value", moved)
        return slider

    def _slider_title(self, name: str, value: Any) -> str:
        return f"{shown(name, 40)} = {self.data.in_words(name, value)}"

    def _value(self, name: str) -> Any:
        chosen = self.fixed[name].value
        return SUM if chosen == SUM else self.data.coded(name)[0][int(chosen)]

    def _scale(self, values: NDArray[np.float64]) -> Scale:
        return Scale.of(values, {"auto": None, "linear": False, "log": True}[self.scale.value])

    def _title(self, name: str) -> str:
        fixed = {axis: self._value(axis) for axis in self.fixed}
        of = " of the whole disk" if SUM in fixed.values() else ""
        unit = self.data.unit(name)
        what = f"{name}{of}" + ("" if unit == "1" else f" [{unit}]")
        rest = [
            f"{shown(axis, 24)} = {self.data.in_words(axis, value)}"
            for axis, value in fixed.items()
            if value != SUM
        ]
        return ", ".join([what, *rest])

    def _notes(self, left_out: int) -> str:
        """What is seen, in words."""
        lines = [
            f"<b>{escaped(self.name.value)}</b>:"
            f" {escaped(self.data.meaning(self.name.value), 120)}."
        ]
        if isinstance(self._shown, Cells):
            there = self._shown.run >= 0
            status = self._shown.status
            counts = {
                "failed": status == layout.FAILED,
                "not done yet": status == layout.PENDING,
                "stopped early": self._shown.early,
            }
            parts = [
                f"{int((where & there).sum())} {words}"
                for words, where in counts.items()
                if (where & there).any()
            ]
            parts += [f"{int((~there).sum())} without a run"] if (~there).any() else []
            parts += (
                [f"{zeros} zero (grey)"] if (zeros := int((self._shown.value == 0.0).sum())) else []
            )
            if SUM in {self._value(axis) for axis in self.fixed}:
                lines.append("A click chooses the first ring of a disk.")
            lines.append(
                f"{there.sum()} cells" + (f": {', '.join(parts)}" if parts else ", all done") + "."
            )
        elif self._shown is not None:
            lines.append(self._shown.in_words() + ".")
        if left_out:
            lines.append(f"{left_out} included runs lie on no axis; see the table of runs.")
        return f"<p class='faint'>{' '.join(lines)}</p>"

    def _tapped(self, event: Any) -> None:
        if event.x is None or event.y is None or self._figure is None:
            return
        run = self._figure.run_at(event.x, event.y)
        if run is not None:
            held = event.modifiers or {}
            self.page.choose([run], add=bool(held.get("shift") or held.get("ctrl")))

    def _csv(self) -> tuple[str, str]:
        name = self.name.value
        if isinstance(self._shown, Cells):
            found, (x, y) = self._shown, (self.x.value, self.y.value)
            j, i = np.nonzero(found.run >= 0)
            state = np.where(
                found.early, "stopped early", np.array(list(layout.STATUS.values()))[found.status]
            )
            columns = {
                self.data.with_unit(x): [found.x[k] for k in i],
                self.data.with_unit(y): [found.y[k] for k in j],
                self._title(name): found.value[j, i].tolist(),
                "state": state[j, i].tolist(),
                "first run" if SUM in {self._value(axis) for axis in self.fixed} else "run": (
                    found.run[j, i].tolist()
                ),
            }
        elif self._shown is not None:
            columns = self._shown.table(self.data)
        else:
            raise StoreError("nothing is shown that could be saved")
        return csvtext.table(columns), f"{self.page.file_name}-map.csv"
