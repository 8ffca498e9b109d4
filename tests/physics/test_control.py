"""The control of the step: bins that a step leaves below zero, and steps that overflow."""

from collections.abc import Callable

import numpy as np
import pytest

from marsdisk.config import RunConfig
from marsdisk.solver.control import remove_negatives
from marsdisk.zero_d import run_zero_d


def test_negative_bins_are_paid_for_by_the_others_and_the_total_is_kept() -> None:
    y = np.array([-0.25, 1.0, 2.0, 0.0, 7.0])
    assert remove_negatives(y, 4, 0.25) == 1
    assert y[:4].sum() == pytest.approx(2.75, rel=1e-15)
    assert y[:4] == pytest.approx([0.0, 2.75 / 3.0, 5.5 / 3.0, 0.0], rel=1e-15)
    assert y[4] == 7.0  # no bin, so not touched


@pytest.mark.parametrize(("y", "allowed"), [([-0.25, 1.0], 0.2), ([-2.0, 1.0], 5.0)])
def test_more_below_zero_than_is_allowed_or_there_is_left_alone(
    y: list[float],
    allowed: float,
) -> None:
    bins = np.array(y)
    assert remove_negatives(bins, 2, allowed) == -1
    assert bins.tolist() == y


def test_a_step_that_overflows_is_tried_again_with_a_shorter_one(
    shipped: Callable[..., RunConfig],
) -> None:
    """When s_blow falls to nothing, the next step is the longest so far, and overflows.

    Five bins do not fill a vector of eight.
    """
    changes = {
        "material.rho": 1000.0,
        "sizes": {"s_min": 1e-8, "s_max": 1.0, "n_bins": 5},
        "optical_depth": {"tau0_target": 1.0},
        "supply": {"mu_orbit10pct": 1.0, "injection": "min_bin"},
        "collisions": {"fragment_law": "mass", "alpha_frag": 1.0},
        "blowout": {"chi": 1.0},
        "dynamics": {"e0": 0.0, "i0": 0.1, "v_rel": "dispersion"},
        "qstar": {"table": "forsterite", "scale": 1.0},
        "temperature": {"law": "slab", "T0": 2000.0, "depth": 1e5},
        "numerics": {"t_end_orbits": 10000.0},
    }
    run = run_zero_d(shipped("melt_simple", changes))
    exact = run_zero_d(shipped("melt_simple", {**changes, "numerics.rtol": 1e-6}))
    assert run.M_loss == pytest.approx(exact.M_loss, rel=1e-6)
