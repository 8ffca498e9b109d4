"""Two studies beside each other: ratios of a result, and what `sweep compare` says."""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from ..common.errors import StoreError
from ..common.text import text
from ..results.case_table import CaseTable
from ..results.compare import compare, report
from ..results.quantity import is_logarithmic
from . import figures
from .packed import packed
from .study import Moment

MAX_LINES_OF_EACH_KIND = 40
WIDTH_CHARACTERS = 110
#: Digits to which labels of both studies are the same.
DIGITS = 12


def ratio(a: Moment, b: Moment, name: str, where: str, *, single_rings: bool) -> dict[str, Any]:
    """Return a result of the cases of the first study, divided into that of the second.

    Cases are matched by the values of all parameters that both studies have.

    Parameters
    ----------
    a, b : Moment
        The studies.
    name : str
        The result.
    where : str
        Condition on runs of both studies.
    single_rings : bool
        Whether rings are cases of their own.

    Returns
    -------
    dict
        As of :func:`sweep.browse.figures.cases`, with ``run_b``, the run of the second study.

    Raises
    ------
    StoreError
        The second study has no such result, it has other rings or parameters, or no case is in
        both.
    """
    if name not in b.results:
        raise StoreError(f"{b.store} has no {name}")
    if (a.store.ring_axis is None) != (b.store.ring_axis is None):
        raise StoreError("only one of the studies has rings: their cases are not the same")
    table_a = CaseTable.of(a.selection(where), name, single_rings=single_rings)
    table_b = CaseTable.of(b.selection(where), name, single_rings=single_rings)
    if table_a.rings != table_b.rings:
        raise StoreError(
            f"sums are over {table_a.rings or 'no rings'} in the first study, and over"
            f" {table_b.rings or 'no rings'} in the second: choose single rings"
        )
    shared = [key for key in table_a.parameters if key in table_b.parameters]
    is_alike = np.ones(table_a.run.size, np.bool_)
    for key in a.parameters:
        if key in table_a.parameters and key not in shared:
            is_alike &= _agrees(table_a.parameters[key], a, b, key)
    place_of = {key: i for i, key in enumerate(_keys(table_b, shared))}
    if len(place_of) < table_b.run.size:
        own = [key for key in b.parameters if key in table_b.parameters]
        others = ", ".join(key for key in own if key not in shared)
        raise StoreError(
            f"the second study has several cases for one of the first: it also varies"
            f" {others or 'what is no parameter'}; narrow it by a condition"
        )
    place = np.array([place_of.get(key, -1) for key in _keys(table_a, shared)])
    place[~is_alike] = -1
    if (place < 0).all():
        raise StoreError("no case is in both studies: their parameters have no values in common")
    is_in_both = place >= 0
    run_b = np.where(is_in_both, table_b.run[place], -1)
    with np.errstate(all="ignore"):
        ratios = np.where(is_in_both, table_b.value[place] / table_a.value, np.nan)
    words = f"{table_a.words}, second study over first"
    return {
        **figures.cases_of(a, table_a),
        # no range of a ratio is a range of the result
        "name": f"ratio of {text(name)}",
        "head": text(words),
        "words": text(words),
        "factor": 1.0,
        "value": packed(ratios),
        "is_log": is_logarithmic(ratios),
        "run_b": packed(run_b),
        "remarks": [f"{int(is_in_both.sum())} of {is_in_both.size} cases are in both studies"],
    }


def _agrees(values: NDArray[Any], a: Moment, b: Moment, key: str) -> NDArray[np.bool_]:
    """Return where a parameter of the first study has the value that the second has throughout.

    Raises
    ------
    StoreError
        The second study has no such value.
    """
    dotted = str(a.store.attributes(key).get("config_key", ""))
    found: Any = b.recorded.config(0).model_dump()
    for part in dotted.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    if not dotted or found is None:
        raise StoreError(
            f"the second study does not say which {key} it has; narrow the first by a condition"
        )
    return np.array([text == _texts(np.array([found]))[0] for text in _texts(values)])


def _keys(table: CaseTable, names: list[str]) -> list[tuple[str, ...]]:
    """Return what identifies each case: its values of some parameters, as texts."""
    columns = [_texts(table.parameters[name]) for name in names]
    return list(zip(*columns, strict=True)) if columns else [()] * table.run.size


def _texts(values: NDArray[Any]) -> list[str]:
    return [
        f"{value:.{DIGITS}g}" if isinstance(value, float) else str(value)
        for value in values.tolist()
    ]


def comparison(a: Moment, b: Moment) -> str:
    """Return what differs between two stores, by how much, and why, as lines of text."""
    out = io.StringIO()
    console = Console(file=out, width=WIDTH_CHARACTERS)
    for part in report(compare(a.store, b.store), 0.0, MAX_LINES_OF_EACH_KIND):
        console.print(part, soft_wrap=isinstance(part, str), markup=False, highlight=False)
    return out.getvalue()
