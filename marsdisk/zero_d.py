"""One zero-dimensional run, in three stages: prepare, solve, finish."""

import functools
import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._jit import call_repairing, compiling
from .cache import CacheStats, RunCache
from .classic.scheme import integrate_classic
from .common.errors import SolverError
from .config import RunConfig, build_config
from .config.sections import Output
from .notes import Note
from .physics.collide import rate_coefficient
from .physics.collisions_smol import _fragment_tensor, gain_workspace, pair_workspace
from .physics.constants import M_MARS
from .physics.dynamics import Motion
from .physics.energy import energy_terms
from .physics.fragments import FragmentTensor
from .physics.grid import Array
from .physics.shielding import ShieldingLaw
from .result import RunResult, StopReason
from .run.derived import Derived, damped_motion, derive
from .run.ledger import LEDGER_LIMIT, explain_imbalance
from .run.limits import run_limits
from .run.noting import Course, notes_of_course, notes_of_setup
from .run.series import ROWS, MotionSeries, collision_times, series_of
from .run.stages import Memory, remembering
from .run.start import Start, available_supply, disk_at_start, drivers_of, shielding_of
from .solver import sample
from .solver.control import Limits
from .solver.drivers import ENTRIES, SUPPLIED, Drivers
from .solver.events import (
    BLOWOUT_BELOW_GRID,
    LOSS_RATE_STOP,
    OUT_OF_TIME,
    STEP_TOO_SMALL,
    TAU_STOP,
    TOO_MANY_STEPS,
)
from .solver.integrate import integrate
from .solver.methods import RODAS5P
from .solver.netform import CollisionTerms, collision_terms, emptying_rate
from .solver.stretches import Damping, Stretch, integrate_stretches
from .solver.trajectory import Trajectory, joined

logger = logging.getLogger(__name__)

#: Outcomes of an integration that did not reach its end.
FAILURES = {TOO_MANY_STEPS, STEP_TOO_SMALL, OUT_OF_TIME}


def _damping(config: RunConfig, derived: Derived, disk: Start, cache: RunCache) -> Damping | None:
    """Return how collisions damp e and i; None where they do not."""
    options = config.dynamics.damping
    grid = disk.grid
    if options is None:
        return None
    area = pair_workspace(
        grid.sizes, disk.masses, config.material.rho, cache=cache, sizes_version=grid.sizes_version
    ).area
    return Damping(
        options.epsilon**2,
        area,
        disk.masses,
        functools.partial(damped_motion, config, derived, options.e_eq),
    )


def _motion_series(
    derived: Derived, damping: Damping | None, stretches: list[Stretch], times: Array
) -> MotionSeries:
    """Return how grains move at increasing ``times`` [s]."""
    if damping is None:
        motions = np.full((times.size, 3), derived.motion)
    else:
        motions = np.array([damping.motion_at(q) for q in damping.q(stretches, times).tolist()])
    e, v_rel, H = motions.T
    return MotionSeries(e, v_rel, H)


def _collisions(
    config: RunConfig, derived: Derived, motion: Motion, disk: Start, cache: RunCache
) -> tuple[Array, float, FragmentTensor]:
    """Return cross-section [m2] of every pair, speed [m/s] for its rate, outcome of every pair."""
    grid = disk.grid
    masses = disk.masses
    rho = config.material.rho
    versions = {"sizes_version": grid.sizes_version, "edges_version": grid.edges_version}
    pairs = pair_workspace(grid.sizes, masses, rho, cache=cache, sizes_version=grid.sizes_version)
    tensor = _fragment_tensor(
        grid.sizes,
        masses,
        grid.edges,
        motion.v_rel,
        rho,
        derived.alpha_mass,
        law=config.qstar.law(),
        cache=cache,
        **versions,
    )
    speed = motion.v_rel if config.collisions.enabled else 0.0
    return pairs.area, speed, tensor


