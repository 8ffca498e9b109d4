"""Very many runs of marsdisk over a parameter space, on Dask, into one Zarr store.

>>> import sweep
>>> ds = sweep.open_store("results/temperature_supply.zarr")
>>> ds.sweep.grid().M_loss.sum("ring")
"""

from typing import Any

__all__ = ["open_store"]


def __getattr__(name: str) -> Any:
    """Import on first use: zarr and xarray take a second that a command's help need not wait for."""
    if name == "open_store":
        from .store.reader import open_store

        return open_store
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
