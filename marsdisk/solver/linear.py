"""Dense linear algebra of one step, on eight rows of the matrix at a time."""

from .._jit import borrowing_kernel, inlined_kernel
from ..physics.grid import Array
from .eights import (
    Eight,
    elements_after,
    elements_before,
    elementwise_product,
    load,
    load_from,
    minus,
    minus_multiple,
    plus,
    product,
    store,
    store_to,
    times,
    total,
    unit,
)


@inlined_kernel
def _invert_lower(L: Array, b: int) -> None:
    """Invert diagonal tile ``b`` of the lower factor in place; its unit diagonal is not stored."""
    l0 = load_from(L, 0, b, 0)
    l1 = load_from(L, 0, b, 1)
    l2 = load_from(L, 0, b, 2)
    l3 = load_from(L, 0, b, 3)
    l4 = load_from(L, 0, b, 4)
    l5 = load_from(L, 0, b, 5)
    l6 = load_from(L, 0, b, 6)
    x0 = minus(unit(0), l0)
    x1 = minus(unit(1), l1)
    x2 = minus(unit(2), l2)
    x3 = minus(unit(3), l3)
    x4 = minus(unit(4), l4)
    x5 = minus(unit(5), l5)
    x6 = minus(unit(6), l6)
    x0 = minus_multiple(x0, x0[1], l1)
    x0 = minus_multiple(x0, x0[2], l2)
    x1 = minus_multiple(x1, x1[2], l2)
    x0 = minus_multiple(x0, x0[3], l3)
    x1 = minus_multiple(x1, x1[3], l3)
    x2 = minus_multiple(x2, x2[3], l3)
    x0 = minus_multiple(x0, x0[4], l4)
    x1 = minus_multiple(x1, x1[4], l4)
    x2 = minus_multiple(x2, x2[4], l4)
    x3 = minus_multiple(x3, x3[4], l4)
    x0 = minus_multiple(x0, x0[5], l5)
    x1 = minus_multiple(x1, x1[5], l5)
    x2 = minus_multiple(x2, x2[5], l5)
    x3 = minus_multiple(x3, x3[5], l5)
    x4 = minus_multiple(x4, x4[5], l5)
    x0 = minus_multiple(x0, x0[6], l6)
    x1 = minus_multiple(x1, x1[6], l6)
    x2 = minus_multiple(x2, x2[6], l6)
    x3 = minus_multiple(x3, x3[6], l6)
    x4 = minus_multiple(x4, x4[6], l6)
    x5 = minus_multiple(x5, x5[6], l6)
    store_to(L, 0, b, 0, x0)
    store_to(L, 0, b, 1, x1)
    store_to(L, 0, b, 2, x2)
    store_to(L, 0, b, 3, x3)
    store_to(L, 0, b, 4, x4)
    store_to(L, 0, b, 5, x5)
    store_to(L, 0, b, 6, x6)
    store_to(L, 0, b, 7, unit(7))


@inlined_kernel
def _invert_upper(M: Array, b: int, pivots: Eight) -> None:
    """Invert diagonal tile ``b`` of the upper factor in place.

    Its diagonal is not stored; ``pivots`` are the inverse of it.
    """
    u1 = times(pivots[1], load_from(M, b, b, 1))
    u2 = times(pivots[2], load_from(M, b, b, 2))
    u3 = times(pivots[3], load_from(M, b, b, 3))
    u4 = times(pivots[4], load_from(M, b, b, 4))
    u5 = times(pivots[5], load_from(M, b, b, 5))
    u6 = times(pivots[6], load_from(M, b, b, 6))
    u7 = times(pivots[7], load_from(M, b, b, 7))
    x1 = minus(unit(1), u1)
    x2 = minus(unit(2), u2)
    x3 = minus(unit(3), u3)
    x4 = minus(unit(4), u4)
    x5 = minus(unit(5), u5)
    x6 = minus(unit(6), u6)
    x7 = minus(unit(7), u7)
    x7 = minus_multiple(x7, x7[6], u6)
    x7 = minus_multiple(x7, x7[5], u5)
    x6 = minus_multiple(x6, x6[5], u5)
    x7 = minus_multiple(x7, x7[4], u4)
    x6 = minus_multiple(x6, x6[4], u4)
    x5 = minus_multiple(x5, x5[4], u4)
    x7 = minus_multiple(x7, x7[3], u3)
    x6 = minus_multiple(x6, x6[3], u3)
    x5 = minus_multiple(x5, x5[3], u3)
    x4 = minus_multiple(x4, x4[3], u3)
    x7 = minus_multiple(x7, x7[2], u2)
    x6 = minus_multiple(x6, x6[2], u2)
    x5 = minus_multiple(x5, x5[2], u2)
    x4 = minus_multiple(x4, x4[2], u2)
    x3 = minus_multiple(x3, x3[2], u2)
    x7 = minus_multiple(x7, x7[1], u1)
    x6 = minus_multiple(x6, x6[1], u1)
    x5 = minus_multiple(x5, x5[1], u1)
    x4 = minus_multiple(x4, x4[1], u1)
    x3 = minus_multiple(x3, x3[1], u1)
    x2 = minus_multiple(x2, x2[1], u1)
    store_to(M, b, b, 0, elementwise_product(pivots, unit(0)))
    store_to(M, b, b, 1, elementwise_product(pivots, x1))
    store_to(M, b, b, 2, elementwise_product(pivots, x2))
    store_to(M, b, b, 3, elementwise_product(pivots, x3))
    store_to(M, b, b, 4, elementwise_product(pivots, x4))
    store_to(M, b, b, 5, elementwise_product(pivots, x5))
    store_to(M, b, b, 6, elementwise_product(pivots, x6))
    store_to(M, b, b, 7, elementwise_product(pivots, x7))


