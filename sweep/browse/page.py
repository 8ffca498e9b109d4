"""The page of a visitor: a header, the views, and the details of the chosen runs."""

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
from markupsafe import Markup
from numpy.typing import NDArray

from marsdisk.common.errors import MarsDiskError
from marsdisk.io.out_file import plain_name

from ..results.rerun import find_run
from ..results.selection import Selection
from ..store import layout
from ..store.location import Location
from ..store.store import Store
from .data import Data
from .details.chosen import PARTS, Details
from .parts.html import escaped, rendered, shown
from .parts.style import (
    ACCENT,
    ALARM,
    BELOW,
    BESIDE,
    PAGE,
    PAGES,
    WIDGET,
    WRAP,
    apart,
    call_on_change,
    text_block,
)
from .views.cache import CacheView
from .views.map import MapView, step_in
from .views.parallel import ParallelView
from .views.provenance import OriginView
from .views.runs import RunsView

VIEWS: dict[str, Callable[["Page"], Any]] = {
    "Map": MapView,
    "Runs": RunsView,
    "Parallel": ParallelView,
    "Cache": CacheView,
    "Provenance": OriginView,
}
#: Runs of a sweep whose views are prepared before somebody opens them, which takes memory.
MAX_RUNS_PREPARED = 200_000
MAX_NOTE_CHARACTERS = 400
#: Runs that are listed as chosen.
MAX_RUNS_LISTED = 20
#: Lines of a message that are shown.
MAX_MESSAGE_LINES = 6
REFRESH_SECONDS = 1.0
#: Fraction of the time that reading the store may take.
MAX_BUSY_FRACTION = 0.05


def _without_known_warning(apply: Callable[..., None]) -> Callable[..., None]:
    """Return a document's patch function without the warning about known references.

    A browser may send a part of a view that was made a moment ago, which is no mistake.
    """

    @functools.wraps(apply)
    def apply_quietly(*arguments: Any, **options: Any) -> None:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="reference already known")
            apply(*arguments, **options)

    return apply_quietly


