"""Collisions in net form: what each event moves between bins, without counting a target's return to its own bin as loss and gain.

State: c[k] = m[k] N[k], mass per bin [kg/m2]. A pair i <= j with K_ij N_i N_j events per second sends u (m_i + m_j) into
fragments and the rest into bin K of the largest remnant. Where K = j (dust hitting a large body) bin j changes by
m_i - u (m_i + m_j) per event: the difference of two huge terms never appears. These pairs, most of all, need no search for K and
go through whole rows at once; the few whose remnant ends in another bin are listed.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._jit import inlined_kernel, kernel
from ..physics.fragments import FragmentTensor
from ..physics.grid import Array


class CollisionTerms(NamedTuple):
    """Constant coefficients [m2/(s kg)] of the quadratic right-hand side: mass per time over c_k c_l. ``_T``: transposes in memory."""

    growth: Array  #: (n, n) what bin k takes up by collisions with bin l, less what leaves it
    eroded: Array  #: (n, n) what leaves bin k as fragments by collisions with bin l <= k, whose remnant stays in k
    growth_T: Array
    eroded_T: Array
    moved: NDArray[np.int64]  #: (pairs, 2) i and j of the pairs whose remnant moves to another bin K, sorted by K
    first: NDArray[np.int64]  #: (n+1,) where the pairs of each K begin
    fragments: Array  #: (pairs,) what they turn into fragments
    remnant: Array  #: (pairs,) what they bring to bin K
    masses: Array  #: (n,) kg
    share: Array  #: (n,) fragment integrals I_k / sum I
    per_share: Array  #: (n,) 1 / sum_{l<=K} share_l


def collision_terms(coefficient: Array, tensor: FragmentTensor, masses: Array, m_sum: Array) -> CollisionTerms:
    """Terms from the rate coefficient K_ij [m2/s] and the outcome of each pair; ``m_sum`` is m_i + m_j [kg]."""
    return CollisionTerms(*_terms(coefficient, tensor.unbound, tensor.k_lr, tensor.weights[-1], masses, m_sum))


@kernel
def _terms(coefficient: Array, unbound: Array, k_lr: NDArray[np.int64], share: Array, masses: Array, m_sum: Array) -> tuple[Any, ...]:
    n = masses.size
    growth, eroded = np.zeros((n, n)), np.zeros((n, n))
    pairs = np.empty((n * (n + 1) // 2, 3), np.int64)
    count, first = 0, np.zeros(n + 1, np.int64)
    for i in range(n):
        for j in range(i, n):
            rate = coefficient[i, j] / (masses[i] * masses[j]) * (0.5 if i == j else 1.0)
            growth[i, j] -= rate * masses[i]
            if k_lr[i, j] == j:
                eroded[j, i] = rate * (unbound[i, j] * m_sum[i, j])
                growth[j, i] += rate * masses[i] - eroded[j, i]
            else:
                growth[j, i] -= rate * masses[j]
                pairs[count, 0], pairs[count, 1], pairs[count, 2] = i, j, k_lr[i, j]
                first[k_lr[i, j] + 1 :] += 1
                count += 1
    moved = pairs[:count][np.argsort(pairs[:count, 2], kind="mergesort")][:, :2].copy()
    fragments, remnant = np.empty(count), np.empty(count)
    for pair in range(count):
        i, j = moved[pair]
        moving = coefficient[i, j] / (masses[i] * masses[j]) * (0.5 if i == j else 1.0) * m_sum[i, j]
        fragments[pair], remnant[pair] = moving * unbound[i, j], moving * (1.0 - unbound[i, j])
    per_share = np.empty(n)
    below = 0.0
    for k in range(n):
        below += share[k]
        per_share[k] = 1.0 / below
    return growth, eroded, growth.T.copy(), eroded.T.copy(), moved, first, fragments, remnant, masses.copy(), share.copy(), per_share


@kernel
def busiest_bin(c: Array, J: Array) -> int:
    """Bin through which most mass flows, where round-off of the whole sum is least felt."""
    busiest = 0
    for k in range(c.size):
        if abs(J[k, k]) * c[k] > abs(J[busiest, busiest]) * c[busiest]:
            busiest = k
    return busiest


@kernel
def _rates_per_mass(c: Array, G: Array, E: Array, growing: Array, eroding: Array) -> None:
    """G^T c and E^T c [1/s]: how fast every bin grows, net of what leaves it, and how fast it is turned into fragments.

    Four bins are taken at a time, so that sums are read and written once for all four.
    """
    n = c.size
    for k in range(n):
        growing[k] = 0.0
        eroding[k] = 0.0
    for i in range(0, n - 3, 4):
        c0, c1, c2, c3 = c[i], c[i + 1], c[i + 2], c[i + 3]
        for k in range(n):
            growing[k] += (c0 * G[i, k] + c1 * G[i + 1, k]) + (c2 * G[i + 2, k] + c3 * G[i + 3, k])
        for k in range(i, n):
            eroding[k] += (c0 * E[i, k] + c1 * E[i + 1, k]) + (c2 * E[i + 2, k] + c3 * E[i + 3, k])
    for i in range(n - n % 4, n):
        for k in range(n):
            growing[k] += c[i] * G[i, k]
            eroding[k] += c[i] * E[i, k]


@inlined_kernel
def mass_rate(c: Array, terms: CollisionTerms, busiest: int, scratch: Array, out: Array) -> None:
    """dc/dt of collisions [kg/(m2 s)] in O(n^2), its sum exactly balanced in bin ``busiest``; ``scratch`` is (2, n) or larger.

    Gross flows can exceed net ones by more than 1/round-off; over a long step an unbalanced sum would create mass.
    """
    n, growing, eroding = c.size, scratch[0], scratch[1]
    _rates_per_mass(c, terms.growth_T, terms.eroded_T, growing, eroding)
    above, total = 0.0, 0.0
    for K in range(n - 1, -1, -1):  # bin k gets its share of the fragments from every K >= k
        fragments, remnants = c[K] * eroding[K], 0.0
        for pair in range(terms.first[K], terms.first[K + 1]):
            both = c[terms.moved[pair, 0]] * c[terms.moved[pair, 1]]
            fragments += both * terms.fragments[pair]
            remnants += both * terms.remnant[pair]
        above += fragments * terms.per_share[K]
        out[K] = c[K] * growing[K] + remnants + terms.share[K] * above
        total += out[K]
    out[busiest] -= total


@kernel
def jacobian(c: Array, terms: CollisionTerms, scratch: Array, J: Array) -> None:
    """J[k, l] = d(dc_k/dt)/dc_l [1/s], exact, in O(n^2), columns summing to zero; ``scratch`` is (4, n) or larger."""
    n, growing, eroding, above, total = c.size, scratch[0], scratch[1], scratch[2], scratch[3]
    _rates_per_mass(c, terms.growth_T, terms.eroded_T, growing, eroding)
    for k in range(n):
        above[k] = 0.0
        total[k] = 0.0
    for K in range(n - 1, -1, -1):  # ``above``: what all bins from K upwards turn into fragments, each over its sum of shares
        per_share, share, mass = terms.per_share[K], terms.share[K], c[K]
        above[K] += per_share * eroding[K]
        for pair in range(terms.first[K], terms.first[K + 1]):
            i, j, fragments = terms.moved[pair, 0], terms.moved[pair, 1], per_share * terms.fragments[pair]
            above[i] += fragments * c[j]
            above[j] += fragments * c[i]
        eroded = per_share * mass
        for k in range(n):
            above[k] += eroded * terms.eroded[K, k]
            J[K, k] = mass * terms.growth[K, k] + share * above[k]
        J[K, K] += growing[K]
        for pair in range(terms.first[K], terms.first[K + 1]):
            i, j = terms.moved[pair, 0], terms.moved[pair, 1]
            J[K, i] += terms.remnant[pair] * c[j]
            J[K, j] += terms.remnant[pair] * c[i]
        for k in range(n):
            total[k] += J[K, k]
    for k in range(n):
        J[k, k] -= total[k]


@kernel
def optical_depth(c: Array, tau_per_mass: Array) -> float:
    """tau_los of mass per bin ``c`` [kg/m2], each with ``tau_per_mass`` [m2/kg]."""
    tau = 0.0
    for k in range(tau_per_mass.size):
        tau += tau_per_mass[k] * c[k]
    return tau


@kernel
def tau_per_mass(sizes: Array, masses: Array, f_los: float) -> Array:
    """f_los pi s^2 / m [m2/kg] of every bin."""
    return f_los * math.pi * sizes**2 / masses
