"""Before a run: what follows from its configuration, and the disk at t = 0."""

import functools
import math
from dataclasses import dataclass

import numpy as np

from ._jit import interpreted
from .cache import RunCache
from .config import RunConfig
from .config_processes import ConstantTemperature, LinearTemperature, PowerLawSupply, SlabTemperature, TableSupply, TableTemperature
from .config_sections import Dynamics, Initial, Psd
from .errors import ConfigError
from .physics import dynamics, opacity, orbit, psd, temperature
from .physics.collisions_smol import supply_weights
from .physics.constants import DAY, M_MARS, R_MARS, YEAR
from .physics.csv_table import read_csv_table
from .physics.fragments import mass_exponent
from .physics.grid import Array, SizeGrid, grain_mass, make_grid, read_only
from .physics.phase import PhaseLaw, never_gated
from .physics.qpr_table import QprTable, qpr_lookup
from .physics.radiation import RadiationPressure, beta, blowout_size, blowout_time, chi_auto, radiation_pressure
from .physics.shielding import ShieldingLaw, analytic, read_phi_table, unshielded
from .physics.sinks import gas_drag_rates, sublimation_sink_rates
from .physics.sublimation import SETS, Vapour, grain_heating, kink_temperatures, read_vapour_table, tabulated_vapour, transport_rates, vapour_of
from .physics.supply import (
    Feedback,
    Injection,
    SupplyLaw,
    SupplySegment,
    no_feedback,
    rate_from_orbit_fraction,
    read_supply_table,
    scale_kinks,
    supply_kinks,
    supply_law,
)
from .result import StopReason
from .solver.drivers import BlowoutRule, Drivers, LinearTerms

T_RANGE = (1000.0, 6500.0)  # K, where the model of Mars as a black body is meant to hold


@dataclass(frozen=True, eq=False)
class Derived:
    """What follows from a configuration without any array work: geometry, speeds, the length of the run."""

    r: float  #: m
    area: float  #: m2
    T_orb: float  #: s
    e: float
    v_rel: float  #: m/s
    H: float  #: m
    law: temperature.TemperatureLaw
    pressure: RadiationPressure
    s_lo: float  #: m, where the size grid begins
    alpha_mass: float  #: exponent of the fragments' mass law
    blowout_rate: float  #: 1/t_blow [1/s]; 0 without blow-out
    t_end: float  #: s
    end_reason: StopReason

    @property
    def motion(self) -> dynamics.Motion:
        """How grains move at the start."""
        return dynamics.Motion(self.e, self.v_rel, self.H)

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
        columns = read_csv_table(given.path)
        return temperature.table(columns.column(given.time_column) * unit, columns.column(given.temperature_column))
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


@functools.lru_cache(maxsize=64)
def _auto_chi(q_pr: QprTable | float, s: float, rho: float, T_M: float) -> float:
    Q = float(qpr_lookup(q_pr, s, T_M)) if isinstance(q_pr, QprTable) else q_pr
    return chi_auto(float(beta(s, rho, T_M, Q)), Q)


def _motion(dyn: Dynamics, r: float, e: float, i: float) -> dynamics.Motion:
    v_K = orbit.keplerian_velocity(r)
    v_rel = dynamics.dispersion_speed(v_K, e, i) if dyn.v_rel == "dispersion" else dynamics.pericenter_speed(v_K, e)
    return dynamics.Motion(e, v_rel, dynamics.scale_height(r, i, dyn.H_factor) if dyn.H_fixed_over_a is None else dyn.H_fixed_over_a * r)


def motion_left(config: RunConfig, derived: Derived, e_eq: float, q: float) -> dynamics.Motion:
    """How grains move when collisions have left the share ``q`` of the way from the start to ``e_eq``, i keeping its ratio to e."""
    dyn = config.dynamics
    i_eq = (dyn.i0 / derived.e if derived.e > 0.0 else 0.5) * e_eq
    return _motion(dyn, derived.r, dynamics.relaxed(derived.e, e_eq, q), dynamics.relaxed(dyn.i0, i_eq, q))


