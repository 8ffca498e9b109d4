"""Datasets that xarray can save in any of its formats, and what they record when read again."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray
from numpy.typing import NDArray
from xarray.backends import BackendArray
from xarray.core import indexing

#: Attributes of a store that are text everywhere.
TEXT_ATTRIBUTES = (
    "Conventions",
    "title",
    "uid",
    "sweep_file",
    "question",
    "plan_digest",
    "coordinates",
)


def made_portable(dataset: xarray.Dataset) -> xarray.Dataset:
    """Return a dataset that can be saved, aligned, and filled as others of xarray can.

    Texts are Python's, as xarray can neither promote nor save those of NumPy everywhere; nested
    attributes are JSON; the layout of the store's chunks is not taken over by what is saved; and
    chunks that are zero throughout are saved, too (:func:`with_every_chunk`).

    Parameters
    ----------
    dataset : xarray.Dataset
        As xarray opens a store.

    Returns
    -------
    xarray.Dataset
        The same arrays, still read when they are used.
    """
    texts = {
        name: _with_python_texts(variable)
        for name, variable in dataset.variables.items()
        if variable.dtype.kind == "T"
    }
    portable = dataset.assign(texts).drop_encoding().assign_attrs(_as_text(dataset.attrs))
    return with_every_chunk(portable)


def with_every_chunk(dataset: xarray.Dataset) -> xarray.Dataset:
    """Return a dataset of whose arrays Zarr leaves out no chunk when they are saved.

    By default it leaves out those that are zero throughout. xarray declares no fill value in
    format 2, so that other readers, zarr-python 2 among them, take whatever is in memory for them.
    """
    dataset = dataset.copy()
    for variable in dataset.variables.values():
        variable.encoding = {**variable.encoding, "write_empty_chunks": True}
    return dataset


def recorded_attributes(dataset: xarray.Dataset) -> dict[str, Any]:
    """Return the attributes of a store from those of its dataset, which may have been saved."""
    attributes = {name: _from_text(name, value) for name, value in dataset.attrs.items()}
    if "axes" in attributes:
        # xarray has turned the attribute into its coordinates, some of which may be gone by now
        attributes.setdefault("coordinates", " ".join(attributes["axes"]))
    return attributes


def _as_text(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return attributes with lists and mappings as JSON."""
    return {
        name: json.dumps(value) if isinstance(value, dict | list | bool) else value
        for name, value in attributes.items()
    }


def _from_text(name: str, value: Any) -> Any:
    """Return an attribute as the store has it."""
    if isinstance(value, np.generic):
        value = value.item()
    if not isinstance(value, str) or name in TEXT_ATTRIBUTES:
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        return value


def _with_python_texts(variable: xarray.Variable) -> xarray.Variable:
    texts = indexing.LazilyIndexedArray(_Texts(variable))
    return xarray.Variable(variable.dims, texts, variable.attrs)


class _Texts(BackendArray):
    """Texts of NumPy that become Python's when they are read; they are read once, as a whole."""

    def __init__(self, variable: xarray.Variable) -> None:
        self.shape = variable.shape
        self.dtype = np.dtype(object)
        self._variable = variable

    def __getitem__(self, key: indexing.ExplicitIndexer) -> NDArray[Any]:
        texts: NDArray[Any] = indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.OUTER, self._read
        )
        return texts

    def _read(self, key: tuple[Any, ...]) -> NDArray[Any]:
        return np.asarray(self._variable.load()[key].values).astype(object)
