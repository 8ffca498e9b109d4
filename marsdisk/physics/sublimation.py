"""Sublimation of hot grains (Hertz-Knudsen-Langmuir): vapour pressure, evaporation flux, and how fast all grains shrink."""

import math

import numpy as np

from .._jit import kernel
from .constants import R_GAS, R_MARS
from .grid import Array
from .vapour import Vapour

LN10 = math.log(10.0)


def grain_heating(r: float, Q_abs: float) -> float:
    """Grain temperature over T_M at ``r`` [m]: Q_abs^(1/4) sqrt(R_M/(2r)) (Hyodo et al. 2018)."""
    return math.sqrt(math.sqrt(Q_abs) * R_MARS / (2.0 * r))


@kernel
def saturation_pressure(vapour: Vapour, T: float) -> tuple[float, float]:
    """P_sat [Pa] and d ln P_sat/dT [1/K] at ``T`` [K]."""
    if vapour.inverse_T.size > 0:
        x = 1.0 / T
        i = 0
        while i < vapour.inverse_T.size - 2 and vapour.inverse_T[i + 1] < x:
            i += 1
        slope = (vapour.log10_P[i + 1] - vapour.log10_P[i]) / (
            vapour.inverse_T[i + 1] - vapour.inverse_T[i]
        )
        return (
            10.0 ** (vapour.log10_P[i] + slope * (x - vapour.inverse_T[i])),
            -LN10 * slope * x * x,
        )
    if vapour.T_switch <= T:
        return 10.0 ** (vapour.A_liquid - vapour.B_liquid / T), LN10 * vapour.B_liquid / (T * T)
    return 10.0 ** (vapour.A - vapour.B / T), LN10 * vapour.B / (T * T)


@kernel
def shrinking_speed_and_slope(vapour: Vapour, T: float) -> tuple[float, float]:
    """|ds/dt| = J/rho [m/s] of every grain at ``T`` [K] and its derivative in T; J = alpha (P_sat - P_gas) sqrt(mu/(2 pi R T))."""
    P, log_slope = saturation_pressure(vapour, T)
    if not vapour.P_gas < P:
        return 0.0, 0.0
    per_pascal = vapour.alpha_evap * math.sqrt(vapour.mu / (2.0 * math.pi * R_GAS * T)) / vapour.rho
    return per_pascal * (P - vapour.P_gas), per_pascal * (
        P * log_slope - 0.5 * (P - vapour.P_gas) / T
    )


def kink_temperatures(vapour: Vapour) -> list[float]:
    """Temperatures [K] at which the law changes its course."""
    if vapour.inverse_T.size > 0:
        return [float(1.0 / x) for x in vapour.inverse_T[1:-1]]
    found = [vapour.T_switch] if vapour.T_switch < math.inf else []
    if vapour.P_gas > 0.0:  # below, the gas around the grains keeps them from evaporating
        balance = [
            vapour.B / (vapour.A - math.log10(vapour.P_gas)),
            vapour.B_liquid / (vapour.A_liquid - math.log10(vapour.P_gas)),
        ]
        found += [
            T
            for T, melt in zip(balance, (False, True), strict=True)
            if 0.0 < T < math.inf and (vapour.T_switch <= T) is melt
        ]
    return found


def transport_rates(edges: Array) -> tuple[Array, Array]:
    """How a bin loses its mass when all grains shrink at 1 m/s, (n,) [1/m] each: evaporated in place, and carried to the bin below.

    The mass of a bin is spread evenly in ln s. What a grain loses, 3/s of its mass per metre, is
    summed exactly over the bin; its edge is crossed by the density there (first order, upwind): a
    shrinking grain spreads over bins, but no mass is lost or made.
    """
    widths = np.diff(np.log(edges))
    return 3.0 * (1.0 / edges[:-1] - 1.0 / edges[1:]) / widths, 1.0 / (edges[:-1] * widths)
