"""The page on Dask's own dashboard, at /sweep, while a sweep runs."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bokeh.document import Document

    from .data import Data

logger = logging.getLogger(__name__)
PATH = "/sweep"


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
        yield True
    finally:
        applications.pop(PATH, None)


def results_page(dashboard: str) -> str:
    """For people: where the page is, from the address of the dashboard; nothing where there is none."""
    shown = PATH in getattr(sys.modules.get("distributed.dashboard.scheduler"), "applications", {})
    return f", results so far {dashboard.removesuffix('/status')}{PATH}" if shown else ""
