"""The classic scheme over a whole run.

Outer steps have equal lengths; each is covered by as many classic steps as collisions demand.
"""

import math
from typing import NamedTuple

import numpy as np

from ..physics.collide import compute_collision_kernel_C1
from ..physics.collisions_smol import CollisionStep, Lookup, step_collisions
from ..physics.grid import Array, SizeGrid
from ..physics.opacity import lit_share, tau_los
from ..physics.phase import SOLID, UNKNOWN
from ..physics.qstar import QStarLaw
from ..physics.smol import ImexWorkspace
from ..physics.supply import Injection
from ..physics.temperature import temperature_and_slope
from ..solver.control import Limits
from ..solver.drivers import (
    BLOWOUT,
    ENTRIES,
    OTHER,
    PHASES,
    SUBLIMATION,
    SUPPLIED,
    Drivers,
    drive,
    gates,
    mode_at,
    piece_of,
    set_blowout_rates,
)
from ..solver.events import OUT_OF_TIME, REACHED_END, can_stop, locate_stop
from ..solver.trajectory import Trajectory


class ClassicDisk(NamedTuple):
    """All inputs of a classic step that stay the same over a run."""

    grid: SizeGrid
    masses: Array  #: (n,) kg
    rho: float  #: kg/m3
    H: float  #: m
    v_rel: float  #: m/s
    alpha_frag: float  #: exponent of the fragments' mass law
    law: QStarLaw
    injection: Injection

    def step(
        self,
        N: Array,
        dt: float,
        sinks: tuple[Array | None, ...] = (),
        supply_rate: float = 0.0,
        *,
        cache: Lookup | None,
        workspace: ImexWorkspace,
    ) -> CollisionStep:
        """Make one classic step.

        Parameters
        ----------
        N : (n,) array
            Grains per area [1/m2].
        dt : float
            Longest step [s].
        sinks : tuple of (n,) array, optional
            Rates [1/s] of blow-out, of anything else, and of sublimation.
        supply_rate : float, optional
            Supplied mass [kg/(m2 s)].
        cache : Lookup or None
            Where to look the collision arrays up.
        workspace : ImexWorkspace
            Buffers to use.
        """
        S, S_external_k, S_sublimation_k = (*sinks, None, None, None)[:3]
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
            S_external_k=S_external_k,
            S_sublimation_k=S_sublimation_k,
            supply_rate=supply_rate,
            injection=self.injection,
            cache=cache,
            sizes_version=self.grid.sizes_version,
            edges_version=self.grid.edges_version,
            workspace=workspace,
        )


class StepCollapse(ArithmeticError):  # noqa: N818 - imported by this name elsewhere
    """An outer step cannot be covered by ``max_substeps`` classic steps."""

    def __init__(self, t: float, covered: float, disk: ClassicDisk, N: Array) -> None:
        C = compute_collision_kernel_C1(N, disk.grid.sizes, disk.H, disk.v_rel)
        hits = np.divide(C.sum(axis=1) + np.diagonal(C), N, out=np.zeros_like(N), where=N > 0.0)
        self.t = t  #: s, begin of the outer step
        self.covered = covered  #: s, length of its part that was covered
        self.bin = int(np.argmax(hits))  #: the bin that bounds the step
        self.size = float(disk.grid.sizes[self.bin])  #: m
        self.hit_rate = float(hits[self.bin])  #: 1/s, gross, per grain
        super().__init__(f"bin {self.bin} is hit {self.hit_rate:.3g} times a second")


