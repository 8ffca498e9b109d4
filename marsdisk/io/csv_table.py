"""Small CSV tables that users write: cells under a header.

Lines that begin with ``#`` and empty lines are skipped.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..common.text import shown, shown_text
from ..physics.grid import Array
from .numbers import read_number, read_plain_numbers
from .text_file import read_text


@dataclass(frozen=True)
class CsvTable:
    """Cells under the names of their columns, with the line numbers that messages need."""

    source: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]  #: each as long as the header
    lines: tuple[int, ...]  #: (rows,) line of each row in the file
    header_line: int = 1

    def texts(self, name: str) -> tuple[str, ...]:
        """Return the cells of one column as they are written, (rows,).

        Raises
        ------
        ValueError
            No column of that name.
        """
        if name not in self.header:
            columns = shown_text(", ".join(self.header))
            raise ValueError(f"{self.source}: no column {shown(name)}; the columns are {columns}")
        column = self.header.index(name)
        return tuple(row[column] for row in self.rows)

    def column(self, name: str) -> Array:
        """Return the numbers of one column, (rows,).

        Raises
        ------
        ValueError
            No column of that name, or a cell that is no finite number.
        """
        cells = self.texts(name)
        try:
            return np.array(read_plain_numbers(cells))
        except ValueError:
            # slower, but its message says which cell is wrong
            numbers = []
            for row, cell in enumerate(cells):
                numbers.append(cell_number(cell, f"{self.place(row)}, column {name}"))
            return np.array(numbers)

    def place(self, row: int) -> str:
        """Return the file and line of a row, for messages."""
        return f"{self.source}, line {self.lines[row]}"

    def increasing(self, name: str) -> Array:
        """Return the numbers of one column, (rows,), which must increase strictly.

        Raises
        ------
        ValueError
            As for :meth:`column`, or a number that is not above the one before it.
        """
        numbers = self.column(name)
        steps = np.diff(numbers)
        if np.any(steps <= 0.0):
            row = int(np.argmax(steps <= 0.0)) + 1
            problem = f"{name} = {numbers[row]:g} after {numbers[row - 1]:g}"
            raise ValueError(f"{self.place(row)}: {problem}; sort the rows, each {name} once")
        return numbers

    def not_below(self, name: str, least: float, *, exclusive: bool = False) -> Array:
        """Return the numbers of one column, (rows,), none of which may be below ``least``.

        Parameters
        ----------
        name : str
            The column.
        least : float
            Lower bound.
        exclusive : bool, optional
            Refuse the bound itself, too.

        Raises
        ------
        ValueError
            As for :meth:`column`, or a number below the bound.
        """
        numbers = self.column(name)
        bad = numbers <= least if exclusive else numbers < least
        if np.any(bad):
            row = int(np.argmax(bad))
            bound = f"above {least:g}" if exclusive else f"at least {least:g}"
            raise ValueError(f"{self.place(row)}: {name} = {numbers[row]:g} must be {bound}")
        return numbers


def read_csv_table(path: str | Path) -> CsvTable:
    """Read a CSV file: a header, then at least one row with a finite number in each column.

    Raises
    ------
    ValueError
        As for :func:`parse_csv_table`, or a cell that is no finite number; both name the line.
    OSError
        The file cannot be read.
    """
    table = parse_csv_table(read_text(path), str(path))
    for name in table.header:
        table.column(name)
    return table


def parse_csv_table(text: str, source: str) -> CsvTable:
    """Parse the text of a CSV file, which ``source`` names in messages.

    Raises
    ------
    ValueError
        A duplicate name in the header, no rows, a row of another length, or unpaired quotes.
    """
    numbered = enumerate(text.split("\n"), start=1)
    filled = [(number, line) for number, line in numbered if _has_cells(line)]
    if len(filled) < 2:
        raise ValueError(f"{source}: no data; give a header and at least one row")
    header_line, names = filled[0]
    header = _cells(names, f"{source}, line {header_line}")
    _refuse_bad_header(header, names, f"{source}, line {header_line}")
    rows = []
    for number, line in filled[1:]:
        cells = _cells(line, f"{source}, line {number}")
        if len(cells) != len(header):
            counts = f"{len(cells)} cells where the header has {len(header)}"
            advice = "; write decimals after a point" if len(cells) > len(header) else ""
            raise ValueError(f"{source}, line {number}: {counts}{advice}")
        rows.append(cells)
    lines = tuple(number for number, _ in filled[1:])
    return CsvTable(source, header, tuple(rows), lines, header_line)


def cell_number(cell: str, where: str) -> float:
    """Return the finite number in a cell.

    Raises
    ------
    ValueError
        It is none; the message names the location ``where`` and the problem.
    """
    if not cell:
        raise ValueError(f"{where}: is empty; give a finite number")
    if cell.lower().strip("+-") in {"nan", "inf", "infinity"}:
        raise ValueError(f"{where}: {cell} is not finite; give a finite number")
    try:
        return read_number(cell)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def _has_cells(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _cells(line: str, where: str) -> tuple[str, ...]:
    """Return the cells of one line; a quoted cell cannot continue on the next."""
    try:
        (cells,) = csv.reader([line], strict=True, skipinitialspace=True)
    except csv.Error:
        problem = f"the quotes in {shown(line)} do not pair"
        raise ValueError(f"{where}: {problem}; put a whole cell in quotes, or none of it") from None
    return tuple(cell.strip() for cell in cells)


def _refuse_bad_header(header: tuple[str, ...], line: str, where: str) -> None:
    if len(set(header)) < len(header):
        raise ValueError(f"{where}: the header {shown_text(','.join(header))} has a name twice")
    separators = [separator for separator in ";\t" if separator in line]
    if len(header) == 1 and separators:
        problem = f"the columns are separated by {separators[0]!r}"
        raise ValueError(f"{where}: {problem}; use commas, and write decimals after a point")
