"""What ends a run before its time, and when exactly."""

import math

from .._jit import borrowing_kernel
from ..physics.grid import Array
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
from .netform import optical_depth
from .trajectory import interpolate

REACHED_END, TAU_STOP, BLOWOUT_BELOW_GRID, LOSS_RATE_STOP, TOO_MANY_STEPS, STEP_TOO_SMALL, OUT_OF_TIME = range(7)


@borrowing_kernel
def can_stop(limits: Limits) -> bool:
    """Whether anything but the end of the run can end it."""
    return limits.tau_stop < math.inf or limits.s_blow_stop >= 0.0 or limits.loss_rate_stop >= 0.0


@borrowing_kernel
def stop_at(drivers: Drivers, limits: Limits, piece: int, mode: int, t: float, c: Array, tau_weight: Array, S: Array, rates: Array) -> int:
    """Which stop condition holds at ``t`` for masses ``c``, REACHED_END if none; ``S`` (n) and ``rates`` (4) are overwritten."""
    if mode & PHASES == SOLID and optical_depth(c, tau_weight) > limits.tau_stop:
        return TAU_STOP
    if (limits.s_blow_stop < 0.0 and limits.loss_rate_stop < 0.0) or t < limits.t_stop_after:
        return REACHED_END
    if set_loss_rates(drivers, piece, mode, temperature_and_slope(drivers.temperature, t)[0], c, S, rates) <= limits.s_blow_stop:
        return BLOWOUT_BELOW_GRID
    if rates[BLOWOUT] + rates[SUBLIMATION] + rates[OTHER] <= limits.loss_rate_stop:
        return LOSS_RATE_STOP
    return REACHED_END


@borrowing_kernel
def _highest_tau(dense: tuple[Array, Array, Array], tau_weight: Array) -> float:
    """A bound of the optical depth over a step: between its ends x (1-x) <= 1/4, x^2 (1-x) <= 4/27 and x^3 (1-x) <= 27/256."""
    y0, y1, bend = dense
    tau = 0.0
    for k in range(tau_weight.size):
        tau += tau_weight[k] * (max(y0[k], y1[k]) + 0.25 * abs(bend[0, k]) + 4.0 / 27.0 * abs(bend[1, k]) + 27.0 / 256.0 * abs(bend[2, k]))
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
    tau_weight: Array,
    state: Array,
    S: Array,
    rates: Array,
) -> tuple[int, float]:
    """First stop condition met in the step of ``h`` from ``t``, looked for at eighths of it, and the fraction at which it is met.

    Parameters
    ----------
    dense : y0, y1 and bend of the step
    state, S, rates : as y0, (n,) and (4,), overwritten
    """
    y0, y1, bend = dense
    before, n = 0.0, tau_weight.size
    if limits.s_blow_stop < 0.0 and limits.loss_rate_stop < 0.0 and _highest_tau(dense, tau_weight) <= limits.tau_stop:
        return REACHED_END, 1.0
    for eighth in range(1, 9):
        x = eighth / 8.0
        interpolate(y0, y1, bend, x, n, state)
        met = stop_at(drivers, limits, piece, mode, t + x * h, state[:n], tau_weight, S, rates)
        if met != REACHED_END:
            low, high = before, x
            while high - low > 1e-14:
                middle = 0.5 * (low + high)
                interpolate(y0, y1, bend, middle, n, state)
                at_middle = stop_at(drivers, limits, piece, mode, t + middle * h, state[:n], tau_weight, S, rates)
                if at_middle != REACHED_END:
                    high, met = middle, at_middle
                else:
                    low = middle
            return met, high
        before = x
    return REACHED_END, 1.0


@borrowing_kernel
def locate_mode(
    drivers: Drivers, mode: int, t: float, h: float, dense: tuple[Array, Array, Array], tau_weight: Array, state: Array
) -> tuple[int, float]:
    """Mode that ``mode`` first gives way to in the step of ``h`` from ``t``, looked for at eighths of it, and the fraction at which."""
    y0, y1, bend = dense
    before, n = 0.0, tau_weight.size
    for eighth in range(1, 9):
        x = eighth / 8.0
        interpolate(y0, y1, bend, x, n, state)
        found = mode_at(drivers, t + x * h, state, tau_weight, mode)
        if found != mode:
            low, high = before, x
            while high - low > 1e-12:
                middle = 0.5 * (low + high)
                interpolate(y0, y1, bend, middle, n, state)
                at_middle = mode_at(drivers, t + middle * h, state, tau_weight, mode)
                if at_middle != mode:
                    high, found = middle, at_middle
                else:
                    low = middle
            return found, high
        before = x
    return mode, 1.0
