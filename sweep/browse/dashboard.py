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
    """Let schedulers that are started in this context show a store at :data:`PATH`.

    Dask has no public way for it, and no dashboard without Bokeh, so that a sweep must run as well
    without. Nothing of the page is imported before somebody opens it.

    Parameters
    ----------
    store : str
        What is shown.

    Yields
    ------
    bool
        False where it cannot be shown.
    """
    try:
        from distributed.dashboard.scheduler import applications  # as a scheduler does in any case
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
    """Return hosts whose pages may connect to the dashboard, as the user's settings name them."""
    return [origin for origin in dask.config.get(ORIGINS, []) if "*" not in origin]


def close_to_other_sites(scheduler: Any) -> None:
    """Let the dashboard of a scheduler in this process answer nobody but people at this machine.

    By itself, Dask's dashboard answers whoever asks, by whatever name; web sites that a browser
    shows ask, too.

    Parameters
    ----------
    scheduler : distributed.Scheduler
        That has a dashboard.
    """
    from ..profiles import LOOPBACK
    from .visitors import Names, answer_only, name_in

    given = frozenset(map(name_in, _origins()))
    cure = f"for another, name it in Dask's setting {ORIGINS}"
    names = Names(frozenset(LOOPBACK), given, cure=cure)
    answer_only(scheduler.http_application, names)


def results_page(dashboard: str) -> str:
    """Return words for people on where the page is.

    Parameters
    ----------
    dashboard : str
        Address of Dask's dashboard.

    Returns
    -------
    str
        Empty where there is no page.
    """
    shown = PATH in getattr(sys.modules.get("distributed.dashboard.scheduler"), "applications", {})
    return f", results so far {dashboard.removesuffix('/status')}{PATH}" if shown else ""
