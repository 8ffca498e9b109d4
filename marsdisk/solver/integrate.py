"""The integrator: a linearly implicit method with error control over the whole length of a run.

The ledger is integrated along with the bins, as extra components of the state that the same stages
fill, so that sum c + losses - supplied is conserved to round-off. The factor of a feedback on the
supply is one more component, its logarithm. Steps land on the kinks of the drivers; stop events are
located on the dense output. :mod:`.instants` decides which instants need a step to reach them.
"""

import math
from typing import Any

import numpy as np

from .._jit import inlined_kernel, kernel
from ..physics.grid import Array
from ..physics.opacity import tau_los
from ..physics.phase import SOLID, UNKNOWN
from ..physics.temperature import temperature_and_slope
from .control import Limits, first_step
from .drivers import (
    ENTRIES,
    PHASES,
    SUPPLIED,
    Drivers,
    blowout_state,
    has_modes,
    mode_at,
    next_kink,
    piece_of,
)
from .eights import copy
from .events import (
    OUT_OF_TIME,
    REACHED_END,
    STEP_TOO_SMALL,
    TAU_STOP,
    TOO_MANY_STEPS,
    can_stop,
    locate_mode,
    locate_stop,
)
from .instants import end_of_step, is_here, margin
from .methods import RosenbrockMethod
from .netform import CollisionTerms
from .step import make_step, pack, room_for, take_derivatives
from .trajectory import Trajectory

# Bounds of the factor by which the step changes, and the safety in it.
MIN_FACTOR = 0.2
MAX_FACTOR = 6.0
SAFETY = 0.9


@kernel
def _doubled(array: Array) -> Array:
    """Return a copy with room for twice as many rows."""
    larger = np.empty((2 * array.shape[0], array.shape[1]))
    larger[: array.shape[0]] = array
    return larger


@inlined_kernel
def _sum(y: Array, count: int) -> float:
    """Return the sum of the first ``count`` components, in their order."""
    total = 0.0
    for k in range(count):
        total += y[k]
    return total


def integrate(
    c0: Array,
    terms: CollisionTerms,
    drivers: Drivers,
    limits: Limits,
    method: RosenbrockMethod,
    *,
    t: float = 0.0,
    mode: int = UNKNOWN,
    above: int = 0,
) -> Trajectory:
    """Integrate the mass per bin until ``limits`` end it.

    Parameters
    ----------
    c0 : array
        Mass per area in each bin at the start [kg/m2], (n,); or a whole state of a trajectory from
        which to continue.
    terms : CollisionTerms
        Collisions in net form.
    drivers : Drivers
        Everything outside the disk.
    limits : Limits
        When to end, and the accuracy.
    method : RosenbrockMethod
        Integration method.
    t : float, optional
        Time at the start [s].
    mode : int, optional
        Mode of the step before.
    above : int, optional
        Bits of those of s_blow and the loss rate that have been above their stops before.
    """
    # compiled code returns a plain tuple: to make a NamedTuple it would run Python, where a pending
    # Ctrl-C would crash it
    return Trajectory(*_integrate(c0, terms, drivers, limits, method, t, mode, above))


