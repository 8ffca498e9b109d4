"""Sections of a run's configuration: each key with its unit, bounds and meaning."""

import functools
import hashlib
import json
import typing
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from ..physics.qstar import TABLES, QStarLaw


def quantity(default: Any, meaning: str, unit: str = "", allowed: str = "", **bounds: Any) -> Any:
    """Describe a key for errors, for help, and for the attributes of a store.

    Parameters
    ----------
    default : object
        Value of the key where it is not given; ``...`` if it must be given.
    meaning : str
        What the value is.
    unit : str
        Unit of the value; empty for a pure number or a text.
    allowed : str
        Values that the key takes, in words, where bounds cannot say it.
    **bounds
        ``gt``, ``ge``, ``lt`` and ``le``.

    Returns
    -------
    FieldInfo
        Value of the attribute in its section; typed as Any, so that it fits any annotation.
    """
    return Field(
        default,
        description=meaning,
        json_schema_extra={"unit": unit, "allowed": allowed},
        **bounds,
    )


def canonical_json(content: Any) -> str:
    """Return content as JSON in its only canonical form: keys sorted, no blanks."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest_of(text: str) -> str:
    """Return 16 hex digits for a section's content in its canonical form."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class Section(BaseModel):
    """Frozen, strict (a text is no number), and closed (unknown keys are refused)."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    @functools.cached_property
    def canonical(self) -> str:
        """Content as JSON in its canonical form, which digests are computed from."""
        return canonical_json(self.model_dump(mode="json"))

    @functools.cached_property
    def content_digest(self) -> str:
        """16 hex digits for the content."""
        return digest_of(self.canonical)


class Disk(Section):
    """The annulus that the run stands for; the physics is evaluated at its middle."""

    r_in_RM: float = quantity(..., "inner edge, not inside Mars", "R_M", ge=1.0, le=100.0)
    r_out_RM: float = quantity(..., "outer edge", "R_M", ge=1.0, le=100.0)

    @model_validator(mode="after")
    def _ordered(self) -> "Disk":
        if self.r_in_RM > self.r_out_RM:
            raise ValueError(
                f"r_in_RM = {self.r_in_RM:g} is outside r_out_RM = {self.r_out_RM:g}; exchange them"
            )
        return self


class Material(Section):
    """The grains' material."""

    rho: float = quantity(3000.0, "density of the grains", "kg m-3", ge=1000.0, le=5000.0)


class Sizes(Section):
    """The size grid, equally spaced in log s."""

    s_min: float = quantity(..., "smallest grain radius", "m", gt=0.0, le=1e3)
    s_max: float = quantity(..., "largest grain radius", "m", gt=0.0, le=1e6)
    n_bins: int = quantity(40, "number of bins", "", ge=2, le=1000)

    @model_validator(mode="after")
    def _ordered(self) -> "Sizes":
        if self.s_min >= self.s_max:
            raise ValueError(f"s_min = {self.s_min:g} m must be below s_max = {self.s_max:g} m")
        return self


class MeltPsd(Section):
    """Mixture of a fine and a metre-sized lognormal component (Hyodo et al. 2017a)."""

    f_fine: float = quantity(0.3, "mass share of the fine component", "", ge=0.0, le=1.0)
    s_fine: float = quantity(1e-4, "centre of the fine component", "m", gt=0.0)
    s_meter: float = quantity(1.5, "centre of the coarse component", "m", gt=0.0)
    width_dex: float = quantity(0.3, "standard deviation in log10 s", "dex", gt=0.0, le=10.0)
    s_cut: float = quantity(1e-6, "no mass below this size", "m", gt=0.0)


class TruncatedPsd(Section):
    """One power law dN/ds ~ s^-alpha_solid between two sizes (Jutzi et al. 2010)."""

    alpha_solid: float = quantity(3.5, "slope of dN/ds", "", ge=-10.0, le=10.0)
    s_min_solid: float = quantity(1e-4, "smallest size", "m", gt=0.0)
    s_max_solid: float = quantity(3.0, "largest size", "m", gt=0.0)
    s_cut: float = quantity(1e-6, "no mass below this size", "m", gt=0.0)


