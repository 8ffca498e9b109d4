"""States and series of a finished trajectory at chosen times, by the method's own dense output."""

import math

import numpy as np

from .._jit import borrowing_kernel, inlined_kernel, kernel
from ..physics.energy import EnergyTerms, energy_rates
from ..physics.grid import Array
from ..physics.opacity import lit_share, tau_los
from ..physics.phase import LIQUID, SOLID
from ..physics.shielding import ShieldingLaw, effective_opacity, phi_at, surface_density_at_tau1
from ..physics.temperature import temperature_and_slope
from .drivers import (
    BLOWOUT,
    ENTRIES,
    OTHER,
    PHASES,
    SUBLIMATION,
    Drivers,
    drive,
    gates,
    set_loss_rates,
)
from .events import highest_tau
from .trajectory import Trajectory, component_at, interpolate

_REACH = 0.5 * math.sqrt(0.6)
THICK = 1.0  #: tau_los above which a layer is optically thick
#: nodes and weights on [0, 1]
GAUSS = ((0.5 - _REACH, 5.0 / 18.0), (0.5, 8.0 / 18.0), (0.5 + _REACH, 5.0 / 18.0))


@inlined_kernel
def _state_at(path: Trajectory, t: float, after: int, out: Array) -> int:
    """Set ``out`` to the state at ``t`` [s] and return the step in which it lies.

    The search begins at step ``after``. The result is -1 if no step was made.
    """
    step = after
    last = path.bend.shape[0] - 1
    if last < 0:
        for k in range(out.size):
            out[k] = path.y[0, k]
        return -1
    while step < last and path.t[step + 1] < t:
        step += 1
    x = (t - path.t[step]) / (path.t[step + 1] - path.t[step])
    interpolate(
        path.y[step], path.y[step + 1], path.bend[step], min(max(x, 0.0), 1.0), path.bins, out
    )
    return step


@kernel
def states(path: Trajectory, times: Array) -> Array:
    """Return the states at increasing ``times`` [s], (times, n+4 or n+5).

    They are mass per bin and entries of the ledger [kg/m2], and ln f if there is a feedback.
    """
    out = np.empty((times.size, path.y.shape[1]))
    step = 0
    for i in range(times.size):
        step = max(_state_at(path, times[i], step, out[i]), 0)
    return out


@kernel
def collision_energy(path: Trajectory, terms: EnergyTerms) -> tuple[float, float]:
    """Return energy brought into collisions and energy retained [J/m2] until the end of the run.

    By Gauss' rule on each step's dense output.
    """
    relative = 0.0
    retained = 0.0
    state = np.empty(path.y.shape[1])
    for step in range(path.bend.shape[0]):
        if int(path.mode[step]) & PHASES == LIQUID:
            continue
        h = path.t[step + 1] - path.t[step]
        end = min(1.0, (path.t_final - path.t[step]) / h)
        for x, weight in GAUSS:
            interpolate(path.y[step], path.y[step + 1], path.bend[step], x * end, path.bins, state)
            rates = energy_rates(state, terms)
            relative += weight * end * h * rates[0]
            retained += weight * end * h * rates[1]
    return relative, retained


@borrowing_kernel
def hit_rate(c: Array, hits: Array) -> float:
    """Return the gross collision rate [1/s] of the largest bodies present, which is the highest.

    Parameters
    ----------
    c : (n,) array
        Mass per area in each bin [kg/m2].
    hits : (n, n) array
        Rate for a body of bin i per mass of grains of bin j [m2/(s kg)].
    """
    top = hits.shape[0] - 1
    rate = 0.0
    while top > 0 and not c[top] > 0.0:
        top -= 1
    for j in range(hits.shape[0]):
        rate += hits[top, j] * c[j]
    return rate


@kernel
def hits_until(path: Trajectory, hits: Array, times: Array) -> Array:
    """Return how often one of the largest bodies has been hit by each of ``times``, (times,).

    Counted from the begin of ``path``, by Gauss' rule on each step's dense output.

    Parameters
    ----------
    path : Trajectory
        The run.
    hits : (n, n) array
        As for :func:`hit_rate`.
    times : array
        Increasing times [s].
    """
    out = np.zeros(times.size)
    state = np.empty(path.y.shape[1])
    step = 0
    total = 0.0
    for i in range(times.size):
        while step < path.bend.shape[0]:
            h = path.t[step + 1] - path.t[step]
            end = min(1.0, (times[i] - path.t[step]) / h)
            passed = 0.0
            if int(path.mode[step]) & PHASES != LIQUID and end > 0.0:
                for x, weight in GAUSS:
                    interpolate(
                        path.y[step], path.y[step + 1], path.bend[step], x * end, path.bins, state
                    )
                    passed += weight * end * h * hit_rate(state, hits)
            out[i] = total + passed
            if end < 1.0:
                break
            total += passed
            step += 1
        else:
            out[i] = total
    return out


