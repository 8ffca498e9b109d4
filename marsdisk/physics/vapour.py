"""What evaporates: constants of materials and tables of their vapour pressure.

Nothing here is compiled, so that a configuration is read without Numba.
"""

import math
from typing import NamedTuple

import numpy as np

from .grid import Array


class Vapour(NamedTuple):
    """The vapour of the grains, as plain data for compiled code.

    log10 P_sat = A - B/T [Pa, K], with other constants from ``T_switch`` on (the melt); or linear
    in 1/T between the nodes of a table (the law of Clausius and Clapeyron) and along its end
    segments beyond.
    """

    A: float
    B: float  #: K
    T_switch: float  #: K, infinite without a melt
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


#: Forsterite: solid after van Lieshout et al. (2014), fitted at 1673-2133 K; melt after Fegley &
#: Schaefer (2012), 2163-3690 K. SiO: solid and silica melt of earlier work, whose pressure drops
#: 4e4-fold where it melts; kept for comparison.
SETS = {
    "forsterite": VapourSet(0.1, 0.140694, 13.809441833, 28362.904024, 2163.0, 11.08, 22409.0),
    "sio": VapourSet(0.007, 0.0440849, 13.613, 17850.0, 1900.0, 13.203, 25898.9),
}
_NO_TABLE = np.zeros(0)


def vapour_of(constants: VapourSet, rho: float, P_gas: float = 0.0) -> Vapour:
    """Return the vapour of a named set of constants.

    Parameters
    ----------
    constants : VapourSet
        Constants of the material.
    rho : float
        Density of the grains [kg/m3].
    P_gas : float, optional
        Partial pressure around the grains [Pa].
    """
    return Vapour(
        A=constants.A,
        B=constants.B,
        T_switch=constants.T_switch,
        A_liquid=constants.A_liquid,
        B_liquid=constants.B_liquid,
        inverse_T=_NO_TABLE,
        log10_P=_NO_TABLE,
        alpha_evap=constants.alpha_evap,
        mu=constants.mu,
        P_gas=P_gas,
        rho=rho,
    )


def tabulated_vapour(
    T: Array, P_sat: Array, alpha_evap: float, mu: float, rho: float, P_gas: float = 0.0
) -> Vapour:
    """Return the vapour with a tabulated saturation pressure.

    Parameters
    ----------
    T : (nodes,) array
        Temperatures [K], in any order.
    P_sat : (nodes,) array
        Saturation pressure at each of them [Pa].
    alpha_evap : float
        Evaporation coefficient.
    mu : float
        Molar mass of the vapour [kg/mol].
    rho : float
        Density of the grains [kg/m3].
    P_gas : float, optional
        Partial pressure around the grains [Pa].

    Raises
    ------
    ValueError
        Fewer than two nodes, duplicate temperatures, or anything not finite and positive.
    """
    T = np.asarray(T, dtype=np.float64)
    P_sat = np.asarray(P_sat, dtype=np.float64)
    distinct = T.size >= 2 and np.unique(T).size == T.size
    if not (
        distinct and np.all(np.isfinite([T, P_sat])) and np.all(T > 0.0) and np.all(P_sat > 0.0)
    ):
        raise ValueError(
            "a table of P_sat needs at least two different temperatures and only finite, positive"
            " numbers"
        )
    order = np.argsort(1.0 / T)
    return Vapour(
        A=0.0,
        B=0.0,
        T_switch=math.inf,
        A_liquid=0.0,
        B_liquid=0.0,
        inverse_T=(1.0 / T)[order],
        log10_P=np.log10(P_sat)[order],
        alpha_evap=alpha_evap,
        mu=mu,
        P_gas=P_gas,
        rho=rho,
    )
