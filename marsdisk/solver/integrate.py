"""The integrator: a linearly implicit method with error control over the whole length of a run.

The ledger runs along as extra components of the state, filled by the same stages as the bins, so that
sum c + losses - supplied is conserved to round-off. The factor of a feedback on the supply is one more component, its logarithm.
Kinks of the drivers are landed on; stop events are located on the dense output.
"""

import math
from typing import Any

import numpy as np

from .._jit import kernel
from ..physics.grid import Array
from ..physics.phase import SOLID, UNKNOWN
from .control import Limits, error_norm, first_step, remove_negatives
from .drivers import (
    ENTRIES,
    HELD,
    PHASES,
    SUPPLIED,
    Drivers,
    LinearTerms,
    add_linear_rates,
    blowout_state,
    blows_below,
    drive,
    gates,
    has_modes,
    mode_at,
    next_kink,
    partial_share_slope,
    piece_of,
    set_blowout_rates,
    set_ledger_rates,
)
from .events import OUT_OF_TIME, REACHED_END, STEP_TOO_SMALL, TAU_STOP, TOO_MANY_STEPS, can_stop, locate_mode, locate_stop
from .linear import factorise, substitute
from .methods import RosenbrockMethod
from .netform import CollisionTerms, busiest_bin, jacobian, mass_rate, optical_depth, tau_per_mass
from .trajectory import Trajectory

MODE_TOLERANCE = 1e-6  # of a step, within which a change of mode is at its end, or at its begin (but no less than time is resolved to)


@kernel
def _doubled(array: Array) -> Array:
    larger = np.empty((2 * array.shape[0], array.shape[1]))
    larger[: array.shape[0]] = array
    return larger


@kernel
def _factorise_step(J: Array, S: Array, speed: float, terms: LinearTerms, shift: float, M: Array, scratch: Array) -> None:
    """Factors of ``shift`` - (J + what :func:`add_linear_rates` adds per mass), column by column; ``scratch`` is (5, n) or larger."""
    n, sums = S.size, scratch[4]
    for j in range(n):
        sums[j] = shift + S[j] + terms.drag[j] + speed * terms.evaporated[j]  # the columns of J sum to zero
        for i in range(n):
            M[j, i] = -J[i, j]
        M[j, j] += sums[j]
    if speed != 0.0:
        sums[0] += speed * terms.down[0]
        M[0, 0] += speed * terms.down[0]
        for j in range(1, n):
            M[j, j] += speed * terms.down[j]
            M[j, j - 1] -= speed * terms.down[j]
    factorise(M, sums, scratch)


def integrate(
    c0: Array,
    sizes: Array,
    terms: CollisionTerms,
    drivers: Drivers,
    limits: Limits,
    method: RosenbrockMethod,
    *,
    t: float = 0.0,
    mode: int = UNKNOWN,
) -> Trajectory:
    """Integrate collisions and what the drivers do to the mass per bin until ``limits`` end it.

    Parameters
    ----------
    c0 : (n,) kg/m2, mass per bin at the start; or a whole state of a trajectory to go on from
    sizes : (n,) m
    t : s, when it starts
    mode : that of the step before
    """
    # compiled code gives back a plain tuple: to make a NamedTuple it would run Python, where a Ctrl-C waiting meanwhile would crash it
    return Trajectory(*_integrate(c0, sizes, terms, drivers, limits, method, t, mode))


