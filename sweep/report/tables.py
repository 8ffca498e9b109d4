"""Tables of a store for the terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Group
from rich.table import Table
from rich.text import Text

from ..common.errors import StoreError
from ..common.text import counted, text
from ..results.columns import Columns, columns_to_show
from ..results.notes import Notes
from ..results.quantity import Quantity, quantities_together, remark_on_units
from ..store.store import Store

#: Least width of a column of prose, in characters; longer cells are folded.
MIN_PROSE_WIDTH = 16
#: Width of the border and the padding of a column, in characters.
BORDER_WIDTH = 3
#: After the number of a run that has notes.
MARK = " *"


def runs_table(
    columns: Columns, names: Sequence[str] | None, runs: NDArray[np.int64], *, rows: int, width: int
) -> Group:
    """Return a table of runs, with units in the heads.

    Columns that do not fit into the width are left out, and named below the table.

    Parameters
    ----------
    columns : Columns
        Of the store.
    names : sequence of str or None
        Columns to show; None for the parameters and the main results.
    runs : (runs,) array of int
        Rows of the runs, in the order in which to show them.
    rows : int
        Maximum number of runs shown.
    width : int
        Of the table, in characters.

    Returns
    -------
    Group
        The table and lines on what it leaves out.

    Raises
    ------
    StoreError
        A name is empty, or no column of the store.
    """
    is_chosen = names is not None
    names = columns_to_show(columns.store, names)
    if not rows or not all(names):
        raise StoreError("the name of a column is empty; write --columns T0,M_loss")
    shown = runs[:rows]
    # of all chosen runs, so that --rows changes no unit
    values = {name: columns[name][runs] for name in names}
    quantities = quantities_together(columns.store, values)
    content = {name: _cells(quantities[name], columns[name][shown]) for name in names}
    heads = {name: quantity.head for name, quantity in quantities.items()}
    noted = Notes.of(columns.store, shown).noted
    marks = np.where(np.isin(shown, noted), MARK, " " * len(MARK))
    run_width = max(len("run"), len(f"{shown.max(initial=0)}{MARK}"))
    free = width - run_width - BORDER_WIDTH - 1
    least = {name: _least_width(cells, heads[name]) for name, cells in content.items()}
    if sum(characters + BORDER_WIDTH for characters in least.values()) > free:
        heads = {name: head.replace(" ", "\n") for name, head in heads.items()}
        least = {name: _least_width(cells, heads[name]) for name, cells in content.items()}
    by_weight = list(content) if is_chosen else _by_weight(columns.store, list(content))
    fitting = _fitting(least, free, by_weight)
    table = Table()
    table.add_column("run", justify="right")
    for name in fitting:
        table.add_column(
            heads[name],
            justify="right",
            overflow="fold",
            no_wrap=not _is_prose(content[name]),
            min_width=least[name],
        )
    for i, run in enumerate(shown.tolist()):
        table.add_row(f"{run}{marks[i]}", *(content[name][i] for name in fitting))
    notes = list[str]()
    if noted.size:
        notes.append(f"{MARK.strip()} has notes; see below")
    if runs.size > rows:
        notes.append(f"{counted(runs.size - rows, 'more run')}; --rows shows them")
    remark = remark_on_units(quantities[name] for name in fitting)
    if remark:
        notes.append(remark)
    left_out = ", ".join(name for name in content if name not in fitting)
    if left_out:
        notes.append(f"no room for {left_out}; choose with --columns, or widen the terminal")
    return Group(table, *map(Text, notes))


def _cells(quantity: Quantity, values: NDArray[Any]) -> list[str]:
    if values.dtype.kind == "f":
        values = quantity.convert(values)
    return ["-" if value == "not_yet" else text(value) for value in values.tolist()]


def _by_weight(store: Store, names: Sequence[str]) -> Sequence[str]:
    """Return the names from the most important: axes, main results, everything else."""
    first = [*store.axes, "status", "M_loss", "stop_reason"]
    return [
        *(name for name in first if name in names),
        *(name for name in names if name not in first),
    ]


def _is_prose(cells: Sequence[str]) -> bool:
    return any(" " in cell for cell in cells)


def _least_width(cells: Sequence[str], head: str) -> int:
    """Return the characters that a column needs; prose may be folded anywhere."""
    cell_width = max(map(len, cells), default=0)
    if _is_prose(cells):
        cell_width = min(cell_width, MIN_PROSE_WIDTH)
    return max(cell_width, *map(len, head.split("\n")))


def _fitting(least: Mapping[str, int], free: int, by_weight: Sequence[str]) -> list[str]:
    """Return the names of the columns that fit, at least one, in the order of ``least``."""
    fitting = set[str]()
    for name in by_weight:
        free -= least[name] + BORDER_WIDTH
        if free < 0 and fitting:
            break
        fitting.add(name)
    return [name for name in least if name in fitting]


def cache_table(store: Store, runs: NDArray[np.int64]) -> Table:
    """Return the lookups of each slot over ``runs``, and why its values were dropped."""
    slots = store.column("cache").tolist()
    reasons = store.column("reason").tolist()
    counts = {
        name: store.column(f"cache_{name}")[runs].sum(axis=0)
        for name in ("hits", "misses", "rebuilds", "refused")
    }
    seconds = np.nansum(store.column("cache_build_time")[runs], axis=0)
    invalidations = store.column("cache_invalidations")[runs].sum(axis=0).tolist()
    table = Table()
    table.add_column("slot", justify="left")
    for head in (*counts, "build time [ms]"):
        table.add_column(head, justify="right")
    table.add_column("dropped because of", justify="left")
    for i, slot in enumerate(slots):
        causes = zip(reasons, invalidations[i], strict=True)
        dropped = ", ".join(f"{reason} {count}" for reason, count in causes if count)
        table.add_row(
            slot,
            *(str(int(counts[name][i])) for name in counts),
            f"{1e3 * seconds[i]:.1f}",
            dropped or "-",
        )
    return table
