"""What follows from a configuration without any array work: geometry, speeds, temperatures, the length of the run."""

from dataclasses import dataclass
from typing import NamedTuple

from ._jit import interpreted
from .config import RunConfig
from .config_processes import (
    ConstantTemperature,
    LinearTemperature,
    SlabTemperature,
    TableTemperature,
)
from .config_sections import Dynamics
from .errors import ConfigError
from .physics import dynamics, orbit, temperature
from .physics.constants import DAY, YEAR
from .physics.csv_table import read_csv_table
from .physics.fragments import mass_exponent
from .physics.qpr_table import QprTable, look_up
from .physics.radiation import (
    RadiationPressure,
    beta,
    blowout_size,
    blowout_time,
    chi_auto,
    radiation_pressure,
)
from .physics.textfile import shown
from .result import StopReason
from .stages import remembering, stage

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


class Geometry(NamedTuple):
    """Where a run is."""

    r: float  #: m
    area: float  #: m2
    T_orb: float  #: s
    omega: float  #: rad/s


@stage
def geometry(config: RunConfig) -> Geometry:
    disk = config.disk
    r = orbit.reference_radius(disk.r_in_RM, disk.r_out_RM)
    return Geometry(
        r,
        orbit.annulus_area(disk.r_in_RM, disk.r_out_RM),
        orbit.orbital_period(r),
        orbit.angular_velocity(r),
    )


@stage
def temperature_law(config: RunConfig) -> temperature.TemperatureLaw:
    given = config.temperature
    if isinstance(given, ConstantTemperature):
        return temperature.constant(given.T0)
    if isinstance(given, SlabTemperature):
        return temperature.slab(given.T0, given.depth, given.rho, given.c_p)
    if isinstance(given, LinearTemperature):
        return temperature.linear(given.T0, given.depth, given.rho, given.c_p)
    return _temperature_table(given)


def _temperature_table(given: TableTemperature) -> temperature.TemperatureLaw:
    unit = {"s": 1.0, "day": DAY, "yr": YEAR}[given.time_unit]
    try:
        columns = read_csv_table(given.path)
        return temperature.table(
            columns.column(given.time_column) * unit, columns.column(given.temperature_column)
        )
    except (OSError, ValueError) as error:
        raise ConfigError(
            [
                f"temperature.path = {shown(given.path)}: {error}; give a CSV file with columns"
                f" {given.time_column} and {given.temperature_column}"
            ]
        ) from error


class Span(NamedTuple):
    """How long a run lasts, and how hot Mars is meanwhile."""

    t_end: float  #: s
    reason: StopReason
    hottest: float  #: K


@stage
def span_of(config: RunConfig) -> Span:
    numerics = config.numerics
    law = temperature_law(config)
    ends = []
    if numerics.t_end_years is not None:
        ends.append((numerics.t_end_years * YEAR, StopReason.T_END_YEARS))
    if numerics.t_end_orbits is not None:
        ends.append((numerics.t_end_orbits * geometry(config).T_orb, StopReason.T_END_ORBITS))
    if numerics.t_end_until_temperature_K is not None:
        T_stop = numerics.t_end_until_temperature_K
        t_stop = temperature.first_time_of_cooling_to(law, T_stop)
        if T_stop >= law.T0 and t_stop is None:
            problem = f"Mars starts at {law.T0:g} K, not above it, and does not cool to it later"
            key = f"numerics.t_end_until_temperature_K = {T_stop:g}"
            raise ConfigError([f"{key}: {problem}; lower it or raise T0"])
        if t_stop is not None:
            ends.append((t_stop, StopReason.TEMPERATURE))
        elif not ends:
            raise ConfigError(
                [
                    f"numerics.t_end_until_temperature_K = {T_stop:g}: Mars never cools to it under"
                    f" temperature.law = {config.temperature.law}; give t_end_years too"
                ]
            )
    t_end, reason = min(ends, key=lambda end: end[0])
    coldest, hottest = temperature.lowest_and_highest(law, t_end)
    if coldest < T_RANGE[0] * (1.0 - 1e-9) or hottest > T_RANGE[1] * (1.0 + 1e-9):
        raise ConfigError(
            [
                f"temperature: Mars is between {coldest:.0f} and {hottest:.0f} K during the run,"
                f" outside [{T_RANGE[0]:g}, {T_RANGE[1]:g}] K; end it earlier, for example with"
                " numerics.t_end_until_temperature_K"
            ]
        )
    return Span(t_end, reason, hottest)


@stage
def _q_pr(config: RunConfig) -> QprTable | float:
    return config.q_pr()


@stage
def _pressure(config: RunConfig) -> RadiationPressure:
    return radiation_pressure(config.material.rho, _q_pr(config))


