"""Geometric opacity, optical depth and surface density of the dust layer. One tau for everything: tau_los = f_los kappa Sigma."""

import math

import numpy as np

from .grid import Array


def opacity(sizes: Array, number: Array, masses: Array) -> float:
    """Geometric cross-section per mass kappa [m2/kg] of grains with ``number`` [1/m2] per bin; 0 for an empty layer."""
    mass = float(np.sum(masses * number))
    return float(np.sum(math.pi * sizes**2 * number)) / mass if mass > 0.0 else 0.0


def line_of_sight_factor(path_multiplier: float, h_over_r: float) -> float:
    """f_los = max(1, path multiplier / (H/r)), the lengthening of the light's path through the layer."""
    return max(1.0, path_multiplier / h_over_r)


def surface_density_at_tau(tau: float, kappa: float, f_los: float) -> float:
    """Surface density [kg/m2] of a layer whose line-of-sight optical depth is ``tau``."""
    if not kappa > 0.0:
        raise ValueError(f"opacity must be positive to turn tau = {tau!r} into a surface density, got kappa = {kappa!r} m2/kg")
    return tau / (kappa * f_los)


def surface_density_of_mass(mass: float, r_in: float, r_out: float, r: float, p: float) -> float:
    """Surface density [kg/m2] at ``r`` of ``mass`` [kg] spread over ``r_in`` to ``r_out`` [m] as Sigma ~ r^-p.

    Raises
    ------
    ValueError
        Unless 0 < r_in < r_out.
    """
    if not 0.0 < r_in < r_out < math.inf:
        raise ValueError(f"an annulus must obey 0 < r_in < r_out, got r_in = {r_in!r} m and r_out = {r_out!r} m")
    log_ratio = math.log(r_out / r_in)
    x = (2.0 - p) * log_ratio
    integral = math.pow(r_in, 2.0 - p) * log_ratio * (math.expm1(x) / x if x != 0.0 else 1.0)  # of r^(1-p), without cancellation near p = 2
    return mass / (2.0 * math.pi * integral) * math.pow(r, -p)
