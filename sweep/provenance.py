"""Where numbers come from: model version, git commit, packages, tables, and the host where that is asked for."""

import platform
import socket
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import marsdisk

PACKAGES = (
    "numpy",
    "numba",
    "llvmlite",
    "zarr",
    "numcodecs",
    "dask",
    "distributed",
    "xarray",
    "pydantic",
)


def _git(*arguments: str) -> str | None:
    folder = Path(marsdisk.__file__).parent
    try:
        done = subprocess.run(  # noqa: S603
            ["git", "-C", str(folder), *arguments],  # noqa: S607
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def provenance(table_digests: dict[str, str], *, with_host: bool) -> dict[str, Any]:
    """Return what is recorded with a store.

    Parameters
    ----------
    table_digests : dict of str to str
        By the names of the tables that runs use.
    with_host : bool
        Whether the name of this machine is part of it: a store may be published.

    Returns
    -------
    dict
        With the commit only where the package is installed from a git checkout.
    """
    host = {"host": socket.gethostname()} if with_host else {}
    tracked = _git("ls-files", "--error-unmatch", "__init__.py") is not None
    return {
        "model_version": marsdisk.model_version(),
        "git_commit": _git("rev-parse", "HEAD") if tracked else None,
        "git_dirty": bool(_git("status", "--porcelain", ".")) if tracked else None,
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
        **host,
        "platform": platform.platform(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "tables": table_digests,
    }
