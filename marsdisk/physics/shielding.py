"""Self-shielding: the share Phi(tau) of the light that acts within a layer of optical depth tau.

It applies only where light is attenuated.
"""

import math
from typing import NamedTuple

import numpy as np

from .._jit import inlined_kernel
from .grid import Array

UNSHIELDED, ANALYTIC, TABLE = range(3)


class ShieldingLaw(NamedTuple):
    """Phi(tau) as plain data for compiled code."""

    kind: int
    w0: float  #: single-scattering albedo
    g: float  #: asymmetry of the scattering
    tau: Array  #: (nodes,), increasing
    phi: Array  #: (nodes,)


_NO_TABLE = np.zeros(1)


def unshielded() -> ShieldingLaw:
    """Return the law Phi = 1."""
    return ShieldingLaw(UNSHIELDED, 0.0, 0.0, _NO_TABLE, _NO_TABLE)


def analytic(w0: float = 0.0, g: float = 0.0) -> ShieldingLaw:
    """Return the law Phi = exp(-tau (1 - w0)) (1 - g), limited to [0, 1].

    Joseph et al. (1976); Hansen & Travis (1974).

    Parameters
    ----------
    w0 : float, optional
        Single-scattering albedo.
    g : float, optional
        Asymmetry of the scattering.

    Raises
    ------
    ValueError
        ``w0`` outside [0, 1] or ``g`` outside [-1, 1].
    """
    if not (0.0 <= w0 <= 1.0 and -1.0 <= g <= 1.0):
        values = f"w0 = {w0!r} and g = {g!r}"
        raise ValueError(f"the albedo must be in [0, 1] and the asymmetry in [-1, 1], got {values}")
    return ShieldingLaw(ANALYTIC, w0, g, _NO_TABLE, _NO_TABLE)


def tabulated(tau: Array, phi: Array) -> ShieldingLaw:
    """Return the law that is linear between nodes and constant beyond them, limited to [0, 1].

    A single node makes Phi constant.

    Parameters
    ----------
    tau : (nodes,) array
        Optical depths, increasing.
    phi : (nodes,) array
        Phi at each of them.

    Raises
    ------
    ValueError
        No nodes, lengths that differ, something not finite, or optical depths that do not increase
        strictly.
    """
    tau = np.array(tau, dtype=np.float64)
    phi = np.array(phi, dtype=np.float64)
    if tau.ndim != 1 or tau.shape != phi.shape or tau.size == 0:
        raise ValueError("a table of Phi needs at least one optical depth and one Phi for each")
    if not (np.all(np.isfinite(tau)) and np.all(np.isfinite(phi))):
        raise ValueError("a table of Phi needs finite numbers")
    if np.any(np.diff(tau) <= 0.0):
        raise ValueError("the optical depths of a table of Phi must increase strictly")
    return ShieldingLaw(TABLE, 0.0, 0.0, tau, phi)


@inlined_kernel
def phi_at(law: ShieldingLaw, tau: float) -> float:
    """Return Phi at optical depth ``tau``."""
    phi = 1.0
    if law.kind == ANALYTIC:
        phi = math.exp(-tau * (1.0 - law.w0)) * (1.0 - law.g)
    elif law.kind == TABLE:
        last = law.tau.size - 1
        i = 0
        while i < last and law.tau[i + 1] <= tau:
            i += 1
        phi = law.phi[i]
        if i < last and tau > law.tau[i]:
            fraction = (tau - law.tau[i]) / (law.tau[i + 1] - law.tau[i])
            phi += fraction * (law.phi[i + 1] - law.phi[i])
    return min(max(phi, 0.0), 1.0)


@inlined_kernel
def effective_opacity(kappa: float, phi: float) -> float:
    """Return kappa_eff = Phi kappa [m2/kg], Phi limited to [0, 1].

    Raises
    ------
    ValueError
        Negative ``kappa``, or something not finite.
    """
    if not (0.0 <= kappa < math.inf and math.isfinite(phi)):
        raise ValueError("opacity must be finite and at least 0, and Phi finite")
    return min(max(phi, 0.0), 1.0) * kappa


@inlined_kernel
def surface_density_at_tau1(kappa_eff: float) -> float:
    """Return Sigma_tau1 = 1/kappa_eff [kg/m2], where the vertical optical depth is one.

    It is infinite for a transparent layer.
    """
    return 1.0 / kappa_eff if kappa_eff > 0.0 else math.inf
