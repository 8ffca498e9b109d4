"""Supply of fresh dust: how much, when, and into which bins."""

import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._jit import borrowing_kernel, inlined_kernel
from .csv_table import read_csv_table
from .grid import Array, SizeGrid

FAR = 10.0  # e-folds from T_ref that no temperature of Mars is away, and at which nothing overflows
MARGIN = 1e-9  # of the optical depth, by which feedback is held for longer
INJECTIONS = ("min_bin", "powerlaw_bins", "initial_psd")


class Injection(NamedTuple):
    """Into which bins the supply goes.

    ``min_bin`` is the first bin whose centre reaches the lower limit, ``powerlaw_bins`` dN/ds ~
    s^-q between the limits, integrated over the true edges of the bins, ``initial_psd`` as the
    start.
    """

    mode: str = "min_bin"
    #: m, smallest size of the disk; the lower limit is the larger of this and the next
    s_min_eff: float = 0.0
    s_inj_min: float = 0.0  #: m
    s_inj_max: float = math.inf  #: m; at most the largest bin centre
    q: float = 3.5
    initial_shares: Array | None = None  #: (n,) mass share of each bin at the start


def rate_from_orbit_fraction(mu: float, f_orb: float, sigma_ref: float, T_orb: float) -> float:
    """Supply [kg/(m2 s)] of ``mu`` times the fraction ``f_orb`` of ``sigma_ref`` [kg/m2] per orbit of ``T_orb`` [s]."""
    return mu * f_orb * sigma_ref / T_orb


