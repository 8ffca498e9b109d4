"""Text from a store as HTML: shown letter by letter whatever it holds, and cut to a length that can be read."""

import html
import re
from collections.abc import Iterable, Sequence
from typing import Any

from ..tables import text
from .scales import number

LONGEST = 60  # characters of a value


def cut(value: str, longest: int = LONGEST) -> str:
    """``value`` with what is beyond ``longest`` characters left out."""
    return value if len(value) <= longest else f"{value[: longest - 1]}…"


def shown(value: Any, longest: int = LONGEST) -> str:
    """A value as a person reads it, not yet as HTML: characters that would act instead of being shown are written as codes."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return cut(text(value), longest)
    return number(value, 6) if isinstance(value, float) else str(value)


def plain(value: str, longest: int = LONGEST) -> str:
    """A label of a figure, with what Bokeh would take for mathematics broken up by a character that is not seen."""
    return re.sub(r"(?<=\$)(?=\$)|(?<=\\)(?=[\[\]()])", "\u2060", shown(value, longest))


def escaped(value: Any, longest: int = LONGEST) -> str:
    """:func:`shown` as HTML; a text that runs from right to left stays in its place."""
    return f"<bdi>{html.escape(shown(value, longest))}</bdi>"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, numbers_from: int = 1) -> str:
    """An HTML table of cells that are HTML already; columns from ``numbers_from`` on are set to the right."""
    kind = [' class="number"' if i >= numbers_from else "" for i in range(max(len(head), 20))]
    top = "".join(f"<th scope='col'{kind[i]}>{cell}</th>" for i, cell in enumerate(head))
    body = "".join(
        "<tr>" + "".join(f"<td{kind[i]}>{cell}</td>" for i, cell in enumerate(row)) + "</tr>"
        for row in rows
    )
    return f"<table>{f'<thead><tr>{top}</tr></thead>' if head else ''}<tbody>{body}</tbody></table>"
