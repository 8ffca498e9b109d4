"""One zero-dimensional run, from configuration to result: prepared, solved, finished."""

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
from .config import RunConfig, build_config
from .config_sections import Output
from .derived import Derived, derive, motion_left
from .errors import SolverError
from .ledger import LEDGER_LIMIT, explain_imbalance
from .notes import Note
from .noting import Course, notes_of_course, notes_of_setup
from .physics.collide import rate_coefficient
from .physics.collisions_smol import _fragment_tensor, gain_workspace, pair_workspace
from .physics.constants import M_MARS, YEAR
from .physics.dynamics import Motion
from .physics.energy import energy_terms
from .physics.fragments import FragmentTensor
from .physics.grid import Array
from .physics.shielding import ShieldingLaw
from .result import RunResult, StopReason
from .series import ROWS, Moving, collision_times, series_of
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
from .solver.imex import ClassicDisk, StepCollapse, integrate_imex
from .solver.integrate import integrate
from .solver.methods import RODAS5P
from .solver.netform import CollisionTerms, collision_terms, emptying_rate
from .solver.stretches import Damping, Stretch, integrate_stretches
from .solver.trajectory import Trajectory, joined
from .stages import Memory, remembering
from .start import Start, available_supply, disk_at_start, drivers_of, shielding_of

logger = logging.getLogger(__name__)

#: outcomes of an integration that could not go on
GIVEN_UP = {TOO_MANY_STEPS, STEP_TOO_SMALL, OUT_OF_TIME}


def _damping(config: RunConfig, derived: Derived, disk: Start, cache: RunCache) -> Damping | None:
    """How collisions damp e and i; None where they do not."""
    given = config.dynamics.damping
    grid = disk.grid
    if given is None:
        return None
    area = pair_workspace(
        grid.sizes, disk.masses, config.material.rho, cache=cache, sizes_version=grid.sizes_version
    ).area
    return Damping(
        given.epsilon**2,
        area,
        disk.masses,
        functools.partial(motion_left, config, derived, given.e_eq),
    )


def _moving(
    derived: Derived, damping: Damping | None, stretches: list[Stretch], times: Array
) -> Array:
    """e, v_rel [m/s] and H [m] at increasing ``times`` [s]: (3, times)."""
    if damping is None:
        return np.full((times.size, 3), derived.motion).T
    return np.array([damping.motion_at(q) for q in damping.q(stretches, times).tolist()]).T


def _collisions(
    config: RunConfig, derived: Derived, motion: Motion, disk: Start, cache: RunCache
) -> tuple[Array, float, FragmentTensor]:
    """Cross-section [m2], the speed [m/s] for its rate and outcome of every pair."""
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
    return pairs.area, motion.v_rel if config.collisions.enabled else 0.0, tensor


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
    """What :func:`integrate` needs of the collisions; with a memory, the last run's arrays where this one's would be equal."""
    gain = gain_workspace(
        disk.masses, config.material.rho, cache=cache, sizes_version=disk.grid.sizes_version
    )
    area, speed, tensor = _collisions(config, derived, motion, disk, cache)
    return (memory or Memory()).again(
        _terms, area, motion.H, speed, tensor, disk.masses, gain.m_sum
    )


def _energies(
    config: RunConfig, derived: Derived, disk: Start, stretches: list[Stretch], cache: RunCache
) -> tuple[float, float]:
    """Energy brought into collisions and energy dissipated [J] in the annulus; not summed where nobody asks."""
    energy = config.energy
    if not energy.enabled:
        return math.nan, math.nan
    kept = (
        energy.eps_restitution**2
        if energy.f_ke_fragmentation is None
        else energy.f_ke_fragmentation
    )
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
            kept,
        )
        in_stretch = sample.collision_energy(path, rates)
        relative = relative + in_stretch[0]
        retained = retained + in_stretch[1]
    return relative * derived.area, (relative - retained) * derived.area


@functools.lru_cache(maxsize=8)
def _sample_shares(output: Output) -> tuple[Array, NDArray[np.int64]]:
    """Times of the series as shares of the run's length, and which of them are snapshots."""
    shares = np.linspace(0.0, 1.0, output.samples)
    if output.spacing == "log":
        shares[1:-1] = 10.0 ** np.linspace(-output.decades, 0.0, output.samples - 1)[:-1]
    return shares, np.linspace(0, output.samples - 1, output.snapshots).round().astype(np.int64)


