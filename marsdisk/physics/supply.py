"""Supply of fresh dust: how much, and into which bins."""

import math
from typing import NamedTuple

import numpy as np

from .grid import Array, SizeGrid

INJECTIONS = ("min_bin", "powerlaw_bins", "initial_psd")


class Injection(NamedTuple):
    """Into which bins the supply goes.

    ``min_bin`` is the first bin whose centre reaches the lower limit, ``powerlaw_bins`` dN/ds ~ s^-q between the limits, integrated
    over the true edges of the bins, ``initial_psd`` as the start.
    """

    mode: str = "min_bin"
    s_min_eff: float = 0.0  #: m, smallest size of the disk; the lower limit is the larger of this and the next
    s_inj_min: float = 0.0  #: m
    s_inj_max: float = math.inf  #: m; at most the largest bin centre
    q: float = 3.5
    initial_shares: Array | None = None  #: (n,) mass share of each bin at the start


def rate_from_orbit_fraction(mu: float, f_orb: float, sigma_ref: float, T_orb: float) -> float:
    """Supply [kg/(m2 s)] of ``mu`` times the fraction ``f_orb`` of ``sigma_ref`` [kg/m2] per orbit of ``T_orb`` [s]."""
    return mu * f_orb * sigma_ref / T_orb


def injection_shares(injection: Injection, grid: SizeGrid, masses: Array) -> Array:
    """Share of the supplied mass that each bin gets, (n,); sums to 1. ``masses`` (n,) [kg] are those of a grain of each bin.

    Raises
    ------
    ValueError
        Unknown mode, limits between which there is no size to inject, or ``initial_psd`` without a start.
    """
    s_floor, q, start = max(injection.s_min_eff, injection.s_inj_min), injection.q, injection.initial_shares
    if injection.mode == "initial_psd":
        if start is None:
            raise ValueError("injection initial_psd needs initial_shares")
        shares = np.where(np.isfinite(start) & (start > 0.0), start, 0.0)
    elif injection.mode == "min_bin":
        shares = np.zeros_like(grid.sizes)
        reached = np.flatnonzero(grid.sizes >= s_floor)
        shares[reached[0] if reached.size else -1] = 1.0
    elif injection.mode == "powerlaw_bins":
        low = np.maximum(grid.edges[:-1], s_floor)
        high = np.minimum(grid.edges[1:], min(injection.s_inj_max, float(grid.sizes[-1])))
        low = np.minimum(low, high)
        number = np.log(high / low) if q == 1.0 else (high ** (1.0 - q) - low ** (1.0 - q)) / (1.0 - q)
        shares = number * masses
    else:
        raise ValueError(f"injection must be one of {', '.join(INJECTIONS)}, got {injection.mode!r}")
    total = float(np.sum(shares))
    if not total > 0.0:
        raise ValueError(f"no bin takes the supply: nothing of the grid lies between {s_floor:.3g} m and {injection.s_inj_max:.3g} m")
    result: Array = shares / total
    return result