def _terms(
    area: Array, H: float, speed: float, tensor: FragmentTensor, masses: Array, m_sum: Array
) -> CollisionTerms:
    return collision_terms(rate_coefficient(area, H, speed), tensor, masses, m_sum)


def _collision_terms(
    config: RunConfig,
    derived: Derived,
    motion: Motion,
    disk: Start,
    cache: RunCache,
    memory: Memory | None = None,
) -> CollisionTerms:
    """Return the collisions as :func:`integrate` takes them.

    With a memory, they are the arrays of the last run where those of this one would be equal.
    """
    gain = gain_workspace(
        disk.masses, config.material.rho, cache=cache, sizes_version=disk.grid.sizes_version
    )
    area, speed, tensor = _collisions(config, derived, motion, disk, cache)
    return (memory or Memory()).repeat(
        _terms, area, motion.H, speed, tensor, disk.masses, gain.m_sum
    )


def _energies(
    config: RunConfig, derived: Derived, disk: Start, stretches: list[Stretch], cache: RunCache
) -> tuple[float, float]:
    """Return the energies [J] brought into collisions and dissipated; NaN if not enabled."""
    energy = config.energy
    if not energy.enabled:
        return math.nan, math.nan
    if energy.f_ke_fragmentation is None:
        retained_by_fragmentation = energy.eps_restitution**2
    else:
        retained_by_fragmentation = energy.f_ke_fragmentation
    relative = 0.0
    retained = 0.0
    for path, motion in stretches:
        area, speed, tensor = _collisions(config, derived, motion, disk, cache)
        rates = energy_terms(
            rate_coefficient(area, motion.H, speed),
            tensor,
            disk.masses,
            motion.v_rel,
            energy.f_ke_cratering,
            retained_by_fragmentation,
        )
        relative_in_stretch, retained_in_stretch = sample.collision_energy(path, rates)
        relative = relative + relative_in_stretch
        retained = retained + retained_in_stretch
    return relative * derived.area, (relative - retained) * derived.area


@functools.lru_cache(maxsize=8)
def _sample_shares(output: Output) -> tuple[Array, NDArray[np.int64]]:
    """Return the times of the series as shares of the run, and the indices of the snapshots."""
    shares = np.linspace(0.0, 1.0, output.samples)
    if output.spacing == "log":
        shares[1:-1] = 10.0 ** np.linspace(-output.decades, 0.0, output.samples - 1)[:-1]
    snapshots = np.linspace(0, output.samples - 1, output.snapshots).round().astype(np.int64)
    return shares, snapshots


def _refuse_failed(run: "Prepared", path: Trajectory, stretches: list[Stretch]) -> None:
    """Raise SolverError unless a run reached its end and conserved mass."""
    config = run.config
    derived = run.derived
    # The classic scheme cannot keep the limit of the ledger, and explains its own collapse.
    classic = config.numerics.scheme == "imex_bdf1"
    if path.outcome not in FAILURES and (classic or path.ledger_error <= LEDGER_LIMIT):
        return
    when = f"at t = {path.t_final:.6g} s after {path.accepted} steps ({path.rejected} rejected)"
    cure = "give numerics.dt" if classic else f"loosen numerics.rtol = {config.numerics.rtol:g}"
    if path.outcome == OUT_OF_TIME:
        y = path.y[-1, : path.bins]
        last_step = float(path.t[-1] - path.t[-2]) if path.t.size > 1 else 0.0
        raise SolverError(
            f"the time limit was reached {when}, of {derived.t_end:.6g} s to go: Sigma ="
            f" {y.sum():.6g} kg/m2, tau_los up to {path.tau_max:.3g}, last step {last_step:.3g} s;"
            f" {cure}, end the run earlier, or raise the limit (time_limit in the sweep file)"
        )
    if path.outcome == TOO_MANY_STEPS:
        raise SolverError(
            f"numerics.max_steps = {config.numerics.max_steps} reached {when}; raise it or {cure}"
        )
    if path.outcome == STEP_TOO_SMALL or math.isnan(path.ledger_error):
        raise SolverError(
            f"the step size fell below round-off {when}; {cure} or check the configuration's"
            " extremes"
        )

    def collision_rate(t: float, c: Array) -> float:
        begun = [stretch for stretch in stretches if stretch.path.t[0] <= t]
        motion = begun[-1].motion
        return emptying_rate(c, _collision_terms(config, derived, motion, run.disk, run.cache))

    def closes(changed: RunConfig) -> bool:
        changed_stretches = prepare(changed, RunCache(), run.alarm).solve()
        changed_path = joined([stretch.path for stretch in changed_stretches])
        return changed_path.outcome not in FAILURES and changed_path.ledger_error <= LEDGER_LIMIT

    explanation = explain_imbalance(config, path, run.drivers, collision_rate, closes)
    raise SolverError(
        f"mass is not conserved {when}: {path.ledger_error:.1e} of start and supply,"
        f" {LEDGER_LIMIT:g} is allowed; {explanation}"
    )


