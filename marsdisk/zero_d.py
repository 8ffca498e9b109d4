"""One zero-dimensional run, from configuration to result."""

import functools
import logging
import math
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ._jit import call_repairing, interpreted
from .cache import RunCache
from .config import RunConfig, build_config
from .config_sections import ConstantTemperature, LinearTemperature, Output, SlabTemperature, TableTemperature
from .errors import ConfigError, SolverError
from .physics import dynamics, opacity, orbit, psd, temperature
from .physics.collide import rate_coefficient
from .physics.collisions_smol import _fragment_tensor, gain_workspace, pair_workspace, supply_weights
from .physics.constants import DAY, M_MARS, YEAR
from .physics.fragments import mass_exponent
from .physics.grid import Array, SizeGrid, grain_mass, make_grid
from .physics.qpr_table import QprTable, qpr_lookup
from .physics.radiation import RadiationPressure, beta, blowout_size, blowout_time, chi_auto, radiation_pressure
from .physics.supply import rate_from_orbit_fraction
from .result import RunResult, StopReason
from .solver import sample
from .solver.drivers import Drivers
from .solver.integrate import STEP_TOO_SMALL, TAU_STOP, TOO_MANY_STEPS, Limits, Trajectory, integrate
from .solver.methods import RODAS4
from .solver.netform import CollisionTerms, collision_terms

logger = logging.getLogger(__name__)

LEDGER_LIMIT = 1e-10  # of start and supply; a run that loses more than this to round-off is no result
T_RANGE = (1000.0, 6500.0)  # K, where the model of Mars as a black body is meant to hold


@dataclass(frozen=True, eq=False)
class Derived:
    """What follows from a configuration without any array work: geometry, speeds, the length of the run."""

    r: float  #: m
    area: float  #: m2
    omega: float  #: 1/s
    T_orb: float  #: s
    e: float
    v_rel: float  #: m/s
    H: float  #: m
    law: temperature.TemperatureLaw
    pressure: RadiationPressure
    s_lo: float  #: m, where the size grid begins
    alpha_mass: float  #: exponent of the fragments' mass law
    t_end: float  #: s
    end_reason: StopReason

    def cache_identity(self, config: RunConfig) -> tuple[object, ...]:
        """What the cached arrays depend on, slowest to build first: runs equal in it share everything."""
        grid = (self.s_lo, config.sizes.s_max, config.sizes.n_bins)
        return (grid, config.material.rho, self.alpha_mass, config.qstar.law().signature, self.v_rel)


def _temperature_law(config: RunConfig) -> temperature.TemperatureLaw:
    given = config.temperature
    if isinstance(given, ConstantTemperature):
        return temperature.constant(given.T0)
    if isinstance(given, SlabTemperature):
        return temperature.slab(given.T0, given.depth, given.rho, given.c_p)
    if isinstance(given, LinearTemperature):
        return temperature.linear(given.T0, given.depth)
    return _temperature_table(given)


def _temperature_table(given: TableTemperature) -> temperature.TemperatureLaw:
    unit = {"s": 1.0, "day": DAY, "yr": YEAR}[given.time_unit]
    try:
        with Path(given.path).open(encoding="utf-8") as file:
            header = [name.strip() for name in file.readline().split(",")]
            columns = [header.index(name) for name in (given.time_column, given.temperature_column)]
            times, temperatures = np.loadtxt(file, delimiter=",", usecols=columns, unpack=True, ndmin=2)
        return temperature.table(times * unit, temperatures)
    except (OSError, ValueError) as error:
        raise ConfigError(
            [f"temperature.path = {given.path!r}: {error}; give a CSV file with columns {given.time_column} and {given.temperature_column}"]
        ) from error


def _end(config: RunConfig, law: temperature.TemperatureLaw, T_orb: float) -> tuple[float, StopReason]:
    numerics = config.numerics
    ends = []
    if numerics.t_end_years is not None:
        ends.append((numerics.t_end_years * YEAR, StopReason.T_END_YEARS))
    if numerics.t_end_orbits is not None:
        ends.append((numerics.t_end_orbits * T_orb, StopReason.T_END_ORBITS))
    if numerics.t_end_until_temperature_K is not None:
        T_stop = numerics.t_end_until_temperature_K
        t_stop = temperature.first_time_at_or_below(law, T_stop)
        if t_stop == 0.0:
            raise ConfigError([f"numerics.t_end_until_temperature_K = {T_stop:g}: Mars starts at {law.T0:g} K, not above it; lower it or raise T0"])
        if t_stop is not None:
            ends.append((t_stop, StopReason.TEMPERATURE))
        elif not ends:
            raise ConfigError(
                [
                    f"numerics.t_end_until_temperature_K = {T_stop:g}: Mars never cools to it under temperature.law = {config.temperature.law}; give t_end_years too"
                ]
            )
    return min(ends, key=lambda end: end[0])


