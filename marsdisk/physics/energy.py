"""Energy of collisions: how much colliding grains bring, and how much stays in their motion."""

from typing import NamedTuple

import numpy as np

from .._jit import kernel
from .fragments import FragmentTensor
from .grid import Array


class EnergyTerms(NamedTuple):
    """Energy per pair i <= j and c_i c_j, as plain data for compiled code.

    Both are (n, n) and 0 below the diagonal.
    """

    relative: Array  #: W/m2 per (kg/m2)^2, kinetic energy of the relative motion
    retained: Array  #: W/m2 per (kg/m2)^2, the part that stays in motion


def relative_energy(masses: Array, v_rel: float) -> Array:
    """Return E_ij = 1/2 m_i m_j/(m_i + m_j) v^2 [J] of one collision, (n, n)."""
    energy: Array = 0.5 * np.outer(masses, masses) / np.add.outer(masses, masses) * v_rel**2
    return energy


def retained_fraction(unbound: Array, f_cratering: float, f_fragmentation: float) -> Array:
    """Return the share of the energy that stays in motion, (n, n).

    Parameters
    ----------
    unbound : (n, n) array
        Share of the mass that leaves as fragments.
    f_cratering : float
        The result where the largest remnant has more than half of the mass.
    f_fragmentation : float
        The result elsewhere.
    """
    return np.where(unbound < 0.5, f_cratering, f_fragmentation)


def energy_terms(
    coefficient: Array,
    tensor: FragmentTensor,
    masses: Array,
    v_rel: float,
    f_cratering: float,
    f_fragmentation: float,
) -> EnergyTerms:
    """Return the energy terms of all pairs.

    Parameters
    ----------
    coefficient : (n, n) array
        Rate coefficient K_ij [m2/s].
    tensor : FragmentTensor
        Outcome of each pair.
    masses : (n,) array
        Masses of one grain [kg].
    v_rel : float
        Relative speed [m/s].
    f_cratering, f_fragmentation : float
        As for :func:`retained_fraction`.
    """
    events = np.triu(coefficient / np.outer(masses, masses))
    events[np.diag_indices_from(events)] *= 0.5
    relative = events * relative_energy(masses, v_rel)
    retained = relative * retained_fraction(tensor.unbound, f_cratering, f_fragmentation)
    return EnergyTerms(relative, retained)


@kernel
def energy_rates(c: Array, terms: EnergyTerms) -> tuple[float, float]:
    """Return energy brought in and energy retained [W/m2] for masses ``c`` (n,) [kg/m2]."""
    relative = 0.0
    retained = 0.0
    for i in range(terms.relative.shape[0]):
        for j in range(i, terms.relative.shape[0]):
            relative += terms.relative[i, j] * c[i] * c[j]
            retained += terms.retained[i, j] * c[i] * c[j]
    return relative, retained
