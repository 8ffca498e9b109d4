"""Tables of the Planck mean radiation-pressure efficiency <Q_pr>(s, T): reading, checking and interpolating.

Two kinds of text file are read. Lines that begin with ``#`` and empty lines are skipped in both.

- wide (the package's own): the first row is ``s_m\\T_K`` and the temperatures, then one row per size;
- long: a header with the columns ``T_M``, ``s`` and ``Q_pr`` in any order, then one row per grid cell in any order.
"""

import functools
import hashlib
import importlib.resources
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .csv_table import CsvTable, cell_number, parse_csv_table
from .textfile import read_text, shown

FloatArray = npt.NDArray[np.float64]

WIDE_CORNER = "s_m\\T_K"
LONG_COLUMNS = ("T_M", "s", "Q_pr")
SHIPPED = {"forsterite": "qpr_forsterite.csv"}


@dataclass(frozen=True, eq=False)
class QprTable:
    """<Q_pr> on a full grid of size and temperature. The arrays are copied and made read-only.

    Two tables are equal when their digests are: the name is a label only.

    Parameters
    ----------
    log_s : (ns,) array
        Natural logarithm of the grain radius in m, strictly increasing, ns >= 2.
    T : (nt,) array
        Temperature of the radiating body [K], strictly increasing, positive, nt >= 2.
    Q : (nt, ns) array
        Planck mean of Q_pr, positive.
    name : str
        Label for messages and records.
    digest : str
        sha256 (hex) of the float64 bytes of log_s (rounded to 1e-12), T and Q. Computed when empty.

    Raises
    ------
    ValueError
        If the shapes or values are not as above, or a given digest is not that of the arrays.
    """

    log_s: FloatArray
    T: FloatArray
    Q: FloatArray
    name: str
    digest: str = ""

    def __post_init__(self) -> None:
        for field in ("log_s", "T", "Q"):
            array = np.array(getattr(self, field), dtype=np.float64, order="C")
            array.setflags(write=False)
            object.__setattr__(self, field, array)
        self._check()
        digest = self._compute_digest()
        if self.digest not in ("", digest):
            raise ValueError(
                f"Q_pr table {self.name!r}: digest {self.digest[:12]}... is not that of its arrays "
                f"({digest[:12]}...); read the table again from its file"
            )
        object.__setattr__(self, "digest", digest)

    def _check(self) -> None:
        for label, axis in (("log_s", self.log_s), ("T", self.T)):
            if axis.ndim != 1 or axis.size < 2:
                raise ValueError(f"Q_pr table {self.name!r}: {label} has shape {axis.shape}; give at least 2 nodes")
            if not (np.isfinite(axis).all() and (np.diff(axis) > 0).all()):
                raise ValueError(f"Q_pr table {self.name!r}: {label} must be finite and strictly increasing")
        if self.T[0] <= 0:
            raise ValueError(f"Q_pr table {self.name!r}: T must be positive, got {self.T[0]:g} K")
        shape = (self.T.size, self.log_s.size)
        if self.Q.shape != shape:
            raise ValueError(f"Q_pr table {self.name!r}: Q has shape {self.Q.shape}, expected (nt, ns) = {shape}")
        if not (np.isfinite(self.Q).all() and (self.Q > 0).all()):
            raise ValueError(f"Q_pr table {self.name!r}: every Q must be finite and positive")

    def _compute_digest(self) -> str:
        # log() may differ in its last bit between processors; 1e-12 in log s keeps the digest the same on all of them.
        parts = (np.round(self.log_s, 12) + 0.0, self.T, self.Q)
        return hashlib.sha256(b"".join(part.astype("<f8").tobytes() for part in parts)).hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, QprTable) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __reduce__(self) -> tuple[Any, ...]:
        # Pickled arrays come back writable; going through __init__ makes them read-only again.
        return QprTable, (self.log_s, self.T, self.Q, self.name, self.digest)


def read_qpr_table(path: str | Path, *, name: str | None = None) -> QprTable:
    """Q_pr table from a text file, wide or long (see the module's text).

    Parameters
    ----------
    path : str or Path
        The file. Sizes in m, temperatures in K.
    name : str, optional
        Label of the table; the file's stem when not given.

    Raises
    ------
    ValueError
        If the file is not a full grid of finite positive numbers with at least 2 sizes and 2 temperatures; the message
        names the file and the line or cell.
    OSError
        If the file cannot be read.
    """
    path = Path(path)
    return parse_qpr_table(read_text(path), source=str(path), name=name or path.stem)


@functools.cache
def shipped_qpr_table(name: str) -> QprTable:
    """Table that comes with the package, by name (`SHIPPED` lists them).

    Raises
    ------
    ValueError
        If there is no such table.

    Examples
    --------
    >>> round(float(qpr_lookup(shipped_qpr_table("forsterite"), 3.0, 2500.0)), 3)
    1.0
    """
    if name not in SHIPPED:
        raise ValueError(f"no shipped Q_pr table {name!r}; choose one of {sorted(SHIPPED)} or give a file")
    resource = importlib.resources.files("marsdisk").joinpath("data", SHIPPED[name])
    return parse_qpr_table(resource.read_text(encoding="utf-8"), source=SHIPPED[name], name=name)


