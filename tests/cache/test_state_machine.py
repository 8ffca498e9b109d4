"""One cache through any sequence of runs and steps gives what a cold cache gives."""

import dataclasses
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from marsdisk.cache import CacheKind, RunCache, _arrays
from marsdisk.classic.scheme import classic_disk
from marsdisk.config import build_config
from marsdisk.physics.smol import ImexWorkspace
from marsdisk.result import RunResult
from marsdisk.run.derived import derive
from marsdisk.run.start import disk_at_start
from marsdisk.zero_d import run_zero_d

BASE: dict[str, Any] = {
    "disk": {"r_in_RM": 1.0, "r_out_RM": 2.7},
    "temperature": {"law": "slab", "T0": 4000.0},
    "numerics": {"t_end_orbits": 1e-3},
    "output": {"samples": 2, "snapshots": 2},
}
INJECTIONS: list[dict[str, Any]] = [
    {"injection": "min_bin"},
    {"injection": "powerlaw_bins"},
    {"injection": "powerlaw_bins", "q": 3.0, "s_inj_max": 3e-3},
    {"injection": "initial_psd"},
    {"injection": "min_bin", "s_inj_min": 1e-3},
    {"mode": "none"},
]
LARGEST = 20 * 8 * 24**2  # bytes: a few (n, n) arrays of the largest grid


class OneCache(RuleBasedStateMachine):
    """Configuration that changes, and the cache that all its runs share."""

    @initialize()
    def begin(self) -> None:
        self.cache = RunCache()
        self.sections: dict[str, dict[str, Any]] = {
            "sizes": {"s_min": 1e-4, "s_max": 1e-2, "n_bins": 12}
        }

    def put(self, section: str, **values: Any) -> None:
        self.sections[section] = {**self.sections.get(section, {}), **values}

    @rule(rho=st.sampled_from([2500.0, 3270.0, 4000.0]))
    def change_density(self, rho: float) -> None:
        self.put("material", rho=rho)

    @rule(alpha=st.sampled_from([3.0, 3.5, 4.0]), law=st.sampled_from(["mass", "number"]))
    def change_fragments(self, alpha: float, law: str) -> None:
        self.put("collisions", alpha_frag=alpha, fragment_law=law)

    @rule(e0=st.sampled_from([0.1, 0.5]), i0=st.sampled_from([0.02, 0.05]))
    def change_speed(self, e0: float, i0: float) -> None:
        self.put("dynamics", e0=e0, i0=i0)

    @rule(n=st.sampled_from([8, 12, 24]), s_min=st.sampled_from([1e-4, 2e-4]))
    def change_grid_and_smallest_size(self, n: int, s_min: float) -> None:
        self.put("sizes", n_bins=n, s_min=s_min)

    @rule(
        table=st.sampled_from(["forsterite", "basalt"]),
        mu=st.sampled_from([0.45, 0.5]),
        scale=st.sampled_from([1.0, 2.0]),
    )
    def change_material(self, table: str, mu: float, scale: float) -> None:
        self.put("qstar", table=table, mu=mu, scale=scale)

    @rule(injection=st.sampled_from(INJECTIONS), alpha=st.sampled_from([1.83, 3.5]))
    def change_injection(self, injection: dict[str, Any], alpha: float) -> None:
        self.sections["supply"] = injection
        self.put("psd", alpha=alpha)

    @rule(enabled=st.booleans())
    def another_cache(self, enabled: bool) -> None:
        self.cache = RunCache(enabled=enabled)

    @rule()
    def clear(self) -> None:
        self.cache.clear()

    @rule(scheme=st.sampled_from(["rosenbrock", "imex_bdf1"]))
    def run(self, scheme: str) -> None:
        numerics = {"t_end_orbits": 1e-5, "dt": 1.0} if scheme == "imex_bdf1" else BASE["numerics"]
        config = build_config({**BASE, **self.sections, "numerics": {**numerics, "scheme": scheme}})
        shared = run_zero_d(config, cache=self.cache)
        cold = run_zero_d(config, cache=RunCache(enabled=False))
        for field in dataclasses.fields(RunResult):
            if field.name not in {"wall_time", "solver_time", "cache"}:
                a = getattr(shared, field.name)
                b = getattr(cold, field.name)
                if isinstance(a, np.ndarray | float):
                    assert np.array_equal(a, b, equal_nan=True), field.name
                else:
                    assert a == b, field.name
        assert np.array_equal(
            shared.cache.hits + shared.cache.misses + shared.cache.rebuilds, shared.cache.lookups
        )
        # a hit of a tensor does not ask for what it was made of
        looked_up = shared.cache.lookups - cold.cache.lookups
        assert np.all(looked_up <= 0)

    @rule(steps=st.integers(1, 5))
    def steps(self, steps: int) -> None:
        config = build_config({**BASE, **self.sections})
        derived = derive(config)
        N = {}
        for name, cache in (("shared", self.cache), ("cold", RunCache())):
            disk = disk_at_start(config, cache)
            classic = classic_disk(config, derived, disk)
            workspace = ImexWorkspace.for_bins(disk.masses.size)
            N[name] = disk.sigma_0 * disk.shares / disk.masses
            for _ in range(steps):
                N[name] = classic.step(N[name], 1.0, cache=cache, workspace=workspace).N_new
        assert np.array_equal(N["shared"], N["cold"])

    @invariant()
    def what_is_held_is_small_and_cannot_be_written(self) -> None:
        if not hasattr(self, "cache"):
            return
        size = 0
        for kind in CacheKind:
            # the cache hands out no array without counting a hit
            for array in _arrays(self.cache._slots[kind].value):  # noqa: SLF001
                assert not array.flags.writeable
                size += array.nbytes
        assert size == self.cache.stats().bytes.sum() <= LARGEST


test_one_cache_through_anything = OneCache.TestCase
