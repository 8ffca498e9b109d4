"""What drives a run from outside the disk: T_M(t), and the rates of the processes it controls.

These are blow-out, sublimation, drag and supply. All losses are linear in the mass per bin: bin k
loses S_k c_k to blow-out, D_k c_k to drag, and by sublimation, at the speed |ds/dt| common to all
grains, ``evaporated[k]`` of its mass per metre to vapour and ``down[k]`` to the bin below.
"""

import math
from typing import NamedTuple

from .._jit import borrowing_kernel, inlined_kernel
from ..physics.grid import Array
from ..physics.opacity import OpacityLaw, lit_share, tau_los
from ..physics.phase import PhaseLaw, gate_factors, phase_of
from ..physics.radiation import RadiationPressure, blowout_size, smallest_unbound_size
from ..physics.sublimation import shrinking_speed_and_slope
from ..physics.supply import (
    Feedback,
    SupplyLaw,
    feedback_held,
    supply_rate_and_slope,
    temperature_scale_and_slope,
)
from ..physics.temperature import TemperatureLaw, temperature_and_slope
from ..physics.vapour import Vapour
from .instants import ACCURACY

# Entries of the ledger, which follow the bins in the state; ln f of the feedback comes last.
BLOWOUT, SUBLIMATION, OTHER, SUPPLIED = range(4)
ENTRIES = 4
# Bits of a mode: the phase, whether the supply is used up, whether its feedback is at a bound.
PHASES = 3
EXHAUSTED = 4
HELD = 8


class BlowoutRule(NamedTuple):
    """Which bins radiation pressure empties, and how fast."""

    edges: Array  #: (n+1,) m
    rate: float  #: 1/t_blow [1/s]; 0 switches blow-out off
    sharp: bool  #: empty a bin as a whole once its lower edge is unbound
    bound_below: bool = False  #: keep grains so small that light no longer unbinds them
    attenuated: bool = False  #: act on only the share of the grains that light reaches


class LinearTerms(NamedTuple):
    """Other terms that are linear in the mass per bin, and where the supply goes."""

    evaporated: Array  #: (n,) 1/m
    down: Array  #: (n,) 1/m
    drag: Array  #: (n,) 1/s
    shares: Array  #: (n,) share of the supply in each bin; sums to 1


class Drivers(NamedTuple):
    """Everything outside the disk, as plain data for compiled code.

    It is divided into structures so that kernels that are called often get only what they need: a
    call copies all of an argument.
    """

    temperature: TemperatureLaw
    pressure: RadiationPressure
    blowout: BlowoutRule
    linear: LinearTerms
    vapour: Vapour
    heating: float  #: grain temperature over T_M; 0 switches sublimation off
    supply: SupplyLaw
    reservoir: float  #: kg/m2 that can be supplied in total, or infinity
    kinks: Array  #: s, increasing: kinks of drivers that depend on time alone
    phase: PhaseLaw
    kink_temperatures: Array  #: K, values of T_M at which a driver has a kink
    feedback: Feedback
    opacity: OpacityLaw


class Drive(NamedTuple):
    """All that a step needs from the drivers at one time."""

    s_blow: float  #: m
    log_slope: float  #: d ln s_blow/dt [1/s]
    clamped: bool  #: whether <Q_pr> was needed beyond its table
    speed: float  #: |ds/dt| of sublimation [m/s]
    speed_slope: float  #: m/s2
    supply: float  #: kg/(m2 s)
    supply_slope: float  #: kg/(m2 s2)
    s_low: float  #: m, smallest unbound size; 0 where all are
    low_log_slope: float  #: d ln s_low/dt [1/s]
    T: float  #: of Mars [K]
    T_slope: float  #: K/s


@inlined_kernel
def blowout_state(drivers: Drivers, t: float) -> tuple[float, float, bool]:
    """Return s_blow [m], d ln s_blow/dt [1/s], and whether <Q_pr> was clamped at ``t`` [s]."""
    T, slope = temperature_and_slope(drivers.temperature, t)
    s_blow, log_slope, clamped = blowout_size(drivers.pressure, T)
    return s_blow, log_slope * slope / T, clamped


