"""Export a store to CSV, Parquet, or NetCDF, a few blocks at a time."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from marsdisk.common.errors import MarsDiskError
from marsdisk.io.out_file import ENDINGS, OutFile, plain_name

from ..store.store import Store
from .columns import WORDS, Columns, in_words, label, without_uncommitted
from .conventions import cf_attributes, cf_origin, quality_of

# runs that are read and written at a time, but at least a block
AT_ONCE = 2000


class ExportError(MarsDiskError, RuntimeError):
    """The package for a format is not installed."""


@dataclass(frozen=True)
class Extract:
    """The runs and the arrays to export."""

    store: Store
    runs: NDArray[np.int64]
    scalars: list[str]
    series: list[str]

    @classmethod
    def of(
        cls,
        store: Store,
        where: str | None = None,
        columns: Sequence[str] | None = None,
        *,
        series: bool = False,
    ) -> "Extract":
        """Select runs and arrays of a store.

        Parameters
        ----------
        store : Store
            The store.
        where : str or None
            A condition on runs; None selects all.
        columns : sequence of str or None
            Names of scalars. None selects all; with series, the parameters and the status.
        series : bool
            Whether to select all time series, too.

        Raises
        ------
        StoreError
            There is no such column, or the condition is wrong.
        """
        table = Columns(store)
        if columns is not None:
            names = list(map(store.name_of, columns))
        elif series:
            names = ["run_id", *store.parameters, "status"]
        else:
            names = list(table)
        # an unknown name is refused before anything is written
        for name in names:
            table[name]
        series_names = store.names_over("run", "sample") if series else []
        scalars = [name for name in dict.fromkeys(names) if name != "run"]
        return cls(store, table.where(where), scalars, series_names)

    @property
    def names(self) -> list[str]:
        """Names of all arrays."""
        return [*self.scalars, *self.series]

    def parts(self) -> Iterator[tuple[NDArray[np.int64], dict[str, NDArray[Any]]]]:
        """Yield runs and their arrays, a few blocks at a time; states and reasons are numbers."""
        size = self.store.block_size
        step = size * max(1, AT_ONCE // size)
        for start in range(0, self.store.arrays["status"].shape[0], step):
            runs = self.runs[(self.runs >= start) & (self.runs < start + step)]
            if not runs.size:
                continue
            status = self.store.rows("status", runs)
            arrays = {}
            for name in self.names:
                values = self.store.rows(name, runs)
                arrays[name] = without_uncommitted(name, values, status)
            yield runs, arrays

    def rows(self) -> Iterator[dict[str, NDArray[Any]]]:
        """Yield the columns of a table, a few blocks at a time; states and reasons are words.

        There is a row for each run, or with series for each run and sample.
        """
        for runs, arrays in self.parts():
            status = self.store.rows("status", runs)
            samples = arrays[self.series[0]].shape[1] if self.series else 1
            table = {"run": np.repeat(runs, samples)}
            if self.series:
                table["sample"] = np.tile(np.arange(samples), runs.size)
            for name, values in arrays.items():
                words = in_words(name, values, status)
                if name in self.series:
                    table[name] = words.reshape(-1)
                else:
                    table[name] = np.repeat(words, samples)
            yield table

    @property
    def heads(self) -> dict[str, str]:
        """Name and head (the name with its unit) of each column of the table."""
        heads = {"run": "run"}
        if self.series:
            heads["sample"] = "sample"
        heads.update({name: label(self.store, name) for name in self.names})
        return heads

    def attributes(self, name: str) -> dict[str, Any]:
        """Return unit and meaning of an array."""
        return dict(self.store.attributes(name)) if name in self.store else {}


def export(extract: Extract, to: str, out: str | Path | OutFile) -> int:
    """Write an extract into a file.

    Parameters
    ----------
    extract : Extract
        Runs and arrays.
    to : str
        csv, parquet or netcdf.
    out : str or Path or OutFile
        Where to write; an existing file is overwritten.

    Returns
    -------
    int
        Number of rows; in a NetCDF file, of runs.

    Raises
    ------
    ExportError
        The package for the format is not installed.
    OutputError
        The file cannot be written.

    Examples
    --------
    >>> store = Store.open("results/temperature_supply.zarr")
    >>> export(Extract.of(store, "T0 > 3500"), "csv", "hot.csv")
    360
    """
    write = {"csv": _csv, "parquet": _parquet, "netcdf": _netcdf}[to]
    out = OutFile.from_name(out, [to], force=True)
    try:
        with out.writing() as file:
            return write(extract, file)
    except ModuleNotFoundError as error:
        raise ExportError(
            f"{to} needs {error.name}, which is not installed: pip install 'marsdisk[export]'"
        ) from error


def _csv(extract: Extract, file: BinaryIO) -> int:
    """Write CSV, with units in the heads and all digits of the numbers."""
    file.write(_csv_lines([tuple(extract.heads.values())]))
    rows = 0
    for table in extract.rows():
        columns = [values.tolist() for values in table.values()]
        file.write(_csv_lines(zip(*columns, strict=True)))
        rows += len(columns[0])
    return rows


def _csv_lines(rows: Iterable[Sequence[Any]]) -> bytes:
    lines = io.StringIO(newline="")
    csv.writer(lines).writerows(rows)
    return lines.getvalue().encode()


def _parquet(extract: Extract, file: BinaryIO) -> int:
    """Write Parquet, with units and meanings as metadata and in ``DataFrame.attrs`` of pandas."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {"f": pa.float64(), "i": pa.int64(), "u": pa.int64(), "b": pa.bool_(), "T": pa.string()}
    fields = []
    units = {}
    for name in extract.heads:
        if name in WORDS:
            kind = "T"
        elif name in extract.names:
            kind = extract.store.arrays[name].kind
        else:
            kind = "i"
        attributes = _plain(extract.attributes(name), words=name in WORDS)
        metadata = {
            key: value if isinstance(value, str) else json.dumps(value)
            for key, value in attributes.items()
        }
        fields.append(pa.field(name, types[kind], metadata=metadata))
        units[name] = str(attributes.get("units", "1"))
    attributes_of_table = {"units": units, **_origin(extract.store)}
    schema = pa.schema(fields, metadata={"PANDAS_ATTRS": json.dumps(attributes_of_table)})
    rows = 0
    with pq.ParquetWriter(file, schema) as writer:
        for table in extract.rows():
            columns = []
            for field, values in zip(fields, table.values(), strict=True):
                plain = values.tolist() if values.dtype.kind == "T" else values
                columns.append(pa.array(plain, type=field.type))
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))
            rows += len(columns[0])
    return rows