def _check(run: "Prepared", path: Trajectory, stretches: list[Stretch]) -> None:
    config = run.config
    derived = run.derived
    # which cannot keep the limit, and says itself why it collapses
    classic = config.numerics.scheme == "imex_bdf1"
    if path.outcome not in GIVEN_UP and (classic or path.ledger_error <= LEDGER_LIMIT):
        return
    at = f"at t = {path.t_final:.6g} s after {path.accepted} steps ({path.rejected} rejected)"
    rtol = "give numerics.dt" if classic else f"loosen numerics.rtol = {config.numerics.rtol:g}"
    if path.outcome == OUT_OF_TIME:
        y = path.y[-1, : path.bins]
        last = float(path.t[-1] - path.t[-2]) if path.t.size > 1 else 0.0
        raise SolverError(
            f"the time limit was reached {at}, of {derived.t_end:.6g} s to go: Sigma ="
            f" {y.sum():.6g} kg/m2, tau_los up to {path.tau_max:.3g}, last step {last:.3g} s;"
            f" {rtol}, end the run earlier, or raise the limit (time_limit in the sweep file)"
        )
    if path.outcome == TOO_MANY_STEPS:
        raise SolverError(
            f"numerics.max_steps = {config.numerics.max_steps} reached {at}; raise it or {rtol}"
        )
    if path.outcome == STEP_TOO_SMALL or math.isnan(path.ledger_error):
        raise SolverError(
            f"the step size fell below round-off {at}; {rtol} or check the configuration's extremes"
        )

    def collision_rate(t: float, c: Array) -> float:
        motion = next(stretch.motion for stretch in reversed(stretches) if stretch.path.t[0] <= t)
        return emptying_rate(c, _collision_terms(config, derived, motion, run.disk, run.cache))

    def closes(changed: RunConfig) -> bool:
        other = joined(
            [stretch.path for stretch in prepare(changed, RunCache(), run.alarm).solve()]
        )
        return other.outcome not in GIVEN_UP and other.ledger_error <= LEDGER_LIMIT

    why = explain_imbalance(config, path, run.drivers, collision_rate, closes)
    raise SolverError(
        f"mass is not conserved {at}: {path.ledger_error:.1e} of start and supply, {LEDGER_LIMIT:g}"
        f" is allowed; {why}"
    )


def classic_disk(config: RunConfig, derived: Derived, disk: Start) -> ClassicDisk:
    """What the classic step is made of."""
    rho = config.material.rho
    speed = derived.v_rel if config.collisions.enabled else 0.0
    return ClassicDisk(
        disk.grid,
        disk.masses,
        rho,
        derived.H,
        speed,
        derived.alpha_mass,
        config.qstar.law(),
        disk.injection,
    )


def outer_step(config: RunConfig, derived: Derived) -> float:
    """Outer step [s] of the classic scheme."""
    return config.numerics.dt or derived.t_end / 1000.0


def _undamped(
    derived: Derived, disk: Start, terms: CollisionTerms, drivers: Drivers, limits: Limits
) -> list[Stretch]:
    """The run in one stretch."""
    return [
        Stretch(
            integrate(disk.sigma_0 * disk.shares, terms, drivers, limits, RODAS5P), derived.motion
        )
    ]


def _damped(
    config: RunConfig,
    derived: Derived,
    disk: Start,
    drivers: Drivers,
    limits: Limits,
    damping: Damping,
    cache: RunCache,
) -> list[Stretch]:
    """The run in stretches, each with the collisions of its own speed."""

    def solve(
        motion: Motion, y: Array, limits: Limits, t: float, mode: int, above: int
    ) -> Trajectory:
        terms = _collision_terms(config, derived, motion, disk, cache)
        return integrate(y, terms, drivers, limits, RODAS5P, t=t, mode=mode, above=above)

    return integrate_stretches(
        disk.sigma_0 * disk.shares, damping, limits, solve, tolerance=config.numerics.rtol
    )


