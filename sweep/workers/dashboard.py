"""Dask's own dashboard while a sweep runs: who may look at it, and a page of ours at /sweep."""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import dask

logger = logging.getLogger(__name__)
PATH = "/sweep"
ORIGINS = "distributed.scheduler.dashboard.bokeh-application.allow_websocket_origin"
#: Fills a document of Bokeh.
FillDocument = Callable[[Any], None]


@contextmanager
def on_dashboard(fill_document: FillDocument | None) -> Iterator[bool]:
    """Let schedulers that are started in this context show a page at :data:`PATH`.

    Dask has no public way of doing so. Without Bokeh it has no dashboard at all, and the sweep runs
    without the page.

    Parameters
    ----------
    fill_document : callable or None
        Called for each visitor; None shows no page.

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

    if fill_document is not None:
        # Dask passes its scheduler and settings before the document.
        applications[PATH] = lambda _scheduler, _settings, document: fill_document(document)
    try:
        # By default, Dask allows all web sites.
        with dask.config.set({ORIGINS: _origins()}):
            yield fill_document is not None
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
    from ..common.addresses import LOOPBACK
    from ..common.visitors import Names, answer_only, name_in

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