def _undamped(
    derived: Derived, disk: Start, terms: CollisionTerms, drivers: Drivers, limits: Limits
) -> list[Stretch]:
    """Integrate the run in one stretch."""
    path = integrate(disk.sigma_0 * disk.shares, terms, drivers, limits, RODAS5P)
    return [Stretch(path, derived.motion)]


def _damped(
    config: RunConfig,
    derived: Derived,
    disk: Start,
    drivers: Drivers,
    limits: Limits,
    damping: Damping,
    cache: RunCache,
) -> list[Stretch]:
    """Integrate the run in stretches, each with the collisions of its own speed."""

    def solve(
        motion: Motion, y: Array, limits: Limits, t: float, mode: int, above: int
    ) -> Trajectory:
        terms = _collision_terms(config, derived, motion, disk, cache)
        return integrate(y, terms, drivers, limits, RODAS5P, t=t, mode=mode, above=above)

    return integrate_stretches(
        disk.sigma_0 * disk.shares, damping, limits, solve, tolerance=config.numerics.rtol
    )


@functools.cache
def ensure_compiled() -> None:
    """Load or compile every kernel of a run once per process, repairing damaged compiled files."""
    small_disk = {
        "disk": {"r_in_RM": 2.0, "r_out_RM": 2.1},
        "sizes": {"s_min": 1e-6, "s_max": 1.0, "n_bins": 4},
        "temperature": {"law": "constant", "T0": 2000.0},
        "radiation": {"Q_pr": 1.0},
    }
    all_processes = {
        "dynamics": {"damping": {"e_eq": 0.1}},
        "energy": {"enabled": True},
        "numerics": {"t_end_orbits": 1e-12},
    }
    classic_scheme = {"numerics": {"scheme": "imex_bdf1", "dt": 1.0, "t_end_orbits": 1e-12}}
    with compiling():
        for sections in (all_processes, classic_scheme):
            config = build_config({**small_disk, **sections})
            call_repairing(functools.partial(_run, config, RunCache()))


def run_zero_d(
    config: RunConfig, *, cache: RunCache | None = None, alarm: NDArray[np.int64] | None = None
) -> RunResult:
    """Integrate one run. No files, no globals: the same configuration gives the same bits.

    Parameters
    ----------
    config : RunConfig
        What to run.
    cache : RunCache, optional
        Holds arrays that runs may share; by default the run has a cache of its own.
    alarm : (1,) array of int64, optional
        Another thread may set it to 1 to end the run as failed.

    Returns
    -------
    RunResult
        Series, size distributions and totals.

    Raises
    ------
    ConfigError
        The configuration contradicts itself in a way that only its physics shows.
    SolverError
        The integration could not reach its end, or did not conserve mass.

    Examples
    --------
    >>> from marsdisk import load_config
    >>> run_zero_d(load_config("configs/mars_0d_melt.yaml")).stop_reason.label
    'blowout_below_grid'
    """
    ensure_compiled()
    return _run(config, RunCache() if cache is None else cache, alarm)


