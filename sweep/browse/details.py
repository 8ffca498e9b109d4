"""All about the chosen runs: what they are, how they ended, what the cache did, and how to run them again."""

import html
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bokeh.models import RadioButtonGroup

from marsdisk.physics.constants import YEAR
from marsdisk.result import StopReason

from ..store import layout
from .about import LONGEST_ERROR, About
from .scales import number
from .series import SeriesView
from .sizes import SizesView
from .style import COLOURS, PAGES, apart, stack, text_block
from .texts import escaped

if TYPE_CHECKING:
    from .app import Page

MOST = len(COLOURS)  # runs that are compared
MOST_NAMES = 6  # parameters in a heading
PARTS: dict[str, Callable[["Page"], Any]] = {"Series": SeriesView, "Sizes": SizesView, "Run": About}


class Details:
    """The right half of the page."""

    def __init__(self, page: "Page") -> None:
        self.page, self.data = page, page.data
        self.heading = text_block(name="heading")
        self.choice = RadioButtonGroup(labels=list(PARTS), active=0, stylesheets=[PAGES], margin=0)
        self.choice.on_change("active", lambda attr, old, new: page.guarded(self.update)())
        self.choosing = apart(self.choice)
        self.parts: dict[str, Any] = {}
        self.below = apart()
        self.root = stack(self.heading, self.choosing, self.below)

    def update(self) -> None:
        """Show the chosen runs in the part that is open."""
        chosen = self.page.chosen[:MOST]
        self.heading.text = self._heading(chosen)
        self.choosing.visible = bool(chosen)
        open_part = list(PARTS)[self.choice.active or 0]
        if chosen:
            self.make(open_part)
            self.parts[open_part].show(chosen, list(COLOURS))
        for name, part in self.parts.items():
            part.root.visible = bool(chosen) and name == open_part

    def make(self, name: str) -> None:
        """Make a part unless it is there; a new one is not seen yet."""
        if name not in self.parts:
            part = self.parts[name] = PARTS[name](self.page)
            part.root.visible = False
            self.below.elements = [*self.below.elements, part.root]

    def _heading(self, chosen: list[int]) -> str:
        if not chosen:
            return (
                "<h2>No run chosen</h2><p class='faint'>Click a cell of the map or a row of the"
                " table, or write the number of a run above. With Shift, more runs are laid over"
                " the first.</p>"
            )
        names = self.data.axes or self.data.dimensions
        differ = [
            name for name in names if len({str(self.data.value(name, run)) for run in chosen}) > 1
        ]
        ends = [self._end(run) for run in chosen]
        alike = len(chosen) > 1 and len({why for _, why in ends}) == 1 and ends[0][1]
        lines = [
            f"<div><span class='chip' style='background:{colour}'></span><b>run {run}</b> <span"
            f" class='faint'>{self._values(run, differ or names)}</span>"
            f" {end}{f': {why}' if why and not alike else ''}</div>"
            for run, colour, (end, why) in zip(chosen, COLOURS, ends, strict=False)
        ]
        shared = (
            self._values(chosen[0], [name for name in names if name not in differ])
            if differ
            else ""
        )
        notes = [
            "; ".join(
                [
                    *([f"all at {shared}"] if shared else []),
                    *([f"each because {alike}"] if alike else []),
                ]
            )
        ]
        notes += (
            [f"and {more} more runs, which are not drawn"]
            if (more := len(self.page.chosen) - len(chosen))
            else []
        )
        return "".join(lines) + "".join(
            f"<div class='faint'>{note}</div>" for note in notes if note
        )

    def _values(self, run: int, names: list[str]) -> str:
        return ", ".join(
            f"{escaped(name, 24)} ="
            f" {escaped(self.data.in_words(name, self.data.value(name, run)), 32)}"
            for name in names[:MOST_NAMES]
        )

    def _end(self, run: int) -> tuple[str, str]:
        """How a run ended, and why."""
        state = int(self.data.status[run])
        if state == layout.PENDING:
            return "not done yet", ""
        if state == layout.FAILED:
            return "<b>failed</b>", _long(self.data.value("error", run))
        reason = next(
            (
                reason
                for reason in StopReason
                if reason.label == self.data.value("stop_reason", run)
            ),
            None,
        )
        words = reason.advice.partition(";")[0] if reason else "no reason is recorded"
        return f"ended after {number(float(self.data.value('t_end', run)) / YEAR)} yr", html.escape(
            words
        )


def _long(error: str) -> str:
    return f"<span class='error'>{escaped(error, LONGEST_ERROR)}</span>"
