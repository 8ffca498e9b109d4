"""Text files that a user names: read whole, unless they are devices, pipes, or too large.

Numbers in them consist of digits, a point and an exponent, in YAML as in CSV; this module defines
that.
"""

import codecs
import errno
import math
import re
import stat
from collections.abc import Sequence
from pathlib import Path

MAX_FILE_BYTES = 2**30  # far more than a table for a disk can have
MAX_NUMBER_CHARACTERS = 1000  # 17 digits give a float64 exactly
LONGEST_SHOWN = 100  # characters of a value in a message
MAX_PATH_CHARACTERS = 400  # of a path in a message

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
#: Byte-order marks of other encodings; those of UTF-32 come first, as they begin like UTF-16's.
_BYTE_ORDER_MARKS = {
    "UTF-32": (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE),
    "UTF-16": (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE),
}


def shown(value: object) -> str:
    """Return the representation of a value, cut to a length that fits in a message."""
    return shown_text(repr(value))


def shown_text(text: str) -> str:
    """Return a text without quotes, cut to a length that fits in a message."""
    if len(text) <= LONGEST_SHOWN:
        return text
    return f"{text[: LONGEST_SHOWN - 3]}..."


def shown_path(path: str | Path) -> str:
    """Return a path as text, cut only if it is longer than paths are."""
    text = str(path)
    if len(text) <= MAX_PATH_CHARACTERS:
        return text
    return shown_text(text)


def with_line(problem: str, number: int, line: str) -> str:
    """Append to a problem the line of the file that causes it.

    Parameters
    ----------
    problem : str
        The message.
    number : int
        Number of the line, from 1.
    line : str
        Its text.
    """
    return f"{problem}\n      line {number}: {shown_text(line.strip())}"


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


def file_bytes(path: str | Path) -> bytes:
    """Return the content of a file.

    Raises
    ------
    OSError
        It cannot be read, is a device or a pipe, or is larger than any table.
    """
    status = Path(path).stat()
    # a folder passes: reading it raises an error of its own
    readable = stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)
    if not readable or status.st_size > MAX_FILE_BYTES:
        raise OSError(errno.EINVAL, "it is no plain file, or larger than 1 GiB")
    return Path(path).read_bytes()


def decode_text(content: bytes) -> str:
    """Return the text that bytes stand for, with lines ended by newlines alone.

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


def _encoding_problem(content: bytes, offset: int) -> str:
    for encoding, marks in _BYTE_ORDER_MARKS.items():
        if content.startswith(marks):
            return f"it is not UTF-8 but {encoding} text; save it as UTF-8"
    begin = content.rfind(b"\n", 0, offset) + 1
    line = content[begin:].partition(b"\n")[0].decode("latin-1").strip()
    number = content.count(b"\n", 0, offset) + 1
    letter = content[offset : offset + 1].decode("latin-1")
    problem = f"line {number} is not UTF-8: its letter {letter!r} is in Latin-1"
    return with_line(f"{problem}; save the file as UTF-8", number, line)


def read_text(path: str | Path) -> str:
    """Return the text of a file.

    Raises
    ------
    ValueError
        It is not UTF-8.
    OSError
        As for :func:`file_bytes`; the message names the file and the reason.
    """
    try:
        return decode_text(file_bytes(path))
    except OSError as error:
        reason = error.strerror or error
        raise type(error)(f"{shown_path(path)} cannot be read: {reason}") from error
    except ValueError as error:
        raise ValueError(f"{shown_path(path)} cannot be read: {error}") from error
