"""Collision rates and the gain they feed against the golden numbers, in which the unbound share is 1 - F with F rounded."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from marsdisk.physics.collide import compute_collision_kernel_C1
from marsdisk.physics.collisions_smol import _fragment_tensor
from marsdisk.physics.fragments import FragmentTensor
from marsdisk.physics.grid import Array
from marsdisk.physics.qstar import QStarLaw

GAIN = np.load(Path(__file__).parents[1] / "data" / "gain.npz")
KERNELS = {"1": ("v", "H"), "2": ("vm", "H2")}  # one speed and height, or one for each pair and bin


def given(n: int, *names: str) -> list[Array]:
    return [GAIN[f"n{n}__{name}"] for name in names]


def kernel(n: int, which: str) -> Array:
    N, s, v, H = given(n, "N", "s", *KERNELS[which])
    return compute_collision_kernel_C1(N, s, H, v)


@pytest.mark.parametrize("which", KERNELS)
@pytest.mark.parametrize("n", [12, 40])
def test_collision_kernel(n: int, which: str) -> None:
    assert kernel(n, which) == pytest.approx(given(n, f"C{which}")[0], rel=1e-12)


def gain(n: int, which: str, tensor: FragmentTensor) -> Array:
    (m,) = given(n, "m")
    events = np.triu(kernel(n, which)) * np.add.outer(m, m)
    return np.einsum("kij,ij->k", np.asarray(tensor), events) / m


def tensor_of(n: int, which: str) -> FragmentTensor:
    s, m, edges, rho, v = given(n, "s", "m", "edges", "rho", KERNELS[which][0])
    return _fragment_tensor(s, m, edges, v, float(rho), law=QStarLaw())


@pytest.mark.parametrize("which", KERNELS)
@pytest.mark.parametrize("n", [12, 40])
def test_gain_from_the_dense_tensor_rounded_as_the_golden_one(n: int, which: str) -> None:
    exact = tensor_of(n, which)
    rounded = dataclasses.replace(exact, unbound=1.0 - (1.0 - exact.unbound))
    assert gain(n, which, rounded) == pytest.approx(given(n, f"gain{which}")[0], rel=1e-10)


@pytest.mark.parametrize("which", KERNELS)
@pytest.mark.parametrize("n", [12, 40])
def test_the_exact_unbound_share_changes_the_gain_by_no_more_than_round_off(n: int, which: str) -> None:
    (m, golden), exact = given(n, "m", f"gain{which}"), tensor_of(n, which)
    events = np.triu(kernel(n, which)) * np.add.outer(m, m)
    round_off = 1.2e-16 * np.einsum("ijk,ij->k", exact.weights[exact.k_lr], events) / m
    assert np.all(np.abs(gain(n, which, exact) - golden) <= round_off + 1e-10 * golden)


@pytest.mark.parametrize("n", [12, 40])
def test_a_scalar_height_is_the_same_height_everywhere(n: int) -> None:
    N, s, H = given(n, "N", "s", "H")
    assert np.all(H[0] == H)
    assert compute_collision_kernel_C1(N, s, float(H[0]), 1500.0) == pytest.approx(compute_collision_kernel_C1(N, s, H, 1500.0), rel=1e-15)
