"""The identity of a process: host and number, for people, and a random name that is unique.

Containers may share a host name, and each has a process 7; two machines may share a disk. Whatever
a process writes into a store, or next to it, is therefore identified by its random name, never by
its number.
"""

import itertools
import os
import socket
import uuid
from typing import Any

NAME_DIGITS = 12  #: hexadecimal digits of a process's name


class _Process:
    """The random name of this process, and a counter for marks."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Take a new name, as a forked process does."""
        self.name = uuid.uuid4().hex[:NAME_DIGITS]
        self.marks = itertools.count()


_process = _Process()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_process.begin)


def process_name() -> str:
    """Return the random name of this process.

    Examples
    --------
    >>> len(process_name()), process_name() == process_name()
    (12, True)
    """
    return _process.name


def unique_mark() -> str:
    """Return a mark for the name of a file or the content of a note that is never used twice.

    Examples
    --------
    >>> unique_mark() == unique_mark()
    False
    """
    return f"{_process.name}-{next(_process.marks)}"


def this_process() -> dict[str, Any]:
    """Return the identity of the running process, as notes record it.

    Returns
    -------
    dict
        Its number ``pid``, its ``host``, and its random name ``process``.
    """
    return {"pid": os.getpid(), "host": socket.gethostname(), "process": _process.name}


def recorded_process() -> str:
    """Return host, number and random name of the running process in one word, as runs record it.

    Examples
    --------
    >>> recorded_process().count(":")
    2
    """
    return f"{socket.gethostname()}:{os.getpid()}:{_process.name}"
