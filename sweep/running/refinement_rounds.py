"""The rounds of a refinement: which points a store has, which come next, and when it is finished.

The next points depend only on the sweep file and the results in the store, and not on the order of
runs, on workers, or on interruptions.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from marsdisk.common.errors import ConfigError
from marsdisk.common.text import shown

from ..common.command import Command
from ..common.errors import PlanChangedError, StoreError
from ..common.floats import same
from ..planning.create_store import finish_refinement
from ..planning.plan import Plan, make_plan
from ..planning.refinement_size import runs_per_point
from ..results import triangulation
from ..results.outcomes import outcomes
from ..spec.designs import POINT
from ..spec.file import with_points
from ..spec.refinement import CHANGEABLE_KEYS, Points, RefineSpec, first_points
from ..store.location import Location
from ..store.store import Store, read_descriptions


def _refined(plan: Plan) -> Points:
    return list(plan.sweep.given.get("refined", []))


def _with(plan: Plan, refined: Points) -> Plan:
    """Return the plan with these points after those of the first round."""
    return make_plan(with_points(plan.sweep, refined))


def recorded(plan: Plan, store: Store, *, extending: bool) -> Plan:
    """Return the plan with the points that its store has, if they are of the same refinement.

    Parameters
    ----------
    plan : Plan
        The plan of the sweep file.
    store : Store
        The store.
    extending : bool
        Whether the refinement may end elsewhere than the store says.

    Raises
    ------
    PlanChangedError
        The refinement ends elsewhere than the store says, and that is not allowed.
    """
    refine = plan.sweep.spec.refine
    recorded_refine = store.description.sweep.content.get("refine")
    if refine is None or not isinstance(recorded_refine, dict):
        return plan
    given_refine = plan.sweep.given["content"]["refine"]
    changed = [
        key
        for key in dict.fromkeys([*recorded_refine, *given_refine])
        if not same(recorded_refine.get(key), given_refine.get(key))
    ]
    points = store.description.sweep.refined
    runs = (refine.first + len(points)) * runs_per_point(plan.sweep)
    if not set(changed) <= CHANGEABLE_KEYS or refine.max_runs < runs:
        # it is then refused as another plan, unless the store has the first round only
        return plan
    if changed and not extending:
        lines = "\n".join(
            f"  sweep file.refine.{key}: the store has {shown(recorded_refine.get(key))}, now it is"
            f" {shown(given_refine.get(key))}"
            for key in changed
        )
        raise PlanChangedError(
            f"{store} holds another plan; nothing was changed:\n{lines}\n--extend keeps all that"
            " the store has and continues from there; or use another --store"
        )
    if _refined(plan)[: len(points)] == points:
        return plan
    return _with(plan, points)


def may_go_on(plan: Plan, location: Location) -> bool:
    """Whether further rounds may follow that are not planned yet."""
    if plan.sweep.spec.refine is None:
        return False
    description, _ = read_descriptions(location)
    recorded_refine = description.sweep.content.get("refine")
    given_refine = plan.sweep.given["content"]["refine"]
    return description.refined is not True or not same(recorded_refine, given_refine)


def _values(plan: Plan, refine: RefineSpec, location: Location) -> NDArray[np.float64]:
    """Return the (points,) target, less the level; NaN where a run has no such number."""
    results = outcomes(Store.open(location), refine.target, log=refine.log)
    values = np.full(refine.first + len(_refined(plan)), np.nan)
    values[results.labels[POINT].astype(np.int64)] = results.value - refine.offset
    return values


def next_round(plan: Plan, location: Location, say: Callable[[str], None]) -> Plan | None:
    """Return the plan with another round, once all its runs are committed.

    Parameters
    ----------
    plan : Plan
        The plan so far.
    location : Location
        Location of its store.
    say : callable
        Takes messages for people.

    Returns
    -------
    Plan or None
        None if the refinement is finished, which is then recorded in the store.

    Raises
    ------
    StoreError
        Too few runs have a value.
    ConfigError
        One of the next points cannot run.
    """
    refine = plan.sweep.spec.refine
    if refine is None:
        return None
    points = np.array([*first_points(refine), *_refined(plan)])
    values = _values(plan, refine, location)
    max_points = refine.max_runs // runs_per_point(plan.sweep)
    is_full = len(points) >= max_points
    # only complete rounds count; a smaller max_runs may have cut the last one short
    complete = len(points) if is_full else refine.complete_points(len(points))
    has_value = np.isfinite(values)
    if has_value[:complete].sum() < 2:
        raise _too_few_values(refine, location, int(has_value[:complete].sum()), complete)
    new, largest = triangulation.next_points(
        points[:complete], values[:complete], refine.loss, refine.per_round
    )
    reached = refine.goal is not None and largest <= refine.goal
    if reached:
        new = []
    else:
        present = points[complete:].tolist()
        room = min(refine.per_round, max_points - complete) - len(present)
        new = [point for point in new if point not in present][:room]
    progress = (
        f"after round {refine.round_of(len(points) - 1)}: {plan.count} runs, largest loss"
        f" {largest:.3g}"
    )
    remarks = _remarks(refine, values)
    if new:
        say(f"{progress}; next {len(new)} points where {refine.words}{remarks}")
        try:
            return _with(plan, [*_refined(plan), *new])
        except ConfigError as error:
            raise ConfigError(
                error.problems,
                f"{location}: the next round has cases that cannot run; what is committed stays;"
                " narrow refine.axes",
            ) from error
    if reached:
        end = f"goal {refine.goal:g}"
    elif is_full:
        end = f"max_runs {refine.max_runs}"
    else:
        end = "the smallest distance between points"
    say(f"{progress}; {end} is reached{remarks}")
    finish_refinement(plan, location)
    return None


def _too_few_values(refine: RefineSpec, location: Location, count: int, points: int) -> StoreError:
    target = refine.target
    cure = "cure failures and run with --retry-failed"
    if refine.log:
        target = f"log10 of {target}"
        cure += ", or drop log"
    show = Command.sweep("show", location, columns=f"status,error,{refine.target}")
    return StoreError(
        f"{location}: {count} of {points} points have a finite {target}, too few to refine; see"
        f" {show}; {cure}"
    )


def _remarks(refine: RefineSpec, values: NDArray[np.float64]) -> str:
    """Return remarks on missing values, and on a level that is not reached."""
    remarks = ""
    has_value = np.isfinite(values)
    if not has_value.all():
        remarks += f"; {(~has_value).sum()} points have no value, and next to them only size counts"
    if refine.level is None or not has_value.any():
        return remarks
    if not values[has_value].min() <= 0.0 <= values[has_value].max():
        remarks += f"; {refine.target} crosses {refine.level:g} nowhere yet"
    return remarks
