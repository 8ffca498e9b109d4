"""What ends a run before its time, and when exactly."""

import math

from .._jit import borrowing_kernel
from ..physics.grid import Array
from ..physics.opacity import OpacityLaw, tau_los
from ..physics.phase import SOLID
from ..physics.temperature import temperature_and_slope
from .control import Limits
from .drivers import (
    BLOWOUT,
    OTHER,
    PHASES,
    SUBLIMATION,
    Drivers,
    mode_at,
    set_loss_rates,
)
from .trajectory import interpolate

(
    REACHED_END,
    TAU_STOP,
    BLOWOUT_BELOW_GRID,
    LOSS_RATE_STOP,
    TOO_MANY_STEPS,
    STEP_TOO_SMALL,
    OUT_OF_TIME,
) = range(7)
# bits of what has been above its stop
S_BLOW_ABOVE = 1
LOSS_RATE_ABOVE = 2


@borrowing_kernel
def watches_falls(limits: Limits) -> bool:
    """Whether s_blow or the loss rate ends a run when it falls."""
    return limits.s_blow_stop >= 0.0 or limits.loss_rate_stop >= 0.0


@borrowing_kernel
def can_stop(limits: Limits) -> bool:
    """Whether anything but the end of the run can end it."""
    return limits.tau_stop < math.inf or watches_falls(limits)


@borrowing_kernel
def above_stops(
    drivers: Drivers,
    limits: Limits,
    piece: int,
    mode: int,
    t: float,
    c: Array,
    S: Array,
    rates: Array,
) -> int:
    """Bits that say which of s_blow and the loss rate is above its stop at ``t`` for masses ``c``.

    What has no stop always is. ``S`` (n) and ``rates`` (4) are overwritten.
    """
    T = temperature_and_slope(drivers.temperature, t)[0]
    above = 0
    if set_loss_rates(drivers, piece, mode, T, c, S, rates) > limits.s_blow_stop:
        above |= S_BLOW_ABOVE
    if rates[BLOWOUT] + rates[SUBLIMATION] + rates[OTHER] > limits.loss_rate_stop:
        above |= LOSS_RATE_ABOVE
    return above


@borrowing_kernel
def stop_at(
    drivers: Drivers,
    limits: Limits,
    piece: int,
    mode: int,
    t: float,
    c: Array,
    S: Array,
    rates: Array,
    above: int,
) -> tuple[int, int]:
    """Which stop has come at ``t`` for masses ``c``.

    The optical depth stops a run that is above; s_blow and the loss rate stop one that has been
    above and is so no more. ``S`` (n) and ``rates`` (4) are overwritten.

    Parameters
    ----------
    above : which of s_blow and the loss rate have been above their stops

    Returns
    -------
    the stop, REACHED_END if none has come; ``above``, with those that are above now
    """
    if mode & PHASES == SOLID and limits.tau_stop < math.inf:
        T = temperature_and_slope(drivers.temperature, t)[0]
        if tau_los(drivers.opacity, T, c) > limits.tau_stop:
            return TAU_STOP, above
    if not watches_falls(limits):
        return REACHED_END, above
    now = above_stops(drivers, limits, piece, mode, t, c, S, rates)
    if t >= limits.t_stop_after:
        if above & S_BLOW_ABOVE and not now & S_BLOW_ABOVE:
            return BLOWOUT_BELOW_GRID, above
        if above & LOSS_RATE_ABOVE and not now & LOSS_RATE_ABOVE:
            return LOSS_RATE_STOP, above
    return REACHED_END, above | now


@borrowing_kernel
def highest_tau(opacity: OpacityLaw, dense: tuple[Array, Array, Array]) -> float:
    """A bound of the optical depth over a step, infinite where it depends on the temperature, too.

    Between the ends of the step x (1-x) <= 1/4, x^2 (1-x) <= 4/27 and x^3 (1-x) <= 27/256.
    """
    y0, y1, bend = dense
    if opacity.T.size > 1:
        return math.inf
    tau = 0.0
    tau_weight = opacity.per_mass[0]
    for k in range(tau_weight.size):
        tau += tau_weight[k] * (
            max(y0[k], y1[k])
            + 0.25 * abs(bend[0, k])
            + 4.0 / 27.0 * abs(bend[1, k])
            + 27.0 / 256.0 * abs(bend[2, k])
        )
    return tau


@borrowing_kernel
def locate_stop(
    drivers: Drivers,
    limits: Limits,
    piece: int,
    mode: int,
    t: float,
    h: float,
    dense: tuple[Array, Array, Array],
    scratch: tuple[Array, Array, Array],
    above: int,
) -> tuple[int, float, int]:
    """First stop that comes in the step of ``h`` from ``t``, looked for at eighths of it.

    Parameters
    ----------
    dense : y0, y1 and bend of the step
    scratch : as y0, (n,) and (4,), overwritten
    above : which of s_blow and the loss rate have been above their stops before the step

    Returns
    -------
    the stop, REACHED_END if none comes; the fraction of the step at which it does; ``above`` then
    """
    y0, y1, bend = dense
    state, S, rates = scratch
    before = 0.0
    n = S.size
    c = state[:n]
    falls = watches_falls(limits)
    if not falls and highest_tau(drivers.opacity, dense) <= limits.tau_stop:
        return REACHED_END, 1.0, above
    if falls:  # a rate may jump up at a kink and fall within the first eighth
        interpolate(y0, y1, bend, 0.0, n, state)
        above |= above_stops(drivers, limits, piece, mode, t, c, S, rates)
    for eighth in range(1, 9):
        x = eighth / 8.0
        interpolate(y0, y1, bend, x, n, state)
        met, now = stop_at(
            drivers,
            limits,
            piece,
            mode,
            t + x * h,
            c,
            S,
            rates,
            above,
        )
        if met != REACHED_END:
            low = before
            high = x
            while high - low > 1e-14:
                middle = 0.5 * (low + high)
                interpolate(y0, y1, bend, middle, n, state)
                at_middle, _ = stop_at(
                    drivers,
                    limits,
                    piece,
                    mode,
                    t + middle * h,
                    c,
                    S,
                    rates,
                    above,
                )
                if at_middle != REACHED_END:
                    high = middle
                    met = at_middle
                else:
                    low = middle
            return met, high, above
        before = x
        above = now
    return REACHED_END, 1.0, above


@borrowing_kernel
def locate_mode(
    drivers: Drivers,
    mode: int,
    t: float,
    h: float,
    dense: tuple[Array, Array, Array],
    state: Array,
) -> tuple[int, float]:
    """Mode that ``mode`` first gives way to in the step of ``h`` from ``t``, looked for at eighths of it, and the fraction at which."""
    y0, y1, bend = dense
    before = 0.0
    n = drivers.opacity.per_mass.shape[1]
    for eighth in range(1, 9):
        x = eighth / 8.0
        interpolate(y0, y1, bend, x, n, state)
        found = mode_at(drivers, t + x * h, state, mode)
        if found != mode:
            low = before
            high = x
            while high - low > 1e-12:
                middle = 0.5 * (low + high)
                interpolate(y0, y1, bend, middle, n, state)
                at_middle = mode_at(drivers, t + middle * h, state, mode)
                if at_middle != mode:
                    high = middle
                    found = at_middle
                else:
                    low = middle
            return found, high
        before = x
    return mode, 1.0