@kernel
def _integrate(
    c0: Array, sizes: Array, terms: CollisionTerms, drivers: Drivers, limits: Limits, method: RosenbrockMethod, t: float, mode: int
) -> tuple[Any, ...]:
    n, stages = sizes.size, method.alpha.size
    feedback, masses = drivers.feedback, n + ENTRIES
    fed_back = feedback.rate > 0.0
    size = masses + 1 if fed_back else masses
    ts, ys = np.empty((128, 1)), np.empty((128, size))
    bends, pieces = np.empty((128, 3 * size)), np.empty((128, 2))
    J, M, scratch = np.empty((n, n)), np.empty((n, n)), np.empty((5, n))
    U, y_new, f0, f_t, entries = np.empty((stages, size)), np.empty(size), np.empty(size), np.empty(size), np.empty(ENTRIES)
    S, S_stage, response, pull, pivot = np.empty(n), np.empty(n), np.empty(n), 0.0, 1.0

    y = np.zeros(size)
    y[: c0.size] = c0
    start = np.sum(y[:masses]) - 2.0 * y[n + SUPPLIED]
    h, accepted_h, accepted_error = 0.0, 0.0, 1.0
    steps, rejected, clamped, ledger_error = 0, 0, 0, 0.0
    tau_weight = tau_per_mass(sizes, terms.masses, limits.f_los)
    tau_max = optical_depth(y, tau_weight)
    stoppable, switching = can_stop(limits), has_modes(drivers)
    rule, linear = drivers.blowout, drivers.linear
    s_blow, log_slope, beyond = blowout_state(drivers, t)
    piece = piece_of(rule, s_blow)
    speed, gated_time, unbound_below = 0.0, 0.0, False
    mode = mode_at(drivers, t, y, tau_weight, mode)
    colliding, supplying, blowing, subliming = gates(drivers, mode)
    ts[0, 0] = t
    ys[0] = y
    outcome, t_final = REACHED_END, limits.t_end
    fresh, wanted, last_rejected, busiest = True, 0.0, False, 0

    while t < limits.t_end:
        if fresh:  # a new point: derivatives there
            s_blow, log_slope, beyond, speed, speed_slope, supply, supply_slope = drive(drivers, t)
            colliding, supplying, blowing, subliming = gates(drivers, mode)
            speed, speed_slope, supply, supply_slope = subliming * speed, subliming * speed_slope, supplying * supply, supplying * supply_slope
            if fed_back:
                factor = math.exp(y[masses])
                supply, supply_slope = factor * supply, factor * supply_slope
                pull = 0.0 if mode & HELD else feedback.rate / feedback.tau_target
                f0[masses], f_t[masses] = pull * (feedback.tau_target - optical_depth(y, tau_weight)), 0.0
            jacobian(y[:n], terms, scratch, J)
            busiest = busiest_bin(y[:n], J)
            mass_rate(y[:n], terms, busiest, scratch, f0[:n])
            if colliding == 0.0:
                J[:] = 0.0
                f0[:n] = 0.0
            set_blowout_rates(rule, piece, s_blow, S)
            if blowing == 0.0:
                S[:] = 0.0
            add_linear_rates(linear, S, speed, 1.0, supply, y[:n], f0[:n])
            unbound_below = blows_below(rule, piece, blowing)
            set_ledger_rates(linear, unbound_below, S, speed, 1.0, supply, y[:n], f0[n:])
            S_stage[:] = 0.0
            if 0 <= piece < n:
                S_stage[piece] = blowing * rule.rate * partial_share_slope(rule, piece, log_slope)
            f_t[:n] = 0.0
            add_linear_rates(linear, S_stage, speed_slope, 0.0, supply_slope, y[:n], f_t[:n])
            set_ledger_rates(linear, unbound_below, S_stage, speed_slope, 0.0, supply_slope, y[:n], f_t[n:])
            if steps == 0 and rejected == 0:
                h = first_step(y[:n], f0[:n], limits)
            fresh = False
        h = min(h, limits.t_end - t)
        t_next = limits.t_end if t + 1.001 * h >= limits.t_end else t + h
        t_kink, t_before, moved = next_kink(drivers, piece, t, t_next)
        if t_kink < t_next:
            wanted = max(wanted, h)
            t_next = t_kink
        h = t_next - t
        if moved != 0 and h <= 1e-12 * t_next + 1e-15 * limits.t_end:  # already there: only the piece changes
            piece += moved
            fresh, h, wanted = True, wanted, 0.0
            continue
        if not h > 1e-15 * t:
            outcome, t_final = STEP_TOO_SMALL, t
            break
        if steps + rejected >= limits.max_steps or limits.alarm[0] != 0:
            outcome, t_final = OUT_OF_TIME if limits.alarm[0] != 0 else TOO_MANY_STEPS, t
            break

        shift = 1.0 / (method.gamma * h)
        _factorise_step(J, S, speed, linear, shift, M, scratch)
        if fed_back:  # one row and one column more, eliminated last
            response[:] = linear.shares
            substitute(M, response)
            pivot = shift + pull * supply * optical_depth(response, tau_weight)
        for i in range(stages):
            b, ledger = U[i, :n], U[i, n:]
            if i == 0:
                U[i] = f0
                y_new[:] = y
            else:
                y_new[:] = y
                for j in range(i):
                    if method.a[i, j] != 0.0:
                        for k in range(size):
                            y_new[k] += method.a[i, j] * U[j, k]
                t_stage = min(t + method.alpha[i] * h, t_before)
                at = drive(drivers, t_stage)
                beyond = beyond or at[2]
                speed_stage, supply_stage = subliming * at[3], supplying * at[5]
                if fed_back:
                    supply_stage *= math.exp(y_new[masses])
                    U[i, masses] = pull * (feedback.tau_target - optical_depth(y_new, tau_weight))
                set_blowout_rates(rule, piece, at[0], S_stage)
                if blowing == 0.0:
                    S_stage[:] = 0.0
                if colliding == 0.0:
                    b[:] = 0.0
                else:
                    mass_rate(y_new[:n], terms, busiest, scratch, b)
                add_linear_rates(linear, S_stage, speed_stage, 1.0, supply_stage, y_new[:n], b)
                set_ledger_rates(linear, unbound_below, S_stage, speed_stage, 1.0, supply_stage, y_new[:n], ledger)
            for j in range(i):
                factor = method.C[i, j] / h
                for k in range(size):
                    U[i, k] += factor * U[j, k]
            if method.g[i] != 0.0:
                for k in range(size):
                    U[i, k] += h * method.g[i] * f_t[k]
            substitute(M, b)
            supplied = 0.0
            if fed_back:
                U[i, masses] = (U[i, masses] - pull * optical_depth(b, tau_weight)) / pivot
                supplied = supply * U[i, masses]
                for k in range(n):
                    b[k] += supplied * response[k]
            set_ledger_rates(linear, unbound_below, S, speed, 1.0, supplied, b, entries)
            for k in range(ENTRIES):
                ledger[k] = (ledger[k] + entries[k]) / shift
        for k in range(size):
            y_new[k] += U[stages - 1, k]
        error = error_norm(y, y_new, U[stages - 1], masses, limits)

        factor = min(6.0, max(0.2, 0.9 * error ** (-1.0 / method.order))) if error > 0.0 else 6.0
        if not error <= 1.0:
            rejected += 1
            last_rejected = True
            h *= factor if math.isfinite(error) else 0.1
            continue
        removed = remove_negatives(y_new, n, n * limits.atol)
        if removed < 0:
            rejected += 1
            last_rejected = True
            h *= 0.5
            continue
        if steps + 2 > ts.shape[0]:
            ts, ys, bends, pieces = _doubled(ts), _doubled(ys), _doubled(bends), _doubled(pieces)
        bend = bends[steps].reshape((3, size))
        for i in range(3):
            for k in range(size):
                bend[i, k] = 0.0
            for j in range(stages):
                for k in range(size):
                    bend[i, k] += method.D[i, j] * U[j, k]
        next_mode = mode
        if switching:
            next_mode, x = locate_mode(drivers, mode, t, h, (y, y_new, bend), tau_weight, U[0])
            close = max(MODE_TOLERANCE, 1e-15 * t / h)
            if next_mode != mode and x < 1.0 - close:  # the step must end where the mode changes
                rejected += 1
                if x <= close:  # it changes here
                    mode, fresh = next_mode, True
                    h *= 0.1 if fed_back else 1.0  # an optical depth that only just touches its target must not switch for ever
                else:
                    wanted, h = max(wanted, h), x * h
                continue

        clamped += removed + (1 if beyond else 0)
        if mode & PHASES != SOLID:
            gated_time += h
        if steps > 0 and error > 0.0:  # the predictive controller of Gustafsson (1994): fewer rejections where the error keeps growing
            factor = min(factor, max(0.2, 0.9 * (h / accepted_h) * (accepted_error / (error * error)) ** (1.0 / method.order)))
        if last_rejected:
            factor = min(factor, 1.0)
        accepted_h, accepted_error, last_rejected = h, max(error, 1e-2), False

        if fed_back:
            y_new[masses] = min(max(y_new[masses], feedback.ln_floor), feedback.ln_cap)
        ts[steps + 1, 0] = t_next
        ys[steps + 1] = y_new
        pieces[steps, 0], pieces[steps, 1] = piece, mode
        steps += 1

        supplied = y_new[n + SUPPLIED]
        ledger_error = max(ledger_error, abs(np.sum(y_new[:masses]) - 2.0 * supplied - start) / (start + supplied))
        if stoppable:
            outcome, x = locate_stop(drivers, limits, piece, mode, t, h, (y, y_new, bend), tau_weight, U[0], S_stage, entries)
            if outcome != REACHED_END:
                t_final = t + x * h
                tau_max = limits.tau_stop if outcome == TAU_STOP else max(tau_max, optical_depth(U[0, :n], tau_weight))
                break
        tau_max = max(tau_max, optical_depth(y_new, tau_weight))
        y[:] = y_new
        t = t_next
        piece += moved
        mode = next_mode
        h = max(h * factor, wanted)
        wanted, fresh = 0.0, True

    return (
        outcome,
        t_final,
        n,
        ts[: steps + 1, 0].copy(),
        ys[: steps + 1],
        bends[:steps].reshape((steps, 3, size)),
        pieces[:steps, 0].copy(),
        pieces[:steps, 1].copy(),
        steps,
        rejected,
        clamped,
        ledger_error,
        tau_max,
        gated_time,
    )
