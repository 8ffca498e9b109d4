"""The disk at t = 0, and what acts on it."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from .cache import RunCache
from .config import RunConfig
from .config_processes import PowerLawSupply, TableSupply
from .derived import (
    Derived,
    chi_of,
    geometry,
    motion_at_start,
    smallest_size,
    span_of,
    temperature_law,
)
from .errors import ConfigError
from .physics import opacity, psd, temperature
from .physics.collisions_smol import supply_weights
from .physics.constants import M_MARS, R_MARS, YEAR
from .physics.grid import Array, SizeGrid, grain_mass, make_grid, read_only
from .physics.opacity import OpacityLaw
from .physics.orbit import annulus_area
from .physics.phase import PhaseLaw, never_gated
from .physics.shielding import ShieldingLaw, analytic, read_phi_table, unshielded
from .physics.sinks import gas_drag_rates, sublimation_sink_rates
from .physics.sublimation import grain_heating, kink_temperatures, transport_rates
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
from .physics.textfile import shown
from .physics.vapour import SETS, Vapour, read_vapour_table, tabulated_vapour, vapour_of
from .solver.drivers import BlowoutRule, Drivers, LinearTerms
from .stages import remembering, stage


@stage
def size_grid(config: RunConfig) -> SizeGrid:
    """Bins of a configuration."""
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
    """Opacity [m2/kg] of the start, and the factor from tau to tau along the line of sight."""
    law = _opacity_law(config)
    f_los = _line_of_sight(config)
    of_bins = opacity.tau_per_mass(law, temperature_law(config).T0)
    return float(of_bins @ _initial_shares(config)) / f_los, f_los


def _segments(config: RunConfig) -> list[SupplySegment]:
    """The supply over time, before its coupling to temperature."""
    supply = config.supply
    place = geometry(config)
    if supply.mode == "none":
        return []
    if supply.mode == "const" and supply.const_rate is None:
        mu = 1.0 if supply.mu_orbit10pct is None else supply.mu_orbit10pct
        sigma_ref = opacity.surface_density_at_tau(supply.tau_ref, *_opacity(config))
        return [SupplySegment(A=rate_from_orbit_fraction(mu, supply.f_orb, sigma_ref, place.T_orb))]
    mixed = 1.0 if supply.epsilon_mix is None else supply.epsilon_mix

    def segment(
        begin: float,
        end: float,
        rate: float | None,
        law: PowerLawSupply | None,
        table: TableSupply | None,
        key: str,
    ) -> SupplySegment:
        if law is not None:
            return SupplySegment(
                max(begin, law.t0), end, mixed * law.A, law.index, law.t0 - law.t_offset
            )
        if table is not None:
            try:
                times, rates = read_supply_table(table.path, place.r)
            except (OSError, ValueError) as error:
                raise ConfigError([f"{key}.path = {shown(table.path)}: {error}"]) from error
            times = times * (YEAR if table.time_unit == "yr" else 1.0)
            return SupplySegment(
                begin, end, times=tuple(times.tolist()), rates=tuple((mixed * rates).tolist())
            )
        return SupplySegment(begin, end, mixed * (rate or 0.0))

    if supply.mode == "piecewise":
        return [
            segment(
                s.t_start, s.t_end, s.const_rate, s.powerlaw, s.table, f"supply.segments[{i}].table"
            )
            for i, s in enumerate(supply.segments)
        ]
    return [
        segment(0.0, math.inf, supply.const_rate, supply.powerlaw, supply.table, "supply.table")
    ]


@stage
def _supply_law(config: RunConfig) -> SupplyLaw:
    segments = _segments(config)
    coupled = config.supply.temperature
    if coupled is None:
        return supply_law(segments)
    return supply_law(
        segments, (coupled.scale, coupled.T_ref, coupled.power, coupled.floor, coupled.cap)
    )


def _feedback(config: RunConfig) -> Feedback:
    given = config.supply.feedback
    if given is None:
        return no_feedback()
    return Feedback(
        given.gain / (given.t_response_years * YEAR),
        given.tau_target,
        math.log(given.floor),
        math.log(given.cap),
    )


@stage
def _vapour(config: RunConfig) -> Vapour:
    given = config.sublimation
    rho = config.material.rho
    if given.vapour_pressure in SETS:
        chosen = SETS[given.vapour_pressure]
        alpha = given.alpha_evap or chosen.alpha_evap
        mu = given.mu or chosen.mu
        return vapour_of(chosen._replace(alpha_evap=alpha, mu=mu), rho, given.P_gas)
    try:
        T, P_sat = read_vapour_table(given.vapour_pressure)
        return tabulated_vapour(
            T, P_sat, given.alpha_evap or 1.0, given.mu or 1.0, rho, given.P_gas
        )
    except (OSError, ValueError) as error:
        problem = (
            f"sublimation.vapour_pressure = {shown(given.vapour_pressure)}: {error}; give"
            " forsterite, sio, or the path of a table"
        )
        raise ConfigError([problem]) from error


@stage
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
        raise ConfigError(
            [
                f"shielding.path = {shown(given.path)}: {error}; give a CSV file with columns tau"
                " and phi"
            ]
        ) from error


def _phase_law(config: RunConfig, derived: Derived) -> PhaseLaw:
    given = config.phase
    if not given.enabled:
        return never_gated()
    heating = grain_heating(derived.r, given.q_abs)
    only_solids = config.blowout.target_phase == "solid_only"
    return PhaseLaw(
        heating,
        given.T_condense,
        given.T_vaporize,
        given.pressure,
        given.tau_ref,
        only_solids,
        config.sublimation.of_liquid,
    )


@stage
def reservoir_of(config: RunConfig) -> float:
    """Mass that the annulus can be supplied with in all [M_Mars]; infinite without a reservoir."""
    supply = config.supply
    disk = config.disk
    whole = supply.reservoir_of_disk
    if whole is None:
        return math.inf if supply.reservoir is None else supply.reservoir
    annulus = f"the annulus from {disk.r_in_RM:g} to {disk.r_out_RM:g} R_M"
    if disk.r_in_RM == disk.r_out_RM:
        raise ConfigError(
            [
                f"supply.reservoir_of_disk: {annulus} has no width, and no share by area; widen it,"
                " or give supply.reservoir"
            ]
        )
    if not whole.r_in_RM <= disk.r_in_RM < disk.r_out_RM <= whole.r_out_RM:
        problem = (
            f"supply.reservoir_of_disk is of a disk from {whole.r_in_RM:g} to {whole.r_out_RM:g}"
            f" R_M, and {annulus} is not all within it"
        )
        raise ConfigError([f"{problem}; widen the disk, or give supply.reservoir"])
    return whole.mass * geometry(config).area / annulus_area(whole.r_in_RM, whole.r_out_RM)


def available_supply(config: RunConfig) -> float:
    """Mass that supply can add at most [M_Mars]."""
    supply = config.supply
    is_nothing = supply.mode == "none" or (
        supply.mode == "const" and 0.0 in (supply.const_rate, supply.mu_orbit10pct)
    )
    return 0.0 if is_nothing else reservoir_of(config)


def drivers_of(config: RunConfig, derived: Derived, disk: "Start") -> Drivers:
    """Everything that acts on the disk from outside."""
    method = config.sublimation.method
    edges = disk.grid.edges.copy()
    vapour = _vapour(config)
    heating = 0.0 if method == "none" else grain_heating(derived.r, config.sublimation.Q_abs)
    evaporated, down = np.zeros((2, disk.grid.sizes.size))
    if method == "sink":
        evaporated = sublimation_sink_rates(disk.grid.sizes, -1.0)
    elif method == "advection":
        evaporated, down = transport_rates(edges)
    in_time = [
        *supply_kinks(disk.supply),
        *(derived.law.times.tolist() if derived.law.kind == temperature.TABLE else []),
    ]
    in_T = [
        *scale_kinks(disk.supply),
        *([T / heating for T in kink_temperatures(vapour)] if heating else []),
    ]
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
        np.array(sorted({t for t in in_time if t > 0.0})),
        _phase_law(config, derived),
        np.array(in_T),
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
    place = geometry(config)
    if disk.r_in_RM == disk.r_out_RM:
        sigma_0 = mass * M_MARS / place.area
    else:
        sigma_0 = opacity.surface_density_of_mass(
            mass * M_MARS,
            disk.r_in_RM * R_MARS,
            disk.r_out_RM * R_MARS,
            place.r,
            config.initial.slope,
        )
    tau = f_los * kappa * sigma_0
    if optical.tau_stop is not None and optical.tau_stop <= tau:
        raise ConfigError(
            [
                f"optical_depth.tau_stop = {optical.tau_stop:g} is not above tau = {tau:.4g} of"
                f" initial.mass = {mass:g}; raise it or set null"
            ]
        )
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


def _injected(config: RunConfig, cache: RunCache) -> Array:
    """(n,) share of the supply that each bin gets."""
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
def _fitting_together() -> Iterator[None]:
    """Name the sections of which physics says that they do not fit."""
    try:
        yield
    except ConfigError:
        raise
    except ValueError as error:
        raise ConfigError([f"initial, sizes and supply do not fit together: {error}"]) from error


def disk_at_start(config: RunConfig, cache: RunCache) -> Start:
    """The disk at t = 0.

    Raises
    ------
    ConfigError
        Nothing of the start or of the supply falls on the size grid.
    """
    config = remembering(config)
    with _fitting_together():
        sigma_0 = _sigma_0(config)
        injected = _injected(config, cache)
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
            injected,
        )


@stage
def _supply_fits(config: RunConfig) -> None:
    _injected(config, RunCache(enabled=False))


@stage
def _sections_fit(config: RunConfig) -> None:
    try:
        config.fitting()
    except ValueError as error:
        raise ConfigError([str(error)]) from error


@stage
def _others_fit(config: RunConfig) -> None:
    _vapour(config), shielding_of(config)


def check(config: RunConfig) -> None:
    """Look for everything that can be known to be wrong before a run.

    Raises
    ------
    ConfigError
        The run would fail.
    """
    _sections_fit(config), span_of(config), motion_at_start(config), chi_of(config)
    with _fitting_together():
        _sigma_0(config), _supply_fits(config), _supply_law(config)
    reservoir_of(config)
    _others_fit(config)
