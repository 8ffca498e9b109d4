"""Sweeps of marsdisk over a parameter space, run on Dask and stored in one Zarr store.

>>> import sweep
>>> ds = sweep.open_store("results/temperature_supply.zarr")
>>> ds.sweep.grid().M_loss.sum("ring")
"""

from typing import Any

__all__ = ["open_store"]


def __getattr__(name: str) -> Any:
    """Import ``open_store`` on first use: zarr and xarray would slow down the help of a command."""
    if name == "open_store":
        from .results.dataset import open_store

        return open_store
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
