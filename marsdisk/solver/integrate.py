"""The integrator: a linearly implicit method with error control over the whole length of a run.

The ledger runs along as extra components of the state, filled by the same stages as the bins, so
that sum c + losses - supplied is conserved to round-off. The factor of a feedback on the supply is
one more component, its logarithm. Kinks of the drivers are landed on; stop events are located on
the dense output. What must be landed on and what is here already is decided in :mod:`.instants`.
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


@kernel
def _doubled(array: Array) -> Array:
    larger = np.empty((2 * array.shape[0], array.shape[1]))
    larger[: array.shape[0]] = array
    return larger


@inlined_kernel
def _sum(y: Array, count: int) -> float:
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
    """Integrate collisions and what the drivers do to the mass per bin until ``limits`` end it.

    Parameters
    ----------
    c0 : (n,) kg/m2, mass per bin at the start; or a whole state of a trajectory to go on from
    t : s, when it starts
    mode : that of the step before
    above : which of s_blow and the loss rate have been above their stops before
    """
    # compiled code gives back a plain tuple: to make a NamedTuple it would run Python, where a
    # Ctrl-C waiting meanwhile would crash it
    return Trajectory(*_integrate(c0, terms, drivers, limits, method, t, mode, above))


@kernel
def _integrate(
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
    y[:n], y[ledger : ledger + c0.size - n] = c0[:n], c0[n:]
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
    fresh = False
    wanted = 0.0
    last_rejected = False
    aimed = False  # whether the step is made to a change of mode that an earlier trial has found

    point = take_derivatives(terms, drivers, piece, mode, t, room)
    h = first_step(y[:n], room.f.flat[:n], limits)
    while t < limits.t_end:
        if fresh:  # a new point
            point = take_derivatives(terms, drivers, piece, mode, t, room)
            fresh = False
        h = min(h, limits.t_end - t)
        t_next = end_of_step(t, h, limits.t_end, aimed)
        aimed = False
        t_kink, t_before, moved = next_kink(drivers, piece, t, t_next)
        to_instant = t_before < t_kink or t_next == limits.t_end
        if t_kink < t_next:
            wanted = max(wanted, h)
            t_next = t_kink
        if to_instant and is_here(t, t_next):
            # which side of an edge s_blow is on is said by the piece, not by the time
            if moved == 0:
                t = t_next
                ts[steps, 0] = t
            piece += moved
            fresh = True
            h = max(h, wanted)
            wanted = 0.0
            continue
        h = t_next - t
        if not h > 1e-15 * t:
            outcome = STEP_TOO_SMALL
            t_final = t
            break
        if steps + rejected >= limits.max_steps or limits.alarm[0] != 0:
            outcome = OUT_OF_TIME if limits.alarm[0] != 0 else TOO_MANY_STEPS
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
        factor = min(6.0, max(0.2, 0.9 * error ** (-1.0 / method.order))) if error > 0.0 else 6.0
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
            if next_mode != mode and x < 1.0 - close:  # the step must end where the mode changes
                rejected += 1
                if x <= close:  # it changes here
                    mode = next_mode
                    fresh = True
                    # an optical depth that only just touches its target must not switch for ever
                    h *= 0.1 if fed_back else 1.0
                else:
                    wanted = max(wanted, h)
                    h = x * h
                    aimed = True
                continue

        repaired += removed
        beyond_qpr += 1 if point.clamped or clamped_here else 0
        if mode & PHASES != SOLID:
            gated_time += h
        # the predictive controller of Gustafsson (1994): fewer rejections where the error keeps
        # growing
        if steps > 0 and error > 0.0:
            factor = min(
                factor,
                max(
                    0.2,
                    0.9
                    * (h / accepted_h)
                    * (accepted_error / (error * error)) ** (1.0 / method.order),
                ),
            )
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
        ledger_error = max(
            ledger_error, abs(_sum(y_new, masses) - 2.0 * supplied - start) / (start + supplied)
        )
        if stoppable:
            scratch = state, room.S_stage, room.entries
            outcome, x, above = locate_stop(
                drivers, limits, piece, mode, t, h, dense, scratch, above
            )
            if outcome != REACHED_END:
                t_final = t + x * h
                T = temperature_and_slope(drivers.temperature, t_final)[0]
                tau_max = (
                    limits.tau_stop
                    if outcome == TAU_STOP
                    else max(tau_max, tau_los(opacity, T, state))
                )
                break
        tau_max = max(
            tau_max, tau_los(opacity, temperature_and_slope(drivers.temperature, t_next)[0], y_new)
        )
        copy(room.y.eights, room.y_new.eights)
        t = t_next
        piece += moved
        mode = next_mode
        h = max(h * factor, wanted)
        wanted = 0.0
        fresh = True

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
