"""Q_D*, largest remnants and fragments against the golden numbers.

The golden tensors hold 1 - F with F rounded to double precision, so that an unbound share below
1e-4 has lost digits there that it has here: entries are compared to 1e-12 and to the round-off of
1.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from marsdisk.physics.collisions_smol import _fragment_tensor
from marsdisk.physics.fragments import fragment_weights, reduced_specific_energy, unbound_fraction
from marsdisk.physics.grid import Array, grain_mass
from marsdisk.physics.qstar import TABLES, QStarLaw, compute_q_d_star_array

DATA = Path(__file__).parents[1] / "data"
QSTAR = json.loads((DATA / "qstar.json").read_text())
REMNANT = json.loads((DATA / "remnant.json").read_text())
FRAGMENTS = np.load(DATA / "fragments.npz")
SPEEDS = {"Y_v300": 300.0, "Y_v1500": 1500.0, "Y_v5000": 5000.0, "Y_vmatrix": None}
ROUND_OFF = 1.2e-16
LAW = QStarLaw()  # forsterite, ba99_cgs, mu = 0.45


@pytest.mark.parametrize(
    "case",
    QSTAR["cases"],
    ids=lambda case: "-".join(str(case[key]) for key in ("table", "units", "mu", "rho")),
)
def test_disruption_threshold(case: dict[str, Any]) -> None:
    law = QStarLaw(
        tuple(tuple(row) for row in QSTAR["tables"][case["table"]]), case["units"], case["mu"]
    )
    s, v = np.meshgrid(QSTAR["s"], QSTAR["v_kms"], indexing="ij")
    assert compute_q_d_star_array(s, case["rho"], v, law) == pytest.approx(
        np.array(case["q_star"]), rel=1e-12
    )


@pytest.mark.parametrize(
    ("name", "golden"), [("basalt", "builtin_default"), ("forsterite", "forsterite_scaled")]
)
def test_named_tables_are_the_golden_ones(name: str, golden: str) -> None:
    assert np.array(TABLES[name]) == pytest.approx(np.array(QSTAR["tables"][golden]), rel=1e-12)


def test_largest_remnant_of_a_given_energy() -> None:
    phi = np.array(REMNANT["phi"])
    assert unbound_fraction(phi) == pytest.approx(
        1.0 - np.array(REMNANT["F_LF"]), rel=1e-12, abs=1e-15
    )


@pytest.mark.parametrize(
    "case", REMNANT["pairs"], ids=lambda case: f"{case['m1']:.2g}-{case['m2']:.2g}"
)
def test_largest_remnant_of_a_pair(case: dict[str, float]) -> None:
    energy = reduced_specific_energy(np.array(case["m1"]), np.array(case["m2"]), case["v"])
    assert float(energy) == pytest.approx(case["Q_R"], rel=1e-12)
    assert float(unbound_fraction(energy / case["qstar"])) == pytest.approx(
        1.0 - case["F_LF"], rel=1e-12, abs=1e-15
    )


@pytest.mark.parametrize("alpha", ["1", "2.5", "3.5"])
@pytest.mark.parametrize("n", [12, 40])
def test_fragment_weights(n: int, alpha: str) -> None:
    weights = fragment_weights(FRAGMENTS[f"weights__n{n}__edges"], float(alpha))
    assert weights == pytest.approx(FRAGMENTS[f"weights__n{n}__alpha{alpha}"], rel=1e-12, abs=0.0)


def tensor(n: int, v: Array | float, alpha: float = 3.5) -> Array:
    s, m, edges, rho = (FRAGMENTS[f"n{n}__{name}"] for name in ("s", "m", "edges", "rho"))
    assert grain_mass(s, float(rho)) == pytest.approx(m, rel=1e-12)
    return np.asarray(_fragment_tensor(s, m, edges, v, float(rho), alpha, law=LAW))


def speed(n: int, name: str) -> Array | float:
    return FRAGMENTS[f"n{n}__v_matrix"] if SPEEDS[name] is None else SPEEDS[name]


@pytest.mark.parametrize("name", SPEEDS)
def test_fragment_tensor_of_12_bins(name: str) -> None:
    assert tensor(12, speed(12, name)) == pytest.approx(
        FRAGMENTS[f"n12__{name}"], rel=1e-12, abs=ROUND_OFF
    )


@pytest.mark.parametrize("alpha", ["1", "2.5"])
def test_fragment_tensor_of_other_exponents(alpha: str) -> None:
    assert tensor(12, 1500.0, float(alpha)) == pytest.approx(
        FRAGMENTS[f"n12__Y_v1500_alpha{alpha}"], rel=1e-12, abs=ROUND_OFF
    )


@pytest.mark.parametrize("name", SPEEDS)
def test_fragment_tensor_of_40_bins(name: str) -> None:
    dense = tensor(40, speed(40, name))
    entries, values, sums = (
        FRAGMENTS[f"n40__{name}__{part}"] for part in ("entries", "values", "sums")
    )
    assert dense.ravel()[entries] == pytest.approx(values, rel=1e-12, abs=ROUND_OFF)
    assert dense.sum(axis=1) == pytest.approx(sums, rel=1e-12)


@pytest.mark.parametrize("name", SPEEDS)
@pytest.mark.parametrize("n", [12, 40])
def test_fragments_hold_all_mass_and_do_not_care_who_hit_whom(n: int, name: str) -> None:
    dense = tensor(n, speed(n, name))
    assert dense.sum(axis=0) == pytest.approx(np.ones((n, n)), rel=1e-14)
    assert dense == pytest.approx(dense.transpose(0, 2, 1), rel=1e-15)
