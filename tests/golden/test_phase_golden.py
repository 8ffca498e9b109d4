"""Phase of the grains against the golden numbers."""

import json
from pathlib import Path
from typing import Any

import pytest

from marsdisk.physics.constants import R_MARS
from marsdisk.physics.phase import LIQUID, SOLID, UNKNOWN, PhaseLaw, phase_of, unsolid_fraction
from marsdisk.physics.sublimation import grain_heating

GOLDEN = json.loads((Path(__file__).parents[1] / "data" / "phase.json").read_text())
BAR = 1e5  # Pa


@pytest.mark.parametrize(
    "case", GOLDEN["threshold"], ids=lambda case: f"{case['T']:g}-{case['P_Pa']:g}-{case['tau']:g}"
)
def test_fraction_and_state(case: dict[str, Any]) -> None:
    law = PhaseLaw(1.0, case["T_condense"], case["T_vaporize"], case["P_Pa"] / BAR)
    assert unsolid_fraction(law, case["T"], case["tau"]) == pytest.approx(case["f_vap"], rel=1e-12)
    phase = phase_of(law, case["T"], case["tau"], UNKNOWN)
    assert (phase == SOLID) == (case["state"] == "solid")
    assert (phase == LIQUID) == (case["bulk"] == "liquid_dominated")


@pytest.mark.parametrize(
    "case", GOLDEN["particle_temperature"], ids=lambda case: f"{case['T_M']:g}-{case['r_RM']:g}"
)
def test_temperature_of_a_particle(case: dict[str, float]) -> None:
    assert case["T_M"] * grain_heating(case["r_RM"] * R_MARS, case["q_abs"]) == pytest.approx(
        case["T_p"], rel=1e-12
    )
