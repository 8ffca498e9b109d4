"""Expectations of a sweep, tried on a made-up result before anything is run."""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..results.columns import WORDS
from ..results.judge import judge
from ..results.judged_columns import Results, Rows
from ..spec.file import Sweep
from ..store import layout
from ..store.writer import coordinate


def refuse_bad_expectations(
    sweep: Sweep,
    values: Mapping[str, NDArray[Any]],
    names: Mapping[str, str],
    parts: Collection[str],
) -> None:
    """Refuse expectations that name something that the store will not have.

    Parameters
    ----------
    sweep : Sweep
        With the expectations.
    values : mapping of str to (runs,) array
        Values of each swept key.
    names : mapping of str to str
        Short name of each swept key.
    parts : collection of str
        Optional parts of the model that have arrays in the store.

    Raises
    ------
    ConfigError
        With a line for each name that there will not be.
    """
    if sweep.expectations:
        where = f"sweep {sweep.spec.name}: expect; nothing was started"
        judge(sweep.expectations, expected_results(sweep, values, names, parts), where)


def expected_results(
    sweep: Sweep,
    values: Mapping[str, NDArray[Any]],
    names: Mapping[str, str],
    parts: Collection[str],
) -> Results:
    """Return a made-up case of a sweep, with values of the types that its store will have."""
    columns: dict[str, NDArray[Any]] = {
        "run": np.zeros(1),
        "block": np.zeros(1),
        "in_product": np.ones(1, bool),
    }
    axes = {names.get(axis.name, axis.name): coordinate(axis.labels)[:1] for axis in sweep.axes}
    swept = {name: values[key][:1] for key, name in names.items()}
    columns |= axes
    columns |= swept
    for variable in layout.variables(shared_grid=True, parts=parts):
        if not variable.dims:
            columns[variable.name] = np.zeros(1)
    texts = {"status": "done", "stop_reason": WORDS["stop_reason"][0]}
    texts |= dict.fromkeys(("run_id", "error", "worker", layout.NOTES), "")
    for name, text in texts.items():
        columns[name] = np.array([text], dtype=np.dtypes.StringDType())
    row = Rows(columns, np.zeros(1, np.int64), axes, frozenset())
    return Results(row, row, [*swept], names)
