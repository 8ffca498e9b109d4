"""What the CF conventions ask of a file: units that UDUNITS knows, flags of one type, and origin.

No other module knows them. What is in memory and in a store keeps the units that people read.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import xarray
from numpy.typing import DTypeLike, NDArray

from marsdisk.physics.constants import M_MARS, R_MARS

from ..store import layout
from ..store.description import Description
from .portable import with_every_chunk

#: The attribute with the unit of a store where a file has another text for it.
STORE_UNITS = "store_units"
#: Parts of units that UDUNITS does not know, or takes for something else, as UDUNITS writes them.
UDUNITS = {
    "M_Mars": f"{M_MARS} kg",
    "R_M": f"{R_MARS} m",
    "yr": "Julian_year",  # UDUNITS' yr is the tropical year
    "T_orb": "1",  # the orbital period at the ring
    "dex": "1",
}
#: Attributes with one value of the array's own type for each word.
FLAGS = ("flag_values", "flag_masks")
LONG_NAMES = {
    "run": "row of the run in the store",
    "sample": "number of the sample in the series of a run",
    "status": layout.STATUS_VARIABLE.attributes["long_name"],
}
#: The arrays that say how good the results beside them are.
QUALITY = ("status", layout.NOTES)


def udunits(unit: str) -> str:
    """Return the unit of a store as UDUNITS reads it; values in it stay as they are.

    Examples
    --------
    >>> udunits("M_Mars s-1")
    '6.4171e+23 kg s-1'
    """
    return " ".join(UDUNITS.get(part, part) for part in unit.split())


def store_unit(attributes: Mapping[Any, Any]) -> str:
    """Return the unit in which a store has an array, from attributes that may be those of CF."""
    return str(attributes.get(STORE_UNITS, attributes.get("units", "1")))


def cf_attributes(name: str, attributes: Mapping[str, Any], dtype: DTypeLike) -> dict[str, Any]:
    """Return the attributes of an array as CF asks for them.

    Parameters
    ----------
    name : str
        Name of the array.
    attributes : mapping
        As the store has them; or as this function returns them, which changes nothing.
    dtype : dtype-like
        Type of the array in the store or in memory.

    Returns
    -------
    dict
        The same, with units of UDUNITS and ``store_units`` where the store has another text,
        with flags of the array's type, and with a ``long_name`` in any case.
    """
    kept = {key: value for key, value in attributes.items() if not _is_blank(value)}
    long_name = kept.get("config_key") or LONG_NAMES.get(name, name)
    kept.setdefault("long_name", long_name)
    unit = kept.get("units")
    if unit is not None and udunits(unit) != unit:
        kept["units"] = udunits(unit)
        kept[STORE_UNITS] = unit
    stored = np.dtype(dtype)
    if stored.kind == "b":
        kept["flag_values"] = np.array([0, 1], dtype="i1")
        kept["flag_meanings"] = "false true"
    else:
        for key in kept.keys() & set(FLAGS):
            kept[key] = np.asarray(kept[key], dtype=stored)
    if name == "status":
        kept["standard_name"] = "status_flag"
    return kept


def quality_of(name: str, present: Iterable[str]) -> dict[str, str]:
    """Return the attribute that names the arrays which say how good a result is.

    Parameters
    ----------
    name : str
        Name of an array that is no coordinate.
    present : iterable of str
        Names of the arrays in the file that have no dimensions but those of this one.
    """
    there = set(present)
    qualities = [quality for quality in QUALITY if quality in there]
    if name in QUALITY or not qualities:
        return {}
    return {"ancillary_variables": " ".join(qualities)}


def cf_origin(description: Description) -> dict[str, str]:
    """Return the attributes of a file that say what is in it and where it comes from."""
    origin = description.provenance
    source = f"marsdisk {origin.model_version}"
    made = f"{origin.created} " if origin.created else ""
    return {
        "Conventions": "CF-1.11",
        "title": description.title or "sweep of marsdisk",
        "source": source,
        "history": f"{made}computed by sweep run with {source}",
    }


def as_cf(dataset: xarray.Dataset, description: Description) -> xarray.Dataset:
    """Return a dataset that xarray saves as CF asks.

    Parameters
    ----------
    dataset : xarray.Dataset
        As :func:`sweep.open_store` returns it, or what was made of it.
    description : Description
        What its store says of itself.

    Returns
    -------
    xarray.Dataset
        The same values. Of an array along a dimension of its own name CF asks that it is of numbers
        which rise or fall; others (texts, and axes with ``null``) are called ``NAME_label``.
    """
    labels = {
        str(name): f"{name}_label"
        for name in dataset.dims
        if name in dataset.coords and not _rises_or_falls(dataset[name].values)
    }
    cf = dataset.reset_index(list(labels)).rename_vars(labels).copy()
    for key, variable in cf.variables.items():
        name = str(key)
        variable.attrs = cf_attributes(name, variable.attrs, variable.dtype)
        if name in cf.data_vars:
            along = set(variable.dims)
            beside = [quality for quality in cf.data_vars if along >= set(cf[quality].dims)]
            variable.attrs.update(quality_of(name, map(str, beside)))
        elif variable.dtype.kind == "f":
            # CF allows none along a dimension of its own name, and xarray adds one
            variable.encoding["_FillValue"] = None
    return with_every_chunk(cf).assign_attrs(cf_origin(description))


def _rises_or_falls(values: NDArray[Any]) -> bool:
    if values.dtype.kind not in "iuf":
        return False
    steps = np.diff(values)
    is_finite = bool(np.isfinite(values).all())
    return is_finite and bool((steps > 0).all() or (steps < 0).all())


def _is_blank(value: Any) -> bool:
    return isinstance(value, str) and not value
