"""Sublimation of hot grains (Hertz-Knudsen-Langmuir).

Vapour pressure, evaporation flux, and how fast all grains shrink.
"""

import math

import numpy as np

from .._jit import kernel
from .constants import R_GAS, R_MARS
from .grid import Array
from .vapour import Vapour

LN10 = math.log(10.0)


def grain_heating(r: float, Q_abs: float) -> float:
    """Return grain temperature over T_M at ``r`` [m]: Q_abs^(1/4) sqrt(R_M/(2r)).

    Hyodo et al. (2018).
    """
    return math.sqrt(math.sqrt(Q_abs) * R_MARS / (2.0 * r))


@kernel
def saturation_pressure(vapour: Vapour, T: float) -> tuple[float, float]:
    """Return P_sat [Pa] and d ln P_sat/dT [1/K] at ``T`` [K]."""
    if vapour.inverse_T.size > 0:
        x = 1.0 / T
        i = 0
        while i < vapour.inverse_T.size - 2 and vapour.inverse_T[i + 1] < x:
            i += 1
        width = vapour.inverse_T[i + 1] - vapour.inverse_T[i]
        slope = (vapour.log10_P[i + 1] - vapour.log10_P[i]) / width
        P = 10.0 ** (vapour.log10_P[i] + slope * (x - vapour.inverse_T[i]))
        return P, -LN10 * slope * x * x
    if vapour.T_switch <= T:
        return 10.0 ** (vapour.A_liquid - vapour.B_liquid / T), LN10 * vapour.B_liquid / (T * T)
    return 10.0 ** (vapour.A - vapour.B / T), LN10 * vapour.B / (T * T)


@kernel
def shrinking_speed_and_slope(vapour: Vapour, T: float) -> tuple[float, float]:
    """Return |ds/dt| = J/rho [m/s] of every grain at ``T`` [K], and its derivative in T.

    J = alpha (P_sat - P_gas) sqrt(mu/(2 pi R T)); 0 where the gas keeps grains from evaporating.
    """
    P, log_slope = saturation_pressure(vapour, T)
    if not vapour.P_gas < P:
        return 0.0, 0.0
    per_pascal = vapour.alpha_evap * math.sqrt(vapour.mu / (2.0 * math.pi * R_GAS * T)) / vapour.rho
    speed = per_pascal * (P - vapour.P_gas)
    slope = per_pascal * (P * log_slope - 0.5 * (P - vapour.P_gas) / T)
    return speed, slope


def kink_temperatures(vapour: Vapour) -> list[float]:
    """Return the temperatures [K] at which the slope of the law jumps."""
    if vapour.inverse_T.size > 0:
        return [float(1.0 / x) for x in vapour.inverse_T[1:-1]]
    kinks = []
    if vapour.T_switch < math.inf:
        kinks.append(vapour.T_switch)
    if vapour.P_gas > 0.0:
        # below these, the gas around the grains keeps them from evaporating
        T_solid = vapour.B / (vapour.A - math.log10(vapour.P_gas))
        T_melt = vapour.B_liquid / (vapour.A_liquid - math.log10(vapour.P_gas))
        if 0.0 < T_solid < math.inf and not vapour.T_switch <= T_solid:
            kinks.append(T_solid)
        if 0.0 < T_melt < math.inf and vapour.T_switch <= T_melt:
            kinks.append(T_melt)
    return kinks


def transport_rates(edges: Array) -> tuple[Array, Array]:
    """Return the rates at which a bin loses mass when all grains shrink at 1 m/s.

    The mass of a bin is spread evenly in ln s. The loss of a grain, 3/s of its mass per metre, is
    summed exactly over the bin; its edge is crossed by the density there (first order, upwind): a
    shrinking grain spreads over bins, but no mass is lost or created.

    Parameters
    ----------
    edges : (n+1,) array
        Edges of the bins [m].

    Returns
    -------
    evaporated : (n,) array
        Share of the mass that evaporates, per metre [1/m].
    down : (n,) array
        Share that is carried to the bin below, per metre [1/m].
    """
    widths = np.diff(np.log(edges))
    return 3.0 * (1.0 / edges[:-1] - 1.0 / edges[1:]) / widths, 1.0 / (edges[:-1] * widths)
