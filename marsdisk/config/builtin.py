"""Configurations and sweeps that come with the program, named ``builtin:NAME``."""

import difflib
from pathlib import Path

from ..common.errors import ConfigError
from ..common.text import shown

PREFIX = "builtin:"


def folder() -> Path:
    """Return the folder of what comes with the program.

    A wheel has it in the package, a checkout beside it.
    """
    package = Path(__file__).parents[1]
    in_package = package / "configs"
    return in_package if in_package.is_dir() else package.parent / "configs"


def is_builtin(name: str | Path) -> bool:
    """Whether a file is named as one that comes with the program."""
    return str(name).startswith(PREFIX)


def located(name: str | Path) -> Path:
    """Return the path of a file, which may be given as ``builtin:NAME``.

    Parameters
    ----------
    name : str or Path
        A path, which is returned unchanged, or the name of a configuration or a sweep that comes
        with the program.

    Raises
    ------
    ConfigError
        Nothing of that name comes with the program.

    Examples
    --------
    >>> located("builtin:mars_0d_melt").name
    'mars_0d_melt.yaml'
    """
    if not is_builtin(name):
        return Path(name)
    wanted = str(name).removeprefix(PREFIX).removesuffix(".yaml")
    files = {path.stem: path for path in [*sweeps(), *configurations()]}
    if wanted in files:
        return files[wanted]
    similar = difflib.get_close_matches(wanted, files, n=1)
    hint = f"; did you mean {PREFIX}{similar[0]}?" if similar else ""
    problem = f"nothing of this name comes with the program{hint}; there are"
    raise ConfigError([f"{problem} {', '.join(sorted(files))}"], shown(str(name)))


def configurations() -> list[Path]:
    """Return the configurations of single runs that come with the program."""
    return sorted(folder().glob("*.yaml"))


def sweeps() -> list[Path]:
    """Return the sweeps that come with the program."""
    return sorted((folder() / "sweeps").glob("*.yaml"))
