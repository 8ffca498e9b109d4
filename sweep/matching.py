"""A plan and a store that is already there: the same runs, more runs, or others."""

import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from marsdisk import model_version
from marsdisk.physics.textfile import LONGEST_SHOWN, shown

from .design import continuation, redrawn
from .errors import PlanChangedError
from .old_keys import recorded_content
from .plan import Plan, ids_of
from .store import reader
from .store.place import Place


def arranged(plan: Plan, place: Place, attributes: Mapping[str, Any]) -> tuple[Plan, int]:
    """``plan`` with its runs in the rows that the store has them in and new ones behind, in blocks of their own; and how many are new.

    Parameters
    ----------
    attributes : of the store

    Raises
    ------
    PlanChangedError
        The store has runs that the plan has not, or other blocks; what differs is named.
    """
    if attributes["plan_digest"] == plan.digest:
        return plan, 0
    size = int(attributes["block_size"])
    rows = int(attributes["rows"])
    there = ids_of(
        reader.column(reader.open_group(place, same_length=False), "run_id")[:rows].tolist()
    )
    starts = (0, *(int(extension["first_row"]) for extension in attributes.get("extensions", [])))
    order = np.argsort(plan.runs.id)
    found = order[np.minimum(np.searchsorted(plan.runs.id, there, sorter=order), plan.count - 1)]
    if (
        plan.sweep.spec.block != attributes["sweep"]["content"].get("block")
        or ((plan.runs.id[found] != there) & (there != 0)).any()
    ):
        raise PlanChangedError(_refusal(plan, place, attributes))
    kept = np.where(there != 0, found, -1)
    new = np.setdiff1d(np.arange(plan.count), kept)
    if new.size:
        kept = np.concatenate([kept, np.full(-rows % size, -1)])
        starts = (*starts, kept.size)
    return replace(plan, rows=np.concatenate([kept, new]), block_size=size, starts=starts), new.size


def refuse_other_plan(plan: Plan, place: Place, attributes: Mapping[str, Any], *, new: int) -> None:
    """Raise PlanChangedError, naming what differs, unless the store was made for ``plan`` (as :func:`arranged` gives it)."""
    if attributes["plan_digest"] != plan.digest:
        raise PlanChangedError(_refusal(plan, place, attributes, new=new))


def may_extend(plan: Plan, place: Place, attributes: Mapping[str, Any]) -> None:
    """Raise PlanChangedError if more than runs would be added: another choice of runs to repeat."""
    before = recorded_content(attributes).get("accuracy")
    if before != plan.sweep.given["content"].get("accuracy"):
        raise PlanChangedError(_refusal(plan, place, attributes))


def _differences(before: Any, now: Any, where: str) -> Iterator[str]:
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for key in dict.fromkeys([*before, *now]):
            yield from _differences(
                before.get(key), now.get(key), f"{where}.{key}" if where else str(key)
            )
    elif before == now:
        return
    elif isinstance(before, list) and isinstance(now, list) and _is_long(before, now):
        same = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(before, now, strict=False))
        place = len(list(same))
        yield from _differences(_item(before, place), _item(now, place), f"{where}[{place}]")
    else:
        yield f"{where}: the store has {shown(before)}, now it is {shown(now)}"


def _is_long(*values: Any) -> bool:
    return any(len(repr(value)) > LONGEST_SHOWN for value in values)


def _item(values: list[Any], index: int) -> Any:
    """Return an item of a list, None behind its end."""
    return values[index] if index < len(values) else None


def _of_plan(given: Mapping[str, Any]) -> dict[str, Any]:
    """Without what decides nothing of a store."""
    return {key: value for key, value in given.items() if key != "expect"}


def _refusal(plan: Plan, place: Place, attributes: Mapping[str, Any], *, new: int = 0) -> str:
    then = {**attributes["sweep"], "content": recorded_content(attributes)}
    now = json.loads(json.dumps(plan.sweep.given))
    was = attributes["provenance"]
    lines = [
        line
        for name, words in (("content", "sweep file"), ("base", "base"), ("command_line", "--set"))
        for line in _differences(_of_plan(then[name]), _of_plan(now[name]), words)
    ]
    lines += _differences(was["model_version"], model_version(), "model version")
    lines += _differences(was["tables"], plan.runs.tables, "table")
    lines += continuation(then["content"], now["content"])
    lines = (
        lines
        or redrawn(attributes, plan.sweep.axes)
        or [
            "its runs are others, or others are repeated for their accuracy, though the files say the same"
        ]
    )
    cure = "use another --store"
    if new:
        cure = (
            f"--extend keeps all that the store has and adds the {new} runs that it lacks; or use"
            " another --store"
        )
    return "\n".join(
        [
            f"{place} holds another plan; nothing was changed:",
            *(f"  {line}" for line in lines),
            cure,
        ]
    )
