"""Dense linear algebra of one step, laid out so that every inner loop runs along memory."""

from .._jit import kernel
from ..physics.grid import Array


@kernel
def factorise(M: Array, column_sums: Array) -> None:
    """LU factors in place of a matrix whose column sums are known; ``M[j]`` is its column j, ``column_sums`` is overwritten.

    Each pivot is what its column sum leaves over, not the rest of a subtraction (Grassmann, Taksar & Heyman 1985): where mass
    moves between bins 1e15 times faster than it leaves them, that keeps the total to round-off. No exchange of rows is needed:
    what leaves a bin arrives in others, so every column is dominated by its diagonal.
    """
    n = M.shape[0]
    for p in range(n):
        pivot = column_sums[p]
        for i in range(p + 1, n):
            pivot -= M[p, i]
        inverse = 1.0 / pivot
        for i in range(p + 1, n):
            M[p, i] *= inverse
        for j in range(p + 1, n):
            factor = M[j, p]
            column_sums[j] -= column_sums[p] * inverse * factor
            for i in range(p + 1, n):
                M[j, i] -= factor * M[p, i]
        M[p, p] = inverse


@kernel
def substitute(M: Array, b: Array) -> None:
    """Solve in place for ``b`` with the factors that :func:`factorise` left."""
    n = b.size
    for j in range(n):
        x = b[j]
        for i in range(j + 1, n):
            b[i] -= x * M[j, i]
    for j in range(n - 1, -1, -1):
        x = b[j] * M[j, j]
        b[j] = x
        for i in range(j):
            b[i] -= x * M[j, i]
