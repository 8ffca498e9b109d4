"""Whether the grains are solid: a ramp in their temperature, damped by pressure and by optical depth (an empirical closure)."""

import math
from typing import NamedTuple

from .._jit import kernel

#: below 0.5, from 0.5 and from 0.95 of the fraction that is not solid
UNKNOWN, SOLID, VAPOUR, LIQUID = range(-1, 3)
P_REF = 1.0  # bar
HYSTERESIS = 0.05


class PhaseLaw(NamedTuple):
    """When grains stop being solid, and what stops with it, as plain data for compiled code."""

    heating: float  #: grain temperature over T_M; 0 keeps grains solid
    T_condense: float = 1700.0  #: K, all solid below
    T_vaporize: float = 2000.0  #: K, none solid above
    pressure: float = 0.0  #: bar
    tau_ref: float = 1.0
    blowout_of_solids_only: bool = True
    liquid_sublimates: bool = False


@kernel
def unsolid_fraction(law: PhaseLaw, T: float, tau: float) -> float:
    """Fraction of the dust that is not solid at grain temperature ``T`` [K] and optical depth ``tau``."""
    T_end = max(law.T_vaporize, law.T_condense + 1.0)
    if law.T_condense >= T:
        return 0.0
    if T_end <= T:
        return 1.0
    return (
        (T - law.T_condense)
        / (T_end - law.T_condense)
        / ((1.0 + law.pressure / P_REF) * (1.0 + tau / law.tau_ref))
    )


@kernel
def phase_of(law: PhaseLaw, T_M: float, tau: float, before: int) -> int:
    """SOLID, VAPOUR or LIQUID (all of it) while Mars is at ``T_M`` [K], after ``before``.

    Grains that are solid stay so until the fraction exceeds its bound by :data:`HYSTERESIS` (those
    not yet all liquid likewise). The optical depth is both what damps the fraction and what the
    gates act on; without a margin a disk would switch for ever. A disk that cools passes the bounds
    themselves, and so does one that begins (``before`` is UNKNOWN).
    """
    if law.heating == 0.0:
        return SOLID
    fraction = unsolid_fraction(law, law.heating * T_M, tau)
    if fraction >= (0.95 + HYSTERESIS if before in (SOLID, VAPOUR) else 0.95):
        return LIQUID
    return VAPOUR if fraction >= (0.5 + HYSTERESIS if before == SOLID else 0.5) else SOLID


@kernel
def gate_factors(law: PhaseLaw, phase: int) -> tuple[float, float, float, float]:
    """Factors, 0 or 1, on collisions, supply, blow-out and sublimation while grains are in ``phase``."""
    solid = phase == SOLID
    return (
        0.0 if phase == LIQUID else 1.0,
        1.0 if solid else 0.0,
        1.0 if solid or not law.blowout_of_solids_only else 0.0,
        0.0 if phase == LIQUID and not law.liquid_sublimates else 1.0,
    )


def never_gated() -> PhaseLaw:
    """Grains stay solid whatever their temperature."""
    return PhaseLaw(0.0, math.inf, math.inf)