def derive(config: RunConfig) -> Derived:
    """Geometry, speeds and length of a run.

    Raises
    ------
    ConfigError
        The run would never end, or Mars leaves the range of temperatures of the model before it does.
    """
    disk, dyn = config.disk, config.dynamics
    r = orbit.reference_radius(disk.r_in_RM, disk.r_out_RM)
    T_orb, omega = orbit.orbital_period(r), orbit.angular_velocity(r)
    e = dyn.e0 if dyn.e_profile == "fixed" else dynamics.mars_pericenter_eccentricity(r)
    motion = _motion(dyn, r, e, dyn.i0)
    if dyn.damping is not None and motion.v_rel == 0.0:
        raise ConfigError(["dynamics.damping has nothing to damp where e = i = 0, as no grain ever meets another; raise e0 or i0"])
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
        aside = -1e-12 if law.kind == temperature.CONSTANT else 1e-12  # so that it is not round-off that says whether the first bin is unbound
        s_lo = max(s_lo, interpreted(blowout_size)(pressure, law.T0)[0] * (1.0 + aside))
        if s_lo >= config.sizes.s_max:
            raise ConfigError(
                [f"sizes.s_max = {config.sizes.s_max:g}: all grains are below the blow-out size {s_lo:.3g} m at the start; raise s_max"]
            )
    alpha_mass = mass_exponent(config.collisions.alpha_frag, config.collisions.fragment_law)
    chi = config.blowout.chi
    if isinstance(chi, str):
        chi = _auto_chi(config.q_pr(), s_lo, config.material.rho, law.T0)
    blowout_rate = 1.0 / blowout_time(chi, omega) if config.blowout.enabled else 0.0
    area = orbit.annulus_area(disk.r_in_RM, disk.r_out_RM)
    return Derived(r, area, T_orb, *motion, law, pressure, s_lo, alpha_mass, blowout_rate, t_end, end_reason)


@functools.lru_cache(maxsize=16)
def _initial_shares(initial: Initial, shape: Psd, grid: SizeGrid) -> Array:
    if initial.s0_mode == "upper":
        shares = psd.three_slope(grid, shape.alpha, shape.wavy_strength)
    elif initial.s0_mode == "melt_lognormal_mixture":
        shares = psd.melt_lognormal_mixture(grid, **initial.melt_psd.model_dump())
    elif initial.s0_mode == "melt_truncated_powerlaw":
        shares = psd.melt_truncated_powerlaw(grid, **initial.truncated.model_dump())
    else:
        shares = psd.mono(grid, initial.s_mono)
    read_only(shares)
    return shares


@functools.lru_cache(maxsize=16)
def _masses(grid: SizeGrid, rho: float) -> Array:
    masses = grain_mass(grid.sizes, rho)
    read_only(masses)
    return masses


@functools.lru_cache(maxsize=16)
def _opacity(grid: SizeGrid, rho: float, initial: Initial, shape: Psd) -> float:
    masses, shares = _masses(grid, rho), _initial_shares(initial, shape, grid)
    return opacity.opacity(grid.sizes, shares / masses, masses)


