"""Text files that a user names: read whole, unless they are devices, pipes, or too large."""

import codecs
import errno
import stat
from pathlib import Path

from ..common.text import shown_path, with_line

MAX_FILE_BYTES = 2**30  # far more than a table for a disk can have
#: Byte-order marks of other encodings; those of UTF-32 come first, as they begin like UTF-16's.
_BYTE_ORDER_MARKS = {
    "UTF-32": (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE),
    "UTF-16": (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE),
}


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
