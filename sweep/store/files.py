"""Files of a store in a folder, where others may have put links, files and folders."""

import errno
import os
import stat
from pathlib import Path

from ..common.errors import StoreError


def refuse_detour(root: Path, key: str) -> None:
    """Refuse a file whose folders are not all plain folders of the store.

    Parameters
    ----------
    root : Path
        Folder of the store.
    key : str
        Path of the file in it, which need not exist.

    Raises
    ------
    StoreError
        The message names the link or file that is where a folder belongs.
    """
    folder = str(root)  # joining texts takes less than joining paths, for each chunk of a block
    for name in key.split("/")[:-1]:
        folder = f"{folder}/{name}"
        try:
            mode = os.lstat(folder).st_mode
        except FileNotFoundError:
            return
        if not stat.S_ISDIR(mode):
            problem = f"{folder} is a link or a file where a folder of the store belongs"
            raise StoreError(
                f"{problem}; nothing beyond it was read or changed. Put a plain folder in its place"
            )


def put_in_place(file: Path, target: Path) -> None:
    """Rename a file, replacing a file or an empty folder of that name.

    Only the renaming removes a file: where the store has been replaced meanwhile, ``file`` is gone,
    and nothing of the new store is touched.

    Raises
    ------
    FileNotFoundError
        The file is gone.
    StoreError
        A folder of that name is not empty.
    """
    try:
        file.replace(target)
    except IsADirectoryError:
        _remove_empty_folder(target)
        file.replace(target)


def remove_file(path: Path) -> None:
    """Remove a file if it exists, or an empty folder that is there instead.

    Raises
    ------
    StoreError
        A folder is there that is not empty.
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
        raise StoreError(f"{problem}; inspect it and move it elsewhere") from error
