"""What the page asks for: an answer to each path, of JSON alone.

The server gives them one by one. A page that is saved as a file has those inside that it may ask.
"""

from collections.abc import Callable, Mapping
from typing import Any

from marsdisk.common.errors import MarsDiskError

from ..common.command import Command
from ..common.errors import StoreError
from ..results.rerun import find_run
from . import compared, figures, overview, texts
from .html import rendered
from .study import Moment

#: Runs that are shown in detail at once.
MAX_RUNS_COMPARED = 7
#: Curves of a band; of more, the page draws a random sample.
MAX_RUNS_OF_BAND = 200
Query = Mapping[str, str]


def _runs(moment: Moment, query: Query, most: int = MAX_RUNS_COMPARED) -> list[int]:
    """Return the rows that a query names, by number or by run_id."""
    words = query.get("runs", "").replace(",", " ").split()[:most]
    if not words:
        raise StoreError("no run is named")
    return [find_run(moment.store, word) for word in words]


def _names(query: Query, default: str) -> list[str]:
    return [name for name in query.get("names", default).split(",") if name]


def _where(query: Query) -> str:
    return query.get("where", "")


def _is_of_rings(query: Query) -> bool:
    return query.get("rings", "") == "single"


def _cases(moment: Moment, query: Query) -> dict[str, Any]:
    name = query.get("name", overview.TARGET)
    if name not in moment.results:
        raise StoreError(f"{name!r} is no result; there are {', '.join(moment.results)}")
    return figures.cases(moment, name, _where(query), single_rings=_is_of_rings(query))


def _matters(moment: Moment, query: Query) -> dict[str, Any]:
    name = query.get("name", overview.TARGET)
    return figures.matters(moment, name, _where(query), single_rings=_is_of_rings(query))


def _curves(moment: Moment, query: Query) -> dict[str, Any]:
    names = _names(query, ",".join(overview.CURVES))
    series = moment.store.names_over("run", "sample")
    for name in names:
        if name not in series:
            raise StoreError(f"{name!r} is no series; there are {', '.join(series)}")
    where = _where(query)
    if query.get("band"):
        runs = _runs(moment, query, MAX_RUNS_OF_BAND)
        of = int(query["of"]) if query.get("of", "").isdecimal() else len(runs)
        single_rings = _is_of_rings(query)
        return figures.band(moment, runs, names, where, single_rings=single_rings, all_runs=of)
    return figures.curves(
        moment,
        _runs(moment, query),
        names,
        where,
        single_rings=_is_of_rings(query),
        time_unit=query.get("time", ""),
    )


def _runs_table(moment: Moment, query: Query) -> dict[str, Any]:
    return figures.runs(moment, _names(query, "status"), _where(query))


def _commands(moment: Moment, query: Query) -> dict[str, str]:
    """Return what draws the same map in a terminal, and in Python."""
    options = {name: query[name] for name in ("name", "x", "y", "over", "where") if query.get(name)}
    command = Command.sweep("plot", moment.store, "heatmap", **options)
    arguments = "".join(f", {name}={value!r}" for name, value in options.items())
    location = str(moment.store)
    python = (
        "import sweep\n"
        f"store = sweep.Store.open({location!r})\n"
        f"figure = store.plot.heatmap({arguments.removeprefix(', ')})\n"
    )
    return {"plot": str(command), "python": python}


ANSWERS: Mapping[str, Callable[[Moment, Query], Any]] = {
    "study": lambda moment, _: overview.study(moment),
    "head": lambda moment, _: overview.head(moment),
    "cases": _cases,
    "matters": _matters,
    "curves": _curves,
    "runs": _runs_table,
    "sizes": lambda moment, query: figures.sizes(moment, _runs(moment, query)[0]),
    "about": lambda moment, query: {"html": texts.about(moment, _runs(moment, query))},
    "trust": lambda moment, _: {"html": texts.trust(moment)},
    "commands": _commands,
}


def _ratio(a: Moment, b: Moment, query: Query) -> dict[str, Any]:
    name = query.get("name", overview.TARGET)
    return compared.ratio(a, b, name, _where(query), single_rings=_is_of_rings(query))


def _comparison(a: Moment, b: Moment, _: Query) -> dict[str, Any]:
    lines = compared.comparison(a, b)
    return {"html": rendered("comparison", a=str(a.store), b=str(b.store), lines=lines)}


#: Questions about two studies.
COMPARISONS: Mapping[str, Callable[[Moment, Moment, Query], Any]] = {
    "ratio": _ratio,
    "comparison": _comparison,
}


def answer(moment: Moment, name: str, query: Query, second: Moment | None = None) -> dict[str, Any]:
    """Return the answer to a question of the page.

    Parameters
    ----------
    moment : Moment
        The store.
    name : str
        Key of :data:`ANSWERS`, or of :data:`COMPARISONS`.
    query : mapping of str to str
        Its parameters.
    second : Moment, optional
        The store that it is compared with.

    Returns
    -------
    dict
        The answer, or ``error`` with a message for people.
    """
    try:
        if name in COMPARISONS and second is not None:
            content: dict[str, Any] = COMPARISONS[name](moment, second, query)
        else:
            content = ANSWERS[name](moment, query)
    except MarsDiskError as error:
        return {"error": str(error)}
    return content
