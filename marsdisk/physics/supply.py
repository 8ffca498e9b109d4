"""Supply of fresh dust: how much, and into which bins."""

import math
from typing import NamedTuple

import numpy as np

from .grid import Array, SizeGrid

INJECTIONS = ("min_bin", "powerlaw_bins", "initial_psd")


class Injection(NamedTuple):
    """Into which bins the supply goes, see :func:`injection_shares`."""

    mode: str = "min_bin"
    s_min_eff: float = 0.0  #: m, smallest size of the disk
    s_inj_min: float = 0.0  #: m
    s_inj_max: float = math.inf  #: m
    q: float = 3.5  #: exponent of ``powerlaw_bins``
    initial_shares: Array | None = None  #: (n,) mass share of each bin at the start, for ``initial_psd``


def rate_from_orbit_fraction(mu: float, f_orb: float, sigma_ref: float, T_orb: float) -> float:
    """Supply [kg/(m2 s)] of ``mu`` times the fraction ``f_orb`` of ``sigma_ref`` [kg/m2] per orbit of ``T_orb`` [s]."""
    return mu * f_orb * sigma_ref / T_orb


def injection_shares(
    mode: str, grid: SizeGrid, masses: Array, initial_shares: Array, *, s_floor: float, s_inj_max: float = math.inf, q: float = 3.5
) -> Array:
    """Share of the supplied mass that each bin gets; sums to 1.

    Parameters
    ----------
    mode : ``min_bin`` (first bin whose centre reaches ``s_floor``), ``powerlaw_bins`` (dN/ds ~ s^-q between ``s_floor`` and
        ``s_inj_max``, integrated over the true bin edges) or ``initial_psd`` (as the start)
    masses : (n,) kg, mass of a grain of each bin
    initial_shares : (n,) mass share of each bin at the start
    s_floor, s_inj_max : m, limits of injection; the upper one is at most the largest bin centre

    Raises
    ------
    ValueError
        Unknown mode, or limits between which there is no size to inject.
    """
    if mode == "initial_psd":
        shares = np.where(np.isfinite(initial_shares) & (initial_shares > 0.0), initial_shares, 0.0)
    elif mode == "min_bin":
        shares = np.zeros_like(grid.sizes)
        reached = np.flatnonzero(grid.sizes >= s_floor)
        shares[reached[0] if reached.size else -1] = 1.0
    elif mode == "powerlaw_bins":
        low = np.maximum(grid.edges[:-1], s_floor)
        high = np.minimum(grid.edges[1:], min(s_inj_max, float(grid.sizes[-1])))
        low = np.minimum(low, high)
        number = np.log(high / low) if q == 1.0 else (high ** (1.0 - q) - low ** (1.0 - q)) / (1.0 - q)
        shares = number * masses
    else:
        raise ValueError(f"injection must be one of {', '.join(INJECTIONS)}, got {mode!r}")
    total = float(np.sum(shares))
    if not total > 0.0:
        raise ValueError(f"no bin takes the supply: nothing of the grid lies between {s_floor:.3g} m and {s_inj_max:.3g} m")
    result: Array = shares / total
    return result
