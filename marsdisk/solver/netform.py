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

from .._jit import kernel
from ..physics.fragments import FragmentTensor
from ..physics.grid import Array


class CollisionTerms(NamedTuple):
    """Constant coefficients of the quadratic right-hand side.

    Matrices hold pairs i <= j whose remnant stays in bin j, and 0 elsewhere; ``.T`` arrays are their transposes in memory.
    """

    absorbed: Array  #: (n, n) mass of i that j takes up, over c_i c_j [m2/(s kg)]
    eroded: Array  #: (n, n) mass that leaves as fragments, over c_i c_j
    absorbed_T: Array
    eroded_T: Array
    moved: NDArray[np.int64]  #: (pairs, 3) i, j and K of the pairs whose remnant moves to another bin
    events: Array  #: (pairs,) their events over c_i c_j [m2/(s kg2)]
    fragments: Array  #: (pairs,) kg of fragments per event
    remnant: Array  #: (pairs,) kg of remnant per event
    masses: Array  #: (n,) kg
    share: Array  #: (n,) fragment integrals I_k / sum I
    per_share: Array  #: (n,) 1 / sum_{l<=K} share_l


def collision_terms(coefficient: Array, tensor: FragmentTensor, masses: Array, m_sum: Array) -> CollisionTerms:
    """Terms from the rate coefficient K_ij [m2/s] and the outcome of each pair; ``m_sum`` is m_i + m_j [kg]."""
    return CollisionTerms(*_terms(coefficient, tensor.unbound, tensor.k_lr, tensor.weights[-1], masses, m_sum))


@kernel
def _terms(coefficient: Array, unbound: Array, k_lr: NDArray[np.int64], share: Array, masses: Array, m_sum: Array) -> tuple[Any, ...]:
    n = masses.size
    absorbed, eroded = np.zeros((n, n)), np.zeros((n, n))
    moved = np.empty((n * (n + 1) // 2, 3), np.int64)
    events, fragments, remnant = np.empty(moved.shape[0]), np.empty(moved.shape[0]), np.empty(moved.shape[0])
    count = 0
    for i in range(n):
        for j in range(i, n):
            rate = coefficient[i, j] / (masses[i] * masses[j]) * (0.5 if i == j else 1.0)
            if k_lr[i, j] == j:
                absorbed[i, j] = rate * masses[i]
                eroded[i, j] = rate * (unbound[i, j] * m_sum[i, j])
            else:
                moved[count, 0], moved[count, 1], moved[count, 2] = i, j, k_lr[i, j]
                events[count] = rate
                fragments[count] = unbound[i, j] * m_sum[i, j]
                remnant[count] = (1.0 - unbound[i, j]) * m_sum[i, j]
                count += 1
    per_share = np.empty(n)
    below = 0.0
    for k in range(n):
        below += share[k]
        per_share[k] = 1.0 / below
    return (
        absorbed,
        eroded,
        absorbed.T.copy(),
        eroded.T.copy(),
        moved[:count].copy(),
        events[:count].copy(),
        fragments[:count].copy(),
        remnant[:count].copy(),
        masses.copy(),
        share.copy(),
        per_share,
    )


@kernel
def busiest_bin(c: Array, J: Array) -> int:
    """Bin through which most mass flows, where round-off of the whole sum is least felt."""
    busiest = 0
    for k in range(c.size):
        if abs(J[k, k]) * c[k] > abs(J[busiest, busiest]) * c[busiest]:
            busiest = k
    return busiest


@kernel
def _rates_per_mass(c: Array, terms: CollisionTerms, rates: Array) -> None:
    """Rows of ``rates`` [1/s]: how fast i is absorbed by larger bodies, j absorbs smaller ones, and j is eroded by them."""
    n = c.size
    for row in range(3):
        for k in range(n):
            rates[row, k] = 0.0
    for i in range(n):
        x = c[i]
        for j in range(i, n):
            rates[1, j] += x * terms.absorbed[i, j]
        for j in range(i, n):
            rates[2, j] += x * terms.eroded[i, j]
        for k in range(i + 1):
            rates[0, k] += x * terms.absorbed_T[i, k]


@kernel
def mass_rate(c: Array, terms: CollisionTerms, busiest: int, scratch: Array, out: Array) -> None:
    """dc/dt of collisions [kg/(m2 s)] in O(n^2), its sum exactly balanced in bin ``busiest``; ``scratch`` is (4, n) or larger.

    Gross flows can exceed net ones by more than 1/round-off; over a long step an unbalanced sum would create mass.
    """
    n = c.size
    _rates_per_mass(c, terms, scratch)
    into_fragments = scratch[3]
    for k in range(n):
        into_fragments[k] = c[k] * scratch[2, k]
        out[k] = c[k] * (scratch[1, k] - scratch[2, k] - scratch[0, k])
    for pair in range(terms.events.size):
        i, j, K = terms.moved[pair, 0], terms.moved[pair, 1], terms.moved[pair, 2]
        events = terms.events[pair] * c[i] * c[j]
        into_fragments[K] += events * terms.fragments[pair]
        out[K] += events * terms.remnant[pair]
        out[i] -= events * terms.masses[i]
        out[j] -= events * terms.masses[j]
    above, total = 0.0, 0.0
    for k in range(n - 1, -1, -1):  # bin k gets its share from every K >= k
        above += into_fragments[k] * terms.per_share[k]
        out[k] += terms.share[k] * above
        total += out[k]
    out[busiest] -= total


@kernel
def jacobian(c: Array, terms: CollisionTerms, scratch: Array, J: Array) -> None:
    """J[k, l] = d(dc_k/dt)/dc_l [1/s], exact, in O(n^2), columns summing to zero; ``scratch`` is (n + 4, n) or larger."""
    n = c.size
    rates, into_fragments = scratch[n:], scratch[:n]
    _rates_per_mass(c, terms, rates)
    for k in range(n):
        for i in range(k + 1):
            into_fragments[k, i] = c[k] * terms.eroded_T[k, i]
        for i in range(k + 1):
            J[k, i] = c[k] * (terms.absorbed_T[k, i] - terms.eroded_T[k, i])
        for j in range(k + 1, n):
            into_fragments[k, j] = 0.0
        for j in range(k + 1, n):
            J[k, j] = -c[k] * terms.absorbed[k, j]
        J[k, k] += rates[1, k] - rates[2, k] - rates[0, k] - c[k] * terms.absorbed[k, k]
        into_fragments[k, k] += rates[2, k]
    for pair in range(terms.events.size):
        i, j, K = terms.moved[pair, 0], terms.moved[pair, 1], terms.moved[pair, 2]
        by_i = terms.events[pair] * c[j]  # events per unit of c[i]
        by_j = terms.events[pair] * c[i]
        into_fragments[K, i] += by_i * terms.fragments[pair]
        into_fragments[K, j] += by_j * terms.fragments[pair]
        J[i, i] -= by_i * terms.masses[i]
        J[i, j] -= by_j * terms.masses[i]
        J[j, i] -= by_i * terms.masses[j]
        J[j, j] -= by_j * terms.masses[j]
        J[K, i] += by_i * terms.remnant[pair]
        J[K, j] += by_j * terms.remnant[pair]
    above, total = rates[0], rates[1]
    for k in range(n):
        above[k] = 0.0
        total[k] = 0.0
    for K in range(n - 1, -1, -1):
        for k in range(n):
            above[k] += into_fragments[K, k] * terms.per_share[K]
            J[K, k] += terms.share[K] * above[k]
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
