"""What the views of a page ask of the page that they are part of."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..results.selection import Selection
from .data import Data


class Host(Protocol):
    """The page, as its views see it."""

    data: Data  #: of the store
    file_name: str  #: for files that a visitor saves, without ending
    chosen: list[int]  #: runs shown in detail

    @property
    def selection(self) -> Selection:
        """The runs that meet the visitor's condition, or their disks."""

    @property
    def runs(self) -> NDArray[np.int64]:
        """Rows of the runs that meet the visitor's condition."""

    def guarded(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """Return a callback that shows an error on the page instead of raising it."""

    def choose(self, runs: Sequence[int], *, add: bool = False) -> None:
        """Show runs in detail."""

    def narrow(self, condition: str) -> None:
        """Require a condition in addition to the visitor's own."""
