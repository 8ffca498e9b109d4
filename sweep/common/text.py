"""Values of a store as words."""

import difflib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from marsdisk.common.text import printable
from marsdisk.result import StopReason

#: Names that a line lists before it says how many more there are.
MAX_NAMES_LISTED = 5
#: Label of each stop reason by its number.
STOP_LABELS = {int(reason): reason.label for reason in StopReason}


def text(value: Any) -> str:
    """Return a number to four digits, or a text in one line with control characters escaped."""
    if isinstance(value, float):
        return "-" if np.isnan(value) else f"{value:.4g}"
    return printable(str(value)).replace("\n", "\\x0a").replace("\t", "\\x09")


def two_digits(number: float) -> str:
    """Return a number with two digits, without a power of ten where it is near one.

    Examples
    --------
    >>> two_digits(99.6), two_digits(0.0123), two_digits(1.1e-5)
    ('100', '0.012', '1.1e-05')
    """
    return f"{float(f'{number:.2g}'):g}"


def counted(count: int, noun: str) -> str:
    """Return a count with its noun, such as ``1 run`` or ``2 runs``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """Return a question about the most similar of the names that there are.

    Parameters
    ----------
    name : str
        A name that there is not. A key is similar to a name that is its last part.
    names : iterable of str
        Those that there are.

    Returns
    -------
    str
        Begins with a semicolon; empty where none is similar.

    Examples
    --------
    >>> did_you_mean("M_los", ["T0", "M_loss"])
    '; did you mean M_loss?'
    """
    known = list(names)
    similar = [each for each in known if each == name.rpartition(".")[2]]
    similar = similar or difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {similar[0]}?" if similar else ""


def listed(items: Sequence[object], most: int = MAX_NAMES_LISTED) -> str:
    """Return the first items, and how many more there are.

    Examples
    --------
    >>> listed(["a", "b", "c"], most=2)
    'a, b and 1 more'
    """
    words = ", ".join(map(str, items[:most]))
    hidden = len(items) - most
    return f"{words} and {hidden} more" if hidden > 0 else words
