r"""Tables of the Planck mean efficiencies <Q_pr>(s, T) and <Q_ext>(s, T): reading, interpolating.

Two kinds of text file are read. Lines that begin with ``#`` and empty lines are skipped in both.

- wide (the package's own): the first row is ``s_m\T_K`` (for <Q_pr>) or ``Q_ext:s_m\T_K`` (for
  <Q_ext>) and the temperatures, then one row per size;
- long: a header with the columns ``T_M``, ``s`` and ``Q_pr`` or ``Q_ext``, or both, in any order,
  then one row per grid cell in any order.

A table of one quantity is refused where the other is needed.
"""

import functools
import hashlib
import importlib.resources
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np
import numpy.typing as npt

from .csv_table import CsvTable, cell_number, parse_csv_table
from .textfile import read_text, shown

FloatArray = npt.NDArray[np.float64]

LONG_COORDINATES = ("T_M", "s")
SHIPPED = ("forsterite",)
"""Materials of the tables that come with the package."""


@dataclass(frozen=True, eq=False)
class EfficiencyTable:
    """A Planck mean on a full grid of size and temperature.

    The arrays are copied and made read-only. Two tables are equal when their digests are: the name
    is a label only.

    Parameters
    ----------
    log_s : (ns,) array
        Natural logarithm of the grain radius in m, strictly increasing, ns >= 2.
    T : (nt,) array
        Temperature of the radiating body [K], strictly increasing, positive, nt >= 2.
    Q : (nt, ns) array
        Planck mean of the efficiency, positive.
    name : str
        Label for messages and records.
    digest : str
        sha256 (hex) of the float64 bytes of log_s (rounded to 1e-12), T and Q, after the name of
        the quantity if that is not Q_pr. Computed when empty.

    Raises
    ------
    ValueError
        If the shapes or values are not as above, or a given digest is not that of the arrays.
    """

    quantity: ClassVar[str]  #: its name in messages and long tables
    corner: ClassVar[str]  #: first cell of a wide table
    shipped: ClassVar[str]  #: file in the package, with {} for one of `SHIPPED`

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
            recorded = self.digest[:12]
            actual = digest[:12]
            problem = f"digest {recorded}... is not that of its arrays ({actual}...)"
            raise ValueError(f"{self._label}: {problem}; read the table again from its file")
        object.__setattr__(self, "digest", digest)

    @property
    def _label(self) -> str:
        return f"{self.quantity} table {self.name!r}"

    def _check(self) -> None:
        for label, axis in (("log_s", self.log_s), ("T", self.T)):
            if axis.ndim != 1 or axis.size < 2:
                problem = f"{label} has shape {axis.shape}; give at least 2 nodes"
                raise ValueError(f"{self._label}: {problem}")
            if not (np.isfinite(axis).all() and (np.diff(axis) > 0).all()):
                raise ValueError(f"{self._label}: {label} must be finite and strictly increasing")
        if self.T[0] <= 0:
            raise ValueError(f"{self._label}: T must be positive, got {self.T[0]:g} K")
        shape = (self.T.size, self.log_s.size)
        if self.Q.shape != shape:
            expected = f"expected (nt, ns) = {shape}"
            raise ValueError(f"{self._label}: Q has shape {self.Q.shape}, {expected}")
        if not (np.isfinite(self.Q).all() and (self.Q > 0).all()):
            raise ValueError(f"{self._label}: every Q must be finite and positive")

    def _compute_digest(self) -> str:
        # log() may differ in its last bit between processors; 1e-12 in log s keeps the digest the
        # same on all of them.
        parts = (np.round(self.log_s, 12) + 0.0, self.T, self.Q)
        numbers = b"".join(part.astype("<f8").tobytes() for part in parts)
        return hashlib.sha256(self._digest_prefix + numbers).hexdigest()

    @property
    def _digest_prefix(self) -> bytes:
        return f"{self.quantity}\n".encode()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, EfficiencyTable) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __reduce__(self) -> tuple[Any, ...]:
        # Pickled arrays come back writable; going through __init__ makes them read-only again.
        return type(self), (self.log_s, self.T, self.Q, self.name, self.digest)


class QprTable(EfficiencyTable):
    """<Q_pr>, the efficiency of radiation pressure; see `EfficiencyTable`."""

    quantity = "Q_pr"
    corner = "s_m\\T_K"
    shipped = "qpr_{}.csv"

    @property
    def _digest_prefix(self) -> bytes:
        # digests recorded before there was another quantity stay valid
        return b""


class QextTable(EfficiencyTable):
    """<Q_ext>, the efficiency of extinction; see `EfficiencyTable`."""

    quantity = "Q_ext"
    corner = "Q_ext:s_m\\T_K"
    shipped = "qext_{}.csv"


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


def look_up(table: EfficiencyTable, s: npt.ArrayLike, T: npt.ArrayLike) -> FloatArray:
    """Interpolate the efficiency, bilinearly in (log s, T).

    Parameters
    ----------
    table : EfficiencyTable
        Of <Q_pr> or <Q_ext>.
    s, T : array_like
        Radius of the grains [m] and temperature of the light [K].
        Positive and finite; broadcast against each other. Outside the table the value at its
        nearest edge is taken; `outside_table` tells where.

    Returns
    -------
    array
        Of the broadcast shape; without dimensions when both are scalars.

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


def outside_table(
    table: EfficiencyTable,
    s: npt.ArrayLike,
    T: npt.ArrayLike,
) -> npt.NDArray[np.bool_]:
    """Return where `look_up` has to clamp `s` or `T` to the edge of the table.

    Parameters
    ----------
    table : EfficiencyTable
        Of <Q_pr> or <Q_ext>.
    s, T : array_like
        As for `look_up`.

    Returns
    -------
    array of bool
        Of the broadcast shape.
    """
    log_s, kelvin = _coordinates(s, T)
    out_s = (log_s < table.log_s[0]) | (log_s > table.log_s[-1])
    return np.asarray(out_s | (kelvin < table.T[0]) | (kelvin > table.T[-1]))


def _coordinates(s: npt.ArrayLike, T: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    size = np.asarray(s, dtype=np.float64)
    kelvin = np.asarray(T, dtype=np.float64)
    for label, values in (("size s [m]", size), ("temperature T [K]", kelvin)):
        bad = ~(np.isfinite(values) & (values > 0))
        if bad.any():
            raise ValueError(f"{label} must be finite and positive, got {values[bad].flat[0]:g}")
    return np.log(size), kelvin


def _cell(grid: FloatArray, x: FloatArray) -> tuple[npt.NDArray[np.intp], FloatArray]:
    clamped = np.clip(x, grid[0], grid[-1])
    left = np.clip(np.searchsorted(grid, clamped, side="right") - 1, 0, grid.size - 2)
    return left, (clamped - grid[left]) / (grid[left + 1] - grid[left])
