"""Configuration of what acts on the disk: Mars and its light, supply, sublimation, gas."""

import itertools
from typing import Any, Literal

from pydantic import field_validator, model_validator

from ..physics.vapour import SETS as VAPOUR_SETS
from .sections import Section, quantity

LAW = {"meaning": "cooling law of Mars", "allowed": "one of constant, slab, linear, table"}


class _Cooling(Section):
    T0: float = quantity(..., "temperature of Mars at t = 0", "K", ge=1000.0, le=6500.0)


class ConstantTemperature(_Cooling):
    """T_M = T0."""

    law: Literal["constant"] = quantity(..., **LAW)


class _CoolingLayer(_Cooling):
    depth: float = quantity(1e5, "thickness of the cooling layer", "m", gt=0.0)
    rho: float = quantity(3000.0, "its density", "kg m-3", gt=0.0)
    c_p: float = quantity(1000.0, "its heat capacity", "J kg-1 K-1", gt=0.0)


class SlabTemperature(_CoolingLayer):
    """An isothermal layer that radiates: T^-3 = T0^-3 + 3 sigma t / (depth rho c_p)."""

    law: Literal["slab"] = quantity(..., **LAW)


class LinearTemperature(_CoolingLayer):
    """A layer that loses heat as fast as at the start: T = T0 - t sigma T0^4 / (depth rho c_p)."""

    law: Literal["linear"] = quantity(..., **LAW)


class TableTemperature(Section):
    """Linear interpolation in a CSV file, end values held."""

    law: Literal["table"] = quantity(..., **LAW)
    path: str = quantity(..., "CSV file, relative to the configuration")
    time_column: str = quantity("time", "its column of times")
    temperature_column: str = quantity("T_M", "its column of temperatures [K]")
    time_unit: Literal["s", "day", "yr"] = quantity("s", "unit of its times")


class Radiation(Section):
    """Radiation of Mars on the grains."""

    Q_pr: float | str = quantity(
        "forsterite",
        "Planck-mean radiation pressure efficiency",
        allowed="a number in [0.5, 1.5], forsterite (the shipped table), or the path of a table",
    )

    @field_validator("Q_pr")
    @classmethod
    def _in_range(cls, value: float | str) -> float | str:
        if isinstance(value, float) and not 0.5 <= value <= 1.5:
            raise ValueError("out of range")
        return value


class Blowout(Section):
    """Loss of grains that radiation pressure unbinds."""

    enabled: bool = quantity(default=True, meaning="false switches blow-out off")
    edge: Literal["continuous", "sharp"] = quantity(
        "continuous",
        "a bin's rate follows its log-width below s_blow, or jumps when its lower edge is unbound",
    )
    chi: float | Literal["auto"] = quantity(
        1.0,
        "t_blow = chi/Omega; auto takes it from beta and Q_pr at t = 0",
        allowed="a number in [0.5, 2] or auto",
    )

    below_window: Literal["unbound", "bound"] = quantity(
        "unbound",
        "grains so small that light no longer unbinds them: blown out with the others, or kept",
    )
    light: Literal["full", "attenuated"] = quantity(
        "full",
        "every grain sees Mars, or only the share (1 - e^-tau)/tau of them along a line of sight of"
        " tau = tau_los",
    )
    target_phase: Literal["solid_only", "any"] = quantity(
        "solid_only", "what is blown out while phase.* says that grains are not solid"
    )

    @field_validator("chi")
    @classmethod
    def _in_range(cls, value: float | str) -> float | str:
        if isinstance(value, float) and not 0.5 <= value <= 2.0:
            raise ValueError("out of range")
        return value


class PowerLawSupply(Section):
    """A ((t - t0 + t_offset) / 1 s)^index from t0 on."""

    A: float = quantity(
        ..., "supply before mixing, one second after t0 - t_offset", "kg m-2 s-1", ge=0.0
    )
    index: float = quantity(-1.0, "exponent of time", "", ge=-10.0, le=10.0)
    t0: float = quantity(0.0, "time at which it sets in", "s", ge=0.0)
    t_offset: float = quantity(
        0.0,
        "time added to t - t0; a falling law needs it, or it would begin with infinity",
        "s",
        ge=0.0,
    )

    @model_validator(mode="after")
    def _finite(self) -> "PowerLawSupply":
        if self.index < 0.0 and self.t_offset == 0.0:
            raise ValueError(
                f"index = {self.index:g} makes the supply infinite at t0; give t_offset > 0, the"
                " time over which it set in"
            )
        return self


class TableSupply(Section):
    """Linear interpolation in a CSV file, end values held."""

    path: str = quantity(
        ...,
        "CSV file with columns t and rate [kg m-2 s-1, before mixing]; with a third, r [m], read at"
        " the ring's radius; relative to the configuration",
    )
    time_unit: Literal["s", "yr"] = quantity("s", "unit of its times")


