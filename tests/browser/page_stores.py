"""A store of very many runs, made without running them from the store of a few."""

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from small_sweeps import as_of_schema

from sweep.store import layout, writer
from sweep.store.locate import locate
from sweep.store.store import Store

LARGE = {
    "temperature.T0": [3000.0, 5000.0, 250],
    "optical_depth.tau0_target": [0.1, 1.0, 20],
    "supply.mu_orbit10pct": [0.1, 10.0, 20],
}
BLOCK = 1000


def large_store(path: Path, small: Path) -> int:
    """Make a store of 100,000 runs at ``path``, and return the number of its failed runs.

    Its first block repeats the series of run 0 of ``small``.

    Every 97th run of the last half failed. M_loss is T0 x tau0_target x mu_orbit10pct x 1e-15.
    """
    source = Store.open(small)
    attributes: dict[str, Any] = source.description.recorded
    for name in ("schema_version", "coordinates"):
        attributes.pop(name)
    content = {
        **attributes["sweep"]["content"],
        "name": "large",
        "axes": {key: {"linspace": span} for key, span in LARGE.items()},
        "block": BLOCK,
    }
    attributes["sweep"] = {**attributes["sweep"], "content": content}
    attributes.update(
        title="large",
        axes=[key.split(".")[-1] for key in LARGE],
        block_size=BLOCK,
        rows=math.prod(span[2] for span in LARGE.values()),
    )
    points = np.array(list(itertools.product(*(np.linspace(*span) for span in LARGE.values()))))
    runs = len(points)
    coordinates: dict[str, Any] = {
        "run_id": (np.array([f"{i:016x}" for i in range(runs)], dtype=np.dtypes.StringDType()), {}),
        "block": (np.arange(runs) // BLOCK, {"units": "1"}),
        "in_product": (np.ones(runs, bool), {"units": "1"}),
        **{
            key.split(".")[-1]: (
                points[:, i],
                {"config_key": key, "units": "K" if key.endswith("T0") else "1"},
            )
            for i, key in enumerate(LARGE)
        },
    }
    sizes = {
        dim: n
        for name in ("N", "cache_invalidations", "t")
        for dim, n in zip(source.arrays[name].dims[1:], source.arrays[name].shape[1:], strict=True)
    }
    writer.create_store(
        locate(path),
        runs=runs,
        block_size=BLOCK,
        sizes=sizes,
        coordinates=coordinates,
        shared_sizes=source.column("s"),
        parts=(),
        attributes=attributes,
        cases={},
    )
    group = zarr.open_group(path, mode="r+")
    status = np.full(runs, layout.DONE, dtype=np.uint8)
    status[runs // 2 :: 97] = layout.FAILED
    failed = status == layout.FAILED
    _array(group, "M_loss")[...] = np.where(failed, np.nan, points.prod(axis=1) * 1e-15)
    _array(group, "stop_reason")[...] = np.where(failed, 0, 1).astype(np.uint8)
    _array(group, "t_end")[...] = np.full(runs, 3e6)
    for name in (
        "t",
        "Sigma",
        "tau_los",
        "T_M",
        "s_blow",
        "M_out_dot",
        "M_loss_cum",
        "N",
        "t_snapshot",
    ):
        _array(group, name)[:BLOCK] = np.repeat(source.rows(name, slice(1)), BLOCK, axis=0)
    _array(group, "status")[...] = status
    as_of_schema(path, layout.FIRST_WITH_EVERY_CHUNK - 1)  # most chunks are no files
    return int(failed.sum())


def _array(group: zarr.Group, name: str) -> zarr.Array:
    array = group[name]
    assert isinstance(array, zarr.Array)
    return array