# One loop on purpose: a call copies all structures that it is given, with all their arrays.
@kernel
def _integrate(  # noqa: C901, PLR0912 - see above
    c0: Array,
    terms: CollisionTerms,
    drivers: Drivers,
    limits: Limits,
    method: RosenbrockMethod,
    t: float,
    mode: int,
    above: int,
) -> tuple[Any, ...]:
    n = drivers.linear.drag.size
    feedback = drivers.feedback
    opacity = drivers.opacity
    fed_back = feedback.rate > 0.0
    size = n + ENTRIES + 1 if fed_back else n + ENTRIES
    ts = np.empty((64, 1))
    ys = np.empty((64, size))
    bends = np.empty((64, 3 * size))
    pieces = np.empty((64, 2))
    room = room_for(n, method.alpha.size)
    state = np.empty(size)
    y = room.y.flat
    y_new = room.y_new.flat
    ledger = y.size - 8
    masses = ledger + ENTRIES
    y[:n] = c0[:n]
    y[ledger : ledger + c0.size - n] = c0[n:]
    start = _sum(y, masses) - 2.0 * y[ledger + SUPPLIED]
    accepted_h = 0.0
    accepted_error = 1.0
    steps = 0
    rejected = 0
    beyond_qpr = 0
    repaired = 0
    ledger_error = 0.0
    tau_max = tau_los(opacity, temperature_and_slope(drivers.temperature, t)[0], y)
    stoppable = can_stop(limits)
    switching = has_modes(drivers)
    piece = piece_of(drivers.blowout, blowout_state(drivers, t)[0])
    gated_time = 0.0
    pack(y, n, ys[0])
    mode = mode_at(drivers, t, ys[0], mode)
    ts[0, 0] = t
    outcome = REACHED_END
    t_final = limits.t_end
    new_point = False
    # length of the step that was cut short to land on an instant
    h_wanted = 0.0
    last_rejected = False
    # whether the step goes to a change of mode that an earlier trial has found
    aimed = False

    point = take_derivatives(terms, drivers, piece, mode, t, room)
    h = first_step(y[:n], room.f.flat[:n], limits)
    while t < limits.t_end:
        if new_point:
            point = take_derivatives(terms, drivers, piece, mode, t, room)
            new_point = False
        h = min(h, limits.t_end - t)
        t_next = end_of_step(t, h, limits.t_end, aimed)
        aimed = False
        t_kink, t_before, moved = next_kink(drivers, piece, t, t_next)
        to_instant = t_before < t_kink or t_next == limits.t_end
        if t_kink < t_next:
            h_wanted = max(h_wanted, h)
            t_next = t_kink
        if to_instant and is_here(t, t_next):
            # the piece, not the time, tells on which side of an edge s_blow is
            if moved == 0:
                t = t_next
                ts[steps, 0] = t
            piece += moved
            new_point = True
            h = max(h, h_wanted)
            h_wanted = 0.0
            continue
        h = t_next - t
        if not h > 1e-15 * t:
            outcome = STEP_TOO_SMALL
            t_final = t
            break
        if steps + rejected >= limits.max_steps or limits.alarm[0] != 0:
            outcome = TOO_MANY_STEPS
            if limits.alarm[0] != 0:
                outcome = OUT_OF_TIME
            t_final = t
            break

        if steps + 2 > ts.shape[0]:
            ts = _doubled(ts)
            ys = _doubled(ys)
            bends = _doubled(bends)
            pieces = _doubled(pieces)
        dense = ys[steps], ys[steps + 1], bends[steps].reshape((3, size))
        span = t, h, t_before
        error, removed, clamped_here = make_step(
            terms, drivers, method, point, piece, span, limits, room, dense[1], dense[2]
        )
        factor = MAX_FACTOR
        if error > 0.0:
            factor = min(MAX_FACTOR, max(MIN_FACTOR, SAFETY * error ** (-1.0 / method.order)))
        if not error <= 1.0:
            rejected += 1
            last_rejected = True
            h *= factor if math.isfinite(error) else 0.1
            continue
        if removed < 0:
            rejected += 1
            last_rejected = True
            h *= 0.5
            continue
        next_mode = mode
        if switching:
            next_mode, x = locate_mode(drivers, mode, t, h, dense, state)
            close = margin(t, h)
            if next_mode != mode and x < 1.0 - close:
                # the step must end where the mode changes
                rejected += 1
                if x <= close:
                    # which is at its begin
                    mode = next_mode
                    new_point = True
                    if fed_back:
                        # an optical depth that just touches its target must not switch for ever
                        h *= 0.1
                else:
                    h_wanted = max(h_wanted, h)
                    h = x * h
                    aimed = True
                continue

        repaired += removed
        if point.clamped or clamped_here:
            beyond_qpr += 1
        if mode & PHASES != SOLID:
            gated_time += h
        # the predictive controller of Gustafsson (1994): fewer rejections where the error keeps
        # growing
        if steps > 0 and error > 0.0:
            growth = (accepted_error / (error * error)) ** (1.0 / method.order)
            factor = min(factor, max(MIN_FACTOR, SAFETY * (h / accepted_h) * growth))
        if last_rejected:
            factor = min(factor, 1.0)
        accepted_h = h
        accepted_error = max(error, 1e-2)
        last_rejected = False

        if fed_back:
            y_new[masses] = min(max(y_new[masses], feedback.ln_floor), feedback.ln_cap)
            ys[steps + 1, n + ENTRIES] = y_new[masses]
        ts[steps + 1, 0] = t_next
        pieces[steps, 0] = piece
        pieces[steps, 1] = mode
        steps += 1

        supplied = y_new[ledger + SUPPLIED]
        surplus = abs(_sum(y_new, masses) - 2.0 * supplied - start) / (start + supplied)
        ledger_error = max(ledger_error, surplus)
        if stoppable:
            scratch = state, room.S_stage, room.entries
            outcome, x, above = locate_stop(
                drivers, limits, piece, mode, t, h, dense, scratch, above
            )
            if outcome != REACHED_END:
                t_final = t + x * h
                if outcome == TAU_STOP:
                    tau_max = limits.tau_stop
                else:
                    T = temperature_and_slope(drivers.temperature, t_final)[0]
                    tau_max = max(tau_max, tau_los(opacity, T, state))
                break
        T = temperature_and_slope(drivers.temperature, t_next)[0]
        tau_max = max(tau_max, tau_los(opacity, T, y_new))
        copy(room.y.eights, room.y_new.eights)
        t = t_next
        piece += moved
        mode = next_mode
        h = max(h * factor, h_wanted)
        h_wanted = 0.0
        new_point = True

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
        beyond_qpr,
        repaired,
        ledger_error,
        tau_max,
        gated_time,
        above,
    )
