"""Accuracy of a step, and the treatment of round-off below zero."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._jit import borrowing_kernel
from ..physics.grid import Array

NO_ALARM: NDArray[np.int64] = np.zeros(1, np.int64)
"""The alarm of runs without a time limit; never write to it."""

MIN_MASS = 1e-280
"""Surface density [kg/m2] of which a share is still a normal number."""


class Limits(NamedTuple):
    """How long and how accurately to integrate."""

    t_end: float  #: s
    rtol: float
    atol: float  #: per bin, of the mass per area at the beginning of a step
    max_steps: int
    tau_stop: float  #: tau_los above which a run ends; infinity for none
    s_blow_stop: float = -1.0  #: m, a run ends when s_blow falls to it; negative for none
    loss_rate_stop: float = -1.0  #: kg/(m2 s), likewise for the loss rate
    t_stop_after: float = 0.0  #: s before which the last two do not stop a run
    #: (1,) read before every step; not 0 ends the run. Another thread sets it when time is up.
    alarm: NDArray[np.int64] = NO_ALARM


@borrowing_kernel
def least_error(y: Array, n: int, limits: Limits) -> float:
    """Return the absolute error [kg/m2] allowed per bin.

    It is ``atol`` times the mass in the ``n`` bins at the start of the step.
    """
    present = MIN_MASS
    for k in range(n):
        present += y[k]
    return limits.atol * present


@borrowing_kernel
def error_norm(
    y: Array, y_new: Array, error: Array, n_masses: int, size: int, least: float, limits: Limits
) -> float:
    """Return the root mean square of the error in units of what is allowed.

    Components from index ``n_masses`` on are logarithms and are held to ``rtol`` absolutely.

    Parameters
    ----------
    y, y_new : array
        State before and after the step.
    error : array
        Estimated error of each component.
    n_masses : int
        Number of components that are masses.
    size : int
        Number of components to average over.
    least : float
        Error allowed for any mass [kg/m2].
    limits : Limits
        With the relative accuracy.
    """
    total = 0.0
    for k in range(n_masses):
        total += (error[k] / (least + limits.rtol * max(abs(y[k]), abs(y_new[k])))) ** 2
    for k in range(n_masses, y.size):
        total += (error[k] / limits.rtol) ** 2
    return math.sqrt(total / size)


@borrowing_kernel
def remove_negatives(y: Array, n: int, allowed: float) -> int:
    """Set negative bins to zero at the expense of the others, keeping the total.

    Parameters
    ----------
    y : array
        Mass per area in each bin [kg/m2], modified.
    n : int
        Number of bins.
    allowed : float
        Most mass that the negative bins may lack [kg/m2].

    Returns
    -------
    int
        Number of negative bins, or -1 if they lack more than ``allowed``.
    """
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
    """Return the length of the first step [s].

    It is a hundredth of the time scale of the weighted state (Hairer, Norsett & Wanner 1993, II.4).
    """
    size = 0.0
    speed = 0.0
    least = least_error(y, y.size, limits)
    for k in range(f.size):
        weight = least + limits.rtol * abs(y[k])
        size += (y[k] / weight) ** 2
        speed += (f[k] / weight) ** 2
    if size > 0.0 and speed > 0.0:
        return 0.01 * math.sqrt(size / speed)
    return 1e-6 * limits.t_end
