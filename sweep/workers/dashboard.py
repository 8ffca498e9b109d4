"""Dask's own dashboard while a sweep runs: who may look at it, and a page of ours at /sweep/."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import dask
from tornado.web import Application

PATH = "/sweep/"
ORIGINS = "distributed.scheduler.dashboard.bokeh-application.allow_websocket_origin"
#: Makes the page, at a path.
MakePage = Callable[[str], Application]


class _LaterPage(Application):
    """A page that is made when somebody asks for it."""

    def __init__(self, make_page: MakePage) -> None:
        super().__init__()
        self._make = make_page
        self._page: Application | None = None

    def find_handler(self, request: Any, **options: Any) -> Any:
        """Return what answers a request: nothing of ours beyond our path."""
        if not request.path.startswith(PATH.rstrip("/")):
            return super().find_handler(request, **options)
        if self._page is None:
            self._page = self._make(PATH)
        return self._page.find_handler(request, **options)


@contextmanager
def dashboard_for_us_alone() -> Iterator[None]:
    """Let dashboards that are started in this context answer no web sites.

    By default, Dask's allows all of them.
    """
    with dask.config.set({ORIGINS: _origins()}):
        yield


def show_page(scheduler: Any, make_page: MakePage) -> None:
    """Show a page at :data:`PATH` of the server that a scheduler has for its dashboard.

    Parameters
    ----------
    scheduler : distributed.Scheduler
        A scheduler of this process.
    make_page : callable
        Makes the page when it is asked for.
    """
    scheduler.http_application.add_application(_LaterPage(make_page))


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
    """Return the address of the page, from that of Dask's dashboard."""
    return f"{dashboard.removesuffix('/status')}{PATH}"
