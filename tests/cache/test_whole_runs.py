"""A cache never changes a number of a run: shared, private or off, in any order of the runs."""

import dataclasses
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from marsdisk.cache import REASONS, CacheKind, CacheStats, RunCache
from marsdisk.classic.scheme import classic_disk
from marsdisk.config import RunConfig
from marsdisk.physics.dynamics import dispersion_speed
from marsdisk.physics.smol import ImexWorkspace
from marsdisk.result import RunResult
from marsdisk.run.derived import derive
from marsdisk.run.start import disk_at_start
from marsdisk.zero_d import run_zero_d

Shipped = Callable[..., RunConfig]
KINDS = list(CacheKind)
SHORT = {"numerics": {"t_end_years": 0.02}}
VARIANTS: list[dict[str, Any]] = [
    {},
    {"initial.melt_psd.f_fine": 0.2},
    {"collisions.alpha_frag": 3.0},
    {"collisions.alpha_frag": 3.0, "collisions.fragment_law": "number"},
    {"material.rho": 2500.0},
    {"disk": {"r_in_RM": 2.2, "r_out_RM": 2.7}},
    {"dynamics.i0": 0.02},
    {"qstar.table": "basalt"},
    {"sizes.n_bins": 30},
    {"sizes.s_min": 2e-7},
    {"supply": {"injection": "powerlaw_bins", "q": 3.0}},
    {"supply": {"injection": "min_bin", "s_inj_min": 1e-5}},
    {"psd.floor": "blowout", "blowout.edge": "sharp"},
    {"temperature.T0": 3000.0, "supply.mu_orbit10pct": 5.0},
]


def assert_same_bits(first: RunResult, second: RunResult) -> None:
    for field in dataclasses.fields(RunResult):
        if field.name not in {"wall_time", "solver_time", "cache"}:
            a = getattr(first, field.name)
            b = getattr(second, field.name)
            if isinstance(a, np.ndarray | float):
                assert np.array_equal(a, b, equal_nan=True), field.name
            else:
                assert a == b, field.name


def reasons(stats: CacheStats) -> dict[str, dict[str, int]]:
    rows = {}
    for kind, counts in zip(KINDS, stats.invalidations, strict=True):
        row = {reason: int(count) for reason, count in zip(REASONS, counts, strict=True) if count}
        if row:
            rows[kind.value] = row
    return rows


#: The same changes where the classic scheme can follow: grains alike enough for its step.
CLASSIC = {
    "sizes": {"s_min": 1e-4, "s_max": 1e-2, "n_bins": 20},
    "initial": {"s0_mode": "upper"},
    "optical_depth.tau_stop": None,
}
CLASSIC_SHORT = {"numerics": {"scheme": "imex_bdf1", "t_end_orbits": 2e-4}}
CLASSIC_VARIANTS: list[dict[str, Any]] = [
    {},
    {"collisions.alpha_frag": 3.0},
    {"material.rho": 2500.0},
    {"dynamics.i0": 0.02},
    {"qstar.table": "basalt"},
    {"sizes.n_bins": 16},
    {"supply": {"injection": "powerlaw_bins", "q": 3.0}},
    {"psd.alpha": 3.0},
]


ONCE_AND_BACK = [*range(len(CLASSIC_VARIANTS)), 0]
TWICE = np.random.default_rng(1).permutation(2 * len(CLASSIC_VARIANTS)) % len(CLASSIC_VARIANTS)


@pytest.mark.parametrize(
    ("order", "orbits"),
    [(ONCE_AND_BACK, 4e-5), pytest.param(TWICE, 2e-4, marks=pytest.mark.thorough)],
    ids=["once and back", "twice, longer"],
)
def test_classic_runs_that_share_a_cache_give_the_same_bits_after_hundreds_of_hits(
    shipped: Shipped, order: Sequence[int], orbits: float
) -> None:
    length = {"numerics": {"scheme": "imex_bdf1", "t_end_orbits": orbits}}
    shared = RunCache()
    for i in order:
        config = shipped("melt_simple", {**CLASSIC, **length, **CLASSIC_VARIANTS[i]})
        result = run_zero_d(config, cache=shared)
        assert result.steps > 100
        assert result.cache.hits[KINDS.index(CacheKind.FRAGMENT_TENSOR)] >= result.steps - 1
        assert_same_bits(result, run_zero_d(config, cache=RunCache(enabled=False)))


def test_a_thousand_classic_steps_give_the_same_bits_with_and_without_a_cache(
    shipped: Shipped,
) -> None:
    config = shipped(
        "melt_simple",
        {**CLASSIC, "numerics": {"scheme": "imex_bdf1", "t_end_orbits": 1e-3, "dt": 0.01}},
    )
    result = run_zero_d(config)
    assert result.steps >= 1000
    assert result.cache.hit_rate > 0.99
    assert_same_bits(result, run_zero_d(config, cache=RunCache(enabled=False)))


def test_a_speed_that_changes_at_every_step_is_noticed_at_every_step(shipped: Shipped) -> None:
    config = shipped("melt_simple", CLASSIC)
    derived = derive(config)
    cache = RunCache()
    disk = disk_at_start(config, cache)
    N = {"cached": disk.sigma_0 * disk.shares / disk.masses}
    N["cold"] = N["cached"]
    workspace = ImexWorkspace.for_bins(20)
    cache.restart_counts()
    for step in range(200):
        e = 0.5 * 0.99**step  # collisions damp the orbits
        classic = classic_disk(config, derived, disk)._replace(
            v_rel=dispersion_speed(3000.0, e, 0.05)
        )
        for name, used in (("cached", cache), ("cold", RunCache())):
            N[name] = classic.step(N[name], 1.0, cache=used, workspace=workspace).N_new
        assert np.array_equal(N["cached"], N["cold"])
    assert reasons(cache.stats()) == {
        "fragment_tensor": {"v_rel": 199},
        "qstar_matrix": {"v_rel": 199},
    }