@dataclass(frozen=True, eq=False)
class Prepared:
    """A run of which only the integration is left."""

    config: RunConfig
    derived: Derived
    disk: Start
    drivers: Drivers
    shielding: ShieldingLaw
    notes: Note  #: of the set-up
    damping: Damping | None
    solve: Callable[[], list[Stretch]]
    cache: RunCache
    stats: CacheStats  #: of the preparation
    seconds: float  #: that the preparation took
    alarm: NDArray[np.int64]  #: (1,) set to 1 by another thread, ends the integration as failed


class Solved(NamedTuple):
    """A run of which only the result is left to be put together."""

    prepared: Prepared
    stretches: list[Stretch]
    path: Trajectory
    depths: Array  #: (steps+1,) tau_los between the steps
    times: Array  #: (samples,) s
    ledger: Array  #: (samples, 4) kg/m2
    series: Array  #: as :func:`marsdisk.solver.sample.look` gives them
    N: Array  #: (samples, n) 1/m2
    blown: Array  #: (n,) kg/m2, blown out of each bin
    t99: float  #: s
    blown_while_thick: float  #: kg/m2
    solver_time: float  #: s


def goes_on_looking_up(config: RunConfig) -> bool:
    """Return whether a run uses its cache after it is prepared."""
    return (
        config.numerics.scheme == "imex_bdf1"
        or config.dynamics.damping is not None
        or config.energy.enabled
    )


def prepare(
    config: RunConfig,
    cache: RunCache,
    alarm: NDArray[np.int64] | None = None,
    memory: Memory | None = None,
) -> Prepared:
    """Prepare everything that a run needs before it can be integrated.

    Each of the three stages of a run can be done for several runs in a row.

    Parameters
    ----------
    config : RunConfig
        What to run.
    cache : RunCache
        Holds arrays that runs may share.
    alarm : (1,) array of int64, optional
        Another thread may set it to 1 to end the run as failed.
    memory : Memory, optional
        Holds what follows from sections of the configuration, for later runs that share them.

    Returns
    -------
    Prepared
        For :func:`solve`.

    Raises
    ------
    ConfigError
        The configuration contradicts itself in a way that only its physics shows.
    """
    begin = time.perf_counter()
    cache.restart_counts()
    recalled = remembering(config, memory)
    derived = derive(recalled)
    disk = disk_at_start(recalled, cache)
    if alarm is None:
        alarm = np.zeros(1, np.int64)
    drivers = drivers_of(recalled, derived, disk)
    limits = run_limits(config, derived)._replace(alarm=alarm)
    damping = _damping(config, derived, disk, cache)
    if config.numerics.scheme == "imex_bdf1":
        solve = functools.partial(integrate_classic, config, derived, disk, drivers, limits, cache)
    elif damping is not None:
        solve = functools.partial(_damped, config, derived, disk, drivers, limits, damping, cache)
    else:
        solve = functools.partial(
            _undamped,
            derived,
            disk,
            _collision_terms(config, derived, derived.motion, disk, cache, memory),
            drivers,
            limits,
        )
    shielding = shielding_of(recalled)
    stats = cache.stats()
    return Prepared(
        config,
        derived,
        disk,
        drivers,
        shielding,
        notes_of_setup(recalled),
        damping,
        solve,
        cache,
        stats,
        time.perf_counter() - begin,
        alarm,
    )


