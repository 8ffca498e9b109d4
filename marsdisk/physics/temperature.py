"""Temperature T_M(t) of the face of Mars that heats the disk."""

from typing import NamedTuple

import numpy as np

from .._jit import inlined_kernel, interpreted
from .constants import SIGMA_SB
from .grid import Array

CONSTANT, SLAB, LINEAR, TABLE = range(4)


class TemperatureLaw(NamedTuple):
    """A cooling law as plain data for compiled code."""

    kind: int
    T0: float  #: K, at the start
    rate: float  #: of T^-3 [K^-3 s^-1] for a slab, of T [K/s] for the linear law
    times: Array  #: (nodes,) s, increasing
    temperatures: Array  #: (nodes,) K


_NO_TABLE = np.zeros(2)


def constant(T0: float) -> TemperatureLaw:
    """Return the law T_M = ``T0`` [K]."""
    return TemperatureLaw(CONSTANT, T0, 0.0, _NO_TABLE, _NO_TABLE)


def slab(
    T0: float,
    depth: float = 1e5,
    rho: float = 3000.0,
    c_p: float = 1000.0,
) -> TemperatureLaw:
    """Return the cooling law of an isothermal layer that radiates sigma T^4.

    Parameters
    ----------
    T0 : float
        Temperature at the start [K].
    depth, rho, c_p : float
        Thickness [m], density [kg/m3], and heat capacity [J/(kg K)] of the layer.

    Returns
    -------
    TemperatureLaw
        T^-3 = T_0^-3 + 3 sigma t / (depth rho c_p).

    Examples
    --------
    >>> law = slab(4000.0)
    >>> round(first_time_at_or_below(law, 2000.0) / 31557600.0, 3)  # yr
    6.112
    """
    return TemperatureLaw(SLAB, T0, 3.0 * SIGMA_SB / (depth * rho * c_p), _NO_TABLE, _NO_TABLE)


def linear(
    T0: float,
    depth: float = 1e5,
    rho: float = 3000.0,
    c_p: float = 1000.0,
) -> TemperatureLaw:
    """Return the cooling law of a layer that keeps radiating as it does at the start.

    Parameters
    ----------
    T0 : float
        Temperature at the start [K].
    depth, rho, c_p : float
        Thickness [m], density [kg/m3], and heat capacity [J/(kg K)] of the layer.

    Returns
    -------
    TemperatureLaw
        T = T_0 - t sigma T_0^4 / (depth rho c_p), down to 0 K.

    Notes
    -----
    This is the estimate of Hyodo et al. (2018), heat content over loss at the start: the layer
    cools by dT in 717.6 d (depth/100 km)(rho/3000)(c_p/1000)(dT/3000 K)(T_0/4000 K)^-4.

    Examples
    --------
    >>> law = linear(4000.0)
    >>> round(first_time_at_or_below(law, 1000.0) / 86400.0, 1)  # days
    717.6
    """
    rate = SIGMA_SB * T0**4 / (depth * rho * c_p)
    return TemperatureLaw(LINEAR, T0, rate, _NO_TABLE, _NO_TABLE)


def table(times: Array, temperatures: Array) -> TemperatureLaw:
    """Return the law that is linear between nodes and constant beyond them.

    Parameters
    ----------
    times : (nodes,) array
        Times [s], in any order.
    temperatures : (nodes,) array
        Temperatures [K].

    Raises
    ------
    ValueError
        Fewer than two nodes, two temperatures at one time, or something not finite.
    """
    every_time = np.asarray(times, dtype=np.float64)
    every_T = np.asarray(temperatures, dtype=np.float64)
    times, first, node = np.unique(every_time, return_index=True, return_inverse=True)
    temperatures = every_T[first]
    differs = every_T != temperatures[node]
    if differs.any() and np.all(np.isfinite(every_T)):
        row = int(np.flatnonzero(differs)[0])
        raise ValueError(
            f"at time {every_time[row]:.10g} s it has the temperatures"
            f" {temperatures[node[row]]:.10g} and {every_T[row]:.10g} K; keep one of them"
        )
    if times.size < 2 or not (np.all(np.isfinite(times)) and np.all(np.isfinite(temperatures))):
        raise ValueError(
            "a temperature table needs at least two different times and only finite numbers"
        )
    T0 = float(np.interp(0.0, times, temperatures))
    return TemperatureLaw(TABLE, T0, 0.0, times, temperatures)


@inlined_kernel
def temperature_and_slope(law: TemperatureLaw, t: float) -> tuple[float, float]:
    """Return T_M [K] and dT_M/dt [K/s] at ``t`` [s].

    At a node of a table the slope is that of the segment after it.
    """
    if law.kind == SLAB:
        T = (law.T0**-3.0 + law.rate * t) ** (-1.0 / 3.0)
        return T, -law.rate / 3.0 * T**4.0
    if law.kind == LINEAR:
        T = law.T0 - law.rate * t
        if T > 0.0:
            return T, -law.rate
        return 0.0, 0.0
    if law.kind == TABLE:
        if t < law.times[0]:
            return law.temperatures[0], 0.0
        if t >= law.times[-1]:
            return law.temperatures[-1], 0.0
        i = np.searchsorted(law.times, t, side="right") - 1
        slope = (law.temperatures[i + 1] - law.temperatures[i]) / (law.times[i + 1] - law.times[i])
        return law.temperatures[i] + slope * (t - law.times[i]), slope
    return law.T0, 0.0


def first_time_at_or_below(law: TemperatureLaw, T_stop: float) -> float | None:
    """Return the first time [s] at which T_M <= ``T_stop`` [K].

    It is 0 if that holds at the start already, and None if it never does.
    """
    if T_stop >= law.T0:
        return 0.0
    if law.kind == SLAB:
        return float((T_stop**-3.0 - law.T0**-3.0) / law.rate)
    if law.kind == LINEAR:
        return (law.T0 - T_stop) / law.rate
    if law.kind == TABLE:
        return _fall_in_table(law, T_stop, 0.0)
    return None


def _fall_in_table(law: TemperatureLaw, T_stop: float, after: float) -> float | None:
    """Return the first time [s] after ``after`` at which a table falls to ``T_stop`` [K]."""
    below = np.flatnonzero((law.temperatures <= T_stop) & (law.times > after))
    if not below.size:
        return None
    end = int(below[0])
    T_before = law.temperatures[end - 1]
    t_before = law.times[end - 1]
    share = (T_before - T_stop) / (T_before - law.temperatures[end])
    return float(t_before + share * (law.times[end] - t_before))


def first_time_of_cooling_to(law: TemperatureLaw, T_stop: float) -> float | None:
    """Return the first time [s] at which T_M, having been above ``T_stop`` [K], falls to it.

    None if it never does. Only a table can begin below ``T_stop`` and be above it later.
    """
    if T_stop < law.T0:
        return first_time_at_or_below(law, T_stop)
    if law.kind != TABLE:
        return None
    above = np.flatnonzero((law.temperatures > T_stop) & (law.times > 0.0))
    if not above.size:
        return None
    return _fall_in_table(law, T_stop, float(law.times[above[0]]))


def lowest_and_highest(law: TemperatureLaw, t_end: float) -> tuple[float, float]:
    """Return the extremes of T_M [K] over [0, ``t_end``] [s]."""
    times = [0.0, t_end]
    if law.kind == TABLE:
        times += [t for t in law.times if 0.0 < t < t_end]
    values = [float(interpreted(temperature_and_slope)(law, t)[0]) for t in times]
    return min(values), max(values)
