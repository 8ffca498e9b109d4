"""Whether an existing store fits a plan: the same runs, more runs, or other ones."""

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marsdisk import model_version
from marsdisk.common.text import LONGEST_SHOWN, shown

from ..common.errors import PlanChangedError
from ..common.floats import equal, is_number, same
from ..common.text import counted
from ..results.columns import in_order
from ..spec.designs import POINT, continuation, redrawn
from ..spec.old_keys import recorded_content
from ..spec.stored_numbers import with_stored_numbers
from ..store.store import Store
from .plan import Plan, ids_of, make_plan

#: Values of a key that are named where a file lacks them.
MAX_VALUES_NAMED = 5


def in_stored_rows(plan: Plan, store: Store) -> tuple[Plan, int]:
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
    stored = {key: store.column(name)[:rows] for key, name in store.keys.items()}
    sweep = with_stored_numbers(plan.sweep, stored, store.description.base_config)
    if sweep is not plan.sweep:
        plan = make_plan(sweep)
    ids = ids_of(store.column("run_id")[:rows].tolist())
    starts = (0, *(extension.first_row for extension in store.description.extensions))
    order = np.argsort(plan.runs.id)
    positions = np.searchsorted(plan.runs.id, ids, sorter=order)
    runs = order[np.minimum(positions, plan.count - 1)]
    is_missing = (plan.runs.id[runs] != ids) & (ids != 0)
    recorded_block = store.description.sweep.content.get("block")
    if plan.sweep.spec.block != recorded_block or is_missing.any():
        gone = {key: column[is_missing] for key, column in stored.items()}
        # a run of another version of the model is another run, whatever its values
        is_same_model = store.description.provenance.model_version == model_version()
        has_gone = is_same_model and is_missing.any()
        lines = _lines_on_gone_values(plan, gone) if has_gone else ()
        raise PlanChangedError(_refusal(plan, store, gone=lines))
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
        As :func:`in_stored_rows` returns it.
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


def refuse_other_accuracy(plan: Plan, store: Store) -> None:
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
    if not same(before, plan.sweep.given["content"].get("accuracy")):
        raise PlanChangedError(_refusal(plan, store))


def _lines_on_gone_values(plan: Plan, gone: Mapping[str, NDArray[Any]]) -> Iterator[str]:
    """Yield a line for each value of a store that the plan no longer has, with the nearest it has.

    Parameters
    ----------
    plan : Plan
        That lacks runs of the store.
    gone : mapping of str to (runs,) array
        Values of the swept keys in these runs, by key.

    Yields
    ------
    str
        A line; where the plan has each value, one for their combination.
    """
    if any(axis.name == POINT for axis in plan.sweep.axes):
        return  # nobody has typed the values of drawn points
    (count,) = {column.size for column in gone.values()} or {0}
    has_line = False
    for key, column in gone.items():
        if key not in plan.runs.values:
            continue
        planned = plan.runs.values[key]
        lost = [value for value in _without_nan(column) if not _is_among(value, planned)]
        for value in lost[:MAX_VALUES_NAMED]:
            has_line = True
            runs = int((column == value).sum())
            yield (
                f"the store has {counted(runs, 'run')} with {key} = {shown(value)}, which the"
                f" file does not ask for{_nearest(value, planned)}"
            )
        if len(lost) > MAX_VALUES_NAMED:
            yield f"  and {len(lost) - MAX_VALUES_NAMED} more values of {key}"
    if not has_line and count:
        first = ", ".join(
            f"{key} = {shown(column[:1].tolist()[0])}" for key, column in gone.items()
        )
        runs_in_words = counted(count, "run")
        yield f"the store has {runs_in_words} that the file does not ask for, such as {first}"


def _without_nan(column: NDArray[Any]) -> list[Any]:
    return in_order([value for value in column.tolist() if value == value])


def _is_among(value: Any, planned: NDArray[Any]) -> bool:
    if is_number(value) and planned.dtype.kind in "fiu":
        is_null = value != value and np.isnan(planned).any()
        return bool(is_null or equal(planned, value).any())
    # a store has texts where the values of a key differ in type
    return str(value) in map(str, planned.tolist())


def _nearest(value: Any, planned: NDArray[Any]) -> str:
    """Return a clause on the number of a plan that is nearest to one of a store."""
    if not is_number(value) or planned.dtype.kind not in "fiu" or not np.isfinite(value):
        return ""
    numbers = planned[np.isfinite(planned)]
    if not numbers.size:
        return ""
    nearest = numbers[np.abs(numbers - value).argmin()]
    return f"; its nearest value is {shown(nearest.tolist())}"


def _differences(recorded: Any, planned: Any, path: str) -> Iterator[str]:
    """Yield a line for each difference between what a store records and a plan."""
    if same(recorded, planned):
        return
    if isinstance(recorded, Mapping) and isinstance(planned, Mapping):
        for key in dict.fromkeys([*recorded, *planned]):
            path_of_key = f"{path}.{key}" if path else str(key)
            yield from _differences(recorded.get(key), planned.get(key), path_of_key)
    elif isinstance(recorded, list) and isinstance(planned, list) and _is_long(recorded, planned):
        for index, (recorded_item, planned_item) in enumerate(
            itertools.zip_longest(recorded, planned)
        ):
            if not same(recorded_item, planned_item):
                yield from _differences(recorded_item, planned_item, f"{path}[{index}]")
                break
    else:
        there = "nothing" if recorded is None else shown(recorded)
        here = "nothing" if planned is None else shown(planned)
        yield f"{path}: the store has {there}, now it is {here}"


def _is_long(*values: Any) -> bool:
    return any(len(repr(value)) > LONGEST_SHOWN for value in values)


def _decisive(section: Mapping[str, Any]) -> dict[str, Any]:
    """Drop ``expect``, which does not affect what a store holds."""
    return {key: value for key, value in section.items() if key != "expect"}


def _refusal(plan: Plan, store: Store, *, new: int = 0, gone: Iterable[str] = ()) -> str:
    """Return the message that a store holds another plan, with the differences.

    ``gone`` has a line for each value that only the store has.
    """
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
    gone = list(gone)
    lines += gone
    if not lines:
        lines = ["its runs, or those repeated for accuracy, are others, though the files agree"]
    advice = "use another --store"
    if gone:
        advice = (
            "runs of a store are kept: ask for them in the file again, which --extend may then add"
            " to, or use another --store"
        )
    if new:
        advice = (
            f"--extend keeps all that the store has and adds the {counted(new, 'run')} that it"
            " lacks; or use another --store"
        )
    return "\n".join(
        [
            f"{store} holds another plan; nothing was changed:",
            *(f"  {line}" for line in lines),
            advice,
        ]
    )
