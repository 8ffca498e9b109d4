"""Files that people, or a store from somewhere, name: read whole, but for what would never end.

Numbers in them have digits, a point and an exponent, in YAML as in CSV; here is what that means.
"""

import codecs
import errno
import math
import re
import stat
from collections.abc import Sequence
from pathlib import Path

LARGEST = 2**30  # bytes; no table of a disk has so many
LONGEST_NUMBER = 1000  # characters; 17 digits say all that a float64 can hold
LONGEST_SHOWN = 100  # characters of a value in a message
LONGEST_PATH = 400  # characters of the path of a file in a message

#: A decimal number.
NUMBER = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")

_THOUSANDS = r"[-+]?[1-9][0-9]{0,2}(?:,[0-9]{3})+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?"
_GAP = "[ '\u00a0\u2009\u202f]"
_GAPS = rf"[-+]?[1-9][0-9]{{0,2}}(?:{_GAP}[0-9]{{3}})+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?"
# or with a prefix, such as 4k
_WITH_UNIT = rf"(?!0[xob]){NUMBER.pattern}\s*[A-Za-z%°µ][\w/%^*. -]*"
#: What people write besides: what to change in it, and how to say so; compiled when it is needed.
_HABITS = (
    (",", ".", "with a decimal point"),
    ("_", "", "without underscores"),
    (r"\s+(?=[eE][-+0-9])|(?<=[0-9.][eE])\s+", "", "without gaps"),
    (r"(?<=[0-9.])[dD](?=[-+0-9])", "e", "with e before the exponent"),
    (r"\s*[x*×·]\s*10\s*(?:\^|\*\*|(?=[-+]))\s*", "e", "with e before the exponent"),
    (r"^10\s*(?:\^|\*\*)\s*", "1e", "with e before the exponent"),
    ("^[\u2012\u2013\u2212]", "-", "with the minus sign of the keyboard"),
    (rf"^({NUMBER.pattern})#.*$", r"\1", "with a blank before the #"),
)
#: What files in other encodings begin with; that of UTF-32 begins like that of UTF-16.
_MARKS = {
    "UTF-32": (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE),
    "UTF-16": (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE),
}


def shown(value: object) -> str:
    """A value as messages show it, however long it is."""
    text = repr(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 3]}..."


def shown_text(text: str) -> str:
    """A text as messages show it without quotes, however long it is."""
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 3]}..."


def shown_path(path: str | Path) -> str:
    """A path as messages show it; one that is longer than paths are is cut as other values are."""
    text = str(path)
    return text if len(text) <= LONGEST_PATH else shown_text(text)


def with_line(problem: str, number: int, line: str) -> str:
    """A problem with the line of the file that it is in."""
    return f"{problem}\n      line {number}: {shown_text(line.strip())}"


def read_number(text: str) -> float:
    """The finite number that a text stands for.

    Parameters
    ----------
    text : str
        Digits, with or without a sign, a point and an exponent.

    Returns
    -------
    float
        The nearest number that there is.

    Raises
    ------
    ValueError
        The text is no number, or one too large or too small to be held; the message begins with it.

    Examples
    --------
    >>> read_number("1e-3")
    0.001
    >>> read_number("0,5")
    Traceback (most recent call last):
    ValueError: '0,5' is not a number; write 0.5 with a decimal point
    """
    if len(text) > LONGEST_NUMBER:
        limit = f"a number has {LONGEST_NUMBER} at most"
        raise ValueError(f"{shown(text)} has {len(text)} characters; {limit}")
    if not NUMBER.fullmatch(text):
        advice = number_advice(text)
        raise ValueError(f"{shown(text)} is not a number{advice and f'; {advice}'}")
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{shown_text(text)} is too large; numbers end at 1.8e308")
    digits = re.split("[eE]", text)[0]
    if number == 0.0 and digits.strip("+-0."):
        raise ValueError(f"{shown_text(text)} is too small; numbers begin at 5e-324, so write 0")
    return number


def read_plain_numbers(texts: Sequence[str]) -> list[float]:
    """The numbers that many texts stand for, found faster than by :func:`read_number` one by one.

    Raises
    ------
    ValueError
        One of them is no number, or has to be looked at alone.
    """
    if not set("".join(texts)) <= set("0123456789+-.eE"):  # float() would take nan and 1_000, too
        raise ValueError("there are letters in them")
    if any(len(text) > LONGEST_NUMBER for text in texts):
        raise ValueError("some are too long")
    numbers = list(map(float, texts))
    if 0.0 in numbers or math.inf in map(abs, numbers):
        raise ValueError("some may be too small or too large")
    return numbers


def number_advice(text: str) -> str:
    """What to write in place of a text that was meant as a number; empty where nothing is known."""
    text = text[:LONGEST_SHOWN].strip()
    if re.fullmatch(_THOUSANDS, text):
        return "write decimals after a point, and thousands without commas"
    if re.fullmatch(_GAPS, text):
        return f"write {re.sub(_GAP, '', text)} without gaps"
    for pattern, replacement, how in _HABITS:
        better = re.sub(pattern, replacement, text)
        if better != text and NUMBER.fullmatch(better):
            return f"write {better} {how}"
    if re.fullmatch(_WITH_UNIT, text):  # whose number may have to be converted
        return "write the number alone, in the unit that is asked for"
    return ""


def file_bytes(path: str | Path) -> bytes:
    """The content of a file.

    Raises
    ------
    OSError
        It cannot be read, is a device or a pipe, or larger than any table.
    """
    about = Path(path).stat()
    if not (stat.S_ISREG(about.st_mode) or stat.S_ISDIR(about.st_mode)) or about.st_size > LARGEST:
        raise OSError(errno.EINVAL, "it is no plain file, or larger than 1 GiB")
    return Path(path).read_bytes()


def decode_text(content: bytes) -> str:
    """The text that bytes stand for, its lines ended by newlines alone.

    Raises
    ------
    ValueError
        It is not UTF-8; the message names the line.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(_encoding_problem(content, error.start)) from None
    if "\0" in text:
        raise ValueError("it has zero bytes, as UTF-16 and UTF-32 text have; save it as UTF-8")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _encoding_problem(content: bytes, place: int) -> str:
    for encoding, marks in _MARKS.items():
        if content.startswith(marks):
            return f"it is not UTF-8 but {encoding} text; save it as UTF-8"
    begin = content.rfind(b"\n", 0, place) + 1
    line = content[begin:].partition(b"\n")[0].decode("latin-1").strip()
    number = content.count(b"\n", 0, place) + 1
    letter = content[place : place + 1].decode("latin-1")
    problem = f"line {number} is not UTF-8: its letter {letter!r} is in Latin-1"
    return with_line(f"{problem}; save the file as UTF-8", number, line)


def read_text(path: str | Path) -> str:
    """The text of a file.

    Raises
    ------
    ValueError
        It is not UTF-8.
    OSError
        As of :func:`file_bytes`; the message says so in words.
    """
    try:
        return decode_text(file_bytes(path))
    except OSError as error:
        raise type(error)(
            f"{shown_path(path)} cannot be read: {error.strerror or error}"
        ) from error
    except ValueError as error:
        raise ValueError(f"{shown_path(path)} cannot be read: {error}") from error
