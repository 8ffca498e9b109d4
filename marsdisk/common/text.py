"""Texts for messages: cut to a length that can be read, without characters that terminals obey."""

from pathlib import Path

LONGEST_SHOWN = 100  # characters of a value in a message
MAX_PATH_CHARACTERS = 400  # of a path in a message

#: Control codes that a terminal obeys instead of showing, except the ends of lines and tabs.
_CONTROL_CODES = {*range(0x20), *range(0x7F, 0xA0)} - {ord("\n"), ord("\t")}
#: Characters that end lines or change the direction of writing, and halves of surrogate pairs.
_INVISIBLE_CODES = {
    0x061C,
    0x200E,
    0x200F,
    *range(0x2028, 0x202F),
    *range(0x2066, 0x206A),
    *range(0xD800, 0xE000),
}
_ESCAPES = {
    **{code: f"\\x{code:02x}" for code in _CONTROL_CODES},
    **{code: f"\\u{code:04x}" for code in _INVISIBLE_CODES},
}


def printable(text: str) -> str:
    """Return ``text`` with characters escaped that a terminal would obey.

    Names and messages in a file may come from anybody.
    """
    return text.translate(_ESCAPES)


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


def with_line(problem: str, number: int, line: str, file: str = "") -> str:
    """Append to a problem the line of the file that causes it.

    Parameters
    ----------
    problem : str
        The message.
    number : int
        Number of the line, from 1.
    line : str
        Its text.
    file : str
        Name of the file, where it is not the one that the message is about.
    """
    place = f"line {number} of {shown_text(file)}" if file else f"line {number}"
    return f"{problem}\n      {place}: {shown_text(line.strip())}"
