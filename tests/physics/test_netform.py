"""The net right-hand side against a plain triple loop in exact arithmetic, and its Jacobian."""

from fractions import Fraction

import numpy as np
import pytest
from setups import Ring, busiest_of, jacobian_of, make_ring, rate_of

from marsdisk.physics.grid import Array


def states(n: int) -> list[Array]:
    generator = np.random.default_rng(n)
    return [
        make_ring(n).c0,
        generator.uniform(0.1, 1.0, n),
        10.0 ** generator.uniform(-12.0, 0.0, n),
    ]


def plain_triple_loop(c: Array, ring: Ring) -> tuple[list[Fraction], list[Fraction]]:
    """Return gain minus loss of every bin [kg/(m2 s)], and the sum of what was moved there.

    Both are from fractions of the same doubles. Of a target that stays in its bin, only what it
    gained or lost is moved.
    """
    n = c.size
    m = [Fraction(float(x)) for x in ring.masses]
    dust = [Fraction(float(x)) for x in c]
    I = [Fraction(float(x)) for x in ring.tensor.weights[-1]]  # noqa: E741 - fragment integrals by bin
    rate = [Fraction(0)] * n
    moved = [Fraction(0)] * n
    for i in range(n):
        for j in range(i, n):
            events = (
                Fraction(float(ring.coefficient[i, j]))
                * dust[i]
                * dust[j]
                / (m[i] * m[j])
                / (2 if i == j else 1)
            )
            u = Fraction(float(ring.tensor.unbound[i, j]))
            K = int(ring.tensor.k_lr[i, j])
            for k in range(n):
                share = I[k] / sum(I[: K + 1]) if k <= K else Fraction(0)
                Y = (1 - u) * (k == K) + u * share
                rate[k] += events * (Y * (m[i] + m[j]) - m[i] * (k == i) - m[j] * (k == j))
                remnant = (
                    abs((1 - u) * (m[i] + m[j]) - m[j] * (j == K)) if k == K else m[j] * (k == j)
                )
                moved[k] += events * (u * share * (m[i] + m[j]) + m[i] * (k == i) + remnant)
    return rate, moved


@pytest.mark.parametrize("alpha", [0.5, 3.5])
@pytest.mark.parametrize("state", range(3))
@pytest.mark.parametrize("v_rel", [30.0, 1500.0, 4500.0])
def test_the_net_form_equals_exact_arithmetic(v_rel: float, state: int, alpha: float) -> None:
    ring = make_ring(8, v_rel=v_rel, alpha=alpha)
    c = states(8)[state]
    exact, moved = plain_triple_loop(c, ring)
    assert sum(exact) == 0
    rate = rate_of(c, ring)
    for k in range(8):
        assert abs(Fraction(float(rate[k])) - exact[k]) <= Fraction(1, 10**13) * moved[k], k


@pytest.mark.parametrize("state", range(3))
@pytest.mark.parametrize("n", [8, 24])
def test_the_jacobian_equals_central_differences(n: int, state: int) -> None:
    ring = make_ring(n)
    c = states(n)[state]
    J = jacobian_of(c, ring)
    busiest = busiest_of(c, ring)
    for k in range(n):  # of a quadratic function central differences are exact, however long
        step = np.zeros(n)
        step[k] = max(c[k], 1e-3 * c.max())
        up = rate_of(c + step, ring, busiest)
        down = rate_of(c - step, ring, busiest)
        scale = np.abs(up).max() / step[k]
        assert J[:, k] == pytest.approx((up - down) / (2.0 * step[k]), rel=1e-9, abs=1e-12 * scale)


@pytest.mark.parametrize("state", range(3))
@pytest.mark.parametrize("n", [8, 24, 40])
def test_what_leaves_a_bin_arrives_in_others(n: int, state: int) -> None:
    ring = make_ring(n)
    c = states(n)[state]
    J = jacobian_of(c, ring)
    assert np.all(np.abs(J.sum(axis=0)) <= 1e-14 * np.abs(J).sum(axis=0))
    rate = rate_of(c, ring)
    assert abs(rate.sum()) <= 1e-15 * np.abs(rate).sum()


@pytest.mark.parametrize("n", [8, 24, 40])
def test_the_jacobian_times_the_state_is_twice_the_rate(n: int) -> None:
    ring = make_ring(n)
    J = jacobian_of(ring.c0, ring)
    rate = rate_of(ring.c0, ring)
    assert J @ ring.c0 == pytest.approx(
        2.0 * rate, rel=1e-9, abs=1e-12 * np.abs(J * ring.c0).sum(axis=1).max()
    )