@borrowing_kernel
def _lost(path: Trajectory, step: int, x: float) -> float:
    """Return the mass lost [kg/m2] by fraction ``x`` of a step."""
    n = path.bins
    y0 = path.y[step]
    y1 = path.y[step + 1]
    bend = path.bend[step]
    return (
        component_at(y0, y1, bend, n + BLOWOUT, x)
        + component_at(y0, y1, bend, n + SUBLIMATION, x)
        + component_at(y0, y1, bend, n + OTHER, x)
    )


@borrowing_kernel
def time_of_loss(path: Trajectory, share: float) -> float:
    """Return the time [s] by which ``share`` of the mass finally lost was lost; 0 if none was."""
    last = path.bend.shape[0] - 1
    if last < 0:
        return 0.0
    x_end = (path.t_final - path.t[last]) / (path.t[last + 1] - path.t[last])
    target = share * _lost(path, last, x_end)
    if not target > 0.0:
        return 0.0
    step = 0
    while step < last and _lost(path, step, 1.0) < target:
        step += 1
    low = 0.0
    high = x_end if step == last else 1.0
    while high - low > 1e-12:
        middle = 0.5 * (low + high)
        if _lost(path, step, middle) < target:
            low = middle
        else:
            high = middle
    return float(path.t[step] + high * (path.t[step + 1] - path.t[step]))


@borrowing_kernel
def _depth(path: Trajectory, drivers: Drivers, step: int, x: float, state: Array) -> float:
    """Return tau_los at fraction ``x`` of a step; ``state`` is overwritten."""
    interpolate(path.y[step], path.y[step + 1], path.bend[step], x, path.bins, state)
    t = path.t[step] + x * (path.t[step + 1] - path.t[step])
    return tau_los(drivers.opacity, temperature_and_slope(drivers.temperature, t)[0], state)


@borrowing_kernel
def _crossing(
    path: Trajectory, drivers: Drivers, step: int, before: float, after: float, state: Array
) -> float:
    """Return the fraction of a step, between two, at which tau_los passes :data:`THICK`."""
    was_thick = _depth(path, drivers, step, before, state) > THICK
    while after - before > 1e-12:
        middle = 0.5 * (before + after)
        if (_depth(path, drivers, step, middle, state) > THICK) == was_thick:
            before = middle
        else:
            after = middle
    return after


@kernel
def blown_while_thick(path: Trajectory, drivers: Drivers) -> float:
    """Return the mass blown out [kg/m2] while tau_los is above :data:`THICK`.

    Crossings are searched for between eighths of each step.
    """
    total = 0.0
    state = np.empty(path.y.shape[1])
    blown = path.bins + BLOWOUT
    for step in range(path.bend.shape[0]):
        y0 = path.y[step]
        y1 = path.y[step + 1]
        bend = path.bend[step]
        if highest_tau(drivers.opacity, (y0, y1, bend)) <= THICK:
            continue
        end = min(1.0, (path.t_final - path.t[step]) / (path.t[step + 1] - path.t[step]))
        before = 0.0
        was_thick = _depth(path, drivers, step, 0.0, state) > THICK
        for eighth in range(1, 9):
            x = end * eighth / 8.0
            is_thick = _depth(path, drivers, step, x, state) > THICK
            first = before
            last = x
            if was_thick and not is_thick:
                last = _crossing(path, drivers, step, before, x, state)
            if is_thick and not was_thick:
                first = _crossing(path, drivers, step, before, x, state)
            if was_thick or is_thick:
                blown_before = component_at(y0, y1, bend, blown, first)
                total += component_at(y0, y1, bend, blown, last) - blown_before
            before = x
            was_thick = is_thick
    # round-off may be negative where nothing is blown out
    return max(total, 0.0)


@kernel
def depths(path: Trajectory, drivers: Drivers) -> Array:
    """Return tau_los at the begin of every step and at the end of the run, (steps+1,)."""
    out = np.empty(path.t.size)
    last = path.t.size - 1
    for i in range(path.t.size):
        T = temperature_and_slope(drivers.temperature, path.t[i])[0]
        out[i] = tau_los(drivers.opacity, T, path.y[i])
    if last > 0:
        end = (path.t_final - path.t[last - 1]) / (path.t[last] - path.t[last - 1])
        out[last] = _depth(path, drivers, last - 1, min(end, 1.0), np.empty(path.y.shape[1]))
    return out


