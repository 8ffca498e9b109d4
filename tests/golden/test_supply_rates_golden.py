"""Supply over time against the golden numbers.

Not replayed: the instant at which a falling power law sets in, where the earlier program
regularised by 1e-12 s and gave 1e9 kg/(m2 s); and times before 0, which no run has. Feedback and
reservoirs were sequences of time steps there and are states here; those of feedback are held
against its equation in tests/physics.
"""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from marsdisk.io.law_tables import read_supply_table
from marsdisk.physics.supply import (
    SupplyLaw,
    SupplySegment,
    scale_kinks,
    supply_law,
    supply_rate_and_slope,
    temperature_scale_and_slope,
)

GOLDEN = json.loads((Path(__file__).parents[1] / "data" / "supply_rates.json").read_text())
CASES = {case["label"]: case for case in GOLDEN["rates"]}
OFFSET = 1e-12  # s, of the earlier program


def segment(spec: dict[str, Any], begin: float, end: float, mixed: float) -> SupplySegment:
    if spec["mode"] == "const":
        return SupplySegment(begin, end, mixed * spec["const"]["prod_area_rate_kg_m2_s"])
    law = spec["powerlaw"]
    t0 = max(law["t0_s"], 0.0)
    return SupplySegment(
        max(begin, t0), end, mixed * (law["A_kg_m2_s"] or 0.0), law["index"], t0 - OFFSET
    )


def law_of(spec: dict[str, Any]) -> SupplyLaw:
    mixed = spec["mixing"]["epsilon_mix"]
    if spec["mode"] == "piecewise":
        return supply_law(
            [segment(part, part["t_start_s"], part["t_end_s"], mixed) for part in spec["piecewise"]]
        )
    return supply_law([segment(spec, 0.0, math.inf, mixed)])


@pytest.mark.parametrize("label", ["const", "powerlaw", "piecewise"])
def test_rate_over_time(label: str) -> None:
    case = CASES[label]
    law = law_of(case["spec"])
    for value in case["values"]:
        if value["rate"] < 1.0:
            assert supply_rate_and_slope(law, value["t"])[0] == pytest.approx(
                value["rate"], rel=1e-9, abs=0.0
            )


def test_rate_of_a_table_in_time() -> None:
    """1e-6 kg/(m2 s) until 5e4 s, then nothing within a second."""
    law = supply_law(
        [SupplySegment(times=(0.0, 5e4, 5e4 + 1.0, 1e9), rates=(1e-6, 1e-6, 0.0, 0.0))]
    )
    for value in CASES["table_1d"]["values"]:
        if value["t"] >= 0.0:
            assert supply_rate_and_slope(law, value["t"])[0] == pytest.approx(
                value["rate"], rel=1e-9, abs=1e-20
            )


def test_rate_of_a_table_in_time_and_radius_is_interpolated_inside_and_held_outside(
    tmp_path: Path,
) -> None:
    table = tmp_path / "rates.csv"
    rows = [(t, r, 1e-6 * (1.0 + t / 1e4) * r / 8e6) for t in (0.0, 1e5) for r in (7e6, 8e6, 9e6)]
    table.write_text(
        "t,r,rate\n" + "\n".join(",".join(map(repr, row)) for row in rows), encoding="utf-8"
    )
    for r, nearest in ((7.5e6, 7.5e6), (8.304275e6, 8.304275e6), (5e6, 7e6), (1e7, 9e6)):
        times, rates = read_supply_table(table, r)
        law = supply_law([SupplySegment(times=tuple(times), rates=tuple(rates))])
        for t in (0.0, 5e3, 4e4, 9e4, 2e5):
            expected = 1e-6 * (1.0 + min(t, 1e5) / 1e4) * nearest / 8e6
            assert supply_rate_and_slope(law, t)[0] == pytest.approx(expected, rel=1e-12)
        if r == 8.304275e6:
            for value in CASES["table_2d"]["values"]:
                assert supply_rate_and_slope(law, value["t"])[0] == pytest.approx(
                    value["rate"], rel=1e-12
                )


