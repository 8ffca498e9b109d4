"""Small disks for tests of the integrator itself."""

import math
from typing import Any, NamedTuple

import numpy as np
import pytest
from plain_drivers import plain_drivers
from scipy import integrate as scipy_integrate

from marsdisk import zero_d
from marsdisk.config import RunConfig
from marsdisk.physics import psd
from marsdisk.physics.collide import rate_coefficient
from marsdisk.physics.collisions_smol import _fragment_tensor
from marsdisk.physics.fragments import FragmentTensor
from marsdisk.physics.grid import Array, grain_mass, make_grid
from marsdisk.physics.opacity import geometric_opacity, tau_per_mass
from marsdisk.physics.qstar import QStarLaw
from marsdisk.physics.radiation import radiation_pressure
from marsdisk.physics.temperature import TemperatureLaw
from marsdisk.result import RunResult
from marsdisk.solver.control import Limits
from marsdisk.solver.drivers import Drivers, drive, set_blowout_rates
from marsdisk.solver.eights import Vector, no_tiles, vector
from marsdisk.solver.integrate import integrate
from marsdisk.solver.methods import RODAS5P, RosenbrockMethod
from marsdisk.solver.netform import (
    CollisionTerms,
    busiest_bin,
    collision_terms,
    jacobian,
    mass_rate,
    scratch_for,
)
from marsdisk.solver.trajectory import Trajectory

RHO = 3270.0  # kg/m3
SCALE_HEIGHT = 3e5  # m


class Ring(NamedTuple):
    """Dust of one surface density on one grid, and its collisions."""

    edges: Array
    sizes: Array
    masses: Array
    c0: Array  #: kg/m2
    coefficient: Array  #: K_ij [m2/s]
    tensor: FragmentTensor
    terms: CollisionTerms


def make_ring(
    n: int = 20,
    *,
    s_lo: float = 1e-7,
    s_hi: float = 1.0,
    sigma: float = 0.03,
    v_rel: float = 1500.0,
    collisions: bool = True,
    alpha: float = 3.5,
    law: QStarLaw | None = None,
) -> Ring:
    """Make a ring of ``sigma`` [kg/m2] with three slopes.

    ``v_rel`` in m/s, ``s_lo`` and ``s_hi`` in m; dM/ds ~ s^-``alpha`` of fragments.
    """
    grid = make_grid(s_lo, s_hi, n)
    m = grain_mass(grid.sizes, RHO)
    tensor = _fragment_tensor(
        grid.sizes, m, grid.edges, v_rel, RHO, alpha, law=QStarLaw() if law is None else law
    )
    coefficient = rate_coefficient(
        math.pi * np.add.outer(grid.sizes, grid.sizes) ** 2,
        SCALE_HEIGHT,
        v_rel if collisions else 0.0,
    )
    terms = collision_terms(coefficient, tensor, m, np.add.outer(m, m))
    return Ring(
        grid.edges.copy(),
        grid.sizes.copy(),
        m,
        sigma * psd.three_slope(grid, 3.5),
        coefficient,
        tensor,
        terms,
    )


def make_drivers(
    ring: Ring,
    law: TemperatureLaw,
    *,
    Q: float = 1.0,
    t_blow: float = 2400.0,
    sharp: bool = False,
    supply: Array | None = None,
) -> Drivers:
    """Make drivers with one <Q_pr> for all sizes; ``t_blow`` [s] is infinite without blow-out."""
    supply = np.zeros(ring.sizes.size) if supply is None else supply
    drivers = plain_drivers(
        law, radiation_pressure(RHO, Q), ring.edges, 1.0 / t_blow, sharp, supply
    )
    return drivers._replace(opacity=geometric_opacity(ring.sizes, ring.masses, 1.0))


def solve(
    ring: Ring,
    drivers: Drivers,
    t_end: float,
    *,
    rtol: float = 1e-6,
    atol: float = 1e-14,
    tau_stop: float = math.inf,
) -> Trajectory:
    """Integrate the ring to ``t_end`` [s]; ``atol`` is in units of the present surface density."""
    limits = Limits(t_end, rtol, atol, 100_000, tau_stop)
    return integrate(ring.c0, ring.terms, drivers, limits, RODAS5P)


def jacobian_of(c: Array, ring: Ring) -> Array:
    """Return the Jacobian [1/s] of collisions at ``c`` [kg/m2]."""
    return collision_jacobian(c, ring.terms)


def rate_of(c: Array, ring: Ring, busiest: int | None = None) -> Array:
    """Return dc/dt [kg/(m2 s)] of collisions, balanced in ``busiest`` or the solver's choice."""
    return collision_rate(c, ring.terms, busiest)


