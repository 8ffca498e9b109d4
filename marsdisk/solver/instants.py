"""When two instants of a run are one: kinks of the drivers, changes of mode, stops and the end.

A step lands on the instant it is made to. An instant that :func:`is_here` needs no step: what it
changes is changed at once. Whatever is farther away than that can be stepped to, so that no two
parts of the integrator hold the same instant for past and for yet to come.
"""

from .._jit import inlined_kernel

RESOLUTION = 1e-12  # of the time: instants that are closer are one
RESOLUTION_IN_STEP = 1e-6  # of a step: how well its dense output tells when a mode changes in it
ACCURACY = 1e-13  # of the time, to which a kink is located
LITTLE_LEFT = 1.001  # a step that would leave less than a thousandth of itself to do does that too


@inlined_kernel
def is_here(t: float, instant: float) -> bool:
    """Whether ``instant`` [s], which follows ``t`` [s], cannot be told from it."""
    return instant - t <= RESOLUTION * instant


@inlined_kernel
def margin(t: float, h: float) -> float:
    """Fraction of the step of ``h`` [s] from ``t`` [s], at each end, that is one with that end."""
    return max(RESOLUTION_IN_STEP, RESOLUTION * (t + h) / h)


@inlined_kernel
def end_of_step(t: float, h: float, t_end: float, aimed: bool) -> float:
    """Where a step of ``h`` [s] from ``t`` [s] ends.

    A step that would leave little before ``t_end`` [s] goes there. One that is ``aimed`` at an
    instant before it does not: it would never arrive.
    """
    t_next = t + h
    reach = t_next if aimed else t + LITTLE_LEFT * h
    return t_end if reach >= t_end or is_here(t_next, t_end) else t_next
