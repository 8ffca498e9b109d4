"""Texts from a store for people: escaped, and cut to a readable length."""

import html
import re
from collections.abc import Iterable, Sequence
from typing import Any

from ...common.text import text
from .scales import number

MAX_VALUE_CHARACTERS = 60


def cut(value: str, longest: int = MAX_VALUE_CHARACTERS) -> str:
    """Return a text cut to ``longest`` characters."""
    return value if len(value) <= longest else f"{value[: longest - 1]}…"


def shown(value: Any, longest: int = MAX_VALUE_CHARACTERS) -> str:
    """Return a value as a text for people, not yet escaped for HTML.

    Control characters are written as codes.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return cut(text(value), longest)
    return number(value, 6) if isinstance(value, float) else str(value)


def plain(value: str, longest: int = MAX_VALUE_CHARACTERS) -> str:
    """Return a label of a figure, with invisible characters that keep Bokeh from typesetting it."""
    return re.sub(r"(?<=\$)(?=\$)|(?<=\\)(?=[\[\]()])", "\u2060", shown(value, longest))


def escaped(value: Any, longest: int = MAX_VALUE_CHARACTERS) -> str:
    """Return a value as HTML, with text that runs from right to left kept apart."""
    return f"<bdi>{html.escape(shown(value, longest))}</bdi>"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, numbers_from: int = 1) -> str:
    """Return an HTML table.

    Parameters
    ----------
    head : sequence of str
        HTML of the column headings; empty for a table without headings.
    rows : iterable of sequence of str
        HTML of the cells.
    numbers_from : int
        First column that is aligned to the right.

    Returns
    -------
    str
        HTML.
    """

    def attribute(column: int) -> str:
        return ' class="number"' if column >= numbers_from else ""

    headings = [f"<th scope='col'{attribute(i)}>{cell}</th>" for i, cell in enumerate(head)]
    lines = []
    for row in rows:
        cells = [f"<td{attribute(i)}>{cell}</td>" for i, cell in enumerate(row)]
        lines.append(f"<tr>{''.join(cells)}</tr>")
    top = f"<thead><tr>{''.join(headings)}</tr></thead>" if head else ""
    return f"<table>{top}<tbody>{''.join(lines)}</tbody></table>"
