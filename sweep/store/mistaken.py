"""What is given where the store of a sweep is asked for, in words."""

from pathlib import Path

from marsdisk.io.zarr_folder import DESCRIPTION

from ..common.command import Command
from ..common.text import listed

#: Endings of sweep files and configurations.
YAML = (".yaml", ".yml")


def stores_in(folder: Path) -> list[Path]:
    """Return the folders in a folder that may be stores, sorted by name."""
    try:
        return sorted(
            path
            for path in folder.iterdir()
            # one that is being made has a point before its name
            if not path.name.startswith(".") and (path / DESCRIPTION).is_file()
        )
    except OSError:
        return []


def what_it_is(path: Path) -> str:
    """Return what a path that is no store holds, and which command takes it.

    Parameters
    ----------
    path : Path
        A file or a folder.

    Returns
    -------
    str
        A clause; empty where it cannot be told.
    """
    if path.is_file():
        if path.suffix.lower() in YAML:
            cure = f"{Command.sweep('run', path)} runs a sweep file and makes a store of it"
            return f"is a YAML file, not a store; {cure}"
        return "is a file, not a store of a sweep; check the path"
    if not path.is_dir() or (path / DESCRIPTION).exists():
        return ""
    stores = stores_in(path)
    if not stores:
        return ""
    if any(_is_array(store) for store in stores):
        return (
            f"is a store that has lost its {DESCRIPTION}, which says what it holds; restore that"
            " file from a copy, or run the sweep into another store"
        )
    names = listed([store.name for store in stores])
    return (
        f"is a folder, not a store; see the stores in it ({names}): {Command.sweep('list', path)}"
    )


def _is_array(path: Path) -> bool:
    """Whether a folder is an array of a store."""
    return (path / "c").is_dir()