START_KEYS = {
    "melt_psd": "melt_lognormal_mixture",
    "truncated": "melt_truncated_powerlaw",
    "s_mono": "mono",
}


class Initial(Section):
    """The disk at t = 0: its size distribution, and its mass where no optical depth sets it."""

    s0_mode: Literal["upper", "melt_lognormal_mixture", "melt_truncated_powerlaw", "mono"] = (
        quantity(
            "upper",
            "shape of the start: three slopes (psd.*), the melt mixture (initial.melt_psd.*), one"
            " power law (initial.truncated.*), or one size",
        )
    )
    melt_psd: MeltPsd = quantity(MeltPsd(), "the melt mixture's parameters")
    truncated: TruncatedPsd = quantity(TruncatedPsd(), "the power law's parameters")
    s_mono: float = quantity(1.5, "the one size of s0_mode: mono", "m", gt=0.0)
    mass: float | None = quantity(
        None,
        "mass of dust in the annulus, in place of optical_depth.tau0_target",
        "M_Mars",
        gt=0.0,
        le=1.0,
    )
    slope: float = quantity(
        0.0,
        "p of Sigma ~ r^-p, by which that mass is spread over the annulus",
        "",
        ge=-10.0,
        le=10.0,
    )

    @model_validator(mode="after")
    def _used(self) -> "Initial":
        for key, mode in START_KEYS.items():
            if key in self.model_fields_set and self.s0_mode != mode:
                raise ValueError(
                    f"{key} is given but s0_mode is {self.s0_mode}; set s0_mode: {mode} or drop"
                    f" {key}"
                )
        if self.mass is None and "slope" in self.model_fields_set:
            raise ValueError(
                "slope spreads initial.mass, which is not given; give mass or drop slope"
            )
        return self


class Psd(Section):
    """The three-slope start, and where the size grid begins."""

    alpha: float = quantity(
        1.83, "slope q of dN/ds ~ s^-q below 10 s_lo (then q+1, q+1.5)", "", ge=-10.0, le=10.0
    )
    wavy_strength: float = quantity(
        0.0, "amplitude of the one-period wave over the size range", "", ge=0.0, le=1.0
    )
    floor: Literal["none", "blowout"] = quantity(
        "none", "the grid starts at sizes.s_min, or at s_blow(0)"
    )


class Damping(Section):
    """Damping of e and i by collisions.

    Both relax in t_coll/epsilon^2: e to e_eq, and i in the same ratio to e as at the start.
    """

    epsilon: float = quantity(
        0.5,
        "restitution: e and i relax in t_coll/epsilon^2, t_coll between two hits of the largest"
        " bodies",
        "",
        gt=0.0,
        le=1.0,
    )
    e_eq: float = quantity(..., "eccentricity that they relax to", "", gt=0.0, lt=1.0)


class Dynamics(Section):
    """Eccentricity, inclination and what follows from them."""

    e0: float = quantity(0.5, "eccentricity (with e_profile: fixed)", "", ge=0.0, lt=1.0)
    i0: float = quantity(0.05, "inclination", "rad", ge=0.0, le=1.5707963267948966)
    e_profile: Literal["fixed", "mars_pericenter"] = quantity(
        "fixed", "e0 itself, or e = 1 - R_M/r"
    )
    v_rel: Literal["dispersion", "pericenter"] = quantity(
        "dispersion", "v_K sqrt(1.25 e2 + i2), or v_K sqrt((1+e)/(1-e))"
    )
    kernel_H_mode: Literal["ia", "fixed"] = quantity(
        "ia", "scale height H = H_factor i r, or H = H_fixed_over_a r"
    )
    H_factor: float = quantity(1.0, "scale height over i r", "", gt=0.0, le=100.0)
    H_fixed_over_a: float | None = quantity(
        None, "scale height over r (with kernel_H_mode: fixed)", "", gt=0.0, le=1.0
    )
    damping: Damping | None = None

    @model_validator(mode="after")
    def _consistent(self) -> "Dynamics":
        present = self.model_fields_set
        if self.e_profile == "mars_pericenter" and "e0" in present:
            raise ValueError(
                f"e0 = {self.e0:g} has no effect with e_profile mars_pericenter; drop e0 or set"
                " e_profile: fixed"
            )
        if (self.kernel_H_mode == "fixed") != (self.H_fixed_over_a is not None):
            raise ValueError(
                "kernel_H_mode: fixed and H_fixed_over_a go together; give both or neither"
            )
        if self.kernel_H_mode == "ia" and self.i0 == 0.0:
            raise ValueError(
                "i0 = 0 leaves the disk no height and grains collide without end; give i0 > 0, or"
                " kernel_H_mode: fixed with H_fixed_over_a"
            )
        if self.kernel_H_mode == "fixed" and "H_factor" in present:
            raise ValueError("H_factor has no effect with kernel_H_mode fixed; drop it")
        if self.damping is not None and self.v_rel == "pericenter":
            raise ValueError(
                "damping needs a v_rel that goes down with e and i, and pericenter is an orbital"
                " speed; set v_rel: dispersion"
            )
        return self


