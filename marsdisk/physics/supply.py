"""Supply of fresh dust: how much, when, and into which bins."""

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._jit import borrowing_kernel, inlined_kernel
from .grid import Array, SizeGrid

# Largest |ln(T/T_ref)|: no temperature of Mars is as far from T_ref, and nothing overflows there.
MAX_E_FOLDS = 10.0
MARGIN = 1e-9  # relative, of the optical depth at which feedback is released from a bound
INJECTIONS = ("min_bin", "powerlaw_bins", "initial_psd")


class Injection(NamedTuple):
    """Into which bins the supply goes.

    ``min_bin`` is the first bin whose centre reaches the lower limit, ``powerlaw_bins`` dN/ds ~
    s^-q between the limits, integrated over the true edges of the bins, ``initial_psd`` the
    distribution at the start.
    """

    mode: str = "min_bin"
    #: m, smallest size of the disk; the lower limit is the larger of this and s_inj_min
    s_min_eff: float = 0.0
    s_inj_min: float = 0.0  #: m
    s_inj_max: float = math.inf  #: m; limited to the largest bin centre
    q: float = 3.5
    initial_shares: Array | None = None  #: (n,) mass share of each bin at the start


def rate_from_orbit_fraction(mu: float, f_orb: float, sigma_ref: float, T_orb: float) -> float:
    """Return the supply [kg/(m2 s)] of a fraction of a surface density per orbit.

    Parameters
    ----------
    mu : float
        Factor on the fraction.
    f_orb : float
        Fraction supplied per orbit.
    sigma_ref : float
        Surface density [kg/m2].
    T_orb : float
        Orbital period [s].
    """
    return mu * f_orb * sigma_ref / T_orb


def injection_shares(injection: Injection, grid: SizeGrid, masses: Array) -> Array:
    """Return the share of the supplied mass that each bin gets, (n,); the sum is 1.

    Parameters
    ----------
    injection : Injection
        Into which bins the supply goes.
    grid : SizeGrid
        Bins of grain radius.
    masses : (n,) array
        Mass of one grain of each bin [kg].

    Raises
    ------
    ValueError
        Unknown mode, limits between which there is no size to inject, or ``initial_psd`` without a
        start.
    """
    s_floor = max(injection.s_min_eff, injection.s_inj_min)
    q = injection.q
    start = injection.initial_shares
    if injection.mode == "initial_psd":
        if start is None:
            raise ValueError("injection initial_psd needs initial_shares")
        shares = np.where(np.isfinite(start) & (start > 0.0), start, 0.0)
    elif injection.mode == "min_bin":
        shares = np.zeros_like(grid.sizes)
        if s_floor <= grid.edges[-1]:
            first = int(np.searchsorted(grid.sizes, s_floor))
            shares[min(first, shares.size - 1)] = 1.0
    elif injection.mode == "powerlaw_bins":
        low = np.maximum(grid.edges[:-1], s_floor)
        high = np.minimum(grid.edges[1:], min(injection.s_inj_max, float(grid.sizes[-1])))
        low = np.minimum(low, high)
        if q == 1.0:
            number = np.log(high / low)
        else:
            number = (high ** (1.0 - q) - low ** (1.0 - q)) / (1.0 - q)
        shares = number * masses
    else:
        raise ValueError(
            f"injection must be one of {', '.join(INJECTIONS)}, got {injection.mode!r}"
        )
    total = float(np.sum(shares))
    if not total > 0.0:
        raise ValueError(
            f"no bin takes the supply: nothing of the grid, which ends at {grid.edges[-1]:.3g} m,"
            f" lies between {s_floor:.3g} m and {injection.s_inj_max:.3g} m; see supply.s_inj_min"
            " and s_inj_max"
        )
    result: Array = shares / total
    return result


class SupplyLaw(NamedTuple):
    """Supply over time as plain data for compiled code: segments that follow each other.

    A segment is A ((t - t0 + t_offset)/1 s)^exponent, or, where it has nodes of a table, linear
    between them and constant beyond. Outside of segments there is no supply. The whole is scaled by
    clip(scale (T_M/T_ref)^power, floor, cap).
    """

    begin: Array  #: (segments,) s
    end: Array  #: (segments,) s
    A: Array  #: (segments,) kg/(m2 s)
    exponent: Array  #: (segments,)
    t0: Array  #: (segments,) s, t0 - t_offset
    #: (segments + 1,) index of each segment's first node; a power law has no nodes
    first_node: NDArray[np.int64]
    times: Array  #: (nodes,) s
    rates: Array  #: (nodes,) kg/(m2 s)
    scale: float
    T_ref: float  #: K
    power: float
    floor: float
    cap: float


class SupplySegment(NamedTuple):
    """One segment of a supply law."""

    begin: float = 0.0  #: s
    end: float = math.inf  #: s
    A: float = 0.0  #: kg/(m2 s)
    exponent: float = 0.0
    t0: float = 0.0  #: s
    times: tuple[float, ...] = ()  #: s
    rates: tuple[float, ...] = ()  #: kg/(m2 s)


