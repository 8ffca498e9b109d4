"""The rounds of a refinement and its store: which points stand there, which come next, and when it is finished.

What comes next depends on the sweep file and the results in the store alone: not on the order of
runs, on workers, or on what was interrupted.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from marsdisk.errors import ConfigError
from marsdisk.physics.textfile import shown

from . import simplices
from .design import POINT
from .errors import PlanChangedError, StoreError
from .making import finish_refinement
from .outcomes import outcomes
from .plan import Plan, make_plan
from .refine import GROWING, Points, RefineSpec, first_points, runs_per_point
from .spec import with_points
from .store import reader
from .store.place import Place


def _refined(plan: Plan) -> Points:
    return list(plan.sweep.given.get("refined", []))


def _with(plan: Plan, refined: Points) -> Plan:
    """The plan with other points behind those of the first round."""
    return make_plan(with_points(plan.sweep, refined))


def recorded(plan: Plan, place: Place, attributes: Mapping[str, Any], *, extending: bool) -> Plan:
    """``plan`` with the points that its store has already, where they are those of the same refinement.

    Raises
    ------
    PlanChangedError
        The refinement is to end elsewhere than the store says, and nobody said that it may grow.
    """
    refine = plan.sweep.spec.refine
    then = attributes["sweep"]["content"].get("refine")
    if refine is None or not isinstance(then, dict):
        return plan
    now = plan.sweep.given["content"]["refine"]
    changed = [key for key in dict.fromkeys([*then, *now]) if then.get(key) != now.get(key)]
    points = attributes["sweep"].get("refined", [])
    if not {*changed} <= GROWING or refine.max_runs < (refine.first + len(points)) * runs_per_point(
        plan.sweep
    ):
        # which is then found to be another one, unless the store has no round but the first
        return plan
    if changed and not extending:
        lines = "\n".join(
            f"  sweep file.refine.{key}: the store has {shown(then.get(key))}, now it is"
            f" {shown(now.get(key))}"
            for key in changed
        )
        raise PlanChangedError(
            f"{place} holds another plan; nothing was changed:\n{lines}\n--extend keeps all that"
            " the store has and goes on from there; or use another --store"
        )
    return plan if _refined(plan)[: len(points)] == points else _with(plan, points)


def may_go_on(plan: Plan, place: Place) -> bool:
    """Whether rounds may be missing that are not planned yet."""
    if plan.sweep.spec.refine is None:
        return False
    attributes = reader.read_descriptions(place)[0]
    return (
        attributes.get("refined") is not True
        or attributes["sweep"]["content"].get("refine") != plan.sweep.given["content"]["refine"]
    )


def _values(plan: Plan, refine: RefineSpec, place: Place) -> NDArray[np.float64]:
    """(points,) of the target, less the level; NaN where a run failed or has no such number."""
    found = outcomes(reader.open_group(place), refine.target, log=refine.log)
    values = np.full(refine.first + len(_refined(plan)), np.nan)
    values[found.labels[POINT].astype(np.int64)] = found.value - refine.level_told
    return values


def next_round(plan: Plan, place: Place, say: Callable[[str], None]) -> Plan | None:
    """The plan with one round more, once all its runs are committed; None where the refinement is finished, which the store then says.

    Raises
    ------
    StoreError
        Too few runs have a value.
    ConfigError
        A point that comes next cannot run.
    """
    refine = plan.sweep.spec.refine
    if refine is None:
        return None
    points = np.array([*first_points(refine), *_refined(plan)])
    values = _values(plan, refine, place)
    most = refine.max_runs // runs_per_point(plan.sweep)
    told = len(points) if len(points) >= most else refine.begun(len(points))
    good = np.isfinite(values)
    if good[:told].sum() < 2:
        raise StoreError(
            f"{place}: {good[:told].sum()} of {told} points have a finite"
            f" {'log10 of ' * refine.log}{refine.target}, too few to refine; see sweep show {place}"
            f" --columns status,error,{refine.target}, cure failures and run with"
            f" --retry-failed{', or drop log' * refine.log}"
        )
    new, largest = simplices.next_points(
        points[:told], values[:told], refine.loss, refine.per_round
    )
    reached = refine.goal is not None and largest <= refine.goal
    there = points[told:].tolist()  # of this round, which a smaller max_runs may have cut short
    new = (
        []
        if reached
        else [at for at in new if at not in there][
            : min(refine.per_round, most - told) - len(there)
        ]
    )
    at = (
        f"after round {refine.round_of(len(points) - 1)}: {plan.count} runs, largest loss"
        f" {largest:.3g}"
    )
    without = (
        f"; {(~good).sum()} points have no value, and beside them size alone counts"
        if not good.all()
        else ""
    )
    if (
        refine.level is not None
        and good.any()
        and not values[good].min() <= 0.0 <= values[good].max()
    ):
        without += f"; {refine.target} crosses {refine.level:g} nowhere yet"
    if new:
        say(f"{at}; next {len(new)} points where {refine.words}{without}")
        try:
            return _with(plan, [*_refined(plan), *new])
        except ConfigError as error:
            raise ConfigError(
                error.problems,
                f"{place}: the next round has cases that cannot run; what is committed stays;"
                " narrow refine.axes",
            ) from error
    why = (
        f"goal {refine.goal:g}"
        if reached
        else (
            f"max_runs {refine.max_runs}"
            if len(points) >= most
            else "the smallest distance between points"
        )
    )
    say(f"{at}; {why} is reached{without}")
    finish_refinement(plan, place)
    return None


def refuse_gathered(group: zarr.Group, target: str) -> None:
    """Raise StoreError where a store's points stand close where something happens, so that to count them means nothing."""
    content: Any = group.attrs["sweep"]
    if content["content"].get("refine") is not None:
        raise StoreError(
            "the points of a refinement gather where the result asks for them, so that shares and"
            f" quantiles of {target} over them mean nothing; run a sweep with sample: or design:"
            " over the same axes"
        )
