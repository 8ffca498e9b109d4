"""Collision rates and the gain they feed against the golden numbers."""

from pathlib import Path

import numpy as np
import pytest

from marsdisk.physics.collide import compute_collision_kernel_C1
from marsdisk.physics.collisions_smol import _fragment_tensor
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


@pytest.mark.parametrize("which", KERNELS)
@pytest.mark.parametrize("n", [12, 40])
def test_gain_from_the_dense_tensor(n: int, which: str) -> None:
    s, m, edges, rho, v = given(n, "s", "m", "edges", "rho", KERNELS[which][0])
    dense = np.asarray(_fragment_tensor(s, m, edges, v, float(rho), law=QStarLaw()))
    events = np.triu(kernel(n, which)) * np.add.outer(m, m)
    gain = np.einsum("kij,ij->k", dense, events) / m
    assert gain == pytest.approx(given(n, f"gain{which}")[0], rel=1e-10)


@pytest.mark.parametrize("n", [12, 40])
def test_a_scalar_height_is_the_same_height_everywhere(n: int) -> None:
    N, s, H = given(n, "N", "s", "H")
    assert np.all(H == H[0])
    assert compute_collision_kernel_C1(N, s, float(H[0]), 1500.0) == pytest.approx(compute_collision_kernel_C1(N, s, H, 1500.0), rel=1e-15)
