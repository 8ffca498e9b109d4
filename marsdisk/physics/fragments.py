"""Outcome of a collision: the largest remnant, and how fragments spread over the bins."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .grid import Array, bin_of, read_only

# Q_R/Q_D* from which a tenth of the mass or less survives (Leinhardt & Stewart 2012)
PHI_SUPERCATASTROPHIC = 1.8
FRAGMENT_LAWS = ("mass", "number")


def reduced_specific_energy(m1: Array, m2: Array, v: Array | float) -> Array:
    """Return Q_R = m1 m2 v2 / (2 (m1+m2)2) [J/kg] of a collision at ``v`` [m/s]."""
    energy: Array = 0.5 * m1 * m2 * np.square(v) / np.square(m1 + m2)
    return energy


def unbound_fraction(phi: Array) -> Array:
    """Return u = 1 - F, the share of the colliding mass that leaves as fragments.

    F is the share of the largest remnant (Leinhardt & Stewart 2012). u is computed directly: as the
    difference 1 - F it would vanish below phi ~ 1e-16, where most pairs of a dust disk are.

    Parameters
    ----------
    phi : array
        Q_R/Q_D*.
    """
    surviving = 0.1 * (np.maximum(phi, PHI_SUPERCATASTROPHIC) / PHI_SUPERCATASTROPHIC) ** -1.5
    unbound: Array = np.where(phi < PHI_SUPERCATASTROPHIC, 0.5 * phi, 1.0 - surviving)
    return unbound


def mass_exponent(alpha_frag: float, law: str) -> float:
    """Return the exponent a of the fragments' mass law dM/ds ~ s^-a.

    Parameters
    ----------
    alpha_frag : float
        Exponent of the law that ``law`` names.
    law : str
        ``mass``, or ``number``, whose exponent is 3 larger.

    Raises
    ------
    ValueError
        Unknown law.
    """
    if law not in FRAGMENT_LAWS:
        raise ValueError(f"fragment law must be one of {', '.join(FRAGMENT_LAWS)}, got {law!r}")
    if law == "number":
        return alpha_frag - 3.0
    return alpha_frag


def fragment_weights(edges: Array, alpha_frag: float) -> Array:
    """Return the share w[K, k] of fragments in bin k when the largest remnant is in bin K, (n, n).

    Rows sum to 1 over k <= K. The array is read-only.

    Parameters
    ----------
    edges : (n+1,) array
        Edges of the bins [m].
    alpha_frag : float
        Exponent of the mass law dM/ds ~ s^-alpha_frag.
    """
    p = 1.0 - alpha_frag
    x = np.log(edges / edges[0])
    # (e_{k+1}^p - e_k^p)/p without cancellation, in units of e_0^p; the logarithm is its limit for
    # p -> 0
    relative = np.expm1(p * np.diff(x)) / p if abs(p) >= 1e-12 else np.diff(x)
    integral = np.exp(p * x[:-1]) * relative
    cumulative = np.cumsum(integral)
    weights: Array = np.tril(integral[None, :] / cumulative[:, None])
    read_only(weights)
    return weights


@dataclass(frozen=True, eq=False)
class FragmentTensor:
    """Y[k, i, j] = F delta(k, K) + u w[K, k], kept as three factors of n^2 numbers each.

    ``numpy.asarray(tensor)`` gives the dense (n, n, n) form.

    Raises
    ------
    ValueError
        Factors of different grids, or a remnant outside the grid, where compiled code would write.
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
        """Memory that the factors take, in bytes."""
        return self.unbound.nbytes + self.k_lr.nbytes + self.weights.nbytes

    def __array__(
        self,
        dtype: np.dtype | None = None,
        copy: bool | None = None,  # noqa: FBT001 - NumPy's protocol prescribes it
    ) -> Array:
        bins = np.arange(self.weights.shape[0])
        remnant = (bins[:, None, None] == self.k_lr) * (1.0 - self.unbound)
        dense: Array = remnant + np.moveaxis(self.weights[self.k_lr], -1, 0) * self.unbound
        if dtype is None:
            return dense
        return dense.astype(dtype)


def remnant_bins(edges: Array, m_tot: Array, unbound: Array, rho: float) -> NDArray[np.int64]:
    """Return the bin of the largest remnant, of mass (1-u) ``m_tot``, for every pair, (n, n).

    Parameters
    ----------
    edges : (n+1,) array
        Edges of the bins [m].
    m_tot : (n, n) array
        Mass of both grains [kg].
    unbound : (n, n) array
        u, the share that leaves as fragments.
    rho : float
        Density [kg/m3].
    """
    return bin_of(edges, np.cbrt(3.0 * (1.0 - unbound) * m_tot / (4.0 * math.pi * rho)))
