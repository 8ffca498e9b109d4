"""What a shell completes: stores, and the columns, parameters, results, and runs of a store.

Nothing here fails or says anything, for somebody is in the middle of a line: where nothing can be
found, nothing is offered.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from ..store.store import Store

RESULTS = Path("results")  #: where sweeps leave their stores
MAX_OFFERED = 200  #: names, of which nobody reads more

Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def stores(incomplete: str) -> list[CompletionItem]:
    """Return the stores whose paths begin so; folders are left to the shell where there are none.

    Parameters
    ----------
    incomplete : str
        What has been typed of a path. Where it names no folder, stores in ``results`` are offered,
        too.
    """
    from ..store.mistaken import stores_in

    folders = [Path(incomplete).parent if not incomplete.endswith("/") else Path(incomplete)]
    if "/" not in incomplete:
        folders.append(RESULTS)
    paths = [str(path) for folder in folders for path in stores_in(folder)]
    found = [path for path in paths if path.startswith((incomplete, f"{RESULTS}/{incomplete}"))]
    if found:
        return [CompletionItem(path) for path in found]
    return [CompletionItem(incomplete, type="dir")]


def _completer(names: "Callable[[Store], Iterable[str]]", separator: str = "") -> Completer:
    """Return what completes a name of a command's store, the last one of a list of them.

    Parameters
    ----------
    names : callable
        Returns the names that a store has.
    separator : str
        Stands between names; empty where there is one name.
    """

    def complete(
        context: click.Context,
        parameter: click.Parameter,  # noqa: ARG001 - click passes it
        incomplete: str,
    ) -> list[CompletionItem]:
        from marsdisk.common.errors import MarsDiskError

        from ..store.store import Store

        # names before the last one are repeated, as shells replace a whole word
        begun = incomplete.rpartition(separator)[2] if separator else incomplete
        before = incomplete.removesuffix(begun) if begun else incomplete
        # click leaves arguments aside where the last word so far is an option without its value
        typed = [context.params.get("store"), *context.args]
        try:
            store = Store.open(next(filter(None, typed), ""))
            offered = [name for name in names(store) if name.startswith(begun)][:MAX_OFFERED]
        except MarsDiskError:
            return []
        return [CompletionItem(f"{before}{name}") for name in offered]

    return complete


def _columns(store: "Store") -> Iterable[str]:
    from ..results.columns import Columns

    return [*Columns(store), *store.keys]


def _parameters(store: "Store") -> Iterable[str]:
    return [*store.parameters, *store.keys]


def _results(store: "Store") -> Iterable[str]:
    from ..results.columns import RESULTS as ALL_RESULTS

    return [name for name in ALL_RESULTS if name in store]


def _results_and_series(store: "Store") -> Iterable[str]:
    return [*_results(store), *store.names_over("run", "sample")]


def _runs(store: "Store") -> Iterable[str]:
    return [str(run_id) for run_id in store.column("run_id").tolist()]


column = _completer(_columns)
columns = _completer(_columns, ",")
parameter = _completer(_parameters)
parameters = _completer(_parameters, ",")
result = _completer(_results)
result_or_series = _completer(_results_and_series)
run = _completer(_runs)
