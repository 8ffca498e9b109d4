"""Whether the grains are solid (an empirical closure).

The fraction that is not solid is a ramp in their temperature, damped by pressure and optical depth.
"""

import math
from typing import NamedTuple

from .._jit import kernel

#: below 0.5, from 0.5 and from 0.95 of the fraction that is not solid
UNKNOWN, SOLID, VAPOUR, LIQUID = range(-1, 3)
P_REF = 1.0  # bar
HYSTERESIS = 0.05


class PhaseLaw(NamedTuple):
    """When grains stop being solid, and which processes stop with it: data for compiled code."""

    heating: float  #: grain temperature over T_M; 0 keeps grains solid
    T_condense: float = 1700.0  #: K, all solid below
    T_vaporize: float = 2000.0  #: K, none solid above
    pressure: float = 0.0  #: bar
    tau_ref: float = 1.0
    blowout_of_solids_only: bool = True
    liquid_sublimates: bool = False


@kernel
def unsolid_fraction(law: PhaseLaw, T: float, tau: float) -> float:
    """Return the fraction of the dust that is not solid.

    Parameters
    ----------
    law : PhaseLaw
        When grains stop being solid.
    T : float
        Grain temperature [K].
    tau : float
        Optical depth.
    """
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
    """Return the phase of all dust: SOLID, VAPOUR or LIQUID.

    Grains that are solid stay so until the fraction exceeds its bound by :data:`HYSTERESIS`
    (likewise those not yet liquid). The optical depth both damps the fraction and is changed by the
    processes that the phase switches; without a margin a disk could switch for ever. A disk that
    cools passes the bounds themselves, and so does one that begins (``before`` is UNKNOWN).

    Parameters
    ----------
    law : PhaseLaw
        When grains stop being solid.
    T_M : float
        Temperature of Mars [K].
    tau : float
        Optical depth.
    before : int
        Phase so far, or UNKNOWN.
    """
    if law.heating == 0.0:
        return SOLID
    fraction = unsolid_fraction(law, law.heating * T_M, tau)
    liquid_from = 0.95 + HYSTERESIS if before in (SOLID, VAPOUR) else 0.95
    vapour_from = 0.5 + HYSTERESIS if before == SOLID else 0.5
    if fraction >= liquid_from:
        return LIQUID
    if fraction >= vapour_from:
        return VAPOUR
    return SOLID


@kernel
def gate_factors(law: PhaseLaw, phase: int) -> tuple[float, float, float, float]:
    """Return factors, 0 or 1, on collisions, supply, blow-out and sublimation in ``phase``."""
    solid = phase == SOLID
    liquid = phase == LIQUID
    colliding = 0.0 if liquid else 1.0
    supplying = 1.0 if solid else 0.0
    blowing = 1.0 if solid or not law.blowout_of_solids_only else 0.0
    subliming = 0.0 if liquid and not law.liquid_sublimates else 1.0
    return colliding, supplying, blowing, subliming


def never_gated() -> PhaseLaw:
    """Return the law under which grains stay solid whatever their temperature."""
    return PhaseLaw(0.0, math.inf, math.inf)
