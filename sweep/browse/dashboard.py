"""The page on Dask's own dashboard, at /sweep, while a sweep runs."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

import dask

if TYPE_CHECKING:
    from bokeh.document import Document

    from .data import Data

logger = logging.getLogger(__name__)
PATH = "/sweep"
ORIGINS = "distributed.scheduler.dashboard.bokeh-application.allow_websocket_origin"


@contextmanager
def on_dashboard(store: str) -> Iterator[bool]:
    """Schedulers started meanwhile show ``store`` at :data:`PATH`; False where they cannot.

    Dask has no public way for it, and no dashboard without Bokeh, so that a sweep must run as well without. Nothing of the page is imported
    before somebody opens it.
    """
    try:
        from distributed.dashboard.scheduler import applications  # which a scheduler imports in any case
    except Exception as error:
        logger.debug("no page on Dask's dashboard: %s", error)
        yield False
        return

    @cache
    def data() -> "Data":
        from .app import data_of

        return data_of(store)

    def page(scheduler: Any, extra: Any, document: "Document") -> None:
        from .app import fill

        fill(document, data)

    applications[PATH] = page
    try:
        with dask.config.set({ORIGINS: _origins()}):  # by default those of all web sites
            yield True
    finally:
        applications.pop(PATH, None)


def _origins() -> list[str]:
    """Hosts whose pages may connect to the dashboard besides its own, as the user's settings of Dask name them."""
    return [origin for origin in dask.config.get(ORIGINS, []) if "*" not in origin]


def close_to_other_sites(scheduler: Any) -> None:
    """Let the dashboard of a scheduler in this process answer nobody but people at this machine.

    By itself, Dask's dashboard answers whoever asks, by whatever name; web sites that a browser shows ask, too.
    """
    from ..profiles import LOOPBACK
    from .visitors import Names, answer_only, name_in

    given = frozenset(map(name_in, _origins()))
    cure = f"for another, name it in Dask's setting {ORIGINS}"
    names = Names(frozenset(LOOPBACK), given, cure=cure)
    answer_only(scheduler.http_application, names)


def results_page(dashboard: str) -> str:
    """For people: where the page is, from the address of the dashboard; nothing where there is none."""
    shown = PATH in getattr(sys.modules.get("distributed.dashboard.scheduler"), "applications", {})
    return f", results so far {dashboard.removesuffix('/status')}{PATH}" if shown else ""
