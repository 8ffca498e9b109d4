"""Supply against the golden numbers.

``powerlaw_bins`` integrates over the true edges of the bins, where the golden numbers used
symmetric intervals about the centres: its shares are compared with the analytic integral instead.
``min_bin`` above the grid, which went into the last bin there, is refused.
"""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from marsdisk.config import RunConfig
from marsdisk.physics.collisions_smol import supply_mass_rate_to_number_source
from marsdisk.physics.constants import M_MARS
from marsdisk.physics.grid import Array, SizeGrid, content_version
from marsdisk.physics.opacity import surface_density_at_tau
from marsdisk.physics.orbit import annulus_area
from marsdisk.physics.supply import Injection, injection_shares, rate_from_orbit_fraction
from marsdisk.zero_d import run_zero_d

GOLDEN = json.loads((Path(__file__).parents[1] / "data" / "supply.json").read_text())
SIZES, EDGES, MASSES, SHARES = (
    np.array(GOLDEN[name]) for name in ("s", "edges", "m", "mass_weights")
)
RHO = 3270.0  # kg/m3
GRID = SizeGrid(EDGES, SIZES, content_version(SIZES), content_version(EDGES))
POSITIVE = [case for case in GOLDEN["cases"] if case["inputs"]["rate"] > 0.0]
ABOVE = [
    case
    for case in POSITIVE
    if case["inputs"]["mode"] == "min_bin" and case["inputs"]["s_min_eff"] > EDGES[-1]
]
EXACT = [
    case for case in POSITIVE if case["inputs"]["mode"] != "powerlaw_bins" and case not in ABOVE
]
POWER_LAW = [case for case in POSITIVE if case["inputs"]["mode"] == "powerlaw_bins"]


def floor_of(inputs: dict[str, Any]) -> float:
    return max(inputs["s_min_eff"], inputs.get("s_inj_min", 0.0))


def injection_of(inputs: dict[str, Any]) -> Injection:
    return Injection(
        **{name: value for name, value in inputs.items() if name != "rate"}, initial_shares=SHARES
    )


def shares_of(inputs: dict[str, Any]) -> Array:
    return injection_shares(injection_of(inputs), GRID, MASSES)


def case_name(case: dict[str, Any]) -> str:
    return "-".join(str(value) for value in case["inputs"].values())


@pytest.mark.parametrize("case", EXACT, ids=case_name)
def test_number_source_of_each_bin(case: dict[str, Any]) -> None:
    source = supply_mass_rate_to_number_source(
        case["inputs"]["rate"], GRID, masses=MASSES, rho=RHO, injection=injection_of(case["inputs"])
    )
    assert source == pytest.approx(np.array(case["F_k"]), rel=1e-12, abs=0.0)
    assert np.sum(MASSES * source) == pytest.approx(case["sum_mF"], rel=1e-12)


@pytest.mark.parametrize(
    "case", [case for case in GOLDEN["cases"] if case not in POSITIVE], ids=case_name
)
def test_no_rate_is_no_source(case: dict[str, Any]) -> None:
    source = supply_mass_rate_to_number_source(
        case["inputs"]["rate"], GRID, masses=MASSES, rho=RHO, injection=injection_of(case["inputs"])
    )
    assert source.tolist() == case["F_k"]


@pytest.mark.parametrize(
    "case", [case for case in POWER_LAW if floor_of(case["inputs"]) < SIZES[-1]], ids=case_name
)
def test_a_power_law_is_integrated_over_the_true_edges(case: dict[str, Any]) -> None:
    inputs = case["inputs"]
    q = inputs["q"]
    low = floor_of(inputs)
    high = min(inputs.get("s_inj_max", math.inf), SIZES[-1])
    shares = shares_of(inputs)
    assert shares.sum() == pytest.approx(1.0, rel=1e-14)
    number = np.zeros(SIZES.size)
    for k in range(SIZES.size):
        a = max(EDGES[k], low)
        b = min(EDGES[k + 1], high)
        if b > a:
            number[k] = (
                math.log(b / a) if q == 1.0 else (a ** (1.0 - q) - b ** (1.0 - q)) / (q - 1.0)
            )
    assert shares == pytest.approx(number * MASSES / np.sum(number * MASSES), rel=1e-12)


@pytest.mark.parametrize(
    "case",
    ABOVE + [case for case in POWER_LAW if floor_of(case["inputs"]) >= SIZES[-1]],
    ids=case_name,
)
def test_a_supply_without_a_size_to_inject_is_refused(case: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no bin takes the supply"):
        shares_of(case["inputs"])


@pytest.mark.parametrize("case", GOLDEN["mu_orbit10pct"], ids=lambda case: f"mu{case['mu']}")
def test_rate_from_a_fraction_per_orbit(case: dict[str, Any]) -> None:
    sigma_ref = surface_density_at_tau(case["tau_ref"], case["phi"] * case["kappa"], case["f_los"])
    assert sigma_ref == pytest.approx(case["Sigma_ref"], rel=1e-12)
    rate = rate_from_orbit_fraction(case["mu"], case["orbit_fraction"], sigma_ref, case["t_orb"])
    assert rate == pytest.approx(case["dotSigma_in"], rel=1e-12)
    assert rate / case["eps_mix"] == pytest.approx(case["const_rate"], rel=1e-12)


def test_a_constant_rate_is_mixed_in_by_its_share(shipped: Callable[..., RunConfig]) -> None:
    golden = GOLDEN["const"]
    supply = {"const_rate": golden["rate"], "epsilon_mix": golden["mixing"]["epsilon_mix"]}
    result = run_zero_d(shipped("melt_simple", {"supply": supply, "numerics.t_end_years": 0.01}))
    area = annulus_area(result.config.disk.r_in_RM, result.config.disk.r_out_RM)
    rate = result.M_supplied * M_MARS / (area * result.t_end)
    assert [rate] * len(golden["values"]) == pytest.approx(
        [value["rate"] for value in golden["values"]], rel=1e-12
    )
