"""All about the chosen runs: what they are, how they ended, what the cache did, and how to run them again."""

import html
from typing import TYPE_CHECKING, Any

from bokeh.models import Column, RadioButtonGroup

from marsdisk.physics.constants import YEAR
from marsdisk.result import StopReason

from ..store import layout
from .about import LONGEST_ERROR, About
from .scales import number
from .series import SeriesView
from .sizes import SizesView
from .style import COLOURS, PAGES, text_block
from .texts import escaped

if TYPE_CHECKING:
    from .app import Page

MOST = len(COLOURS)  # runs that are compared


class Details:
    """The right half of the page."""

    def __init__(self, page: "Page") -> None:
        self.page, self.data = page, page.data
        self.heading = text_block(name="heading")
        self.choice = RadioButtonGroup(labels=["Series", "Sizes", "Run"], active=0, stylesheets=[PAGES], margin=0)
        self.choice.on_change("active", lambda attr, old, new: page.guarded(self.update)())
        self.parts: dict[int, Any] = {}  # made when first opened
        self.root = Column(self.heading, self.choice, sizing_mode="stretch_width", spacing=8, margin=0)

    def update(self) -> None:
        """Show the chosen runs in the part that is open."""
        chosen = self.page.chosen[:MOST]
        self.heading.text = self._heading(chosen)
        self.choice.visible = bool(chosen)
        if not chosen:
            self.root.children = [self.heading, self.choice]
            return
        which = self.choice.active or 0
        if which not in self.parts:
            self.parts[which] = (SeriesView, SizesView, About)[which](self.data, self.page.file_name)
        part = self.parts[which]
        part.show(chosen, list(COLOURS))
        if self.root.children[-1] is not part.root:
            self.root.children = [self.heading, self.choice, part.root]

    def _heading(self, chosen: list[int]) -> str:
        if not chosen:
            return (
                "<h2>No run chosen</h2><p class='faint'>Click a cell of the map or a row of the table, or write the number of a run above. "
                "With Shift, more runs are laid over the first.</p>"
            )
        lines = [self._line(run, colour) for run, colour in zip(chosen, COLOURS, strict=False)]
        more = len(self.page.chosen) - len(chosen)
        return "".join(lines) + (f"<p class='faint'>and {more} more, which are not drawn</p>" if more else "")

    def _line(self, run: int, colour: str) -> str:
        names = self.data.axes or self.data.dimensions
        where = ", ".join(f"{escaped(name, 24)} = {escaped(self.data.in_words(name, self.data.value(name, run)), 32)}" for name in names[:5])
        return f"<div><span class='chip' style='background:{colour}'></span><b>run {run}</b> <span class='faint'>{where}</span><br>{self._end(run)}</div>"

    def _end(self, run: int) -> str:
        state = int(self.data.status[run])
        if state == layout.PENDING:
            return "not done yet"
        if state == layout.FAILED:
            return f"<b>failed</b>: {_long(self.data.value('error', run))}"
        reason = next((reason for reason in StopReason if reason.label == self.data.value("stop_reason", run)), None)
        words = reason.advice.partition(";")[0] if reason else "no reason is recorded"
        return f"ended after {number(float(self.data.value('t_end', run)) / YEAR)} yr: {html.escape(words)}"


def _long(error: str) -> str:
    return f"<span class='error'>{escaped(error, LONGEST_ERROR)}</span>"
