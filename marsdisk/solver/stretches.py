"""Integration while collisions damp e and i, in stretches of time.

Over each stretch the grains' speed and scale height are constant. Both follow one number q, 1 at
the start and 0 at equilibrium: d ln q/dt = -epsilon^2 L, with the gross collision rate L of the
largest bodies. The constants of a stretch are those of the mean of q over it, predicted from L at
its begin: a method of second order.
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

# Least length of a stretch over the time since the start; in a shorter one the speed of the grains
# makes no difference.
MIN_FRACTION = 1e-9
# Bounds of the factor by which the length of stretches changes, and the safety in it.
MIN_FACTOR = 0.1
MAX_FACTOR = 5.0
SAFETY = 0.9


class Stretch(NamedTuple):
    """One stretch of a run."""

    path: Trajectory
    motion: Motion  #: constant over it


class Damping(NamedTuple):
    """How q falls, and how grains move at q."""

    strength: float  #: epsilon^2
    area: Array  #: (n, n) m2, pi (s_i + s_j)^2
    masses: Array  #: (n,) kg
    motion_at: Callable[[float], Motion]  #: e, speed and scale height at q

    def hits(self, motion: Motion) -> Array:
        """Return collisions of a body of bin i per time and per mass of grains of bin j, (n, n).

        In m2/(s kg).
        """
        hits: Array = rate_coefficient(self.area, motion.H, motion.v_rel) / self.masses
        return hits

    def exponent(self, stretch: Stretch, times: Array) -> Array:
        """Return the growth of -ln q from the begin of a stretch to ``times`` [s] in it."""
        hits = self.hits(stretch.motion)
        growth: Array = self.strength * hits_until(stretch.path, hits, times)
        return growth

    def q(self, stretches: Sequence[Stretch], times: Array) -> Array:
        """Return q at increasing ``times`` [s] of a run."""
        exponent = np.empty(times.size)
        total = 0.0
        first = 0
        for stretch in stretches:
            last = int(np.searchsorted(times, stretch.path.t_final, side="right"))
            growth = self.exponent(stretch, np.append(times[first:last], stretch.path.t_final))
            exponent[first:last] = total + growth[:-1]
            total = total + float(growth[-1])
            first = last
        exponent[first:] = total
        result: Array = np.exp(-exponent)
        return result

    def change(self, q: float, q_later: float) -> float:
        """Return the absolute change of ln v_rel between two values of q."""
        return abs(math.log(self.motion_at(q_later).v_rel / self.motion_at(q).v_rel))


def _mean(x: float) -> float:
    """Return the mean of exp(-x') for x' from 0 to ``x``."""
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

    A stretch is repeated, shorter, when (change of ln v_rel over it) min(x, 1) + 2 (error of the
    constant ln v_rel) exceeds ``tolerance``; x is the exponent by which q has fallen. Both terms go
    as the square of its length; together they bound the relative error of v_rel^2 over the stretch.
    The last stretch begins where the whole remaining change is a third of that.

    Parameters
    ----------
    c0 : (n,) array
        Mass per area in each bin at the start [kg/m2].
    damping : Damping
        How q falls.
    limits : Limits
        When to end.
    solve : callable
        The integrator. Its arguments are the motion of the grains, the state, (n,) or n+4 and more,
        the limits, and from where to continue: the time [s], the mode, and the bits of the
        quantities that have been above their stops.
    tolerance : float
        Largest relative error of v_rel^2.
    """
    n = c0.size
    t = 0.0
    q = 1.0
    y = c0
    mode = UNKNOWN
    steps_made = 0
    # steps of rejected trials of the current stretch
    steps_dropped = 0
    stretches: list[Stretch] = []
    above = 0
    # whether the stretch goes to the instant at which collisions set in
    aimed = False

    def rate() -> float:
        if mode & PHASES == LIQUID:
            return 0.0
        return damping.strength * hit_rate(y[:n], damping.hits(damping.motion_at(q)))

    expected = rate()
    h = math.inf
    if expected > 0.0:
        h = math.sqrt(tolerance) / expected
    while True:
        if 3.0 * damping.change(q, 0.0) <= tolerance:
            h = math.inf
        h = max(h, MIN_FRACTION * t)
        end = end_of_step(t, h, limits.t_end, aimed)
        q_mean = q * _mean(expected * (end - t))
        motion = damping.motion_at(q_mean)
        stretch_limits = limits._replace(t_end=end, max_steps=limits.max_steps - steps_made)
        path = solve(motion, y, stretch_limits, t, mode, above)
        steps = path.accepted + path.rejected
        path = path._replace(rejected=path.rejected + steps_dropped)
        stretch = Stretch(path, motion)
        steps_made = steps_made + steps
        if path.outcome in {TOO_MANY_STEPS, STEP_TOO_SMALL, OUT_OF_TIME}:
            return [*stretches, stretch]
        decay = float(damping.exponent(stretch, np.array([path.t_final]))[0])
        span = path.t_final - t
        change = damping.change(q, q * math.exp(-decay))
        error_of_mean = damping.change(q_mean, q * _mean(decay))
        error = change * min(decay, 1.0) + 2.0 * error_of_mean
        factor = MAX_FACTOR
        if error > 0.0:
            factor = min(max(SAFETY * math.sqrt(tolerance / error), MIN_FACTOR), MAX_FACTOR)
        h = span * factor
        if error > tolerance and span > 2.0 * MIN_FRACTION * t:
            # steps made before collisions set in
            at_rest = int(np.argmax(path.mode.astype(np.int64) & PHASES != LIQUID))
            aimed = at_rest > 0
            if aimed:
                expected = 0.0
                h = (1.0 - 1e-12) * (path.t[at_rest] - t)
            else:
                expected = decay / span
                h = min(h, span / max(decay, 1.0))
            steps_dropped += steps
            continue
        stretches.append(stretch)
        steps_dropped = 0
        aimed = False
        if path.outcome != REACHED_END or end == limits.t_end:
            return stretches
        t = end
        q = q * math.exp(-decay)
        y = path.y[-1]
        mode = int(path.mode[-1])
        above = path.above
        expected = rate()