def derive(config: RunConfig) -> Derived:
    """Geometry, speeds and length of a run.

    Raises
    ------
    ConfigError
        The run would never end, or Mars leaves the range of temperatures of the model before it does.
    """
    disk, dyn = config.disk, config.dynamics
    r = orbit.reference_radius(disk.r_in_RM, disk.r_out_RM)
    T_orb, v_K = orbit.orbital_period(r), orbit.keplerian_velocity(r)
    e = dyn.e0 if dyn.e_profile == "fixed" else dynamics.mars_pericenter_eccentricity(r)
    v_rel = dynamics.dispersion_speed(v_K, e, dyn.i0) if dyn.v_rel == "dispersion" else dynamics.pericenter_speed(v_K, e)
    H = dynamics.scale_height(r, dyn.i0, dyn.H_factor) if dyn.H_fixed_over_a is None else dyn.H_fixed_over_a * r
    law = _temperature_law(config)
    t_end, end_reason = _end(config, law, T_orb)
    coldest, hottest = temperature.lowest_and_highest(law, t_end)
    if coldest < T_RANGE[0] * (1.0 - 1e-9) or hottest > T_RANGE[1] * (1.0 + 1e-9):
        raise ConfigError(
            [
                f"temperature: Mars is between {coldest:.0f} and {hottest:.0f} K during the run, outside [{T_RANGE[0]:g}, {T_RANGE[1]:g}] K; "
                "end it earlier, for example with numerics.t_end_until_temperature_K"
            ]
        )
    pressure = radiation_pressure(config.material.rho, config.q_pr())
    s_lo = config.sizes.s_min
    if config.psd.floor == "blowout":
        if hottest > law.T0:
            raise ConfigError(
                [f"psd.floor = 'blowout': the grid starts at s_blow(0), but Mars heats up to {hottest:.0f} K later; set psd.floor: none"]
            )
        s_lo = max(s_lo, interpreted(blowout_size)(pressure, law.T0)[0])
        if s_lo >= config.sizes.s_max:
            raise ConfigError(
                [f"sizes.s_max = {config.sizes.s_max:g}: all grains are below the blow-out size {s_lo:.3g} m at the start; raise s_max"]
            )
    alpha_mass = mass_exponent(config.collisions.alpha_frag, config.collisions.fragment_law)
    area = orbit.annulus_area(disk.r_in_RM, disk.r_out_RM)
    return Derived(r, area, orbit.angular_velocity(r), T_orb, e, v_rel, H, law, pressure, s_lo, alpha_mass, t_end, end_reason)


def _initial_shares(config: RunConfig, grid: SizeGrid) -> Array:
    if config.initial.s0_mode == "upper":
        return psd.three_slope(grid, config.psd.alpha, config.psd.wavy_strength)
    return psd.melt_lognormal_mixture(grid, **config.initial.melt_psd.model_dump())


@functools.lru_cache(maxsize=64)
def _auto_chi(q_pr: QprTable | float, s: float, rho: float, T_M: float) -> float:
    Q = float(qpr_lookup(q_pr, s, T_M)) if isinstance(q_pr, QprTable) else q_pr
    return chi_auto(float(beta(s, rho, T_M, Q)), Q)


def _chi(config: RunConfig, derived: Derived) -> float:
    chi = config.blowout.chi
    return _auto_chi(config.q_pr(), derived.s_lo, config.material.rho, derived.law.T0) if isinstance(chi, str) else chi


def _supply_rate(config: RunConfig, derived: Derived, kappa: float, f_los: float) -> float:
    supply = config.supply
    if supply.mode == "none":
        return 0.0
    if supply.const_rate is not None:
        return supply.const_rate * (1.0 if supply.epsilon_mix is None else supply.epsilon_mix)
    mu = 1.0 if supply.mu_orbit10pct is None else supply.mu_orbit10pct
    sigma_ref = opacity.surface_density_at_tau(supply.tau_ref, kappa, f_los)
    return rate_from_orbit_fraction(mu, supply.f_orb, sigma_ref, derived.T_orb)


