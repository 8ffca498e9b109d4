"""Sublimation of hot grains (Hertz-Knudsen-Langmuir): vapour pressure, evaporation flux, and how fast all grains shrink."""

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .._jit import kernel
from .constants import R_GAS, R_MARS
from .csv_table import read_csv_table
from .grid import Array

LN10 = math.log(10.0)


class Vapour(NamedTuple):
    """What evaporates, as plain data for compiled code.

    log10 P_sat = A - B/T [Pa, K], with other constants from ``T_switch`` on (the melt); or between the nodes of a table, linear in
    1/T, the law of Clausius and Clapeyron, its end segments continued.
    """

    A: float
    B: float  #: K
    T_switch: float  #: K; infinite without a melt
    A_liquid: float
    B_liquid: float  #: K
    inverse_T: Array  #: (nodes,) 1/K, increasing; empty without a table
    log10_P: Array  #: (nodes,)
    alpha_evap: float  #: evaporation coefficient
    mu: float  #: kg/mol, of the vapour
    P_gas: float  #: Pa, partial pressure around the grains
    rho: float  #: kg/m3, of the grains


class VapourSet(NamedTuple):
    """Constants of one material: a solid and a melt."""

    alpha_evap: float
    mu: float  #: kg/mol
    A: float
    B: float  #: K
    T_switch: float  #: K
    A_liquid: float
    B_liquid: float  #: K


#: Forsterite: solid after van Lieshout et al. (2014), fitted at 1673-2133 K; melt after Fegley & Schaefer (2012), 2163-3690 K.
#: SiO: solid and silica melt of earlier work, whose pressure drops 4e4-fold where it melts; kept to compare with.
SETS = {
    "forsterite": VapourSet(0.1, 0.140694, 13.809441833, 28362.904024, 2163.0, 11.08, 22409.0),
    "sio": VapourSet(0.007, 0.0440849, 13.613, 17850.0, 1900.0, 13.203, 25898.9),
}
_NO_TABLE = np.zeros(0)


def grain_heating(r: float, Q_abs: float) -> float:
    """Grain temperature over T_M at ``r`` [m]: Q_abs^(1/4) sqrt(R_M/(2r)) (Hyodo et al. 2018)."""
    return math.sqrt(math.sqrt(Q_abs) * R_MARS / (2.0 * r))


def vapour_of(constants: VapourSet, rho: float, P_gas: float = 0.0) -> Vapour:
    """Vapour of a named set over grains of density ``rho`` [kg/m3]."""
    c = constants
    return Vapour(c.A, c.B, c.T_switch, c.A_liquid, c.B_liquid, _NO_TABLE, _NO_TABLE, c.alpha_evap, c.mu, P_gas, rho)


def tabulated_vapour(T: Array, P_sat: Array, alpha_evap: float, mu: float, rho: float, P_gas: float = 0.0) -> Vapour:
    """Vapour with P_sat [Pa] given at temperatures ``T`` [K].

    Raises
    ------
    ValueError
        Fewer than two nodes, temperatures twice, or anything not finite and positive.
    """
    T, P_sat = np.asarray(T, dtype=np.float64), np.asarray(P_sat, dtype=np.float64)
    if T.size < 2 or np.unique(T).size != T.size or not (np.all(np.isfinite([T, P_sat])) and np.all(T > 0.0) and np.all(P_sat > 0.0)):
        raise ValueError("a table of P_sat needs at least two different temperatures and only finite, positive numbers")
    order = np.argsort(1.0 / T)
    return Vapour(0.0, 0.0, math.inf, 0.0, 0.0, (1.0 / T)[order], np.log10(P_sat)[order], alpha_evap, mu, P_gas, rho)


def read_vapour_table(path: str | Path) -> tuple[Array, Array]:
    """T [K] and P_sat [Pa] from a CSV file with a header that names the columns ``T`` and ``P_sat``.

    Raises
    ------
    ValueError
        Columns are missing, or a cell is no number; the message names the line.
    OSError
        The file cannot be read.
    """
    given = read_csv_table(path)
    return given.column("T"), given.column("P_sat")


@kernel
def saturation_pressure(vapour: Vapour, T: float) -> tuple[float, float]:
    """P_sat [Pa] and d ln P_sat/dT [1/K] at ``T`` [K]."""
    if vapour.inverse_T.size > 0:
        x = 1.0 / T
        i = 0
        while i < vapour.inverse_T.size - 2 and vapour.inverse_T[i + 1] < x:
            i += 1
        slope = (vapour.log10_P[i + 1] - vapour.log10_P[i]) / (vapour.inverse_T[i + 1] - vapour.inverse_T[i])
        return 10.0 ** (vapour.log10_P[i] + slope * (x - vapour.inverse_T[i])), -LN10 * slope * x * x
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
    return per_pascal * (P - vapour.P_gas), per_pascal * (P * log_slope - 0.5 * (P - vapour.P_gas) / T)


def kink_temperatures(vapour: Vapour) -> list[float]:
    """Temperatures [K] at which the law changes its course."""
    if vapour.inverse_T.size > 0:
        return [float(1.0 / x) for x in vapour.inverse_T[1:-1]]
    found = [vapour.T_switch] if vapour.T_switch < math.inf else []
    if vapour.P_gas > 0.0:  # below, the gas around the grains keeps them from evaporating
        balance = [vapour.B / (vapour.A - math.log10(vapour.P_gas)), vapour.B_liquid / (vapour.A_liquid - math.log10(vapour.P_gas))]
        found += [T for T, melt in zip(balance, (False, True), strict=True) if 0.0 < T < math.inf and (vapour.T_switch <= T) is melt]
    return found


def transport_rates(edges: Array) -> tuple[Array, Array]:
    """How a bin loses its mass when all grains shrink at 1 m/s, (n,) [1/m] each: evaporated in place, and carried to the bin below.

    The mass of a bin is spread evenly in ln s. What a grain loses, 3/s of its mass per metre, is summed exactly over the bin; its
    edge is crossed by the density there (first order, upwind): a shrinking grain spreads over bins, but no mass is lost or made.
    """
    widths = np.diff(np.log(edges))
    return 3.0 * (1.0 / edges[:-1] - 1.0 / edges[1:]) / widths, 1.0 / (edges[:-1] * widths)
