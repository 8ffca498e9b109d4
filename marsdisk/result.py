"""The result of a run, and the reasons why a run ends."""

import dataclasses
import enum
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .cache import CacheStats
from .config import RunConfig
from .notes import Note
from .physics.constants import YEAR
from .physics.grid import Array
from .result_page import Curve, result_page


class StopReason(enum.IntEnum):
    """Why a run ended. The number is the flag in a store, where 0 means that it has not ended."""

    T_END_YEARS = 1, "numerics.t_end_years was reached"
    T_END_ORBITS = 2, "numerics.t_end_orbits was reached"
    TEMPERATURE = 3, "Mars cooled to numerics.t_end_until_temperature_K"
    OPTICAL_DEPTH = 4, "tau_los exceeded optical_depth.tau_stop; set tau_stop: null to run on"
    BLOWOUT_BELOW_GRID = (
        5,
        "s_blow fell to sizes.s_min or to nothing; set numerics.stop_on_blowout_below_smin: false"
        " to run on",
    )
    LOSS_RATE = (
        6,
        "the loss rate fell to numerics.mass_loss_rate_stop_Mmars_s; set it to null to run on",
    )

    advice: str

    def __new__(cls, value: int, advice: str) -> "StopReason":
        """Make a member with its number and its advice."""
        member = int.__new__(cls, value)
        member._value_ = value
        member.advice = advice
        return member

    @property
    def label(self) -> str:
        """Name in lower case, such as ``t_end_years``."""
        return self.name.lower()


#: Meanings of the numbers of the series ``phase``.
PHASES = ("solid", "partly_solid", "liquid")
#: Processes that the bits of the series ``gates`` let act.
GATES = ("collisions", "supply", "blowout", "sublimation")


def described(unit: str, long_name: str, symbol: str = "") -> Any:
    """Return a field of a result with its unit, its meaning, and its symbol as TeX.

    Unit and meaning are the attributes of its stored array.
    """
    return field(metadata={"units": unit, "long_name": long_name, "symbol": symbol})


