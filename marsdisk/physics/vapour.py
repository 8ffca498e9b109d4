"""What evaporates: constants of materials and tables of their vapour pressure. Nothing here is compiled: a configuration is read without Numba."""

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .csv_table import read_csv_table
from .grid import Array


class Vapour(NamedTuple):
    """What evaporates, as plain data for compiled code.

    log10 P_sat = A - B/T [Pa, K], with other constants from ``T_switch`` on (the melt); or between
    the nodes of a table, linear in 1/T, the law of Clausius and Clapeyron, its end segments
    continued.
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


#: Forsterite: solid after van Lieshout et al. (2014), fitted at 1673-2133 K; melt after Fegley &
#: Schaefer (2012), 2163-3690 K. SiO: solid and silica melt of earlier work, whose pressure drops
#: 4e4-fold where it melts; kept to compare with.
SETS = {
    "forsterite": VapourSet(0.1, 0.140694, 13.809441833, 28362.904024, 2163.0, 11.08, 22409.0),
    "sio": VapourSet(0.007, 0.0440849, 13.613, 17850.0, 1900.0, 13.203, 25898.9),
}
_NO_TABLE = np.zeros(0)


def vapour_of(constants: VapourSet, rho: float, P_gas: float = 0.0) -> Vapour:
    """Vapour of a named set over grains of density ``rho`` [kg/m3]."""
    c = constants
    return Vapour(
        c.A,
        c.B,
        c.T_switch,
        c.A_liquid,
        c.B_liquid,
        _NO_TABLE,
        _NO_TABLE,
        c.alpha_evap,
        c.mu,
        P_gas,
        rho,
    )


def tabulated_vapour(
    T: Array, P_sat: Array, alpha_evap: float, mu: float, rho: float, P_gas: float = 0.0
) -> Vapour:
    """Vapour with P_sat [Pa] given at temperatures ``T`` [K].

    Raises
    ------
    ValueError
        Fewer than two nodes, temperatures twice, or anything not finite and positive.
    """
    T = np.asarray(T, dtype=np.float64)
    P_sat = np.asarray(P_sat, dtype=np.float64)
    if (
        T.size < 2
        or np.unique(T).size != T.size
        or not (np.all(np.isfinite([T, P_sat])) and np.all(T > 0.0) and np.all(P_sat > 0.0))
    ):
        raise ValueError(
            "a table of P_sat needs at least two different temperatures and only finite, positive"
            " numbers"
        )
    order = np.argsort(1.0 / T)
    return Vapour(
        0.0,
        0.0,
        math.inf,
        0.0,
        0.0,
        (1.0 / T)[order],
        np.log10(P_sat)[order],
        alpha_evap,
        mu,
        P_gas,
        rho,
    )


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
