"""Dense linear algebra of one step, laid out so that every inner loop runs along memory."""

from .._jit import kernel
from ..physics.grid import Array


@kernel
def factorise(M: Array, column_sums: Array, scratch: Array) -> None:
    """LU factors in place of a matrix whose column sums are known; ``M[j]`` is its column j, ``column_sums`` is overwritten.

    Each pivot is what its column sum leaves over, not the rest of a subtraction (Grassmann, Taksar & Heyman 1985): where mass
    moves between bins 1e15 times faster than it leaves them, that keeps the total to round-off. No exchange of rows is needed:
    what leaves a bin arrives in others, so every column is dominated by its diagonal. Four pivots are taken at a time, so that
    the rest of the matrix is read and written once for all four; ``scratch`` is (4, n).
    """
    n = M.shape[0]
    for first in range(0, n, 4):
        last = min(first + 4, n)
        for p in range(first, last):
            below = n - p - 1
            s0, s1, s2, s3 = 0.0, 0.0, 0.0, 0.0  # four partial sums do not wait for each other
            for i in range(p + 1, n - 3, 4):
                s0 += M[p, i]
                s1 += M[p, i + 1]
                s2 += M[p, i + 2]
                s3 += M[p, i + 3]
            for i in range(n - below % 4, n):
                s0 += M[p, i]
            inverse = 1.0 / (column_sums[p] - ((s0 + s1) + (s2 + s3)))
            for i in range(p + 1, n):
                M[p, i] *= inverse
            M[p, p] = inverse
            column_sums[p] *= inverse  # from here on per unit of pivot
            for j in range(p + 1, last):
                factor = M[j, p]
                column_sums[j] -= column_sums[p] * factor
                for i in range(p + 1, n):
                    M[j, i] -= factor * M[p, i]
        if last == n:
            return
        for k in range(4):
            for i in range(n - last):
                scratch[k, i] = M[first + k, last + i]
        for j in range(last, n):
            for p in range(first, last):
                factor = M[j, p]
                column_sums[j] -= column_sums[p] * factor
                for i in range(p + 1, last):
                    M[j, i] -= factor * M[p, i]
            a, b, c, d = M[j, first], M[j, first + 1], M[j, first + 2], M[j, first + 3]
            rest = M[j, last:]
            for i in range(n - last):
                rest[i] -= a * scratch[0, i] + b * scratch[1, i] + c * scratch[2, i] + d * scratch[3, i]


@kernel
def substitute(M: Array, b: Array) -> None:
    """Solve in place for ``b`` with the factors that :func:`factorise` left."""
    n = b.size
    whole = n - n % 4
    for j in range(0, whole, 4):  # four unknowns at a time, so that the others are read and written once for all four
        for p in range(j, j + 3):
            for i in range(p + 1, j + 4):
                b[i] -= b[p] * M[p, i]
        x0, x1, x2, x3 = b[j], b[j + 1], b[j + 2], b[j + 3]
        for i in range(j + 4, n):
            b[i] -= (x0 * M[j, i] + x1 * M[j + 1, i]) + (x2 * M[j + 2, i] + x3 * M[j + 3, i])
    for j in range(whole, n):
        for i in range(j + 1, n):
            b[i] -= b[j] * M[j, i]
    for j in range(n - 1, whole - 1, -1):
        b[j] *= M[j, j]
        for i in range(j):
            b[i] -= b[j] * M[j, i]
    for j in range(whole - 4, -1, -4):
        for p in range(j + 3, j - 1, -1):
            b[p] *= M[p, p]
            for i in range(j, p):
                b[i] -= b[p] * M[p, i]
        x0, x1, x2, x3 = b[j], b[j + 1], b[j + 2], b[j + 3]
        for i in range(j):
            b[i] -= (x0 * M[j, i] + x1 * M[j + 1, i]) + (x2 * M[j + 2, i] + x3 * M[j + 3, i])
