"""Folders that hold the store of a sweep, and the names of what lies beside one; Zarr is not needed for it."""

import json
import os
from pathlib import Path

#: The file in a folder that makes it a Zarr store, or a part of one.
DESCRIPTION = "zarr.json"


def note_name(store: str, note: str) -> str:
    """Return the name of a file beside a store that is about it.

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
        Of a file or folder that need not exist.

    Returns
    -------
    Path or None
        A folder above it; None where it lies in no store.
    """
    stores = [folder for folder in path.parents if is_store(folder)]
    return stores[-1] if stores else None


def store_of_note(path: Path) -> Path | None:
    """Return the store beside a file whose name :func:`note_name` may have made for it.

    Parameters
    ----------
    path : Path
        Of a file that need not exist.

    Returns
    -------
    Path or None
        The store; None where there is none of such a name.
    """
    words = path.name.split(".")
    names = [".".join(words[1:end]) for end in range(2, len(words)) if not words[0]]
    stores = [path.with_name(name) for name in names if name]
    return next(filter(is_store, stores), None)


def is_store(folder: Path) -> bool:
    """Whether a folder is the store of a sweep, or a damaged one; what cannot be looked into is none."""
    description = folder / DESCRIPTION
    if not os.path.isfile(description):
        return False
    try:
        found = json.loads(description.read_bytes())
    except (OSError, ValueError, RecursionError):
        return True
    attributes = found.get("attributes") if isinstance(found, dict) else None
    return isinstance(attributes, dict) and "plan_digest" in attributes
