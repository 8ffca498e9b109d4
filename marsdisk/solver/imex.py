"""The classic scheme over a whole run: outer steps of equal length, each covered by as many classic steps as collisions demand."""

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
from .control import Limits
from .drivers import (
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
from .events import OUT_OF_TIME, REACHED_END, can_stop, locate_stop
from .trajectory import Trajectory


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
        """One classic step of ``N`` (n,) [1/m2], at most ``dt`` [s] long.

        ``sinks`` are rates (n,) [1/s] of blow-out, anything else and sublimation; ``supply_rate``
        is in kg/(m2 s).
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
    n = c0.size
    count = math.ceil(limits.t_end / dt * (1.0 - 1e-12))
    t = np.linspace(0.0, limits.t_end, count + 1)
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
    now = y[0].copy()
    straight = np.zeros((3, n + ENTRIES))
    located = np.zeros(n + ENTRIES)
    scratch = np.zeros(n)
    rates = np.zeros(ENTRIES)
    stoppable = can_stop(limits)
    above = 0
    start = float(c0.sum())
    ledger_error = 0.0
    gated_time = 0.0
    substeps = 0
    clamped = 0
    outcome = REACHED_END
    for outer in range(count):
        driven = drive(drivers, t[outer])
        clamped += driven.clamped
        piece = piece_of(drivers.blowout, driven.s_blow)
        pieces[outer] = piece
        mode = mode_at(drivers, t[outer], now, mode)
        modes[outer] = mode
        colliding, supplying, blowing, subliming = gates(drivers, mode)
        set_blowout_rates(drivers.blowout, piece, driven.s_blow, S, driven.s_low)
        S *= blowing
        sublimation[:] = subliming * driven.speed * drivers.linear.evaporated
        supply_rate = supplying * driven.supply
        at = t[outer]
        before = substeps
        gated = disk if colliding else disk._replace(v_rel=0.0)
        gated_time += 0.0 if mode & PHASES == SOLID else t[outer + 1] - t[outer]
        while at < t[outer + 1] and outcome == REACHED_END:
            if substeps - before == max_substeps:
                raise StepCollapse(t[outer], at - t[outer], gated, N)
            if limits.alarm[0]:
                outcome = OUT_OF_TIME
                break
            left = t[outer + 1] - at
            lit = S
            if drivers.blowout.attenuated:
                lit = S * lit_share(tau_los(drivers.opacity, driven.T, now))[0]
            done = gated.step(
                N,
                left,
                (lit, drivers.linear.drag, sublimation),
                supply_rate,
                cache=cache,
                workspace=workspace,
            )
            N = done.N_new
            substeps = substeps + 1
            made = done.rates
            after = np.concatenate([N * disk.masses, now[n:]])
            after[n + BLOWOUT] += done.dt_eff * made.blowout
            after[n + SUBLIMATION] += done.dt_eff * made.sublimation
            after[n + OTHER] += done.dt_eff * made.external
            after[n + SUPPLIED] += done.dt_eff * made.source
            share = 1.0
            if stoppable:
                outcome, share, above = locate_stop(
                    drivers,
                    limits,
                    piece,
                    mode,
                    at,
                    done.dt_eff,
                    (now, after, straight),
                    (located, scratch, rates),
                    above,
                )
                after = located.copy() if outcome != REACHED_END else after
            at = t[outer + 1] if done.dt_eff == left and share == 1.0 else at + share * done.dt_eff
            now = after
            supplied = float(after[n + SUPPLIED])
            T = temperature_and_slope(drivers.temperature, at)[0]
            tau_max = max(tau_max, min(tau_los(drivers.opacity, T, now), limits.tau_stop))
            ledger_error = max(
                ledger_error, abs(float(now.sum()) - 2.0 * supplied - start) / (start + supplied)
            )
        y[outer + 1] = now
        if outcome != REACHED_END:
            t = np.append(t[: outer + 1], at)
            break
    kept = t.size
    flat = np.zeros((kept - 1, 3, n + ENTRIES))  # straight lines between outer steps
    return Trajectory(
        outcome,
        t[-1],
        n,
        t,
        y[:kept],
        flat,
        pieces[: kept - 1],
        modes[: kept - 1],
        substeps,
        0,
        clamped,
        0,
        ledger_error,
        tau_max,
        gated_time,
        above,
    )
