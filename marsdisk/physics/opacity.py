"""Opacity, optical depth and surface density of the dust layer. One tau for everything: tau_los = f_los kappa Sigma."""

import math
from typing import NamedTuple

import numpy as np

from .._jit import inlined_kernel
from .grid import Array
from .qpr_table import QextTable, look_up

SMALL_TAU = 0.1  #: below which series replace what would cancel
TERMS = 10  #: of these series, which leave out less than 1e-16 then


class OpacityLaw(NamedTuple):
    """What dust adds to tau_los, as plain data for compiled code: linear in T_M between nodes, held outside of them."""

    T: Array  #: (temperatures,) K, increasing; a single one where it depends on none
    per_mass: Array  #: (temperatures, n) m2/kg, of a mass per area of disk in each bin


def geometric_opacity(sizes: Array, masses: Array, f_los: float) -> OpacityLaw:
    """Opacity of grains of radii ``sizes`` (n,) [m] and ``masses`` (n,) [kg] that take out all light that meets them: pi s^2."""
    per_mass = f_los * math.pi * sizes**2 / masses
    return OpacityLaw(np.zeros(1), per_mass[None, :])


def planck_opacity(sizes: Array, masses: Array, f_los: float, Q_ext: QextTable) -> OpacityLaw:
    """Opacity pi s^2 <Q_ext>(s, T_M) of the same grains, at the temperatures of a table of <Q_ext>."""
    geometric = f_los * math.pi * sizes**2 / masses
    efficiency = np.array([look_up(Q_ext, sizes, T) for T in Q_ext.T.tolist()])
    return OpacityLaw(np.array(Q_ext.T, dtype=np.float64), geometric * efficiency)


@inlined_kernel
def _node(law: OpacityLaw, T: float) -> tuple[int, float]:
    """The node below ``T`` [K], and how far it is on the way to the next."""
    last = law.T.size - 1
    if last == 0 or law.T[0] >= T:
        return 0, 0.0
    if law.T[last] <= T:
        return last - 1, 1.0
    node = int(np.searchsorted(law.T, T, side="right")) - 1
    return node, (T - law.T[node]) / (law.T[node + 1] - law.T[node])


@inlined_kernel
def set_tau_per_mass(law: OpacityLaw, T: float, out: Array) -> None:
    """What a mass per area in each bin adds to tau_los while Mars is at ``T`` [K], written to ``out`` (n,) [m2/kg]."""
    node, x = _node(law, T)
    for k in range(out.size):
        out[k] = law.per_mass[node, k]
    if x > 0.0:
        for k in range(out.size):
            out[k] += x * (law.per_mass[node + 1, k] - out[k])


@inlined_kernel
def tau_los(law: OpacityLaw, T: float, c: Array) -> float:
    """Line-of-sight optical depth of masses per area ``c`` (at least n) [kg/m2] while Mars is at ``T`` [K]."""
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
    """Derivative [1/K] of :func:`tau_los` with respect to ``T``."""
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
    """Share of the grains along a line of sight of optical depth ``tau`` that light reaches, (1 - e^-tau)/tau, and its derivative."""
    if abs(tau) > SMALL_TAU:
        dimmed = math.exp(-tau)
        share = -math.expm1(-tau) / tau
        return share, (dimmed - share) / tau
    # sum of (-tau)^k/(k+1)!
    share = 1.0
    slope = 0.0
    term = 1.0
    for k in range(1, TERMS):
        slope -= term * k / (k + 1.0)
        term *= -tau / (k + 1.0)
        share += term
    return share, slope


def tau_per_mass(law: OpacityLaw, T: float) -> Array:
    """What a mass per area in each bin adds to tau_los while Mars is at ``T`` [K]: (n,) m2/kg."""
    return np.array([np.interp(T, law.T, nodes) for nodes in law.per_mass.T])


def line_of_sight_factor(path_multiplier: float, h_over_r: float) -> float:
    """f_los = max(1, path multiplier / (H/r)), the lengthening of the light's path through the layer."""
    return max(1.0, path_multiplier / h_over_r)


def surface_density_at_tau(tau: float, kappa: float, f_los: float) -> float:
    """Surface density [kg/m2] of a layer whose line-of-sight optical depth is ``tau``."""
    if not kappa > 0.0:
        raise ValueError(
            f"opacity must be positive to turn tau = {tau!r} into a surface density, got kappa ="
            f" {kappa!r} m2/kg"
        )
    return tau / (kappa * f_los)


def surface_density_of_mass(mass: float, r_in: float, r_out: float, r: float, p: float) -> float:
    """Surface density [kg/m2] at ``r`` of ``mass`` [kg] spread over ``r_in`` to ``r_out`` [m] as Sigma ~ r^-p.

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
    # of r^(1-p), without cancellation near p = 2
    integral = math.pow(r_in, 2.0 - p) * log_ratio * (math.expm1(x) / x if x != 0.0 else 1.0)
    return mass / (2.0 * math.pi * integral) * math.pow(r, -p)
