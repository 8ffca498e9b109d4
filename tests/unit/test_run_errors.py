"""Configurations that only their physics proves bad are refused, naming the key and the fix."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from marsdisk.common.errors import ConfigError, SolverError
from marsdisk.config import RunConfig
from marsdisk.zero_d import run_zero_d

Shipped = Callable[..., RunConfig]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"numerics": {"t_end_until_temperature_K": 4500.0}},
            r"numerics\.t_end_until_temperature_K = 4500: .*lower it or raise T0",
        ),
        (
            {
                "temperature": {"law": "constant", "T0": 3000.0},
                "numerics": {"t_end_until_temperature_K": 2000.0},
            },
            r"t_end_until_temperature_K = 2000: Mars never cools .*give t_end_years too",
        ),
        (
            {"numerics": {"t_end_years": 100.0}},
            r"temperature: Mars is between .* outside \[1000, 6500\] K",
        ),
        (
            {"sizes": {"s_min": 1e-9, "s_max": 1e-7}, "psd.floor": "blowout"},
            r"sizes\.s_max = 1e-07: .*raise s_max",
        ),
    ],
)
def test_a_contradiction_in_the_physics_is_a_configuration_error(
    shipped: Shipped, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        run_zero_d(shipped("melt_simple", changes))


def test_heating_above_the_start_is_refused_where_the_grid_starts_at_s_blow(
    shipped: Shipped, tmp_path: Path
) -> None:
    table = tmp_path / "heating.csv"
    table.write_text("time,T_M\n0,2000\n1e7,3000\n", encoding="utf-8")
    heating = {"temperature": {"law": "table", "path": str(table)}, "psd.floor": "blowout"}
    with pytest.raises(ConfigError, match=r"psd\.floor = 'blowout': .*set psd\.floor: none"):
        run_zero_d(shipped("melt_simple", heating))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "t,T\n0,3000\n1,2000\n",
        "time,T_M\n0,3000\n",
        "time,T_M\n0,3000\n1,warm\n",
        "time,T_M\n0,3000\n1,nan\n",
    ],
)
def test_a_temperature_table_that_cannot_be_used_is_named(
    shipped: Shipped, tmp_path: Path, text: str
) -> None:
    table = tmp_path / "cooling.csv"
    table.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"temperature\.path = .*cooling\.csv"):
        run_zero_d(shipped("melt_simple", {"temperature": {"law": "table", "path": str(table)}}))


def test_too_many_steps_are_an_error_with_advice(shipped: Shipped) -> None:
    with pytest.raises(
        SolverError,
        match=r"numerics\.max_steps = 3 reached at t = .*raise it or loosen numerics\.rtol",
    ):
        run_zero_d(shipped("melt_simple", {"numerics.max_steps": 3}))


def test_a_start_outside_the_grid_is_refused_with_the_keys_to_compare(shipped: Shipped) -> None:
    with pytest.raises(ValueError, match=r"melt-mixture start .*sizes\.s_min"):
        run_zero_d(shipped("melt_simple", {"initial.melt_psd.s_cut": 10.0}))
