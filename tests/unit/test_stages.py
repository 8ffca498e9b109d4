"""Stages that remember give what stages that do not would give."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marsdisk.cache import RunCache
from marsdisk.common.errors import ConfigError
from marsdisk.config import RunConfig, Variations, build_config, merge, read_config
from marsdisk.run.derived import cache_identity, derive
from marsdisk.run.stages import Memory, stage
from marsdisk.run.start import check, disk_at_start, drivers_of, shielding_of
from marsdisk.zero_d import prepare

BASE = read_config(Path(__file__).parents[2] / "configs" / "mars_0d_melt_simple.yaml")
VALUES: dict[str, list[Any]] = {
    "disk": [{"r_in_RM": 1.0, "r_out_RM": 2.7}, {"r_in_RM": 2.0, "r_out_RM": 2.0}],
    "material.rho": [3000.0, 3270.0],
    "sizes.n_bins": [8, 12],
    "sizes.s_min": [1e-7, 1e-3, 2.0],  # above all sizes of the start, or above s_max
    "psd.floor": ["none", "blowout"],
    "temperature.T0": [3000, 4000.0, 900.0],
    "temperature": [{"law": "constant", "T0": 2500.0}],
    "optical_depth.tau0_target": [0.5, 1.0, 1e9],
    "supply.mu_orbit10pct": [0.5, 2.0],
    "blowout.chi": ["auto", 0.5],
    "dynamics.e0": [0.0, 0.5],
    "dynamics.damping": [None, {"e_eq": 0.1}],
    "sublimation.method": ["none", "sink"],
    "numerics.t_end_until_temperature_K": [2000.0, 3500.0],
}


def of_case(config: RunConfig) -> Any:
    """Return all that is computed before a run, as bytes, or the error."""
    try:
        check(config)
        derived = derive(config)
        disk = disk_at_start(config, RunCache())
        return pickle.dumps(
            (
                cache_identity(config),
                derived,
                disk,
                drivers_of(config, derived, disk),
                shielding_of(config),
            )
        )
    except ConfigError as error:
        return error.problems


def config_or_problems(make: Callable[[], RunConfig]) -> RunConfig | list[str]:
    try:
        return make()
    except ConfigError as error:
        return error.problems


@given(
    st.lists(
        st.fixed_dictionaries(
            {}, optional={key: st.sampled_from(values) for key, values in VALUES.items()}
        ),
        min_size=2,
        max_size=12,
    )
)
def test_a_memory_changes_nothing_whatever_came_before(cases: list[dict[str, Any]]) -> None:
    variations = Variations(BASE)
    memory = Memory()
    for overrides in cases:
        alone = config_or_problems(lambda o=overrides: build_config(merge(BASE, o)))
        together = config_or_problems(lambda o=overrides: variations.config(o))
        assert alone == together
        if isinstance(alone, RunConfig) and isinstance(together, RunConfig):
            assert alone.digest() == together.digest()
            assert of_case(alone) == of_case(memory.of(together.__dict__))


def test_a_stage_is_not_done_again_for_the_sections_that_it_read() -> None:
    calls = []

    @stage
    def inner(config: RunConfig) -> float:
        calls.append("inner")
        return config.temperature.T0 if config.blowout.enabled else 0.0  # type: ignore[union-attr]

    @stage
    def outer(config: RunConfig) -> float:
        calls.append("outer")
        return inner(config) * config.material.rho

    variations = Variations(BASE)
    memory = Memory()

    def ask(**overrides: Any) -> float:
        return outer(
            memory.of(
                variations.sections(
                    {key.replace("__", "."): value for key, value in overrides.items()}
                )
            )
        )

    assert ask(temperature__T0=3000.0, dynamics__e0=0.1) == ask(
        temperature__T0=3000.0, dynamics__e0=0.2
    )
    assert calls == ["outer", "inner"]
    ask(temperature__T0=3000.0, material__rho=2000.0)  # read by the outer one alone
    assert calls == ["outer", "inner", "outer"]
    assert ask(blowout__enabled=False, temperature__T0=3000.0) == 0.0
    assert calls[3:] == ["outer", "inner"]
    # without blow-out it did not read the temperature
    assert ask(blowout__enabled=False, temperature__T0=3500.0) == 0.0
    assert calls[5:] == []
    assert inner(variations.config({})) == BASE["temperature"]["T0"]
    assert calls[5:] == ["inner"]


def test_what_a_stage_raises_is_raised_each_time() -> None:
    variations = Variations(BASE)
    memory = Memory()
    for _ in range(2):
        with pytest.raises(ConfigError, match="Mars is between"):
            check(
                memory.of(
                    variations.sections(
                        {
                            "temperature": {"law": "slab", "T0": 6600.0 - 100.1},
                            "numerics.t_end_years": 900.0,
                        }
                    )
                )
            )


def test_more_than_a_memory_holds_is_right_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Memory, "MANY", 3)
    monkeypatch.setattr(Variations, "MANY", 3)
    variations = Variations(BASE)
    memory = Memory()
    for T0 in [*np.linspace(3000.0, 4000.0, 9).tolist()] * 2:
        config = variations.config({"temperature.T0": T0})
        assert derive(memory.of(config.__dict__)).law.T0 == T0


def test_the_last_value_is_given_again_for_the_same_objects_and_equal_numbers_only() -> None:
    memory = Memory()
    array = np.ones(2)
    made = []

    def make(array: np.ndarray, factor: float) -> np.ndarray:
        made.append(factor)
        return array * factor

    first = memory.repeat(make, array, 2.0)
    assert memory.repeat(make, array, float("2")) is first
    assert memory.repeat(make, array, 3.0).tolist() == [3.0, 3.0]
    assert memory.repeat(make, array.copy(), 3.0) is not first
    assert memory.repeat(make, array, 2.0) is not first
    assert made == [2.0, 3.0, 3.0, 2.0]


def test_runs_that_share_their_collisions_share_the_terms_and_others_do_not() -> None:
    variations = Variations(BASE)
    memory = Memory()
    cache = RunCache()

    def terms(**overrides: Any) -> Any:
        config = variations.config(
            {key.replace("__", "."): value for key, value in overrides.items()}
        )
        return prepare(config, cache, memory=memory).solve.args[2]

    first = terms(supply__mu_orbit10pct=0.5)
    assert terms(supply__mu_orbit10pct=2.0) is first
    slower = terms(dynamics__i0=0.01)
    alone = prepare(variations.config({"dynamics.i0": 0.01}), RunCache()).solve.args[2]
    assert not np.array_equal(slower.growth, first.growth)
    assert all(np.array_equal(a, b) for a, b in zip(slower, alone, strict=True))
    assert not terms(collisions__enabled=False).growth.any()
