"""The sections of a sweep file."""

from typing import Any, Literal

from pydantic import Field

from marsdisk.accuracy.convergence import BINS_LIMIT, TIME_LIMIT
from marsdisk.config.sections import Section, quantity

from .designs import DesignSpec, SampleSpec
from .refinement import RefineSpec


class CacheSpec(Section):
    """The runs that share cached arrays, which changes no bit of their results."""

    scope: Literal["run", "task", "worker"] = quantity(
        "task", "empty the cache before every run, every block, or never on a worker"
    )
    enabled: bool = quantity(True, "false builds everything anew for every run")  # noqa: FBT003 - a default


class AccuracySpec(Section):
    """The share of the runs that is repeated with tighter steps and other bins.

    :func:`marsdisk.accuracy.convergence.check_run` does that. The choice of these runs is part of
    the plan, since it decides what the store holds: a store made for another choice is refused. The
    limits are only compared with the errors when these are shown and may be changed at any time.
    """

    fraction: float = quantity(
        0.05, "share of the runs, at least one; 0 repeats none", "", ge=0.0, le=1.0
    )
    time_limit: float = quantity(TIME_LIMIT, "largest err_time accepted", "", gt=0.0, le=1.0)
    bins_limit: float = quantity(BINS_LIMIT, "largest err_bins accepted", "", gt=0.0, le=1.0)


class ProvenanceSpec(Section):
    """What a store tells about the machines that made it; it may be published one day."""

    host: bool = quantity(
        False,  # noqa: FBT003 - a default
        "record the names of the machines: of the driver's, and with each run of its worker's",
    )


class SweepSpec(Section):
    """A sweep file as given."""

    name: str = quantity(
        ...,
        "name of the sweep and of its store",
        allowed="letters, digits, points, dashes and underscores, the first a letter or digit",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$",
    )
    base: str = Field(
        description=(
            "configuration that all cases start from: a path relative to this file, or builtin:NAME"
        )
    )
    set: dict[str, Any] = quantity(
        {}, "overrides for all cases", allowed="keys with values: {numerics.t_end_years: 1.0}"
    )
    axes: dict[str, Any] = quantity(
        {},
        "key or name of each axis; the cases are their product",
        allowed="keys with points: {temperature.T0: [3000, 4000]}",
    )
    zip: list[dict[str, Any]] = quantity(
        [],
        "keys that move together, one axis per entry",
        allowed="a list of keys with lists of one length:"
        " [{material.rho: [3000, 3270], qstar.scale: [1.0, 5.574]}]",
    )
    sample: SampleSpec | None = Field(None, description="points drawn from a prior, one axis")
    design: DesignSpec | None = Field(
        None, description="points for a sensitivity analysis, one axis"
    )
    refine: RefineSpec | None = Field(
        None, description="points added in rounds where a result asks for more, one axis"
    )
    one_at_a_time: dict[str, Any] = quantity(
        {},
        "values of each key, changed alone around the base, one axis",
        allowed="keys with points: {temperature.T0: [3000, 5000]}",
    )
    variants: dict[str, Any] = quantity(
        {},
        "named sets of overrides, one axis",
        allowed="names with overrides: {as_is: {}, no_blowout: {blowout.enabled: false}}",
    )
    include: list[dict[str, Any]] = quantity(
        [],
        "cases in addition to the product",
        allowed="a list of overrides: [{temperature.T0: 6000}]",
    )
    exclude: list[dict[str, Any]] = quantity(
        [],
        "cases of the product to leave out, by some of their values",
        allowed="a list of keys or axes with values: [{temperature.T0: 3000, ring: 0}]",
    )
    output: dict[str, Any] = quantity(
        {},
        "the configuration's output section for all cases",
        allowed="keys of output: {samples: 64, spacing: log}",
    )
    cache: CacheSpec = Field(
        default_factory=CacheSpec, description="which runs share cached arrays"
    )
    accuracy: AccuracySpec | None = Field(
        None, description="numerical errors of some runs, stored with them"
    )
    expect: dict[str, Any] = quantity(
        {},
        "conditions that the results must meet, by name",
        allowed="names with conditions: {loses mass: {expect: M_loss > 0}}",
    )
    provenance: ProvenanceSpec = Field(
        default_factory=ProvenanceSpec, description="what the store tells about machines"
    )
    time_limit: float | None = quantity(
        600.0,
        "time that one run may take before it is marked as failed, with the state it has come to",
        "s",
        gt=0.0,
    )
    block: int | None = Field(None, description="runs per block", ge=1, le=100_000)