def integrate_imex(
    c0: Array,
    disk: ClassicDisk,
    drivers: Drivers,
    limits: Limits,
    *,
    dt: float,
    max_substeps: int,
    cache: Lookup,
) -> Trajectory:
    """Integrate from t = 0 by outer steps, over each of which the drivers are constant.

    Parameters
    ----------
    c0 : (n,) array
        Mass per area in each bin at the start [kg/m2].
    disk : ClassicDisk
        Inputs of the classic steps.
    drivers : Drivers
        Everything outside the disk, evaluated at the begin of each outer step.
    limits : Limits
        When to end.
    dt : float
        Longest outer step [s].
    max_substeps : int
        Most classic steps in an outer one.
    cache : Lookup
        Where to look the collision arrays up.

    Raises
    ------
    StepCollapse
        An outer step is not covered by ``max_substeps`` classic ones.
    ArithmeticError
        A classic step cannot keep numbers positive and its mass error in bounds.
    """
    n = c0.size
    count = math.ceil(limits.t_end / dt * (1.0 - 1e-12))
    times = np.linspace(0.0, limits.t_end, count + 1)
    y = np.zeros((count + 1, n + ENTRIES))
    pieces = np.zeros(count)
    mode = UNKNOWN
    modes = np.zeros(count)
    y[0, :n] = c0
    tau_max = tau_los(drivers.opacity, temperature_and_slope(drivers.temperature, 0.0)[0], c0)
    N = c0 / disk.masses
    S = np.zeros(n)
    sublimation = np.zeros(n)
    workspace = ImexWorkspace.for_bins(n)
    state = y[0].copy()
    straight = np.zeros((3, n + ENTRIES))
    located = np.zeros(n + ENTRIES)
    scratch_S = np.zeros(n)
    scratch_rates = np.zeros(ENTRIES)
    stoppable = can_stop(limits)
    above = 0
    start = float(c0.sum())
    ledger_error = 0.0
    gated_time = 0.0
    substeps = 0
    clamped = 0
    outcome = REACHED_END
    for outer in range(count):
        t = times[outer]
        t_next = times[outer + 1]
        driven = drive(drivers, t)
        clamped += driven.clamped
        piece = piece_of(drivers.blowout, driven.s_blow)
        pieces[outer] = piece
        mode = mode_at(drivers, t, state, mode)
        modes[outer] = mode
        colliding, supplying, blowing, subliming = gates(drivers, mode)
        set_blowout_rates(drivers.blowout, piece, driven.s_blow, S, driven.s_low)
        S *= blowing
        sublimation[:] = subliming * driven.speed * drivers.linear.evaporated
        supply_rate = supplying * driven.supply
        substeps_before = substeps
        gated_disk = disk if colliding else disk._replace(v_rel=0.0)
        if mode & PHASES != SOLID:
            gated_time += t_next - t
        while t < t_next and outcome == REACHED_END:
            if substeps - substeps_before == max_substeps:
                raise StepCollapse(times[outer], t - times[outer], gated_disk, N)
            if limits.alarm[0]:
                outcome = OUT_OF_TIME
                break
            left = t_next - t
            S_lit = S
            if drivers.blowout.attenuated:
                S_lit = S * lit_share(tau_los(drivers.opacity, driven.T, state))[0]
            step = gated_disk.step(
                N,
                left,
                (S_lit, drivers.linear.drag, sublimation),
                supply_rate,
                cache=cache,
                workspace=workspace,
            )
            N = step.N_new
            substeps += 1
            after = np.concatenate([N * disk.masses, state[n:]])
            after[n + BLOWOUT] += step.dt_eff * step.rates.blowout
            after[n + SUBLIMATION] += step.dt_eff * step.rates.sublimation
            after[n + OTHER] += step.dt_eff * step.rates.external
            after[n + SUPPLIED] += step.dt_eff * step.rates.source
            fraction = 1.0
            if stoppable:
                outcome, fraction, above = locate_stop(
                    drivers,
                    limits,
                    piece,
                    mode,
                    t,
                    step.dt_eff,
                    (state, after, straight),
                    (located, scratch_S, scratch_rates),
                    above,
                )
                if outcome != REACHED_END:
                    after = located.copy()
            complete = step.dt_eff == left and fraction == 1.0
            t = t_next if complete else t + fraction * step.dt_eff
            state = after
            supplied = float(after[n + SUPPLIED])
            T = temperature_and_slope(drivers.temperature, t)[0]
            tau_max = max(tau_max, min(tau_los(drivers.opacity, T, state), limits.tau_stop))
            imbalance = abs(float(state.sum()) - 2.0 * supplied - start) / (start + supplied)
            ledger_error = max(ledger_error, imbalance)
        y[outer + 1] = state
        if outcome != REACHED_END:
            times = np.append(times[: outer + 1], t)
            break
    kept = times.size
    # the solution is straight between the kept instants
    bend = np.zeros((kept - 1, 3, n + ENTRIES))
    return Trajectory(
        outcome=outcome,
        t_final=times[-1],
        bins=n,
        t=times,
        y=y[:kept],
        bend=bend,
        piece=pieces[: kept - 1],
        mode=modes[: kept - 1],
        accepted=substeps,
        rejected=0,
        beyond_qpr=clamped,
        repaired=0,
        ledger_error=ledger_error,
        tau_max=tau_max,
        gated_time=gated_time,
        above=above,
    )
