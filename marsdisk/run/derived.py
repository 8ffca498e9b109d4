"""Scalars derived from a configuration: geometry, speeds, temperatures, the length of the run."""

from dataclasses import dataclass
from typing import NamedTuple

from .._jit import interpreted
from ..common.errors import ConfigError
from ..common.text import shown
from ..config import RunConfig
from ..config.processes import (
    ConstantTemperature,
    LinearTemperature,
    SlabTemperature,
    TableTemperature,
)
from ..config.sections import Dynamics
from ..io.csv_table import read_csv_table
from ..physics import dynamics, orbit, temperature
from ..physics.constants import DAY, YEAR
from ..physics.fragments import mass_exponent
from ..physics.qpr_table import QprTable, look_up
from ..physics.radiation import (
    RadiationPressure,
    beta,
    blowout_size,
    blowout_time,
    chi_auto,
    radiation_pressure,
)
from ..result import StopReason
from .stages import remembering, stage

# The model of Mars as a black body is meant for temperatures within these limits.
MIN_T_MARS = 1000.0  # K
MAX_T_MARS = 6500.0  # K


@dataclass(frozen=True, eq=False)
class Derived:
    """Scalars derived from a configuration: geometry, speeds, the length of the run."""

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
        """Motion of the grains at the start."""
        return dynamics.Motion(self.e, self.v_rel, self.H)


class Geometry(NamedTuple):
    """Radius, area and orbit of the annulus of a run."""

    r: float  #: m
    area: float  #: m2
    T_orb: float  #: s
    omega: float  #: rad/s


@stage
def geometry(config: RunConfig) -> Geometry:
    """Return the radius, the area and the orbit of the annulus."""
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
    """Return how Mars cools.

    Raises
    ------
    ConfigError
        The table of temperatures cannot be read.
    """
    section = config.temperature
    if isinstance(section, ConstantTemperature):
        return temperature.constant(section.T0)
    if isinstance(section, SlabTemperature):
        return temperature.slab(section.T0, section.depth, section.rho, section.c_p)
    if isinstance(section, LinearTemperature):
        return temperature.linear(section.T0, section.depth, section.rho, section.c_p)
    return _temperature_table(section)


def _temperature_table(section: TableTemperature) -> temperature.TemperatureLaw:
    unit = {"s": 1.0, "day": DAY, "yr": YEAR}[section.time_unit]
    try:
        columns = read_csv_table(section.path)
        times = columns.column(section.time_column) * unit
        return temperature.table(times, columns.column(section.temperature_column))
    except (OSError, ValueError) as error:
        problem = (
            f"temperature.path = {shown(section.path)}: {error}; give a CSV file with columns"
            f" {section.time_column} and {section.temperature_column}"
        )
        raise ConfigError([problem]) from error


class Span(NamedTuple):
    """The length of a run, and the highest temperature of Mars during it."""

    t_end: float  #: s
    reason: StopReason
    hottest: float  #: K


@stage
def span_of(config: RunConfig) -> Span:
    """Return when and why a run ends, unless it stops before.

    Raises
    ------
    ConfigError
        The run would never end, or Mars leaves the range of temperatures of the model before it
        does.
    """
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
            problem = f"Mars never cools to it under temperature.law = {config.temperature.law}"
            key = f"numerics.t_end_until_temperature_K = {T_stop:g}"
            raise ConfigError([f"{key}: {problem}; give t_end_years too"])
    t_end, reason = min(ends, key=lambda end: end[0])
    coldest, hottest = temperature.lowest_and_highest(law, t_end)
    if coldest < MIN_T_MARS * (1.0 - 1e-9) or hottest > MAX_T_MARS * (1.0 + 1e-9):
        problem = (
            f"temperature: Mars is between {coldest:.0f} and {hottest:.0f} K during the run,"
            f" outside [{MIN_T_MARS:g}, {MAX_T_MARS:g}] K; end it earlier, for example with"
            " numerics.t_end_until_temperature_K"
        )
        raise ConfigError([problem])
    return Span(t_end, reason, hottest)


@stage
def _q_pr(config: RunConfig) -> QprTable | float:
    return config.q_pr()


@stage
def _pressure(config: RunConfig) -> RadiationPressure:
    return radiation_pressure(config.material.rho, _q_pr(config))


