"""The integrator: a linearly implicit method with error control over the whole length of a run.

One ledger runs along as an extra component, lost' = sum_k S_k c_k, by the same stages, so that
sum c + lost - supplied is conserved to round-off. Driver kinks are landed on; stop events are located on the dense output.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from .._jit import kernel
from ..physics.grid import Array
from .drivers import (
    Drivers,
    blowout_state,
    next_kink,
    partial_share,
    partial_share_slope,
    piece_of,
    set_blowout_rates,
)
from .linear import factorise, substitute
from .methods import RosenbrockMethod
from .netform import CollisionTerms, busiest_bin, jacobian, mass_rate, optical_depth, tau_per_mass

REACHED_END, TAU_STOP, TOO_MANY_STEPS, STEP_TOO_SMALL = range(4)


class Limits(NamedTuple):
    """How long and how exactly to integrate."""

    t_end: float  #: s
    rtol: float
    atol: float  #: kg/m2 per bin
    max_steps: int
    tau_stop: float  #: infinity runs on
    f_los: float


class Trajectory(NamedTuple):
    """Accepted steps, with what the dense output needs. Component n is the mass lost [kg/m2]."""

    outcome: int
    t_final: float  #: s
    t: Array  #: (steps+1,) s
    y: Array  #: (steps+1, n+1) kg/m2
    p: Array  #: (steps, n+1)
    q: Array  #: (steps, n+1)
    piece: Array  #: (steps,) bin of s_blow during the step
    accepted: int  #: steps made, which for the classic scheme are shorter than those kept
    rejected: int
    clamped: int
    ledger_error: float  #: largest |sum c + lost - start - supplied| / (start + supplied)
    tau_max: float


@kernel
def interpolate(y0: Array, y1: Array, p: Array, q: Array, x: float, out: Array) -> None:
    """State at fraction ``x`` of a step by the method's dense output; what a bin lacks to zero is taken from the fullest."""
    n, lacking, fullest = y0.size - 1, 0.0, 0
    for k in range(n + 1):
        out[k] = (1.0 - x) * y0[k] + x * (y1[k] + (1.0 - x) * (p[k] + x * q[k]))
    for k in range(n):
        if out[k] < 0.0:
            lacking -= out[k]
            out[k] = 0.0
        if out[k] > out[fullest]:
            fullest = k
    out[fullest] -= lacking
    if out[fullest] < 0.0:  # a useless polynomial: the chord is positive
        for k in range(n + 1):
            out[k] = (1.0 - x) * y0[k] + x * y1[k]


@kernel
def _doubled(array: Array) -> Array:
    larger = np.empty((2 * array.shape[0], array.shape[1]))
    larger[: array.shape[0]] = array
    return larger


@kernel
def _factorise_step(J: Array, S: Array, shift: float, M: Array, scratch: Array) -> None:
    """Factors of ``shift`` - (J - diag S), column by column; ``scratch`` is (5, n) or larger."""
    n, sums = S.size, scratch[4]
    for j in range(n):
        sums[j] = shift + S[j]  # the columns of J sum to zero
        for i in range(n):
            M[j, i] = -J[i, j]
        M[j, j] += sums[j]
    factorise(M, sums, scratch)


@kernel
def _error_norm(y: Array, y_new: Array, error: Array, limits: Limits) -> float:
    total = 0.0
    for k in range(y.size):
        total += (error[k] / (limits.atol + limits.rtol * max(abs(y[k]), abs(y_new[k])))) ** 2
    return math.sqrt(total / y.size)


@kernel
def _remove_negatives(y: Array, n: int, allowed: float) -> int:
    """Set negative bins to zero at the cost of the others, total kept: how many, or -1 if they hold more than ``allowed``."""
    negative, positive, count = 0.0, 0.0, 0
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


@kernel
def _first_step(y: Array, f: Array, limits: Limits) -> float:
    """A hundredth of the time on which the weighted state changes (Hairer, Norsett & Wanner 1993, II.4)."""
    size, speed = 0.0, 0.0
    for k in range(f.size):
        weight = limits.atol + limits.rtol * abs(y[k])
        size += (y[k] / weight) ** 2
        speed += (f[k] / weight) ** 2
    return 0.01 * math.sqrt(size / speed) if size > 0.0 and speed > 0.0 else 1e-6 * limits.t_end


