"""Tables that runs were computed from, and whether they are still the same."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from .failures import reason


def change_of_table(name: str, digest: object) -> str:
    """Say how a table has changed since a store was created.

    Parameters
    ----------
    name : str
        Configuration key and path, such as ``radiation.Q_pr = /data/q.csv``.
    digest : object
        SHA-256 of its content then, as the store records it.

    Returns
    -------
    str
        The change in words; empty where the table is the same.
    """
    try:
        present = _digest(name)
    except (OSError, ValueError) as error:
        return f"cannot be read here ({reason(error)})"
    return "" if present == digest else "its content has changed"


def is_missing(name: str) -> bool:
    """Return whether there is no file any more where a table was.

    Parameters
    ----------
    name : str
        As of :func:`change_of_table`.
    """
    from marsdisk.io.efficiency_tables import SHIPPED

    _, _, path = name.partition(" = ")
    return path not in SHIPPED and not os.path.exists(path)


def _digest(name: str) -> str:
    from marsdisk.io import efficiency_tables
    from marsdisk.physics.qpr_table import EfficiencyTable

    shipped: Callable[[str], EfficiencyTable]
    read: Callable[[Path], EfficiencyTable]
    key, _, path = name.partition(" = ")
    if key == "radiation.Q_pr":
        shipped = efficiency_tables.shipped_qpr_table
        read = efficiency_tables.read_qpr_table
    elif key == "optical_depth.Q_ext":
        shipped = efficiency_tables.shipped_qext_table
        read = efficiency_tables.read_qext_table
    else:
        return hashlib.sha256(_plain_file(path).read_bytes()).hexdigest()
    if path in efficiency_tables.SHIPPED:
        return shipped(path).digest
    return read(_plain_file(path)).digest


def _plain_file(path: str) -> Path:
    """Refuse a pipe, which would hang, and the like: the record may come from anybody."""
    if not os.path.exists(path):
        raise ValueError("there is no such file")
    if not Path(path).is_file():
        raise ValueError("not a regular file")
    return Path(path)
