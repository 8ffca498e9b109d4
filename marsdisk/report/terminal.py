"""The terminal: tables and lines on it."""

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ..common.text import printable

if TYPE_CHECKING:
    from rich.console import Console


def terminal(*, is_for_messages: bool = False, is_quiet: bool = False) -> "Console":
    """Return a console as wide as the terminal, or 200 columns wide in a file or a pipe.

    Parameters
    ----------
    is_for_messages : bool
        Whether it is standard error, where standard output is for a program.
    is_quiet : bool
        Whether it shows nothing.
    """
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment

    class Terminal(Console):
        def render(
            self, renderable: "RenderableType", options: "ConsoleOptions | None" = None
        ) -> "Iterable[Segment]":
            for segment in super().render(renderable, options):
                if segment.control:
                    yield segment
                else:
                    yield Segment(printable(segment.text), segment.style)

    stream = sys.stderr if is_for_messages else sys.stdout
    return Terminal(
        width=None if stream.isatty() else 200,
        stderr=is_for_messages,
        quiet=is_quiet,
        highlight=False,
        markup=False,  # units stand in brackets, which would be taken for styles
        force_jupyter=False,  # each line would be an output of its own
    )


def print_table(title: str, rows: Sequence[tuple[str, ...]], *columns: str) -> None:
    """Print a table with a title above it."""
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    terminal().print(table)


def print_line(text: str) -> None:
    """Print a line without breaking it, however narrow the terminal is."""
    terminal().print(text, highlight=False, markup=False, soft_wrap=True)
