"""What drives a run from outside the disk: T_M(t), s_blow(t), the blow-out rates and the supply."""

import math
from typing import NamedTuple

from .._jit import kernel
from ..physics.grid import Array
from ..physics.radiation import RadiationPressure, blowout_size
from ..physics.temperature import TABLE, TemperatureLaw, temperature_and_slope


class Drivers(NamedTuple):
    """Everything outside the disk, as plain data for compiled code."""

    temperature: TemperatureLaw
    pressure: RadiationPressure
    edges: Array  #: (n+1,) m
    blowout_rate: float  #: 1/t_blow [1/s]; 0 switches blow-out off
    sharp: bool  #: empty a bin as a whole once its lower edge is unbound
    supply: Array  #: (n,) kg/(m2 s)


@kernel
def blowout_state(drivers: Drivers, t: float) -> tuple[float, float, bool]:
    """s_blow [m], d ln s_blow/dt [1/s] and whether <Q_pr> was clamped, at ``t`` [s]."""
    T, slope = temperature_and_slope(drivers.temperature, t)
    s_blow, log_slope, clamped = blowout_size(drivers.pressure, T)
    return s_blow, log_slope * slope / T, clamped


@kernel
def piece_of(drivers: Drivers, s_blow: float) -> int:
    """Bin that the blow-out size stands in: -1 below the grid, n above it."""
    n = drivers.edges.size - 1
    piece = -1
    while piece < n and drivers.edges[piece + 1] <= s_blow:
        piece += 1
    return piece


@kernel
def partial_share(drivers: Drivers, piece: int, s_blow: float) -> float:
    """Share of bin ``piece`` that is unbound: its log-width below s_blow, or all of it under the sharp rule."""
    if piece < 0 or piece >= drivers.edges.size - 1:
        return 0.0
    if drivers.sharp:
        return 1.0
    low, high = drivers.edges[piece], drivers.edges[piece + 1]
    return min(max(math.log(s_blow / low) / math.log(high / low), 0.0), 1.0)


@kernel
def partial_share_slope(drivers: Drivers, piece: int, log_slope: float) -> float:
    """Time derivative [1/s] of :func:`partial_share`."""
    if drivers.sharp or piece < 0 or piece >= drivers.edges.size - 1:
        return 0.0
    return log_slope / math.log(drivers.edges[piece + 1] / drivers.edges[piece])


@kernel
def set_blowout_rates(drivers: Drivers, piece: int, share: float, S: Array) -> None:
    """Blow-out rate [1/s] of every bin while s_blow stands in ``piece``, written to ``S``."""
    for k in range(S.size):
        S[k] = drivers.blowout_rate if k < piece else (drivers.blowout_rate * share if k == piece else 0.0)


@kernel
def outside(drivers: Drivers, piece: int, s_blow: float) -> int:
    """-1, 0 or 1: s_blow has left bin ``piece`` downwards, not at all, or upwards."""
    if piece >= 0 and s_blow < drivers.edges[piece]:
        return -1
    if piece < drivers.edges.size - 1 and s_blow >= drivers.edges[piece + 1]:
        return 1
    return 0


@kernel
def next_kink(drivers: Drivers, piece: int, t: float, t_next: float) -> tuple[float, int]:
    """First kink of a driver in (t, t_next]: its time [s], else ``t_next``, and the bins by which s_blow moves there.

    A kink is a node of a temperature table, or s_blow crossing an edge of its bin: the rates of two neighbouring bins change
    their course there, and a step across would lose its order.
    """
    if drivers.temperature.kind == TABLE:
        for node in drivers.temperature.times:
            if t < node < t_next:
                t_next = node
                break
    if drivers.blowout_rate == 0.0:
        return t_next, 0
    moved = outside(drivers, piece, blowout_state(drivers, t_next)[0])
    if moved == 0:
        return t_next, 0
    low, high = t, t_next
    while high - low > 1e-13 * high:
        middle = 0.5 * (low + high)
        if outside(drivers, piece, blowout_state(drivers, middle)[0]) == moved:
            high = middle
        elif middle == low:
            break
        else:
            low = middle
    return high, moved
