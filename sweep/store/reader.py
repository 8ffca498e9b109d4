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

if TYPE_CHECKING:
    import xarray


def open_group(path: str | Path) -> zarr.Group:
    """The group of a store.

    Raises
    ------
    StoreError
        There is none, or of another schema.
    """
    if not Path(path).exists():
        raise StoreError(f"{path}: there is no store of a sweep here; check the path (sweep run makes one)")
    try:
        group = zarr.open_group(path, mode="r")
        version = group.attrs["schema_version"]
        whole = {"sweep", "plan_digest", "block_size", "axes", "coordinates", "provenance"} <= set(group.attrs) and len(group["status"].shape) == 1  # type: ignore[union-attr]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreError(f"{path}: is no store of a sweep, or a damaged one; move it away, or choose another --store") from error
    if version != layout.SCHEMA_VERSION or not whole:
        raise StoreError(f"{path}: has schema {version}, this program reads {layout.SCHEMA_VERSION}; read it with the version that wrote it")
    expected = {*str(group.attrs["coordinates"]).split(), *(v.name for v in layout.variables(shared_grid=True))}
    damaged = sorted(
        name for name in expected | {file.parent.name for file in Path(path).glob("*/zarr.json")} if not _is_described(Path(path) / name)
    )
    if damaged:
        raise StoreError(f"{path}: {', '.join(damaged)} is missing or damaged; move the store away, or choose another --store")
    return group


def _is_described(array: Path) -> bool:
    try:
        return isinstance(json.loads((array / "zarr.json").read_bytes()), dict)
    except (OSError, ValueError):
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
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
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


def open_store(path: str | Path, chunks: Any = None) -> "xarray.Dataset":
    """The store as an xarray dataset, arrays read when used; see :class:`sweep.store.accessor.SweepAccessor` for ``.sweep``.

    Parameters
    ----------
    chunks : None reads an array whole when it is first used, which is fastest for all but the largest stores; {} makes Dask arrays, a
        chunk for each block, for what does not fit into memory

    Examples
    --------
    >>> ds = open_store("results/temperature_supply.zarr")
    >>> ds.sweep.disk_total().M_loss  # M_Mars, of the whole disk over the other axes
    """
    import xarray

    from . import accessor  # noqa: F401 - registers .sweep

    open_group(path)
    dataset: xarray.Dataset = xarray.open_zarr(path, chunks=chunks, consolidated=False)
    return dataset


def axis_names(group: zarr.Group) -> Sequence[str]:
    """Names of the product's axes, each a coordinate along ``run``."""
    return [str(axis) for axis in group.attrs["axes"]]  # type: ignore[union-attr]