class SupplySegment(Section):
    """A stretch of a piecewise supply: a constant rate, a power law or a table."""

    t_start: float = quantity(..., "begin", "s", ge=0.0)
    t_end: float = quantity(..., "end", "s", gt=0.0)
    const_rate: float | None = quantity(None, "supply before mixing", "kg m-2 s-1", ge=0.0, le=1e6)
    powerlaw: PowerLawSupply | None = None
    table: TableSupply | None = None

    @model_validator(mode="after")
    def _unambiguous(self) -> "SupplySegment":
        keys = ("const_rate", "powerlaw", "table")
        present = [key for key in keys if getattr(self, key) is not None]
        if len(present) != 1:
            raise ValueError(
                "a segment takes one of const_rate, powerlaw and table, got"
                f" {' and '.join(present) or 'none'}"
            )
        if self.t_start >= self.t_end:
            raise ValueError(
                f"t_start = {self.t_start:g} s must be before t_end = {self.t_end:g} s"
            )
        return self


class SupplyTemperature(Section):
    """Supply times clip(scale (T_M/T_ref)^power, floor, cap)."""

    scale: float = quantity(1.0, "factor at T_ref", "", ge=1e-6, le=1e6)
    T_ref: float = quantity(1800.0, "reference temperature of Mars", "K", ge=100.0, le=1e5)
    power: float = quantity(1.0, "exponent", "", ge=-20.0, le=20.0)
    floor: float = quantity(0.0, "smallest factor", "", ge=0.0, le=1e6)
    cap: float = quantity(10.0, "largest factor", "", ge=1e-6, le=1e6)

    @model_validator(mode="after")
    def _ordered(self) -> "SupplyTemperature":
        if self.floor > self.cap:
            raise ValueError(f"floor = {self.floor:g} is above cap = {self.cap:g}; exchange them")
        return self


class SupplyFeedback(Section):
    """Supply times a factor f that responds to the optical depth.

    d ln f/dt = (gain/t_response) (tau_target - tau_los)/tau_target, with f = 1 at the start.
    """

    gain: float = quantity(
        1.0, "how strongly the supply answers to the optical depth", "", gt=0.0, le=1e6
    )
    t_response_years: float = quantity(0.5, "response time at gain 1", "yr", gt=0.0, le=1e6)
    tau_target: float = quantity(
        1.0, "line-of-sight optical depth that the supply is steered to", "", gt=0.0, le=1e6
    )
    floor: float = quantity(1e-6, "smallest factor", "", gt=0.0, le=1.0)
    cap: float = quantity(10.0, "largest factor", "", ge=1.0, le=1e12)

    @model_validator(mode="after")
    def _free(self) -> "SupplyFeedback":
        if self.floor == self.cap:
            raise ValueError(
                "floor = cap = 1 leaves the factor no room; lower floor, raise cap, or drop"
                " feedback"
            )
        return self


class DiskReservoir(Section):
    """A mass in reserve for the whole disk; an annulus has a share of it by area."""

    mass: float = quantity(..., "mass that the disk can supply", "M_Mars", gt=0.0, le=1.0)
    r_in_RM: float = quantity(..., "inner edge of the disk", "R_M", ge=1.0, le=100.0)
    r_out_RM: float = quantity(..., "outer edge of the disk", "R_M", ge=1.0, le=100.0)

    @model_validator(mode="after")
    def _ordered(self) -> "DiskReservoir":
        if self.r_in_RM >= self.r_out_RM:
            raise ValueError(
                f"r_in_RM = {self.r_in_RM:g} is not inside r_out_RM = {self.r_out_RM:g}; exchange"
                " them"
            )
        return self


#: Key that gives the rate, by mode of the supply.
RATE_KEYS = {
    "const": "const_rate",
    "powerlaw": "powerlaw",
    "table": "table",
    "piecewise": "segments",
}


