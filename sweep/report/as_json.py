"""What commands print with ``--json``, in the units of the store."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..common.json_values import for_json
from ..results.columns import EXECUTION, RESULTS, Columns, columns_to_show
from ..results.compare import Comparison
from ..results.judge import judge
from ..results.judged_columns import Results
from ..results.notes import Notes
from ..results.rerun import RecordedRuns
from ..running.progress import Tally
from ..spec.file import Sweep
from ..store.location import Location
from ..store.store import Store
from .expectations import as_json as expectations_as_json


def runs_as_json(
    columns: Columns, names: Sequence[str] | None, runs: NDArray[np.int64], rows: int
) -> dict[str, Any]:
    """Return runs of a store with the units of their columns.

    Parameters
    ----------
    columns : Columns
        Of the store.
    names : sequence of str or None
        Columns to show; None for the parameters and the main results.
    runs : (runs,) array of int
        Rows of the runs, in the order in which to show them.
    rows : int
        Maximum number of runs shown.
    """
    store = columns.store
    names = columns_to_show(store, names)
    shown = runs[:rows]
    values = {name: columns[name][shown].tolist() for name in names}
    return {
        "store": str(store),
        "units": {name: store.unit(name) for name in names},
        "chosen": runs.size,
        "runs": [
            for_json({"run": run, **{name: column[i] for name, column in values.items()}})
            for i, run in enumerate(shown.tolist())
        ],
        "notes": Notes.of(store, shown).counts_by_label,
    }


def run_as_json(store: Store, run: int) -> dict[str, Any]:
    """Return what the card of a run has."""
    columns = Columns(store)
    recorded = RecordedRuns.of(store)
    repetition = recorded.repetition(run)
    results = [name for name in (*RESULTS, *EXECUTION) if name in store]
    return {
        "store": str(store),
        "run": run,
        **{name: columns.value(name, run) for name in ("run_id", "status", "stop_reason", "error")},
        "parameters": {
            name: for_json(_with_unit(store, columns, name, run)) for name in store.parameters
        },
        "results": {name: for_json(_with_unit(store, columns, name, run)) for name in results},
        "notes": Notes.of(store, np.array([run])).counts_by_label,
        "command": repetition.command,
        "changes": list(repetition.changes),
        "config": recorded.config(run).model_dump(mode="json"),
        "provenance": store.description.provenance.recorded,
    }


def comparison_as_json(comparison: Comparison, a: Store, b: Store, rtol: float) -> dict[str, Any]:
    """Return how two stores differ."""
    return {
        "a": str(a),
        "b": str(b),
        "rtol": rtol,
        "same": comparison.same,
        "identical": comparison.identical,
        "pairs": len(comparison.pairs),
        "pairs_by_run_id": comparison.by_run_id,
        "only_a": comparison.only[0],
        "only_b": comparison.only[1],
        "states": [
            {"a": states[0], "b": states[1], "runs": pairs}
            for states, pairs in comparison.states.items()
        ],
        "differences": [for_json(asdict(difference)) for difference in comparison.differences],
        "solver_statistics": comparison.numerics,
        "arrays_within_rtol": comparison.within,
        "not_compared": comparison.not_compared,
        "notes_of_a": Notes.of(a).counts_by_label,
        "notes_of_b": Notes.of(b).counts_by_label,
        "why": comparison.why,
    }


def ending_as_json(
    location: Location, sweep: Sweep, tally: Tally, exit_code: int
) -> dict[str, Any]:
    """Return how a sweep has ended."""
    store = Store.open(location)
    counts = store.counts()
    judgements = judge(sweep.expectations, Results.of(store), f"{store}: expect")
    return {
        "store": str(store),
        "runs": counts.runs,
        "done": counts.done,
        "failed": counts.failed,
        "pending": counts.pending,
        "run_now": tally.finished,
        "seconds": tally.seconds if tally.runs else 0.0,
        "notes": Notes.of(store).counts_by_label,
        "expectations": expectations_as_json(judgements),
        "exit_code": exit_code,
    }


def _with_unit(store: Store, columns: Columns, name: str, run: int) -> dict[str, Any]:
    return {"value": columns.value(name, run), "unit": store.unit(name)}
