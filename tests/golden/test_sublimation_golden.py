"""Vapour pressure, evaporation, grain temperature and gas drag against the golden numbers."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from marsdisk.physics.constants import R_MARS
from marsdisk.physics.sinks import gas_drag_rates
from marsdisk.physics.sublimation import (
    grain_heating,
    saturation_pressure,
    shrinking_speed_and_slope,
)
from marsdisk.physics.vapour import SETS, vapour_of

DATA = Path(__file__).parents[1] / "data"
GOLDEN = json.loads((DATA / "sublimation.json").read_text())
DRAG = json.loads((DATA / "sinks.json").read_text())["drag"]
ROWS = [(name, row) for name, case in GOLDEN["hkl"].items() for row in case["rows"]]
# of the size that sublimates within a reference time [s], which is |ds/dt| times these
ETA = 0.1
T_REF = 3656.6


@pytest.mark.parametrize(
    ("name", "row"), ROWS, ids=lambda value: value if isinstance(value, str) else f"{value['T']:g}K"
)
def test_pressure_flux_and_shrinking(name: str, row: dict[str, float]) -> None:
    case = GOLDEN["hkl"][name]
    vapour = vapour_of(SETS[name.split("_")[0]], case["rho"], case["P_gas"])
    speed, _ = shrinking_speed_and_slope(vapour, row["T"])
    assert saturation_pressure(vapour, row["T"])[0] == pytest.approx(row["P_sat"], rel=1e-12)
    assert speed * case["rho"] == pytest.approx(row["J"], rel=1e-12, abs=0.0)
    assert -speed == pytest.approx(row["ds_dt"], rel=1e-12, abs=0.0)
    assert ETA * T_REF * speed == pytest.approx(row["s_sink"], rel=1e-12, abs=0.0)


@pytest.mark.parametrize(
    "case",
    GOLDEN["grain_temperature"],
    ids=lambda case: f"{case['T_M']:g}-{case['r_RM']:g}-{case['q_abs']:g}",
)
def test_temperature_of_a_grain(case: dict[str, Any]) -> None:
    assert case["T_M"] * grain_heating(case["r_RM"] * R_MARS, case["q_abs"]) == pytest.approx(
        case["T_grain"], rel=1e-12
    )


@pytest.mark.parametrize("case", DRAG, ids=lambda case: f"{case['s']:g}-{case['rho_g']:g}")
def test_stopping_time_in_gas(case: dict[str, float]) -> None:
    (rate,) = gas_drag_rates(np.array([case["s"]]), case["rho_p"], case["rho_g"])
    assert 1.0 / rate == pytest.approx(case["t_drag"], rel=1e-12)


@pytest.mark.parametrize("T", [1200.0, 1800.0, 2162.0, 2164.0, 3000.0])
@pytest.mark.parametrize("P_gas", [0.0, 1e-3])
def test_the_slope_of_the_shrinking_speed_is_its_derivative(T: float, P_gas: float) -> None:
    vapour = vapour_of(SETS["forsterite"], 3270.0, P_gas)
    h = 1e-4
    up, down = (shrinking_speed_and_slope(vapour, T + x)[0] for x in (h, -h))
    assert shrinking_speed_and_slope(vapour, T)[1] == pytest.approx(
        (up - down) / (2.0 * h), rel=1e-6, abs=1e-300
    )
    assert math.isfinite(up)
