"""Outcome of one collision: largest remnant, unbound fraction, and how the fragments spread over the bins."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .grid import Array, bin_of, read_only

# Q_R/Q_D* from which a tenth of the mass or less survives (Leinhardt & Stewart 2012)
PHI_SUPERCATASTROPHIC = 1.8
FRAGMENT_LAWS = ("mass", "number")


def reduced_specific_energy(m1: Array, m2: Array, v: Array | float) -> Array:
    """Q_R = m1 m2 v2 / (2 (m1+m2)2) [J/kg] of a collision at ``v`` [m/s]."""
    energy: Array = 0.5 * m1 * m2 * np.square(v) / np.square(m1 + m2)
    return energy


def unbound_fraction(phi: Array) -> Array:
    """u = 1 - F, the share of the colliding mass that leaves as fragments, for phi = Q_R/Q_D* (Leinhardt & Stewart 2012).

    Computed directly: as a difference from the share F of the largest remnant it would vanish below
    phi ~ 1e-16, where most pairs of a dust disk are.
    """
    surviving = 0.1 * (np.maximum(phi, PHI_SUPERCATASTROPHIC) / PHI_SUPERCATASTROPHIC) ** -1.5
    unbound: Array = np.where(phi < PHI_SUPERCATASTROPHIC, 0.5 * phi, 1.0 - surviving)
    return unbound


def mass_exponent(alpha_frag: float, law: str) -> float:
    """Exponent a of the fragments' mass law dM/ds ~ s^-a: ``alpha_frag`` itself, or 3 less where it is that of the number law."""
    if law not in FRAGMENT_LAWS:
        raise ValueError(f"fragment law must be one of {', '.join(FRAGMENT_LAWS)}, got {law!r}")
    return alpha_frag if law == "mass" else alpha_frag - 3.0


def fragment_weights(edges: Array, alpha_frag: float) -> Array:
    """Share w[K, k] of fragments that fall in bin k when the largest remnant is in bin K: rows sum to 1 over k <= K.

    Parameters
    ----------
    edges : (n+1,) m
    alpha_frag : exponent of the mass law dM/ds ~ s^-alpha_frag
    """
    p = 1.0 - alpha_frag
    x = np.log(edges / edges[0])
    # (e_{k+1}^p - e_k^p)/p without cancellation, in units of e_0^p; the logarithm is its limit for
    # p -> 0
    integral = np.exp(p * x[:-1]) * (
        np.expm1(p * np.diff(x)) / p if abs(p) >= 1e-12 else np.diff(x)
    )
    cumulative = np.cumsum(integral)
    weights: Array = np.tril(integral[None, :] / cumulative[:, None])
    read_only(weights)
    return weights


@dataclass(frozen=True, eq=False)
class FragmentTensor:
    """Y[k, i, j] = F delta(k, K) + u w[K, k], kept as its three factors: n^2 numbers where the cube has n^3.

    ``numpy.asarray(tensor)`` gives the dense (n, n, n) form.

    Raises
    ------
    ValueError
        Factors of different grids, or a remnant outside the grid: compiled code would write there.
    """

    unbound: Array  #: (n, n) u = 1 - F
    k_lr: NDArray[np.int64]  #: (n, n) bin K of the largest remnant
    weights: Array  #: (n, n) w[K, k]

    def __post_init__(self) -> None:
        n = self.weights.shape[0]
        if not self.unbound.shape == self.k_lr.shape == self.weights.shape == (n, n):
            shapes = f"{self.unbound.shape}, {self.k_lr.shape} and {self.weights.shape}"
            raise ValueError(
                f"the factors of a fragment tensor must be of one shape (n, n), got {shapes}"
            )
        if n and not 0 <= self.k_lr.min() <= self.k_lr.max() < n:
            raise ValueError(
                f"remnants of a fragment tensor must be in bins 0 to {n - 1}, got {self.k_lr.min()}"
                f" to {self.k_lr.max()}"
            )

    @property
    def nbytes(self) -> int:
        return self.unbound.nbytes + self.k_lr.nbytes + self.weights.nbytes

    def __array__(self, dtype: np.dtype | None = None, copy: bool | None = None) -> Array:
        bins = np.arange(self.weights.shape[0])
        remnant = (bins[:, None, None] == self.k_lr) * (1.0 - self.unbound)
        dense: Array = remnant + np.moveaxis(self.weights[self.k_lr], -1, 0) * self.unbound
        return dense.astype(dtype) if dtype is not None else dense


def remnant_bins(edges: Array, m_tot: Array, unbound: Array, rho: float) -> NDArray[np.int64]:
    """Bin of the largest remnant of mass (1-u) ``m_tot`` [kg] for every pair."""
    return bin_of(edges, np.cbrt(3.0 * (1.0 - unbound) * m_tot / (4.0 * math.pi * rho)))
