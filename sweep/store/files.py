"""Files of a store in a folder, in whose way links, files and folders of others may have come."""

import errno
import stat
from pathlib import Path

from ..errors import StoreError


def refuse_detour(root: Path, key: str) -> None:
    """Refuse a file whose folders are not all plain ones of the store.

    Parameters
    ----------
    root : Path
        Of the store.
    key : str
        Of the file, which need not exist.

    Raises
    ------
    StoreError
        It names the link or file that stands where a folder belongs.
    """
    folder = root
    for name in key.split("/")[:-1]:
        folder /= name
        try:
            mode = folder.lstat().st_mode
        except FileNotFoundError:
            return
        if not stat.S_ISDIR(mode):
            problem = f"{folder} is a link or a file where a folder of the store belongs"
            raise StoreError(
                f"{problem}; nothing beyond it was read or changed. Put a plain folder in its place"
            )


def put_in_place(file: Path, target: Path) -> None:
    """Give a file another name, over a file or an empty folder of that name.

    No file is removed but by the renaming itself: where the store has been replaced meanwhile,
    ``file`` is gone, and nothing of the new one is touched.

    Raises
    ------
    FileNotFoundError
        The file is gone.
    StoreError
        A folder with something in it has the name.
    """
    try:
        file.replace(target)
    except IsADirectoryError:
        _remove_empty_folder(target)
        file.replace(target)


def remove_file(path: Path) -> None:
    """Remove a file that may not be there, or the empty folder that is there instead.

    Raises
    ------
    StoreError
        A folder is there with something in it.
    """
    if path.is_dir() and not path.is_symlink():
        _remove_empty_folder(path)
    else:
        path.unlink(missing_ok=True)


def _remove_empty_folder(path: Path) -> None:
    try:
        path.rmdir()
    except OSError as error:
        if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
            raise
        problem = f"{path} is a folder where a file of the store belongs, and not empty"
        raise StoreError(f"{problem}; look at it and move it elsewhere") from error