def _classic(
    config: RunConfig,
    derived: Derived,
    disk: Start,
    drivers: Drivers,
    limits: Limits,
    cache: RunCache,
) -> list[Stretch]:
    """The classic scheme's trajectory; it is not held to :data:`LEDGER_LIMIT`, which it cannot keep, but reports its ledger's error."""
    dt = outer_step(config, derived)
    most = config.numerics.max_substeps
    try:
        classic = classic_disk(config, derived, disk)
        path = integrate_imex(
            disk.sigma_0 * disk.shares,
            classic,
            drivers,
            limits,
            dt=dt,
            max_substeps=most,
            cache=cache,
        )
        return [Stretch(path, derived.motion)]
    except StepCollapse as collapse:
        raise SolverError(
            f"numerics.scheme = imex_bdf1: {most} steps (numerics.max_substeps) cover"
            f" {collapse.covered:.3g} s of the outer step of {dt:.3g} s at t = {collapse.t:.6g} s."
            " The classic step is bound to a tenth of the shortest gross collision time, and a"
            f" grain of bin {collapse.bin} ({collapse.size:.3g} m) is hit {collapse.hit_rate:.3g}"
            " times a second. Set numerics.scheme: rosenbrock, which is bound to net rates only;"
            " or raise sizes.s_min, lower optical_depth.tau0_target or raise max_substeps"
        ) from collapse
    except ArithmeticError as error:
        raise SolverError(
            f"numerics.scheme = imex_bdf1: {error}; shorten numerics.dt = {dt:.3g} s, or set"
            " numerics.scheme: rosenbrock"
        ) from error


@functools.cache
def ensure_compiled() -> None:
    """Load or compile every kernel of a run once per process, repairing damaged compiled files."""
    smallest = {
        "disk": {"r_in_RM": 2.0, "r_out_RM": 2.1},
        "sizes": {"s_min": 1e-6, "s_max": 1.0, "n_bins": 4},
        "temperature": {"law": "constant", "T0": 2000.0},
        "radiation": {"Q_pr": 1.0},
    }
    with_everything = {
        "dynamics": {"damping": {"e_eq": 0.1}},
        "energy": {"enabled": True},
        "numerics": {"t_end_orbits": 1e-12},
    }
    with compiling():
        for changes in (
            with_everything,
            {"numerics": {"scheme": "imex_bdf1", "dt": 1.0, "t_end_orbits": 1e-12}},
        ):
            config = build_config({**smallest, **changes})
            call_repairing(functools.partial(_run, config, RunCache()))


