"""Provenance of results: model version, git commit, packages, tables, and, if asked for, host."""

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
    """Return the output of a git command in the package's folder; None if it fails."""
    folder = Path(marsdisk.__file__).parent
    try:
        # all arguments are our own
        process = subprocess.run(  # noqa: S603
            ["git", "-C", str(folder), *arguments],  # noqa: S607
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return process.stdout.strip()


def provenance(table_digests: dict[str, str], *, with_host: bool) -> dict[str, Any]:
    """Return the record of provenance for a store.

    Parameters
    ----------
    table_digests : dict of str to str
        Digest of each table that runs use, by its name.
    with_host : bool
        Whether to include the name of this machine; a store may be published.

    Returns
    -------
    dict
        With the commit only if the package is installed from a git checkout.
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