@borrowing_kernel
def _fill_series(
    path: Trajectory,
    drivers: Drivers,
    shielding: ShieldingLaw,
    times: Array,
    f_los: float,
    buffers: tuple[Array, Array, Array, Array],
) -> None:
    """Set the states and series of :func:`look`, the first two of ``buffers``.

    The others are scratch, (n,) and (4,).
    """
    y, series, S, rates = buffers
    n = path.bins
    step = 0
    for i in range(times.size):
        containing_step = _state_at(path, times[i], step, y[i])
        step = max(containing_step, 0)
        piece = -1
        mode = SOLID
        if containing_step >= 0:
            piece = int(path.piece[step])
            mode = int(path.mode[step])
        c = y[i, :n]
        T = temperature_and_slope(drivers.temperature, times[i])[0]
        Sigma = np.sum(c)
        tau = tau_los(drivers.opacity, T, c)
        kappa = tau / (f_los * Sigma) if Sigma > 0.0 else 0.0
        phi = phi_at(shielding, tau)
        Sigma_tau1 = surface_density_at_tau1(effective_opacity(kappa, phi))
        s_blow = set_loss_rates(drivers, piece, mode, T, c, S, rates)
        series[0, i] = Sigma
        series[1, i] = tau
        series[2, i] = phi
        series[3, i] = Sigma_tau1
        series[4, i] = T
        series[5, i] = s_blow
        series[6, i] = rates[BLOWOUT]
        series[7, i] = rates[SUBLIMATION] + rates[OTHER]
        series[8, i] = kappa
        _fill_driver_series(drivers, mode, times[i], tau, y[i], series[9:, i])


@inlined_kernel
def _fill_driver_series(
    drivers: Drivers, mode: int, t: float, tau: float, state: Array, series: Array
) -> None:
    """Set the rest of the series of :func:`look`.

    They are supply before and after gates and feedback, the factor of the feedback, |ds/dt|,
    t_blow, phase, and gates.
    """
    driven = drive(drivers, t)
    colliding, supplying, blowing, subliming = gates(drivers, mode)
    factor = 1.0
    if drivers.feedback.rate > 0.0:
        factor = math.exp(state[state.size - 1])
    light = lit_share(tau)[0] if drivers.blowout.attenuated else 1.0
    rate = drivers.blowout.rate * light
    series[0] = driven.supply
    series[1] = supplying * factor * driven.supply
    series[2] = factor
    series[3] = subliming * driven.speed
    series[4] = 1.0 / rate if rate > 0.0 else math.nan
    series[5] = mode & PHASES
    series[6] = colliding + 2.0 * supplying + 4.0 * blowing + 8.0 * subliming


@kernel
def blown_by_bin(path: Trajectory, drivers: Drivers) -> Array:
    """Return the mass blown out of each bin [kg/m2] until the end of the run, (n,).

    Gauss' rule on each step's dense output gives the share of each bin, and the ledger gives the
    total. Grains that were blown out below the grid, as they shrank, are missing from the sum.
    """
    n = path.bins
    blown = path.bins + BLOWOUT
    total = np.zeros(n)
    share = np.empty(n)
    S = np.empty(n)
    rates = np.empty(ENTRIES)
    state = np.empty(path.y.shape[1])
    for step in range(path.bend.shape[0]):
        y0 = path.y[step]
        y1 = path.y[step + 1]
        bend = path.bend[step]
        h = path.t[step + 1] - path.t[step]
        end = min(1.0, (path.t_final - path.t[step]) / h)
        lost = component_at(y0, y1, bend, blown, end) - component_at(y0, y1, bend, blown, 0.0)
        share[:] = 0.0
        whole = 0.0
        for x, weight in GAUSS:
            interpolate(y0, y1, bend, x * end, n, state)
            T = temperature_and_slope(drivers.temperature, path.t[step] + x * end * h)[0]
            set_loss_rates(
                drivers, int(path.piece[step]), int(path.mode[step]), T, state[:n], S, rates
            )
            whole += weight * rates[BLOWOUT]
            for k in range(n):
                share[k] += weight * S[k] * state[k]
        if whole > 0.0:
            for k in range(n):
                total[k] += lost * share[k] / whole
    return total


@kernel
def look(
    path: Trajectory, drivers: Drivers, shielding: ShieldingLaw, times: Array, f_los: float
) -> tuple[Array, Array, float]:
    """Return states and series at increasing times, in one call, as each call copies the run.

    Parameters
    ----------
    path : Trajectory
        The run.
    drivers : Drivers
        Everything outside the disk.
    shielding : ShieldingLaw
        Phi(tau).
    times : array
        Increasing times [s].
    f_los : float
        Lengthening of the light's path through the layer.

    Returns
    -------
    states : (times, n+4 or n+5) array
        As :func:`states` returns them.
    series : (16, times) array
        Sigma [kg/m2]; tau_los; Phi; Sigma_tau1 [kg/m2]; T_M [K]; s_blow [m]; the fluxes of blow-out
        and of all other losses [kg/(m2 s)]; kappa [m2/kg]; the supply before and after gates and
        feedback [kg/(m2 s)]; the factor of the feedback; |ds/dt| [m/s]; the blow-out time in the
        attenuated light [s]; phase; and gates.
    t_loss : float
        Time by which 99 % of the loss was lost [s].
    """
    y = np.empty((times.size, path.y.shape[1]))
    series = np.empty((16, times.size))
    buffers = y, series, np.empty(path.bins), np.empty(ENTRIES)
    _fill_series(path, drivers, shielding, times, f_los, buffers)
    return y, series, time_of_loss(path, 0.99)
