"""Who a process is: host and number, for people, and a random name that no other process has.

Containers may share a host name, and each has a process 7; two machines may share a disk. What a
process writes beside or into a store is therefore told from that of others by its random name,
never by its number.
"""

import itertools
import os
import socket
import uuid
from typing import Any

NAME_DIGITS = 12  #: hexadecimal ones, of a process's name


class _Process:
    """This process."""

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
    """Return a mark for a file's name or a note's content that nobody uses twice.

    Examples
    --------
    >>> unique_mark() == unique_mark()
    False
    """
    return f"{_process.name}-{next(_process.marks)}"


def this_process() -> dict[str, Any]:
    """Return who this process is, as notes hold it.

    Returns
    -------
    dict
        Its number ``pid``, its ``host``, and its random name ``process``.
    """
    return {"pid": os.getpid(), "host": socket.gethostname(), "process": _process.name}


def recorded_process() -> str:
    """Return host, number and random name of this process in one word, as runs record it.

    Examples
    --------
    >>> recorded_process().count(":")
    2
    """
    return f"{socket.gethostname()}:{os.getpid()}:{_process.name}"
