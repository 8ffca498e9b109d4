"""Whether an existing store fits a plan: the same runs, more runs, or other ones."""

import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from marsdisk import model_version
from marsdisk.common.text import LONGEST_SHOWN, shown

from ..common.errors import PlanChangedError
from ..spec.designs import continuation, redrawn
from ..spec.old_keys import recorded_content
from ..store import reader
from ..store.location import Place
from .plan import Plan, ids_of


def arranged(plan: Plan, place: Place, attributes: Mapping[str, Any]) -> tuple[Plan, int]:
    """Return a plan whose runs are in the rows that an existing store has them in.

    Parameters
    ----------
    plan : Plan
        As it was made.
    place : Place
        Where the store is.
    attributes : mapping
        Attributes of the store.

    Returns
    -------
    plan : Plan
        New runs are behind the others, in blocks of their own.
    new : int
        Number of new runs.

    Raises
    ------
    PlanChangedError
        The store has runs that the plan does not have, or other blocks; the differences are named.
    """
    if attributes["plan_digest"] == plan.digest:
        return plan, 0
    size = int(attributes["block_size"])
    rows = int(attributes["rows"])
    names = reader.column(reader.open_group(place, same_length=False), "run_id")[:rows].tolist()
    ids = ids_of(names)
    extensions = attributes.get("extensions", [])
    starts = (0, *(int(extension["first_row"]) for extension in extensions))
    order = np.argsort(plan.runs.id)
    positions = np.searchsorted(plan.runs.id, ids, sorter=order)
    runs = order[np.minimum(positions, plan.count - 1)]
    is_missing = (plan.runs.id[runs] != ids) & (ids != 0)
    if plan.sweep.spec.block != attributes["sweep"]["content"].get("block") or is_missing.any():
        raise PlanChangedError(_refusal(plan, place, attributes))
    run_of_row = np.where(ids != 0, runs, -1)
    new = np.setdiff1d(np.arange(plan.count), run_of_row)
    if new.size:
        unused = np.full(-rows % size, -1)
        run_of_row = np.concatenate([run_of_row, unused])
        starts = (*starts, run_of_row.size)
    run_of_row = np.concatenate([run_of_row, new])
    return replace(plan, rows=run_of_row, block_size=size, starts=starts), new.size


def refuse_other_plan(plan: Plan, place: Place, attributes: Mapping[str, Any], *, new: int) -> None:
    """Refuse a store that was made for another plan.

    Parameters
    ----------
    plan : Plan
        As :func:`arranged` returns it.
    place : Place
        Where the store is.
    attributes : mapping
        Attributes of the store.
    new : int
        Number of runs that the store does not have.

    Raises
    ------
    PlanChangedError
        The plans differ; the differences are named.
    """
    if attributes["plan_digest"] != plan.digest:
        raise PlanChangedError(_refusal(plan, place, attributes, new=new))


def may_extend(plan: Plan, place: Place, attributes: Mapping[str, Any]) -> None:
    """Refuse an extension that would change which runs are repeated for their accuracy.

    Parameters
    ----------
    plan : Plan
        The extended plan.
    place : Place
        Where the store is.
    attributes : mapping
        Attributes of the store.

    Raises
    ------
    PlanChangedError
        The choice of runs to repeat differs.
    """
    before = recorded_content(attributes).get("accuracy")
    if before != plan.sweep.given["content"].get("accuracy"):
        raise PlanChangedError(_refusal(plan, place, attributes))


def _differences(recorded: Any, planned: Any, path: str) -> Iterator[str]:
    """Yield a line for each difference between what a store records and a plan."""
    if recorded == planned:
        return
    if isinstance(recorded, Mapping) and isinstance(planned, Mapping):
        for key in dict.fromkeys([*recorded, *planned]):
            path_of_key = f"{path}.{key}" if path else str(key)
            yield from _differences(recorded.get(key), planned.get(key), path_of_key)
    elif isinstance(recorded, list) and isinstance(planned, list) and _is_long(recorded, planned):
        for index, (recorded_item, planned_item) in enumerate(
            itertools.zip_longest(recorded, planned)
        ):
            if recorded_item != planned_item:
                yield from _differences(recorded_item, planned_item, f"{path}[{index}]")
                break
    else:
        yield f"{path}: the store has {shown(recorded)}, now it is {shown(planned)}"


def _is_long(*values: Any) -> bool:
    return any(len(repr(value)) > LONGEST_SHOWN for value in values)


def _decisive(section: Mapping[str, Any]) -> dict[str, Any]:
    """Drop ``expect``, which does not affect what a store holds."""
    return {key: value for key, value in section.items() if key != "expect"}


def _refusal(plan: Plan, place: Place, attributes: Mapping[str, Any], *, new: int = 0) -> str:
    """Return the message that a store holds another plan, with the differences."""
    recorded = {**attributes["sweep"], "content": recorded_content(attributes)}
    planned = json.loads(json.dumps(plan.sweep.given))
    provenance = attributes["provenance"]
    lines: list[str] = []
    for name, words in (("content", "sweep file"), ("base", "base"), ("command_line", "--set")):
        lines += _differences(_decisive(recorded[name]), _decisive(planned[name]), words)
    lines += _differences(provenance["model_version"], model_version(), "model version")
    lines += _differences(provenance["tables"], plan.runs.tables, "table")
    lines += continuation(recorded["content"], planned["content"])
    if not lines:
        lines = redrawn(attributes, plan.sweep.axes)
    if not lines:
        lines = ["its runs, or those repeated for accuracy, are others, though the files agree"]
    advice = "use another --store"
    if new:
        advice = (
            f"--extend keeps all that the store has and adds the {new} runs that it lacks; or use"
            " another --store"
        )
    return "\n".join(
        [
            f"{place} holds another plan; nothing was changed:",
            *(f"  {line}" for line in lines),
            advice,
        ]
    )