def _collision_terms(config: RunConfig, derived: Derived, grid: SizeGrid, masses: Array, cache: RunCache) -> CollisionTerms:
    rho, versions = config.material.rho, {"sizes_version": grid.sizes_version, "edges_version": grid.edges_version}
    pairs = pair_workspace(grid.sizes, masses, rho, cache=cache, sizes_version=grid.sizes_version)
    gain = gain_workspace(masses, rho, cache=cache, sizes_version=grid.sizes_version)
    tensor = _fragment_tensor(grid.sizes, masses, grid.edges, derived.v_rel, rho, derived.alpha_mass, law=config.qstar.law(), cache=cache, **versions)
    coefficient = rate_coefficient(pairs.area, derived.H, derived.v_rel if config.collisions.enabled else 0.0)
    return collision_terms(coefficient, tensor, masses, gain.m_sum)


@functools.lru_cache(maxsize=8)
def _sample_shares(output: Output) -> tuple[Array, NDArray[np.int64]]:
    """Times of the series as shares of the run's length, and which of them are snapshots."""
    shares = np.linspace(0.0, 1.0, output.samples)
    if output.spacing == "log":
        shares[1:-1] = 10.0 ** np.linspace(-output.decades, 0.0, output.samples - 1)[:-1]
    return shares, np.linspace(0, output.samples - 1, output.snapshots).round().astype(np.int64)


def _check(config: RunConfig, derived: Derived, path: Trajectory) -> None:
    at = f"at t = {path.t_final:.6g} s after {path.t.size - 1} steps ({path.rejected} rejected)"
    rtol = f"loosen numerics.rtol = {config.numerics.rtol:g}"
    if path.outcome == TOO_MANY_STEPS:
        raise SolverError(f"numerics.max_steps = {config.numerics.max_steps} reached {at}; raise it or {rtol}")
    if path.outcome == STEP_TOO_SMALL or math.isnan(path.ledger_error):
        raise SolverError(f"the step size fell below round-off {at}; {rtol} or check the configuration's extremes")
    if not path.ledger_error <= LEDGER_LIMIT:
        raise SolverError(
            f"mass is not conserved {at}: {path.ledger_error:.1e} of start and supply, {LEDGER_LIMIT:g} is allowed. "
            f"Collisions are faster than double precision can balance (scale height {derived.H:.3g} m); raise dynamics.i0"
        )


@functools.cache
def ensure_compiled() -> None:
    """Load or compile every kernel of a run once per process, repairing damaged compiled files."""
    smallest = {
        "disk": {"r_in_RM": 2.0, "r_out_RM": 2.1},
        "sizes": {"s_min": 1e-6, "s_max": 1.0, "n_bins": 4},
        "temperature": {"law": "constant", "T0": 2000.0},
        "radiation": {"Q_pr": 1.0},
        "numerics": {"t_end_orbits": 1e-6},
    }
    call_repairing(lambda: _run(build_config(smallest), RunCache()))


def _look(path: Trajectory, drivers: Drivers, times: Array) -> tuple[Array, Array, float]:
    y = sample.states(path, times)
    return y, sample.drivers_at(path, drivers, times, y), sample.time_of_loss(path, 0.99)


@dataclass(frozen=True, eq=False)
class Start:
    """The disk at t = 0 and what is added to it."""

    grid: SizeGrid
    masses: Array  #: (n,) kg
    shares: Array  #: (n,) mass share of each bin
    sigma_0: float  #: kg/m2
    f_los: float
    supply: Array  #: (n,) kg/(m2 s)


