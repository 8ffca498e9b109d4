"""The table of cases: for each case of the product, its run and its values on the axes.

Cases that coincide share a run.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from ..common.errors import StoreError
from . import layout, writer
from .location import Location
from .store import Store

Table = Mapping[str, tuple[NDArray[Any], Mapping[str, Any]]]


def case_table(
    runs: NDArray[np.int64], axes: Mapping[str, str], labels: Mapping[str, NDArray[Any]]
) -> Table:
    """Return the arrays along ``case`` with their attributes.

    Parameters
    ----------
    runs : (cases,) array of int
        Row of the run of each case of the product, in the order of the sweep file.
    axes : mapping of str to str
        Name in the store of each axis, by its name in the sweep file.
    labels : mapping of str to (cases,) array
        Value of each case on each axis, by the axis's name in the sweep file.

    Returns
    -------
    mapping of str to (array, mapping)
        Values and attributes of each array, by its name.
    """
    run_attributes = {
        "units": "1",
        "long_name": "run, counted from 0, that has the results of the case",
    }
    table: dict[str, tuple[NDArray[Any], Mapping[str, Any]]] = {
        layout.CASE_RUN: (runs, run_attributes)
    }
    for axis, name in axes.items():
        attributes = {"units": "1", "long_name": f"position of the case on the axis {axis}"}
        table[layout.CASE_LABEL.format(name)] = (labels[axis], attributes)
    return table


def cases(store: Store, axes: Sequence[str]) -> tuple[NDArray[np.int64], dict[str, NDArray[Any]]]:
    """Return the run and the values on axes of each case of the product.

    A store in which each run is one case has no table of cases; then these are those of the runs.

    Parameters
    ----------
    store : Store
        The store.
    axes : sequence of str
        Names of the axes in the store.

    Returns
    -------
    runs : (cases,) array of int
        Row of the run of each case.
    labels : dict of str to (cases,) array
        Value of each case on each axis.

    Raises
    ------
    StoreError
        The table names runs that the store does not have.
    """
    if layout.CASE_RUN not in store:
        runs: NDArray[np.int64] = np.flatnonzero(store.column("in_product"))
        return runs, {axis: store.column(axis)[runs] for axis in axes}
    runs = store.column(layout.CASE_RUN)
    if runs.size and runs.max() >= store.column("status").size:
        raise StoreError(
            f"{layout.CASE_RUN} names runs that the store does not have; continue with sweep run,"
            " which rewrites it"
        )
    return runs, {axis: store.column(layout.CASE_LABEL.format(axis)) for axis in axes}


def renew_cases(location: Location, table: Table) -> None:
    """Write the table of cases to a store that has none or another."""
    store = Store.open(location)
    is_same = all(
        name in store and store.column(name).tolist() == values.tolist()
        for name, (values, _) in table.items()
    )
    if not is_same:
        writer.write_cases(zarr.open_group(location.zarr_store(), mode="r+", zarr_format=3), table)
