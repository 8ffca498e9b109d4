"""Energy of collisions: golden numbers, a fine sum over time, and runs that it does not change."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from marsdisk.common.errors import ConfigError
from marsdisk.config import RunConfig
from marsdisk.physics.collide import compute_collision_kernel_C1, pair_areas, rate_coefficient
from marsdisk.physics.collisions_smol import _fragment_tensor
from marsdisk.physics.energy import energy_rates, energy_terms, relative_energy, retained_fraction
from marsdisk.physics.grid import grain_mass
from marsdisk.physics.orbit import annulus_area
from marsdisk.physics.qstar import QStarLaw
from marsdisk.result import RunResult
from marsdisk.run.derived import derive
from marsdisk.zero_d import run_zero_d

GAIN = np.load(Path(__file__).parents[1] / "data" / "gain.npz")
Shipped = Callable[..., RunConfig]


@pytest.mark.parametrize("n", [12, 40])
def test_rates_are_the_golden_ones(n: int) -> None:
    N, s, m, H, edges, v, rho, golden = (
        GAIN[f"n{n}__{name}"] for name in ("N", "s", "m", "H", "edges", "v", "rho", "energy_stats")
    )
    tensor = _fragment_tensor(s, m, edges, float(v), float(rho), law=QStarLaw())
    terms = energy_terms(
        rate_coefficient(pair_areas(s), float(H[0]), float(v)), tensor, m, float(v), 0.1, 0.25
    )
    relative, retained = energy_rates(N * m, terms)
    assert (relative, relative - retained, retained) == pytest.approx(golden[:3], rel=1e-10)
    events = np.triu(compute_collision_kernel_C1(N, s, float(H[0]), float(v)))
    kept = retained_fraction(tensor.unbound, 0.1, 0.25)
    assert np.sum(events * kept) / events.sum() == pytest.approx(golden[3], rel=1e-10)
    assert retained / relative == pytest.approx(golden[4], rel=1e-10)
    assert np.sum(events * relative_energy(m, float(v))) == pytest.approx(relative, rel=1e-12)


def test_the_sum_over_a_run_is_the_rate_over_time(shipped: Shipped) -> None:
    config = shipped(
        "melt_simple",
        {
            "energy.enabled": True,
            "numerics.t_end_years": 0.01,
            "output": {"samples": 2001, "snapshots": 2001, "decades": 8.0},
        },
    )
    result = run_zero_d(config)
    derived = derive(config)
    m = grain_mass(result.s, 3270.0)
    tensor = _fragment_tensor(
        result.s,
        m,
        result.s_edges,
        derived.v_rel,
        3270.0,
        derived.alpha_mass,
        law=config.qstar.law(),
    )
    terms = energy_terms(
        rate_coefficient(pair_areas(result.s), derived.H, derived.v_rel),
        tensor,
        m,
        derived.v_rel,
        0.1,
        0.25,
    )
    relative, retained = np.array([energy_rates(N * m, terms) for N in result.N]).T * annulus_area(
        1.0, 2.7
    )
    assert result.E_collisions == pytest.approx(np.trapezoid(relative, result.t), rel=2e-3)
    assert result.E_dissipated == pytest.approx(
        np.trapezoid(relative - retained, result.t), rel=2e-3
    )
    assert 0.0 < result.E_dissipated < result.E_collisions


def test_summing_energy_changes_nothing_else(shipped: Shipped) -> None:
    with_, without = (
        run_zero_d(shipped("melt_simple", {"energy": energy, "numerics.t_end_years": 0.01}))
        for energy in ({"enabled": True}, {})
    )
    assert np.isnan(without.E_collisions)
    assert np.isnan(without.E_dissipated)
    for field in dataclasses.fields(RunResult):
        if field.name not in {
            "config",
            "E_collisions",
            "E_dissipated",
            "wall_time",
            "solver_time",
            "cache",
        }:
            assert np.array_equal(getattr(with_, field.name), getattr(without, field.name)), (
                field.name
            )


@pytest.mark.parametrize(
    "energy",
    [
        {"eps_restitution": 0.3},
        {"enabled": True, "eps_restitution": 0.3, "f_ke_fragmentation": 0.2},
    ],
)
def test_shares_of_energy_that_contradict_each_other_are_refused(
    shipped: Shipped, energy: dict[str, float]
) -> None:
    with pytest.raises(ConfigError, match=r"energy: .*(drop it|give one)"):
        shipped("melt_simple", {"energy": energy})
