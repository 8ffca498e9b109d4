"""The page: a header, the views, and beside them all about the runs that are chosen."""

import functools
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from bokeh.document import Document
from bokeh.models import Button, Div, Pane, RadioButtonGroup, Row, TextInput
from bokeh.resources import Resources
from bokeh.server.tornado import BokehTornado
from jinja2 import Template
from numpy.typing import NDArray

from marsdisk.errors import MarsDiskError
from marsdisk.outfile import plain_name

from ..rerun import find_run
from ..store import layout, reader
from ..store.place import Place
from .cachepage import CacheView
from .data import Data
from .details import PARTS, Details
from .map import MapView
from .origin import OriginView
from .parallel import ParallelView
from .runs import RunsView
from .style import ACCENT, BELOW, BESIDE, COLOURS, PAGE, PAGES, WIDGET, WRAP, apart, text_block
from .texts import escaped, shown

VIEWS: dict[str, Callable[["Page"], Any]] = {
    "Map": MapView,
    "Runs": RunsView,
    "Parallel": ParallelView,
    "Cache": CacheView,
    "Provenance": OriginView,
}
# runs of a sweep whose views are made before somebody opens them; of more, this would take long and
# much memory
MOST_AHEAD = 200_000
LONGEST_NOTE = 400  # characters
# s between looks at a store that is written, and the share of time they may take
LOOK_EVERY = 1.0
BUSY_SHARE = 0.05


def _taking_known_parts(apply: Callable[..., None]) -> Callable[..., None]:
    """Return a document's way to take what a browser sends, without a warning where nothing is wrong.

    A browser may name a part of a view that was made a moment ago as if it were its own.
    """

    @functools.wraps(apply)
    def apply_quietly(*arguments: Any, **options: Any) -> None:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="reference already known")
            apply(*arguments, **options)

    return apply_quietly


