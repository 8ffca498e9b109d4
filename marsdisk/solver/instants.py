"""When two instants of a run are the same: kinks of the drivers, changes of mode, stops, the end.

A step lands on the instant at which it aims. An instant that :func:`is_here` needs no step: the
change takes place at once. Any instant farther away can be reached by a step, so that no two parts
of the integrator take the same instant for past and for future.
"""

from .._jit import inlined_kernel

RESOLUTION = 1e-12  # of the time: instants that are closer are the same
RESOLUTION_IN_STEP = 1e-6  # of a step: accuracy to which its dense output locates a change of mode
ACCURACY = 1e-13  # of the time, to which a kink is located
REACH = 1.001  # of a step: if the end of the run is that near, the step goes there


@inlined_kernel
def is_here(t: float, instant: float) -> bool:
    """Return whether ``instant`` [s], not before ``t`` [s], cannot be told from it."""
    return instant - t <= RESOLUTION * instant


@inlined_kernel
def margin(t: float, h: float) -> float:
    """Return the fraction of a step, at each end, that cannot be told from that end.

    Parameters
    ----------
    t, h : float
        Begin and length of the step [s].
    """
    return max(RESOLUTION_IN_STEP, RESOLUTION * (t + h) / h)


@inlined_kernel
def end_of_step(
    t: float,
    h: float,
    t_end: float,
    aimed: bool,  # noqa: FBT001 - a kernel has no keywords
) -> float:
    """Return the time [s] at which a step ends.

    A step that would leave little before ``t_end`` goes there, unless it aims at an instant before
    it: it would never arrive there.

    Parameters
    ----------
    t, h : float
        Begin and length of the step [s].
    t_end : float
        End of the run [s].
    aimed : bool
        Whether it aims at an instant.
    """
    t_next = t + h
    reach = t_next if aimed else t + REACH * h
    if reach >= t_end or is_here(t_next, t_end):
        return t_end
    return t_next
