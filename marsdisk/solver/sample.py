"""A finished trajectory looked at: states and series at chosen times, by the method's own dense output."""

import numpy as np

from .._jit import kernel
from ..physics.energy import EnergyTerms, energy_rates
from ..physics.grid import Array
from ..physics.phase import LIQUID, SOLID
from ..physics.temperature import temperature_and_slope
from .drivers import (
    BLOWOUT,
    ENTRIES,
    OTHER,
    PHASES,
    SUBLIMATION,
    Drivers,
    blows_below,
    drive,
    gates,
    set_blowout_rates,
    set_ledger_rates,
)
from .trajectory import Trajectory, interpolate


@kernel
def states(path: Trajectory, times: Array) -> Array:
    """Mass per bin and entries of the ledger [kg/m2] at increasing ``times`` [s]: (times, n+4)."""
    out = np.empty((times.size, path.y.shape[1]))
    step, last = 0, path.p.shape[0] - 1
    for i in range(times.size):
        while step < last and path.t[step + 1] < times[i]:
            step += 1
        if last < 0:
            out[i] = path.y[0]
            continue
        x = (times[i] - path.t[step]) / (path.t[step + 1] - path.t[step])
        interpolate(path.y[step], path.y[step + 1], path.p[step], path.q[step], min(max(x, 0.0), 1.0), out[i])
    return out


@kernel
def drivers_at(path: Trajectory, drivers: Drivers, times: Array, y: Array) -> Array:
    """T_M [K], s_blow [m], and the fluxes [kg/(m2 s)] of blow-out and of all other losses at increasing ``times`` [s]: (4, times)."""
    out = np.empty((4, times.size))
    n = y.shape[1] - ENTRIES
    S, rates = np.empty(n), np.empty(ENTRIES)
    step, last = 0, path.p.shape[0] - 1
    for i in range(times.size):
        while step < last and path.t[step + 1] < times[i]:
            step += 1
        out[0, i] = temperature_and_slope(drivers.temperature, times[i])[0]
        at = drive(drivers, times[i])
        out[1, i] = at[0]
        piece = int(path.piece[step]) if last >= 0 else -1
        set_blowout_rates(drivers.blowout, piece, at[0], S)
        _, _, blowing, subliming = gates(drivers, int(path.mode[step]) if last >= 0 else SOLID)
        S *= blowing
        set_ledger_rates(drivers.linear, blows_below(drivers.blowout, piece, blowing), S, subliming * at[3], 1.0, 0.0, y[i, :n], rates)
        out[2, i] = rates[BLOWOUT]
        out[3, i] = rates[SUBLIMATION] + rates[OTHER]
    return out


@kernel
def collision_energy(path: Trajectory, terms: EnergyTerms) -> tuple[float, float]:
    """Energy brought into collisions and energy retained [J/m2] until the end of the run, by Gauss' rule on each step's dense output."""
    relative, retained = 0.0, 0.0
    state, reach = np.empty(path.y.shape[1]), 0.5 * np.sqrt(0.6)
    for step in range(path.p.shape[0]):
        if int(path.mode[step]) & PHASES == LIQUID:
            continue
        h = path.t[step + 1] - path.t[step]
        end = min(1.0, (path.t_final - path.t[step]) / h)
        for x, weight in ((0.5 - reach, 5.0 / 18.0), (0.5, 8.0 / 18.0), (0.5 + reach, 5.0 / 18.0)):
            interpolate(path.y[step], path.y[step + 1], path.p[step], path.q[step], x * end, state)
            rates = energy_rates(state, terms)
            relative += weight * end * h * rates[0]
            retained += weight * end * h * rates[1]
    return relative, retained


@kernel
def _lost(state: Array) -> float:
    n = state.size - ENTRIES
    return float(state[n + BLOWOUT] + state[n + SUBLIMATION] + state[n + OTHER])


@kernel
def time_of_loss(path: Trajectory, share: float) -> float:
    """Time [s] by which ``share`` of the mass finally lost was lost; 0 if none was."""
    last = path.p.shape[0] - 1
    state = np.empty(path.y.shape[1])
    if last < 0:
        return 0.0
    x_end = (path.t_final - path.t[last]) / (path.t[last + 1] - path.t[last])
    interpolate(path.y[last], path.y[last + 1], path.p[last], path.q[last], x_end, state)
    wanted = share * _lost(state)
    if not wanted > 0.0:
        return 0.0
    step = 0
    while step < last and _lost(path.y[step + 1]) < wanted:
        step += 1
    low, high = 0.0, x_end if step == last else 1.0
    while high - low > 1e-12:
        middle = 0.5 * (low + high)
        interpolate(path.y[step], path.y[step + 1], path.p[step], path.q[step], middle, state)
        if _lost(state) < wanted:
            low = middle
        else:
            high = middle
    return float(path.t[step] + high * (path.t[step + 1] - path.t[step]))


@kernel
def look(path: Trajectory, drivers: Drivers, times: Array) -> tuple[Array, Array, float]:
    """States and series at increasing ``times`` [s], and the time by which 99 % of the loss was lost: one call, for handing it all over costs."""
    y = states(path, times)
    return y, drivers_at(path, drivers, times, y), time_of_loss(path, 0.99)
