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

_HOMES = {
    **dict.fromkeys(("RunCache", "CacheKind", "CacheStats"), "cache"),
    **dict.fromkeys(("RunConfig", "load_config"), "config"),
    **dict.fromkeys(("Convergence", "check_run"), "convergence"),
    **dict.fromkeys(("RunResult", "StopReason"), "result"),
    "Note": "notes",
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
    if name in _HOMES:
        return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@functools.cache
def model_version() -> str:
    """Version of the package and digest of all that a result depends on: results of equal versions can be trusted to agree."""
    from ._jit import source_digest

    parts = (
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
    return f"{__version__}+{source_digest(*parts)}"
