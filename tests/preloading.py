"""Modules that workers load before anything else, in tests and benchmarks."""

import os
from pathlib import Path

PRELOADS = Path(__file__).parent / "cluster" / "preloads"


def preloading(module: str, folder: Path = PRELOADS) -> dict[str, str]:
    """Return the environment of workers that load a module of ``folder`` first."""
    path = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        "PYTHONPATH": os.pathsep.join(path),
        "DASK_DISTRIBUTED__WORKER__PRELOAD": module,
    }