def collision_jacobian(c: Array, terms: CollisionTerms) -> Array:
    """Return what :func:`jacobian_of` does, from the terms alone."""
    n = c.size
    J = no_tiles(c.size)
    jacobian(in_eights(c), terms, scratch_for(n), J)
    return J.reshape(*J.shape[:2], 8, 8).swapaxes(1, 2).reshape(8 * J.shape[0], -1)[:n, :n]


def in_eights(c: Array) -> Vector:
    """Lay out a vector as the kernels take it."""
    out = vector(c.size)
    out.flat[: c.size] = c
    return out


def collision_rate(c: Array, terms: CollisionTerms, busiest: int | None = None) -> Array:
    """Return what :func:`rate_of` does, from the terms alone."""
    out = np.empty(c.size)
    mass_rate(
        in_eights(c),
        terms,
        busiest_in(c, terms) if busiest is None else busiest,
        scratch_for(c.size),
        out,
    )
    return out


def busiest_of(c: Array, ring: Ring) -> int:
    """Return the bin in which the solver would balance the rates."""
    return busiest_in(c, ring.terms)


def busiest_in(c: Array, terms: CollisionTerms) -> int:
    """Return what :func:`busiest_of` does, from the terms alone."""
    J = no_tiles(c.size)
    jacobian(in_eights(c), terms, scratch_for(c.size), J)
    return busiest_bin(in_eights(c).flat, J)


def scipy_solution(
    c0: Array,
    terms: CollisionTerms,
    drivers: Drivers,
    path: Trajectory,
    method: str,
    *,
    rtol: float,
    atol: float,
) -> Array:
    """Integrate mass per bin and mass lost [kg/m2] by SciPy's ``method`` between kinks of ``path``.

    SciPy's solvers know of no kinks. ``atol`` is in units of the surface density at the start.
    """
    n = c0.size
    S = np.empty(c0.size)
    piece = 0
    supplied = drive(drivers, 0.0).supply * drivers.linear.shares

    def rates(t: float) -> Array:
        driven = drive(drivers, t)
        set_blowout_rates(drivers.blowout, piece, driven.s_blow, S, driven.s_low)
        return S

    def light(t: float, c: Array) -> tuple[float, Array]:
        """Return the share of grains that see Mars, and its derivative by each bin [m2/kg]."""
        weights = tau_per_mass(drivers.opacity, drive(drivers, t).T)
        tau = float(weights @ c)
        if not drivers.blowout.attenuated:
            return 1.0, np.zeros(n)
        share = -math.expm1(-tau) / tau
        return share, (math.exp(-tau) - share) / tau * weights

    def rate(t: float, y: Array) -> Array:
        blown = light(t, y[:n])[0] * rates(t) * y[:n]
        return np.append(collision_rate(y[:n], terms) + supplied - blown, blown.sum())

    def slope(t: float, y: Array) -> Array:
        share, per_bin = light(t, y[:n])
        blown = np.diag(share * rates(t)) + np.outer(rates(t) * y[:n], per_bin)
        J = np.zeros((n + 1, n + 1))
        J[n, :n] = blown.sum(axis=0)
        J[:n, :n] = collision_jacobian(y[:n], terms) - blown
        return J

    y = np.append(c0, 0.0)
    kinks = np.flatnonzero(np.diff(path.piece)) + 1
    for first, last in zip([0, *kinks], [*kinks, path.t.size - 1], strict=True):
        piece = int(path.piece[first])
        interval = (path.t[first], path.t[last])
        solution = scipy_integrate.solve_ivp(
            rate, interval, y, method=method, jac=slope, rtol=rtol, atol=atol * c0.sum()
        )
        assert solution.success, solution.message
        y = solution.y[:, -1]
    return y


class Arguments(NamedTuple):
    """Arguments that a run hands to the integrator, in its order.

    See :func:`~marsdisk.solver.integrate.integrate`.
    """

    c0: Array
    terms: CollisionTerms
    drivers: Drivers
    limits: Limits
    method: RosenbrockMethod


class Run(NamedTuple):
    """A run, with the input and output of the integrator."""

    arguments: Arguments
    path: Trajectory
    result: RunResult


def watched(config: RunConfig) -> Run:
    """Run ``config``, and keep what went into and came out of the integrator."""
    seen: list[tuple[Arguments, Trajectory]] = []

    def watching(*arguments: Any) -> Trajectory:
        path = integrate(*arguments)
        seen.append((Arguments(*arguments), path))
        return path

    zero_d.ensure_compiled()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(zero_d, "integrate", watching)
        result = zero_d.run_zero_d(config)
    return Run(*seen[0], result)
