r"""Tables of the Planck mean efficiencies <Q_pr>(s, T) and <Q_ext>(s, T), read from files.

Two kinds of text file are read. Lines that begin with ``#`` and empty lines are skipped in both.

- wide (the package's own): the first row is ``s_m\T_K`` (for <Q_pr>) or ``Q_ext:s_m\T_K`` (for
  <Q_ext>) and the temperatures, then one row per size;
- long: a header with the columns ``T_M``, ``s`` and ``Q_pr`` or ``Q_ext``, or both, in any order,
  then one row per grid cell in any order.

A table of one quantity is refused where the other is needed.
"""

import functools
import importlib.resources
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

from ..common.text import shown
from ..physics.qpr_table import EfficiencyTable, FloatArray, QextTable, QprTable
from .csv_table import CsvTable, cell_number, parse_csv_table
from .text_file import read_text

LONG_COORDINATES = ("T_M", "s")
SHIPPED = ("forsterite",)
"""Materials of the tables that come with the package."""


QUANTITIES: tuple[type[EfficiencyTable], ...] = (QprTable, QextTable)
Table = TypeVar("Table", bound=EfficiencyTable)


def read_qpr_table(path: str | Path, *, name: str | None = None) -> QprTable:
    """Read <Q_pr> from a text file, wide or long (see the module's text).

    Parameters
    ----------
    path : str or Path
        The file. Sizes in m, temperatures in K.
    name : str, optional
        Label of the table; the file's stem when not given.

    Raises
    ------
    ValueError
        If the file is not a full grid of finite positive numbers with at least 2 sizes and 2
        temperatures, or is one of <Q_ext>; the message names the file and the line or cell.
    OSError
        If the file cannot be read.
    """
    return _read_table(QprTable, Path(path), name)


def read_qext_table(path: str | Path, *, name: str | None = None) -> QextTable:
    """Read <Q_ext> from a text file, as `read_qpr_table` reads <Q_pr>.

    Parameters
    ----------
    path : str or Path
        The file. Sizes in m, temperatures in K.
    name : str, optional
        Label of the table; the file's stem when not given.

    Raises
    ------
    ValueError
        As for `read_qpr_table`, or if it is a table of <Q_pr>.
    OSError
        If the file cannot be read.
    """
    return _read_table(QextTable, Path(path), name)


def _read_table(kind: type[Table], path: Path, name: str | None) -> Table:
    return parse_table(kind, read_text(path), source=str(path), name=name or path.stem)


@functools.cache
def shipped_qpr_table(name: str) -> QprTable:
    """Return the table of <Q_pr> of the material ``name``, one of `SHIPPED`.

    Raises
    ------
    ValueError
        If there is no such table.

    Examples
    --------
    >>> from marsdisk.physics.qpr_table import look_up
    >>> round(float(look_up(shipped_qpr_table("forsterite"), 3.0, 2500.0)), 3)
    1.0
    """
    return _read_shipped(QprTable, name)


@functools.cache
def shipped_qext_table(name: str) -> QextTable:
    """Return the table of <Q_ext> of the material ``name``, one of `SHIPPED`.

    Raises
    ------
    ValueError
        If there is no such table.

    Examples
    --------
    >>> from marsdisk.physics.qpr_table import look_up
    >>> round(float(look_up(shipped_qext_table("forsterite"), 3.0, 2500.0)), 3)
    2.0
    """
    return _read_shipped(QextTable, name)


def _read_shipped(kind: type[Table], name: str) -> Table:
    if name not in SHIPPED:
        advice = f"choose one of {sorted(SHIPPED)} or give a file"
        raise ValueError(f"no shipped {kind.quantity} table {name!r}; {advice}")
    file = kind.shipped.format(name)
    text = importlib.resources.files("marsdisk").joinpath("data", file).read_text(encoding="utf-8")
    return parse_table(kind, text, source=file, name=name)


