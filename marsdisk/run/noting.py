"""Caveats of a run, from its set-up and from its steps."""

import math
from typing import NamedTuple

import numpy as np

from .._jit import interpreted
from ..config import RunConfig
from ..notes import (
    MAX_TRUNCATED_SHARE,
    MIN_BINS_PER_DECADE,
    MOSTLY_SUPPLIED_RATIO,
    OPAQUE_TAU,
    Note,
)
from ..physics.collisions_smol import pair_workspace
from ..physics.constants import R_MARS
from ..physics.fragments import reduced_specific_energy
from ..physics.grid import Array, SizeGrid, grain_mass
from ..physics.phase import SOLID
from ..physics.psd import share_within
from ..physics.qpr_table import outside_table
from ..physics.qstar import compute_q_d_star_array
from ..physics.radiation import blowout_size
from ..physics.sublimation import grain_heating, shrinking_speed_and_slope
from ..physics.supply import SupplyLaw
from ..physics.temperature import TABLE, TemperatureLaw, lowest_and_highest
from ..result import never_solid
from ..solver.drivers import PHASES, Drivers
from ..solver.events import BLOWOUT_BELOW_GRID, LOSS_RATE_ABOVE, REACHED_END, S_BLOW_ABOVE
from ..solver.trajectory import Trajectory
from .derived import Derived, derive, span_of, temperature_law
from .stages import stage
from .start import size_grid

#: Relative distance below the surface of Mars at which a pericentre counts as at the surface.
ROUND_OFF = 1e-12


def _combined(conditions: dict[Note, bool]) -> Note:
    """Return the notes whose conditions hold."""
    notes = Note(0)
    for note, holds in conditions.items():
        if holds:
            notes |= note
    return notes


@stage
def notes_of_setup(config: RunConfig) -> Note:
    """Return the notes that are known before the first step."""
    grid = size_grid(config)
    derived = derive(config)
    bins_per_decade = grid.sizes.size / math.log10(grid.edges[-1] / grid.edges[0])
    return _combined(
        {
            Note.COARSE_GRID: bins_per_decade < MIN_BINS_PER_DECADE,
            Note.MELT_TRUNCATED: _truncates_melt(config, grid),
            Note.ORBITS_CROSS_MARS: (1.0 - derived.e) * derived.r < R_MARS * (1.0 - ROUND_OFF),
            Note.BEYOND_QPR_TABLE: _is_beyond_q_ext(config, grid),
            Note.NOTHING_BREAKS: (
                config.collisions.enabled and not _breaks(config, grid, derived.v_rel)
            ),
        }
    )


def _truncates_melt(config: RunConfig, grid: SizeGrid) -> bool:
    melt = config.initial.melt_psd
    if config.initial.s0_mode != "melt_lognormal_mixture":
        return False
    low = max(float(grid.edges[0]), melt.s_cut)
    high = float(grid.edges[-1])
    centres = []
    if melt.f_fine > 0.0:
        centres.append(melt.s_fine)
    if melt.f_fine < 1.0:
        centres.append(melt.s_meter)
    shares = [share_within(low, high, centre, melt.width_dex) for centre in centres]
    return any(share < 1.0 - MAX_TRUNCATED_SHARE for share in shares)


def _is_beyond_q_ext(config: RunConfig, grid: SizeGrid) -> bool:
    """Return whether grains or temperatures of the run lie outside of the table of <Q_ext>."""
    Q_ext = config.q_ext()
    if Q_ext is None:
        return False
    temperatures = lowest_and_highest(temperature_law(config), span_of(config).t_end)
    return any(bool(outside_table(Q_ext, grid.sizes, T).any()) for T in temperatures)


def _breaks(config: RunConfig, grid: SizeGrid, v_rel: float) -> bool:
    """Return whether any two grains of the finest decade collide hard enough to break."""
    rho = config.material.rho
    sizes = grid.sizes[grid.sizes <= 10.0 * grid.edges[0]]
    pairs = pair_workspace(sizes, grain_mass(sizes, rho), rho, sizes_version=0)
    threshold = compute_q_d_star_array(pairs.size_ref, rho, v_rel / 1e3, config.qstar.law())
    return bool((reduced_specific_energy(pairs.m1, pairs.m2, v_rel) >= threshold).any())


