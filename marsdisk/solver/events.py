"""The events that end a run early, or change its mode, and their exact times."""

import math

from .._jit import borrowing_kernel
from ..physics.grid import Array
from ..physics.opacity import OpacityLaw, tau_los
from ..physics.phase import SOLID
from ..physics.temperature import temperature_and_slope
from .control import Limits
from .drivers import BLOWOUT, OTHER, PHASES, SUBLIMATION, Drivers, mode_at, set_loss_rates
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
# Bits that tell which quantity has been above its stop.
S_BLOW_ABOVE = 1
LOSS_RATE_ABOVE = 2


@borrowing_kernel
def watches_falls(limits: Limits) -> bool:
    """Return whether s_blow or the loss rate ends a run when it falls."""
    return limits.s_blow_stop >= 0.0 or limits.loss_rate_stop >= 0.0


@borrowing_kernel
def can_stop(limits: Limits) -> bool:
    """Return whether anything but reaching its end can end the run."""
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
    """Return bits that tell which of s_blow and the loss rate is above its stop.

    A quantity without a stop always is.

    Parameters
    ----------
    drivers : Drivers
        Everything outside the disk.
    limits : Limits
        With the stops.
    piece : int
        Bin in which s_blow lies.
    mode : int
        Mode of the drivers.
    t : float
        Time [s].
    c : (n,) array
        Mass per area in each bin [kg/m2].
    S, rates : (n,) and (4,) array
        Overwritten.
    """
    T = temperature_and_slope(drivers.temperature, t)[0]
    above = 0
    if set_loss_rates(drivers, piece, mode, T, c, S, rates) > limits.s_blow_stop:
        above |= S_BLOW_ABOVE
    if rates[BLOWOUT] + rates[SUBLIMATION] + rates[OTHER] > limits.loss_rate_stop:
        above |= LOSS_RATE_ABOVE
    return above


@borrowing_kernel
def stop_at(  # noqa: PLR0913 - a kernel takes scratch arrays one by one
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
    """Return which stop a run has met.

    The optical depth stops a run that is above its stop; s_blow and the loss rate stop one that has
    been above and no longer is.

    Parameters
    ----------
    drivers, limits, piece, mode, t, c, S, rates
        As for :func:`above_stops`.
    above : int
        Bits of the quantities that have been above their stops.

    Returns
    -------
    stop : int
        The stop, or REACHED_END if none is met.
    above : int
        The bits, with those that are above now added.
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
    """Return an upper bound of the optical depth over a step.

    It is infinite where the opacity depends on the temperature. Between the ends of the step,
    x (1-x) <= 1/4, x^2 (1-x) <= 4/27 and x^3 (1-x) <= 27/256.

    Parameters
    ----------
    opacity : OpacityLaw
        Opacity of the dust.
    dense : tuple of array
        y0, y1 and bend of the step.
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
def locate_stop(  # noqa: PLR0913 - a kernel; its arrays are in tuples already
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
    """Find the first stop that is met in a step, at eighths of it and then by bisection.

    Parameters
    ----------
    drivers, limits, piece, mode
        As for :func:`above_stops`.
    t, h : float
        Begin and length of the step [s].
    dense : tuple of array
        y0, y1 and bend of the step.
    scratch : tuple of array
        A state, (n,) and (4,), overwritten.
    above : int
        Bits of the quantities that have been above their stops before the step.

    Returns
    -------
    stop : int
        The stop, or REACHED_END if none is met.
    x : float
        Fraction of the step at which it is.
    above : int
        The bits there.
    """
    y0, y1, bend = dense
    state, S, rates = scratch
    x_before = 0.0
    n = S.size
    c = state[:n]
    falls = watches_falls(limits)
    if not falls and highest_tau(drivers.opacity, dense) <= limits.tau_stop:
        return REACHED_END, 1.0, above
    if falls:
        # a rate may jump up at a kink and fall within the first eighth
        interpolate(y0, y1, bend, 0.0, n, state)
        above |= above_stops(drivers, limits, piece, mode, t, c, S, rates)
    for eighth in range(1, 9):
        x = eighth / 8.0
        interpolate(y0, y1, bend, x, n, state)
        stop, above_next = stop_at(drivers, limits, piece, mode, t + x * h, c, S, rates, above)
        if stop != REACHED_END:
            low = x_before
            high = x
            while high - low > 1e-14:
                middle = 0.5 * (low + high)
                interpolate(y0, y1, bend, middle, n, state)
                t_middle = t + middle * h
                stop_there, _ = stop_at(drivers, limits, piece, mode, t_middle, c, S, rates, above)
                if stop_there != REACHED_END:
                    high = middle
                    stop = stop_there
                else:
                    low = middle
            return stop, high, above
        x_before = x
        above = above_next
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
    """Find the first change of mode in a step, at eighths of it and then by bisection.

    Parameters
    ----------
    drivers : Drivers
        Everything outside the disk.
    mode : int
        Mode at the begin of the step.
    t, h : float
        Begin and length of the step [s].
    dense : tuple of array
        y0, y1 and bend of the step.
    state : array
        Overwritten.

    Returns
    -------
    mode : int
        The new mode, or ``mode`` if it does not change.
    x : float
        Fraction of the step at which it changes.
    """
    y0, y1, bend = dense
    x_before = 0.0
    n = drivers.opacity.per_mass.shape[1]
    for eighth in range(1, 9):
        x = eighth / 8.0
        interpolate(y0, y1, bend, x, n, state)
        new_mode = mode_at(drivers, t + x * h, state, mode)
        if new_mode != mode:
            low = x_before
            high = x
            while high - low > 1e-12:
                middle = 0.5 * (low + high)
                interpolate(y0, y1, bend, middle, n, state)
                mode_there = mode_at(drivers, t + middle * h, state, mode)
                if mode_there != mode:
                    high = middle
                    new_mode = mode_there
                else:
                    low = middle
            return new_mode, high
        x_before = x
    return mode, 1.0
