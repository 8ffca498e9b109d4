"""One zero-dimensional run of the dust disk from which Phobos and Deimos formed.

>>> from marsdisk import load_config, run_zero_d
>>> result = run_zero_d(load_config("configs/mars_0d_melt.yaml"))
>>> result.M_loss  # M_Mars
"""

import functools
import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .cache import CacheKind, CacheStats, RunCache
    from .config import RunConfig, load_config
    from .convergence import Convergence, check_run
    from .notes import Note
    from .result import RunResult, StopReason
    from .zero_d import run_zero_d

__version__ = "0.1.0"

#: Module of each public name.
_MODULES = {
    "CacheKind": "cache",
    "CacheStats": "cache",
    "Convergence": "convergence",
    "Note": "notes",
    "RunCache": "cache",
    "RunConfig": "config",
    "RunResult": "result",
    "StopReason": "result",
    "check_run": "convergence",
    "load_config": "config",
    "run_zero_d": "zero_d",
}

__all__ = [
    "CacheKind",
    "CacheStats",
    "Convergence",
    "Note",
    "RunCache",
    "RunConfig",
    "RunResult",
    "StopReason",
    "check_run",
    "load_config",
    "model_version",
    "run_zero_d",
]


def __getattr__(name: str) -> Any:
    """Import on first use: Numba takes half a second that a command's help need not wait for."""
    if name in _MODULES:
        return getattr(importlib.import_module(f".{_MODULES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@functools.cache
def model_version() -> str:
    """Return the version of the package with a digest of all code that results depend on.

    Results of equal versions agree.
    """
    from ._jit import source_digest

    sources = (
        "_jit.py",
        "physics",
        "solver",
        "data",
        "config.py",
        "config_processes.py",
        "config_sections.py",
        "derived.py",
        "notes.py",
        "noting.py",
        "series.py",
        "start.py",
        "stages.py",
        "zero_d.py",
    )
    return f"{__version__}+{source_digest(*sources)}"
