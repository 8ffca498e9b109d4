"""Geometric opacity and optical depth of the dust layer. One tau for everything: tau_los = f_los kappa Sigma."""

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