Row = tuple[float, float, float, float, float]


@functools.lru_cache(maxsize=64)
def _law(rows: tuple[Row, ...], units: str, mu: float, scale: float) -> QStarLaw:
    return QStarLaw(rows, units, mu).scaled(scale)


class QStar(Section):
    """Catastrophic disruption threshold Q_D*."""

    table: Literal["forsterite", "basalt"] | tuple[tuple[float, ...], ...] = quantity(
        "forsterite",
        "named table, or rows",
        allowed="one of forsterite, basalt, or rows [v_ref km/s, Q_s, a, B, b]",
    )
    scale: float = quantity(1.0, "factor on all Q_D*", "", gt=0.0, le=1e6)
    units: Literal["ba99_cgs", "si"] = quantity(
        "ba99_cgs", "units of the rows: erg/g, cm, g/cm3 or SI"
    )
    mu: float = quantity(0.45, "velocity exponent beyond the table", "", gt=0.0, le=1.0)

    @field_validator("table", mode="before")
    @classmethod
    def _frozen(cls, value: Any) -> Any:
        if not isinstance(value, list):
            return value
        return tuple(tuple(row) if isinstance(row, list) else row for row in value)

    @model_validator(mode="after")
    def _buildable(self) -> "QStar":
        if isinstance(self.table, tuple) and any(len(row) != 5 for row in self.table):
            raise ValueError("table must have rows of five numbers: v_ref [km/s], Q_s, a, B, b")
        if isinstance(self.table, str) and self.units != "ba99_cgs":
            raise ValueError(
                f"units: {self.units} contradicts the named table {self.table}, which is in"
                " ba99_cgs; drop units"
            )
        self.law()
        return self

    def law(self) -> QStarLaw:
        """Return the law as data."""
        rows = TABLES[self.table] if isinstance(self.table, str) else self.table
        return _law(typing.cast(tuple[Row, ...], rows), self.units, self.mu, self.scale)


class Collisions(Section):
    """Collisional evolution."""

    enabled: bool = quantity(default=True, meaning="false switches collisions off")
    fragment_law: Literal["mass", "number"] = quantity(
        "mass", "alpha_frag is the exponent of dM/ds, or of dN/ds"
    )
    alpha_frag: float = quantity(3.5, "exponent of the fragments' size law", "", ge=-10.0, le=10.0)


class OpticalDepth(Section):
    """The surface density at the start, and when to stop."""

    tau0_target: float = quantity(
        1.0,
        "line-of-sight optical depth at t = 0; sets Sigma_0 where initial.mass does not",
        "",
        gt=0.0,
        le=1e6,
    )
    tau_stop: float | None = quantity(
        None, "stop when tau_los exceeds this; null runs on", "", gt=0.0
    )
    path_multiplier: float = quantity(1.0, "f_los = max(1, path_multiplier / h_over_r)", "", gt=0.0)
    h_over_r: float = quantity(1.0, "aspect ratio in f_los", "", gt=0.0)
    opacity: Literal["geometric", "planck"] = quantity(
        "geometric",
        "cross-section of a grain: pi s^2, or pi s^2 <Q_ext>(s, T_M)",
    )
    Q_ext: str = quantity(
        "forsterite",
        "Planck-mean extinction efficiency (with opacity: planck)",
        allowed="forsterite (the shipped table), or the path of a table of <Q_ext>",
    )

    @model_validator(mode="after")
    def _used(self) -> "OpticalDepth":
        if self.opacity == "geometric" and "Q_ext" in self.model_fields_set:
            cure = "drop it or set opacity: planck"
            raise ValueError(f"Q_ext has no effect with opacity geometric; {cure}")
        return self


