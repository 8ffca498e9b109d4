"""Folders of stores, and the names of files next to them, without a need for Zarr."""

import json
import os
from pathlib import Path

#: The file that makes a folder a Zarr store, or a part of one.
DESCRIPTION = "zarr.json"


def note_name(store: str, note: str) -> str:
    """Return the name of a file about a store that lies next to it.

    Examples
    --------
    >>> note_name("x.zarr", "lock")
    '.x.zarr.lock'
    """
    return f".{store}.{note}"


def store_around(path: Path) -> Path | None:
    """Return the outermost store of a sweep that a path lies in.

    Parameters
    ----------
    path : Path
        Path of a file or folder that need not exist.

    Returns
    -------
    Path or None
        A folder above it; None where it lies in no store.
    """
    stores = [folder for folder in path.parents if is_store(folder)]
    return stores[-1] if stores else None


def store_of_note(path: Path) -> Path | None:
    """Return the store that a file lies next to, by a name of :func:`note_name`.

    Parameters
    ----------
    path : Path
        Path of a file that need not exist.

    Returns
    -------
    Path or None
        The store; None where there is no store of that name.
    """
    beginning, *words = path.name.split(".")
    if beginning:
        return None
    for end in range(1, len(words)):
        name = ".".join(words[:end])
        if name and is_store(path.with_name(name)):
            return path.with_name(name)
    return None


def is_store(folder: Path) -> bool:
    """Return whether a folder is the store of a sweep, or a damaged one.

    A folder that cannot be opened is not.
    """
    description = folder / DESCRIPTION
    if not os.path.isfile(description):
        return False
    try:
        content = json.loads(description.read_bytes())
    except (OSError, ValueError, RecursionError):
        return True
    attributes = content.get("attributes") if isinstance(content, dict) else None
    return isinstance(attributes, dict) and "plan_digest" in attributes
