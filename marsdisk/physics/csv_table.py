"""Small CSV tables that users write: numbers under a header. Lines that begin with ``#`` and empty lines are skipped."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .grid import Array
from .textfile import read_text


@dataclass(frozen=True, eq=False)
class CsvTable:
    """Finite numbers under the names of their columns, with the places that messages need."""

    source: str
    header: tuple[str, ...]
    values: Array  #: (rows, columns)
    lines: tuple[int, ...]  #: (rows,) line of each row in the file

    def column(self, name: str) -> Array:
        """(rows,) numbers of one column.

        Raises
        ------
        ValueError
            No column of that name.
        """
        if name not in self.header:
            raise ValueError(f"{self.source}: no column {name!r}; the columns are {', '.join(self.header)}")
        return np.ascontiguousarray(self.values[:, self.header.index(name)])

    def increasing(self, name: str) -> Array:
        """(rows,) numbers of one column, which must increase strictly.

        Raises
        ------
        ValueError
            No column of that name, or a number that is not above the one before.
        """
        numbers = self.column(name)
        steps = np.diff(numbers)
        if np.any(steps <= 0.0):
            row = int(np.argmax(steps <= 0.0)) + 1
            before, number = numbers[row - 1], numbers[row]
            raise ValueError(f"{self.source}, line {self.lines[row]}: {name} = {number:g} after {before:g}; sort the rows, each {name} once")
        return numbers

    def not_below(self, name: str, least: float, *, exclusive: bool = False) -> Array:
        """(rows,) numbers of one column, none of which may be below ``least``, nor equal to it when ``exclusive``.

        Raises
        ------
        ValueError
            No column of that name, or a number below.
        """
        numbers = self.column(name)
        bad = numbers <= least if exclusive else numbers < least
        if np.any(bad):
            row = int(np.argmax(bad))
            wanted = "above" if exclusive else "at least"
            raise ValueError(f"{self.source}, line {self.lines[row]}: {name} = {numbers[row]:g} must be {wanted} {least:g}")
        return numbers


def read_csv_table(path: str | Path) -> CsvTable:
    """Table from a CSV file: a header, then at least one row with a finite number in each column.

    Raises
    ------
    ValueError
        A name twice in the header, no rows, a row of another length, or a cell that is no finite number; the message names the line.
    OSError
        The file cannot be read.
    """
    text = read_text(path)
    rows = [
        (line, [cell.strip() for cell in content.split(",")])
        for line, content in enumerate(text.splitlines(), start=1)
        if content.strip() and not content.lstrip().startswith("#")
    ]
    if len(rows) < 2:
        raise ValueError(f"{path}: no data; give a header and at least one row")
    header = rows[0][1]
    if len(set(header)) < len(header):
        raise ValueError(f"{path}, line {rows[0][0]}: the header {','.join(header)} has a name twice")
    values = []
    for line, cells in rows[1:]:
        if len(cells) != len(header):
            raise ValueError(f"{path}, line {line}: {len(cells)} cells where the header has {len(header)}")
        values.append([_number(cell, f"{path}, line {line}, column {name}") for cell, name in zip(cells, header, strict=True)])
    return CsvTable(str(path), tuple(header), np.array(values), tuple(line for line, _ in rows[1:]))


def _number(cell: str, where: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        raise ValueError(f"{where}: {'is empty' if not cell else f'{cell!r} is not a number'}; give a finite number") from None
    if not math.isfinite(value):
        raise ValueError(f"{where}: {cell} is not finite; give a finite number")
    return value