def run_zero_d(
    config: RunConfig, *, cache: RunCache | None = None, alarm: NDArray[np.int64] | None = None
) -> RunResult:
    """Integrate one run. No files, no globals: the same configuration gives the same bits.

    Parameters
    ----------
    config : what to run
    cache : where to look up arrays that other runs may share; None uses one of its own
    alarm : (1,) that another thread may set to 1 to end the run as failed

    Raises
    ------
    ConfigError
        The configuration contradicts itself in a way that only its physics shows.
    SolverError
        The integration could not reach the end.
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
    seconds: float
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
    """Whether a run uses its cache after it is prepared."""
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
    """All that a run needs before it can be integrated. The three stages of a run can be made for several runs together.

    With a memory, what follows from sections of the configuration that an earlier run had is not
    worked out again.
    """
    begin = time.perf_counter()
    cache.restart_counts()
    seen = remembering(config, memory)
    derived = derive(seen)
    disk = disk_at_start(seen, cache)
    watched: NDArray[np.int64] = np.zeros(1, np.int64) if alarm is None else alarm
    drivers = drivers_of(seen, derived, disk)
    limits = run_limits(config, derived)._replace(alarm=watched)
    damping = _damping(config, derived, disk, cache)
    if config.numerics.scheme == "imex_bdf1":
        solve = functools.partial(_classic, config, derived, disk, drivers, limits, cache)
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
    shielding = shielding_of(seen)
    stats = cache.stats()
    return Prepared(
        config,
        derived,
        disk,
        drivers,
        shielding,
        notes_of_setup(seen),
        damping,
        solve,
        cache,
        stats,
        time.perf_counter() - begin,
        watched,
    )


def solve(run: Prepared) -> Solved:
    """Integrate, and read the dense output at the times of the series."""
    begin = time.perf_counter()
    disk = run.disk
    stretches = run.solve()
    path = joined([stretch.path for stretch in stretches])
    _check(run, path, stretches)
    shares, _ = _sample_shares(run.config.output)
    times = shares * path.t_final
    n = path.bins
    y, series, t99 = sample.look(path, run.drivers, run.shielding, times, disk.f_los)
    depths = sample.depths(path, run.drivers)
    thick = sample.blown_while_thick(path, run.drivers)
    N = y[:, :n] / disk.masses
    ledger = y[:, n : n + ENTRIES].copy()
    blown = sample.blown_by_bin(path, run.drivers)
    seconds = time.perf_counter() - begin
    return Solved(
        run, stretches, path, depths, times, ledger, series, N, blown, t99, thick, seconds
    )


def _run(config: RunConfig, cache: RunCache, alarm: NDArray[np.int64] | None = None) -> RunResult:
    return finish(solve(prepare(config, cache, alarm)))


def run_limits(config: RunConfig, derived: Derived) -> Limits:
    numerics = config.numerics
    tau_stop = config.optical_depth.tau_stop
    loss_rate = config.numerics.mass_loss_rate_stop_Mmars_s
    return Limits(
        derived.t_end,
        numerics.rtol,
        numerics.atol,
        numerics.max_steps,
        math.inf if tau_stop is None else tau_stop,
        config.sizes.s_min if numerics.stop_on_blowout_below_smin else -1.0,
        -1.0 if loss_rate is None else loss_rate * M_MARS / derived.area,
        (numerics.min_duration_years or 0.0) * YEAR,
    )


_STOPS = {
    TAU_STOP: StopReason.OPTICAL_DEPTH,
    BLOWOUT_BELOW_GRID: StopReason.BLOWOUT_BELOW_GRID,
    LOSS_RATE_STOP: StopReason.LOSS_RATE,
}


def finish(solved: Solved) -> RunResult:
    """The result of a run."""
    begin = time.perf_counter()
    run, stretches, path, depths, times, ledger, looked, N, blown, t99, thick, solver_time = solved
    config = run.config
    derived = run.derived
    disk = run.disk
    snapshots = _sample_shares(run.config.output)[1]
    moving = Moving(*_moving(derived, run.damping, stretches, times))
    collide = (looked[ROWS.index("gates")].astype(np.int64) & 1 == 1) & config.collisions.enabled
    t_coll = collision_times(N, disk.masses, disk.grid.sizes, moving, collide)
    series = series_of(
        config, looked, ledger, r=derived.r, area=derived.area, moving=moving, t_coll=t_coll
    )
    energies = _energies(config, derived, disk, stretches, run.cache)
    stats = run.cache.stats() if goes_on_looking_up(config) else run.stats
    if logger.isEnabledFor(logging.DEBUG):
        logger.debug("cache: %s", stats.line())
    to_mars = derived.area / M_MARS
    course = Course(
        derived, run.drivers, path, depths, float(ledger[-1, SUPPLIED]), float(series["s_blow"][0])
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
        N=N[snapshots],
        M_blown=blown * to_mars,
        M_loss=last["M_loss_cum"],
        M_loss_blowout=last["M_loss_blowout_cum"],
        M_loss_thick=thick * to_mars,
        M_loss_sublimation=last["M_loss_sublimation_cum"],
        M_loss_other=last["M_loss_other_cum"],
        M_available=disk.sigma_0 * to_mars + available_supply(config),
        M_supplied=last["M_supplied_cum"],
        Sigma_0=disk.sigma_0,
        Sigma_final=last["Sigma"],
        t_end=path.t_final,
        t99=t99,
        E_collisions=energies[0],
        E_dissipated=energies[1],
        tau_max=max(path.tau_max, float(series["tau_los"].max())),
        ledger_error=path.ledger_error,
        gated_time=path.gated_time,
        steps=path.accepted,
        steps_rejected=path.rejected,
        steps_beyond_qpr=path.beyond_qpr,
        bins_repaired=path.repaired,
        wall_time=run.seconds + solver_time + time.perf_counter() - begin,
        solver_time=solver_time,
        cache=stats,
    )
