"""How rates scale, with both schemes.

Collisions scale with the square of Sigma, with 1/H and with v_rel; the blow-out time with 1/Omega.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from plain_drivers import dust, plain_drivers

from marsdisk.config import RunConfig
from marsdisk.physics import temperature
from marsdisk.physics.collide import compute_collision_kernel_C1
from marsdisk.physics.collisions_smol import _fragment_tensor, step_collisions
from marsdisk.physics.grid import Array, grain_mass, make_grid
from marsdisk.physics.qstar import QStarLaw
from marsdisk.physics.radiation import radiation_pressure
from marsdisk.run.derived import derive
from marsdisk.solver.control import Limits
from marsdisk.solver.integrate import integrate
from marsdisk.solver.methods import RODAS5P
from marsdisk.solver.netform import collision_terms
from marsdisk.zero_d import run_zero_d

RHO = 3270.0
GRID = make_grid(1e-5, 1e-2, 16)
MASSES = grain_mass(GRID.sizes, RHO)
NUMBERS = 1e-3 * GRID.sizes**-0.5 / MASSES  # 1/m2
DT = 1e-7  # s, short against every collision time


def collisional_change(scheme: str, N: Array, H: float, v_rel: float) -> Array:
    """Return d(m N)/dt [kg/(m2 s)] of collisions, from one short step of a scheme."""
    if scheme == "imex_bdf1":
        step = step_collisions(
            N,
            GRID.sizes,
            masses=MASSES,
            edges=GRID.edges,
            rho=RHO,
            H=H,
            v_rel=v_rel,
            dt=DT,
            law=QStarLaw(),
        )
        assert step.dt_eff == DT
        change: Array = (step.N_new - N) * MASSES / DT
        return change
    tensor = _fragment_tensor(GRID.sizes, MASSES, GRID.edges, v_rel, RHO, law=QStarLaw())
    coefficient = compute_collision_kernel_C1(np.ones(GRID.sizes.size), GRID.sizes, H, v_rel)
    coefficient[np.diag_indices_from(coefficient)] *= 2.0
    terms = collision_terms(coefficient, tensor, MASSES, np.add.outer(MASSES, MASSES))
    still = plain_drivers(
        temperature.constant(2000.0),
        radiation_pressure(RHO, 1.0),
        GRID.edges.copy(),
        0.0,
        False,
        np.zeros(16),
    )
    path = integrate(N * MASSES, terms, still, Limits(DT, 1e-9, 1e-20, 1000, np.inf), RODAS5P)
    change = (dust(path.y[-1]) - N * MASSES) / DT
    return change


SCHEMES = ["rosenbrock", "imex_bdf1"]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_collisions_go_with_the_square_of_the_surface_density(scheme: str) -> None:
    once, twice = (
        collisional_change(scheme, factor * NUMBERS, 1e5, 300.0) for factor in (1.0, 2.0)
    )
    assert twice == pytest.approx(4.0 * once, rel=2e-3, abs=1e-3 * np.max(np.abs(once)))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_collisions_go_with_one_over_the_scale_height(scheme: str) -> None:
    thin, thick = (collisional_change(scheme, NUMBERS, H, 300.0) for H in (1e5, 2e5))
    assert thin == pytest.approx(2.0 * thick, rel=2e-3, abs=1e-3 * np.max(np.abs(thin)))


def test_the_collision_rate_goes_with_the_relative_speed() -> None:
    slow, fast = (compute_collision_kernel_C1(NUMBERS, GRID.sizes, 1e5, v) for v in (300.0, 600.0))
    assert fast == pytest.approx(2.0 * slow, rel=1e-14)


def test_fragments_go_with_the_cube_of_the_relative_speed() -> None:
    """Fragments per hit go with v^2, hits with v.

    Where nothing is shattered, at a Q_D* that does not change with v.
    """
    law = QStarLaw(((1.0, 1e9, 0.0, 1e-9, 0.0),), "si")
    rates = []
    for v_rel in (100.0, 200.0):
        tensor = _fragment_tensor(GRID.sizes, MASSES, GRID.edges, v_rel, RHO, law=law)
        events = compute_collision_kernel_C1(NUMBERS, GRID.sizes, 1e5, v_rel)
        rates.append(np.sum(np.triu(events) * tensor.unbound * np.add.outer(MASSES, MASSES)))
    assert rates[1] == pytest.approx(8.0 * rates[0], rel=1e-12)


def test_the_blow_out_time_is_chi_over_the_orbital_frequency(
    shipped: Callable[..., RunConfig],
) -> None:
    near, far = (
        derive(shipped("melt_simple", {"disk": {"r_in_RM": r, "r_out_RM": r}, "blowout.chi": 1.0}))
        for r in (1.0, 2.25)
    )
    assert near.blowout_rate / far.blowout_rate == pytest.approx(2.25**1.5, rel=1e-14)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_unbound_dust_leaves_faster_close_to_mars_by_the_orbital_frequency(
    shipped: Callable[..., RunConfig], scheme: str
) -> None:
    alone: dict[str, Any] = {
        "collisions.enabled": False,
        "supply": {"mode": "none"},
        "blowout": {"chi": 1.0, "edge": "sharp"},
        "temperature": {"law": "constant", "T0": 4000.0},
        "numerics": {"scheme": scheme, "t_end_years": 1e-4},
    }
    rates = []
    for r in (1.0, 2.25):
        result = run_zero_d(
            shipped("melt_simple", {**alone, "disk": {"r_in_RM": r, "r_out_RM": r}})
        )
        rates.append(-np.log(result.N[-1, 0] / result.N[0, 0]) / result.t_end)
    assert rates[0] / rates[1] == pytest.approx(2.25**1.5, rel=2e-3)