def _segments(config: RunConfig, derived: Derived, kappa: float, f_los: float) -> list[SupplySegment]:
    """The supply over time, before its coupling to temperature."""
    supply = config.supply
    if supply.mode == "none":
        return []
    if supply.mode == "const" and supply.const_rate is None:
        mu = 1.0 if supply.mu_orbit10pct is None else supply.mu_orbit10pct
        sigma_ref = opacity.surface_density_at_tau(supply.tau_ref, kappa, f_los)
        return [SupplySegment(A=rate_from_orbit_fraction(mu, supply.f_orb, sigma_ref, derived.T_orb))]
    mixed = 1.0 if supply.epsilon_mix is None else supply.epsilon_mix

    def segment(begin: float, end: float, rate: float | None, law: PowerLawSupply | None, table: TableSupply | None, key: str) -> SupplySegment:
        if law is not None:
            return SupplySegment(max(begin, law.t0), end, mixed * law.A, law.index, law.t0 - law.t_offset)
        if table is not None:
            try:
                times, rates = read_supply_table(table.path, derived.r)
            except (OSError, ValueError) as error:
                raise ConfigError([f"{key}.path = {table.path!r}: {error}"]) from error
            times = times * (YEAR if table.time_unit == "yr" else 1.0)
            return SupplySegment(begin, end, times=tuple(times.tolist()), rates=tuple((mixed * rates).tolist()))
        return SupplySegment(begin, end, mixed * (rate or 0.0))

    if supply.mode == "piecewise":
        return [segment(s.t_start, s.t_end, s.const_rate, s.powerlaw, s.table, f"supply.segments[{i}].table") for i, s in enumerate(supply.segments)]
    return [segment(0.0, math.inf, supply.const_rate, supply.powerlaw, supply.table, "supply.table")]


def _supply_law(config: RunConfig, derived: Derived, kappa: float, f_los: float) -> SupplyLaw:
    segments, coupled = _segments(config, derived, kappa, f_los), config.supply.temperature
    if coupled is None:
        return supply_law(segments)
    return supply_law(segments, (coupled.scale, coupled.T_ref, coupled.power, coupled.floor, coupled.cap))


def _feedback(config: RunConfig) -> Feedback:
    given = config.supply.feedback
    if given is None:
        return no_feedback()
    return Feedback(given.gain / (given.t_response_years * YEAR), given.tau_target, math.log(given.floor), math.log(given.cap))


def _vapour(config: RunConfig) -> Vapour:
    given, rho = config.sublimation, config.material.rho
    if given.vapour_pressure in SETS:
        chosen = SETS[given.vapour_pressure]
        alpha, mu = given.alpha_evap or chosen.alpha_evap, given.mu or chosen.mu
        return vapour_of(chosen._replace(alpha_evap=alpha, mu=mu), rho, given.P_gas)
    try:
        T, P_sat = read_vapour_table(given.vapour_pressure)
        return tabulated_vapour(T, P_sat, given.alpha_evap or 1.0, given.mu or 1.0, rho, given.P_gas)
    except (OSError, ValueError) as error:
        problem = f"sublimation.vapour_pressure = {given.vapour_pressure!r}: {error}; give forsterite, sio, or the path of a table"
        raise ConfigError([problem]) from error


def shielding_of(config: RunConfig) -> ShieldingLaw:
    """Phi(tau) of a configuration."""
    given = config.shielding
    if given.mode == "none":
        return unshielded()
    if given.mode == "analytic":
        return analytic(given.w0, given.g)
    try:
        return read_phi_table(given.path or "")
    except (OSError, ValueError) as error:
        raise ConfigError([f"shielding.path = {given.path!r}: {error}; give a CSV file with columns tau and phi"]) from error


def _phase_law(config: RunConfig, derived: Derived) -> PhaseLaw:
    given = config.phase
    if not given.enabled:
        return never_gated()
    heating, only_solids = grain_heating(derived.r, given.q_abs), config.blowout.target_phase == "solid_only"
    return PhaseLaw(heating, given.T_condense, given.T_vaporize, given.pressure, given.tau_ref, only_solids, config.sublimation.of_liquid)


