"""Collisions in net form: what each event moves between bins, without counting a target's return to its own bin as loss and gain.

State: c[k] = m[k] N[k], mass per bin [kg/m2]. A pair i <= j with K_ij N_i N_j events per second sends u (m_i + m_j) into
fragments and the rest into bin K of the largest remnant. Where K = j (dust hitting a large body) bin j changes by
m_i - u (m_i + m_j) per event: the difference of two huge terms never appears.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._jit import kernel
from ..physics.fragments import FragmentTensor
from ..physics.grid import Array


class CollisionTerms(NamedTuple):
    """Constant coefficients of the quadratic right-hand side, per pair i <= j."""

    rate: Array  #: (n, n) K_ij / (m_i m_j), halved on the diagonal [m2/(s kg2)]
    fragments: Array  #: (n, n) u (m_i + m_j) [kg]
    remnant: Array  #: (n, n) mass [kg] that bin K gains, net of its own member if K = j
    target: Array  #: (n, n) mass [kg] that bin j loses: m_j, or 0 if K = j
    k_lr: NDArray[np.int64]  #: (n, n) bin K
    masses: Array  #: (n,) kg
    share: Array  #: (n,) fragment integrals I_k / sum I
    per_share: Array  #: (n,) 1 / sum_{l<=K} share_l


def collision_terms(coefficient: Array, tensor: FragmentTensor, masses: Array, m_sum: Array, denom: Array) -> CollisionTerms:
    """Terms from the rate coefficient K_ij [m2/s] and the outcome of each pair; ``m_sum`` and ``denom`` are m_i + m_j and m_i m_j."""
    rate = coefficient / denom
    rate[np.diag_indices_from(rate)] *= 0.5
    fragments = tensor.unbound * m_sum
    stays = tensor.k_lr == np.arange(masses.size)
    remnant = np.where(stays, masses[:, None] - fragments, (1.0 - tensor.unbound) * m_sum)
    target = np.where(stays, 0.0, masses)
    share = tensor.weights[-1].copy()
    return CollisionTerms(rate, fragments, remnant, target, tensor.k_lr.copy(), masses.copy(), share, 1.0 / np.cumsum(share))


@kernel
def busiest_bin(c: Array, J: Array) -> int:
    """Bin through which most mass flows, where round-off of the whole sum is least felt."""
    busiest = 0
    for k in range(c.size):
        if abs(J[k, k]) * c[k] > abs(J[busiest, busiest]) * c[busiest]:
            busiest = k
    return busiest


@kernel
def mass_rate(c: Array, terms: CollisionTerms, busiest: int, into_fragments: Array, out: Array) -> None:
    """dc/dt of collisions [kg/(m2 s)] in O(n^2), its sum exactly balanced in bin ``busiest``; ``into_fragments`` is (n,) scratch.

    Gross flows can exceed net ones by more than 1/round-off; over a long step an unbalanced sum would create mass.
    """
    n = c.size
    into_fragments[:] = 0.0
    out[:] = 0.0
    for i in range(n):
        from_i = 0.0
        for j in range(i, n):
            events = terms.rate[i, j] * c[i] * c[j]
            K = terms.k_lr[i, j]
            from_i += events
            into_fragments[K] += events * terms.fragments[i, j]
            out[j] -= events * terms.target[i, j]
            out[K] += events * terms.remnant[i, j]
        out[i] -= from_i * terms.masses[i]
    above, total = 0.0, 0.0
    for k in range(n - 1, -1, -1):  # bin k gets its share from every K >= k
        above += into_fragments[k] * terms.per_share[k]
        out[k] += terms.share[k] * above
        total += out[k]
    out[busiest] -= total


@kernel
def jacobian(c: Array, terms: CollisionTerms, into_fragments: Array, J: Array) -> None:
    """J[k, l] = d(dc_k/dt)/dc_l [1/s], exact, in O(n^2), columns summing to zero; ``into_fragments`` is (n, n) scratch."""
    n = c.size
    J[:, :] = 0.0
    into_fragments[:, :] = 0.0
    for i in range(n):
        for j in range(i, n):
            by_i = terms.rate[i, j] * c[j]  # events per unit of c[i]
            by_j = terms.rate[i, j] * c[i]
            K = terms.k_lr[i, j]
            into_fragments[K, i] += by_i * terms.fragments[i, j]
            into_fragments[K, j] += by_j * terms.fragments[i, j]
            J[i, i] -= by_i * terms.masses[i]
            J[i, j] -= by_j * terms.masses[i]
            J[j, i] -= by_i * terms.target[i, j]
            J[j, j] -= by_j * terms.target[i, j]
            J[K, i] += by_i * terms.remnant[i, j]
            J[K, j] += by_j * terms.remnant[i, j]
    for K in range(n - 1, -1, -1):
        for k in range(n):
            into_fragments[K, k] *= terms.per_share[K]
            if n - 1 > K:
                into_fragments[K, k] += into_fragments[K + 1, k]
            J[K, k] += terms.share[K] * into_fragments[K, k]
    total = into_fragments[0]
    total[:] = 0.0
    for k in range(n):
        for i in range(n):
            total[i] += J[k, i]
    for k in range(n):
        J[k, k] -= total[k]


@kernel
def optical_depth(c: Array, sizes: Array, masses: Array, f_los: float) -> float:
    """tau_los = f_los sum_k pi s_k^2 c_k / m_k."""
    tau = 0.0
    for k in range(c.size):
        tau += math.pi * sizes[k] ** 2 / masses[k] * c[k]
    return f_los * tau
