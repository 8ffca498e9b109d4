"""Sweeps of marsdisk over a parameter space, run on Dask and stored in one Zarr store.

>>> import sweep
>>> study = sweep.load("my_sweep.yaml")
>>> sweep.plan(study)  # runs, blocks, seconds, bytes
>>> store = sweep.run(study, workers=4)  # call it again to resume the sweep
>>> store.disk_total().M_loss  # M_Mars, along all axes except the rings
>>> store.plot.heatmap(x="mu_orbit10pct", y="T0")
"""

import importlib
from typing import TYPE_CHECKING, Any

from marsdisk import __version__
from marsdisk.common.errors import ConfigError, MarsDiskError

from .common.errors import ClusterError, StoreError, TooManyFailures

if TYPE_CHECKING:
    from .interface.definition import Sweep, load
    from .interface.preview import Plan, plan
    from .interface.run import run
    from .interface.store import Store
    from .results.dataset import open_store

#: Module of each public name that is imported on first use: Dask, Zarr, and xarray would slow down
#: the help of a command.
_MODULES = {
    "Plan": "interface.preview",
    "Store": "interface.store",
    "Sweep": "interface.definition",
    "load": "interface.definition",
    "open_store": "results.dataset",
    "plan": "interface.preview",
    "run": "interface.run",
}

__all__ = [
    "ClusterError",
    "ConfigError",
    "MarsDiskError",
    "Plan",
    "Store",
    "StoreError",
    "Sweep",
    "TooManyFailures",
    "__version__",
    "load",
    "open_store",
    "plan",
    "run",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(importlib.import_module(f".{_MODULES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