@kernel
def _locate_tau(y0: Array, y1: Array, p: Array, q: Array, tau_weight: Array, tau_stop: float, out: Array) -> float:
    """Fraction of the step at which tau first exceeds tau_stop, looked for at eighths of the step; 2 if it does not."""
    before = 0.0
    for eighth in range(1, 9):
        interpolate(y0, y1, p, q, eighth / 8.0, out)
        if optical_depth(out, tau_weight) > tau_stop:
            low, high = before, eighth / 8.0
            while high - low > 1e-14:
                middle = 0.5 * (low + high)
                interpolate(y0, y1, p, q, middle, out)
                if optical_depth(out, tau_weight) > tau_stop:
                    high = middle
                else:
                    low = middle
            return high
        before = eighth / 8.0
    return 2.0


def integrate(c0: Array, sizes: Array, terms: CollisionTerms, drivers: Drivers, limits: Limits, method: RosenbrockMethod) -> Trajectory:
    """Integrate c' = collisions(c) + supply - S(t) c from t = 0 until ``limits`` end it.

    Parameters
    ----------
    c0 : (n,) kg/m2, mass per bin at the start
    sizes : (n,) m
    """
    # compiled code gives back a plain tuple: to make a NamedTuple it would run Python, where a Ctrl-C waiting meanwhile would crash it
    return Trajectory(*_integrate(c0, sizes, terms, drivers, limits, method))


