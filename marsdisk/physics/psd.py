"""Initial size distributions: mass per bin, normalised to a total of 1."""

import math

import numpy as np

from .grid import Array, SizeGrid, bin_of


def _normalised(mass: Array, name: str) -> Array:
    total = float(np.sum(mass))
    if not (np.all(np.isfinite(mass)) and np.all(mass >= 0.0) and total > 0.0):
        raise ValueError(
            f"the {name} start puts no finite, positive mass on the size grid; compare its sizes"
            " with sizes.s_min and sizes.s_max"
        )
    return mass / total


def three_slope(grid: SizeGrid, alpha: float, wavy_strength: float = 0.0) -> Array:
    """Return the mass share per bin of dN/ds ~ s^-q with three slopes, (n,).

    q is ``alpha`` below 10 s_lo, alpha + 1 between, and alpha + 1.5 above s_hi/10. The factor
    1 + w sin(2 pi ln(s/s_lo)/ln(s_hi/s_lo)) adds one wave over the whole range.

    Parameters
    ----------
    grid : SizeGrid
        Bins from s_lo to s_hi.
    alpha : float
        Exponent of the smallest grains.
    wavy_strength : float, optional
        w.

    Raises
    ------
    ValueError
        No finite, positive mass lies on the grid.
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
    """Return the mass share per bin of a fine and a metre-sized component, (n,).

    Each is lognormal in dM/ds (Hyodo et al. 2017a).

    Parameters
    ----------
    grid : SizeGrid
        Bins of grain radius.
    f_fine : float
        Mass share of the fine component.
    s_fine, s_meter : float
        Centres of the components [m].
    width_dex : float
        Standard deviation of both in log10 s.
    s_cut : float
        Size below which there is no mass [m].

    Raises
    ------
    ValueError
        No finite, positive mass lies on the grid.
    """
    sigma = width_dex * math.log(10.0)
    shares = []
    for centre in (s_meter, s_fine):
        component = np.exp(-0.5 * (np.log(grid.sizes / centre) / sigma) ** 2) * grid.widths
        component[grid.sizes < s_cut] = 0.0
        total = float(np.sum(component))
        if total > 0.0:
            component /= total
        shares.append(component)
    return _normalised((1.0 - f_fine) * shares[0] + f_fine * shares[1], "melt-mixture")


def share_within(low: float, high: float, centre: float, width_dex: float) -> float:
    """Return the mass share of a lognormal component that lies between two sizes.

    The component is one of :func:`melt_lognormal_mixture`, on an unlimited grid.

    Parameters
    ----------
    low, high : float
        The sizes [m].
    centre : float
        Centre of the component [m].
    width_dex : float
        Its standard deviation in log10 s.
    """
    sigma = width_dex * math.log(10.0)
    # the centre of the mass per ln s
    middle = math.log(centre) + sigma**2

    def below(s: float) -> float:
        return 0.5 * math.erfc((middle - math.log(s)) / (math.sqrt(2.0) * sigma))

    return max(below(high) - below(low), 0.0)


def melt_truncated_powerlaw(
    grid: SizeGrid, alpha_solid: float, s_min_solid: float, s_max_solid: float, s_cut: float
) -> Array:
    """Return the mass share per bin of one power law dN/ds ~ s^-alpha, (n,).

    Jutzi et al. (2010) find alpha = 3.2 to 3.7.

    Parameters
    ----------
    grid : SizeGrid
        Bins of grain radius.
    alpha_solid : float
        Exponent of the number.
    s_min_solid, s_max_solid : float
        Bins whose centres lie between these sizes [m], ends included, have mass.
    s_cut : float
        Size below which there is no mass [m].

    Raises
    ------
    ValueError
        No finite, positive mass lies on the grid.
    """
    inside = (grid.sizes >= max(s_min_solid, s_cut)) & (grid.sizes <= s_max_solid)
    mass = np.where(inside, grid.sizes ** (3.0 - alpha_solid) * grid.widths, 0.0)
    return _normalised(mass, "truncated power-law")


def mono(grid: SizeGrid, s: float = 1.5) -> Array:
    """Return the mass share per bin, (n,), of grains of one size ``s`` [m].

    All of it is in the bin that contains the size.

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