@inlined_kernel
def drive(drivers: Drivers, t: float) -> Drive:
    """Return all that a step needs from the drivers at ``t`` [s]."""
    T, cooling = temperature_and_slope(drivers.temperature, t)
    s_blow, log_slope, clamped = blowout_size(drivers.pressure, T)
    s_low = 0.0
    low_log_slope = 0.0
    if drivers.blowout.bound_below:
        s_low, low_log_slope = smallest_unbound_size(drivers.pressure, T, s_blow)
    speed = 0.0
    speed_slope = 0.0
    if drivers.heating != 0.0:
        speed, per_kelvin = shrinking_speed_and_slope(drivers.vapour, drivers.heating * T)
        speed_slope = per_kelvin * drivers.heating * cooling
    rate, rate_slope = supply_rate_and_slope(drivers.supply, t)
    scale, scale_slope = temperature_scale_and_slope(drivers.supply, T)
    return Drive(
        s_blow,
        log_slope * cooling / T,
        clamped,
        speed,
        speed_slope,
        scale * rate,
        scale * rate_slope + rate * scale_slope * cooling,
        s_low,
        low_log_slope * cooling / T,
        T,
        cooling,
    )


@borrowing_kernel
def mode_at(drivers: Drivers, t: float, state: Array, before: int) -> int:
    """Return the mode of the drivers.

    It consists of the phase of the grains, whether the supply is used up, and whether its feedback
    is held at a bound.

    Parameters
    ----------
    drivers : Drivers
        Everything outside the disk.
    t : float
        Time [s].
    state : array
        State of the disk.
    before : int
        Mode so far; negative if there is none.
    """
    n = drivers.opacity.per_mass.shape[1]
    fed_back = drivers.feedback.rate > 0.0
    was_used_up = before >= 0 and before & EXHAUSTED != 0
    was_held = before >= 0 and before & HELD != 0
    phase_before = before if before < 0 else before & PHASES
    T_M = temperature_and_slope(drivers.temperature, t)[0]
    tau = tau_los(drivers.opacity, T_M, state) if drivers.phase.heating > 0.0 or fed_back else 0.0
    mode = phase_of(drivers.phase, T_M, tau, phase_before)
    if was_used_up or state[n + SUPPLIED] >= drivers.reservoir:
        mode |= EXHAUSTED
    if fed_back and feedback_held(drivers.feedback, state[n + ENTRIES], tau, was_held):
        mode |= HELD
    return mode


@inlined_kernel
def gates(drivers: Drivers, mode: int) -> tuple[float, float, float, float]:
    """Return factors, 0 or 1, on collisions, supply, blow-out and sublimation in ``mode``."""
    colliding, supplying, blowing, subliming = gate_factors(drivers.phase, mode & PHASES)
    if mode & EXHAUSTED:
        supplying = 0.0
    return colliding, supplying, blowing, subliming


@borrowing_kernel
def has_modes(drivers: Drivers) -> bool:
    """Return whether the mode can ever change."""
    return (
        drivers.phase.heating > 0.0 or drivers.reservoir < math.inf or drivers.feedback.rate > 0.0
    )


@borrowing_kernel
def piece_of(rule: BlowoutRule, s_blow: float) -> int:
    """Return the bin in which the blow-out size lies: -1 below the grid, n above it."""
    n = rule.edges.size - 1
    piece = -1
    while piece < n and rule.edges[piece + 1] <= s_blow:
        piece += 1
    return piece


@inlined_kernel
def partial_share(rule: BlowoutRule, piece: int, s_blow: float) -> float:
    """Return the share of bin ``piece`` that is unbound.

    It is the share of its log-width that lies below s_blow, or all of it under the sharp rule.
    """
    if piece < 0 or piece >= rule.edges.size - 1:
        return 0.0
    if rule.sharp:
        return 1.0
    low = rule.edges[piece]
    high = rule.edges[piece + 1]
    return min(max(math.log(s_blow / low) / math.log(high / low), 0.0), 1.0)


@borrowing_kernel
def partial_share_slope(rule: BlowoutRule, piece: int, log_slope: float) -> float:
    """Return the time derivative [1/s] of :func:`partial_share`."""
    if rule.sharp or piece < 0 or piece >= rule.edges.size - 1:
        return 0.0
    return log_slope / math.log(rule.edges[piece + 1] / rule.edges[piece])


@inlined_kernel
def set_blowout_rates(
    rule: BlowoutRule, piece: int, s_blow: float, S: Array, s_low: float = 0.0
) -> None:
    """Set ``S`` to the blow-out rate [1/s] of every bin in full light.

    Parameters
    ----------
    rule : BlowoutRule
        Which bins are emptied.
    piece : int
        Bin in which s_blow lies.
    s_blow : float
        Blow-out size [m].
    S : (n,) array
        Overwritten.
    s_low : float, optional
        Size below which grains are bound [m].
    """
    share = partial_share(rule, piece, s_blow)
    for k in range(S.size):
        if k < piece:
            S[k] = rule.rate
        elif k == piece:
            S[k] = rule.rate * share
        else:
            S[k] = 0.0
    if s_low <= rule.edges[0]:
        return
    for k in range(S.size):
        S[k] = max(S[k] - rule.rate * _bound_share(rule, k, s_low), 0.0)