class Course(NamedTuple):
    """The parts of a run that has ended that its notes depend on."""

    derived: Derived
    drivers: Drivers
    path: Trajectory
    depths: Array  #: (steps+1,) tau_los between the steps, and at the end of the run
    supplied: float  #: kg/m2, until the end of the run
    s_blow_0: float  #: m, at t = 0


def notes_of_course(config: RunConfig, course: Course) -> Note:
    """Return the notes that depend on the steps of a run."""
    derived = course.derived
    drivers = course.drivers
    path = course.path
    n = path.bins
    rule = drivers.blowout
    numerics = config.numerics
    start = path.y[0, :n].sum()
    unbound = path.piece >= 0
    has_blowout = rule.rate > 0.0 and path.piece.size > 0
    return _combined(
        {
            Note.LOSS_RATE_NEVER_ABOVE_STOP: (
                numerics.mass_loss_rate_stop_Mmars_s is not None
                and not path.above & LOSS_RATE_ABOVE
            ),
            Note.S_BLOW_NEVER_ABOVE_SMIN: (
                numerics.stop_on_blowout_below_smin and not path.above & S_BLOW_ABOVE
            ),
            # A run whose blow-out size has left the grid loses nothing later.
            Note.STOPPED_EARLY: path.outcome not in {REACHED_END, BLOWOUT_BELOW_GRID},
            Note.ENDED_WITHIN_AN_ORBIT: path.t_final < derived.T_orb,
            Note.OPAQUE_WHILE_BLOWN_OUT: (
                has_blowout and not rule.attenuated and _is_opaque(drivers, path, course.depths)
            ),
            Note.MOSTLY_SUPPLIED: course.supplied > MOSTLY_SUPPLIED_RATIO * start,
            Note.SUBLIMATION_LEFT_OUT: (
                has_blowout and config.sublimation.method == "none" and _evaporates(config, course)
            ),
            Note.NOTHING_UNBOUND: has_blowout and not unbound.any(),
            Note.S_BLOW_BELOW_GRID: has_blowout and course.s_blow_0 > 0.0 and not unbound[0],
            Note.NEVER_SOLID: bool(never_solid(path.gated_time, path.t_final)),
            Note.BEYOND_QPR_TABLE: path.beyond_qpr > 0,
            Note.ROUND_OFF_REPAIRED: path.repaired > 0,
            Note.TABLE_ENDS_FIRST: (
                _temperature_ends(derived.law, path.t_final)
                or _supply_ends(drivers.supply, path.t_final)
            ),
        }
    )


def _is_opaque(drivers: Drivers, path: Trajectory, depths: Array) -> bool:
    """Return whether a step that blew out grains began or ended above :data:`OPAQUE_TAU`."""
    is_blown_out = path.piece >= 0
    if drivers.phase.blowout_of_solids_only:
        is_blown_out &= path.mode.astype(np.int64) & PHASES == SOLID
    is_opaque = depths > OPAQUE_TAU
    return bool((is_blown_out & (is_opaque[:-1] | is_opaque[1:])).any())


def _evaporates(config: RunConfig, course: Course) -> bool:
    """Return whether a grain of the blow-out size evaporates before it is blown out.

    This is at the time when Mars is hottest.
    """
    drivers = course.drivers
    hottest = lowest_and_highest(drivers.temperature, course.path.t_final)[1]
    T_grain = grain_heating(course.derived.r, config.sublimation.Q_abs) * hottest
    speed = shrinking_speed_and_slope(drivers.vapour, T_grain)[0]
    s_blow = course.s_blow_0
    if hottest > drivers.temperature.T0:
        s_blow = interpreted(blowout_size)(drivers.pressure, hottest)[0]
    return bool(s_blow > 0.0 and s_blow * drivers.blowout.rate < speed)


def _temperature_ends(law: TemperatureLaw, t_end: float) -> bool:
    return law.kind == TABLE and bool(law.times[-1] < t_end)


def _supply_ends(law: SupplyLaw, t_end: float) -> bool:
    """Return whether a table of the supply ends before its segment."""
    if law.times.size == 0:
        return False
    has_table = np.diff(law.first_node) > 0
    last_nodes = law.times[law.first_node[1:][has_table] - 1]
    return bool((last_nodes < np.minimum(law.end, t_end)[has_table]).any())