@pytest.mark.parametrize(
    "short", [SHORT, {**CLASSIC, **CLASSIC_SHORT}], ids=["rosenbrock", "imex_bdf1"]
)
def test_runs_of_different_material_in_one_process_do_not_touch_each_other(
    shipped: Shipped, short: dict[str, Any]
) -> None:
    configs = [
        shipped("melt_simple", {**short, "qstar.table": table, "material.rho": rho})
        for table, rho in (("basalt", 3000.0), ("forsterite", 3270.0))
    ]
    alone = [run_zero_d(config) for config in configs]
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(run_zero_d, 5 * configs))
    for i, result in enumerate(results):
        assert_same_bits(result, alone[i % 2])


@pytest.mark.parametrize("seed", range(3))
def test_shared_own_or_no_cache_give_the_same_bits(shipped: Shipped, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(2 * len(VARIANTS)) % len(VARIANTS)
    shared = RunCache()
    for i in order:
        config = shipped("melt_simple", {**SHORT, **VARIANTS[i]})
        with_shared = run_zero_d(config, cache=shared)
        assert_same_bits(with_shared, run_zero_d(config))
        assert_same_bits(with_shared, run_zero_d(config, cache=RunCache(enabled=False)))


def test_the_variants_do_give_different_results(shipped: Shipped) -> None:
    losses = [
        run_zero_d(shipped("melt_simple", {**SHORT, **variant})).M_loss for variant in VARIANTS
    ]
    assert len(set(losses)) == len(VARIANTS)


class Counting(RunCache):
    """Counts its lookups for itself."""

    requests = 0

    def lookup(self, kind: str, key: Mapping[str, Hashable], build: Callable[[], Any]) -> Any:
        self.requests += 1
        return super().lookup(kind, key, build)


def test_the_counters_of_a_run_are_those_of_its_lookups(shipped: Shipped) -> None:
    cache = Counting()
    for variant in VARIANTS:
        before = cache.requests
        stats = run_zero_d(shipped("melt_simple", {**SHORT, **variant}), cache=cache).cache
        assert (stats.hits + stats.misses + stats.rebuilds).sum() == cache.requests - before
        assert np.array_equal(stats.lookups, stats.hits + stats.misses + stats.rebuilds)
        assert stats.refused.sum() == 0


def test_the_same_run_again_is_all_hits(shipped: Shipped) -> None:
    cache = RunCache()
    first = run_zero_d(shipped("melt_simple", SHORT), cache=cache).cache
    again = run_zero_d(shipped("melt_simple", SHORT), cache=cache).cache
    assert np.array_equal(first.misses > 0, first.bytes > 0)
    assert np.all(first.misses == 1)
    assert again.hit_rate == 1.0
    assert np.array_equal(again.bytes, first.bytes)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"temperature.T0": 3000.0}, {}),
        (
            {"collisions.alpha_frag": 3.0},
            {"weights_table": ["alpha_frag"], "fragment_tensor": ["alpha_frag"]},
        ),
        (
            {"material.rho": 3000.0},
            {
                kind: ["rho"]
                for kind in (
                    "fragment_tensor",
                    "pair_workspace",
                    "qstar_matrix",
                    "gain_workspace",
                    "supply_weights",
                )
            },
        ),
        (
            {"disk": {"r_in_RM": 2.2, "r_out_RM": 2.7}},
            {"fragment_tensor": ["v_rel"], "qstar_matrix": ["v_rel"]},
        ),
        (
            {"qstar.mu": 0.5},
            {"fragment_tensor": ["qstar_signature"], "qstar_matrix": ["qstar_signature"]},
        ),
        ({"initial.melt_psd.f_fine": 0.2}, {"supply_weights": ["initial_version"]}),
    ],
    ids=["T0", "alpha_frag", "rho", "v_rel", "qstar", "f_fine"],
)
def test_a_change_between_runs_is_counted_once_for_its_reason(
    shipped: Shipped, changes: dict[str, Any], expected: dict[str, list[str]]
) -> None:
    cache = RunCache()
    run_zero_d(shipped("melt_simple", SHORT), cache=cache)
    stats = run_zero_d(shipped("melt_simple", {**SHORT, **changes}), cache=cache).cache
    assert reasons(stats) == {kind: dict.fromkeys(fields, 1) for kind, fields in expected.items()}


def test_changes_add_up_over_a_sequence_of_runs(shipped: Shipped) -> None:
    cache = RunCache()
    total = np.zeros((len(KINDS), len(REASONS)), int)
    sequence = [
        {},
        {"collisions.alpha_frag": 3.0},
        {},
        {"material.rho": 3000.0},
        {},
        {"disk": {"r_in_RM": 2.0, "r_out_RM": 2.7}},
    ]
    for changes in sequence:
        total += run_zero_d(
            shipped("melt_simple", {**SHORT, **changes}), cache=cache
        ).cache.invalidations
    tensor = dict(zip(REASONS, total[KINDS.index(CacheKind.FRAGMENT_TENSOR)], strict=True))
    assert {reason: int(count) for reason, count in tensor.items() if count} == {
        "alpha_frag": 2,
        "rho": 2,
        "v_rel": 1,
    }


def test_the_cache_stays_small(shipped: Shipped) -> None:
    cache = RunCache()
    for variant in VARIANTS:
        result = run_zero_d(
            shipped("melt_simple", {**SHORT, **variant}), cache=cache
        ).cache.bytes.sum()
        assert result <= 16 * 8 * 40**2
