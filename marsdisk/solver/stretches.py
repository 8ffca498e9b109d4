"""Integration while collisions damp e and i: in stretches of time, over each of which the grains' speed and scale height are held.

Both follow one number q, 1 at the start and 0 at equilibrium: d ln q/dt = -epsilon^2 L, with the
gross collision rate L of the largest bodies. What is held over a stretch is the mean of q over it,
foreseen from L at its begin: a method of second order.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from ..physics.collide import rate_coefficient
from ..physics.dynamics import Motion
from ..physics.grid import Array
from ..physics.phase import LIQUID, UNKNOWN
from .control import Limits
from .drivers import PHASES
from .events import OUT_OF_TIME, REACHED_END, STEP_TOO_SMALL, TOO_MANY_STEPS
from .instants import end_of_step
from .sample import hit_rate, hits_until
from .trajectory import Trajectory

# of the time since the start: a stretch is no shorter, as nobody can tell at which speed grains
# moved in it
SHORTEST = 1e-9


class Stretch(NamedTuple):
    """One stretch of a run."""

    path: Trajectory
    motion: Motion  #: held over it


class Damping(NamedTuple):
    """How q falls, and what follows from it."""

    strength: float  #: epsilon^2
    area: Array  #: (n, n) m2, pi (s_i + s_j)^2
    masses: Array  #: (n,) kg
    motion_at: Callable[[float], Motion]  #: e, speed and scale height at q

    def hits(self, motion: Motion) -> Array:
        """Collisions of a body of bin i with grains of bin j, per time and per mass of these, (n, n) [m2/(s kg)]."""
        hits: Array = rate_coefficient(self.area, motion.H, motion.v_rel) / self.masses
        return hits

    def exponent(self, stretch: Stretch, times: Array) -> Array:
        """By how much -ln q grows from the begin of a stretch to increasing ``times`` [s] in it."""
        grown: Array = self.strength * hits_until(stretch.path, self.hits(stretch.motion), times)
        return grown

    def q(self, stretches: Sequence[Stretch], times: Array) -> Array:
        """q at increasing ``times`` [s] of a run."""
        exponent = np.empty(times.size)
        total = 0.0
        first = 0
        for stretch in stretches:
            last = int(np.searchsorted(times, stretch.path.t_final, side="right"))
            grown = self.exponent(stretch, np.append(times[first:last], stretch.path.t_final))
            exponent[first:last] = total + grown[:-1]
            total = total + float(grown[-1])
            first = last
        exponent[first:] = total
        result: Array = np.exp(-exponent)
        return result

    def change(self, q: float, q_other: float) -> float:
        """How far apart ln v_rel is."""
        return abs(math.log(self.motion_at(q_other).v_rel / self.motion_at(q).v_rel))


def _mean(x: float) -> float:
    """Mean of exp(-x') for x' from 0 to ``x``."""
    return -math.expm1(-x) / x if x > 0.0 else 1.0


def integrate_stretches(
    c0: Array,
    damping: Damping,
    limits: Limits,
    solve: Callable[[Motion, Array, Limits, float, int, int], Trajectory],
    *,
    tolerance: float,
) -> list[Stretch]:
    """Integrate from t = 0 until ``limits`` end it.

    A stretch is made again, shorter, when (change of ln v_rel over it) min(x, 1) + 2 (error of the
    ln v_rel that was held) exceeds ``tolerance``; x is the exponent by which q has fallen. Both
    terms go as the square of its length; together they bound the relative error of v_rel^2 over the
    stretch. The last stretch begins where all that is left of the change is a third of that.

    Parameters
    ----------
    c0 : (n,) kg/m2
    solve : the integrator, given the motion to hold, a state (n, or n+4 and more), limits, and to go on from the time [s], the mode
        and what has been above its stop
    """
    n = c0.size
    t = 0.0
    q = 1.0
    y = c0
    mode = UNKNOWN
    made = 0
    dropped = 0
    stretches: list[Stretch] = []
    # aimed at the instant at which collisions set in
    above = 0
    aimed = False

    def rate() -> float:
        return (
            0.0
            if mode & PHASES == LIQUID
            else damping.strength * hit_rate(y[:n], damping.hits(damping.motion_at(q)))
        )

    expected = rate()
    h = math.inf
    if expected > 0.0:
        h = math.sqrt(tolerance) / expected
    while True:
        if 3.0 * damping.change(q, 0.0) <= tolerance:
            h = math.inf
        h = max(h, SHORTEST * t)
        end = end_of_step(t, h, limits.t_end, aimed)
        q_held = q * _mean(expected * (end - t))
        motion = damping.motion_at(q_held)
        stretch = Stretch(
            solve(
                motion,
                y,
                limits._replace(t_end=end, max_steps=limits.max_steps - made),
                t,
                mode,
                above,
            ),
            motion,
        )
        steps = stretch.path.accepted + stretch.path.rejected
        stretch = stretch._replace(
            path=stretch.path._replace(rejected=stretch.path.rejected + dropped)
        )
        path = stretch.path
        made = made + steps
        if path.outcome in {TOO_MANY_STEPS, STEP_TOO_SMALL, OUT_OF_TIME}:
            return [*stretches, stretch]
        fallen = float(damping.exponent(stretch, np.array([path.t_final]))[0])
        span = path.t_final - t
        error = damping.change(q, q * math.exp(-fallen)) * min(fallen, 1.0) + 2.0 * damping.change(
            q_held, q * _mean(fallen)
        )
        h = span * (min(max(0.9 * math.sqrt(tolerance / error), 0.1), 5.0) if error > 0.0 else 5.0)
        if error > tolerance and span > 2.0 * SHORTEST * t:
            # steps made before collisions set in
            at_rest = int(np.argmax(path.mode.astype(np.int64) & PHASES != LIQUID))
            expected, h = (
                (0.0, (1.0 - 1e-12) * (path.t[at_rest] - t))
                if at_rest
                else (fallen / span, min(h, span / max(fallen, 1.0)))
            )
            aimed = at_rest > 0
            dropped += steps
            continue
        stretches.append(stretch)
        dropped = 0
        aimed = False
        if path.outcome != REACHED_END or end == limits.t_end:
            return stretches
        t = end
        q = q * math.exp(-fallen)
        y = path.y[-1]
        mode = int(path.mode[-1])
        above = path.above
        expected = rate()