def start(config: RunConfig, derived: Derived, cache: RunCache) -> Start:
    """The disk at t = 0.

    Raises
    ------
    ConfigError
        Nothing of the start or of the supply falls on the size grid.
    """
    optical, supply = config.optical_depth, config.supply
    try:
        grid = make_grid(derived.s_lo, config.sizes.s_max, config.sizes.n_bins)
        masses = grain_mass(grid.sizes, config.material.rho)
        shares = _initial_shares(config, grid)
        kappa = opacity.opacity(grid.sizes, shares / masses, masses)
        f_los = opacity.line_of_sight_factor(optical.path_multiplier, optical.h_over_r)
        sigma_0 = opacity.surface_density_at_tau(optical.tau0_target, kappa, f_los)
        injected = supply_weights(
            supply.injection,
            grid,
            masses,
            config.material.rho,
            shares,
            s_min_eff=derived.s_lo,
            s_inj_min=supply.s_inj_min or 0.0,
            s_inj_max=supply.s_inj_max or math.inf,
            q=supply.q,
            cache=cache,
        )
    except ValueError as error:
        raise ConfigError([f"initial, sizes and supply do not fit together: {error}"]) from error
    return Start(grid, masses, shares, sigma_0, f_los, _supply_rate(config, derived, kappa, f_los) * injected)


def check(config: RunConfig) -> Derived:
    """What :func:`derive` gives, after everything that can be known to be wrong before a run has been looked for.

    Raises
    ------
    ConfigError
        The run would fail.
    """
    derived = derive(config)
    start(config, derived, RunCache())
    return derived


def run_zero_d(config: RunConfig, *, cache: RunCache | None = None) -> RunResult:
    """Integrate one run. No files, no globals: the same configuration gives the same bits.

    Parameters
    ----------
    config : what to run
    cache : where to look up arrays that other runs may share; None uses one of its own

    Raises
    ------
    ConfigError
        The configuration contradicts itself in a way that only its physics shows.
    SolverError
        The integration could not reach the end.
    """
    ensure_compiled()
    return _run(config, RunCache() if cache is None else cache)


def _run(config: RunConfig, cache: RunCache) -> RunResult:
    begin = time.perf_counter()
    cache.restart_counts()
    derived = derive(config)
    disk = start(config, derived, cache)
    grid, masses = disk.grid, disk.masses
    terms = _collision_terms(config, derived, grid, masses, cache)
    blowout_rate = 1.0 / blowout_time(_chi(config, derived), derived.omega) if config.blowout.enabled else 0.0
    drivers = Drivers(derived.law, derived.pressure, grid.edges.copy(), blowout_rate, config.blowout.edge == "sharp", disk.supply)
    numerics = config.numerics
    tau_stop = math.inf if config.optical_depth.tau_stop is None else config.optical_depth.tau_stop
    limits = Limits(derived.t_end, numerics.rtol, numerics.atol * disk.sigma_0, numerics.max_steps, tau_stop, disk.f_los)
    begin_solver = time.perf_counter()
    path = integrate(disk.sigma_0 * disk.shares, grid.sizes.copy(), terms, drivers, limits, RODAS4)
    solver_time = time.perf_counter() - begin_solver
    _check(config, derived, path)

    shares_of_time, snapshots = _sample_shares(config.output)
    times = shares_of_time * path.t_final
    y, (T_M, s_blow, flux), t99 = _look(path, drivers, times)
    c, lost = y[:, :-1], y[:, -1]
    to_mars = derived.area / M_MARS
    M_loss = float(lost[-1]) * to_mars
    stats = cache.stats()
    if logger.isEnabledFor(logging.DEBUG):
        logger.debug("cache: %s", stats.line())
    return RunResult(
        config=config,
        stop_reason=StopReason.OPTICAL_DEPTH if path.outcome == TAU_STOP else derived.end_reason,
        t=times,
        Sigma=c.sum(axis=1),
        tau_los=disk.f_los * (c * (math.pi * grid.sizes**2 / masses)).sum(axis=1),
        T_M=T_M,
        s_blow=s_blow,
        M_out_dot=flux * to_mars,
        M_sink_dot=np.zeros_like(times),
        M_loss_cum=lost * to_mars,
        s=grid.sizes,
        s_edges=grid.edges,
        t_snapshot=times[snapshots],
        N=c[snapshots] / masses,
        M_loss=M_loss,
        M_loss_blowout=M_loss,
        M_loss_sublimation=0.0,
        M_loss_other=0.0,
        M_supplied=float(disk.supply.sum()) * path.t_final * to_mars,
        Sigma_0=disk.sigma_0,
        Sigma_final=float(c[-1].sum()),
        t_end=path.t_final,
        t99=t99,
        tau_max=path.tau_max,
        ledger_error=path.ledger_error,
        steps=path.t.size - 1,
        steps_rejected=path.rejected,
        clamped=path.clamped,
        wall_time=time.perf_counter() - begin,
        solver_time=solver_time,
        cache=stats,
    )