def test_columns_of_a_table_are_known_by_their_names_and_its_rows_may_come_in_any_order(
    tmp_path: Path,
) -> None:
    table = tmp_path / "rates.csv"
    table.write_text("rate,t\n2,10\n1,0\n", encoding="utf-8")
    assert [values.tolist() for values in read_supply_table(table, 1.0)] == [
        [0.0, 10.0],
        [1.0, 2.0],
    ]
    table.write_text("rate,r,t\n4,2,10\n1,1,0\n3,1,10\n2,2,0\n", encoding="utf-8")
    assert [values.tolist() for values in read_supply_table(table, 1.5)] == [
        [0.0, 10.0],
        [1.5, 3.5],
    ]


@pytest.mark.parametrize("power", [1e-5, -1e-5, 1e-300, 20.0])
def test_a_bound_that_no_temperature_of_mars_reaches_is_no_kink(power: float) -> None:
    law = supply_law([SupplySegment(A=1e-4)], (1e-6, 1800.0, power, 0.0, 1e6))
    kinks = scale_kinks(law)
    assert len(kinks) == (power == 20.0)
    assert all(temperature_scale_and_slope(law, T)[0] == pytest.approx(1e6) for T in kinks)


def test_factor_of_the_temperature() -> None:
    case = GOLDEN["temperature"]["spec_extra"]["temperature"]
    law = supply_law(
        [SupplySegment(A=1e-4)],
        (1.0, case["reference_K"], case["exponent"], case["floor"], case["cap"]),
    )
    for step in GOLDEN["temperature"]["steps"]:
        factor, slope = temperature_scale_and_slope(law, step["T"])
        assert factor == pytest.approx(step["temperature_scale"], rel=1e-12)
        up = temperature_scale_and_slope(law, step["T"] * (1.0 + 1e-7))[0]
        assert slope == pytest.approx((up - factor) / (step["T"] * 1e-7), rel=1e-5, abs=1e-12)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("t,rate\n0,1\n", "two different times"),
        ("t,rate\n0,1\n0,2\n", "two different times"),
        ("t,rate\n0,1\n1,1\n1,2\n", "t = 1 has 2 rates; give one$"),
        (
            "t,r,rate\n0,1,1\n1,1,1\n1,2,1\n",
            "t = 0, r = 2 m has no rate; give one for each time and radius",
        ),
        (
            "t,r,rate\n0,1,1\n1,1,1\n0,1,2\n",
            "t = 0, r = 1 m has 2 rates; give one for each time and radius",
        ),
        ("t,r,rate\n0,0,1\n1,0,1\n", "line 2: r = 0 must be above 0"),
        ("t,rate\n0,-1\n1,1\n", "line 2: rate = -1 must be at least 0"),
        ("t\n0\n1\n", "the columns are t; name them t and rate, or t, r and rate"),
        ("time,rate\n0,1\n1,1\n", "the columns are time, rate; name them"),
        ("0,1\n1,1\n", "the columns are 0, 1; name them"),
        ("t,rate\n", "no data"),
    ],
)
def test_a_table_that_is_none_is_refused(tmp_path: Path, text: str, words: str) -> None:
    table = tmp_path / "t.csv"
    table.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=words):
        read_supply_table(table, 1.0)


def test_segments_must_not_overlap_and_a_falling_law_needs_its_offset() -> None:
    with pytest.raises(ValueError, match="without overlap"):
        supply_law([SupplySegment(0.0, 10.0, 1.0), SupplySegment(5.0, 20.0, 1.0)])
    with pytest.raises(ValueError, match="t_offset > 0"):
        supply_law([SupplySegment(A=1.0, exponent=-1.0)])
    assert np.isfinite(
        supply_rate_and_slope(supply_law([SupplySegment(A=1.0, exponent=-1.0, t0=-1.0)]), 0.0)[0]
    )
