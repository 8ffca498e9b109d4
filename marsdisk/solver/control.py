"""How exact a step must be, and what becomes of round-off below zero."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._jit import borrowing_kernel
from ..physics.grid import Array

NO_ALARM: NDArray[np.int64] = np.zeros(1, np.int64)
"""For runs that nobody watches. Not to be written to."""


SMALLEST = 1e-280
"""kg/m2: a share of it is still a normal number."""


class Limits(NamedTuple):
    """How long and how exactly to integrate."""

    t_end: float  #: s
    rtol: float
    atol: float  #: per bin, of the mass per area at the beginning of a step
    max_steps: int
    tau_stop: float  #: infinity runs on
    s_blow_stop: float = -1.0  #: m, to which s_blow must fall; negative runs on
    loss_rate_stop: float = -1.0  #: kg/(m2 s), to which the rate must fall; negative runs on
    t_stop_after: float = 0.0  #: s before which the last two do not stop
    #: (1,) looked at before every step; not 0 ends the run. Another thread sets it when time is up
    alarm: NDArray[np.int64] = NO_ALARM


@borrowing_kernel
def least_error(y: Array, n: int, limits: Limits) -> float:
    """Absolute error [kg/m2] allowed per bin: ``atol`` times the mass in the ``n`` bins at the start of the step."""
    present = SMALLEST
    for k in range(n):
        present += y[k]
    return limits.atol * present


@borrowing_kernel
def error_norm(
    y: Array, y_new: Array, error: Array, masses: int, size: int, least: float, limits: Limits
) -> float:
    """Root mean square of ``error`` over what is allowed, of ``size`` components; beyond the first ``masses`` are logarithms, good to rtol.

    ``least`` [kg/m2] is allowed even where nothing is.
    """
    total = 0.0
    for k in range(masses):
        total += (error[k] / (least + limits.rtol * max(abs(y[k]), abs(y_new[k])))) ** 2
    for k in range(masses, y.size):
        total += (error[k] / limits.rtol) ** 2
    return math.sqrt(total / size)


@borrowing_kernel
def remove_negatives(y: Array, n: int, allowed: float) -> int:
    """Set negative bins to zero at the cost of the others, total kept: how many, or -1 if they hold more than ``allowed``."""
    negative = 0.0
    positive = 0.0
    count = 0
    for k in range(n):
        if y[k] < 0.0:
            negative -= y[k]
            count += 1
        else:
            positive += y[k]
    if count == 0:
        return 0
    if not negative <= min(allowed, positive):
        return -1
    factor = (positive - negative) / positive
    for k in range(n):
        y[k] = max(y[k] * factor, 0.0)
    return count


@borrowing_kernel
def first_step(y: Array, f: Array, limits: Limits) -> float:
    """A hundredth of the time on which the weighted state changes (Hairer, Norsett & Wanner 1993, II.4)."""
    size = 0.0
    speed = 0.0
    least = least_error(y, y.size, limits)
    for k in range(f.size):
        weight = least + limits.rtol * abs(y[k])
        size += (y[k] / weight) ** 2
        speed += (f[k] / weight) ** 2
    return 0.01 * math.sqrt(size / speed) if size > 0.0 and speed > 0.0 else 1e-6 * limits.t_end