def injection_shares(injection: Injection, grid: SizeGrid, masses: Array) -> Array:
    """Share of the supplied mass that each bin gets, (n,); sums to 1. ``masses`` (n,) [kg] are those of a grain of each bin.

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
            shares[min(int(np.searchsorted(grid.sizes, s_floor)), shares.size - 1)] = 1.0
    elif injection.mode == "powerlaw_bins":
        low = np.maximum(grid.edges[:-1], s_floor)
        high = np.minimum(grid.edges[1:], min(injection.s_inj_max, float(grid.sizes[-1])))
        low = np.minimum(low, high)
        number = (
            np.log(high / low) if q == 1.0 else (high ** (1.0 - q) - low ** (1.0 - q)) / (1.0 - q)
        )
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
    """Supply over time as plain data for compiled code: segments, one after the other, nothing outside them.

    A segment is A ((t - t0 + t_offset)/1 s)^exponent, or, where it has nodes of a table, linear
    between them with end values held. The sum is scaled by clip(scale (T_M/T_ref)^power, floor,
    cap).
    """

    begin: Array  #: (segments,) s
    end: Array  #: (segments,) s
    A: Array  #: (segments,) kg/(m2 s)
    exponent: Array  #: (segments,)
    t0: Array  #: (segments,) s, t0 - t_offset
    #: (segments + 1,) where a segment's nodes begin; none for a power law
    first_node: NDArray[np.int64]
    times: Array  #: (nodes,) s
    rates: Array  #: (nodes,) kg/(m2 s)
    scale: float
    T_ref: float  #: K
    power: float
    floor: float
    cap: float


class SupplySegment(NamedTuple):
    """One stretch of a supply law."""

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
    """The law of ``segments`` in order of time; ``temperature`` is (scale, T_ref, power, floor, cap).

    Raises
    ------
    ValueError
        Segments overlap, or a power law is infinite at its begin.
    """
    if any(later.begin < earlier.end for earlier, later in itertools.pairwise(segments)):
        raise ValueError("segments of the supply must follow each other in time without overlap")
    if any(s.A > 0.0 and s.exponent < 0.0 and not s.begin > s.t0 for s in segments):
        raise ValueError(
            "a supply that falls with time is infinite where it begins; give t_offset > 0"
        )
    begin, end, A, exponent, t0 = (
        np.array([s[:5] for s in segments], dtype=np.float64).reshape(-1, 5).T.copy()
    )
    first = np.array([0, *itertools.accumulate(len(s.times) for s in segments)], dtype=np.int64)
    times = np.array([t for s in segments for t in s.times], dtype=np.float64)
    rates = np.array([rate for s in segments for rate in s.rates], dtype=np.float64)
    return SupplyLaw(begin, end, A, exponent, t0, first, times, rates, *temperature)


@inlined_kernel
def supply_rate_and_slope(law: SupplyLaw, t: float) -> tuple[float, float]:
    """Supply [kg/(m2 s)] and its slope [kg/(m2 s2)] at ``t`` [s], before the scaling with temperature; a time of change counts as after it."""
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
            return rate, law.exponent[i] * rate / x if x > 0.0 else 0.0
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
    """Factor on the supply at ``T`` [K] of Mars, and its derivative in T [1/K]."""
    if law.power == 0.0:
        return min(max(law.scale, law.floor), law.cap), 0.0
    factor = law.scale * (T / law.T_ref) ** law.power
    if factor < law.floor:
        return law.floor, 0.0
    if factor > law.cap:
        return law.cap, 0.0
    return factor, law.power * factor / T


class Feedback(NamedTuple):
    """Factor f on the supply that follows the optical depth: d ln f/dt = rate (tau_target - tau_los)/tau_target between two bounds."""

    rate: float  #: 1/s, gain over response time; 0 is no feedback
    tau_target: float
    ln_floor: float
    ln_cap: float


def no_feedback() -> Feedback:
    """f = 1 always."""
    return Feedback(0.0, 1.0, 0.0, 0.0)


@borrowing_kernel
def feedback_held(feedback: Feedback, ln_f: float, tau: float, before: bool) -> bool:
    """Whether f rests at a bound because its rate points outwards at ``tau``.

    One held ``before`` rests at the nearer bound until the rate points inwards by :data:`MARGIN`;
    else round-off could switch for ever.
    """
    if before:
        at_cap = 2.0 * ln_f > feedback.ln_floor + feedback.ln_cap
        return (
            tau < feedback.tau_target * (1.0 + MARGIN)
            if at_cap
            else tau > feedback.tau_target * (1.0 - MARGIN)
        )
    return ln_f >= feedback.ln_cap if tau < feedback.tau_target else ln_f <= feedback.ln_floor


def supply_kinks(law: SupplyLaw) -> list[float]:
    """Times [s], increasing, at which the supply jumps or turns."""
    inside = (t for i, j in itertools.pairwise(law.first_node.tolist()) for t in law.times[i:j])
    return sorted({float(t) for t in (*law.begin, *law.end, *inside) if 0.0 < t < math.inf})


def scale_kinks(law: SupplyLaw) -> list[float]:
    """Temperatures [K] of Mars at which the factor on the supply reaches its floor or cap."""
    if law.power == 0.0:
        return []
    bounds = [
        bound
        for bound in (law.floor, law.cap)
        if bound > 0.0 and abs(math.log(bound) - math.log(law.scale)) < FAR * abs(law.power)
    ]
    return [law.T_ref * (bound / law.scale) ** (1.0 / law.power) for bound in bounds]


def read_supply_table(path: str | Path, r: float) -> tuple[Array, Array]:
    """Times, in the file's unit, and rates [kg/(m2 s)] at ``r`` [m] from a CSV file with columns ``t`` and ``rate``, rows in any order.

    With a column ``r`` [m] as well there is a rate for each time and radius, read at ``r`` by
    linear interpolation, end values held: an extrapolated rate could turn negative.

    Raises
    ------
    ValueError
        Other columns, negative rates, radii not above 0, fewer than two times, or not one rate for
        each time (and radius).
    OSError
        The file cannot be read.
    """
    given = read_csv_table(path)
    if set(given.header) not in ({"t", "rate"}, {"t", "r", "rate"}):
        raise ValueError(
            f"{path}: the columns are {', '.join(given.header)}; name them t and rate, or t, r and"
            " rate"
        )
    rates = given.not_below("rate", 0.0)
    by_radius = "r" in given.header
    times, row_time = np.unique(given.column("t"), return_inverse=True)
    radii, row_radius = np.unique(
        given.not_below("r", 0.0, exclusive=True) if by_radius else np.full_like(rates, r),
        return_inverse=True,
    )
    cell = row_time * radii.size + row_radius
    counts = np.bincount(cell, minlength=times.size * radii.size)
    if times.size < 2:
        raise ValueError(
            f"{path}: has rates at one time only; give at least two different times, or"
            " supply.const_rate"
        )
    if np.any(counts != 1):
        bad = int(np.argmax(counts != 1))
        where = f"t = {times[bad // radii.size]:g}" + (
            f", r = {radii[bad % radii.size]:g} m" if by_radius else ""
        )
        raise ValueError(
            f"{path}: {where} has {counts[bad] or 'no'} rate{'s' * bool(counts[bad])}; give one"
            + " for each time and radius" * by_radius
        )
    return times, np.array(
        [
            np.interp(r, radii, at_time)
            for at_time in rates[np.argsort(cell)].reshape(times.size, radii.size)
        ]
    )