def supply_law(
    segments: Sequence[SupplySegment],
    temperature: tuple[float, float, float, float, float] = (1.0, 1.0, 0.0, 1.0, 1.0),
) -> SupplyLaw:
    """Return the supply law of some segments.

    Parameters
    ----------
    segments : sequence of SupplySegment
        In order of time.
    temperature : tuple, optional
        (scale, T_ref [K], power, floor, cap).

    Raises
    ------
    ValueError
        Segments overlap, or a power law is infinite where it begins.
    """
    if any(later.begin < earlier.end for earlier, later in itertools.pairwise(segments)):
        raise ValueError("segments of the supply must follow each other in time without overlap")
    if any(s.A > 0.0 and s.exponent < 0.0 and not s.begin > s.t0 for s in segments):
        raise ValueError(
            "a supply that falls with time is infinite where it begins; give t_offset > 0"
        )
    scalars = np.array([s[:5] for s in segments], dtype=np.float64).reshape(-1, 5)
    begin, end, A, exponent, t0 = scalars.T.copy()
    nodes = [len(s.times) for s in segments]
    first = np.array([0, *itertools.accumulate(nodes)], dtype=np.int64)
    times: list[float] = []
    rates: list[float] = []
    for segment in segments:
        times += segment.times
        rates += segment.rates
    return SupplyLaw(
        begin,
        end,
        A,
        exponent,
        t0,
        first,
        np.array(times, dtype=np.float64),
        np.array(rates, dtype=np.float64),
        *temperature,
    )


@inlined_kernel
def supply_rate_and_slope(law: SupplyLaw, t: float) -> tuple[float, float]:
    """Return the supply [kg/(m2 s)] and its slope [kg/(m2 s2)] before scaling with temperature.

    Parameters
    ----------
    law : SupplyLaw
        Supply over time.
    t : float
        Time [s]; where the law changes, the segment after the change counts.
    """
    for i in range(law.begin.size):
        if not law.begin[i] <= t < law.end[i]:
            continue
        low = law.first_node[i]
        high = law.first_node[i + 1] - 1
        if high < low:
            if law.exponent[i] == 0.0:
                return law.A[i], 0.0
            x = t - law.t0[i]
            rate = law.A[i] * x ** law.exponent[i]
            slope = law.exponent[i] * rate / x if x > 0.0 else 0.0
            return rate, slope
        if t < law.times[low]:
            return law.rates[low], 0.0
        if t >= law.times[high]:
            return law.rates[high], 0.0
        k = low
        while law.times[k + 1] <= t:
            k += 1
        slope = (law.rates[k + 1] - law.rates[k]) / (law.times[k + 1] - law.times[k])
        return law.rates[k] + slope * (t - law.times[k]), slope
    return 0.0, 0.0


@inlined_kernel
def temperature_scale_and_slope(law: SupplyLaw, T: float) -> tuple[float, float]:
    """Return the factor on the supply at ``T`` [K] of Mars, and its derivative [1/K]."""
    if law.power == 0.0:
        return min(max(law.scale, law.floor), law.cap), 0.0
    factor = law.scale * (T / law.T_ref) ** law.power
    if factor < law.floor:
        return law.floor, 0.0
    if factor > law.cap:
        return law.cap, 0.0
    return factor, law.power * factor / T


class Feedback(NamedTuple):
    """Factor f on the supply that follows the optical depth, between two bounds.

    d ln f/dt = rate (tau_target - tau_los)/tau_target.
    """

    rate: float  #: 1/s, gain over response time; 0 is no feedback
    tau_target: float
    ln_floor: float
    ln_cap: float


def no_feedback() -> Feedback:
    """Return the feedback that keeps f = 1."""
    return Feedback(0.0, 1.0, 0.0, 0.0)


@borrowing_kernel
def feedback_held(
    feedback: Feedback,
    ln_f: float,
    tau: float,
    before: bool,  # noqa: FBT001 - a kernel has no keywords
) -> bool:
    """Return whether f rests at a bound because its rate points outwards.

    If it did ``before``, it stays at the nearer bound until the rate points inwards by
    :data:`MARGIN`; otherwise round-off could switch for ever.

    Parameters
    ----------
    feedback : Feedback
        Factor on the supply.
    ln_f : float
        Its logarithm.
    tau : float
        Optical depth.
    before : bool
        Whether f has rested at a bound so far.
    """
    if before:
        near_cap = 2.0 * ln_f > feedback.ln_floor + feedback.ln_cap
        if near_cap:
            return tau < feedback.tau_target * (1.0 + MARGIN)
        return tau > feedback.tau_target * (1.0 - MARGIN)
    if tau < feedback.tau_target:
        return ln_f >= feedback.ln_cap
    return ln_f <= feedback.ln_floor


def supply_kinks(law: SupplyLaw) -> list[float]:
    """Return the times [s], increasing, at which the supply or its slope jumps."""
    instants = (*law.begin, *law.end, *law.times)
    return sorted({float(t) for t in instants if 0.0 < t < math.inf})


def scale_kinks(law: SupplyLaw) -> list[float]:
    """Return temperatures [K] of Mars at which the factor on the supply meets a bound."""
    if law.power == 0.0:
        return []
    widest = MAX_E_FOLDS * abs(law.power)
    kinks = []
    for bound in (law.floor, law.cap):
        if bound > 0.0 and abs(math.log(bound) - math.log(law.scale)) < widest:
            kinks.append(law.T_ref * (bound / law.scale) ** (1.0 / law.power))
    return kinks
