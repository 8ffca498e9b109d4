"""A store's tables as files for other programs: CSV, Parquet, NetCDF; read and written some blocks at a time."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import zarr
from numpy.typing import NDArray

from marsdisk.errors import MarsDiskError
from marsdisk.outfile import ENDINGS, OutFile, plain_name

from .store import reader
from .views import WORDS, Columns, in_words, label, parameters, without_uncommitted

AT_ONCE = 2000  # runs read and written at a time, at least a block


class ExportError(MarsDiskError, RuntimeError):
    """A format whose package is not installed."""


@dataclass(frozen=True)
class Selection:
    """What is exported: runs, and names of arrays."""

    group: zarr.Group
    runs: NDArray[np.int64]
    scalars: list[str]
    series: list[str]

    @classmethod
    def of(
        cls,
        group: zarr.Group,
        where: str | None = None,
        columns: Sequence[str] | None = None,
        *,
        series: bool = False,
    ) -> "Selection":
        """Runs for which ``where`` holds, the scalars ``columns`` (default: all; with series the parameters and the state), and all series if asked for."""
        held = Columns(group)
        if columns is not None:
            names = list(columns)
        elif series:
            names = ["run_id", *parameters(group), "status"]
        else:
            names = list(held)
        for name in names:
            held[name]  # an unknown one is refused before anything is written
        dims = {name: array.metadata.dimension_names for name, array in sorted(group.arrays())}  # type: ignore[union-attr]
        found = [name for name, of in dims.items() if of == ("run", "sample")]
        return cls(
            group,
            held.where(where),
            [name for name in dict.fromkeys(names) if name != "run"],
            found if series else [],
        )

    def parts(self) -> Iterator[tuple[NDArray[np.int64], dict[str, NDArray[Any]]]]:
        """The arrays, some blocks at a time, with the numbers of their runs; states and reasons to stop as numbers."""
        size = reader.block_size(self.group)
        step = size * max(1, AT_ONCE // size)
        for lo in range(0, int(self.group["status"].shape[0]), step):  # type: ignore[union-attr]
            runs = self.runs[(self.runs >= lo) & (self.runs < lo + step)]
            if runs.size:
                status = reader.part(self.group, "status", runs)
                read = {
                    name: reader.part(self.group, name, runs)
                    for name in (*self.scalars, *self.series)
                }
                yield (
                    runs,
                    {
                        name: without_uncommitted(name, values, status)
                        for name, values in read.items()
                    },
                )

    def rows(self) -> Iterator[dict[str, NDArray[Any]]]:
        """Columns of a table, some blocks at a time: a row for each run, or for each run and sample; states in words."""
        for runs, held in self.parts():
            status = reader.part(self.group, "status", runs)
            samples = held[self.series[0]].shape[1] if self.series else 1
            table = {"run": np.repeat(runs, samples)}
            if self.series:
                table["sample"] = np.tile(np.arange(samples), runs.size)
            for name, values in held.items():
                words = in_words(name, values, status)
                table[name] = (
                    words.reshape(-1) if name in self.series else np.repeat(words, samples)
                )
            yield table

    @property
    def heads(self) -> dict[str, str]:
        """Name with unit of each column of the table."""
        names = [*self.scalars, *self.series]
        return {
            "run": "run",
            **({"sample": "sample"} if self.series else {}),
            **{name: label(self.group, name) for name in names},
        }

    def attributes(self, name: str) -> dict[str, Any]:
        """Unit and meaning of an array."""
        return dict(self.group[name].attrs) if name in self.group else {}


def export(selection: Selection, to: str, out: str | Path | OutFile) -> int:
    """Write a selection into a file.

    Parameters
    ----------
    selection : Selection
        Runs and arrays.
    to : str
        csv, parquet or netcdf.
    out : str or Path or OutFile
        Where to; a file at a path is written over.

    Returns
    -------
    int
        Number of rows, or of runs in a NetCDF file.

    Raises
    ------
    ExportError
        The package that writes it is not installed.
    OutputError
        The file cannot be written.

    Examples
    --------
    >>> group = reader.open_group("results/temperature_supply.zarr")
    >>> export(Selection.of(group, "T0 > 3500"), "csv", "hot.csv")
    360
    """
    write = {"csv": _csv, "parquet": _parquet, "netcdf": _netcdf}[to]
    out = OutFile.from_name(out, [to], force=True)
    try:
        with out.writing() as file:
            return write(selection, file)
    except ModuleNotFoundError as error:
        raise ExportError(
            f"{to} needs {error.name}, which is not installed: pip install 'marsdisk[export]'"
        ) from error


def _csv(selection: Selection, file: BinaryIO) -> int:
    """Units in the heads; numbers with as many digits as it takes to read the same number."""
    file.write(_csv_lines([tuple(selection.heads.values())]))
    rows = 0
    for table in selection.rows():
        columns = [values.tolist() for values in table.values()]
        file.write(_csv_lines(zip(*columns, strict=True)))
        rows += len(columns[0])
    return rows


def _csv_lines(rows: Iterable[Sequence[Any]]) -> bytes:
    lines = io.StringIO(newline="")
    csv.writer(lines).writerows(rows)
    return lines.getvalue().encode()


def _parquet(selection: Selection, file: BinaryIO) -> int:
    """Units and meanings in the metadata of the columns, and all of them in ``DataFrame.attrs`` of pandas."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {"f": pa.float64(), "i": pa.int64(), "u": pa.int64(), "b": pa.bool_(), "T": pa.string()}
    types = {
        name: "T" if name in WORDS else selection.group[name].dtype.kind  # type: ignore[union-attr]
        for name in (*selection.scalars, *selection.series)
    }
    described = {
        name: _plain(selection.attributes(name), words=name in WORDS) for name in selection.heads
    }
    fields = [
        pa.field(
            name,
            kinds[types.get(name, "i")],
            metadata={
                key: value if isinstance(value, str) else json.dumps(value)
                for key, value in about.items()
            },
        )
        for name, about in described.items()
    ]
    about_store = {
        "units": {name: str(about.get("units", "1")) for name, about in described.items()},
        **_of_store(selection.group),
    }
    schema = pa.schema(fields, metadata={"PANDAS_ATTRS": json.dumps(about_store)})
    rows = 0
    with pq.ParquetWriter(file, schema) as writer:
        for table in selection.rows():
            columns = [
                pa.array(values.tolist() if values.dtype.kind == "T" else values, type=field.type)
                for field, values in zip(fields, table.values(), strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))
            rows += len(columns[0])
    return rows


