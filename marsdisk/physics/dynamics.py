"""Eccentricity, relative speed and scale height of the grains."""

import math
from typing import NamedTuple

from .constants import R_MARS

ECCENTRICITY_MAX = 0.999999  # a bound orbit; the pericentre speed diverges at 1


class Motion(NamedTuple):
    """Motion of the grains, the same for all of them."""

    e: float
    v_rel: float  #: m/s
    H: float  #: m


def mars_pericenter_eccentricity(r: float) -> float:
    """Return e = 1 - R_M/r of an orbit whose pericentre grazes Mars.

    It is 0 at and inside the surface.
    """
    return min(max(1.0 - R_MARS / r, 0.0), ECCENTRICITY_MAX)


def dispersion_speed(v_K: float, e: float, i: float) -> float:
    """Return v_rel = v_K sqrt(1.25 e2 + i2) [m/s].

    Lissauer & Stewart (1993); Ohtsuki et al. (2002).
    """
    return v_K * math.sqrt(1.25 * e * e + i * i)


def pericenter_speed(v_K: float, e: float) -> float:
    """Return the orbital speed at pericentre, v_rel = v_K sqrt((1+e)/(1-e)) [m/s].

    Kept for comparison with earlier work.

    Raises
    ------
    ValueError
        ``e`` outside [0, 1).
    """
    if not 0.0 <= e < 1.0:
        raise ValueError(f"eccentricity must be in [0, 1), got {e!r}")
    return v_K * math.sqrt((1.0 + e) / max(1.0 - e, 1e-8))


def scale_height(r: float, i: float, H_factor: float = 1.0) -> float:
    """Return H = H_factor i r [m], at least 1e-12 m so that a flat disk stays finite."""
    return max(H_factor * i * r, 1e-12)


def relaxed(start: float, equilibrium: float, q: float) -> float:
    """Return e or i after relaxing from ``start`` until the share ``q`` of the way is left.

    Parameters
    ----------
    start, equilibrium : float
        Its values at the start and in equilibrium.
    q : float
        1 at the start, 0 in equilibrium.
    """
    return equilibrium + (start - equilibrium) * q
