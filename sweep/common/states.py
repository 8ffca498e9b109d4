"""The states that a run, a disk, or a cell of a figure may be in: one word and one look for each.

Tables, figures, and the page take words, hatches, and colours from here.
"""

from dataclasses import dataclass
from enum import IntEnum


class State(IntEnum):
    """What is known of a value that is shown. The first four are states of rows in a store."""

    PENDING = 0
    DONE = 1
    FAILED = 2
    UNUSED = 3  #: no run: the sweep does not ask for one, or an extension has left the row empty
    EARLY = 4  #: done, and stopped before the time was up
    ZERO = 5  #: done, and without a place on a logarithmic scale
    FILTERED = 6  #: there is a run, and the condition leaves it out

    @property
    def word(self) -> str:
        """The word for it, the same in every view."""
        return LOOKS[self].word


@dataclass(frozen=True)
class Look:
    """How a state is shown."""

    word: str
    face: str  #: fill of a cell; empty where the value's own colour shows
    hatch: str  #: as matplotlib writes it; empty for none
    marker: str  #: of a point, as matplotlib writes it
    mark_on_page: str  #: of a point or a cell, as Plotly writes it; empty for none


LOOKS = {
    State.DONE: Look("done", "", "", "o", ""),
    State.FAILED: Look("failed", "#ebebeb", "////", "x", "x-thin-open"),
    State.PENDING: Look("pending", "#ffffff", "....", "+", "circle-open-dot"),
    State.EARLY: Look("stopped early", "", "\\\\\\\\", "s", "triangle-up-open"),
    State.ZERO: Look("zero", "#cccccc", "", "o", "circle"),
    State.FILTERED: Look("filtered out", "#ffffff", "--", "_", "line-ew-open"),
    State.UNUSED: Look("no run", "#ffffff", "", "", ""),
}
