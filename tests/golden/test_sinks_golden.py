"""Rates of blow-out and sublimation against the golden numbers."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from marsdisk.physics.sinks import blowout_sink_vector, sublimation_sink_rates

GOLDEN = json.loads((Path(__file__).parents[1] / "data" / "sinks.json").read_text())
SUBLIMATION = {
    name: np.array(values) if isinstance(values, list) else values
    for name, values in GOLDEN["sublimation"].items()
}


@pytest.mark.parametrize(
    "case",
    GOLDEN["blowout"],
    ids=lambda case: f"{case['a_blow']}-{case['t_blow']}-{case['enable']}",
)
def test_blowout_of_each_bin(case: dict[str, Any]) -> None:
    rates = blowout_sink_vector(
        np.array(case["edges"]), case["a_blow"], float(case["t_blow"]), enabled=case["enable"]
    )
    assert rates == pytest.approx(np.array(case["S"]), rel=1e-12, abs=0.0)


@pytest.mark.parametrize("t_blow", [0.0, -1.0, np.nan])
def test_nothing_is_blown_out_without_a_time(t_blow: float) -> None:
    assert blowout_sink_vector(np.ones(3), 2.0, t_blow).tolist() == [0.0, 0.0, 0.0]


def test_sublimation_of_each_bin() -> None:
    rates = sublimation_sink_rates(SUBLIMATION["s"], SUBLIMATION["ds_dt"])
    assert rates == pytest.approx(SUBLIMATION["S"], rel=1e-12, abs=0.0)
    assert np.sum(SUBLIMATION["m"] * rates * SUBLIMATION["N"]) == pytest.approx(
        SUBLIMATION["mass_loss_rate"], rel=1e-12
    )


@pytest.mark.parametrize("ds_dt", [3e-9, 0.0, np.nan, -np.inf])
def test_grains_that_do_not_shrink_are_kept(ds_dt: float) -> None:
    assert (
        sublimation_sink_rates(SUBLIMATION["s"], ds_dt).tolist()
        == SUBLIMATION["S_for_positive_dsdt"].tolist()
    )
