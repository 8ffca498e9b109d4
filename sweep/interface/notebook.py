"""Progress and figures in a notebook."""

import io
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING

from rich.console import Console

from marsdisk.common.templates import environment, rendered

from ..running.progress import Tally

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def is_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    return Console().is_jupyter


def progress_bar() -> Callable[[Tally], None]:
    """Show a bar below the running cell, and return a function that moves it."""
    from IPython import display

    identity = {"display_id": f"sweep-{uuid.uuid4()}"}

    def html(tally: Tally) -> dict[str, str]:
        line = f"{tally.finished} of {tally.runs} runs, {tally.line()}"
        templates = environment("sweep.interface")
        bar = rendered(templates, "progress", tally=tally, line=line)
        return {"text/plain": line, "text/html": bar}

    publish: Callable[..., None] = display.publish_display_data
    is_shown = False

    def show(tally: Tally) -> None:
        nonlocal is_shown
        publish(html(tally), transient=identity, update=is_shown)
        is_shown = True

    return show


def show_figures() -> None:
    """Have the notebook show figures as pictures, even if they were made without pyplot."""
    from IPython import get_ipython
    from matplotlib.figure import Figure

    pictures = get_ipython().display_formatter.formatters["image/png"]
    # what pyplot has set up stays
    pictures.for_type(Figure, pictures.for_type(Figure) or _as_png)


def _as_png(figure: "Figure") -> bytes:
    with io.BytesIO() as picture:
        figure.savefig(picture, format="png")
        return picture.getvalue()
