"""Texts from a store for people, cut to a readable length, and HTML of them."""

from typing import Any

from markupsafe import Markup

from marsdisk.common.templates import environment
from marsdisk.common.templates import rendered as rendered_from

from ..common.text import text
from .numbers_in_words import number

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


def rendered(template: str, /, **values: object) -> Markup:
    """Return HTML from a template of the page; see :func:`sweep.common.templates.rendered`.

    The filter ``value`` of the templates is :func:`escaped`.
    """
    templates = environment("sweep.browse", value=escaped)
    return rendered_from(templates, template, **values)


def escaped(value: Any, longest: int = MAX_VALUE_CHARACTERS) -> Markup:
    """Return a value as HTML, with text that runs from right to left kept apart."""
    return Markup("<bdi>{}</bdi>").format(shown(value, longest))