class Page:
    """One visitor's page; the data behind it are shared by all.

    Parameters
    ----------
    document : of the visitor, which this fills
    data : of the store
    """

    def __init__(self, document: Document, data: Data) -> None:
        self.data = data
        self.document = document
        document.apply_json_patch = _taking_known_parts(document.apply_json_patch)
        self.file_name = plain_name(data.title)
        self.chosen: list[int] = []
        self.runs: NDArray[np.int64] = data.columns["run"]
        self._version = data.version
        self._next_look = 0.0
        self.header, self.problem = text_block(name="header"), text_block(name="problem")
        self.alert = apart(self.problem, visible=False)
        self.pages = RadioButtonGroup(
            labels=list(VIEWS), active=0, stylesheets=[PAGES], margin=0, name="pages"
        )
        self.pages.on_change("active", lambda attr, old, new: self.guarded(self._turn)())
        self.filter = TextInput(
            title="only runs where",
            placeholder="T0 > 3500 and status == 'done'",
            stylesheets=[WIDGET],
            margin=0,
            name="filter",
        )
        self.filter.styles = {"flex": "2 1 260px", "width": "auto"}
        self.filter.on_change("value", lambda attr, old, new: self.guarded(self._filter)())
        self.asked = TextInput(
            title="chosen runs",
            placeholder="17, 40",
            width=150,
            stylesheets=[WIDGET],
            margin=0,
            name="chosen",
        )
        self.asked.on_change("value", lambda attr, old, new: self.guarded(self._choose_written)())
        steps = []
        for words, by in (("‹ previous", -1), ("next ›", 1)):
            button = Button(
                label=words, width=84, height=31, margin=(20, 0, 0, 0), stylesheets=[WIDGET]
            )
            button.on_click(self.guarded(functools.partial(self._step, by)))
            steps.append(button)
        self.choosing = [self.asked, *steps]
        self.bar = apart(
            Row(
                self.filter,
                self.asked,
                *steps,
                stylesheets=[WRAP],
                margin=0,
                sizing_mode="stretch_width",
            )
        )
        self.views: dict[str, Any] = {}
        self._fresh: set[str] = set()  # views that show what is so now
        # views that could not be filled ahead, until the store goes on
        self._failed: set[str] = set()
        self._touched = True  # whether anything was done since the last look
        self.left = apart(styles={"flex": "1.15 1 540px", "min-width": "0"})
        self.details = Details(self)
        self.details.root.styles = {"flex": "1 1 480px", "min-width": "0"}
        body = Pane(elements=[self.left, self.details.root], stylesheets=[BESIDE])
        root = Pane(
            elements=[self.header, self.pages, self.bar, self.alert, body], stylesheets=[BELOW]
        )
        document.title = f"{shown(data.title, 60)} – sweep"
        document.template = Template(
            f"{{% extends base %}}{{% block postamble %}}<style>{PAGE}</style>{{% endblock %}}"
        )
        self._head()
        self.guarded(self._open)()
        self.details.update()
        document.add_root(root)
        document.add_periodic_callback(self.guarded(self._look), int(1000 * LOOK_EVERY))

    def guarded(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """``call``, with an error of the store or of what was written shown on the page."""

        @functools.wraps(call)  # Bokeh looks at the signature
        def guarded(*arguments: Any, **options: Any) -> None:
            self._touched = self._touched or call != self._look
            try:
                call(*arguments, **options)
            except MarsDiskError as error:
                self._say(str(error))

        return guarded

    def _say(self, words: str) -> None:
        lines = "<br>".join(
            escaped(line, 300).replace("  ", "&nbsp; ") for line in words.splitlines()[:6]
        )
        self.problem.text = (
            "<p role='alert' style='border-left:3px solid"
            f" #d55e00;padding-left:8px;margin:0;max-width:none'>{lines}</p>"
            if words
            else ""
        )
        self.alert.visible = bool(words)

    def choose(self, runs: Sequence[int], *, add: bool = False) -> None:
        """Take runs for the right half of the page; ``add`` keeps those that are there, and drops a run that is asked for again."""
        now = (
            [*self.chosen, *(run for run in runs if run not in self.chosen)] if add else list(runs)
        )
        if add:
            now = [run for run in now if run not in runs or run not in self.chosen]
        if now == self.chosen:
            return
        self.chosen = now
        self._say("")
        self.asked.value = ", ".join(map(str, now[:20]))
        if self._name in self._fresh:
            self.views[self._name].mark()
        self.details.update()

    def narrow(self, condition: str) -> None:
        """Filter further."""
        before = self.filter.value.strip()
        self.filter.value = f"({before}) and {condition}" if before else condition

    @property
    def _name(self) -> str:
        return list(VIEWS)[self.pages.active or 0]

    def _turn(self) -> None:
        """Go to another view; what was wrong on the last one need not be said there."""
        self._say("")
        self._open()

    def _open(self) -> None:
        """Show the view that is chosen; one that cannot be filled is there all the same, with what may mend it."""
        name = self._name
        alone = name in {"Cache", "Provenance"}
        self.details.root.visible = not alone
        for control in self.choosing:
            control.visible = not alone
        self.bar.visible = name != "Provenance"
        for other, view in self.views.items():
            view.root.visible = other == name
        if name not in self.views:
            self._make(name)
        if name in self._fresh:
            self.views[name].mark()
        else:
            self._fill(name)

    def _make(self, name: str) -> None:
        """Make a view."""
        with self._at_once():
            view = self.views[name] = VIEWS[name](self)
            view.root.visible = name == self._name
            self.left.elements = [*self.left.elements, view.root]

    def _fill(self, name: str) -> None:
        """Have a view show what is so now."""
        self.views[name].update()
        self._fresh.add(name)

    def _wanted(self) -> Iterator[Callable[[], None]]:
        """What would make somebody wait who opens it next."""
        for part in PARTS:
            if part not in self.details.parts:
                yield functools.partial(self.details.make, part)
        filled = (
            {self._name, *self._fresh, *self._failed} if self.data.finished else VIEWS
        )  # a store that goes on would have them filled again and again
        for name in VIEWS if self.data.runs <= MOST_AHEAD else ():
            if name not in self.views:
                yield functools.partial(self._make, name)
            elif name not in filled:
                yield functools.partial(self._fill_ahead, name)

    def _fill_ahead(self, name: str) -> None:
        """Fill a view that nobody sees; what is wrong with it is told to who opens it."""
        try:
            self._fill(name)
        except MarsDiskError:
            self._failed.add(name)

    @contextmanager
    def _at_once(self) -> Iterator[None]:
        """Models that are added here are looked through once, not whenever one is; Bokeh's own would never end where an error leaves it."""
        frozen = self.document.models.freeze()
        frozen.__enter__()
        try:
            yield
        finally:
            frozen.__exit__(None, None, None)

    def _update(self) -> None:
        self._fresh = set()
        self._open()
        self.details.update()

    def _filter(self) -> None:
        condition = self.filter.value.strip()
        runs = self.data.columns.where(condition or None)
        if not runs.size:
            self._say(f"no run fulfils {condition}; {self.runs.size} runs are still shown")
            return
        self.runs = runs
        self._say("")
        self._fresh = set()
        self._head()
        self._open()

    def _choose_written(self) -> None:
        words = self.asked.value.replace(",", " ").split()
        if words != [str(run) for run in self.chosen[:20]]:
            self.choose(list(dict.fromkeys(find_run(self.data.group, word) for word in words[:20])))

    def _step(self, by: int) -> None:
        view = self.views.get("Map")
        order = self.runs
        if self._name == "Map" and view is not None:
            run = view.step(by)
        else:
            at = np.flatnonzero(order == self.chosen[0]) if self.chosen else order[:0]
            run = int(order[(int(at[0]) + by) % order.size]) if at.size else int(order[0])
        if run is not None:
            self.choose([run])

    def _look(self) -> None:
        """See whether the store went on, as often as that costs little; when nothing is going on here either, make what may be wanted next."""
        quiet = not self._touched
        self._touched = False
        now = time.perf_counter()
        if now >= self._next_look:
            self.data.refresh()
            self._next_look = now + max(0.9 * LOOK_EVERY, self.data.reading_time / BUSY_SHARE)
        if self._version != self.data.version:
            self._version = self.data.version
            self._failed = set()
            self.runs = (
                self.data.columns.where(self.filter.value.strip() or None)
                if self.filter.value
                else self.data.columns["run"]
            )
            self._head()
            self._update()
        elif quiet:
            next(self._wanted(), lambda: None)()

    def _head(self) -> None:
        counts = {state: self.data.count(code) for code, state in layout.STATUS.items()}
        total = max(self.data.runs, 1)
        colours = {"done": ACCENT, "failed": COLOURS[1]}
        bar = "".join(
            f"<span style='width:{100 * counts[state] / total:.2f}%;background:{colour}'></span>"
            for state, colour in colours.items()
        )
        state = "finished" if self.data.finished else "running, or interrupted"
        words = [
            f"<b>{counts['done']}</b> done",
            f"<b>{counts['failed']}</b> failed",
            f"<b>{counts['pending']}</b> pending of {self.data.runs} runs",
        ]
        some = f"; {self.runs.size} pass the filter" if self.runs.size != self.data.runs else ""
        record: Any = self.data.group.attrs["provenance"]
        commit = str(record.get("git_commit") or "")[:10]
        origin = [
            f"model {escaped(record.get('model_version', ''))}",
            f"commit {escaped(commit)}" if commit else "",
            escaped(record.get("created", "")),
        ]
        origin.append(
            escaped(
                Path(self.data.place).name if len(self.data.place) > 60 else self.data.place, 80
            )
        )
        self.header.text = (
            f"<div class='head'><h1>{escaped(self.data.title, 80)}</h1><div class='state'><div"
            " class='bar' role='img' "
            f"aria-label='{counts['done']} of {total} done'>{bar}</div><span>{', '.join(words)};"
            f" {state}{some}</span></div></div>"
            f"<div class='faint'>{' · '.join(part for part in origin if part)}</div>"
            f"{self._notes_html()}"
        )

    def _notes_html(self) -> str:
        """What makes the runs that pass the filter doubtful, folded up."""
        notes = self.data.notes(self.runs)
        if not notes.lines:
            return ""
        summary = f"{notes.noted} of {notes.flags.size} finished runs have notes"
        if not notes.are_recorded:
            summary = "notes were not recorded"
        items = "".join(f"<li>{escaped(line, LONGEST_NOTE)}</li>" for line in notes.lines)
        return f"<details class='notes'><summary>{summary}</summary><ul>{items}</ul></details>"


def fill(document: Document, data: Callable[[], Data]) -> None:
    """Make a visitor's document; an error of the store is said on it."""
    try:
        Page(document, data())
    except MarsDiskError as error:
        document.add_root(Div(text=f"<p>{escaped(str(error), 1000)}</p>"))


class PageTornado(BokehTornado):  # type: ignore[misc]
    """Bokeh's server without the half of its scripts that the page does not use: WebGL and mathematics, 2 MB that a browser would have to read."""

    def resources(self, absolute_url: str | bool | None = None) -> Resources:
        return (
            super()
            .resources(absolute_url)
            .clone(components=["bokeh", "bokeh-widgets", "bokeh-tables"])
        )


def data_of(store: str | Path | Place) -> Data:
    """The data of a store that is there."""
    return Data(lambda: reader.open_group(store), str(store))
