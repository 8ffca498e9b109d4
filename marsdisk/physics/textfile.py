"""Files that people, or a store that came from somewhere, name: read whole, but for what would never end."""

import errno
import io
import stat
from pathlib import Path

LARGEST = 2**30  # bytes; no table of a disk has so many


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
        return io.TextIOWrapper(io.BytesIO(file_bytes(path)), encoding="utf-8-sig").read()
    except OSError as error:
        raise type(error)(f"{path} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} cannot be read: it is not UTF-8 text") from error
