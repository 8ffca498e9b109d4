"""Kepler motion around Mars and the geometry of the annulus."""

import math

from .constants import M_MARS, R_MARS, G


def reference_radius(r_in_RM: float, r_out_RM: float) -> float:
    """Return the middle [m] of an annulus given in Mars radii, where it is evaluated."""
    return 0.5 * (r_in_RM + r_out_RM) * R_MARS


def angular_velocity(r: float) -> float:
    """Return the Kepler frequency Omega [1/s] at radius ``r`` [m].

    Raises
    ------
    ValueError
        ``r`` is not positive and finite.
    """
    if not (math.isfinite(r) and r > 0.0):
        raise ValueError(f"radius must be positive and finite, got {r!r} m")
    return math.sqrt(G * M_MARS / r**3)


def keplerian_velocity(r: float) -> float:
    """Return the circular speed v_K [m/s] at radius ``r`` [m].

    Raises
    ------
    ValueError
        ``r`` is not positive and finite.
    """
    if not (math.isfinite(r) and r > 0.0):
        raise ValueError(f"radius must be positive and finite, got {r!r} m")
    return math.sqrt(G * M_MARS / r)


def orbital_period(r: float) -> float:
    """Return the orbital period T_orb [s] at radius ``r`` [m]."""
    return 2.0 * math.pi / angular_velocity(r)


def annulus_area(r_in_RM: float, r_out_RM: float) -> float:
    """Return the area [m2] between two radii given in Mars radii.

    A ring of no width counts as the disk inside it.
    """
    r_in = r_in_RM * R_MARS
    r_out = r_out_RM * R_MARS
    area = math.pi * (r_out**2 - r_in**2)
    if area > 0.0:
        return area
    return math.pi * r_in**2