def _netcdf(extract: Extract, out: BinaryIO) -> int:
    """Write NetCDF after the CF conventions: states and reasons to stop are flags."""
    import h5netcdf

    store = extract.store
    with h5netcdf.File(out, "w") as file:
        file.attrs.update(cf_origin(store.description))
        file.attrs.update({key: json.dumps(value) for key, value in _origin(store).items()})
        file.dimensions["run"] = extract.runs.size
        if extract.series:
            file.dimensions["sample"] = store.arrays[extract.series[0]].shape[1]
        run = file.create_variable("run", ("run",), "i8", data=extract.runs)
        run.attrs.update(cf_attributes("run", {"units": "1"}, "i8"))
        names = store.description.coordinate_names
        coordinates = [name for name in names if name in extract.scalars]
        for name in extract.names:
            _declare(file, extract, name, coordinates)
        start = 0
        for runs, arrays in extract.parts():
            stop = start + runs.size
            for name, values in arrays.items():
                file.variables[name][start:stop] = _netcdf_values(values)
            start = stop
    return int(extract.runs.size)


def _netcdf_values(values: NDArray[Any]) -> NDArray[Any]:
    """Return values of a type that NetCDF has: truth as bytes, texts as objects."""
    if values.dtype.kind == "b":
        return values.astype("i1")
    if values.dtype.kind == "T":
        return np.array(values.tolist(), dtype=object)
    return values


def _declare(file: Any, extract: Extract, name: str, coordinates: Sequence[str]) -> None:
    """Create the variable of an array, with its attributes."""
    import h5py

    spec = extract.store.arrays[name]
    dims = ("run", "sample") if name in extract.series else ("run",)
    types = {"T": h5py.string_dtype(), "b": "i1"}
    is_coordinate = name in coordinates
    fill = np.nan if spec.kind == "f" and not is_coordinate else None
    dtype = types.get(spec.kind, spec.dtype)
    variable = file.create_variable(name, dims, dtype, fillvalue=fill)
    attributes = _plain(extract.attributes(name))
    # the type of texts matters to no attribute
    variable.attrs.update(cf_attributes(name, attributes, "O" if spec.kind == "T" else spec.dtype))
    if not is_coordinate:
        if coordinates:
            variable.attrs["coordinates"] = " ".join(coordinates)
        variable.attrs.update(quality_of(name, extract.names))


def _plain(attributes: Mapping[str, Any], *, words: bool = False) -> dict[str, Any]:
    """Return the attributes that any format takes; no flags where the values are ``words``."""
    flags = {"flag_values", "flag_masks", "flag_meanings"}
    return {
        key: value
        for key, value in attributes.items()
        if isinstance(value, str | int | float | list) and not (words and key in flags)
    }


def _origin(store: Store) -> dict[str, Any]:
    """Return sweep file and provenance, for whoever opens the file years later."""
    description = store.description
    return {
        "sweep": description.sweep.recorded,
        "provenance": description.provenance.recorded,
    }


def default_out(store: Store, to: str, *, series: bool) -> str:
    """Return the default name of a file, such as NAME.csv or NAME-series.csv."""
    name = plain_name(store.description.title)
    suffix = "-series" if series else ""
    return f"{name}{suffix}{ENDINGS[to][0]}"
