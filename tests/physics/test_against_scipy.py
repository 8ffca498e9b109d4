"""Whole runs of random configurations against SciPy's stiff solvers on the same equations."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from setups import scipy_solution, watched

from marsdisk.config import RunConfig
from marsdisk.io.efficiency_tables import shipped_qext_table
from marsdisk.physics.constants import M_MARS, SIGMA_SB
from marsdisk.physics.orbit import annulus_area, orbital_period, reference_radius
from marsdisk.physics.qpr_table import look_up

RTOL = 1e-6
CASES = range(20)
QUICK = (0, 3, 5, 6)  # each pair of the choices of fragment law, edge and speed once
SOLUTIONS = [
    pytest.param(
        seed, method, marks=() if seed in QUICK and method == "Radau" else pytest.mark.thorough
    )
    for seed in CASES
    for method in ("Radau", "BDF")
]


def drawn(seed: int) -> dict[str, Any]:
    """Draw overrides of the melt configuration; Mars cools so fast that s_blow crosses bins."""
    draw = np.random.default_rng(seed)

    def log(low: float, high: float) -> float:
        return float(10.0 ** draw.uniform(np.log10(low), np.log10(high)))

    r_in = float(draw.uniform(1.0, 2.6))
    r_out = r_in + float(draw.uniform(0.0, 0.3))
    T0 = float(draw.uniform(2500.0, 6000.0))
    orbits = log(1.0, 300.0)
    T_end = T0 * float(draw.uniform(0.5, 1.0))
    t_end = orbits * orbital_period(reference_radius(r_in, r_out))
    return {
        "disk": {"r_in_RM": r_in, "r_out_RM": r_out},
        "material.rho": float(draw.uniform(1000.0, 5000.0)),
        "sizes.n_bins": int(draw.integers(12, 31)),
        "temperature": {
            "law": "slab",
            "T0": T0,
            "depth": 3.0 * SIGMA_SB * t_end / ((T_end**-3 - T0**-3) * 3e6),
        },
        "optical_depth": {"tau0_target": log(0.01, 2.0)},
        "supply.mu_orbit10pct": log(0.1, 10.0),
        "collisions": {
            "fragment_law": ("mass", "number")[seed % 2],
            "alpha_frag": float(draw.uniform(3.0, 4.0)),
        },
        "blowout.edge": ("continuous", "sharp")[seed // 2 % 2],
        "dynamics": {
            "e0": float(draw.uniform(0.05, 0.6)),
            "i0": log(0.01, 0.3),
            "v_rel": ("dispersion", "pericenter")[seed // 4 % 2],
        },
        "numerics": {"t_end_orbits": orbits, "rtol": RTOL, "atol": 1e-18},
    }


def test_the_cases_reach_every_choice_and_many_kinks(shipped: Callable[..., RunConfig]) -> None:
    configs = [shipped("melt_simple", drawn(seed)) for seed in CASES]
    choices = {
        (config.collisions.fragment_law, config.blowout.edge, config.dynamics.v_rel)
        for config in configs
    }
    assert len(choices) == 8
    kinks = [np.count_nonzero(np.diff(watched(config).path.piece)) for config in configs]
    assert sum(kinks) >= 30
    assert sum(count > 0 for count in kinks) >= 15


#: What blow-out can be besides, in a layer that is thick at the start.
LIGHT: dict[str, dict[str, Any]] = {
    "full": {},
    "attenuated": {"blowout.light": "attenuated", "optical_depth.tau0_target": 30.0},
    "bound below": {"blowout.below_window": "bound"},
    "attenuated, bound below": {
        "blowout.light": "attenuated",
        "blowout.below_window": "bound",
        "optical_depth.tau0_target": 3.0,
    },
    "attenuated, opacity with Q_ext": {
        "blowout.light": "attenuated",
        "optical_depth.opacity": "planck",
        "optical_depth.tau0_target": 30.0,
    },
}
OF_LIGHT = [
    pytest.param(seed, "Radau", light, marks=() if seed in QUICK[:2] else pytest.mark.thorough)
    for seed in CASES
    for light in list(LIGHT)[1:]
]


@pytest.mark.parametrize(
    ("seed", "method", "light"),
    [
        *(pytest.param(*case.values, "full", marks=case.marks) for case in SOLUTIONS),
        *OF_LIGHT,
    ],
)
def test_a_run_equals_scipy(
    shipped: Callable[..., RunConfig], seed: int, method: str, light: str
) -> None:
    """Totals agree to rtol, the optical depth and every well-filled bin to ten times rtol.

    The optical depth is that of the dust; well-filled bins have more than 1e-12 of the mass.
    """
    changes = {**drawn(seed), **LIGHT[light]}
    if light != "full":  # whose errors add up to a few rtol
        changes["numerics"] = {**changes["numerics"], "rtol": 0.01 * RTOL}
    config = shipped("melt_simple", changes)
    (c0, terms, drivers, *_), path, result = watched(config)
    y = scipy_solution(c0, terms, drivers, path, method, rtol=1e-9, atol=1e-21)
    c = y[:-1]
    lost = y[-1]
    to_mars = annulus_area(config.disk.r_in_RM, config.disk.r_out_RM) / M_MARS
    assert result.M_loss == pytest.approx(lost * to_mars, rel=RTOL, abs=0.0)
    assert result.Sigma_final == pytest.approx(c.sum(), rel=RTOL, abs=0.0)
    Q: Any = 1.0
    if config.q_ext() is not None:
        Q = look_up(shipped_qext_table("forsterite"), result.s, result.T_M[-1])
    assert result.tau_los[-1] == pytest.approx(
        np.sum(np.pi * result.s**2 * Q * c / terms.masses), rel=10.0 * RTOL, abs=0.0
    )
    filled = c > 1e-12 * c.sum()
    assert np.count_nonzero(filled) >= 10
    assert result.N[-1][filled] == pytest.approx(
        (c / terms.masses)[filled], rel=10.0 * RTOL, abs=0.0
    )
    assert np.abs(c - c0).sum() > 0.01 * c0.sum(), "something should have happened"
