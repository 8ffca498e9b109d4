"""The integrator against solutions on which two stiff solvers agreed to 1e-8 of the total mass.

Grains collide, and bin 0 is blown out.
"""

import math
from pathlib import Path

import numpy as np
import pytest
from plain_drivers import dust, lost, plain_drivers

from marsdisk.physics import temperature
from marsdisk.physics.collide import rate_coefficient
from marsdisk.physics.collisions_smol import _fragment_tensor
from marsdisk.physics.grid import Array, grain_mass
from marsdisk.physics.qstar import QStarLaw
from marsdisk.physics.radiation import blowout_size, radiation_pressure
from marsdisk.solver import sample
from marsdisk.solver.control import Limits
from marsdisk.solver.events import REACHED_END
from marsdisk.solver.integrate import integrate
from marsdisk.solver.methods import RODAS5P
from marsdisk.solver.netform import collision_terms
from marsdisk.solver.trajectory import Trajectory

TRUTH = np.load(Path(__file__).parents[1] / "data" / "truth.npz")
T_M = 2000.0  # K; any will do, <Q_pr> is chosen to put s_blow into bin 0


CASES = ["refweights_n12", "refweights_n40", "massweights_n40"]


def truth(case: str, name: str) -> Array:
    return TRUTH[f"{case}__{name}"]


def solution(case: str, rtol: float, atol: float) -> tuple[Trajectory, Array]:
    """Run a case, and return its states at the times of the truth, over the initial density."""
    s, m, edges, S, times = (truth(case, name) for name in ("s", "m", "edges", "S", "t"))
    rho, v, H, sigma = (float(truth(case, name)) for name in ("rho", "v_rel", "H", "Sigma0"))
    assert grain_mass(s, rho) == pytest.approx(m, rel=1e-12)
    assert np.all(S[1:] == 0.0)
    area = math.pi * np.add.outer(s, s) ** 2
    tensor = _fragment_tensor(s, m, edges, v, rho, float(truth(case, "alpha_frag")), law=QStarLaw())
    terms = collision_terms(rate_coefficient(area, H, v), tensor, m, np.add.outer(m, m))
    per_unit = blowout_size(radiation_pressure(rho, 1.0), T_M)[0]
    pressure = radiation_pressure(rho, math.sqrt(edges[0] * edges[1]) / per_unit)
    drivers = plain_drivers(
        temperature.constant(T_M), pressure, edges, float(S[0]), True, np.zeros(s.size)
    )
    limits = Limits(float(times[-1]), rtol, atol, 100_000, math.inf)
    path = integrate(m * truth(case, "N0"), terms, drivers, limits, RODAS5P)
    assert path.outcome == REACHED_END
    assert path.ledger_error <= 1e-10
    return path, sample.states(path, times) / sigma


@pytest.mark.parametrize("case", CASES)
def test_the_integrator_reproduces_the_truth(case: str) -> None:
    _, y = solution(case, 1e-9, 1e-14)
    assert dust(y) == pytest.approx(truth(case, "x_mass").T, abs=1e-6)
    assert lost(y) == pytest.approx(truth(case, "out_mass"), abs=1e-6)
    tau = (
        dust(y)
        * (float(truth(case, "Sigma0")) * math.pi * truth(case, "s") ** 2 / truth(case, "m"))
    ).sum(axis=1)
    assert tau == pytest.approx(truth(case, "tau"), rel=1e-4)


@pytest.mark.parametrize("rtol", [1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8])
@pytest.mark.parametrize("case", CASES)
def test_the_solution_between_steps_is_as_good_as_the_tolerance(case: str, rtol: float) -> None:
    path, y = solution(case, rtol, 1e-6 * rtol)
    assert dust(y) == pytest.approx(truth(case, "x_mass").T, abs=rtol)
    assert lost(y) == pytest.approx(truth(case, "out_mass"), abs=rtol)
    assert np.all(y >= 0.0)
    assert y.sum(axis=1) == pytest.approx(np.ones(y.shape[0]), rel=1e-10)
    assert path.y.min() >= 0.0
