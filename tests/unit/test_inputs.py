"""Configurations with the same inputs give the same bits; all others are distinguished."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from marsdisk.config import RunConfig
from marsdisk.run.inputs import inputs_digest
from marsdisk.zero_d import run_zero_d

Shipped = Callable[..., RunConfig]
SHORT = {"numerics.t_end_years": 0.01, "sizes.n_bins": 12, "output": {"samples": 4, "snapshots": 2}}


@pytest.mark.parametrize(
    ("common", "first", "second"),
    [
        ({}, {"psd.alpha": 1.83}, {"psd.alpha": 3.0}),
        ({}, {"psd.wavy_strength": 0.0}, {"psd.wavy_strength": 0.5}),
        ({"collisions.enabled": False}, {"qstar.scale": 1.0}, {"qstar.scale": 9.0}),
        ({"collisions.enabled": False}, {"dynamics.i0": 0.05}, {"dynamics.i0": 0.5}),
        (
            {"collisions.enabled": False},
            {"collisions.alpha_frag": 3.0},
            {"collisions.alpha_frag": 4.0},
        ),
        (
            {"blowout": {"enabled": False}},
            {"blowout.edge": "sharp"},
            {"blowout": {"enabled": False}},
        ),
        (
            {"numerics.t_end_until_temperature_K": 1000.0},
            {},
            {"numerics.t_end_until_temperature_K": 2000.0},
        ),
    ],
)
def test_a_key_that_nothing_uses_changes_no_input_and_no_bit(
    shipped: Shipped, common: Any, first: Any, second: Any
) -> None:
    configs = [
        shipped("melt_simple", {**SHORT, **common, **changes}) for changes in (first, second)
    ]
    assert configs[0] != configs[1]
    assert len({inputs_digest(config) for config in configs}) == 1
    left, right = (run_zero_d(config) for config in configs)
    for name in ("M_loss", "Sigma", "N", "tau_los", "s_blow", "t99"):
        assert (
            np.asarray(getattr(left, name)).tobytes() == np.asarray(getattr(right, name)).tobytes()
        ), name


@pytest.mark.parametrize(
    "changes",
    [
        {"temperature.T0": 4001.0},
        {"temperature": {"law": "constant", "T0": 4000.0}},
        {"disk.r_out_RM": 2.71},
        {"material.rho": 3271.0},
        {"sizes.n_bins": 13},
        {"sizes.s_max": 3.1},
        {"initial.melt_psd.f_fine": 0.031},
        {"dynamics.e0": 0.51},
        {"dynamics.i0": 0.051},
        {"dynamics.damping": {"e_eq": 0.1}},
        {"qstar.scale": 1.1},
        {"qstar.mu": 0.5},
        {"collisions.enabled": False},
        {"collisions.alpha_frag": 3.6},
        {"optical_depth.tau0_target": 1.1},
        {"optical_depth.tau_stop": None},
        {"radiation.Q_pr": 1.0},
        {"blowout": {"enabled": False}},
        {"blowout.chi": 1.0},
        {"shielding": {"mode": "analytic"}},
        {"sublimation": {"method": "sink"}},
        {"drag": {"rho_g": 1e-9}},
        {"supply": {"mode": "none"}},
        {"supply.mu_orbit10pct": 2.0},
        {"supply.reservoir": 1e-6},
        {"energy": {"enabled": True}},
        {"numerics.t_end_years": 0.011},
        {"numerics.rtol": 1e-4},
        {"numerics": {"scheme": "imex_bdf1", "t_end_years": 0.01}},
        {"output.samples": 5},
    ],
)
def test_a_key_in_use_changes_the_inputs(shipped: Shipped, changes: dict[str, Any]) -> None:
    assert inputs_digest(shipped("melt_simple", {**SHORT, **changes})) != inputs_digest(
        shipped("melt_simple", SHORT)
    )