class Numerics(Section):
    """Length of the run, and accuracy of its integration."""

    scheme: Literal["rosenbrock", "imex_bdf1"] = quantity(
        "rosenbrock", "the integrator; imex_bdf1 is the classic one, to compare with"
    )
    rtol: float = quantity(1e-3, "relative tolerance per step and bin", "", ge=1e-12, le=0.1)
    atol: float = quantity(
        1e-10,
        "absolute tolerance per step and bin, in units of the current Sigma",
        "",
        ge=1e-20,
        le=1e-3,
    )
    max_steps: int = quantity(100_000, "give up after this many steps", "", ge=1)
    dt: float | None = quantity(
        None, "imex_bdf1: outer step; default a thousandth of the run", "s", gt=0.0
    )
    max_substeps: int = quantity(
        10_000, "imex_bdf1: give up when an outer step takes more steps than this", "", ge=1
    )
    t_end_years: float | None = quantity(None, "end after this time", "yr", gt=0.0, le=1e6)
    t_end_orbits: float | None = quantity(
        None, "end after this many orbits", "T_orb", gt=0.0, le=1e9
    )
    t_end_until_temperature_K: float | None = quantity(
        None, "end when Mars has cooled to this", "K", ge=1000.0, le=6500.0
    )
    mass_loss_rate_stop_Mmars_s: float | None = quantity(
        None,
        "stop when the annulus' loss rate has been above this and falls to it",
        "M_Mars s-1",
        gt=0.0,
    )
    stop_on_blowout_below_smin: bool = quantity(
        default=False,
        meaning="stop when s_blow has been above sizes.s_min and falls to it, or to nothing",
    )
    min_duration_years: float | None = quantity(
        None,
        "time before which the last two do not stop a run; what has fallen by then stops it then",
        "yr",
        gt=0.0,
        le=1e6,
    )

    @model_validator(mode="after")
    def _ends(self) -> "Numerics":
        if (
            self.t_end_years is None
            and self.t_end_orbits is None
            and self.t_end_until_temperature_K is None
        ):
            raise ValueError(
                "nothing ends the run: give t_end_years, t_end_orbits or t_end_until_temperature_K"
            )
        if (
            self.min_duration_years is not None
            and self.mass_loss_rate_stop_Mmars_s is None
            and not self.stop_on_blowout_below_smin
        ):
            raise ValueError(
                "min_duration_years holds back mass_loss_rate_stop_Mmars_s and"
                " stop_on_blowout_below_smin, and neither is set; drop it or set one"
            )
        if self.scheme == "rosenbrock":
            unused = {"dt", "max_substeps"} & self.model_fields_set
        else:
            unused = {"rtol", "atol", "max_steps"} & self.model_fields_set
        if unused:
            raise ValueError(
                f"{', '.join(sorted(unused))} has no effect with scheme {self.scheme}; drop it or"
                " change the scheme"
            )
        return self


class Output(Section):
    """Times at which the solution is sampled.

    No other result of a run depends on them, except tau_max, which includes the samples.
    """

    samples: int = quantity(
        128, "times of the series, from 0 to the end of the run", "", ge=2, le=100_000
    )
    spacing: Literal["log", "linear"] = quantity("log", "spacing of the times after 0")
    decades: float = quantity(
        6.0,
        "log: the first time after 0 is this many decades before the end",
        "dex",
        gt=0.0,
        le=30.0,
    )
    snapshots: int = quantity(
        12,
        "size distributions kept, at 0 and at evenly chosen samples to the end",
        "",
        ge=2,
        le=10_000,
    )

    @model_validator(mode="after")
    def _within(self) -> "Output":
        if self.snapshots > self.samples:
            raise ValueError(
                f"snapshots = {self.snapshots} are chosen among samples = {self.samples}; give at"
                " most as many"
            )
        return self
