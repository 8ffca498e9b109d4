"""Refinement: points are added in rounds where a result bends, rises or crosses a level.

All points are one axis of the sweep, as those of a design are.
"""

import itertools
import math
from collections.abc import Container, Sequence
from typing import Any, Literal

from marsdisk.common.text import shown
from marsdisk.config.sections import Section, quantity

from ..store import layout
from .axes import RING, Axis
from .designs import POINT, unknown_key
from .distributions import Marginal, parse_marginal

KINDS = "{uniform: [a, b]} or {loguniform: [a, b]}"
#: Units of possible targets: results that do not depend on the day on which they were computed.
UNITS = {
    variable.name: str(variable.attributes["units"])
    for variable in layout.variables(shared_grid=True)
    if layout.is_target(variable) and variable.name not in {"wall_time", "solver_time"}
}
# what another sweep file may change while all points are kept
CHANGEABLE_KEYS = {"max_runs", "goal"}
#: Steps of each axis: points lie on this grid, so that halves of distances are exact.
STEPS = 2**20
Points = list[list[int]]  # coordinates in steps of 1/STEPS of each axis


class RefineSpec(Section):
    """The section ``refine`` of a sweep file: where points are added to a parameter space."""

    target: str = quantity(..., "result with one number per run", allowed=", ".join(sorted(UNITS)))
    loss: Literal["curvature", "gradient", "contour"] = quantity(
        ...,
        "curvature: points where the target bends; gradient: where it rises; contour: where it"
        " crosses level",
    )
    level: float | None = quantity(
        None, "contour: the value of the target, in its unit, whose contour is sought", ""
    )
    log: bool = quantity(False, "take log10 of the target, if it varies over decades")  # noqa: FBT003 # a default
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
        32, "points of a round, chosen from the results of the rounds before", "", ge=1, le=10_000
    )
    max_runs: int = quantity(..., "runs of all rounds together", "", ge=1, le=20_000)
    goal: float | None = quantity(
        None,
        "stop once the largest loss, which sweep run prints for each round, is not above it",
        "",
        gt=0.0,
    )

    @property
    def first(self) -> int:
        """Number of points of the first round."""
        return int(self.start ** len(self.axes))

    @property
    def words(self) -> str:
        """What the refinement looks for, as a clause."""
        target = f"log10 of {self.target}" if self.log else self.target
        if self.level is not None:
            return f"{target} crosses {self.level:g}"
        if self.loss == "curvature":
            return f"{target} bends most"
        return f"{target} rises most"

    @property
    def offset(self) -> float:
        """Number to subtract from the target: the level, or its log10 where ``log`` is set."""
        if self.level is None:
            return 0.0
        return math.log10(self.level) if self.log else self.level

    def round_of(self, point: int) -> int:
        """Return the number of the round in which a point was added."""
        if point < self.first:
            return 0
        return 1 + (point - self.first) // self.per_round

    def complete_points(self, points: int) -> int:
        """Return how many of the first ``points`` points belong to complete rounds."""
        return self.first + self.per_round * ((points - self.first) // self.per_round)


def _marginal(content: Any) -> Marginal:
    is_range = isinstance(content, dict) and len(content) == 1
    if not is_range or not content.keys() <= {"uniform", "loguniform"}:
        raise ValueError(f"must be {KINDS}, got {shown(content)}")
    return parse_marginal(content)


def _problems(
    refine: RefineSpec, sections: Sequence[str], own_axes: Container[str], axes: Sequence[Axis]
) -> list[str]:
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
    conflicts = [*sections]
    conflicts += [
        f"axes.{axis.name}" for axis in axes if axis not in rings and axis.name in own_axes
    ]
    if conflicts:
        problems.append(
            f"refine stands alone, or with one axis of rings, but there is {', '.join(conflicts)};"
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
    refine: RefineSpec,
    refined: Sequence[Sequence[int]],
    others: Sequence[Axis],
    *,
    sections: Sequence[str],
    own_axes: Container[str],
) -> tuple[Axis | None, list[str]]:
    """Return the axis of all points so far, or all problems.

    Parameters
    ----------
    refine : RefineSpec
        The section ``refine`` of the sweep file.
    refined : sequence of sequence of int
        Points of all rounds but the first, in steps of 1/STEPS of each axis.
    others : sequence of Axis
        Axes of the other sections of the sweep file.
    sections : sequence of str
        Names of the sections given that a refinement does not stand beside.
    own_axes : container of str
        Names of the axes in the section ``axes``.

    Returns
    -------
    tuple of (Axis or None) and list of str
        The axis, or None and all problems.
    """
    marginals = dict[str, Marginal]()
    problems = _problems(refine, sections, own_axes, others)
    for key, content in refine.axes.items():
        try:
            marginals[key] = _marginal(content)
            problem = unknown_key(key)
        except ValueError as error:
            problem = str(error)
        if problem:
            problems.append(f"refine.axes.{key}: {problem}")
    if problems:
        return None, problems
    if any(len(point) != len(marginals) for point in refined):
        return None, [
            "refine: its points in the store's record have another number of keys; the store was"
            " changed by hand"
        ]
    columns = []
    steps = zip(*first_points(refine), *refined, strict=True)
    for marginal, column in zip(marginals.values(), steps, strict=True):
        columns.append(marginal.values([step / STEPS for step in column]))
    points = tuple(dict(zip(marginals, row, strict=True)) for row in zip(*columns, strict=True))
    ranges = ", ".join(f"{key} {marginal.words}" for key, marginal in marginals.items())
    words = f"more in rounds of {refine.per_round} where {refine.words}: {ranges}"
    return Axis(POINT, points, tuple(range(len(points))), "refine", words), []


def first_points(refine: RefineSpec) -> Points:
    """Return the points of the first round: a regular grid with the corners."""
    coordinates = [round(i * STEPS / (refine.start - 1)) for i in range(refine.start)]
    return [list(point) for point in itertools.product(coordinates, repeat=len(refine.axes))]