def parse_table(kind: type[Table], text: str, *, source: str, name: str) -> Table:
    r"""Parse the text of a table.

    Parameters
    ----------
    kind : type
        `QprTable` or `QextTable`.
    text : str
        Wide or long (see the module's text).
    source : str
        Name of the file, for messages.
    name : str
        Label of the table.

    Raises
    ------
    ValueError
        As for `read_qpr_table`.

    Examples
    --------
    >>> text = "T_M,s,Q_ext\n1000,1e-7,1\n1000,1e-6,2\n2000,1e-7,2\n2000,1e-6,2\n"
    >>> parse_table(QextTable, text, source="mine.csv", name="mine").T
    array([1000., 2000.])
    """
    table = parse_csv_table(text, source)
    if table.header[0] == kind.corner:
        s, T, Q = _read_wide(table)
    elif _is_long(table, kind):
        s, T, Q = _read_long(table, kind.quantity)
    else:
        raise ValueError(f"{source}, line {table.header_line}: {_describe_mistake(table, kind)}")
    return kind(log_s=np.log(s), T=T, Q=Q, name=name)


def _is_long(table: CsvTable, kind: type[EfficiencyTable]) -> bool:
    return {*LONG_COORDINATES, kind.quantity} <= set(table.header)


def _describe_mistake(table: CsvTable, kind: type[EfficiencyTable]) -> str:
    """Explain why a header does not begin a table of this kind."""
    for actual in QUANTITIES:
        if table.header[0] == actual.corner or _is_long(table, actual):
            needed = f"where one of <{kind.quantity}> is needed"
            return f"a table of <{actual.quantity}>, {needed}; marsdisk qpr makes both"
    wide = f"start a wide table with {kind.corner!r} and the temperatures"
    columns = ",".join((*LONG_COORDINATES, kind.quantity))
    return f"unknown header {shown(','.join(table.header))}; {wide}, or a long one with {columns}"


_Grid = tuple[FloatArray, FloatArray, FloatArray]


def _read_wide(table: CsvTable) -> _Grid:
    temperatures = table.header[1:]
    where = f"{table.source}, line {table.header_line}, column"
    T = np.array([cell_number(cell, f"{where} {cell}") for cell in temperatures])
    _refuse_unsorted(T, lambda column: f"{where} {temperatures[column]}", "temperatures")
    _refuse_few(T.size, table.source, "temperatures")
    s = table.not_below(table.header[0], 0.0, exclusive=True)
    _refuse_few(s.size, table.source, "sizes")
    _refuse_unsorted(s, table.place, "sizes")
    Q = np.array([table.not_below(name, 0.0, exclusive=True) for name in temperatures])
    return s, T, Q


def _read_long(table: CsvTable, quantity: str) -> _Grid:
    columns = (*LONG_COORDINATES, quantity)
    T, s, Q = (table.not_below(name, 0.0, exclusive=True) for name in columns)
    all_T, T_index = np.unique(T, return_inverse=True)
    all_s, s_index = np.unique(s, return_inverse=True)
    _refuse_few(all_T.size, table.source, "temperatures")
    _refuse_few(all_s.size, table.source, "sizes")
    row_of = np.full((all_T.size, all_s.size), -1)
    for row, cell in enumerate(zip(T_index, s_index, strict=True)):
        if row_of[cell] >= 0:
            first = table.lines[row_of[cell]]
            problem = f"cell T_M={T[row]:g}, s={s[row]:g} was given in line {first}"
            raise ValueError(f"{table.place(row)}: {problem}; keep one of them")
        row_of[cell] = row
    missing = np.argwhere(row_of < 0)
    if missing.size:
        i, j = missing[0]
        cell_name = f"T_M={float(all_T[i])!r}, s={float(all_s[j])!r}"
        count = f"{len(missing)} of {row_of.size} cells missing"
        advice = (
            "the table must be a full grid, with each value of T_M and s written alike in all rows"
        )
        raise ValueError(f"{table.source}: no row for {cell_name} ({count}); {advice}")
    return all_s, all_T, Q[row_of]


def _refuse_unsorted(values: FloatArray, where: Callable[[int], str], quantity: str) -> None:
    falls = np.diff(values) <= 0
    if falls.any():
        location = where(int(np.argmax(falls)) + 1)
        raise ValueError(f"{location}: {quantity} must increase strictly; sort the table")


def _refuse_few(count: int, source: str, quantity: str) -> None:
    if count < 2:
        raise ValueError(f"{source}: {count} {quantity}; an interpolation table needs at least 2")