@inlined_kernel
def _minus_scalar_product(s: float, x: Eight, y: Eight) -> float:
    """Return s - sum_k x_k y_k."""
    low = (x[0] * y[0] + x[1] * y[1]) + (x[2] * y[2] + x[3] * y[3])
    high = (x[4] * y[4] + x[5] * y[5]) + (x[6] * y[6] + x[7] * y[7])
    return s - (low + high)


@borrowing_kernel
def factorise(M: Array, column_sums: Array, lower: Array, pivots: Array) -> None:
    """Replace a matrix whose column sums are known by its LU factors.

    Each pivot is what its column sum leaves over, not the rest of a subtraction (Grassmann, Taksar
    & Heyman 1985): where mass moves between bins 1e15 times faster than it leaves them, that keeps
    the total to round-off. No exchange of rows is needed: what leaves a bin arrives in others, so
    every column is dominated by its diagonal. Eight pivots are taken at a time.

    Parameters
    ----------
    M : (blocks, blocks, 64) array
        Tiles as :func:`marsdisk.solver.eights.tiles` makes them.
    column_sums : (blocks, 8) array
        Overwritten.
    lower : (1, blocks, 64) array
        Overwritten by the inverted diagonal tiles of the lower factor.
    pivots : (blocks, 8) array
        Overwritten by the inverse pivots.
    """
    blocks = M.shape[1]
    for b in range(blocks):
        for k in range(8):
            v = load_from(M, b, b, k)
            below = elements_after(v, k)
            off_diagonal = below
            for i in range(b + 1, blocks):
                off_diagonal = plus(off_diagonal, load_from(M, b, i, k))
            inverse_pivot = 1.0 / (column_sums[b, k] - total(off_diagonal))
            below = times(inverse_pivot, below)
            store_to(lower, 0, b, k, below)
            store_to(M, b, b, k, elements_before(v, k))
            for i in range(b + 1, blocks):
                store_to(M, b, i, k, times(inverse_pivot, load_from(M, b, i, k)))
            pivots[b, k] = inverse_pivot
            # from here on, the sum of the column over its pivot
            column_sums[b, k] *= inverse_pivot
            for j in range(k + 1, 8):
                factor = M[b, b, 8 * j + k]
                column_sums[b, j] -= factor * column_sums[b, k]
                store_to(M, b, b, j, minus_multiple(load_from(M, b, b, j), factor, below))
                for i in range(b + 1, blocks):
                    store_to(
                        M,
                        b,
                        i,
                        j,
                        minus_multiple(load_from(M, b, i, j), factor, load_from(M, b, i, k)),
                    )
        _invert_lower(lower, b)
        _invert_upper(M, b, load(pivots, b))
        sums = load(column_sums, b)
        for j in range(b + 1, blocks):
            for k in range(8):
                v = product(lower, 0, b, load_from(M, j, b, k))
                store_to(M, j, b, k, v)
                column_sums[j, k] = _minus_scalar_product(column_sums[j, k], v, sums)
                for i in range(b + 1, blocks):
                    store_to(M, j, i, k, minus(load_from(M, j, i, k), product(M, b, i, v)))


@borrowing_kernel
def substitute(M: Array, lower: Array, x: Array) -> None:
    """Solve for ``x`` (blocks, 8) in place with the factors from :func:`factorise`."""
    blocks = M.shape[0]
    for b in range(blocks):
        v = product(lower, 0, b, load(x, b))
        store(x, b, 0, v)
        for i in range(b + 1, blocks):
            store(x, i, 0, minus(load(x, i), product(M, b, i, v)))
    for b in range(blocks - 1, -1, -1):
        v = product(M, b, b, load(x, b))
        store(x, b, 0, v)
        for i in range(b):
            store(x, i, 0, minus(load(x, i), product(M, b, i, v)))
