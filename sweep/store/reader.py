"""Reading a store: what is committed, tables of scalars, and the xarray dataset."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr
from numpy.typing import NDArray

from ..errors import StoreError
from . import layout
from .place import Place, reason, storage_errors

if TYPE_CHECKING:
    import xarray


def open_group(store: str | Path | Place) -> zarr.Group:
    """The group of a store.

    Raises
    ------
    StoreError
        There is none, or of another schema.
    """
    place = Place.of(store)
    try:
        if not place.exists():
            raise StoreError(f"{place}: there is no store of a sweep here; check the path (sweep run makes one)")
        group, described = place.group(), place.descriptions()
        version = group.attrs["schema_version"]
        whole = {"sweep", "plan_digest", "block_size", "axes", "coordinates", "provenance"} <= set(group.attrs) and len(group["status"].shape) == 1  # type: ignore[union-attr]
    except StoreError:
        raise
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreError(f"{place}: is no store of a sweep, or a damaged one; move it away, or choose another --store") from error
    except storage_errors() as error:
        raise StoreError(f"{place}: cannot be read: {reason(error)}") from error
    if version != layout.SCHEMA_VERSION or not whole:
        raise StoreError(f"{place}: has schema {version}, this program reads {layout.SCHEMA_VERSION}; read it with the version that wrote it")
    expected = {*str(group.attrs["coordinates"]).split(), *(v.name for v in layout.variables(shared_grid=True))}
    damaged = sorted(name for name in expected | described.keys() if not _is_described(described.get(name, b"")))
    if damaged:
        raise StoreError(f"{place}: {', '.join(damaged)} is missing or damaged; move the store away, or choose another --store")
    return group


def _is_described(text: bytes) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def scalar_names(group: zarr.Group) -> list[str]:
    """Arrays with one value per run."""
    return [name for name, array in sorted(group.arrays()) if array.metadata.dimension_names == ("run",)]  # type: ignore[union-attr]


def column(group: zarr.Group, name: str) -> NDArray[Any]:
    """One array, whole."""
    if name not in group:
        raise StoreError(f"there is no {name!r} in the store; it has {', '.join(scalar_names(group))}")
    try:
        array = group[name]
        assert isinstance(array, zarr.Array)
        return np.asarray(array[...])
    except storage_errors() + (ValueError, KeyError, TypeError, RuntimeError) as error:  # noqa: RUF005 - mypy takes no starred tuple here
        where = str(group.store_path).removeprefix("file://")
        raise StoreError(f"{where}: {name} is damaged: {error}; move the store away, or choose another --store") from error


@dataclass(frozen=True)
class Counts:
    """How far a sweep has come."""

    runs: int
    done: int
    failed: int
    blocks: int
    blocks_committed: int

    @property
    def pending(self) -> int:
        return self.runs - self.done - self.failed


def committed_blocks(group: zarr.Group) -> NDArray[np.bool_]:
    """For each block whether it is committed."""
    status, size = column(group, "status"), block_size(group)
    starts = np.arange(0, status.size, size)
    return np.logical_and.reduceat(status != layout.PENDING, starts)


def block_size(group: zarr.Group) -> int:
    return int(group.attrs["block_size"])  # type: ignore[arg-type]


def counts(group: zarr.Group) -> Counts:
    """Runs by state, from the commit records alone."""
    status = column(group, "status")
    committed = committed_blocks(group)
    return Counts(status.size, int((status == layout.DONE).sum()), int((status == layout.FAILED).sum()), committed.size, int(committed.sum()))


def open_store(store: str | Path | Place) -> "xarray.Dataset":
    """The store as an xarray dataset, arrays read when used; ``.sweep.grid([...])`` turns runs into axes.

    Examples
    --------
    >>> ds = open_store("results/temperature_supply.zarr")
    >>> ds.sweep.grid().M_loss.sum("ring")  # M_Mars, the whole disk over the other axes
    """
    import xarray

    from . import accessor  # noqa: F401 - registers .sweep

    place = Place.of(store)
    open_group(place)
    dataset: xarray.Dataset = xarray.open_zarr(place.zarr_store(), chunks=None, consolidated=False, zarr_format=3)
    return dataset


def axis_names(group: zarr.Group) -> Sequence[str]:
    """Names of the product's axes, each a coordinate along ``run``."""
    return [str(axis) for axis in group.attrs["axes"]]  # type: ignore[union-attr]
