"""Vectors and matrices in tuples of eight numbers, each kept in one register (or two or four).

Such code has no remainders of loops, and no arrays that might overlap. Elements are combined only
in :func:`total` and :func:`product`, whose order is written out, so that the bits are the same
everywhere.

A vector of n numbers is (blocks, 8), a matrix (blocks, blocks, 64) in tiles: tile (j, i) holds rows
8i to 8i+7 of columns 8j to 8j+7, one column after the other. Elements beyond n are zero.
"""

from typing import NamedTuple

import numpy as np

from .._jit import inlined_kernel, kernel
from ..physics.grid import Array

Eight = tuple[float, float, float, float, float, float, float, float]
ZERO: Eight = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


@kernel
def eights(n: int) -> Array:
    """Return zeros for ``n`` numbers, (blocks, 8), aligned to a line of the processor's cache."""
    blocks = (n + 7) // 8
    room = np.zeros(8 * blocks + 7)
    first = -(room.ctypes.data // 8) % 8
    return room[first : first + 8 * blocks].reshape((blocks, 8))


class Vector(NamedTuple):
    """Two views of the same memory.

    They are made once: compiled code takes longer to reshape an array than to add it to another.
    """

    eights: Array  #: (blocks, 8)
    flat: Array  #: (8 blocks,)


@kernel
def vector(n: int) -> Vector:
    """Return zeros for ``n`` numbers."""
    zeros = eights(n)
    return Vector(zeros, zeros.reshape(-1))


@kernel
def no_tiles(n: int) -> Array:
    """Return zeros for a matrix of ``n`` rows and columns, (blocks, blocks, 64)."""
    blocks = (n + 7) // 8
    return eights(64 * blocks * blocks).reshape((blocks, blocks, 64))


@kernel
def tiles(matrix: Array) -> Array:
    """Return an (n, n) matrix in tiles."""
    out = no_tiles(matrix.shape[0])
    for row in range(matrix.shape[0]):
        for column in range(matrix.shape[1]):
            out[column // 8, row // 8, 8 * (column % 8) + row % 8] = matrix[row, column]
    return out


@inlined_kernel
def load(a: Array, i: int, k: int = 0) -> Eight:
    """Return numbers 8k to 8k+7 of row ``i``."""
    p = 8 * k
    return (
        a[i, p],
        a[i, p + 1],
        a[i, p + 2],
        a[i, p + 3],
        a[i, p + 4],
        a[i, p + 5],
        a[i, p + 6],
        a[i, p + 7],
    )


@inlined_kernel
def store(a: Array, i: int, k: int, v: Eight) -> None:
    """Write ``v`` to numbers 8k to 8k+7 of row ``i``."""
    p = 8 * k
    (
        a[i, p],
        a[i, p + 1],
        a[i, p + 2],
        a[i, p + 3],
        a[i, p + 4],
        a[i, p + 5],
        a[i, p + 6],
        a[i, p + 7],
    ) = v


@inlined_kernel
def load_from(a: Array, j: int, i: int, k: int) -> Eight:
    """Return column ``k`` of tile (``j``, ``i``)."""
    p = 8 * k
    return (
        a[j, i, p],
        a[j, i, p + 1],
        a[j, i, p + 2],
        a[j, i, p + 3],
        a[j, i, p + 4],
        a[j, i, p + 5],
        a[j, i, p + 6],
        a[j, i, p + 7],
    )


@inlined_kernel
def store_to(a: Array, j: int, i: int, k: int, v: Eight) -> None:
    """Write ``v`` to column ``k`` of tile (``j``, ``i``)."""
    p = 8 * k
    (
        a[j, i, p],
        a[j, i, p + 1],
        a[j, i, p + 2],
        a[j, i, p + 3],
        a[j, i, p + 4],
        a[j, i, p + 5],
        a[j, i, p + 6],
        a[j, i, p + 7],
    ) = v


@inlined_kernel
def copy(v: Array, w: Array) -> None:
    """Write ``w`` into ``v``, both (blocks, 8)."""
    for i in range(v.shape[0]):
        store(v, i, 0, load(w, i))


@inlined_kernel
def clear(M: Array) -> None:
    """Set all tiles to zero."""
    for j in range(M.shape[0]):
        for i in range(M.shape[1]):
            for k in range(8):
                store_to(M, j, i, k, ZERO)


@inlined_kernel
def plus(v: Eight, w: Eight) -> Eight:
    """Return v + w."""
    return (
        v[0] + w[0],
        v[1] + w[1],
        v[2] + w[2],
        v[3] + w[3],
        v[4] + w[4],
        v[5] + w[5],
        v[6] + w[6],
        v[7] + w[7],
    )


@inlined_kernel
def times(f: float, v: Eight) -> Eight:
    """Return f v."""
    return f * v[0], f * v[1], f * v[2], f * v[3], f * v[4], f * v[5], f * v[6], f * v[7]


@inlined_kernel
def minus(v: Eight, w: Eight) -> Eight:
    """Return v - w."""
    return (
        v[0] - w[0],
        v[1] - w[1],
        v[2] - w[2],
        v[3] - w[3],
        v[4] - w[4],
        v[5] - w[5],
        v[6] - w[6],
        v[7] - w[7],
    )


@inlined_kernel
def elementwise_product(v: Eight, w: Eight) -> Eight:
    """Return the products of elements with the same index."""
    return (
        v[0] * w[0],
        v[1] * w[1],
        v[2] * w[2],
        v[3] * w[3],
        v[4] * w[4],
        v[5] * w[5],
        v[6] * w[6],
        v[7] * w[7],
    )


@inlined_kernel
def minus_multiple(v: Eight, f: float, w: Eight) -> Eight:
    """Return v - f w."""
    return (
        v[0] - f * w[0],
        v[1] - f * w[1],
        v[2] - f * w[2],
        v[3] - f * w[3],
        v[4] - f * w[4],
        v[5] - f * w[5],
        v[6] - f * w[6],
        v[7] - f * w[7],
    )


@inlined_kernel
def total(v: Eight) -> float:
    """Return the sum of all elements."""
    return ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]))