def _netcdf(selection: Selection, out: BinaryIO) -> int:
    """A file after the CF conventions: states and reasons to stop are flags, series have the dimension ``sample``."""
    import h5netcdf

    with h5netcdf.File(out, "w") as file:
        file.attrs.update({"Conventions": "CF-1.11", "title": str(selection.group.attrs["title"])})
        file.attrs.update(
            {key: json.dumps(value) for key, value in _of_store(selection.group).items()}
        )
        file.dimensions["run"] = selection.runs.size
        if selection.series:
            file.dimensions["sample"] = int(selection.group[selection.series[0]].shape[1])  # type: ignore[union-attr]
        file.create_variable("run", ("run",), "i8", data=selection.runs)
        coordinates = [
            name
            for name in str(selection.group.attrs["coordinates"]).split()
            if name in selection.scalars
        ]
        for name in (*selection.scalars, *selection.series):
            _declare(file, selection, name, coordinates)
        lo = 0
        for runs, held in selection.parts():
            for name, values in held.items():
                file.variables[name][lo : lo + runs.size] = _netcdf_values(values)
            lo += runs.size
    return int(selection.runs.size)


def _netcdf_values(values: NDArray[Any]) -> NDArray[Any]:
    """Return values of a type that NetCDF has: truth as bytes, texts as objects."""
    if values.dtype.kind == "b":
        return values.astype("i1")
    if values.dtype.kind == "T":
        return np.array(values.tolist(), dtype=object)
    return values


def _declare(file: Any, selection: Selection, name: str, coordinates: Sequence[str]) -> None:
    import h5py

    array = reader.array_of(selection.group, name)
    kind = array.dtype.kind
    dims = ("run", "sample") if name in selection.series else ("run",)
    types = {"T": h5py.string_dtype(), "b": "i1"}
    variable = file.create_variable(name, dims, types.get(kind, array.dtype))
    for key, value in _plain(selection.attributes(name)).items():
        variable.attrs[key] = (
            np.array(value, dtype=array.dtype) if key in {"flag_values", "flag_masks"} else value
        )
    if kind == "b":
        variable.attrs.update(
            {"flag_values": np.array([0, 1], dtype="i1"), "flag_meanings": "false true"}
        )
    if name not in coordinates:
        variable.attrs["coordinates"] = " ".join(coordinates)


def _plain(attributes: Mapping[str, Any], *, words: bool = False) -> dict[str, Any]:
    """Attributes that any format takes; without the flags where words stand for them."""
    flags = {"flag_values", "flag_masks", "flag_meanings"}
    return {
        key: value
        for key, value in attributes.items()
        if isinstance(value, str | int | float | list) and not (words and key in flags)
    }


def _of_store(group: zarr.Group) -> dict[str, Any]:
    """What else the store knows of its numbers, for whoever opens the file years later."""
    return {"sweep": group.attrs["sweep"], "provenance": group.attrs["provenance"]}


def default_out(group: zarr.Group, to: str, *, series: bool) -> str:
    """NAME.csv, or NAME-series.csv."""
    name = plain_name(str(group.attrs["title"]))
    return f"{name}{'-series' * series}{ENDINGS[to][0]}"