def solve(run: Prepared) -> Solved:
    """Integrate a run, and evaluate it at the times of its series.

    Parameters
    ----------
    run : Prepared
        By :func:`prepare`.

    Returns
    -------
    Solved
        For :func:`finish`.

    Raises
    ------
    SolverError
        The integration could not reach its end, or did not conserve mass.
    """
    begin = time.perf_counter()
    disk = run.disk
    stretches = run.solve()
    path = joined([stretch.path for stretch in stretches])
    _refuse_failed(run, path, stretches)
    shares, _ = _sample_shares(run.config.output)
    times = shares * path.t_final
    n = path.bins
    y, series, t99 = sample.look(path, run.drivers, run.shielding, times, disk.f_los)
    depths = sample.depths(path, run.drivers)
    blown_while_thick = sample.blown_while_thick(path, run.drivers)
    N = y[:, :n] / disk.masses
    ledger = y[:, n : n + ENTRIES].copy()
    blown = sample.blown_by_bin(path, run.drivers)
    return Solved(
        run,
        stretches,
        path,
        depths,
        times,
        ledger,
        series,
        N,
        blown,
        t99,
        blown_while_thick,
        solver_time=time.perf_counter() - begin,
    )


def _run(config: RunConfig, cache: RunCache, alarm: NDArray[np.int64] | None = None) -> RunResult:
    return finish(solve(prepare(config, cache, alarm)))


_STOPS = {
    TAU_STOP: StopReason.OPTICAL_DEPTH,
    BLOWOUT_BELOW_GRID: StopReason.BLOWOUT_BELOW_GRID,
    LOSS_RATE_STOP: StopReason.LOSS_RATE,
}


def finish(solved: Solved) -> RunResult:
    """Return the result of a run."""
    begin = time.perf_counter()
    run = solved.prepared
    stretches = solved.stretches
    path = solved.path
    times = solved.times
    ledger = solved.ledger
    config = run.config
    derived = run.derived
    disk = run.disk
    _, snapshots = _sample_shares(config.output)
    motion = _motion_series(derived, run.damping, stretches, times)
    gates = solved.series[ROWS.index("gates")].astype(np.int64)
    collide = (gates & 1 == 1) & config.collisions.enabled
    t_coll = collision_times(solved.N, disk.masses, disk.grid.sizes, motion, collide)
    series = series_of(
        config, solved.series, ledger, r=derived.r, area=derived.area, motion=motion, t_coll=t_coll
    )
    E_collisions, E_dissipated = _energies(config, derived, disk, stretches, run.cache)
    stats = run.cache.stats() if goes_on_looking_up(config) else run.stats
    if logger.isEnabledFor(logging.DEBUG):
        logger.debug("cache: %s", stats.line())
    to_mars = derived.area / M_MARS
    course = Course(
        derived,
        run.drivers,
        path,
        solved.depths,
        supplied=float(ledger[-1, SUPPLIED]),
        s_blow_0=float(series["s_blow"][0]),
    )
    last = {name: float(values[-1]) for name, values in series.items()}
    return RunResult(
        config=config,
        stop_reason=_STOPS.get(path.outcome, derived.end_reason),
        notes=run.notes | notes_of_course(config, course),
        t=times,
        **series,
        s=disk.grid.sizes,
        s_edges=disk.grid.edges,
        t_snapshot=times[snapshots],
        N=solved.N[snapshots],
        M_blown=solved.blown * to_mars,
        M_loss=last["M_loss_cum"],
        M_loss_blowout=last["M_loss_blowout_cum"],
        M_loss_thick=solved.blown_while_thick * to_mars,
        M_loss_sublimation=last["M_loss_sublimation_cum"],
        M_loss_other=last["M_loss_other_cum"],
        M_available=disk.sigma_0 * to_mars + available_supply(config),
        M_supplied=last["M_supplied_cum"],
        Sigma_0=disk.sigma_0,
        Sigma_final=last["Sigma"],
        t_end=path.t_final,
        t99=solved.t99,
        E_collisions=E_collisions,
        E_dissipated=E_dissipated,
        tau_max=max(path.tau_max, float(series["tau_los"].max())),
        ledger_error=path.ledger_error,
        gated_time=path.gated_time,
        steps=path.accepted,
        steps_rejected=path.rejected,
        steps_beyond_qpr=path.beyond_qpr,
        bins_repaired=path.repaired,
        wall_time=run.seconds + solved.solver_time + time.perf_counter() - begin,
        solver_time=solved.solver_time,
        cache=stats,
    )