@inlined_kernel
def _bound_share(rule: BlowoutRule, k: int, s_low: float) -> float:
    """Return the share of bin ``k`` that is too small to be unbound."""
    low = rule.edges[k]
    high = rule.edges[k + 1]
    if s_low <= low:
        return 0.0
    if rule.sharp or s_low >= high:
        return 1.0
    return math.log(s_low / low) / math.log(high / low)


@borrowing_kernel
def set_blowout_slopes(
    rule: BlowoutRule, piece: int, driven: Drive, S: Array, slopes: Array
) -> None:
    """Set ``slopes`` to the time derivatives [1/s2] of the blow-out rates in full light.

    Parameters
    ----------
    rule : BlowoutRule
        Which bins are emptied.
    piece : int
        Bin in which s_blow lies.
    driven : Drive
        The drivers.
    S : (n,) array
        Blow-out rates [1/s].
    slopes : (n,) array
        Overwritten.
    """
    slopes[:] = 0.0
    if 0 <= piece < slopes.size:
        slopes[piece] = rule.rate * partial_share_slope(rule, piece, driven.log_slope)
    if driven.s_low > rule.edges[0] and not rule.sharp:
        k = piece_of(rule, driven.s_low)
        if k < slopes.size and S[k] > 0.0:
            width = math.log(rule.edges[k + 1] / rule.edges[k])
            slopes[k] -= rule.rate * driven.low_log_slope / width


@inlined_kernel
def add_linear_rates(
    terms: LinearTerms, S: Array, speed: float, drag: float, supply: float, c: Array, out: Array
) -> None:
    """Add the effect of supply, blow-out, sublimation and drag on every bin [kg/(m2 s)].

    Parameters
    ----------
    terms : LinearTerms
        Coefficients of the rates.
    S : (n,) array
        Blow-out rates [1/s], or their time derivatives.
    speed : float
        |ds/dt| of sublimation [m/s], or its time derivative.
    drag : float
        1, or 0 for the time derivative of the rates.
    supply : float
        Supply [kg/(m2 s)], or its time derivative.
    c : array
        Mass per area in each bin [kg/m2].
    out : array
        Rates of the bins are added to it, at least (n,).
    """
    n = S.size
    for k in range(n):
        out[k] += supply * terms.shares[k] - (S[k] + drag * terms.drag[k]) * c[k]
    if speed != 0.0:
        for k in range(n):
            out[k] -= speed * (terms.evaporated[k] + terms.down[k]) * c[k]
        for k in range(n - 1):
            out[k] += speed * terms.down[k + 1] * c[k + 1]


@inlined_kernel
def set_ledger_rates(
    terms: LinearTerms,
    unbound_below: bool,  # noqa: FBT001 - a kernel has no keywords
    S: Array,
    speed: float,
    drag: float,
    supply: float,
    c: Array,
    out: Array,
) -> None:
    """Set ``out`` to the rates [kg/(m2 s)] of the ledger's entries.

    It is the counterpart of :func:`add_linear_rates`, whose arguments it has.

    Parameters
    ----------
    terms : LinearTerms
        Coefficients of the rates.
    unbound_below : bool
        Whether grains that shrink below the grid are blown out, because its lower edge is unbound;
        otherwise they vanish as vapour.
    S, speed, drag, supply, c
        As for :func:`add_linear_rates`.
    out : (4,) array
        Overwritten.
    """
    blown = 0.0
    evaporated = 0.0
    dragged = 0.0
    for k in range(S.size):
        blown += S[k] * c[k]
        dragged += terms.drag[k] * c[k]
    if speed != 0.0:
        for k in range(S.size):
            evaporated += terms.evaporated[k] * c[k]
        evaporated *= speed
        below = speed * terms.down[0] * c[0]
        if unbound_below:
            blown += below
        else:
            evaporated += below
    out[BLOWOUT] = blown
    out[SUBLIMATION] = evaporated
    out[OTHER] = drag * dragged
    out[SUPPLIED] = supply


@inlined_kernel
def blows_below(rule: BlowoutRule, piece: int, blowing: float, s_low: float) -> bool:
    """Return whether grains at the lower edge of the grid are blown out.

    They are if they are unbound and ``blowing`` is 1.
    """
    return piece >= 0 and rule.rate > 0.0 and blowing > 0.0 and s_low <= rule.edges[0]


