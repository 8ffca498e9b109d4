"""One zero-dimensional run of the dust disk from which Phobos and Deimos formed.

>>> from marsdisk import load_config, run_zero_d
>>> result = run_zero_d(load_config("builtin:mars_0d_melt"))
>>> result.M_loss  # M_Mars
"""

import functools
import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .accuracy.convergence import Convergence, check_run
    from .cache import CacheKind, CacheStats, RunCache
    from .config import RunConfig, load_config
    from .notes import Note
    from .result import RunResult, StopReason
    from .zero_d import run_zero_d

__version__ = "0.1.0"

#: Module of each public name.
_MODULES = {
    "CacheKind": "cache",
    "CacheStats": "cache",
    "Convergence": "accuracy.convergence",
    "Note": "notes",
    "RunCache": "cache",
    "RunConfig": "config",
    "RunResult": "result",
    "StopReason": "result",
    "check_run": "accuracy.convergence",
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
    "__version__",
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


def __dir__() -> list[str]:
    return __all__


@functools.cache
def model_version() -> str:
    """Return the version of the package with a digest of all code that results depend on.

    Results of equal versions agree.
    """
    from ._jit import KERNEL_SOURCES, source_digest

    sources = (
        *KERNEL_SOURCES,
        "classic/imex.py",
        "classic/scheme.py",
        "config/build.py",
        "config/file.py",
        "config/processes.py",
        "config/run_config.py",
        "config/sections.py",
        "data",
        "io/csv_table.py",
        "io/efficiency_tables.py",
        "io/law_tables.py",
        "io/numbers.py",
        "io/text_file.py",
        "notes.py",
        "run/derived.py",
        "run/limits.py",
        "run/noting.py",
        "run/series.py",
        "run/stages.py",
        "run/start.py",
        "zero_d.py",
    )
    return f"{__version__}+{source_digest(*sources)}"
