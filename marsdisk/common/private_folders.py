"""Folders that only this user can write to, as code may be read from them."""

import os
import stat
from contextlib import suppress
from pathlib import Path

WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
FOR_THE_OWNER_ONLY = 0o700


class SharedFolderError(OSError):
    """A folder into which somebody else could have put files."""


def describe_intruders(folder: Path) -> str:
    """Return in words who else could put files into a folder; empty if nobody could.

    Parameters
    ----------
    folder : Path
        A folder that exists, without links in the path to it.

    Returns
    -------
    str
        Empty if this user owns the folder and nobody else may write into it. The folders above it
        may be writable by others, as a container's temporary folder is: a folder that somebody else
        puts in place of ours does not belong to this user.
    """
    # Windows has other means to keep a user's folders private.
    if not hasattr(os, "geteuid"):
        return ""
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode):
        return f"{folder} is a link or a file"
    if status.st_uid != os.geteuid():
        return f"{folder} belongs to another user"
    if status.st_mode & WRITABLE_BY_OTHERS:
        return f"others may write into {folder} (chmod go-w takes that back)"
    return ""


def refuse_shared(folder: Path) -> None:
    """Refuse a folder into which somebody else could have put files.

    Raises
    ------
    SharedFolderError
        Somebody else owns the folder, or may write to it.
    """
    intruders = describe_intruders(folder)
    if intruders:
        raise SharedFolderError(intruders)


def close_to_others(folder: Path) -> None:
    """Take from others the right to write into a folder, if it belongs to this user."""
    if not hasattr(os, "geteuid"):
        return
    # the folder may not exist
    with suppress(OSError):
        status = folder.lstat()
        is_own_folder = stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()
        if is_own_folder and status.st_mode & WRITABLE_BY_OTHERS:
            folder.chmod(stat.S_IMODE(status.st_mode) & ~WRITABLE_BY_OTHERS)


def make_private(root: Path, name: str) -> Path:
    """Make the folder ``name`` below ``root``, and ``root`` itself, unless they exist.

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