@stage
def smallest_size(config: RunConfig) -> float:
    """Return where the size grid begins [m].

    Raises
    ------
    ConfigError
        ``psd.floor = blowout`` leaves no sizes, or Mars heats up.
    """
    s_min = config.sizes.s_min
    s_max = config.sizes.s_max
    if config.psd.floor != "blowout":
        return s_min
    law = temperature_law(config)
    hottest = span_of(config).hottest
    if hottest > law.T0:
        problem = (
            "psd.floor = 'blowout': the grid starts at s_blow(0), but Mars heats up to"
            f" {hottest:.0f} K later; set psd.floor: none"
        )
        raise ConfigError([problem])
    # A small offset keeps round-off from deciding whether the first bin is unbound.
    offset = -1e-12 if law.kind == temperature.CONSTANT else 1e-12
    s_blow = interpreted(blowout_size)(_pressure(config), law.T0)[0]
    s_lo = max(s_min, s_blow * (1.0 + offset))
    if s_lo >= s_max:
        problem = (
            f"sizes.s_max = {s_max:g}: all grains are below the blow-out size {s_lo:.3g} m at the"
            " start; raise s_max"
        )
        raise ConfigError([problem])
    return s_lo


@stage
def chi_of(config: RunConfig) -> float:
    """Return the blow-out time in units of 1/Omega."""
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
    if dyn.v_rel == "dispersion":
        v_rel = dynamics.dispersion_speed(v_K, e, i)
    else:
        v_rel = dynamics.pericenter_speed(v_K, e)
    if dyn.H_fixed_over_a is None:
        H = dynamics.scale_height(r, i, dyn.H_factor)
    else:
        H = dyn.H_fixed_over_a * r
    return dynamics.Motion(e, v_rel, H)


def damped_motion(config: RunConfig, derived: Derived, e_eq: float, q: float) -> dynamics.Motion:
    """Return how grains move once collisions have damped e; i keeps its ratio to e.

    Parameters
    ----------
    config : RunConfig
        The run.
    derived : Derived
        Its scalars.
    e_eq : float
        Eccentricity that the grains relax to.
    q : float
        Share that is left of the way from the start to ``e_eq``.
    """
    dyn = config.dynamics
    i_over_e = dyn.i0 / derived.e if derived.e > 0.0 else 0.5
    i_eq = i_over_e * e_eq
    e = dynamics.relaxed(derived.e, e_eq, q)
    i = dynamics.relaxed(dyn.i0, i_eq, q)
    return _motion(dyn, derived.r, e, i)


@stage
def _eccentricity(config: RunConfig) -> float:
    dyn = config.dynamics
    if dyn.e_profile == "fixed":
        return dyn.e0
    return dynamics.mars_pericenter_eccentricity(geometry(config).r)


@stage
def motion_at_start(config: RunConfig) -> dynamics.Motion:
    """Return how grains move at the start.

    Raises
    ------
    ConfigError
        Damping has nothing to damp.
    """
    dyn = config.dynamics
    motion = _motion(dyn, geometry(config).r, _eccentricity(config), dyn.i0)
    if dyn.damping is not None and motion.v_rel == 0.0:
        problem = "dynamics.damping has nothing to damp where e = i = 0, as no two grains ever meet"
        raise ConfigError([f"{problem}; raise e0 or i0"])
    return motion


@stage
def cache_identity(config: RunConfig) -> tuple[object, ...]:
    """Return what the cached arrays depend on, the slowest to build first.

    Runs for which it is equal share all of them.
    """
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
    """Return the geometry, speeds and length of a run.

    Raises
    ------
    ConfigError
        The run would never end, or Mars leaves the range of temperatures of the model before it
        does.
    """
    config = remembering(config)
    ring = geometry(config)
    span = span_of(config)
    motion = motion_at_start(config)
    law = temperature_law(config)
    pressure = _pressure(config)
    blowout_rate = 0.0
    if config.blowout.enabled:
        blowout_rate = 1.0 / blowout_time(chi_of(config), ring.omega)
    alpha_mass = _mass_exponent(config)
    return Derived(
        ring.r,
        ring.area,
        ring.T_orb,
        *motion,
        law,
        pressure,
        smallest_size(config),
        alpha_mass,
        blowout_rate,
        span.t_end,
        span.reason,
    )
