"""Folders whose contents are this user's own: what is read from them may be code."""

import os
import stat
from contextlib import suppress
from pathlib import Path

OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
FOR_THE_OWNER_ONLY = 0o700


class SharedFolderError(OSError):
    """Somebody else could have put files into a folder."""


def describe_intruders(folder: Path) -> str:
    """Return who besides this user could put files into a folder, in words; empty if nobody could.

    Parameters
    ----------
    folder : Path
        A folder that exists, without links in the path to it.

    Returns
    -------
    str
        Empty if this user owns the folder and nobody else may write into it. The folders above it
        may be writable for others, as a container's temporary folder is: what somebody else puts in
        the place of ours is not ours.
    """
    if not hasattr(os, "geteuid"):  # Windows has other means to keep a user's folders private
        return ""
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        return f"{folder} is a link or a file"
    if found.st_uid != os.geteuid():
        return f"{folder} belongs to another user"
    if found.st_mode & OTHERS_WRITE:
        return f"others may write into {folder} (chmod go-w takes that back)"
    return ""


def refuse_shared(folder: Path) -> None:
    """Raise :class:`SharedFolderError` unless the contents of a folder are this user's own."""
    intruders = describe_intruders(folder)
    if intruders:
        raise SharedFolderError(intruders)


def close_to_others(folder: Path) -> None:
    """Take from others the right to write into a folder; what is not this user's is left alone."""
    if not hasattr(os, "geteuid"):
        return
    with suppress(OSError):  # where there is none, nothing has to be closed
        found = folder.lstat()
        is_ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
        if is_ours and found.st_mode & OTHERS_WRITE:
            folder.chmod(stat.S_IMODE(found.st_mode) & ~OTHERS_WRITE)


def make_private(root: Path, name: str) -> Path:
    """Make the folder ``name`` below ``root``, and ``root`` itself, unless they are there.

    Raises
    ------
    SharedFolderError
        Somebody else could have put files into one of them.
    OSError
        They cannot be made.
    """
    root.mkdir(mode=FOR_THE_OWNER_ONLY, parents=True, exist_ok=True)
    refuse_shared(root)
    folder = root / name
    folder.mkdir(mode=FOR_THE_OWNER_ONLY, exist_ok=True)
    refuse_shared(folder)
    return folder
