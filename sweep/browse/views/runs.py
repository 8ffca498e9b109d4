"""The table of runs."""

import html
from typing import TYPE_CHECKING, Any

import numpy as np
from bokeh.models import (
    ColumnDataSource,
    DataTable,
    Row,
    Select,
    StringFormatter,
    TableColumn,
    TextInput,
    Toggle,
)

from ...common.text import counted
from ...results.columns import RESULTS_IN_TABLES, in_sequence
from ...results.quantity import remark_on_units
from ..data import RUN
from ..parts import csv_text
from ..parts.html import rendered, shown
from ..parts.scales import number
from ..parts.style import (
    ACCENT,
    FONT,
    INK,
    LINE,
    WIDGET,
    WRAP,
    apart,
    call_on_change,
    downloads,
    foot,
    stack,
    text_block,
)

if TYPE_CHECKING:
    from ..host import Host

#: Rows that are sent to the browser.
MAX_ROWS = 500
MAX_CELL_CHARACTERS = 80
_GRID = f"""
.slick-header-column.ui-state-default {{
  background: #f3f5f7; color: {INK}; font: 600 12px {FONT}; border-right: 0;
}}
.slick-cell {{
  font: 13px {FONT}; font-variant-numeric: tabular-nums;
  border-right: 0; border-bottom: 1px solid {LINE};
}}
.slick-row.selected .slick-cell, .slick-cell.selected {{ background-color: #d9e8f3; }}
.slick-row.odd, .slick-row.even {{ background: #fff; }}
.slick-cell.active {{ border-color: {ACCENT}; }}
"""


class RunsView:
    """The runs that pass the filter, sorted by this process, so that all of them take part."""

    def __init__(self, page: "Host") -> None:
        self.page = page
        self.data = page.data
        names = [
            "run",
            *(name for name in self.data.columns if name not in {"run", "block", "in_product"}),
        ]
        options: Any = [(name, shown(self.data.listed(name), 40)) for name in names]
        self.sort = Select(
            title="sort by", options=options, value="run", width=170, stylesheets=[WIDGET], margin=0
        )
        self.down = Toggle(
            label="largest first", width=110, height=31, stylesheets=[WIDGET], margin=(20, 0, 0, 0)
        )
        self.names = TextInput(title="columns", value="", stylesheets=[WIDGET], margin=0)
        self.names.styles = {"flex": "1 1 320px", "width": "auto"}
        call_on_change(self.sort, "value", self._changed)
        call_on_change(self.down, "active", self._changed)
        call_on_change(self.names, "value", self._changed)
        self.source = ColumnDataSource(data={"run": []})
        self.table = DataTable(
            source=self.source,
            columns=[],
            height=430,
            index_position=None,
            selectable=True,
            reorderable=False,
            row_height=26,
            sizing_mode="stretch_width",
            margin=0,
            stylesheets=[_GRID],
            autosize_mode="none",
            name="runs",
        )
        self.source.selected.on_change("indices", self._selected)
        self.note = text_block()
        controls = Row(
            self.sort,
            self.down,
            self.names,
            stylesheets=[WRAP],
            margin=0,
            sizing_mode="stretch_width",
        )
        self.root = stack(
            controls, apart(self.table), foot(self.note, downloads(page, [], self._csv))
        )
        self._default_names: list[str] = []
        # Whether this class, and not a person, is changing a control.
        self._marking = False
        self._order = np.arange(0)

    def _changed(self) -> None:
        if not self._marking:
            self.page.guarded(self.update)()

    def _offer_columns(self) -> None:
        """Show the default columns unless other columns were written."""
        results = [*RESULTS_IN_TABLES]
        if (self.data.columns["error"] != "").any():
            results.append("error")
        others = [
            name
            for name in self.data.varying
            if name not in self.data.axes and not self.data.is_determined(name)
        ]
        previous = self._default_names
        self._default_names = [*self.data.axes, *others, *results]
        if self.names.value == ", ".join(previous):
            self._marking = True
            self.names.value = ", ".join(self._default_names)
            self._marking = False

    def update(self) -> None:
        """Fill the table."""
        self._offer_columns()
        order = ("-" if self.down.active else "") + self.sort.value
        self._order = in_sequence(self.data.columns, self.page.runs, order)
        rows = self._order[:MAX_ROWS]
        names = self._names()
        quantities = self.data.quantities(names)
        content = {}
        for name in names:
            values = self.data.columns[name][rows]
            if values.dtype.kind == "f":
                values = quantities[name].convert(values)
            content[name] = [_cell(value) for value in values.tolist()]
        numeric = {name for name in names if self.data.columns[name].dtype.kind in "iuf"}
        self._marking = True
        self.source.selected.indices = []
        self.source.data = {
            "run": [str(run) for run in rows.tolist()],
            **{f"c{i}": content[name] for i, name in enumerate(names)},
        }
        self.table.columns = [
            TableColumn(
                field="run",
                title="run",
                width=60,
                sortable=False,
                formatter=StringFormatter(text_align="right"),
            ),
            *(
                self._column(i, quantities[name].head, content[name], right=name in numeric)
                for i, name in enumerate(names)
            ),
        ]
        self._marking = False
        sentences = [f"{self._order.size} of {counted(self.data.runs, 'run')}."]
        if self._order.size > rows.size:
            sentences.append(
                f"The first {rows.size} are shown; sorting and the filter act on all, and CSV has"
                " all."
            )
        remark = remark_on_units(quantities.values())
        if remark:
            sentences.append(f"{remark}.")
        sentences.append("Shift or Ctrl with a click adds a run.")
        self.note.text = rendered("note", sentences=sentences)
        self.mark()

    def _names(self) -> list[str]:
        """Return the columns that were written, or the default ones."""
        names = [name.strip() for name in self.names.value.split(",")]
        written = [name for name in dict.fromkeys(names) if name not in {"", RUN}]
        return written or self._default_names

    def _column(self, i: int, head: str, cells: list[str], *, right: bool) -> TableColumn:
        title = shown(head, 32)
        letters = max(map(len, [title, *cells[:100]]))
        width = min(max(8 * letters + 16, 60), 320)
        align: Any = "right" if right else "left"
        return TableColumn(
            field=f"c{i}",
            # The table takes its heads for HTML.
            title=html.escape(title),
            width=width,
            sortable=False,
            formatter=StringFormatter(text_align=align),
        )

    def mark(self) -> None:
        """Select the rows of the chosen runs."""
        rows = {run: i for i, run in enumerate(self._order[:MAX_ROWS].tolist())}
        self._marking = True
        self.source.selected.indices = [rows[run] for run in self.page.chosen if run in rows]
        self._marking = False

    def _selected(self, _attribute: str, _old: list[int], new: list[int]) -> None:
        if self._marking:
            return
        rows = self._order[:MAX_ROWS].tolist()
        selected = [rows[i] for i in new if i < len(rows)]
        # Runs that were chosen before come first, so that they keep their colours.
        kept = [run for run in self.page.chosen if run in selected]
        added = [run for run in selected if run not in kept]
        self.page.guarded(self.page.choose)([*kept, *added])

    def _csv(self) -> tuple[str, str]:
        columns = {RUN: self._order.tolist()}
        columns |= {
            self.data.with_unit(name): self.data.columns[name][self._order].tolist()
            for name in self._names()
        }
        return csv_text.table(columns), f"{self.page.file_name}-runs.csv"


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return number(value)
    if value == "not_yet":
        return "–"
    return shown(value, MAX_CELL_CHARACTERS)
