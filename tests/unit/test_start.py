"""What a run can be supplied with at most."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from marsdisk.config import RunConfig
from marsdisk.run.start import available_supply

RATE = {"mode": "const", "const_rate": 1e-8}


@pytest.mark.parametrize(
    ("supply", "mass"),
    [
        ({"mode": "none"}, 0.0),
        ({"mode": "const", "const_rate": 0.0, "reservoir": 1e-6}, 0.0),
        ({"mode": "const", "mu_orbit10pct": 0.0}, 0.0),
        (RATE, math.inf),
        ({**RATE, "reservoir": 1e-6}, 1e-6),
    ],
)
def test_what_can_be_supplied_is_what_the_reservoir_has(
    shipped: Callable[..., RunConfig], supply: dict[str, Any], mass: float
) -> None:
    config = shipped("melt_simple", {"supply": supply})
    assert available_supply(config) == mass
