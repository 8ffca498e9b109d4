"""Initial size distributions: mass per bin, normalised to a total of 1."""

import math

import numpy as np

from .grid import Array, SizeGrid, bin_of


def _normalised(mass: Array, what: str) -> Array:
    total = float(np.sum(mass))
    if not (np.all(np.isfinite(mass)) and np.all(mass >= 0.0) and total > 0.0):
        raise ValueError(
            f"the {what} start puts no finite, positive mass on the size grid; compare its sizes"
            " with sizes.s_min and sizes.s_max"
        )
    return mass / total


def three_slope(grid: SizeGrid, alpha: float, wavy_strength: float = 0.0) -> Array:
    """Mass share per bin of dN/ds ~ s^-q with q = alpha, alpha+1, alpha+1.5 below 10 s_lo, between, and above s_hi/10.

    The factor 1 + w sin(2 pi ln(s/s_lo)/ln(s_hi/s_lo)) adds one wave over the whole range.
    """
    s = grid.sizes
    s_lo = grid.edges[0]
    s_hi = grid.edges[-1]
    slope = np.where(s < s_hi / 10.0, alpha + 1.0, alpha + 1.5)
    slope = np.where(s < 10.0 * s_lo, alpha, slope)
    x = np.log(s / s_lo)
    wave = 1.0 + wavy_strength * np.sin(2.0 * math.pi * x / math.log(s_hi / s_lo))
    return _normalised(np.exp(-slope * x) * wave * grid.sizes**3 * grid.widths, "three-slope")


def melt_lognormal_mixture(
    grid: SizeGrid, f_fine: float, s_fine: float, s_meter: float, width_dex: float, s_cut: float
) -> Array:
    """Mass share per bin of a fine and a metre-sized component, each lognormal in dM/ds (Hyodo et al. 2017a).

    Parameters
    ----------
    f_fine : mass share of the fine component
    s_fine, s_meter : m, centres
    width_dex : standard deviation in log10 s
    s_cut : m, no mass below
    """
    sigma = width_dex * math.log(10.0)
    shares = []
    for centre in (s_meter, s_fine):
        component = np.exp(-0.5 * (np.log(grid.sizes / centre) / sigma) ** 2) * grid.widths
        component[grid.sizes < s_cut] = 0.0
        total = float(np.sum(component))
        shares.append(component / total if total > 0.0 else component)
    return _normalised((1.0 - f_fine) * shares[0] + f_fine * shares[1], "melt-mixture")


def share_within(low: float, high: float, centre: float, width_dex: float) -> float:
    """Share of the mass of a component of :func:`melt_lognormal_mixture` on a boundless grid that lies between two sizes [m]."""
    sigma = width_dex * math.log(10.0)
    middle = math.log(centre) + sigma**2  # of the mass per ln s

    def below(s: float) -> float:
        return 0.5 * math.erfc((middle - math.log(s)) / (math.sqrt(2.0) * sigma))

    return max(below(high) - below(low), 0.0)


def melt_truncated_powerlaw(
    grid: SizeGrid, alpha_solid: float, s_min_solid: float, s_max_solid: float, s_cut: float
) -> Array:
    """Mass share per bin of one power law dN/ds ~ s^-alpha between two sizes (Jutzi et al. 2010: alpha 3.2 to 3.7).

    Parameters
    ----------
    alpha_solid : exponent of the number
    s_min_solid, s_max_solid : m, bins whose centres lie between them, ends included, have mass
    s_cut : m, no mass below
    """
    inside = (grid.sizes >= max(s_min_solid, s_cut)) & (grid.sizes <= s_max_solid)
    return _normalised(
        np.where(inside, grid.sizes ** (3.0 - alpha_solid) * grid.widths, 0.0),
        "truncated power-law",
    )


def mono(grid: SizeGrid, s: float = 1.5) -> Array:
    """Mass share per bin of grains of one size ``s`` [m]: all in the bin that contains it.

    Raises
    ------
    ValueError
        The grid does not contain the size.
    """
    if not grid.edges[0] <= s <= grid.edges[-1]:
        raise ValueError(
            f"the mono start of size {s!r} m lies outside the size grid, {grid.edges[0]:.3g} to"
            f" {grid.edges[-1]:.3g} m"
        )
    shares = np.zeros(grid.sizes.size)
    shares[bin_of(grid.edges, s)] = 1.0
    return shares
