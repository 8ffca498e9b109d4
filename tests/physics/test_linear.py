"""The linear algebra of a step in tiles of eight, and the bound that saves looking for a stop."""

import numpy as np
import pytest

from marsdisk.physics.opacity import OpacityLaw
from marsdisk.solver.eights import eights, tiles, vector
from marsdisk.solver.events import highest_tau
from marsdisk.solver.linear import factorise, substitute
from marsdisk.solver.trajectory import interpolate


@pytest.mark.parametrize("n", [1, 7, 8, 13, 40])
def test_solutions_equal_numpys_whatever_fills_the_last_eight(n: int) -> None:
    generator = np.random.default_rng(n)
    moved = generator.uniform(-0.3, 1.0, (n, n))
    left = generator.uniform(0.1, 1.0, n)
    np.fill_diagonal(moved, 0.0)
    A = np.diag(np.abs(moved).sum(axis=0) + left) - moved
    M = tiles(A)
    b = vector(n)
    sums = vector(n)
    b.flat[:n] = generator.uniform(0.0, 1.0, n)
    sums.flat[:n] = A.sum(axis=0)
    for k in range(n, sums.flat.size):  # as a step fills it
        M[k // 8, k // 8, 9 * (k % 8)] = sums.flat[k] = 1.0
    expected = np.linalg.solve(A, b.flat[:n])
    lower = eights(8 * b.flat.size).reshape(1, -1, 64)
    factorise(M, sums.eights, lower, eights(n))
    substitute(M, lower, b.eights)
    assert b.flat[:n] == pytest.approx(expected, rel=1e-12)
    assert not b.flat[n:].any()


def test_mass_is_kept_where_bins_exchange_it_1e15_times_faster_than_they_lose_it() -> None:
    generator = np.random.default_rng(0)
    n = 13
    left = 1e-15
    moved = generator.uniform(0.1, 1.0, (n, n))
    np.fill_diagonal(moved, 0.0)
    M = tiles(np.diag(moved.sum(axis=0) + left) - moved)
    b = vector(n)
    sums = vector(n)
    b.flat[:n] = generator.uniform(0.0, 1.0, n)
    sums.flat[:n] = left
    for k in range(n, sums.flat.size):
        M[k // 8, k // 8, 9 * (k % 8)] = sums.flat[k] = 1.0
    total = b.flat.sum()
    lower = eights(8 * b.flat.size).reshape(1, -1, 64)
    factorise(M, sums.eights, lower, eights(n))
    substitute(M, lower, b.eights)
    assert left * b.flat.sum() == pytest.approx(total, rel=1e-13)


def test_no_optical_depth_of_a_step_is_above_its_bound() -> None:
    generator = np.random.default_rng(1)
    n = 5
    out = np.empty(9)
    tau_weight = generator.uniform(0.1, 1.0, n)
    for _ in range(200):
        y0 = generator.uniform(0.0, 1.0, 9)
        y1 = generator.uniform(0.0, 1.0, 9)
        bend = generator.normal(0.0, 2.0, (3, 9))
        bound = highest_tau(OpacityLaw(np.zeros(1), tau_weight[None, :]), (y0, y1, bend))
        for x in np.linspace(0.0, 1.0, 41):
            interpolate(y0, y1, bend, x, n, out)
            assert tau_weight @ out[:n] <= bound * (1.0 + 1e-14)
