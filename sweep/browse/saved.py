"""The page as one file, with all that it may ask inside."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import numpy as np

from ..common.errors import StoreError
from ..common.text import counted
from ..results.selection import drawn_at_random
from ..store import layout
from . import overview
from .answers import answer
from .document import saved_page
from .study import Moment

#: Runs of which all columns are inside.
MAX_RUNS = 20_000
#: Cases with their curves and size distributions.
MAX_CASES_WITH_CURVES = 200
#: Results that the map can show.
MAX_RESULTS = 12


def saved(moment: Moment) -> tuple[str, list[str]]:
    """Return the page of a store as it is now.

    Parameters
    ----------
    moment : Moment
        The store.

    Returns
    -------
    str
        HTML.
    list of str
        Remarks on what is not inside.

    Raises
    ------
    StoreError
        The store has too many runs.
    """
    if moment.runs > MAX_RUNS:
        raise StoreError(
            f"{moment.store} has {moment.runs} runs, and a file has room for {MAX_RUNS}; sweep"
            " browse shows all of them"
        )
    answers: dict[str, Any] = {}

    def keep(question: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        query = query or {}
        given = {key: query[key] for key in sorted(query) if query[key]}
        content = answer(moment, question, given)
        answers[f"0/{question}?{urlencode(given)}"] = content
        return content

    keep("head")
    study = keep("study")
    keep("trust")
    keep("runs", {"names": ",".join(study["columns"])})
    results = moment.results[:MAX_RESULTS]
    for name in results:
        keep("cases", {"name": name})
        keep("matters", {"name": name})
        if moment.store.ring_axis is not None:
            keep("cases", {"name": name, "rings": "single"})
    remarks = []
    cases = overview.first_runs(moment, study["target"])
    done = cases[moment.status[cases] == layout.DONE]
    drawn = drawn_at_random(done, MAX_CASES_WITH_CURVES)
    if drawn.size < done.size:
        remarks.append(
            f"curves of {drawn.size} of {done.size} cases are inside, drawn at random;"
            " sweep browse has all"
        )
    names = ",".join(overview.CURVES)
    for run in map(str, np.sort(drawn).tolist()):
        keep("curves", {"runs": run, "names": names})
        keep("sizes", {"runs": run})
    hidden = len(moment.results) - len(results)
    if hidden:
        remarks.append(f"{counted(hidden, 'more result')} can only be seen with sweep browse")
    study["results"] = study["results"][: len(results)]
    study["all_columns"] = study["columns"]
    title = moment.store.description.title
    return saved_page([title], answers), remarks
