"""Caveats of results: a flag for each, and the sentence that every view shows for it."""

import enum


class Note(enum.IntFlag):
    """A reason to doubt a result, or a key of its configuration without effect; a bit each."""

    LOSS_RATE_NEVER_ABOVE_STOP = 1
    S_BLOW_NEVER_ABOVE_SMIN = 2
    STOPPED_EARLY = 4
    ENDED_WITHIN_AN_ORBIT = 8
    OPAQUE_WHILE_BLOWN_OUT = 16
    MOSTLY_SUPPLIED = 32
    ORBITS_CROSS_MARS = 64
    SUBLIMATION_LEFT_OUT = 128
    NOTHING_UNBOUND = 256
    NEVER_SOLID = 512
    MELT_TRUNCATED = 1024
    NOTHING_BREAKS = 2048
    COARSE_GRID = 4096
    BEYOND_QPR_TABLE = 8192
    ROUND_OFF_REPAIRED = 16384
    TABLE_ENDS_FIRST = 32768
    S_BLOW_BELOW_GRID = 65536

    @property
    def label(self) -> str:
        """The names of the notes that are set, such as ``stopped_early mostly_supplied``."""
        return " ".join(str(note.name).lower() for note in Note if note in self)

    @property
    def sentences(self) -> tuple[str, ...]:
        """A sentence for each note that is set."""
        return tuple(SENTENCES[note] for note in Note if note in self)


#: tau_los beyond which light reaches one grain in three or fewer.
OPAQUE_TAU = 3.0
#: Supplied mass over the mass at the start, beyond which a run is mostly supplied.
MOSTLY_SUPPLIED_RATIO = 10.0
#: Largest share of a component of the melt that may lie outside of the grid.
MAX_TRUNCATED_SHARE = 0.01
#: Fewest bins per decade of size.
MIN_BINS_PER_DECADE = 4.0

SENTENCES = {
    Note.LOSS_RATE_NEVER_ABOVE_STOP: (
        "the loss rate was never above numerics.mass_loss_rate_stop_Mmars_s, so it could not fall"
        " to it, and that stop did not act; lower it or set it to null"
    ),
    Note.S_BLOW_NEVER_ABOVE_SMIN: (
        "s_blow was never above sizes.s_min, so it could not fall to it,"
        " and numerics.stop_on_blowout_below_smin did not act; lower s_min or set it to false"
    ),
    Note.STOPPED_EARLY: ("a stop condition ended the run early; totals cover the time until then"),
    Note.ENDED_WITHIN_AN_ORBIT: (
        "the run ended before the dust went round Mars once, which the model averages over"
    ),
    Note.OPAQUE_WHILE_BLOWN_OUT: (
        f"tau_los was above {OPAQUE_TAU:g} while grains were blown out, although light reaches few"
        " of them then; M_loss_blowout is an upper limit"
    ),
    Note.MOSTLY_SUPPLIED: (
        f"more than {MOSTLY_SUPPLIED_RATIO:g} times the mass at the start was supplied, so the"
        " losses follow the supply, not the disk"
    ),
    Note.ORBITS_CROSS_MARS: (
        "(1 - e) r is below 1 R_M, so orbits cross Mars, which takes no grains here; lower"
        " dynamics.e0 or use e_profile: mars_pericenter"
    ),
    Note.SUBLIMATION_LEFT_OUT: (
        "sublimation is off, although a grain of the blow-out size would evaporate sooner than it"
        " is blown out; set sublimation.method"
    ),
    Note.NOTHING_UNBOUND: "no grain on the grid was ever unbound, so nothing was blown out",
    Note.NEVER_SOLID: (
        "grains were never solid: phase.* held supply, blow-out and the optical-depth stop back for"
        " all of the run; check its temperatures"
    ),
    Note.MELT_TRUNCATED: (
        f"the size grid or s_cut cuts off more than {100.0 * MAX_TRUNCATED_SHARE:g} % of a"
        " component of the melt, whose mass is given to the sizes that are left; widen sizes.s_min"
        " and s_max"
    ),
    Note.NOTHING_BREAKS: (
        "no two grains of the finest decade hit each other hard enough to break (Q_R < Q_D*), so"
        " collisions make no fine dust from them"
    ),
    Note.COARSE_GRID: (
        f"the size grid has fewer than {MIN_BINS_PER_DECADE:g} bins per decade; raise sizes.n_bins"
    ),
    Note.BEYOND_QPR_TABLE: (
        "<Q_pr> or <Q_ext> was taken from the edge of its table, beyond which it does not reach"
    ),
    Note.ROUND_OFF_REPAIRED: (
        "bins that round-off or a loose tolerance left below zero were set to zero at the cost of"
        " the others; lower numerics.atol"
    ),
    Note.TABLE_ENDS_FIRST: (
        "a table of temperature or supply ends before the run, which continues with its last value"
    ),
    Note.S_BLOW_BELOW_GRID: (
        "the blow-out size was below the size grid from the start, so no grain of it is unbound;"
        " lower sizes.s_min"
    ),
}
