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

    Dask has no public way of doing so. Without Bokeh it has no dashboard at all, and the sweep runs
    without the page, which is only imported when somebody opens it.

    Parameters
    ----------
    store : str
        Location of the store.

    Yields
    ------
    bool
        Whether the page can be shown.
    """
    try:
        # A scheduler imports this in any case.
        from distributed.dashboard.scheduler import applications
    except Exception as error:
        logger.debug("no page on Dask's dashboard: %s", error)
        yield False
        return

    @cache
    def data() -> "Data":
        from .page import data_of

        return data_of(store)

    # Dask passes these arguments by position.
    def page(_scheduler: Any, _extra: Any, document: "Document") -> None:
        from .page import fill

        fill(document, data)

    applications[PATH] = page
    try:
        # By default, Dask allows all web sites.
        with dask.config.set({ORIGINS: _origins()}):
            yield True
    finally:
        applications.pop(PATH, None)


def _origins() -> list[str]:
    """Return the hosts that the user's settings allow to connect to the dashboard."""
    return [origin for origin in dask.config.get(ORIGINS, []) if "*" not in origin]


def close_to_other_sites(scheduler: Any) -> None:
    """Make the dashboard of a scheduler in this process answer only people at this machine.

    By default, Dask's dashboard answers every request, including those of web sites in a browser.

    Parameters
    ----------
    scheduler : distributed.Scheduler
        A scheduler with a dashboard.
    """
    from ..workers.profiles import LOOPBACK
    from .visitors import Names, answer_only, name_in

    configured = frozenset(map(name_in, _origins()))
    cure = f"for another, name it in Dask's setting {ORIGINS}"
    names = Names(frozenset(LOOPBACK), configured, cure=cure)
    answer_only(scheduler.http_application, names)


def results_page(dashboard: str) -> str:
    """Return a text that tells people where the page is.

    Parameters
    ----------
    dashboard : str
        Address of Dask's dashboard.

    Returns
    -------
    str
        Empty where there is no page.
    """
    module = sys.modules.get("distributed.dashboard.scheduler")
    if PATH not in getattr(module, "applications", {}):
        return ""
    return f", results so far {dashboard.removesuffix('/status')}{PATH}"
