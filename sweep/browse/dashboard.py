"""The page as a part of Dask's own dashboard."""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tornado.web import Application


def dashboard_page(store: str) -> Callable[[str], "Application"]:
    """Return a function that makes the page of a store, at a path of a server.

    The page is only imported when somebody opens it; its visitors share what it has read.
    """

    def page(prefix: str) -> "Application":
        from .server import application
        from .study import Study

        return application([Study.of(store)], prefix)

    return page
