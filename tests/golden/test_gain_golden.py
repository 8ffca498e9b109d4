"""Collision rates and their gain against the golden numbers.

In these the unbound share is 1 - F with F rounded.
"""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from marsdisk.physics.collide import compute_collision_kernel_C1
from marsdisk.physics.collisions_smol import _fragment_tensor
from marsdisk.physics.fragments import FragmentTensor
from marsdisk.physics.grid import Array
from marsdisk.physics.qstar import QStarLaw
from marsdisk.physics.smol import _gain_tensor, gain_workspace_of

GAIN = np.load(Path(__file__).parents[1] / "data" / "gain.npz")
KERNELS = {"1": ("v", "H"), "2": ("vm", "H2")}  # one speed and height, or one for each pair and bin
FORMS = ("factored", "dense")


def golden_arrays(n: int, *names: str) -> list[Array]:
    return [GAIN[f"n{n}__{name}"] for name in names]


def kernel(n: int, which: str) -> Array:
    N, s, v, H = golden_arrays(n, "N", "s", *KERNELS[which])
    return compute_collision_kernel_C1(N, s, H, v)


@pytest.mark.parametrize("which", KERNELS)
@pytest.mark.parametrize("n", [12, 40])
def test_collision_kernel(n: int, which: str) -> None:
    assert kernel(n, which) == pytest.approx(golden_arrays(n, f"C{which}")[0], rel=1e-12)


def gain(n: int, which: str, tensor: FragmentTensor, form: str = "factored") -> Array:
    return _gain_tensor(
        kernel(n, which),
        tensor if form == "factored" else np.asarray(tensor),
        golden_arrays(n, "m")[0],
    )


def tensor_of(n: int, which: str) -> FragmentTensor:
    s, m, edges, rho, v = golden_arrays(n, "s", "m", "edges", "rho", KERNELS[which][0])
    return _fragment_tensor(s, m, edges, v, float(rho), law=QStarLaw())


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("which", KERNELS)
@pytest.mark.parametrize("n", [12, 40])
def test_gain_from_the_tensor_rounded_as_the_golden_one(n: int, which: str, form: str) -> None:
    exact = tensor_of(n, which)
    rounded = dataclasses.replace(exact, unbound=1.0 - (1.0 - exact.unbound))
    assert gain(n, which, rounded, form) == pytest.approx(
        golden_arrays(n, f"gain{which}")[0], rel=1e-10
    )


@pytest.mark.parametrize("which", KERNELS)
@pytest.mark.parametrize("n", [12, 40])
def test_both_forms_of_the_tensor_give_the_same_gain(n: int, which: str) -> None:
    exact = tensor_of(n, which)
    assert gain(n, which, exact, "factored") == pytest.approx(
        gain(n, which, exact, "dense"), rel=1e-12, abs=0.0
    )


@pytest.mark.parametrize("which", KERNELS)
@pytest.mark.parametrize("n", [12, 40])
def test_ready_made_sums_of_masses_change_nothing(n: int, which: str) -> None:
    (m,) = golden_arrays(n, "m")
    exact = tensor_of(n, which)
    events = kernel(n, which)
    ready = gain_workspace_of(m)
    for tensor in (exact, np.asarray(exact)):
        assert np.array_equal(
            _gain_tensor(events, tensor, m, workspace=ready), _gain_tensor(events, tensor, m)
        )


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("which", KERNELS)
@pytest.mark.parametrize("n", [12, 40])
def test_the_exact_unbound_share_changes_the_gain_by_no_more_than_round_off(
    n: int, which: str, form: str
) -> None:
    m, golden = golden_arrays(n, "m", f"gain{which}")
    exact = tensor_of(n, which)
    events = np.triu(kernel(n, which)) * np.add.outer(m, m)
    round_off = 1.2e-16 * np.einsum("ijk,ij->k", exact.weights[exact.k_lr], events) / m
    assert np.all(np.abs(gain(n, which, exact, form) - golden) <= round_off + 1e-10 * golden)


@pytest.mark.parametrize("n", [12, 40])
def test_a_scalar_height_is_the_same_height_everywhere(n: int) -> None:
    N, s, H = golden_arrays(n, "N", "s", "H")
    assert np.all(H[0] == H)
    assert compute_collision_kernel_C1(N, s, float(H[0]), 1500.0) == pytest.approx(
        compute_collision_kernel_C1(N, s, H, 1500.0), rel=1e-15
    )
