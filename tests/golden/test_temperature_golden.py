"""Cooling of Mars against the golden numbers.

The golden line of linear cooling goes with the wrong power of T_0, so that it is right at 4000 K
only, and there to the three digits of its 717 days. It is compared there; its closed form is tested
in tests/physics/test_laws_of_mars.py.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from marsdisk.physics.temperature import (
    TemperatureLaw,
    first_time_at_or_below,
    linear,
    slab,
    temperature_and_slope,
)

GOLDEN = json.loads((Path(__file__).parents[1] / "data" / "temperature.json").read_text())
PARAMETERS = GOLDEN["params"]
LAYER = (PARAMETERS["d_layer"], PARAMETERS["rho"], PARAMETERS["cp"])
RIGHT_AT = 4000.0  # K
AT_4000_K = [case for case in GOLDEN["cooling_time"] if case["T0"] == RIGHT_AT]


def slab_from(T0: float) -> TemperatureLaw:
    return slab(T0, *LAYER)


def name_of(case: dict[str, Any]) -> str:
    return f"{case['T0']:g}-{case['T']:g}"


@pytest.mark.parametrize("case", GOLDEN["cooling"], ids=lambda case: f"{case['T0']:g}")
def test_temperature_of_a_slab_over_time(case: dict[str, Any]) -> None:
    values = [temperature_and_slope(slab_from(case["T0"]), t)[0] for t in case["t"]]
    assert values == pytest.approx(case["slab"], rel=1e-12)


@pytest.mark.parametrize("case", GOLDEN["cooling_time"], ids=name_of)
def test_time_of_a_slab_to_a_temperature(case: dict[str, Any]) -> None:
    time = first_time_at_or_below(slab_from(case["T0"]), case["T"])
    assert time == pytest.approx(case["t_slab"], rel=1e-12)


@pytest.mark.parametrize("case", AT_4000_K, ids=name_of)
def test_time_of_linear_cooling_to_a_temperature(case: dict[str, Any]) -> None:
    time = first_time_at_or_below(linear(case["T0"], *LAYER), case["T"])
    assert time == pytest.approx(case["t_hyodo"], rel=1e-3)
