"""The page as Dask's own dashboard shows it."""

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bokeh.document import Document

    from .data import Data


def dashboard_page(store: str) -> Callable[["Document"], None]:
    """Return a function that fills a document of Bokeh with the page of a store.

    The page is only imported when somebody opens it; its visitors share the data that it has read.
    """

    @cache
    def data() -> "Data":
        from .page import data_of

        return data_of(store)

    def fill_document(document: "Document") -> None:
        from .page import fill

        fill(document, data)

    return fill_document
