"""What the folder of a store may be called: by a link, which is followed once, and not too long."""

import os
from pathlib import Path

from marsdisk.zarr_folder import store_around

from ..errors import StoreError

NAME_BYTES = 255  # that a name has at most, where the system does not say
NOTE_BYTES = 100  # of them that a note puts around the name of its store, while it is being written


def folder_behind(text: str) -> str:
    """Return the folder that a path stands for where it does not name it.

    Two names of a store then have one lock and the same notes. Links higher up need not be
    followed for that, and stay as people know them.

    Parameters
    ----------
    text : str
        A path, of a store or of one that is to be made.

    Returns
    -------
    str
        Where a symbolic link leads, or what ``.`` and ``..`` stand for; else empty.

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
        where = f"is a symbolic link to {os.readlink(path)}, where there is nothing"
        cure = "mount its disk, mend the link, or give the store itself"
        raise StoreError(f"{text}: {where}; {cure}")
    is_name = path.name not in {"", os.pardir}
    if not text or (is_name and not is_link):
        return ""
    return os.path.realpath(path)


def refuse_name(path: Path, text: str) -> None:
    """Refuse to make a store where it, or what lies beside it, would be in the way of another.

    Parameters
    ----------
    path : Path
        Where it is to be.
    text : str
        What people call it.

    Raises
    ------
    StoreError
        Its name is that of a note, or too long for notes; or it would lie in another store.
    """
    if path.name.startswith("."):
        problem = "names that begin with a point are those of notes beside a store"
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
            f"{text}: the name of a store may have {limit} bytes here, as notes beside it have "
            f"longer ones, and this has {size}; give a shorter one with --store"
        )


def _longest_name(folder: Path) -> int:
    """Return how many bytes a name may have in a folder, which need not exist yet."""
    folder = folder.absolute()
    while not os.path.exists(folder) and folder != folder.parent:
        folder = folder.parent
    try:
        longest = os.pathconf(folder, "PC_NAME_MAX")
    except (OSError, ValueError):
        return NAME_BYTES
    return longest if longest > 0 else NAME_BYTES