@inlined_kernel
def product(M: Array, j: int, i: int, x: Eight) -> Eight:
    """Return tile (``j``, ``i``) of a matrix times ``x``."""
    low = plus(times(x[0], load_from(M, j, i, 0)), times(x[1], load_from(M, j, i, 1)))
    low = plus(low, plus(times(x[2], load_from(M, j, i, 2)), times(x[3], load_from(M, j, i, 3))))
    high = plus(times(x[4], load_from(M, j, i, 4)), times(x[5], load_from(M, j, i, 5)))
    high = plus(high, plus(times(x[6], load_from(M, j, i, 6)), times(x[7], load_from(M, j, i, 7))))
    return plus(low, high)


@inlined_kernel
def unit(k: int) -> Eight:
    """Return column ``k`` of the unit matrix."""
    return (
        1.0 if k == 0 else 0.0,
        1.0 if k == 1 else 0.0,
        1.0 if k == 2 else 0.0,
        1.0 if k == 3 else 0.0,
        1.0 if k == 4 else 0.0,
        1.0 if k == 5 else 0.0,
        1.0 if k == 6 else 0.0,
        1.0 if k == 7 else 0.0,
    )


@inlined_kernel
def elements_before(v: Eight, p: int) -> Eight:
    """Return the elements before element ``p``, and zeros from there on."""
    return (
        v[0] if p > 0 else 0.0,
        v[1] if p > 1 else 0.0,
        v[2] if p > 2 else 0.0,
        v[3] if p > 3 else 0.0,
        v[4] if p > 4 else 0.0,
        v[5] if p > 5 else 0.0,
        v[6] if p > 6 else 0.0,
        0.0,
    )


@inlined_kernel
def elements_after(v: Eight, p: int) -> Eight:
    """Return the elements after element ``p``, and zeros up to it."""
    return (
        0.0,
        v[1] if p < 1 else 0.0,
        v[2] if p < 2 else 0.0,
        v[3] if p < 3 else 0.0,
        v[4] if p < 4 else 0.0,
        v[5] if p < 5 else 0.0,
        v[6] if p < 6 else 0.0,
        v[7] if p < 7 else 0.0,
    )
