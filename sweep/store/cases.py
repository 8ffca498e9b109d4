"""The table of cases: for each case of the product, coinciding ones too, which run has its results and where on each axis it stands."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from ..errors import StoreError
from . import layout, reader, writer
from .place import Place

Table = Mapping[str, tuple[NDArray[Any], Mapping[str, Any]]]


def case_table(
    runs: NDArray[np.int64], axes: Mapping[str, str], labels: Mapping[str, NDArray[Any]]
) -> Table:
    """Arrays along ``case`` with their attributes.

    Parameters
    ----------
    runs : (cases,) row of the run that each case of the product is, in the order of the sweep file
    axes : name of each axis in the sweep file, with its name in the store
    labels : (cases,) where each case stands, by axis in the sweep file
    """
    found: dict[str, tuple[NDArray[Any], Mapping[str, Any]]] = {
        layout.CASE_RUN: (
            runs,
            {"units": "1", "long_name": "run, counted from 0, that has the results of the case"},
        )
    }
    for axis, name in axes.items():
        found[layout.CASE_LABEL.format(name)] = (
            labels[axis],
            {"units": "1", "long_name": f"position of the case on the axis {axis}"},
        )
    return found


def cases(
    group: zarr.Group, axes: Sequence[str]
) -> tuple[NDArray[np.int64], dict[str, NDArray[Any]]]:
    """Run and labels of each case of the product: from the table, or from the runs where each is one case.

    Raises
    ------
    StoreError
        The table names runs that the store does not have.
    """
    if layout.CASE_RUN not in group:
        runs: NDArray[np.int64] = np.flatnonzero(reader.column(group, "in_product"))
        return runs, {axis: reader.column(group, axis)[runs] for axis in axes}
    runs = reader.column(group, layout.CASE_RUN)
    if runs.size and runs.max() >= reader.column(group, "status").size:
        raise StoreError(
            f"{layout.CASE_RUN} names runs that the store does not have; go on with sweep run,"
            " which writes it anew"
        )
    return runs, {axis: reader.column(group, layout.CASE_LABEL.format(axis)) for axis in axes}


def renew_cases(place: Place, table: Table) -> None:
    """Put the table into a store that has none or another; what is right is left alone."""
    group = reader.open_group(place)
    if any(
        name not in group or reader.column(group, name).tolist() != values.tolist()
        for name, (values, _) in table.items()
    ):
        writer.write_cases(zarr.open_group(place.zarr_store(), mode="r+", zarr_format=3), table)
