"""Eccentricity, relative speed and scale height of the grains."""

import math
from typing import NamedTuple

from .constants import R_MARS

ECCENTRICITY_MAX = 0.999999  # a bound orbit; the pericentre speed diverges at 1


class Motion(NamedTuple):
    """How grains move, all of them alike."""

    e: float
    v_rel: float  #: m/s
    H: float  #: m


def mars_pericenter_eccentricity(r: float) -> float:
    """e = 1 - R_M/r: the orbit whose pericentre grazes Mars; 0 at and inside the surface."""
    return min(max(1.0 - R_MARS / r, 0.0), ECCENTRICITY_MAX)


def dispersion_speed(v_K: float, e: float, i: float) -> float:
    """v_rel = v_K sqrt(1.25 e2 + i2) [m/s] (Lissauer & Stewart 1993; Ohtsuki et al. 2002)."""
    return v_K * math.sqrt(1.25 * e * e + i * i)


def pericenter_speed(v_K: float, e: float) -> float:
    """v_rel = v_K sqrt((1+e)/(1-e)) [m/s]: the orbital speed at pericentre, kept for comparison with earlier work."""
    if not 0.0 <= e < 1.0:
        raise ValueError(f"eccentricity must be in [0, 1), got {e!r}")
    return v_K * math.sqrt((1.0 + e) / max(1.0 - e, 1e-8))


def scale_height(r: float, i: float, H_factor: float = 1.0) -> float:
    """H = H_factor i r [m], at least 1e-12 m so that a flat disk stays finite."""
    return max(H_factor * i * r, 1e-12)


def relaxed(start: float, equilibrium: float, q: float) -> float:
    """An element of the orbit, e or i, of which the share ``q`` of its way from ``start`` to ``equilibrium`` is left to go."""
    return equilibrium + (start - equilibrium) * q
