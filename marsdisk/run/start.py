"""The disk at t = 0, and what acts on it."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from ..cache import RunCache
from ..common.errors import ConfigError
from ..common.text import shown
from ..config import RunConfig
from ..config.processes import Supply, TableSupply
from ..config.processes import SupplySegment as ConfiguredSegment
from ..io.law_tables import read_phi_table, read_supply_table, read_vapour_table
from ..physics import opacity, psd, temperature
from ..physics.collisions_smol import supply_weights
from ..physics.constants import M_MARS, R_MARS, YEAR
from ..physics.grid import Array, SizeGrid, grain_mass, make_grid, read_only
from ..physics.opacity import OpacityLaw
from ..physics.orbit import annulus_area
from ..physics.phase import PhaseLaw, never_gated
from ..physics.shielding import ShieldingLaw, analytic, unshielded
from ..physics.sinks import gas_drag_rates, sublimation_sink_rates
from ..physics.sublimation import grain_heating, kink_temperatures, transport_rates
from ..physics.supply import (
    Feedback,
    Injection,
    SupplyLaw,
    SupplySegment,
    no_feedback,
    rate_from_orbit_fraction,
    scale_kinks,
    supply_kinks,
    supply_law,
)
from ..physics.vapour import SETS, Vapour, tabulated_vapour, vapour_of
from ..solver.drivers import BlowoutRule, Drivers, LinearTerms
from .derived import (
    Derived,
    chi_of,
    geometry,
    motion_at_start,
    smallest_size,
    span_of,
    temperature_law,
)
from .stages import remembering, stage


@stage
def size_grid(config: RunConfig) -> SizeGrid:
    """Return the bins of a configuration."""
    return make_grid(smallest_size(config), config.sizes.s_max, config.sizes.n_bins)


@stage
def _masses(config: RunConfig) -> Array:
    masses = grain_mass(size_grid(config).sizes, config.material.rho)
    read_only(masses)
    return masses


@stage
def _initial_shares(config: RunConfig) -> Array:
    initial = config.initial
    grid = size_grid(config)
    if initial.s0_mode == "upper":
        shares = psd.three_slope(grid, config.psd.alpha, config.psd.wavy_strength)
    elif initial.s0_mode == "melt_lognormal_mixture":
        shares = psd.melt_lognormal_mixture(grid, **initial.melt_psd.model_dump())
    elif initial.s0_mode == "melt_truncated_powerlaw":
        shares = psd.melt_truncated_powerlaw(grid, **initial.truncated.model_dump())
    else:
        shares = psd.mono(grid, initial.s_mono)
    read_only(shares)
    return shares


def _line_of_sight(config: RunConfig) -> float:
    return opacity.line_of_sight_factor(
        config.optical_depth.path_multiplier, config.optical_depth.h_over_r
    )


@stage
def _opacity_law(config: RunConfig) -> OpacityLaw:
    sizes = size_grid(config).sizes
    masses = _masses(config)
    f_los = _line_of_sight(config)
    Q_ext = config.q_ext()
    if Q_ext is None:
        return opacity.geometric_opacity(sizes, masses, f_los)
    return opacity.planck_opacity(sizes, masses, f_los, Q_ext)


@stage
def _opacity(config: RunConfig) -> tuple[float, float]:
    """Return the opacity [m2/kg] at the start, and the factor f_los from tau to tau_los."""
    law = _opacity_law(config)
    f_los = _line_of_sight(config)
    tau_per_mass = opacity.tau_per_mass(law, temperature_law(config).T0)
    return float(tau_per_mass @ _initial_shares(config)) / f_los, f_los


def _segments(config: RunConfig) -> list[SupplySegment]:
    """Return the supply over time, before its coupling to temperature."""
    supply = config.supply
    ring = geometry(config)
    if supply.mode == "none":
        return []
    if supply.mode == "const" and supply.const_rate is None:
        mu = 1.0 if supply.mu_orbit10pct is None else supply.mu_orbit10pct
        sigma_ref = opacity.surface_density_at_tau(supply.tau_ref, *_opacity(config))
        return [SupplySegment(A=rate_from_orbit_fraction(mu, supply.f_orb, sigma_ref, ring.T_orb))]
    mixing = 1.0 if supply.epsilon_mix is None else supply.epsilon_mix

    def segment(
        begin: float, end: float, rates: ConfiguredSegment | Supply, table_key: str
    ) -> SupplySegment:
        law = rates.powerlaw
        table = rates.table
        if law is not None:
            start = max(begin, law.t0)
            return SupplySegment(start, end, mixing * law.A, law.index, law.t0 - law.t_offset)
        if table is not None:
            t, rate = _supply_table(table, ring.r, table_key)
            mixed_rate = mixing * rate
            return SupplySegment(
                begin, end, times=tuple(t.tolist()), rates=tuple(mixed_rate.tolist())
            )
        return SupplySegment(begin, end, mixing * (rates.const_rate or 0.0))

    if supply.mode == "piecewise":
        segments = []
        for i, part in enumerate(supply.segments):
            segments.append(segment(part.t_start, part.t_end, part, f"supply.segments[{i}].table"))
        return segments
    return [segment(0.0, math.inf, supply, "supply.table")]


def _supply_table(table: TableSupply, r: float, key: str) -> tuple[Array, Array]:
    """Return times [s] and rates [kg/m2/s], before mixing, of a table at the radius ``r`` [m]."""
    try:
        times, rates = read_supply_table(table.path, r)
    except (OSError, ValueError) as error:
        raise ConfigError([f"{key}.path = {shown(table.path)}: {error}"]) from error
    return times * (YEAR if table.time_unit == "yr" else 1.0), rates


@stage
def _supply_law(config: RunConfig) -> SupplyLaw:
    segments = _segments(config)
    coupling = config.supply.temperature
    if coupling is None:
        return supply_law(segments)
    return supply_law(
        segments, (coupling.scale, coupling.T_ref, coupling.power, coupling.floor, coupling.cap)
    )


def _feedback(config: RunConfig) -> Feedback:
    feedback = config.supply.feedback
    if feedback is None:
        return no_feedback()
    return Feedback(
        feedback.gain / (feedback.t_response_years * YEAR),
        feedback.tau_target,
        math.log(feedback.floor),
        math.log(feedback.cap),
    )


@stage
def _vapour(config: RunConfig) -> Vapour:
    sublimation = config.sublimation
    source = sublimation.vapour_pressure
    rho = config.material.rho
    if source in SETS:
        alpha = sublimation.alpha_evap or SETS[source].alpha_evap
        mu = sublimation.mu or SETS[source].mu
        vapour = SETS[source]._replace(alpha_evap=alpha, mu=mu)
        return vapour_of(vapour, rho, sublimation.P_gas)
    try:
        T, P_sat = read_vapour_table(source)
        return tabulated_vapour(
            T, P_sat, sublimation.alpha_evap or 1.0, sublimation.mu or 1.0, rho, sublimation.P_gas
        )
    except (OSError, ValueError) as error:
        problem = (
            f"sublimation.vapour_pressure = {shown(source)}: {error}; give forsterite, sio, or the"
            " path of a table"
        )
        raise ConfigError([problem]) from error


@stage
def shielding_of(config: RunConfig) -> ShieldingLaw:
    """Return Phi(tau) of a configuration.

    Raises
    ------
    ConfigError
        The table of Phi cannot be read.
    """
    shielding = config.shielding
    if shielding.mode == "none":
        return unshielded()
    if shielding.mode == "analytic":
        return analytic(shielding.w0, shielding.g)
    try:
        return read_phi_table(shielding.path or "")
    except (OSError, ValueError) as error:
        problem = (
            f"shielding.path = {shown(shielding.path)}: {error}; give a CSV file with columns tau"
            " and phi"
        )
        raise ConfigError([problem]) from error


def _phase_law(config: RunConfig, derived: Derived) -> PhaseLaw:
    phase = config.phase
    if not phase.enabled:
        return never_gated()
    heating = grain_heating(derived.r, phase.q_abs)
    only_solids = config.blowout.target_phase == "solid_only"
    return PhaseLaw(
        heating,
        phase.T_condense,
        phase.T_vaporize,
        phase.pressure,
        phase.tau_ref,
        only_solids,
        config.sublimation.of_liquid,
    )


@stage
def reservoir_of(config: RunConfig) -> float:
    """Return the mass in reserve for the annulus [M_Mars]; infinite without a reservoir.

    Raises
    ------
    ConfigError
        The annulus has no width, or is not within the disk that the reservoir belongs to.
    """
    supply = config.supply
    annulus = config.disk
    disk = supply.reservoir_of_disk
    if disk is None:
        return math.inf if supply.reservoir is None else supply.reservoir
    annulus_in_words = f"the annulus from {annulus.r_in_RM:g} to {annulus.r_out_RM:g} R_M"
    if annulus.r_in_RM == annulus.r_out_RM:
        problem = f"supply.reservoir_of_disk: {annulus_in_words} has no width, and no share by area"
        raise ConfigError([f"{problem}; widen it, or give supply.reservoir"])
    if not disk.r_in_RM <= annulus.r_in_RM < annulus.r_out_RM <= disk.r_out_RM:
        problem = (
            f"supply.reservoir_of_disk is of a disk from {disk.r_in_RM:g} to {disk.r_out_RM:g}"
            f" R_M, and {annulus_in_words} is not all within it"
        )
        raise ConfigError([f"{problem}; widen the disk, or give supply.reservoir"])
    return disk.mass * geometry(config).area / annulus_area(disk.r_in_RM, disk.r_out_RM)


def available_supply(config: RunConfig) -> float:
    """Return the mass that supply can add at most [M_Mars]."""
    supply = config.supply
    if supply.mode == "none":
        return 0.0
    if supply.mode == "const" and 0.0 in (supply.const_rate, supply.mu_orbit10pct):
        return 0.0
    return reservoir_of(config)


def drivers_of(config: RunConfig, derived: Derived, disk: "Start") -> Drivers:
    """Return everything that acts on the disk from outside.

    Parameters
    ----------
    config : RunConfig
        The run.
    derived : Derived
        Its scalars.
    disk : Start
        The disk at t = 0.
    """
    method = config.sublimation.method
    edges = disk.grid.edges.copy()
    vapour = _vapour(config)
    heating = 0.0 if method == "none" else grain_heating(derived.r, config.sublimation.Q_abs)
    evaporated, down = np.zeros((2, disk.grid.sizes.size))
    if method == "sink":
        evaporated = sublimation_sink_rates(disk.grid.sizes, -1.0)
    elif method == "advection":
        evaporated, down = transport_rates(edges)
    kink_times = [*supply_kinks(disk.supply)]
    if derived.law.kind == temperature.TABLE:
        kink_times += derived.law.times.tolist()
    kinks_in_T_M = [*scale_kinks(disk.supply)]
    if heating:
        kinks_in_T_M += [T / heating for T in kink_temperatures(vapour)]
    drag = gas_drag_rates(disk.grid.sizes, config.material.rho, config.drag.rho_g, config.drag.c_s)
    return Drivers(
        derived.law,
        derived.pressure,
        BlowoutRule(
            edges,
            derived.blowout_rate,
            config.blowout.edge == "sharp",
            config.blowout.below_window == "bound",
            config.blowout.light == "attenuated",
        ),
        LinearTerms(evaporated, down, drag, np.array(disk.supply_shares)),
        vapour,
        heating,
        disk.supply,
        reservoir_of(config) * M_MARS / derived.area,
        np.array(sorted({t for t in kink_times if t > 0.0})),
        _phase_law(config, derived),
        np.array(kinks_in_T_M),
        _feedback(config),
        disk.opacity,
    )


@stage
def _sigma_0(config: RunConfig) -> float:
    disk = config.disk
    optical = config.optical_depth
    mass = config.initial.mass
    kappa, f_los = _opacity(config)
    if mass is None:
        return opacity.surface_density_at_tau(optical.tau0_target, kappa, f_los)
    ring = geometry(config)
    if disk.r_in_RM == disk.r_out_RM:
        sigma_0 = mass * M_MARS / ring.area
    else:
        sigma_0 = opacity.surface_density_of_mass(
            mass * M_MARS,
            disk.r_in_RM * R_MARS,
            disk.r_out_RM * R_MARS,
            ring.r,
            config.initial.slope,
        )
    tau = f_los * kappa * sigma_0
    if optical.tau_stop is not None and optical.tau_stop <= tau:
        problem = (
            f"optical_depth.tau_stop = {optical.tau_stop:g} is not above tau = {tau:.4g} of"
            f" initial.mass = {mass:g}; raise it or set null"
        )
        raise ConfigError([problem])
    return sigma_0


@stage
def _injection(config: RunConfig) -> Injection:
    supply = config.supply
    shares = _initial_shares(config) if supply.injection == "initial_psd" else None
    return Injection(
        supply.injection,
        smallest_size(config),
        supply.s_inj_min or 0.0,
        supply.s_inj_max or math.inf,
        supply.q,
        shares,
    )


def _supply_shares(config: RunConfig, cache: RunCache) -> Array:
    """Return the share of the supply that each bin gets, (n,)."""
    return supply_weights(
        _injection(config), size_grid(config), _masses(config), config.material.rho, cache=cache
    )


@dataclass(frozen=True, eq=False)
class Start:
    """The disk at t = 0 and what is added to it."""

    grid: SizeGrid
    masses: Array  #: (n,) kg
    shares: Array  #: (n,) mass share of each bin
    sigma_0: float  #: kg/m2
    opacity: OpacityLaw
    f_los: float
    injection: Injection
    supply: SupplyLaw
    supply_shares: Array  #: (n,) share of the supply that each bin gets


@contextmanager
def _naming_sections() -> Iterator[None]:
    """Name the sections that an error of the physics is about."""
    try:
        yield
    except ConfigError:
        raise
    except ValueError as error:
        raise ConfigError([f"initial, sizes and supply do not fit together: {error}"]) from error


def disk_at_start(config: RunConfig, cache: RunCache) -> Start:
    """Return the disk at t = 0.

    Parameters
    ----------
    config : RunConfig
        The run.
    cache : RunCache
        Holds the shares of the supply.

    Returns
    -------
    Start
        Its arrays are read-only.

    Raises
    ------
    ConfigError
        Nothing of the start or of the supply falls on the size grid.
    """
    config = remembering(config)
    with _naming_sections():
        sigma_0 = _sigma_0(config)
        supply_shares = _supply_shares(config, cache)
        grid = size_grid(config)
        shares = _initial_shares(config)
        f_los = _opacity(config)[1]
        law = _opacity_law(config)
        return Start(
            grid,
            _masses(config),
            shares,
            sigma_0,
            law,
            f_los,
            _injection(config),
            _supply_law(config),
            supply_shares,
        )


@stage
def _supply_fits(config: RunConfig) -> None:
    _supply_shares(config, RunCache(enabled=False))


@stage
def _sections_fit(config: RunConfig) -> None:
    try:
        config.fitting()
    except ValueError as error:
        raise ConfigError([str(error)]) from error


@stage
def _laws_fit(config: RunConfig) -> None:
    _vapour(config)
    shielding_of(config)


def check(config: RunConfig) -> None:
    """Refuse a configuration whose errors show before its run.

    Raises
    ------
    ConfigError
        The run would fail.
    """
    _sections_fit(config)
    span_of(config)
    motion_at_start(config)
    chi_of(config)
    with _naming_sections():
        _sigma_0(config)
        _supply_fits(config)
        _supply_law(config)
    reservoir_of(config)
    _laws_fit(config)
