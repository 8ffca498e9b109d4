"""Numbers as users write them, in YAML as in CSV: digits, a point, and an exponent."""

import math
import re
from collections.abc import Sequence

from ..common.text import LONGEST_SHOWN, shown, shown_text

MAX_NUMBER_CHARACTERS = 1000  # 17 digits give a float64 exactly

#: A decimal number.
NUMBER = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")

_THOUSANDS = r"[-+]?[1-9][0-9]{0,2}(?:,[0-9]{3})+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?"
_GAP = "[ '\u00a0\u2009\u202f]"
_GAPS = rf"[-+]?[1-9][0-9]{{0,2}}(?:{_GAP}[0-9]{{3}})+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?"
# or with a prefix, such as 4k
_WITH_UNIT = rf"(?!0[xob]){NUMBER.pattern}\s*[A-Za-z%°µ][\w/%^*. -]*"
#: Other notations: pattern, replacement, and advice; patterns are compiled when needed.
_NOTATIONS = (
    (",", ".", "with a decimal point"),
    ("_", "", "without underscores"),
    (r"\s+(?=[eE][-+0-9])|(?<=[0-9.][eE])\s+", "", "without gaps"),
    (r"(?<=[0-9.])[dD](?=[-+0-9])", "e", "with e before the exponent"),
    (r"\s*[x*×·]\s*10\s*(?:\^|\*\*|(?=[-+]))\s*", "e", "with e before the exponent"),
    (r"^10\s*(?:\^|\*\*)\s*", "1e", "with e before the exponent"),
    ("^[\u2012\u2013\u2212]", "-", "with the minus sign of the keyboard"),
    (rf"^({NUMBER.pattern})#.*$", r"\1", "with a blank before the #"),
)


def read_number(text: str) -> float:
    """Return the finite number that a text stands for.

    Parameters
    ----------
    text : str
        Digits, with or without a sign, a point and an exponent.

    Returns
    -------
    float
        The nearest float.

    Raises
    ------
    ValueError
        The text is no number, or one too large or too small for a float; the message begins
        with it.

    Examples
    --------
    >>> read_number("1e-3")
    0.001
    >>> read_number("0,5")
    Traceback (most recent call last):
    ValueError: '0,5' is not a number; write 0.5 with a decimal point
    """
    if len(text) > MAX_NUMBER_CHARACTERS:
        limit = f"a number has {MAX_NUMBER_CHARACTERS} at most"
        raise ValueError(f"{shown(text)} has {len(text)} characters; {limit}")
    if not NUMBER.fullmatch(text):
        problem = f"{shown(text)} is not a number"
        advice = number_advice(text)
        raise ValueError(f"{problem}; {advice}" if advice else problem)
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{shown_text(text)} is too large; numbers end at 1.8e308")
    digits = re.split("[eE]", text)[0]
    if number == 0.0 and digits.strip("+-0."):
        raise ValueError(f"{shown_text(text)} is too small; numbers begin at 5e-324, so write 0")
    return number


def read_plain_numbers(texts: Sequence[str]) -> list[float]:
    """Return the numbers that many texts stand for, faster than :func:`read_number` would.

    Raises
    ------
    ValueError
        A text is no number, or has to be read by itself.
    """
    # float() would accept nan and 1_000, too
    if not set("".join(texts)) <= set("0123456789+-.eE"):
        raise ValueError("there are letters in them")
    if any(len(text) > MAX_NUMBER_CHARACTERS for text in texts):
        raise ValueError("some are too long")
    numbers = list(map(float, texts))
    if 0.0 in numbers or math.inf in map(abs, numbers):
        raise ValueError("some may be too small or too large")
    return numbers


def number_advice(text: str) -> str:
    """Return how to write a text that was meant as a number; empty if that is unclear."""
    text = text[:LONGEST_SHOWN].strip()
    if re.fullmatch(_THOUSANDS, text):
        return "write decimals after a point, and thousands without commas"
    if re.fullmatch(_GAPS, text):
        return f"write {re.sub(_GAP, '', text)} without gaps"
    for pattern, replacement, advice in _NOTATIONS:
        better = re.sub(pattern, replacement, text)
        if better != text and NUMBER.fullmatch(better):
            return f"write {better} {advice}"
    # the number is not proposed, as it may have to be converted
    if re.fullmatch(_WITH_UNIT, text):
        return "write the number alone, in the unit that is asked for"
    return ""
