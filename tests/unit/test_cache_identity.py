"""Runs with the same cache identity share all arrays of collisions; others rebuild some."""

from collections.abc import Callable
from typing import Any

import pytest

from marsdisk.cache import CacheKind, RunCache
from marsdisk.config import RunConfig
from marsdisk.run.derived import cache_identity
from marsdisk.zero_d import run_zero_d

Shipped = Callable[..., RunConfig]
COLLISIONS = [i for i, kind in enumerate(CacheKind) if kind is not CacheKind.SUPPLY_WEIGHTS]
SHORT = {"numerics": {"t_end_orbits": 1.0}}
SAME = [
    {"temperature.T0": 3000.0},
    {"optical_depth.tau0_target": 0.5},
    {"supply.mu_orbit10pct": 3.0},
    {"initial.melt_psd.f_fine": 0.1},
    {"blowout.edge": "sharp"},
    {"output.samples": 10, "output.snapshots": 3},
    {"disk": {"r_in_RM": 1.8, "r_out_RM": 1.9}},
    {"collisions.fragment_law": "number", "collisions.alpha_frag": 6.5},
]
OTHER = [
    {"material.rho": 3000.0},
    {"sizes.n_bins": 39},
    {"sizes.s_min": 2e-7},
    {"sizes.s_max": 2.0},
    {"collisions.alpha_frag": 3.0},
    {"collisions.fragment_law": "number"},
    {"dynamics.e0": 0.1},
    {"dynamics.v_rel": "pericenter"},
    {"disk": {"r_in_RM": 2.0, "r_out_RM": 2.7}},
    {"qstar.table": "basalt"},
    {"qstar.mu": 0.5},
    {"qstar.scale": 2.0},
    {"psd.floor": "blowout"},
]


def identity(config: RunConfig) -> tuple[object, ...]:
    return cache_identity(config)


def rebuilds(first: RunConfig, second: RunConfig) -> int:
    cache = RunCache()
    run_zero_d(first, cache=cache)
    stats = run_zero_d(second, cache=cache).cache
    return int((stats.rebuilds + stats.misses)[COLLISIONS].sum())


@pytest.mark.parametrize("changes", SAME, ids=str)
def test_equal_identity_means_nothing_is_rebuilt(shipped: Shipped, changes: dict[str, Any]) -> None:
    first = shipped("melt_simple", SHORT)
    second = shipped("melt_simple", {**SHORT, **changes})
    assert identity(first) == identity(second)
    assert rebuilds(first, second) == 0


@pytest.mark.parametrize("changes", OTHER, ids=str)
def test_another_identity_means_something_is_rebuilt(
    shipped: Shipped, changes: dict[str, Any]
) -> None:
    first = shipped("melt_simple", SHORT)
    second = shipped("melt_simple", {**SHORT, **changes})
    assert identity(first) != identity(second)
    assert rebuilds(first, second) > 0


def test_with_the_grid_at_s_blow_the_temperature_is_part_of_the_identity(shipped: Shipped) -> None:
    hot, cool = (
        shipped("melt_simple", {**SHORT, "psd.floor": "blowout", "temperature.T0": T0})
        for T0 in (4000.0, 3000.0)
    )
    assert identity(hot) != identity(cool)
