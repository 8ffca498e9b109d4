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
from ..store.store import Store
from .plan import Plan, ids_of


def arranged(plan: Plan, store: Store) -> tuple[Plan, int]:
    """Return a plan whose runs are in the rows that an existing store has them in.

    Parameters
    ----------
    plan : Plan
        As it was made.
    store : Store
        The store.

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
    if store.description.plan_digest == plan.digest:
        return plan, 0
    size = store.block_size
    rows = store.description.rows
    names = store.column("run_id")[:rows].tolist()
    ids = ids_of(names)
    starts = (0, *(extension.first_row for extension in store.description.extensions))
    order = np.argsort(plan.runs.id)
    positions = np.searchsorted(plan.runs.id, ids, sorter=order)
    runs = order[np.minimum(positions, plan.count - 1)]
    is_missing = (plan.runs.id[runs] != ids) & (ids != 0)
    recorded_block = store.description.sweep.content.get("block")
    if plan.sweep.spec.block != recorded_block or is_missing.any():
        raise PlanChangedError(_refusal(plan, store))
    run_of_row = np.where(ids != 0, runs, -1)
    new = np.setdiff1d(np.arange(plan.count), run_of_row)
    if new.size:
        unused = np.full(-rows % size, -1)
        run_of_row = np.concatenate([run_of_row, unused])
        starts = (*starts, run_of_row.size)
    run_of_row = np.concatenate([run_of_row, new])
    return replace(plan, rows=run_of_row, block_size=size, starts=starts), new.size


def refuse_other_plan(plan: Plan, store: Store, *, new: int) -> None:
    """Refuse a store that was made for another plan.

    Parameters
    ----------
    plan : Plan
        As :func:`arranged` returns it.
    store : Store
        The store.
    new : int
        Number of runs that the store does not have.

    Raises
    ------
    PlanChangedError
        The plans differ; the differences are named.
    """
    if store.description.plan_digest != plan.digest:
        raise PlanChangedError(_refusal(plan, store, new=new))


def may_extend(plan: Plan, store: Store) -> None:
    """Refuse an extension that would change which runs are repeated for their accuracy.

    Parameters
    ----------
    plan : Plan
        The extended plan.
    store : Store
        The store.

    Raises
    ------
    PlanChangedError
        The choice of runs to repeat differs.
    """
    before = recorded_content(store.description.sweep).get("accuracy")
    if before != plan.sweep.given["content"].get("accuracy"):
        raise PlanChangedError(_refusal(plan, store))


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


def _refusal(plan: Plan, store: Store, *, new: int = 0) -> str:
    """Return the message that a store holds another plan, with the differences."""
    record = store.description.sweep
    recorded = {**record.arguments, "content": recorded_content(record)}
    planned = json.loads(json.dumps(plan.sweep.given))
    provenance = store.description.provenance
    lines: list[str] = []
    for name, words in (("content", "sweep file"), ("base", "base"), ("command_line", "--set")):
        lines += _differences(_decisive(recorded[name]), _decisive(planned[name]), words)
    lines += _differences(provenance.model_version, model_version(), "model version")
    lines += _differences(provenance.tables, plan.runs.tables, "table")
    lines += continuation(recorded["content"], planned["content"])
    if not lines:
        lines = redrawn(store.description.design, plan.sweep.axes)
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
            f"{store} holds another plan; nothing was changed:",
            *(f"  {line}" for line in lines),
            advice,
        ]
    )