class Total(NamedTuple):
    """A number of a result, as a row of a table."""

    name: str
    value: str
    unit: str  #: empty where it has none
    meaning: str


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class RunResult:
    """Series, size distributions at the snapshots, totals, and statistics of the solver.

    Masses are those of the whole annulus in Mars masses; surface densities are per m2 of disk.
    """

    config: RunConfig
    stop_reason: StopReason
    notes: Note

    # series, (samples,)
    t: Array = described("s", "time", "t")
    Sigma: Array = described("kg m-2", "surface density of the dust", r"\Sigma")
    tau_los: Array = described("1", "line-of-sight optical depth", r"\tau_\mathrm{los}")
    Phi: Array = described("1", "share of Mars' light that reaches the dust (shielding)", r"\Phi")
    Sigma_tau1: Array = described(
        "kg m-2",
        "surface density of a layer of the same dust of vertical optical depth 1 in that light",
        r"\Sigma_{\tau=1}",
    )
    T_M: Array = described("K", "temperature of Mars", r"T_\mathrm{M}")
    s_blow: Array = described("m", "blow-out size", r"s_\mathrm{blow}")
    T_grain: Array = described("K", "temperature of the grains", r"T_\mathrm{grain}")
    kappa: Array = described("m2 kg-1", "opacity of the dust", r"\kappa")
    supply_nominal: Array = described(
        "kg m-2 s-1", "supply before feedback, phase and an empty reservoir", r"F_\mathrm{nominal}"
    )
    supply_applied: Array = described("kg m-2 s-1", "supply", "F")
    supply_feedback: Array = described("1", "factor of the feedback on the supply", "f")
    ds_dt: Array = described("m s-1", "speed at which sublimation shrinks grains", r"\dot{s}")
    t_blow: Array = described(
        "s",
        "time in which unbound grains are blown out, in the light that there is",
        r"t_\mathrm{blow}",
    )
    t_coll_smallest: Array = described(
        "s",
        "mean time between collisions of a grain of the smallest size with mass",
        r"t_\mathrm{coll,smallest}",
    )
    t_coll_largest: Array = described(
        "s",
        "mean time between collisions of a grain of the largest size with mass",
        r"t_\mathrm{coll,largest}",
    )
    phase: NDArray[np.uint8] = described("1", "phase of the grains")
    gates: NDArray[np.uint8] = described("1", "what phase.* and the reservoir let act, a bit each")
    e: Array = described("1", "eccentricity of the grains' orbits", "e")
    v_rel: Array = described("m s-1", "relative speed of the grains", r"v_\mathrm{rel}")
    M_out_dot: Array = described("M_Mars s-1", "mass blown out per time", r"\dot{M}_\mathrm{out}")
    M_sink_dot: Array = described(
        "M_Mars s-1", "mass lost otherwise per time", r"\dot{M}_\mathrm{sink}"
    )
    M_loss_cum: Array = described("M_Mars", "mass lost since t = 0", r"M_\mathrm{loss}(t)")
    M_loss_blowout_cum: Array = described(
        "M_Mars", "mass lost by blow-out since t = 0", r"M_\mathrm{loss,blowout}(t)"
    )
    M_loss_sublimation_cum: Array = described(
        "M_Mars", "mass lost by sublimation since t = 0", r"M_\mathrm{loss,sublimation}(t)"
    )
    M_loss_other_cum: Array = described(
        "M_Mars", "mass lost otherwise since t = 0", r"M_\mathrm{loss,other}(t)"
    )
    M_supplied_cum: Array = described(
        "M_Mars", "mass supplied since t = 0", r"M_\mathrm{supplied}(t)"
    )

    # sizes, (bins,) and (snapshots, bins)
    s: Array = described("m", "grain radius, centre of the bin", "s")
    s_edges: Array = described("m", "edges of the bins")
    t_snapshot: Array = described("s", "time of the snapshot")
    N: Array = described("m-2", "number of grains per bin and area of disk", "N")

    M_blown: Array = described("M_Mars", "mass blown out of each bin, (bins,)", r"M_\mathrm{blown}")

    # totals
    M_loss: float = described("M_Mars", "mass lost", r"M_\mathrm{loss}")
    M_loss_blowout: float = described("M_Mars", "mass lost by blow-out", r"M_\mathrm{loss,blowout}")
    M_loss_thick: float = described(
        "M_Mars", "mass lost by blow-out while tau_los was above 1", r"M_\mathrm{loss,thick}"
    )
    M_loss_sublimation: float = described(
        "M_Mars", "mass lost by sublimation", r"M_\mathrm{loss,sublimation}"
    )
    M_loss_other: float = described("M_Mars", "mass lost otherwise", r"M_\mathrm{loss,other}")
    M_available: float = described(
        "M_Mars",
        "mass at t = 0 and all that can be supplied; infinite where supply has no end",
        r"M_\mathrm{available}",
    )
    M_supplied: float = described("M_Mars", "mass supplied", r"M_\mathrm{supplied}")
    Sigma_0: float = described("kg m-2", "surface density at t = 0", r"\Sigma_0")
    Sigma_final: float = described("kg m-2", "surface density at the end", r"\Sigma_\mathrm{final}")
    t_end: float = described("s", "time at which the run ended", r"t_\mathrm{end}")
    t99: float = described("s", "time by which 99 % of the mass lost was lost", "t_{99}")
    E_collisions: float = described(
        "J", "kinetic energy brought into collisions (energy.enabled)", r"E_\mathrm{collisions}"
    )
    E_dissipated: float = described(
        "J", "part of it that collisions dissipated (energy.enabled)", r"E_\mathrm{dissipated}"
    )
    tau_max: float = described(
        "1",
        "largest line-of-sight optical depth at the end of any step or at any sample",
        r"\tau_\mathrm{max}",
    )
    gated_time: float = described(
        "s",
        "time during which grains were not solid and phase.* held processes back",
        r"t_\mathrm{gated}",
    )
    ledger_error: float = described(
        "1", "largest imbalance of start, supply, losses and dust, over start and supply"
    )

    # statistics of the solver
    steps: int
    steps_rejected: int
    steps_beyond_qpr: int  #: steps that used <Q_pr> beyond its table
    bins_repaired: int  #: bins that ended a step below zero and were set to zero
    wall_time: float = described("s", "time the run took")
    solver_time: float = described("s", "part of it spent in the integrator and its dense output")
    cache: CacheStats

    @property
    def clamped(self) -> int:
        """Steps beyond the table of <Q_pr>, and bins set to zero, together."""
        return self.steps_beyond_qpr + self.bins_repaired

    @property
    def heading(self) -> str:
        """When and why the run ended."""
        return f"ended after {self.t_end / YEAR:.4g} yr: {self.stop_reason.advice}"

    def totals(self) -> Iterator[Total]:
        """Yield the numbers of the result that are neither series nor distributions."""
        for number in dataclasses.fields(self):
            value = getattr(self, number.name)
            if isinstance(value, float):
                unit = str(number.metadata.get("units", ""))
                meaning = str(number.metadata.get("long_name", ""))
                yield Total(number.name, f"{value:.6g}", unit, meaning)
            elif isinstance(value, int) and not isinstance(value, enum.Enum):
                yield Total(number.name, str(value), "", "")

    def __repr__(self) -> str:
        lines = [f"run that {self.heading}"]
        for total in self.totals():
            unit = "" if total.unit in {"", "1"} else f" {total.unit}"
            meaning = f"  ({total.meaning})" if total.meaning else ""
            lines.append(f"  {total.name} = {total.value}{unit}{meaning}")
        lines += [f"  note: {sentence}" for sentence in self.notes.sentences]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        curves = (
            Curve("time [yr]", self.t / YEAR, "M_loss_cum [M_Mars]", self.M_loss_cum),
            Curve("time [yr]", self.t / YEAR, "tau_los", self.tau_los),
            Curve("grain radius [m]", self.s, "N at the end [m-2]", self.N[-1]),
        )
        return result_page(self.heading, list(self.totals()), self.notes.sentences, curves)


def never_solid(gated_time: float | Array, t_end: float | Array) -> bool | NDArray[np.bool_]:
    """Return whether phase.* held processes back for all of a run, or of each of several."""
    return gated_time >= t_end * (1.0 - 1e-9)
