"""Single classic steps against the golden numbers: the bare IMEX step, and a whole step of a disk.

Two of the whole steps have a closure that was not taken over. Its rates are made here from the rule
that the golden numbers were made by, and handed to the step: supply spread over symmetric intervals
about the bin centres instead of the bins themselves, and sublimation as a blow-out rate that
depends on the time step. Where speeds were blended with those of injected grains the step gets the
e and i that came out of it.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from marsdisk.physics.collide import compute_collision_kernel_C1
from marsdisk.physics.collisions_smol import CollisionStep, _fragment_tensor, step_collisions
from marsdisk.physics.dynamics import pericenter_speed, scale_height
from marsdisk.physics.grid import Array, grain_mass
from marsdisk.physics.orbit import keplerian_velocity
from marsdisk.physics.qstar import QStarLaw
from marsdisk.physics.sinks import blowout_sink_vector, sublimation_sink_rates
from marsdisk.physics.smol import ImexWorkspace, step_imex_bdf1_C3
from marsdisk.physics.supply import Injection

DATA = Path(__file__).parents[1] / "data"
IMEX = json.loads((DATA / "imex.json").read_text())
WHOLE = json.loads((DATA / "collision_step.json").read_text())
EDGES, SIZES, WIDTHS = (np.array(WHOLE[name]) for name in ("edges", "s", "width"))
LAW = QStarLaw()  # forsterite, ba99_cgs, mu = 0.45


def optional(case: dict[str, Any], name: str) -> Array | None:
    return np.array(case[name]) if name in case else None


@pytest.mark.parametrize("form", ["factored", "dense"])
@pytest.mark.parametrize("case", IMEX, ids=lambda case: case["name"])
def test_one_imex_step(case: dict[str, Any], form: str) -> None:
    N, s, m, edges, H = (np.array(case[name]) for name in ("N", "s", "m", "edges", "H"))
    C = compute_collision_kernel_C1(N, s, H, case["v_rel"])
    factored = _fragment_tensor(s, m, edges, case["v_rel"], case["rho"], law=LAW)
    before = N.copy()
    work = ImexWorkspace.for_bins(N.size)
    golden = case["found"]
    N_new, dt_eff, mass_error = step_imex_bdf1_C3(
        N,
        C,
        factored if form == "factored" else np.asarray(factored),
        optional(case, "S"),
        m,
        case["prod_mass_rate"],
        case["dt"],
        source_k=optional(case, "source"),
        S_external_k=optional(case, "S_external"),
        S_sublimation_k=optional(case, "S_sublimation"),
        extra_mass_loss_rate=case["extra_mass_loss_rate"],
        mass_tol=case["mass_tol"],
        safety=case["safety"],
        workspace=work,
    )
    assert np.array_equal(N, before)
    assert N_new == pytest.approx(np.array(case["N_new"]), rel=1e-10, abs=0.0)
    assert dt_eff == pytest.approx(golden["dt_eff"], rel=1e-10)
    assert mass_error == pytest.approx(golden["mass_error"], rel=0.0, abs=1e-12)
    for name in ("gain", "loss", "sink", "source"):
        assert getattr(work.step_rates(), name) == pytest.approx(
            golden[f"{name}_mass_rate"], rel=1e-10, abs=0.0
        ), name


def numbers_of(number: list[float], sigma: float) -> Array:
    """Return grains per bin [1/m2] of ``sigma`` [kg/m2] from a density [1/m] up to a factor."""
    N = np.array(number) * WIDTHS
    return N * sigma / np.sum(grain_mass(SIZES, 3270.0) * N)


def crossing_rates(case: dict[str, Any]) -> Array:
    """Return the rates [1/s] at which grains shrink below the blow-out size within ``dt``."""
    time = (SIZES - case["a_blow"]) / abs(case["ds_dt_val"])
    return np.where((time > 0.0) & (time <= case["dt"]), 1.0 / time, 0.0)


def arithmetic_source(case: dict[str, Any], m: Array) -> Array:
    """Return the source [1/(m2 s)] of a power law on symmetric intervals about the bin centres."""
    q = case["supply_q"]
    low = max(case["s_min_effective"], case["supply_s_inj_min"])
    a = np.maximum(SIZES - 0.5 * WIDTHS, low)
    b = np.minimum(SIZES + 0.5 * WIDTHS, min(case["supply_s_inj_max"], SIZES[-1]))
    weights = np.where(b > a, (b ** (1.0 - q) - a ** (1.0 - q)) / (1.0 - q), 0.0)
    return weights * case["prod_subblow_area_rate"] / np.sum(weights * m)


def step_of(case: dict[str, Any]) -> tuple[CollisionStep, Array]:
    rho = case["rho"]
    outputs = case["found"]
    m = grain_mass(SIZES, rho)
    N = numbers_of(case["number_in"], case["sigma_surf"])
    H = scale_height(case["r"], outputs["i_kernel_used"])
    v_rel = pericenter_speed(keplerian_velocity(case["r"]), outputs["e_kernel_used"])
    S = blowout_sink_vector(EDGES[:-1], case["a_blow"], case["t_blow"])
    sublimation = None
    rate = case["prod_subblow_area_rate"]
    if case["name"] == "sublimation_mass_conserving":
        S = S + crossing_rates(case)
    elif case["ds_dt_val"] is not None:
        sublimation = sublimation_sink_rates(SIZES, case["ds_dt_val"])
    external = None if case["t_sink"] is None else np.full(SIZES.size, 1.0 / case["t_sink"])
    work = ImexWorkspace.for_bins(SIZES.size)
    injection = Injection(
        case["supply_injection_mode"], case["s_min_effective"], initial_shares=m * N
    )
    if case["name"] != "powerlaw_supply":
        of_grains = {"masses": m, "edges": EDGES, "rho": rho, "H": H, "v_rel": v_rel, "law": LAW}
        of_step = {
            "dt": case["dt"],
            "S": S,
            "S_external_k": external,
            "S_sublimation_k": sublimation,
            "supply_rate": rate,
            "injection": injection,
        }
        return step_collisions(N, SIZES, **of_grains, **of_step, workspace=work), m
    C = compute_collision_kernel_C1(N, SIZES, H, v_rel)
    tensor = _fragment_tensor(SIZES, m, EDGES, v_rel, rho, law=LAW)
    source = arithmetic_source(case, m)
    done = step_imex_bdf1_C3(
        N,
        C,
        tensor,
        S,
        m,
        rate,
        case["dt"],
        source_k=source,
        extra_mass_loss_rate=None,
        workspace=work,
    )
    return CollisionStep(*done, work.step_rates(), 1.0 / work.step_rates().fastest_loss), m


@pytest.mark.parametrize("case", WHOLE["cases"], ids=lambda case: case["name"])
def test_one_step_of_the_whole_disk(case: dict[str, Any]) -> None:
    step, m = step_of(case)
    outputs = case["found"]
    assert step.N_new == pytest.approx(
        numbers_of(case["number_out"], outputs["sigma_after"]), rel=1e-10, abs=0.0
    )
    assert np.sum(m * step.N_new) == pytest.approx(outputs["sigma_after"], rel=1e-12)
    assert step.dt_eff == pytest.approx(outputs["dt_eff"], rel=1e-10)
    assert step.t_coll == pytest.approx(outputs["t_coll_kernel"], rel=1e-10)
    assert step.mass_error == pytest.approx(outputs["mass_error"], rel=0.0, abs=1e-12)
    for name in ("gain", "loss", "sink", "source"):
        assert getattr(step.rates, name) == pytest.approx(
            outputs[f"{name}_mass_rate"], rel=1e-10, abs=0.0
        ), name
    for name, golden in (
        ("blowout", "blowout"),
        ("external", "sinks"),
        ("sublimation", "sublimation"),
    ):
        assert getattr(step.rates, name) == pytest.approx(
            outputs[f"mass_loss_rate_{golden}"], rel=1e-10, abs=0.0
        ), name