def parse_qpr_table(text: str, *, source: str, name: str) -> QprTable:
    """Q_pr table from the text of a file; `source` is the name that messages use. See `read_qpr_table`."""
    table = parse_csv_table(text, source)
    if table.header[0] == WIDE_CORNER:
        s, T, Q = _read_wide(table)
    elif set(LONG_COLUMNS) <= set(table.header):
        s, T, Q = _read_long(table)
    else:
        header = shown(",".join(table.header))
        where = f"{source}, line {table.header_line}: unknown header {header}"
        wide = f"start a wide table with {WIDE_CORNER!r} and the temperatures"
        raise ValueError(f"{where}; {wide}, or a long one with {','.join(LONG_COLUMNS)}")
    return QprTable(log_s=np.log(s), T=T, Q=Q, name=name)


_Grid = tuple[FloatArray, FloatArray, FloatArray]


def _read_wide(table: CsvTable) -> _Grid:
    temperatures = table.header[1:]
    where = f"{table.source}, line {table.header_line}, column"
    T = np.array([cell_number(cell, f"{where} {cell}") for cell in temperatures])
    _refuse_unsorted(T, lambda column: f"{where} {temperatures[column]}", "temperatures")
    _refuse_few(T.size, table.source, "temperatures")
    s = table.not_below(WIDE_CORNER, 0.0, exclusive=True)
    _refuse_few(s.size, table.source, "sizes")
    _refuse_unsorted(s, table.place, "sizes")
    Q = np.array([table.not_below(name, 0.0, exclusive=True) for name in temperatures])
    return s, T, Q


def _read_long(table: CsvTable) -> _Grid:
    T, s, Q = (table.not_below(name, 0.0, exclusive=True) for name in LONG_COLUMNS)
    all_T, at_T = np.unique(T, return_inverse=True)
    all_s, at_s = np.unique(s, return_inverse=True)
    _refuse_few(all_T.size, table.source, "temperatures")
    _refuse_few(all_s.size, table.source, "sizes")
    row_of = np.full((all_T.size, all_s.size), -1)
    for row, cell in enumerate(zip(at_T, at_s, strict=True)):
        if row_of[cell] >= 0:
            first = table.lines[row_of[cell]]
            twice = f"cell T_M={T[row]:g}, s={s[row]:g} was given in line {first}"
            raise ValueError(f"{table.place(row)}: {twice}; keep one of them")
        row_of[cell] = row
    missing = np.argwhere(row_of < 0)
    if missing.size:
        i, j = missing[0]
        place = f"T_M={float(all_T[i])!r}, s={float(all_s[j])!r}"
        count = f"{len(missing)} of {row_of.size} cells missing"
        cure = "the table must be a full grid, with each value of T_M and s written alike in all rows"
        raise ValueError(f"{table.source}: no row for {place} ({count}); {cure}")
    return all_s, all_T, Q[row_of]


def _refuse_unsorted(values: FloatArray, where: Callable[[int], str], what: str) -> None:
    steps = np.diff(values)
    if (steps <= 0).any():
        raise ValueError(f"{where(int(np.argmax(steps <= 0)) + 1)}: {what} must increase strictly; sort the table")


def _refuse_few(count: int, source: str, what: str) -> None:
    if count < 2:
        raise ValueError(f"{source}: {count} {what}; an interpolation table needs at least 2")


def qpr_lookup(table: QprTable, s: npt.ArrayLike, T: npt.ArrayLike) -> FloatArray:
    """<Q_pr> of grains of radius `s` [m] in light of temperature `T` [K], bilinear in (log s, T).

    Parameters
    ----------
    table : QprTable
    s, T : array_like
        Positive and finite; broadcast against each other. Outside the table the nearest edge counts: use
        `outside_table` to count such queries.

    Returns
    -------
    array of the broadcast shape, of no dimension when both are scalars

    Raises
    ------
    ValueError
        If a size or temperature is not finite and positive.
    """
    log_s, kelvin = _coordinates(s, T)
    j, u = _cell(table.log_s, log_s)
    i, v = _cell(table.T, kelvin)
    Q = table.Q
    cold = (1.0 - u) * Q[i, j] + u * Q[i, j + 1]
    hot = (1.0 - u) * Q[i + 1, j] + u * Q[i + 1, j + 1]
    return np.asarray((1.0 - v) * cold + v * hot)


def outside_table(table: QprTable, s: npt.ArrayLike, T: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """True where `qpr_lookup` has to clamp `s` or `T` to the edge of the table (shape of the broadcast input)."""
    log_s, kelvin = _coordinates(s, T)
    out_s = (log_s < table.log_s[0]) | (log_s > table.log_s[-1])
    return np.asarray(out_s | (kelvin < table.T[0]) | (kelvin > table.T[-1]))


def _coordinates(s: npt.ArrayLike, T: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    size, kelvin = np.asarray(s, dtype=np.float64), np.asarray(T, dtype=np.float64)
    for label, values in (("size s [m]", size), ("temperature T [K]", kelvin)):
        bad = ~(np.isfinite(values) & (values > 0))
        if bad.any():
            raise ValueError(f"{label} must be finite and positive, got {values[bad].flat[0]:g}")
    return np.log(size), kelvin


def _cell(grid: FloatArray, x: FloatArray) -> tuple[npt.NDArray[np.intp], FloatArray]:
    clamped = np.clip(x, grid[0], grid[-1])
    left = np.clip(np.searchsorted(grid, clamped, side="right") - 1, 0, grid.size - 2)
    return left, (clamped - grid[left]) / (grid[left + 1] - grid[left])
