"""Opacity, optical depth and surface density of the dust layer.

There is one optical depth for everything: tau_los = f_los kappa Sigma.
"""

import math
from typing import NamedTuple

import numpy as np

from .._jit import inlined_kernel
from .grid import Array
from .qpr_table import QextTable, look_up

SMALL_TAU = 0.1  #: below it, series replace expressions whose terms would cancel
SERIES_TERMS = 10  #: leave a remainder below 1e-16 at :data:`SMALL_TAU`


class OpacityLaw(NamedTuple):
    """Contribution of dust to tau_los, as plain data for compiled code.

    It is linear in T_M between nodes and constant beyond them.
    """

    T: Array  #: (temperatures,) K, increasing; a single one if the opacity is constant
    per_mass: Array  #: (temperatures, n) m2/kg, tau_los of a mass per area in each bin


def geometric_opacity(sizes: Array, masses: Array, f_los: float) -> OpacityLaw:
    """Return the opacity of grains that extinguish all light on their cross-section pi s^2.

    Parameters
    ----------
    sizes, masses : (n,) array
        Radii [m] and masses [kg] of the grains.
    f_los : float
        Lengthening of the light's path through the layer.
    """
    per_mass = f_los * math.pi * sizes**2 / masses
    return OpacityLaw(np.zeros(1), per_mass[None, :])


def planck_opacity(sizes: Array, masses: Array, f_los: float, Q_ext: QextTable) -> OpacityLaw:
    """Return the opacity pi s^2 <Q_ext>(s, T_M), at the temperatures of a table of <Q_ext>.

    Parameters
    ----------
    sizes, masses : (n,) array
        Radii [m] and masses [kg] of the grains.
    f_los : float
        Lengthening of the light's path through the layer.
    Q_ext : QextTable
        Planck mean efficiencies of extinction.
    """
    geometric = f_los * math.pi * sizes**2 / masses
    efficiency = np.array([look_up(Q_ext, sizes, T) for T in Q_ext.T.tolist()])
    return OpacityLaw(np.array(Q_ext.T, dtype=np.float64), geometric * efficiency)


@inlined_kernel
def _node(law: OpacityLaw, T: float) -> tuple[int, float]:
    """Return the node below ``T`` [K], and the fraction of the way to the next."""
    last = law.T.size - 1
    if last == 0 or law.T[0] >= T:
        return 0, 0.0
    if law.T[last] <= T:
        return last - 1, 1.0
    node = int(np.searchsorted(law.T, T, side="right")) - 1
    return node, (T - law.T[node]) / (law.T[node + 1] - law.T[node])


@inlined_kernel
def set_tau_per_mass(law: OpacityLaw, T: float, out: Array) -> None:
    """Set ``out`` (n,) [m2/kg] to the tau_los of a mass per area in each bin.

    Parameters
    ----------
    law : OpacityLaw
        Opacity of the dust.
    T : float
        Temperature of Mars [K].
    out : (n,) array
        Overwritten.
    """
    node, x = _node(law, T)
    for k in range(out.size):
        out[k] = law.per_mass[node, k]
    if x > 0.0:
        for k in range(out.size):
            out[k] += x * (law.per_mass[node + 1, k] - out[k])


@inlined_kernel
def tau_los(law: OpacityLaw, T: float, c: Array) -> float:
    """Return the line-of-sight optical depth.

    Parameters
    ----------
    law : OpacityLaw
        Opacity of the dust.
    T : float
        Temperature of Mars [K].
    c : array
        Mass per area in each bin [kg/m2], at least n numbers.
    """
    node, x = _node(law, T)
    tau = 0.0
    for k in range(law.per_mass.shape[1]):
        tau += law.per_mass[node, k] * c[k]
    if x > 0.0:
        warmer = 0.0
        for k in range(law.per_mass.shape[1]):
            warmer += law.per_mass[node + 1, k] * c[k]
        tau += x * (warmer - tau)
    return tau


@inlined_kernel
def tau_los_per_kelvin(law: OpacityLaw, T: float, c: Array) -> float:
    """Return the derivative [1/K] of :func:`tau_los` with respect to ``T``."""
    last = law.T.size - 1
    if last == 0 or not law.T[0] <= T < law.T[last]:
        return 0.0
    node, _ = _node(law, T)
    change: float = 0.0
    for k in range(law.per_mass.shape[1]):
        change += (law.per_mass[node + 1, k] - law.per_mass[node, k]) * c[k]
    return change / float(law.T[node + 1] - law.T[node])


@inlined_kernel
def lit_share(tau: float) -> tuple[float, float]:
    """Return the share of grains that light reaches, (1 - e^-tau)/tau, and its derivative.

    Parameters
    ----------
    tau : float
        Optical depth along the line of sight.
    """
    if abs(tau) > SMALL_TAU:
        dimmed = math.exp(-tau)
        share = -math.expm1(-tau) / tau
        return share, (dimmed - share) / tau
    # sum of (-tau)^k/(k+1)!
    share = 1.0
    slope = 0.0
    term = 1.0
    for k in range(1, SERIES_TERMS):
        slope -= term * k / (k + 1.0)
        term *= -tau / (k + 1.0)
        share += term
    return share, slope


def tau_per_mass(law: OpacityLaw, T: float) -> Array:
    """Return tau_los per mass per area in each bin, (n,) [m2/kg], while Mars is at ``T`` [K]."""
    return np.array([np.interp(T, law.T, nodes) for nodes in law.per_mass.T])


def line_of_sight_factor(path_multiplier: float, h_over_r: float) -> float:
    """Return f_los = max(1, path multiplier / (H/r)), the lengthening of light's path."""
    return max(1.0, path_multiplier / h_over_r)


def surface_density_at_tau(tau: float, kappa: float, f_los: float) -> float:
    """Return the surface density [kg/m2] of a layer with line-of-sight optical depth ``tau``.

    Parameters
    ----------
    tau : float
        Optical depth.
    kappa : float
        Opacity [m2/kg].
    f_los : float
        Lengthening of the light's path through the layer.

    Raises
    ------
    ValueError
        ``kappa`` is not positive.
    """
    if not kappa > 0.0:
        raise ValueError(
            f"opacity must be positive to turn tau = {tau!r} into a surface density, got kappa ="
            f" {kappa!r} m2/kg"
        )
    return tau / (kappa * f_los)


def surface_density_of_mass(mass: float, r_in: float, r_out: float, r: float, p: float) -> float:
    """Return the surface density [kg/m2] at ``r`` of a mass spread as Sigma ~ r^-p.

    Parameters
    ----------
    mass : float
        Mass of the annulus [kg].
    r_in, r_out : float
        Its edges [m].
    r : float
        Radius [m].
    p : float
        Exponent.

    Raises
    ------
    ValueError
        Unless 0 < r_in < r_out.
    """
    if not 0.0 < r_in < r_out < math.inf:
        raise ValueError(
            f"an annulus must obey 0 < r_in < r_out, got r_in = {r_in!r} m and r_out = {r_out!r} m"
        )
    log_ratio = math.log(r_out / r_in)
    x = (2.0 - p) * log_ratio
    # the integral of r^(1-p), without cancellation near p = 2
    relative = math.expm1(x) / x if x != 0.0 else 1.0
    integral = math.pow(r_in, 2.0 - p) * log_ratio * relative
    return mass / (2.0 * math.pi * integral) * math.pow(r, -p)