class Supply(Section):
    """Fresh dust from outside, from t = 0."""

    mode: Literal["none", "const", "powerlaw", "table", "piecewise"] = quantity(
        "const", "what gives the rate over time; none: no supply"
    )
    mu_orbit10pct: float | None = quantity(
        None,
        "supply per orbit over f_orb Sigma(tau_ref); default 1 where const_rate is not given",
        "",
        ge=0.0,
        le=1e6,
    )
    const_rate: float | None = quantity(None, "supply before mixing", "kg m-2 s-1", ge=0.0, le=1e6)
    powerlaw: PowerLawSupply | None = None
    table: TableSupply | None = None
    segments: tuple[SupplySegment, ...] = quantity(
        (), "stretches of a piecewise supply; nothing is supplied between them"
    )
    epsilon_mix: float | None = quantity(
        None, "share of the supply that reaches the surface layer; default 1", "", ge=0.0, le=2.0
    )
    temperature: SupplyTemperature | None = None
    feedback: SupplyFeedback | None = None
    reservoir: float | None = quantity(
        None,
        "mass that the annulus can be supplied with in all; null is without end",
        "M_Mars",
        gt=0.0,
        le=1.0,
    )
    reservoir_of_disk: DiskReservoir | None = None
    f_orb: float = quantity(
        0.05,
        "fraction of Sigma(tau_ref) supplied per orbit at mu_orbit10pct = 1",
        "",
        gt=0.0,
        le=1.0,
    )
    tau_ref: float = quantity(1.0, "optical depth of the reference layer", "", gt=0.0)
    injection: Literal["min_bin", "powerlaw_bins", "initial_psd"] = quantity(
        "min_bin", "smallest bin, power law over the bins, or as the start"
    )
    s_inj_min: float | None = quantity(None, "smallest injected size", "m", gt=0.0)
    s_inj_max: float | None = quantity(None, "largest injected size (powerlaw_bins)", "m", gt=0.0)
    q: float = quantity(3.5, "slope of dN/ds ~ s^-q (powerlaw_bins)", "", ge=-10.0, le=10.0)

    @field_validator("segments", mode="before")
    @classmethod
    def _frozen(cls, value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value

    @model_validator(mode="after")
    def _consistent(self) -> "Supply":
        self._refuse_other_modes()
        self._refuse_ambiguous_rate()
        self._refuse_bad_injection()
        return self

    def _refuse_other_modes(self) -> None:
        present = self.model_fields_set
        rate_key = RATE_KEYS.get(self.mode)
        if self.mode == "none" and present - {"mode"}:
            raise ValueError(
                f"mode is none but {', '.join(sorted(present - {'mode'}))} is given; drop it or set"
                " mode: const"
            )
        for mode, key in RATE_KEYS.items():
            if key in present and mode != self.mode:
                raise ValueError(
                    f"{key} belongs to mode {mode}, not {self.mode}; drop it or set mode: {mode}"
                )
        if self.mode in {"powerlaw", "table", "piecewise"} and not getattr(self, str(rate_key)):
            raise ValueError(f"mode {self.mode} needs {rate_key}; give it")

    def _refuse_ambiguous_rate(self) -> None:
        by_orbit = self.mode == "const" and self.const_rate is None
        rate_key = RATE_KEYS.get(self.mode)
        if self.reservoir is not None and self.reservoir_of_disk is not None:
            raise ValueError("reservoir and reservoir_of_disk both bound the supply; give one")
        if self.mu_orbit10pct is not None and not by_orbit:
            raise ValueError(f"mu_orbit10pct and {rate_key} both set the rate; give one")
        if self.epsilon_mix is not None and by_orbit:
            raise ValueError(
                "epsilon_mix cancels where mu_orbit10pct sets the rate and would change nothing;"
                " drop it, or give const_rate"
            )
        if {"f_orb", "tau_ref"} & self.model_fields_set and not by_orbit:
            raise ValueError(
                f"f_orb and tau_ref belong to mu_orbit10pct and have no effect with {rate_key};"
                " drop them"
            )
        for earlier, later in itertools.pairwise(self.segments):
            if later.t_start < earlier.t_end:
                problem = "segments must follow each other in time without overlap"
                raise ValueError(f"{problem}; sort them")

    def _refuse_bad_injection(self) -> None:
        if self.injection != "powerlaw_bins" and {"q", "s_inj_max"} & self.model_fields_set:
            raise ValueError(
                f"q and s_inj_max belong to injection powerlaw_bins, not {self.injection}; drop"
                " them"
            )
        s_min = self.s_inj_min
        s_max = self.s_inj_max
        if s_min is not None and s_max is not None and s_min >= s_max:
            raise ValueError(f"s_inj_min = {s_min:g} m must be below s_inj_max = {s_max:g} m")
        if self.injection == "initial_psd" and self.s_inj_min is not None:
            raise ValueError("s_inj_min has no effect with injection initial_psd; drop it")


class Sublimation(Section):
    """Grains lose mass to vapour (Hertz-Knudsen-Langmuir), all at one speed |ds/dt|."""

    method: Literal["none", "sink", "advection"] = quantity(
        "none",
        "none; sink removes whole grains at |ds/dt|/s; advection shrinks them, through the bins",
    )
    vapour_pressure: str = quantity(
        "forsterite",
        "named set or table of P_sat(T)",
        allowed="forsterite, sio, or the path of a table",
    )
    alpha_evap: float | None = quantity(
        None, "evaporation coefficient; default that of the set", "", gt=0.0, le=1.0
    )
    mu: float | None = quantity(
        None, "molar mass of the vapour; default that of the set", "kg mol-1", gt=0.0, le=1.0
    )
    P_gas: float = quantity(0.0, "partial pressure of the vapour around the grains", "Pa", ge=0.0)
    of_liquid: bool = quantity(default=False, meaning="liquid grains (phase.*) sublimate too")
    Q_abs: float = quantity(
        1.0, "absorption efficiency in the grains' temperature", "", gt=0.0, le=2.0
    )

    @model_validator(mode="after")
    def _used(self) -> "Sublimation":
        present = self.model_fields_set - {"method"}
        if self.method == "none" and present:
            raise ValueError(
                f"method is none but {', '.join(sorted(present))} is given; drop it or set method:"
                " advection"
            )
        if self.vapour_pressure not in VAPOUR_SETS and (self.alpha_evap is None or self.mu is None):
            raise ValueError(
                "a table of P_sat needs alpha_evap and mu, which only the named sets bring with"
                " them; give both"
            )
        return self


class Drag(Section):
    """Gas drag: every bin loses its mass in its stopping time."""

    rho_g: float = quantity(
        0.0, "density of the gas; 0 switches drag off", "kg m-3", ge=0.0, le=1.0
    )
    c_s: float = quantity(500.0, "speed of sound of the gas", "m s-1", gt=0.0, le=1e5)


class Shielding(Section):
    """Share Phi(tau) of Mars' light that reaches the dust of a layer.

    Only the results Phi and Sigma_tau1 depend on it.
    """

    mode: Literal["none", "analytic", "table"] = quantity(
        "none", "Phi = 1, exp(-tau (1-w0)) (1-g), or a table"
    )
    w0: float = quantity(0.0, "single-scattering albedo (analytic)", "", ge=0.0, le=1.0)
    g: float = quantity(0.0, "asymmetry of the scattering (analytic)", "", ge=-1.0, le=1.0)
    path: str | None = quantity(
        None, "CSV file with columns tau and phi, relative to the configuration (table)"
    )

    @model_validator(mode="after")
    def _used(self) -> "Shielding":
        used = {"none": set(), "analytic": {"w0", "g"}, "table": {"path"}}[self.mode]
        unused = self.model_fields_set - {"mode"} - used
        if unused:
            keys = ", ".join(sorted(unused))
            raise ValueError(
                f"{keys} has no effect with mode {self.mode}; drop it or change the mode"
            )
        if self.mode == "table" and self.path is None:
            raise ValueError("mode table needs path; give a CSV file with columns tau and phi")
        return self


class Energy(Section):
    """Energy dissipated by collisions, summed over the run; it changes nothing in the disk."""

    enabled: bool = quantity(default=False, meaning="true sums the energy of all collisions")
    eps_restitution: float = quantity(
        0.5,
        "restitution: its square is the share of energy that fragmentation retains",
        "",
        gt=0.0,
        le=1.0,
    )
    f_ke_cratering: float = quantity(
        0.1, "share of energy that cratering retains", "", ge=0.0, le=1.0
    )
    f_ke_fragmentation: float | None = quantity(
        None, "share that fragmentation retains, in place of eps_restitution", "", ge=0.0, le=1.0
    )

    @model_validator(mode="after")
    def _used(self) -> "Energy":
        present = self.model_fields_set - {"enabled"}
        if not self.enabled and present:
            keys = ", ".join(sorted(present))
            raise ValueError(f"enabled is false but {keys} is given; drop it or set enabled: true")
        if self.f_ke_fragmentation is not None and "eps_restitution" in present:
            raise ValueError("eps_restitution and f_ke_fragmentation set the same share; give one")
        return self


class Phase(Section):
    """Processes held back while grains are too hot to be solid.

    These are supply, blow-out and the optical-depth stop; all processes while grains are liquid.
    """

    enabled: bool = quantity(
        default=False, meaning="true holds processes back by the grains' temperature"
    )
    q_abs: float = quantity(0.4, "absorption efficiency in that temperature", "", gt=0.0, le=2.0)
    T_condense: float = quantity(1700.0, "grains are solid below", "K", gt=0.0, le=10000.0)
    T_vaporize: float = quantity(2000.0, "and no longer above", "K", gt=0.0, le=10000.0)
    pressure: float = quantity(0.0, "of the gas around them, which keeps them solid", "bar", ge=0.0)
    tau_ref: float = quantity(
        1.0, "optical depth that halves the fraction that is not solid", "", gt=0.0
    )

    @model_validator(mode="after")
    def _used(self) -> "Phase":
        present = self.model_fields_set - {"enabled"}
        if not self.enabled and present:
            keys = ", ".join(sorted(present))
            raise ValueError(f"enabled is false but {keys} is given; drop it or set enabled: true")
        if self.T_condense > self.T_vaporize:
            raise ValueError(
                f"T_condense = {self.T_condense:g} K is above T_vaporize = {self.T_vaporize:g} K;"
                " exchange them"
            )
        return self
