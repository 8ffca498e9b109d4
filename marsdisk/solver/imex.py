"""The classic scheme over a whole run: outer steps of equal length, each covered by as many classic steps as collisions demand."""

import math
from typing import NamedTuple

import numpy as np

from ..physics.collide import compute_collision_kernel_C1
from ..physics.collisions_smol import CollisionStep, Lookup, step_collisions
from ..physics.grid import Array, SizeGrid
from ..physics.qstar import QStarLaw
from ..physics.smol import ImexWorkspace
from ..physics.supply import Injection
from .drivers import Drivers, blowout_state, partial_share, piece_of, set_blowout_rates
from .integrate import REACHED_END, TAU_STOP, Limits, Trajectory
from .netform import optical_depth, tau_per_mass


class ClassicDisk(NamedTuple):
    """What a classic step is made of, but for the numbers of grains and the blow-out rates."""

    grid: SizeGrid
    masses: Array  #: (n,) kg
    rho: float  #: kg/m3
    H: float  #: m
    v_rel: float  #: m/s
    alpha_frag: float  #: exponent of the fragments' mass law
    law: QStarLaw
    injection: Injection
    supply_rate: float  #: kg/(m2 s)

    def step(self, N: Array, dt: float, S: Array | None = None, *, cache: Lookup | None, workspace: ImexWorkspace) -> CollisionStep:
        """One classic step of ``N`` (n,) [1/m2], at most ``dt`` [s] long, with blow-out rates ``S`` (n,) [1/s]."""
        return step_collisions(
            N,
            self.grid.sizes,
            masses=self.masses,
            edges=self.grid.edges,
            rho=self.rho,
            H=self.H,
            v_rel=self.v_rel,
            dt=dt,
            law=self.law,
            alpha_frag=self.alpha_frag,
            S=S,
            supply_rate=self.supply_rate,
            injection=self.injection,
            cache=cache,
            sizes_version=self.grid.sizes_version,
            edges_version=self.grid.edges_version,
            workspace=workspace,
        )


class StepCollapse(ArithmeticError):
    """An outer step that ``max_substeps`` classic steps do not cover."""

    def __init__(self, t: float, covered: float, disk: ClassicDisk, N: Array) -> None:
        C = compute_collision_kernel_C1(N, disk.grid.sizes, disk.H, disk.v_rel)
        hits = np.divide(C.sum(axis=1) + np.diagonal(C), N, out=np.zeros_like(N), where=N > 0.0)
        self.t = t  #: s, begin of the outer step
        self.covered = covered  #: s of it
        self.bin = int(np.argmax(hits))  #: the bin that bounds the step
        self.size = float(disk.grid.sizes[self.bin])  #: m
        self.hit_rate = float(hits[self.bin])  #: 1/s, gross, per grain
        super().__init__(f"bin {self.bin} is hit {self.hit_rate:.3g} times a second")


def integrate_imex(c0: Array, disk: ClassicDisk, drivers: Drivers, limits: Limits, *, dt: float, max_substeps: int, cache: Lookup) -> Trajectory:
    """Integrate from t = 0 by outer steps of at most ``dt`` [s], the drivers those of an outer step's begin.

    Parameters
    ----------
    c0 : (n,) kg/m2, mass per bin at the start
    max_substeps : most classic steps in an outer one

    Raises
    ------
    StepCollapse
        They do not cover it.
    ArithmeticError
        A classic step cannot keep numbers positive and its mass error in bounds.
    """
    n, count = c0.size, math.ceil(limits.t_end / dt * (1.0 - 1e-12))
    t = np.linspace(0.0, limits.t_end, count + 1)
    y, pieces = np.zeros((count + 1, n + 1)), np.zeros(count)
    y[0, :n] = c0
    tau_weight = tau_per_mass(disk.grid.sizes.copy(), disk.masses, limits.f_los)
    tau_max = optical_depth(c0, tau_weight)
    N, S, workspace = c0 / disk.masses, np.zeros(n), ImexWorkspace.for_bins(n)
    lost = supplied = ledger_error = 0.0
    start, substeps, clamped, outcome = float(c0.sum()), 0, 0, REACHED_END
    for outer in range(count):
        s_blow, _, beyond = blowout_state(drivers, t[outer])
        clamped += beyond
        piece = pieces[outer] = piece_of(drivers, s_blow)
        set_blowout_rates(drivers, int(piece), partial_share(drivers, int(piece), s_blow), S)
        now, before = t[outer], substeps
        while now < t[outer + 1]:
            if substeps - before == max_substeps:
                raise StepCollapse(t[outer], now - t[outer], disk, N)
            left = t[outer + 1] - now
            done = disk.step(N, left, S, cache=cache, workspace=workspace)
            c = done.N_new * disk.masses
            tau_before, tau = optical_depth(N * disk.masses, tau_weight), optical_depth(c, tau_weight)
            share = 1.0
            if tau > limits.tau_stop:
                outcome, share = TAU_STOP, (limits.tau_stop - tau_before) / (tau - tau_before)
                c = share * c + (1.0 - share) * N * disk.masses
            now = t[outer + 1] if done.dt_eff == left and share == 1.0 else now + share * done.dt_eff
            lost += share * done.dt_eff * done.rates.sink
            supplied += share * done.dt_eff * done.rates.source
            N, substeps = done.N_new, substeps + 1
            tau_max = max(tau_max, min(tau, limits.tau_stop))
            ledger_error = max(ledger_error, abs(float(c.sum()) + lost - start - supplied) / (start + supplied))
            if outcome == TAU_STOP:
                break
        y[outer + 1, :n], y[outer + 1, n] = c, lost
        if outcome == TAU_STOP:
            t = np.append(t[: outer + 1], now)
            break
    made = t.size
    flat = np.zeros((made - 1, n + 1))  # straight lines between outer steps
    return Trajectory(outcome, t[-1], t, y[:made], flat, flat, pieces[: made - 1], substeps, 0, clamped, ledger_error, tau_max)
