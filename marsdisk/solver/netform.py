"""Collisions in net form: the mass that each event moves between bins.

A target's return to its own bin is not counted as loss and gain.

State: c[k] = m[k] N[k], mass per bin [kg/m2]. A pair i <= j with K_ij N_i N_j events per second
sends u (m_i + m_j) into fragments and the rest into bin K of the largest remnant. Where K = j (dust
hitting a large body) bin j changes by m_i - u (m_i + m_j) per event: the difference of two huge
terms never appears. Most pairs are of this kind; they are handled by matrix rows, without a search
for K. The few whose remnant ends in another bin are listed.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._jit import borrowing_kernel, inlined_kernel, interpreted, kernel
from ..physics.fragments import FragmentTensor
from ..physics.grid import Array
from .eights import (
    ZERO,
    Vector,
    clear,
    load,
    load_from,
    no_tiles,
    plus,
    product,
    store,
    store_to,
    tiles,
    times,
    vector,
)


class CollisionTerms(NamedTuple):
    """Coefficients [m2/(s kg)] of the quadratic right-hand side: mass per time over c_k c_l.

    Matrices are in tiles; ``_T`` are transposes. Vectors are padded with zeros to a multiple of 8.
    """

    growth: Array  #: (n, n) net mass that bin k takes up by collisions with bin l
    #: (n, n) fragments from bin k by collisions with bin l <= k, whose remnant stays in k
    eroded: Array
    growth_T: Array
    eroded_T: Array
    #: (pairs, 2) i and j of the pairs whose remnant moves to another bin K, sorted by K
    moved: NDArray[np.uint64]
    first: NDArray[np.int64]  #: (n+1,) where the pairs of each K begin
    fragments: Array  #: (pairs,) their mass that becomes fragments
    remnant: Array  #: (pairs,) their mass that goes to bin K
    share: Array  #: (n,) fragment integrals I_k / sum I
    per_share: Array  #: (n,) 1 / sum_{l<=K} share_l
    masses: Array  #: (n,) kg, not padded


def collision_terms(
    coefficient: Array, tensor: FragmentTensor, masses: Array, m_sum: Array
) -> CollisionTerms:
    """Return the coefficients of the net form.

    Parameters
    ----------
    coefficient : (n, n) array
        Rate coefficient K_ij [m2/s].
    tensor : FragmentTensor
        Outcome of each pair.
    masses : (n,) array
        Masses of one grain [kg].
    m_sum : (n, n) array
        m_i + m_j [kg].
    """
    return CollisionTerms(
        *_terms(coefficient, tensor.unbound, tensor.k_lr, tensor.weights[-1], masses, m_sum)
    )


@kernel
def _terms(
    coefficient: Array,
    unbound: Array,
    k_lr: NDArray[np.int64],
    share: Array,
    masses: Array,
    m_sum: Array,
) -> tuple[Any, ...]:
    n = masses.size
    growth = np.zeros((n, n))
    eroded = np.zeros((n, n))
    pairs = np.empty((n * (n + 1) // 2, 3), np.int64)
    count = 0
    first = np.zeros(n + 1, np.int64)
    for i in range(n):
        for j in range(i, n):
            symmetry = 0.5 if i == j else 1.0
            rate = coefficient[i, j] / (masses[i] * masses[j]) * symmetry
            growth[i, j] -= rate * masses[i]
            if k_lr[i, j] == j:
                eroded[j, i] = rate * (unbound[i, j] * m_sum[i, j])
                growth[j, i] += rate * masses[i] - eroded[j, i]
            else:
                growth[j, i] -= rate * masses[j]
                pairs[count, 0] = i
                pairs[count, 1] = j
                pairs[count, 2] = k_lr[i, j]
                first[k_lr[i, j] + 1 :] += 1
                count += 1
    order = np.argsort(pairs[:count, 2], kind="mergesort")
    # compiled code need not test unsigned indices for < 0
    moved = pairs[:count][order][:, :2].astype(np.uint64)
    fragments = np.empty(count)
    remnant = np.empty(count)
    for pair in range(count):
        i = moved[pair, 0]
        j = moved[pair, 1]
        symmetry = 0.5 if i == j else 1.0
        mass = coefficient[i, j] / (masses[i] * masses[j]) * symmetry * m_sum[i, j]
        fragments[pair] = mass * unbound[i, j]
        remnant[pair] = mass * (1.0 - unbound[i, j])
    shares = vector(n).flat
    per_share = vector(n).flat
    below = 0.0
    for k in range(n):
        below += share[k]
        shares[k] = share[k]
        per_share[k] = 1.0 / below
    matrices = tiles(growth), tiles(eroded), tiles(growth.T), tiles(eroded.T)
    return *matrices, moved, first, fragments, remnant, shares, per_share, masses.copy()


class Scratch(NamedTuple):
    """Buffers for the rates and the Jacobian."""

    growing: Vector
    eroding: Vector
    totals: Vector


@kernel
def scratch_for(n: int) -> Scratch:
    """Return buffers for ``n`` bins."""
    return Scratch(vector(n), vector(n), vector(n))


@inlined_kernel
def _diagonal(J: Array, k: int) -> float:
    """Return element (k, k) of a matrix in tiles."""
    element: float = J[k >> 3, k >> 3, 9 * (k & 7)]
    return element


@borrowing_kernel
def busiest_bin(c: Array, J: Array) -> int:
    """Return the bin through which most mass flows, which feels round-off of the total least."""
    busiest = 0
    most = 0.0
    for k in range(8 * J.shape[0]):
        flow = abs(_diagonal(J, k)) * c[k]
        if flow > most:
            busiest = k
            most = flow
    return busiest


def emptying_rate(c: Array, terms: CollisionTerms) -> float:
    """Return the largest rate [1/s] at which collisions take ``c`` (n,) [kg/m2] out of a bin."""
    n = c.size
    mass = vector(n)
    J = no_tiles(n)
    mass.flat[:n] = c
    jacobian(mass, terms, scratch_for(n), J)
    return max(-interpreted(_diagonal)(J, k) for k in range(n))


@borrowing_kernel
def _rates_per_mass(c: Array, growth: Array, eroded: Array, growing: Array, eroding: Array) -> None:
    """Set the rates [1/s] at which every bin grows, net of losses, and turns into fragments.

    All vectors are (blocks, 8).
    """
    blocks = growth.shape[0]
    for i in range(blocks):
        rate = product(growth, 0, i, load(c, 0))
        for j in range(1, blocks):
            rate = plus(rate, product(growth, j, i, load(c, j)))
        store(growing, i, 0, rate)
        rate = product(eroded, 0, i, load(c, 0))
        # a body is eroded by bodies that are no larger
        for j in range(1, i + 1):
            rate = plus(rate, product(eroded, j, i, load(c, j)))
        store(eroding, i, 0, rate)


@inlined_kernel
def mass_rate(
    mass: Vector, terms: CollisionTerms, busiest: int, scratch: Scratch, out: Array
) -> None:
    """Set ``out`` to dc/dt of collisions [kg/(m2 s)], in O(n^2).

    Its sum is exactly balanced in bin ``busiest``: gross flows can exceed net ones by more than
    1/round-off, and over a long step an unbalanced sum would create mass.

    Parameters
    ----------
    mass : Vector
        c [kg/m2]; may be longer than n, with zeros up to the next eight.
    terms : CollisionTerms
        Coefficients of the net form.
    busiest : int
        As :func:`busiest_bin` returns it.
    scratch : Scratch
        Overwritten.
    out : array
        Overwritten, at least (n,).
    """
    c = mass.flat
    growing = scratch.growing.flat
    eroding = scratch.eroding.flat
    _rates_per_mass(
        mass.eights, terms.growth, terms.eroded, scratch.growing.eights, scratch.eroding.eights
    )
    above = 0.0
    total = 0.0
    # bin k gets its share of the fragments from every K >= k
    for K in range(terms.masses.size - 1, -1, -1):
        fragments = c[K] * eroding[K]
        remnants = 0.0
        for pair in range(terms.first[K], terms.first[K + 1]):
            pair_mass = c[terms.moved[pair, 0]] * c[terms.moved[pair, 1]]
            fragments += pair_mass * terms.fragments[pair]
            remnants += pair_mass * terms.remnant[pair]
        above += fragments * terms.per_share[K]
        out[K] = c[K] * growing[K] + remnants + terms.share[K] * above
        total += out[K]
    out[busiest] -= total


@inlined_kernel
def _add(J: Array, k: int, l: int, rate: float) -> None:  # noqa: E741 - as in the formula
    J[k >> 3, l >> 3, ((k & 7) << 3) + (l & 7)] += rate


@borrowing_kernel
def jacobian(mass: Vector, terms: CollisionTerms, scratch: Scratch, J: Array) -> None:
    """Set ``J`` to J_kl = d(dc_k/dt)/dc_l [1/s], exact, in O(n^2), with columns that sum to zero.

    Parameters
    ----------
    mass, terms, scratch
        As for :func:`mass_rate`.
    J : (blocks, blocks, 64) array
        Overwritten by the tiles of the transpose: tile (k, l) holds rows 8k to 8k+7, one after the
        other.
    """
    n = terms.masses.size
    blocks = J.shape[0]
    c = mass.flat
    growing = scratch.growing.flat
    eroding = scratch.eroding.flat
    totals = scratch.totals.flat
    _rates_per_mass(
        mass.eights, terms.growth, terms.eroded, scratch.growing.eights, scratch.eroding.eights
    )
    clear(J)
    # fragments from bin K and from remnants in it, over the sum of shares
    for K in range(n):
        _add(J, K, K, terms.per_share[K] * eroding[K])
        for pair in range(terms.first[K], terms.first[K + 1]):
            i = terms.moved[pair, 0]
            j = terms.moved[pair, 1]
            fragments = terms.per_share[K] * terms.fragments[pair]
            _add(J, K, i, fragments * c[j])
            _add(J, K, j, fragments * c[i])
    # `above` sums them over all bins from K upwards
    for b in range(blocks):
        above = ZERO
        for a in range(blocks - 1, -1, -1):
            for k in range(7, -1, -1):
                K = 8 * a + k
                eroded = times(terms.per_share[K] * c[K], load_from(terms.eroded_T, a, b, k))
                above = plus(above, plus(load_from(J, a, b, k), eroded))
                grown = times(c[K], load_from(terms.growth_T, a, b, k))
                store_to(J, a, b, k, plus(grown, times(terms.share[K], above)))
    for K in range(n):
        _add(J, K, K, growing[K])
        for pair in range(terms.first[K], terms.first[K + 1]):
            i = terms.moved[pair, 0]
            j = terms.moved[pair, 1]
            _add(J, K, i, terms.remnant[pair] * c[j])
            _add(J, K, j, terms.remnant[pair] * c[i])
    for b in range(blocks):
        sums = ZERO
        for a in range(blocks - 1, -1, -1):
            for k in range(7, -1, -1):
                sums = plus(sums, load_from(J, a, b, k))
        store(scratch.totals.eights, b, 0, sums)
    for k in range(n):
        _add(J, k, k, -totals[k])


@borrowing_kernel
def weighted_sum(c: Array, weights: Array) -> float:
    """Return the sum of ``c`` (at least n) with ``weights`` (n,)."""
    total = 0.0
    for k in range(weights.size):
        total += weights[k] * c[k]
    return total