@kernel
def _integrate(c0: Array, sizes: Array, terms: CollisionTerms, drivers: Drivers, limits: Limits, method: RosenbrockMethod) -> tuple[Any, ...]:
    n, stages = c0.size, method.alpha.size
    ts, ys = np.empty((64, 1)), np.empty((64, n + 1))
    ps, qs, pieces = np.empty((64, n + 1)), np.empty((64, n + 1)), np.empty((64, 1))
    J, M, scratch = np.empty((n, n)), np.empty((n, n)), np.empty((n + 4, n))
    U, y_new, f0, S, S_stage = np.empty((stages, n + 1)), np.empty(n + 1), np.empty(n), np.empty(n), np.empty(n)

    y = np.zeros(n + 1)
    y[:n] = c0
    start, supply = np.sum(c0), np.sum(drivers.supply)
    t, h, accepted_h, accepted_error = 0.0, 0.0, 0.0, 1.0
    steps, rejected, clamped, ledger_error = 0, 0, 0, 0.0
    tau_weight = tau_per_mass(sizes, terms.masses, limits.f_los)
    tau_max = optical_depth(c0, tau_weight)
    s_blow, log_slope, beyond = blowout_state(drivers, 0.0)
    piece = piece_of(drivers, s_blow)
    ts[0, 0] = 0.0
    ys[0] = y
    outcome, t_final = REACHED_END, limits.t_end
    fresh, wanted, last_rejected, busiest = True, 0.0, False, 0

    while t < limits.t_end:
        if fresh:  # a new point: derivatives there
            s_blow, log_slope, beyond = blowout_state(drivers, t)
            share = partial_share(drivers, piece, s_blow)
            share_slope = partial_share_slope(drivers, piece, log_slope)
            set_blowout_rates(drivers, piece, share, S)
            jacobian(y[:n], terms, scratch, J)
            busiest = busiest_bin(y[:n], J)
            mass_rate(y[:n], terms, busiest, scratch, f0)
            for k in range(n):
                f0[k] += drivers.supply[k] - S[k] * y[k]
            if steps == 0 and rejected == 0:
                h = _first_step(y, f0, limits)
            fresh = False
        h = min(h, limits.t_end - t)
        t_next = limits.t_end if t + 1.001 * h >= limits.t_end else t + h
        t_kink, moved = next_kink(drivers, piece, t, t_next)
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
        if steps + rejected >= limits.max_steps:
            outcome, t_final = TOO_MANY_STEPS, t
            break

        shift = 1.0 / (method.gamma * h)
        _factorise_step(J, S, shift, M, scratch)
        drift = share_slope * drivers.blowout_rate * y[piece] if 0 <= piece < n else 0.0
        for i in range(stages):
            b = U[i, :n]
            if i == 0:
                b[:] = f0
                y_new[:] = y
                S_stage[:] = S
            else:
                y_new[:] = y
                for j in range(i):
                    if method.a[i, j] != 0.0:
                        for k in range(n + 1):
                            y_new[k] += method.a[i, j] * U[j, k]
                at = blowout_state(drivers, t + method.alpha[i] * h)
                beyond = beyond or at[2]
                set_blowout_rates(drivers, piece, partial_share(drivers, piece, at[0]), S_stage)
                mass_rate(y_new[:n], terms, busiest, scratch, b)
                for k in range(n):
                    b[k] += drivers.supply[k] - S_stage[k] * y_new[k]
            lost = 0.0
            for k in range(n):
                lost += S_stage[k] * y_new[k]
            for j in range(i):
                factor = method.C[i, j] / h
                for k in range(n):
                    b[k] += factor * U[j, k]
                lost += factor * U[j, n]
            if drift != 0.0:
                b[piece] -= h * method.g[i] * drift
                lost += h * method.g[i] * drift
            substitute(M, b)
            for k in range(n):
                lost += S[k] * b[k]
            U[i, n] = lost / shift
        for k in range(n + 1):
            y_new[k] += U[stages - 1, k]
        error = _error_norm(y, y_new, U[stages - 1], limits)

        factor = min(6.0, max(0.2, 0.9 * error**-0.25)) if error > 0.0 else 6.0
        if not error <= 1.0:
            rejected += 1
            last_rejected = True
            h *= factor if math.isfinite(error) else 0.1
            continue
        removed = _remove_negatives(y_new, n, n * limits.atol)
        if removed < 0:
            rejected += 1
            last_rejected = True
            h *= 0.5
            continue
        clamped += removed + (1 if beyond else 0)

        if steps > 0:  # the predictive controller of Gustafsson (1994): fewer rejections where the error keeps growing
            factor = min(factor, max(0.2, 0.9 * (h / accepted_h) * (accepted_error / (error * error)) ** 0.25)) if error > 0.0 else factor
        if last_rejected:
            factor = min(factor, 1.0)
        accepted_h, accepted_error, last_rejected = h, max(error, 1e-2), False

        if steps + 2 > ts.shape[0]:
            ts, ys, ps, qs, pieces = _doubled(ts), _doubled(ys), _doubled(ps), _doubled(qs), _doubled(pieces)
        for k in range(n + 1):
            p, q = 0.0, 0.0
            for j in range(stages - 1):
                p += method.D[0, j] * U[j, k]
                q += method.D[1, j] * U[j, k]
            ps[steps, k], qs[steps, k] = p, q
        ts[steps + 1, 0] = t_next
        ys[steps + 1] = y_new
        pieces[steps, 0] = piece
        steps += 1

        supplied = supply * t_next
        ledger_error = max(ledger_error, abs(np.sum(y_new) - start - supplied) / (start + supplied))
        if limits.tau_stop < math.inf:
            x = _locate_tau(y, y_new, ps[steps - 1], qs[steps - 1], tau_weight, limits.tau_stop, U[0])
            if x <= 1.0:
                outcome, t_final = TAU_STOP, t + x * h
                tau_max = limits.tau_stop
                break
        tau_max = max(tau_max, optical_depth(y_new, tau_weight))
        y[:] = y_new
        t = t_next
        piece += moved
        h = max(h * factor, wanted)
        wanted, fresh = 0.0, True

    return (
        outcome,
        t_final,
        ts[: steps + 1, 0].copy(),
        ys[: steps + 1].copy(),
        ps[:steps].copy(),
        qs[:steps].copy(),
        pieces[:steps, 0].copy(),
        steps,
        rejected,
        clamped,
        ledger_error,
        tau_max,
    )