def drivers_of(config: RunConfig, derived: Derived, disk: "Start") -> Drivers:
    """Everything that acts on the disk from outside."""
    method, edges, vapour = config.sublimation.method, disk.grid.edges.copy(), _vapour(config)
    heating = 0.0 if method == "none" else grain_heating(derived.r, config.sublimation.Q_abs)
    evaporated, down = np.zeros((2, disk.grid.sizes.size))
    if method == "sink":
        evaporated = sublimation_sink_rates(disk.grid.sizes, -1.0)
    elif method == "advection":
        evaporated, down = transport_rates(edges)
    in_time = [*supply_kinks(disk.supply), *(derived.law.times.tolist() if derived.law.kind == temperature.TABLE else [])]
    in_T = [*scale_kinks(disk.supply), *([T / heating for T in kink_temperatures(vapour)] if heating else [])]
    drag = gas_drag_rates(disk.grid.sizes, config.material.rho, config.drag.rho_g, config.drag.c_s)
    return Drivers(
        derived.law,
        derived.pressure,
        BlowoutRule(edges, derived.blowout_rate, config.blowout.edge == "sharp"),
        LinearTerms(evaporated, down, drag, np.array(disk.supply_shares)),
        vapour,
        heating,
        disk.supply,
        math.inf if config.supply.reservoir is None else config.supply.reservoir * M_MARS / derived.area,
        np.array(sorted({t for t in in_time if t > 0.0})),
        _phase_law(config, derived),
        np.array(in_T),
        _feedback(config),
    )


def _sigma_0(config: RunConfig, derived: Derived, kappa: float, f_los: float) -> float:
    disk, optical, mass = config.disk, config.optical_depth, config.initial.mass
    if mass is None:
        return opacity.surface_density_at_tau(optical.tau0_target, kappa, f_los)
    if disk.r_in_RM == disk.r_out_RM:
        sigma_0 = mass * M_MARS / derived.area
    else:
        sigma_0 = opacity.surface_density_of_mass(mass * M_MARS, disk.r_in_RM * R_MARS, disk.r_out_RM * R_MARS, derived.r, config.initial.slope)
    tau = f_los * kappa * sigma_0
    if optical.tau_stop is not None and optical.tau_stop <= tau:
        raise ConfigError(
            [f"optical_depth.tau_stop = {optical.tau_stop:g} is not above tau = {tau:.4g} of initial.mass = {mass:g}; raise it or set null"]
        )
    return sigma_0


@dataclass(frozen=True, eq=False)
class Start:
    """The disk at t = 0 and what is added to it."""

    grid: SizeGrid
    masses: Array  #: (n,) kg
    shares: Array  #: (n,) mass share of each bin
    sigma_0: float  #: kg/m2
    f_los: float
    injection: Injection
    supply: SupplyLaw
    supply_shares: Array  #: (n,) share of the supply that each bin gets


def disk_at_start(config: RunConfig, derived: Derived, cache: RunCache) -> Start:
    """The disk at t = 0.

    Raises
    ------
    ConfigError
        Nothing of the start or of the supply falls on the size grid.
    """
    optical, supply = config.optical_depth, config.supply
    try:
        grid = make_grid(derived.s_lo, config.sizes.s_max, config.sizes.n_bins)
        masses = _masses(grid, config.material.rho)
        shares = _initial_shares(config.initial, config.psd, grid)
        kappa = _opacity(grid, config.material.rho, config.initial, config.psd)
        f_los = opacity.line_of_sight_factor(optical.path_multiplier, optical.h_over_r)
        sigma_0 = _sigma_0(config, derived, kappa, f_los)
        injection = Injection(
            supply.injection,
            derived.s_lo,
            supply.s_inj_min or 0.0,
            supply.s_inj_max or math.inf,
            supply.q,
            shares if supply.injection == "initial_psd" else None,
        )
        injected = supply_weights(injection, grid, masses, config.material.rho, cache=cache)
    except ConfigError:
        raise
    except ValueError as error:
        raise ConfigError([f"initial, sizes and supply do not fit together: {error}"]) from error
    return Start(grid, masses, shares, sigma_0, f_los, injection, _supply_law(config, derived, kappa, f_los), injected)


def check(config: RunConfig, cache: RunCache) -> Derived:
    """What :func:`derive` gives, after everything that can be known to be wrong before a run has been looked for.

    Parameters
    ----------
    cache : answers for what the configuration has in common with the one checked before it

    Raises
    ------
    ConfigError
        The run would fail.
    """
    derived = derive(config)
    disk_at_start(config, derived, cache)
    _vapour(config)
    shielding_of(config)
    return derived
