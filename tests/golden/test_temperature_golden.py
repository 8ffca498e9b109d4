"""Cooling of Mars against the golden numbers."""

import json
from pathlib import Path
from typing import Any

import pytest

from marsdisk.physics import temperature
from marsdisk.physics.temperature import TemperatureLaw, first_time_at_or_below, temperature_and_slope

GOLDEN = json.loads((Path(__file__).parents[1] / "data" / "temperature.json").read_text())
PARAMETERS = GOLDEN["params"]


def law(name: str, T0: float) -> TemperatureLaw:
    if name == "slab":
        return temperature.slab(T0, PARAMETERS["d_layer"], PARAMETERS["rho"], PARAMETERS["cp"])
    return temperature.linear(T0, PARAMETERS["d_layer"])


@pytest.mark.parametrize("name", ["slab", "hyodo"])
@pytest.mark.parametrize("case", GOLDEN["cooling"], ids=lambda case: f"{case['T0']:g}")
def test_temperature_over_time(case: dict[str, Any], name: str) -> None:
    values = [temperature_and_slope(law(name, case["T0"]), t)[0] for t in case["t"]]
    assert values == pytest.approx(case[name], rel=1e-12)


@pytest.mark.parametrize("name", ["slab", "hyodo"])
@pytest.mark.parametrize("case", GOLDEN["cooling_time"], ids=lambda case: f"{case['T0']:g}-{case['T']:g}")
def test_time_to_a_temperature(case: dict[str, Any], name: str) -> None:
    assert first_time_at_or_below(law(name, case["T0"]), case["T"]) == pytest.approx(case[f"t_{name}"], rel=1e-12)
