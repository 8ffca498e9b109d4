"""The table at the end of a sweep: a result over the axes of its product."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from ..common.floats import DIGITS
from ..common.text import text, two_digits
from ..results.columns import coded
from ..results.effects import effects
from ..results.outcomes import GOOD, MISSING, STATES, Outcomes, outcomes
from ..results.quantity import Quantity, remark_on_units
from ..spec.axes import ONE_AT_A_TIME
from ..spec.designs import POINT
from ..store.store import Store

#: Rows of the table.
MAX_ROWS = 40
#: Values of the axis that is laid out in columns.
MAX_COLUMNS = 8
AVAILABLE = "M_available"


def totals(store: Store, name: str = "M_loss") -> Table | None:
    """Return a table of a result over the axes of the product, summed over rings.

    A cell with a failed, pending or excluded run says so instead of showing a sum without it.
    Included runs are not in the table. Where the product is too long for a table, the axes that
    change the result least are left out of it, and cells have medians over them.

    Parameters
    ----------
    store : Store
        The store.
    name : str
        A scalar of each run.

    Returns
    -------
    Table or None
        None where there is no axis to lay out.
    """
    if POINT in store.axes:
        return None  # for points of a design there are sweep summary and sweep sensitivity
    results = outcomes(store, name)
    if not results.axes:
        return None
    return _Layout.of(store, name, results).table()


@dataclass(frozen=True)
class _Layout:
    """Which axes are rows and columns of the table, and what stands in its cells."""

    results: Outcomes
    quantity: Quantity
    row_axes: Sequence[str]
    column_axis: str | None
    left_out: Sequence[str]  #: axes that cells have medians over
    cases_per_cell: int  #: where none is excluded
    available: NDArray[np.float64] | None  #: mass that each case could have lost, if it is shown

    @classmethod
    def of(cls, store: Store, name: str, results: Outcomes) -> "_Layout":
        """Choose the axes by their effects on the result."""
        counts = {axis: len(coded(results.labels[axis])[0]) for axis in results.axes}
        shown = list(results.axes)
        if _rows(shown, counts) > MAX_ROWS:
            shown = [effect.axis for effect in effects(results)]
        while len(shown) > 1 and _rows(shown, counts) > MAX_ROWS:
            shown.pop()
        column_axis = _column_axis(shown, counts)
        left_out = [axis for axis in results.axes if axis not in shown]
        return cls(
            results=results,
            quantity=Quantity.of(store, name, results.value, results.target_in_words),
            row_axes=[axis for axis in shown if axis != column_axis],
            column_axis=column_axis,
            left_out=left_out,
            cases_per_cell=int(np.prod([counts[axis] for axis in left_out])),
            available=None if left_out else _available(store, name, results),
        )

    def table(self) -> Table:
        """Lay out the table."""
        results = self.results
        table = Table(title=self._title, title_justify="left")
        for axis in self.row_axes:
            table.add_column(axis, justify="right")
        headings, column_of_case = self._columns()
        for heading in headings:
            table.add_column(heading, justify="right")
        rows = results.groups({axis: results.labels[axis] for axis in self.row_axes})
        words = {axis: _words_of(coded(results.labels[axis])[0]) for axis in self.row_axes}
        for labels, cases in rows[:MAX_ROWS]:
            cells = [words[axis][label] for axis, label in labels.items()]
            for column in range(len(headings)):
                cells.append(self._cell(cases[column_of_case[cases] == column]))
            table.add_row(*cells)
        captions = [remark_on_units([self.quantity])]
        if self.left_out:
            shown = replace(results, value=self.quantity.convert(results.value))
            changes = ", ".join(effect.words for effect in effects(shown))
            captions.append(f"medians change: {changes}")
        if len(rows) > MAX_ROWS:
            captions.append(f"and {len(rows) - MAX_ROWS} rows more")
        table.caption = "; ".join(filter(None, captions)) or None
        return table

    @property
    def _title(self) -> str:
        share = "" if self.available is None else " (and its share of the mass that was available)"
        axes = [*self.row_axes, *filter(None, [self.column_axis])]
        title = f"{self.quantity.head}{share} over {', '.join(axes)}"
        if self.left_out:
            title += f"; medians (least to largest) over {', '.join(self.left_out)}"
        return title

    def _columns(self) -> tuple[list[str], NDArray[np.int64]]:
        """Return the headings of the columns, and the column of each case."""
        if self.column_axis is None:
            return [self.quantity.head], np.zeros(self.results.value.size, np.int64)
        values, column_of_case = coded(self.results.labels[self.column_axis])
        words = _words_of(values)
        return [f"{self.column_axis} = {words[value]}" for value in values], column_of_case

    def _cell(self, cases: NDArray[np.int64]) -> str:
        """Return the text of a cell: one result, or the median of those that there are."""
        if not cases.size:
            return "-"
        states = self.results.state[cases]
        good = cases[states == GOOD]
        lacking = [
            _counted(int((states == state).sum()), state, alone=cases.size == 1)
            for state in sorted(set(states.tolist()) - {GOOD})
        ]
        absent = self.cases_per_cell - cases.size
        if absent:
            lacking.append(_counted(absent, MISSING, alone=False))
        return ", ".join([*self._value(good), *lacking])

    def _value(self, cases: NDArray[np.int64]) -> list[str]:
        """Return the text of some results; nothing where there are none."""
        if not cases.size:
            return []
        values = self.quantity.convert(self.results.value[cases])
        median = text(float(np.median(values)))
        least, largest = text(float(values.min())), text(float(values.max()))
        if least != largest:
            return [f"{median} ({least} to {largest})"]
        if self.available is None:
            return [median]
        share = 100.0 * float(self.results.value[cases[0]] / self.available[cases[0]])
        return [f"{median} ({two_digits(share)} %)"]


def _counted(count: int, state: int, *, alone: bool) -> str:
    """Return how many cases of a cell are in a state; the state itself where there is one case."""
    return STATES[state] if alone else f"{count} {STATES[state]}"


def _column_axis(axes: Sequence[str], counts: dict[str, int]) -> str | None:
    """Return the axis that is laid out in columns: the last of those with few values."""
    # its labels, each a key and a value, are too long for headings
    short = [axis for axis in axes if counts[axis] <= MAX_COLUMNS and axis != ONE_AT_A_TIME]
    return short[-1] if short else None


def _rows(axes: Sequence[str], counts: dict[str, int]) -> int:
    """Return the number of rows that a table over these axes takes."""
    column_axis = _column_axis(axes, counts)
    return int(np.prod([counts[axis] for axis in axes if axis != column_axis]))


def _words_of(values: Sequence[Any]) -> dict[Any, str]:
    """Return the labels of an axis in words: numbers with as many digits as tell them apart."""
    for digits in range(6, DIGITS + 1):
        words = {
            value: f"{value:.{digits}g}" if isinstance(value, float) else str(value)
            for value in values
        }
        if len(set(words.values())) == len(words):
            break
    return words


def _available(store: Store, name: str, results: Outcomes) -> NDArray[np.float64] | None:
    """Return the mass that each case could have lost, (cases,) in M_Mars.

    None where it is not known of all cases, or ``name`` is no loss of mass.
    """
    if name != "M_loss" or AVAILABLE not in store:
        return None
    available = outcomes(store, AVAILABLE)
    known = available.value[results.state == GOOD]
    is_known = np.isfinite(known) & (known > 0.0)
    return available.value if is_known.all() else None