@inlined_kernel
def set_loss_rates(
    drivers: Drivers, piece: int, mode: int, T: float, c: Array, S: Array, rates: Array
) -> float:
    """Set ``rates`` to the losses of the disk and return the blow-out size [m].

    Parameters
    ----------
    drivers : Drivers
        Everything outside the disk.
    piece : int
        Bin in which s_blow lies.
    mode : int
        Mode of the drivers.
    T : float
        Temperature of Mars [K].
    c : (n,) array
        Mass per area in each bin [kg/m2].
    S : (n,) array
        Overwritten by the blow-out rates [1/s].
    rates : (4,) array
        Overwritten by the rates of the ledger's entries [kg/(m2 s)].
    """
    s_blow = blowout_size(drivers.pressure, T)[0]
    rule = drivers.blowout
    s_low = 0.0
    if rule.bound_below:
        s_low = smallest_unbound_size(drivers.pressure, T, s_blow)[0]
    speed = 0.0
    if drivers.heating != 0.0:
        speed = shrinking_speed_and_slope(drivers.vapour, drivers.heating * T)[0]
    _, _, blowing, subliming = gates(drivers, mode)
    set_blowout_rates(rule, piece, s_blow, S, s_low)
    if rule.bound_below and s_blow <= 0.0:
        # both ends of the window of unbound sizes have met
        blowing = 0.0
    if rule.attenuated:
        blowing *= lit_share(tau_los(drivers.opacity, T, c))[0]
    for k in range(S.size):
        S[k] *= blowing
    below = blows_below(rule, piece, blowing, s_low)
    set_ledger_rates(drivers.linear, below, S, subliming * speed, 1.0, 0.0, c, rates)
    return s_blow


@inlined_kernel
def _side_of_piece(rule: BlowoutRule, piece: int, s_blow: float) -> int:
    """Return -1, 0 or 1: s_blow lies below bin ``piece``, in it, or above it."""
    if piece >= 0 and s_blow < rule.edges[piece]:
        return -1
    if piece < rule.edges.size - 1 and s_blow >= rule.edges[piece + 1]:
        return 1
    return 0


@inlined_kernel
def _side(drivers: Drivers, piece: int, kink: int, t: float) -> int:
    """Return on which side of a kink the drivers are at ``t`` [s].

    A ``kink`` from 0 on is a kink temperature; -1 stands for the edges of the bin of s_blow, -2 for
    those of the bin of the smallest unbound size.
    """
    if kink == -1:
        return _side_of_piece(drivers.blowout, piece, blowout_state(drivers, t)[0])
    if kink == -2:
        return piece_of(drivers.blowout, drive(drivers, t).s_low)
    T = temperature_and_slope(drivers.temperature, t)[0]
    return 1 if drivers.kink_temperatures[kink] < T else 0


@inlined_kernel
def next_kink(drivers: Drivers, piece: int, t: float, t_next: float) -> tuple[float, float, int]:
    """Return the first kink of a driver in (t, t_next].

    A kink is a node or jump of a table, Mars passing a temperature at which a law changes, or
    s_blow crossing an edge of its bin: the rates change abruptly there, and a step across it would
    lose its order.

    Parameters
    ----------
    drivers : Drivers
        Everything outside the disk.
    piece : int
        Bin in which s_blow lies.
    t, t_next : float
        Begin and end of the step [s].

    Returns
    -------
    t_kink : float
        Time of the kink [s]; ``t_next`` if there is none.
    t_before : float
        Last time before it [s]; ``t_next`` if there is none.
    moved : int
        Number of bins by which s_blow moves there.
    """
    t_before = t_next
    for node in drivers.kinks:
        if t < node <= t_next:
            t_next = node
            t_before = max(t, node * (1.0 - 1e-15))
            break
    moved = 0
    first = 0
    if drivers.blowout.rate > 0.0:
        first = -2 if drivers.blowout.bound_below else -1
    for kink in range(first, drivers.kink_temperatures.size):
        side = 0 if kink == -1 else _side(drivers, piece, kink, t)
        beyond = _side(drivers, piece, kink, t_next)
        if beyond == side:
            continue
        low = t
        high = t_next
        while high - low > ACCURACY * high:
            middle = 0.5 * (low + high)
            if middle == low:
                break
            if _side(drivers, piece, kink, middle) == side:
                low = middle
            else:
                high = middle
                beyond = _side(drivers, piece, kink, middle)
        t_next = high
        t_before = low
        moved = beyond if kink == -1 else 0
    return t_next, t_before, moved
