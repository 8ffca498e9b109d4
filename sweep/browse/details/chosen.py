"""The right half of the page, which shows the chosen runs."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from bokeh.models import RadioButtonGroup
from markupsafe import Markup

from marsdisk.result import StopReason

from ...common.states import State
from ...store import layout
from ..parts.html import escaped, rendered
from ..parts.scales import number
from ..parts.style import COLOURS, PAGES, apart, call_on_change, stack, text_block
from .run import MAX_ERROR_CHARACTERS, About
from .series import SeriesView
from .sizes import SizesView

if TYPE_CHECKING:
    from ..host import Host

MAX_RUNS_COMPARED = len(COLOURS)
MAX_HEADING_PARAMETERS = 6
PARTS: dict[str, Callable[["Host"], Any]] = {"Series": SeriesView, "Sizes": SizesView, "Run": About}


class _Line(NamedTuple):
    """A line of the heading, about one run."""

    row: int
    colour: str
    parameters: Markup
    end: str
    reason: str


class Details:
    """A heading and one of several parts that show the chosen runs."""

    def __init__(self, page: "Host") -> None:
        self.page = page
        self.data = page.data
        self.heading = text_block(name="heading")
        self.choice = RadioButtonGroup(labels=list(PARTS), active=0, stylesheets=[PAGES], margin=0)
        call_on_change(self.choice, "active", page.guarded(self.update))
        self.choosing = apart(self.choice)
        self.parts: dict[str, Any] = {}
        self.below = apart()
        self.root = stack(self.heading, self.choosing, self.below)

    def update(self) -> None:
        """Show the chosen runs in the part that is open."""
        chosen = self.page.chosen[:MAX_RUNS_COMPARED]
        self.heading.text = self._heading(chosen)
        self.choosing.visible = bool(chosen)
        open_part = list(PARTS)[self.choice.active or 0]
        if chosen:
            self.make(open_part)
            self.parts[open_part].show(chosen, list(COLOURS))
        for name, part in self.parts.items():
            part.root.visible = bool(chosen) and name == open_part

    def make(self, name: str) -> None:
        """Create a part unless it exists; a new one is hidden."""
        if name not in self.parts:
            part = self.parts[name] = PARTS[name](self.page)
            part.root.visible = False
            self.below.elements = [*self.below.elements, part.root]

    def _heading(self, chosen: list[int]) -> Markup:
        names = self.data.axes or self.data.dimensions
        differing = [name for name in names if self._differs(name, chosen)]
        ends = [self._end(run) for run in chosen]
        reasons = {reason for _, reason in ends}
        shared_reason = ends[0][1] if len(chosen) > 1 and len(reasons) == 1 else ""
        shared = []
        if differing:
            values = self._values(chosen[0], [name for name in names if name not in differing])
            if values:
                shared.append(Markup("all at {}").format(values))
        if shared_reason:
            shared.append(Markup("each because {}").format(shared_reason))
        lines = []
        for run, colour, (end, reason) in zip(chosen, COLOURS, ends, strict=False):
            values = self._values(run, differing or names)
            lines.append(_Line(run, colour, values, end, reason))
        return rendered(
            "heading",
            chosen=lines,
            shared_reason=shared_reason,
            shared=shared,
            hidden=len(self.page.chosen) - len(chosen),
        )

    def _differs(self, name: str, runs: list[int]) -> bool:
        return len({str(self.data.value(name, run)) for run in runs}) > 1

    def _values(self, run: int, names: list[str]) -> Markup:
        """Return parameters of a run with their values."""
        parts = []
        for name in names[:MAX_HEADING_PARAMETERS]:
            value = self.data.in_words(name, self.data.value(name, run))
            parts.append(Markup("{} = {}").format(escaped(name, 24), escaped(value, 32)))
        return Markup(", ").join(parts)

    def _end(self, run: int) -> tuple[str, str]:
        """Return how a run ended, and the reason, as texts or HTML."""
        state = int(self.data.status[run])
        if state == layout.PENDING:
            return State.PENDING.word, ""
        if state == layout.FAILED:
            error = rendered(
                "failure", error=self.data.value("error", run), longest=MAX_ERROR_CHARACTERS
            )
            return Markup("<b>{}</b>").format(State.FAILED.word), error
        label = self.data.value("stop_reason", run)
        words = "no reason is recorded"
        for reason in StopReason:
            if reason.label == label:
                words = reason.advice.partition(";")[0]
                break
        t_end = self.data.value("t_end", run)
        quantity = self.data.quantities(["t_end"], self.page.chosen[:MAX_RUNS_COMPARED])["t_end"]
        return f"ended after {number(float(quantity.convert(t_end)))} {quantity.unit}", words
