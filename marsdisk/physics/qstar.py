"""Catastrophic disruption threshold Q_D* as immutable data."""

import functools
import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from .grid import Array, content_version

UNITS = ("ba99_cgs", "si")

# Reference speed [km/s], Q_s, a, B, b; cgs units of Benz & Asphaug (1999): erg/g, s in cm, rho in
# g/cm3.
_BASALT = (
    (1.0, 3.5e7, 0.38, 0.14689007046000738, 1.36),
    (2.0, 3.5e7, 0.38, 0.23049522684371007, 1.36),
    (3.0, 3.5e7, 0.38, 0.3, 1.36),
    (4.0, 5.25e7, 0.38, 0.4, 1.36),
    (5.0, 7.0e7, 0.38, 0.5, 1.36),
    (6.0, 7.0e7, 0.38, 0.5629085099123813, 1.36),
    (7.0, 7.0e7, 0.38, 0.6222332685311813, 1.36),
)
# The basalt law times 5.574: Q_D*(1 um, 3 km/s, 3270 kg/m3) is then 6.46e5 J/kg, measured for
# peridot (Avdellidou et al. 2016).
_FORSTERITE = (
    (1.0, 1.9509e8, 0.38, 0.8187652527440811, 1.36),
    (2.0, 1.9509e8, 0.38, 1.28478039442684, 1.36),
    (3.0, 1.9509e8, 0.38, 1.6722, 1.36),
    (4.0, 2.92635e8, 0.38, 2.2296, 1.36),
    (5.0, 3.9018e8, 0.38, 2.787, 1.36),
    (6.0, 3.9018e8, 0.38, 3.137652034251613, 1.36),
    (7.0, 3.9018e8, 0.38, 3.4683282387928047, 1.36),
)
TABLES = {"forsterite": _FORSTERITE, "basalt": _BASALT}


@dataclass(frozen=True)
class QStarLaw:
    """Q_D*(s, rho, v) = strength + gravity term, given at reference speeds.

    Parameters
    ----------
    coefficients : tuple of rows
        (v_ref [km/s], Q_s, a, B, b), speeds increasing.
    units : str
        ``ba99_cgs`` (Q_s in erg/g, s in cm, rho in g/cm3) or ``si``.
    mu : float
        Exponent of the point-source scaling beyond the table, 1/3 (energy) to 2/3 (momentum).

    Raises
    ------
    ValueError
        Empty table, speeds not increasing or not positive, Q_s or B not positive, unknown units.
    """

    coefficients: tuple[tuple[float, float, float, float, float], ...] = _FORSTERITE
    units: str = "ba99_cgs"
    mu: float = 0.45

    def __post_init__(self) -> None:
        if not self.coefficients:
            raise ValueError("a Q_D* law needs at least one row (v_ref, Q_s, a, B, b)")
        if self.units not in UNITS:
            raise ValueError(f"Q_D* units must be one of {', '.join(UNITS)}, got {self.units!r}")
        speeds = [row[0] for row in self.coefficients]
        falling = any(later <= earlier for earlier, later in itertools.pairwise(speeds))
        if speeds[0] <= 0.0 or falling:
            raise ValueError(
                f"Q_D* reference speeds must be positive and increasing, got {speeds} km/s"
            )
        for v_ref, strength, _, gravity, _ in self.coefficients:
            if not (0.0 < strength < math.inf and 0.0 < gravity < math.inf):
                raise ValueError(
                    f"Q_s and B must be positive, got {strength} and {gravity} at {v_ref} km/s"
                )

    def scaled(self, factor: float) -> "QStarLaw":
        """Return the same law with every Q_D* multiplied by ``factor``."""
        rows = tuple((v, factor * q, a, factor * b, g) for v, q, a, b, g in self.coefficients)
        return QStarLaw(rows, self.units, self.mu)

    @functools.cached_property
    def signature(self) -> int:
        """64-bit digest of all coefficients, units, and mu."""
        return content_version(np.array(self.coefficients), float(UNITS.index(self.units)), self.mu)


def compute_q_d_star_array(s: ArrayLike, rho: float, v_kms: ArrayLike, law: QStarLaw) -> Array:
    """Return Q_D* [J/kg] of bodies hit at given speeds.

    Between two reference speeds the strength and the gravity term are each interpolated linearly in
    speed; beyond the table the strength term is constant and the gravity term scales as
    (v/v_ref)^(2-3 mu).

    Parameters
    ----------
    s : array_like
        Radius [m], of any shape.
    rho : float
        Density [kg/m3].
    v_kms : array_like
        Speed [km/s], a scalar or of the shape of ``s``.
    law : QStarLaw
        Coefficients.

    Raises
    ------
    ValueError
        ``s``, ``rho`` or ``v_kms`` not positive and finite.

    Notes
    -----
    Benz & Asphaug (1999, eq. 6); Stewart & Leinhardt (2009); Leinhardt & Stewart (2012).
    """
    s = np.asarray(s, dtype=np.float64)
    v = np.asarray(v_kms, dtype=np.float64)
    if not all(np.all((x > 0.0) & np.isfinite(x)) for x in (s, v, np.asarray(rho))):
        values = f"rho = {rho!r} kg/m3, v = {v_kms!r} km/s"
        raise ValueError(f"size, density and speed must be positive and finite, got {values}")
    table = np.array(law.coefficients).T
    speeds = table[0]
    upper = np.minimum(np.searchsorted(speeds, v, side="right").clip(1), speeds.size - 1)
    lower = np.maximum(upper - 1, 0)
    inside = np.clip(v, speeds[0], speeds[-1])
    width = speeds[upper] - speeds[lower]
    divisor = np.where(width > 0.0, width, 1.0)
    fraction = np.where(width > 0.0, (inside - speeds[lower]) / divisor, 0.0)

    size = s
    factor = 1.0
    density = rho
    if law.units == "ba99_cgs":
        size = 100.0 * s
        factor = 1e-4  # J/kg per erg/g
        density = rho / 1000.0

    def terms(row: Array) -> tuple[Array, Array]:
        _, strength, a, gravity, b = table[:, row]
        return factor * strength * size**-a, factor * gravity * density * size**b

    s_low, g_low = terms(lower)
    s_high, g_high = terms(upper)
    gravity_scale = (v / inside) ** (2.0 - 3.0 * law.mu)
    q_star: Array = (
        s_low + fraction * (s_high - s_low) + (g_low + fraction * (g_high - g_low)) * gravity_scale
    )
    return q_star
