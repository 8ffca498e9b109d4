"""Tables of the Planck mean efficiencies <Q_pr>(s, T) and <Q_ext>(s, T), and interpolation."""

import hashlib
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


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