class Page:
    """The page of one visitor; its data are shared by all visitors.

    Parameters
    ----------
    document : bokeh.document.Document
        Document of the visitor, which is filled.
    data : Data
        Data of the store.
    """

    def __init__(self, document: Document, data: Data) -> None:
        self.data = data
        self.document = document
        document.apply_json_patch = _without_known_warning(document.apply_json_patch)
        self.file_name = plain_name(data.title)
        self.chosen: list[int] = []
        self.selection = Selection.of(data.columns)
        self._version = data.version
        self._next_look = 0.0
        self.header = text_block(name="header")
        self.problem = text_block(name="problem")
        self.alert = apart(self.problem, visible=False)
        self.pages = RadioButtonGroup(
            labels=list(VIEWS), active=0, stylesheets=[PAGES], margin=0, name="pages"
        )
        call_on_change(self.pages, "active", self.guarded(self._turn))
        self.filter = TextInput(
            title="only runs where",
            placeholder="T0 > 3500 and status == 'done'",
            stylesheets=[WIDGET],
            margin=0,
            name="filter",
        )
        self.filter.styles = {"flex": "2 1 260px", "width": "auto"}
        call_on_change(self.filter, "value", self.guarded(self._filter))
        self.chosen_input = TextInput(
            title="chosen runs",
            placeholder="17, 40",
            width=150,
            stylesheets=[WIDGET],
            margin=0,
            name="chosen",
        )
        call_on_change(self.chosen_input, "value", self.guarded(self._choose_written))
        steps = []
        for words, by in (("‹ previous", -1), ("next ›", 1)):
            button = Button(
                label=words, width=84, height=31, margin=(20, 0, 0, 0), stylesheets=[WIDGET]
            )
            button.on_click(self.guarded(functools.partial(self._step, by)))
            steps.append(button)
        self.choosing = [self.chosen_input, *steps]
        self.bar = apart(
            Row(
                self.filter,
                self.chosen_input,
                *steps,
                stylesheets=[WRAP],
                margin=0,
                sizing_mode="stretch_width",
            )
        )
        self.views: dict[str, Any] = {}
        # Views that are up to date.
        self._fresh: set[str] = set()
        # Views that could not be prepared; they are tried again when the store changes.
        self._failed: set[str] = set()
        # Whether the visitor has done anything since the last refresh.
        self._touched = True
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
        self._show_header()
        self.guarded(self._open)()
        self.details.update()
        document.add_root(root)
        document.add_periodic_callback(self.guarded(self._refresh), int(1000 * REFRESH_SECONDS))

    @property
    def runs(self) -> NDArray[np.int64]:
        """Rows of the runs that pass the filter."""
        return self.selection.runs

    def guarded(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """Return ``call`` with its errors shown on the page."""

        # Bokeh checks the signature.
        @functools.wraps(call)
        def guarded(*arguments: Any, **options: Any) -> None:
            self._touched = self._touched or call != self._refresh
            try:
                call(*arguments, **options)
            except MarsDiskError as error:
                self._show_problem(str(error))

        return guarded

    def _show_problem(self, message: str) -> None:
        """Show a message, or no message where it is empty."""
        self.problem.text = ""
        if message:
            # spaces at the beginning of a line mean something
            lines = message.replace("  ", "\u00a0 ").splitlines()[:MAX_MESSAGE_LINES]
            self.problem.text = rendered("problem", lines=lines, colour=ALARM)
        self.alert.visible = bool(message)

    def choose(self, runs: Sequence[int], *, add: bool = False) -> None:
        """Choose the runs of the right half of the page.

        With ``add``, runs are added to the chosen ones, and those that were chosen already are
        removed.
        """
        chosen = list(runs)
        if add:
            kept = [run for run in self.chosen if run not in runs]
            added = [run for run in runs if run not in self.chosen]
            chosen = kept + added
        if chosen == self.chosen:
            return
        self.chosen = chosen
        self._show_problem("")
        self.chosen_input.value = ", ".join(map(str, chosen[:MAX_RUNS_LISTED]))
        if self._name in self._fresh:
            self.views[self._name].mark()
        self.details.update()

    def narrow(self, condition: str) -> None:
        """Add a condition to the filter."""
        previous = self.filter.value.strip()
        self.filter.value = f"({previous}) and {condition}" if previous else condition

    @property
    def _name(self) -> str:
        """Name of the open view."""
        return list(VIEWS)[self.pages.active or 0]

    def _turn(self) -> None:
        """Go to another view, without the message of the last one."""
        self._show_problem("")
        self._open()

    def _open(self) -> None:
        """Show the chosen view; if it cannot be filled, its controls are shown nevertheless."""
        name = self._name
        is_alone = name in {"Cache", "Provenance"}
        self.details.root.visible = not is_alone
        for control in self.choosing:
            control.visible = not is_alone
        self.bar.visible = name != "Provenance"
        for view_name, view in self.views.items():
            view.root.visible = view_name == name
        if name not in self.views:
            self._make(name)
        if name in self._fresh:
            self.views[name].mark()
        else:
            self._fill(name)

    def _make(self, name: str) -> None:
        """Create an empty view."""
        with self._models_frozen():
            view = VIEWS[name](self)
            self.views[name] = view
            view.root.visible = name == self._name
            self.left.elements = [*self.left.elements, view.root]

    def _fill(self, name: str) -> None:
        """Bring a view up to date."""
        self.views[name].update()
        self._fresh.add(name)

    def _preparations(self) -> Iterator[Callable[[], None]]:
        """Yield what can be prepared so that nobody waits for it later."""
        for part in PARTS:
            if part not in self.details.parts:
                yield functools.partial(self.details.make, part)
        if self.data.runs > MAX_RUNS_PREPARED:
            return
        for name in VIEWS:
            if name not in self.views:
                yield functools.partial(self._make, name)
            elif self.data.finished and name not in {self._name, *self._fresh, *self._failed}:
                # While a store is written, views would be filled again and again.
                yield functools.partial(self._fill_ahead, name)

    def _fill_ahead(self, name: str) -> None:
        """Fill a hidden view; errors are shown when somebody opens it."""
        try:
            self._fill(name)
        except MarsDiskError:
            self._failed.add(name)

    @contextmanager
    def _models_frozen(self) -> Iterator[None]:
        """Let Bokeh go through added models once, and not after each of them.

        Bokeh's own context manager would stay frozen after an error.
        """
        frozen = self.document.models.freeze()
        frozen.__enter__()
        try:
            yield
        finally:
            frozen.__exit__(None, None, None)

    def _filter(self) -> None:
        condition = self.filter.value.strip()
        selection = Selection.of(self.data.columns, condition)
        if not selection.runs.size:
            self._show_problem(f"no run fulfils {condition}; {self.runs.size} runs are still shown")
            return
        self.selection = selection
        self._show_problem("")
        self._fresh = set()
        self._show_header()
        self._open()

    def _choose_written(self) -> None:
        words = self.chosen_input.value.replace(",", " ").split()
        if words != [str(run) for run in self.chosen[:MAX_RUNS_LISTED]]:
            runs = [find_run(self.data.store, word) for word in words[:MAX_RUNS_LISTED]]
            self.choose(list(dict.fromkeys(runs)))

    def _step(self, by: int) -> None:
        view = self.views.get("Map")
        if self._name == "Map" and view is not None:
            run = view.step(by)
        else:
            run = step_in(self.runs, self.chosen, by)
        if run is not None:
            self.choose([run])

    def _refresh(self) -> None:
        """Follow changes of the store; without any, prepare a view while the visitor is idle."""
        is_idle = not self._touched
        self._touched = False
        now = time.perf_counter()
        if now >= self._next_look:
            self.data.refresh()
            pause = max(0.9 * REFRESH_SECONDS, self.data.reading_time / MAX_BUSY_FRACTION)
            self._next_look = now + pause
        if self._version != self.data.version:
            self._version = self.data.version
            self._failed = set()
            self.selection = Selection.of(self.data.columns, self.filter.value.strip())
            self._show_header()
            self._fresh = set()
            self._open()
            self.details.update()
        elif is_idle:
            for prepare in self._preparations():
                prepare()
                break

    def _show_header(self) -> None:
        data = self.data
        notes = data.notes(self.runs)
        summary = f"{notes.noted.size} of {notes.flags.size} finished runs have notes"
        if not notes.are_recorded:
            summary = "notes were not recorded"
        self.header.text = rendered(
            "header",
            title=data.title,
            runs=data.runs,
            done=data.count(layout.DONE),
            failed=data.count(layout.FAILED),
            pending=data.count(layout.PENDING),
            passing=self.runs.size,
            state="finished" if data.finished else "running, or interrupted",
            done_colour=ACCENT,
            failed_colour=ALARM,
            origin=self._origin(),
            notes=notes.lines,
            summary=summary,
            max_note_characters=MAX_NOTE_CHARACTERS,
        )

    def _origin(self) -> list[Markup]:
        """Return where the results come from."""
        record = self.data.store.description.provenance
        commit = (record.git_commit or "")[:10]
        location = str(self.data.store)
        if len(location) > 60:
            location = Path(location).name
        parts = [Markup("model {}").format(escaped(record.model_version))]
        if commit:
            parts.append(Markup("commit {}").format(escaped(commit)))
        if record.created:
            parts.append(escaped(record.created))
        return [*parts, escaped(location, 80)]


def fill(document: Document, data: Callable[[], Data]) -> None:
    """Fill a visitor's document with the page, or with an error of the store."""
    try:
        Page(document, data())
    except MarsDiskError as error:
        document.add_root(Div(text=rendered("error", error=str(error))))


class PageTornado(BokehTornado):  # type: ignore[misc]
    """Bokeh's server without the scripts for WebGL and mathematics, 2 MB that are not needed."""

    # The signature is Bokeh's.
    def resources(self, absolute_url: str | bool | None = None) -> Resources:  # noqa: FBT001
        """Return the scripts that a browser loads."""
        resources = super().resources(absolute_url)
        return resources.clone(components=["bokeh", "bokeh-widgets", "bokeh-tables"])


def data_of(store: str | Path | Location) -> Data:
    """Return the data of an existing store."""
    return Data(lambda: Store.open(store))
