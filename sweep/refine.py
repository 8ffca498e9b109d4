"""Refinement: points are added in rounds where a result bends, rises or crosses a level. All points are one axis, as those of a design are."""

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from marsdisk.config_sections import Section, quantity
from marsdisk.physics.textfile import shown

from .axes import RING, Axis
from .design import POINT, unknown_key
from .marginals import Marginal, parse_marginal
from .simplices import STEPS
from .store import layout

if TYPE_CHECKING:
    from .spec import Sweep, SweepSpec

KINDS = "{uniform: [a, b]} or {loguniform: [a, b]}"
#: Of what can be a target: numbers of the result, not of the day on which it was computed.
UNITS = {
    variable.name: str(variable.attributes["units"])
    for variable in layout.variables(shared_grid=True)
    if layout.is_target(variable) and variable.name not in {"wall_time", "solver_time"}
}
GROWING = {"max_runs", "goal"}  # what another file may change with all points kept
Points = list[list[int]]  # each in steps of 1/STEPS along each axis


class RefineSpec(Section):
    """Where a parameter space is looked at more closely."""

    target: str = quantity(..., "result with one number per run", allowed=", ".join(sorted(UNITS)))
    loss: Literal["curvature", "gradient", "contour"] = quantity(
        ...,
        "curvature: points where the target bends; gradient: where it rises; contour: where it"
        " crosses level",
    )
    level: float | None = quantity(
        None, "contour: the value of the target, in its unit, whose contour is sought", ""
    )
    log: bool = quantity(False, "take log10 of the target, for what varies over decades")
    axes: dict[str, Any] = quantity(
        ..., "range of each key, one to three", allowed=f"keys with ranges: {KINDS}"
    )
    start: int = quantity(
        5,
        "points along each axis of the first, regular round, both ends among them",
        "",
        ge=2,
        le=100,
    )
    per_round: int = quantity(
        32, "points of a round, all chosen from the results of those before", "", ge=1, le=10_000
    )
    max_runs: int = quantity(..., "runs in all, of all rounds", "", ge=1, le=20_000)
    goal: float | None = quantity(
        None,
        "stop when the largest loss, which sweep run shows for each round, is no larger",
        "",
        gt=0.0,
    )

    @property
    def first(self) -> int:
        """Points of the first round."""
        return int(self.start ** len(self.axes))

    @property
    def words(self) -> str:
        """What it looks for."""
        what = f"log10 of {self.target}" if self.log else self.target
        return (
            f"{what} crosses {self.level:g}"
            if self.level is not None
            else f"{what} {'bends' if self.loss == 'curvature' else 'rises'} most"
        )

    @property
    def level_told(self) -> float:
        """What is taken off the target: the level as the target is taken."""
        return 0.0 if self.level is None else math.log10(self.level) if self.log else self.level

    def round_of(self, point: int) -> int:
        """The round that a point is of."""
        return 0 if point < self.first else 1 + (point - self.first) // self.per_round

    def begun(self, points: int) -> int:
        """The first point of the first round that is not complete yet, of so many."""
        return self.first + self.per_round * ((points - self.first) // self.per_round)


def _marginal(given: Any) -> Marginal:
    if (
        not isinstance(given, dict)
        or len(given) != 1
        or not given.keys() <= {"uniform", "loguniform"}
    ):
        raise ValueError(f"must be {KINDS}, got {shown(given)}")
    return parse_marginal(given)


def _problems(spec: "SweepSpec", refine: RefineSpec, axes: Sequence[Axis]) -> list[str]:
    problems = []
    rings = [axis for axis in axes if axis.keys == RING]
    if refine.target not in UNITS:
        problems.append(
            f"refine.target: {shown(refine.target)} is no result with one number per run; there are"
            f" {', '.join(sorted(UNITS))}"
        )
    if refine.loss == "contour" and refine.level is None:
        problems.append(
            "refine.level is missing: loss contour gathers points where the target crosses it; give"
            " a value of the target"
        )
    if refine.loss != "contour" and refine.level is not None:
        problems.append(f"refine.level belongs to loss contour, not {refine.loss}; drop it")
    if refine.log and refine.level is not None and refine.level <= 0.0:
        problems.append(
            f"refine.level = {refine.level:g} has no logarithm; give the level itself, above 0, or"
            " drop log"
        )
    if not 1 <= len(refine.axes) <= 3:
        problems.append(f"refine.axes has {len(refine.axes)} keys; give one, two or three")
    sections = ("zip", "sample", "design", "one_at_a_time", "variants", "include", "exclude")
    beside = [name for name in sections if getattr(spec, name)] + [
        f"axes.{axis.name}" for axis in axes if axis not in rings and axis.name in spec.axes
    ]
    if beside:
        problems.append(
            f"refine stands alone, or beside one axis of rings, and here is {', '.join(beside)};"
            " make a sweep file for each, or drop it"
        )
    if rings and UNITS.get(refine.target, "M_Mars") != "M_Mars":
        problems.append(
            f"refine.target: {refine.target} does not add up over the rings of"
            f" axes.{rings[0].name}; drop that axis, or take M_loss"
        )
    runs = refine.first * math.prod(len(axis.points) for axis in rings)
    if not problems and refine.max_runs < runs:
        problems.append(
            f"refine.max_runs = {refine.max_runs} is less than the first round takes, {runs} runs;"
            " raise it, or lower refine.start"
        )
    return problems


def refine_axis(
    spec: "SweepSpec", refined: Sequence[Sequence[int]], others: Sequence[Axis]
) -> tuple[Axis | None, list[str]]:
    """The axis of all points so far, or everything that is wrong.

    Parameters
    ----------
    refined : points of all rounds but the first
    others : axes of the sweep's other sections
    """
    refine = spec.refine
    marginals = dict[str, Marginal]()
    if refine is None:
        raise ValueError("the sweep is not refined")
    problems = _problems(spec, refine, others)
    for key, given in refine.axes.items():
        try:
            marginals[key] = _marginal(given)
            bad = unknown_key(key)
        except ValueError as error:
            bad = str(error)
        problems += [f"refine.axes.{key}: {bad}"] if bad else []
    if problems:
        return None, problems
    if any(len(point) != len(marginals) for point in refined):
        return None, [
            "refine: its points in the store's record have another number of keys; the store was"
            " changed by hand"
        ]
    columns = zip(*first_points(refine), *refined, strict=True)
    shares = ([step / STEPS for step in column] for column in columns)
    values = [
        marginal.values(column) for marginal, column in zip(marginals.values(), shares, strict=True)
    ]
    points = tuple(dict(zip(marginals, row, strict=True)) for row in zip(*values, strict=True))
    ranges = ", ".join(f"{key} {marginal.words}" for key, marginal in marginals.items())
    return (
        Axis(
            POINT,
            points,
            tuple(range(len(points))),
            "refine",
            f"more in rounds of {refine.per_round} where {refine.words}: {ranges}",
        ),
        [],
    )


def first_points(refine: RefineSpec) -> Points:
    """A regular grid with the corners."""
    along = [round(i * STEPS / (refine.start - 1)) for i in range(refine.start)]
    return [list(point) for point in itertools.product(along, repeat=len(refine.axes))]


def runs_per_point(sweep: "Sweep") -> int:
    """1, or the rings of a disk."""
    return math.prod(len(axis.points) for axis in sweep.axes if axis.name != POINT)


def runs_in_all(sweep: "Sweep", runs: int) -> int:
    """The runs that a sweep of so many has in the end, at most."""
    refine = sweep.spec.refine
    return (
        runs
        if refine is None
        else max(runs, refine.max_runs // runs_per_point(sweep) * runs_per_point(sweep))
    )


def blocks_of_round(sweep: "Sweep", size: int) -> int:
    """How many blocks of so many runs a round fills; 0 where there are none."""
    refine = sweep.spec.refine
    return 0 if refine is None else math.ceil(refine.per_round * runs_per_point(sweep) / size)