@stage
def smallest_size(config: RunConfig) -> float:
    """Where the size grid begins [m]."""
    s_min = config.sizes.s_min
    s_max = config.sizes.s_max
    if config.psd.floor != "blowout":
        return s_min
    law = temperature_law(config)
    hottest = span_of(config).hottest
    if hottest > law.T0:
        raise ConfigError(
            [
                "psd.floor = 'blowout': the grid starts at s_blow(0), but Mars heats up to"
                f" {hottest:.0f} K later; set psd.floor: none"
            ]
        )
    # so that it is not round-off that says whether the first bin is unbound
    aside = -1e-12 if law.kind == temperature.CONSTANT else 1e-12
    s_lo = max(s_min, interpreted(blowout_size)(_pressure(config), law.T0)[0] * (1.0 + aside))
    if s_lo >= s_max:
        raise ConfigError(
            [
                f"sizes.s_max = {s_max:g}: all grains are below the blow-out size {s_lo:.3g} m at"
                " the start; raise s_max"
            ]
        )
    return s_lo


@stage
def chi_of(config: RunConfig) -> float:
    """Blow-out time in units of 1/Omega."""
    chi = config.blowout.chi
    if not isinstance(chi, str):
        return chi
    s = smallest_size(config)
    rho = config.material.rho
    T_M = temperature_law(config).T0
    q_pr = _q_pr(config)
    Q = float(look_up(q_pr, s, T_M)) if isinstance(q_pr, QprTable) else q_pr
    return chi_auto(float(beta(s, rho, T_M, Q)), Q)


def _motion(dyn: Dynamics, r: float, e: float, i: float) -> dynamics.Motion:
    v_K = orbit.keplerian_velocity(r)
    v_rel = (
        dynamics.dispersion_speed(v_K, e, i)
        if dyn.v_rel == "dispersion"
        else dynamics.pericenter_speed(v_K, e)
    )
    return dynamics.Motion(
        e,
        v_rel,
        (
            dynamics.scale_height(r, i, dyn.H_factor)
            if dyn.H_fixed_over_a is None
            else dyn.H_fixed_over_a * r
        ),
    )


def motion_left(config: RunConfig, derived: Derived, e_eq: float, q: float) -> dynamics.Motion:
    """How grains move when collisions have left the share ``q`` of the way from the start to ``e_eq``, i keeping its ratio to e."""
    dyn = config.dynamics
    i_eq = (dyn.i0 / derived.e if derived.e > 0.0 else 0.5) * e_eq
    return _motion(
        dyn, derived.r, dynamics.relaxed(derived.e, e_eq, q), dynamics.relaxed(dyn.i0, i_eq, q)
    )


@stage
def _eccentricity(config: RunConfig) -> float:
    dyn = config.dynamics
    return (
        dyn.e0
        if dyn.e_profile == "fixed"
        else dynamics.mars_pericenter_eccentricity(geometry(config).r)
    )


@stage
def motion_at_start(config: RunConfig) -> dynamics.Motion:
    dyn = config.dynamics
    motion = _motion(dyn, geometry(config).r, _eccentricity(config), dyn.i0)
    if dyn.damping is not None and motion.v_rel == 0.0:
        raise ConfigError(
            [
                "dynamics.damping has nothing to damp where e = i = 0, as no grain ever meets"
                " another; raise e0 or i0"
            ]
        )
    return motion


@stage
def cache_identity(config: RunConfig) -> tuple[object, ...]:
    """What the cached arrays depend on, slowest to build first: runs equal in it share everything."""
    sizes = config.sizes
    grid = (smallest_size(config), sizes.s_max, sizes.n_bins)
    return (
        grid,
        config.material.rho,
        _mass_exponent(config),
        config.qstar.law().signature,
        motion_at_start(config).v_rel,
    )


def _mass_exponent(config: RunConfig) -> float:
    return mass_exponent(config.collisions.alpha_frag, config.collisions.fragment_law)


def derive(config: RunConfig) -> Derived:
    """Geometry, speeds and length of a run.

    Raises
    ------
    ConfigError
        The run would never end, or Mars leaves the range of temperatures of the model before it
        does.
    """
    config = remembering(config)
    place = geometry(config)
    span = span_of(config)
    motion = motion_at_start(config)
    law = temperature_law(config)
    pressure = _pressure(config)
    blowout_rate = (
        1.0 / blowout_time(chi_of(config), place.omega) if config.blowout.enabled else 0.0
    )
    alpha_mass = _mass_exponent(config)
    return Derived(
        place.r,
        place.area,
        place.T_orb,
        *motion,
        law,
        pressure,
        smallest_size(config),
        alpha_mass,
        blowout_rate,
        span.t_end,
        span.reason,
    )
