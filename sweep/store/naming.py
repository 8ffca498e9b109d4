"""Names of the folders of stores: links to them, and names that a store cannot have."""

import os
from pathlib import Path

from marsdisk.io.zarr_folder import store_around

from ..common.errors import StoreError

NAME_BYTES = 255  # at most, in a name, where the system does not say
NOTE_BYTES = 100  # at most, that a note adds to the name of its store while it is being written


def folder_behind(text: str) -> str:
    """Return the folder that a path stands for, where the path is not its name.

    Two names of a store then have one lock and the same notes. Links further up in the path need
    not be followed for that, and stay as people know them.

    Parameters
    ----------
    text : str
        Path of a store, or of one that is to be created.

    Returns
    -------
    str
        The target of a symbolic link, or the folder that ``.`` and ``..`` stand for; else empty.

    Raises
    ------
    StoreError
        The link leads nowhere.

    Examples
    --------
    >>> folder_behind("results/x.zarr")
    ''
    """
    path = Path(text)
    is_link = os.path.islink(path)
    if is_link and not os.path.exists(path):
        problem = f"is a symbolic link to {os.readlink(path)}, where there is nothing"
        cure = "mount its disk, correct the link, or give the store itself"
        raise StoreError(f"{text}: {problem}; {cure}")
    is_name = path.name not in {"", os.pardir}
    if not text or (is_name and not is_link):
        return ""
    return os.path.realpath(path)


def refuse_name(path: Path, text: str) -> None:
    """Refuse to create a store where it, or the notes next to it, would interfere with another.

    Parameters
    ----------
    path : Path
        Folder of the store.
    text : str
        The path as people have typed it.

    Raises
    ------
    StoreError
        Its name is that of a note, or too long for notes; or it would be inside another store.
    """
    if path.name.startswith("."):
        problem = "names that begin with a point are those of notes next to a store"
        raise StoreError(f"{text}: {problem}; give another name with --store")
    around = store_around(Path(os.path.realpath(path)))
    if around is not None:
        raise StoreError(
            f"{text}: lies in the store {around}; choose another location with --store"
        )
    limit = _longest_name(path.parent) - NOTE_BYTES
    size = len(os.fsencode(path.name))
    if size > limit:
        raise StoreError(
            f"{text}: the name of a store may have {limit} bytes here, since notes next to it have "
            f"longer names, and this has {size}; give a shorter one with --store"
        )


def _longest_name(folder: Path) -> int:
    """Return the maximum length of a name in a folder, in bytes; it need not exist yet."""
    folder = folder.absolute()
    while not os.path.exists(folder) and folder != folder.parent:
        folder = folder.parent
    try:
        longest = os.pathconf(folder, "PC_NAME_MAX")
    except (OSError, ValueError):
        return NAME_BYTES
    return longest if longest > 0 else NAME_BYTES
