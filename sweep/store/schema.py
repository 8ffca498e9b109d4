"""Validation of what a store declares, before its data are read.

A store may come from anybody, and may be damaged or forged.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from marsdisk.common.text import shown_text

from . import layout
from .description import MAX_EXACT_INTEGER, MAX_RUNS, NAME, Description

MAX_CHUNKS = 1_000_000  # of one array; more would take minutes to find
MAX_ARRAYS = 1_000
MAX_CHUNK_BYTES = 2**30  # 64 blocks of the largest default size
MAX_DESCRIPTION_BYTES = 2**20  # of an array; ours have two thousand
#: Bytes of a value by type in the store; for a text, those of its entry without its letters.
WIDTHS = {"float64": 8, "int64": 8, "uint8": 1, "bool": 1, "string": 16}
TYPES = {"f8": "float64", "i8": "int64", "u1": "uint8", "str": "string"}
#: Types of fill values, by type in the store.
FILL_TYPES = {
    "float64": (int, float, str),
    "int64": (int,),
    "uint8": (int,),
    "bool": (bool,),
    "string": (str,),
}
#: What is wrong with an array, by the part of its description that is not as we write it.
PROBLEMS = {
    "shape": "has a shape that no array of a sweep has",
    "chunk_grid": "has chunks that no array of a sweep has",
    "chunk_key_encoding": "has chunks under names that this program does not use",
    "data_type": "has a type of values that this program does not write",
    "fill_value": "has a fill value that this program does not use",
    "codecs": "is packed in a way that this program does not use",
    "storage_transformers": "is packed in a way that this program does not use",
    "attributes": "has attributes that this program does not write",
    "dimension_names": "has no names of dimensions",
}

Length = Annotated[int, Field(ge=0, lt=MAX_EXACT_INTEGER)]
ChunkLength = Annotated[int, Field(ge=1, lt=MAX_EXACT_INTEGER)]


class _Part(BaseModel):
    """A part of a ``zarr.json``, as this program writes it."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class _CodecSettings(_Part):
    endian: Literal["little"] = "little"
    typesize: int = 0
    cname: str = ""
    clevel: int = 0
    shuffle: str = ""
    blocksize: int = 0
    level: int = 0
    checksum: bool = False


class _Codec(_Part):
    name: str
    configuration: _CodecSettings = _CodecSettings()


class _Serializer(_Codec):
    name: Literal["bytes", "vlen-utf8"]


class _Compressor(_Codec):
    name: Literal["blosc", "zstd", "crc32c"]


class _ChunkShape(_Part):
    chunk_shape: list[ChunkLength]


class _ChunkGrid(_Part):
    name: Literal["regular"]
    configuration: _ChunkShape


class _Separator(_Part):
    separator: Literal["/"] = "/"


class _ChunkKeys(_Part):
    name: Literal["default"] = "default"
    configuration: _Separator = _Separator()


class _Attributes(_Part):
    """Attributes of an array; others may have been added."""

    model_config = ConfigDict(extra="allow")

    units: str = "1"
    long_name: str = ""
    config_key: str = ""


class _ArrayFile(_Part):
    """The ``zarr.json`` of an array."""

    zarr_format: Literal[3]
    node_type: Literal["array"]
    shape: Annotated[list[Length], Field(min_length=1)]
    chunk_grid: _ChunkGrid
    chunk_key_encoding: _ChunkKeys = _ChunkKeys()
    data_type: Literal["float64", "int64", "uint8", "bool", "string"]
    fill_value: bool | int | float | str
    codecs: Annotated[list[_Serializer | _Compressor], Field(min_length=1)]
    storage_transformers: Annotated[list[Any], Field(max_length=0)] = []
    attributes: _Attributes = _Attributes()
    dimension_names: list[str]

    @property
    def chunks(self) -> tuple[int, ...]:
        return tuple(self.chunk_grid.configuration.chunk_shape)

    @property
    def codec_names(self) -> tuple[str, ...]:
        return tuple(codec.name for codec in self.codecs)

    @model_validator(mode="after")
    def _refuse_parts_that_do_not_fit(self) -> Self:
        fill = self.fill_value
        is_special = isinstance(fill, str) and fill not in {"", "NaN", "Infinity", "-Infinity"}
        if type(fill) not in FILL_TYPES[self.data_type] or is_special:
            raise ValueError(PROBLEMS["fill_value"])
        serializer = "vlen-utf8" if self.data_type == "string" else "bytes"
        first, *others = self.codec_names
        has_checksum = others[-1:] == ["crc32c"]
        compressors = others[:-1] if has_checksum else others
        is_packed_once = compressors in ([], ["blosc"], ["zstd"])
        if first != serializer or not is_packed_once:
            raise ValueError(PROBLEMS["codecs"])
        if not len(self.shape) == len(self.chunks) == len(self.dimension_names):
            raise ValueError("has shape, chunks and names of dimensions that do not fit together")
        return self


@dataclass(frozen=True)
class ArraySpec:
    """An array as its ``zarr.json`` describes it."""

    name: str
    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    dims: tuple[str, ...]
    dtype: str
    codecs: tuple[str, ...]
    fill: Any
    #: Such as ``units``, ``long_name``, ``config_key``, and the words that flags stand for.
    attributes: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def units(self) -> str:
        """Unit of its values; 1 where they have none."""
        return str(self.attributes.get("units", "1"))

    @property
    def kind(self) -> str:
        """NumPy's letter for the kind of its values: f, i, u, b or T."""
        return "T" if self.dtype == "string" else np.dtype(self.dtype).kind

    @property
    def is_number(self) -> bool:
        """Whether its values are numbers that can be drawn, rather than words or flags."""
        return self.kind in "fiu" and not {"flag_values", "flag_masks"} & self.attributes.keys()

    @property
    def is_by_block(self) -> bool:
        """Whether workers write it block by block, and can write it again."""
        return layout.is_by_block(self.name) and self.dims[0] == "run"

    @property
    def chunk_bytes(self) -> int:
        """Uncompressed size of a chunk; for texts, without their letters."""
        return WIDTHS[self.dtype] * math.prod(self.chunks)

    @property
    def array_bytes(self) -> int:
        """Uncompressed size of the array; for texts, without their letters."""
        return WIDTHS[self.dtype] * math.prod(self.shape)


def read_array(name: str, text: bytes) -> ArraySpec:
    """Read the description of an array from its ``zarr.json``.

    Parameters
    ----------
    name : str
        Name of the array.
    text : bytes
        Content of the file.

    Returns
    -------
    ArraySpec
        The array.

    Raises
    ------
    ValueError
        It is damaged, or not as this program writes arrays, or larger than it reads.
    """
    if not text or len(text) > MAX_DESCRIPTION_BYTES or not NAME.fullmatch(name):
        raise ValueError("is missing or damaged")
    try:
        file = _ArrayFile.model_validate_json(text)
    except ValidationError as error:
        raise ValueError(_problem(error)) from error
    spec = ArraySpec(
        name=name,
        shape=tuple(file.shape),
        chunks=file.chunks,
        dims=tuple(file.dimension_names),
        dtype=file.data_type,
        codecs=file.codec_names,
        fill=file.fill_value,
        attributes=file.attributes.model_dump(exclude_unset=True),
    )
    lengths_and_chunks = zip(spec.shape, spec.chunks, strict=True)
    count = math.prod(-(-length // chunk) for length, chunk in lengths_and_chunks)
    if spec.shape[0] > MAX_RUNS or count > MAX_CHUNKS or spec.chunk_bytes > MAX_CHUNK_BYTES:
        raise ValueError(
            f"declares the shape {spec.shape} in chunks of {spec.chunks}, more than this program"
            " reads"
        )
    return spec


def _problem(error: ValidationError) -> str:
    """Return what is wrong with an array, in the words of :data:`PROBLEMS`."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    if first["type"] == "value_error":
        return first["msg"].removeprefix("Value error, ")
    part = str(first["loc"][0]) if first["loc"] else ""
    return PROBLEMS.get(part, "is missing or damaged")


def read_arrays(
    descriptions: Mapping[str, bytes], description: Description
) -> tuple[dict[str, ArraySpec], dict[str, str]]:
    """Read the descriptions of all arrays, and find the problems of those that are not valid.

    Parameters
    ----------
    descriptions : mapping of str to bytes
        Content of each ``zarr.json`` by the name of its array.
    description : Description
        What the store says of itself.

    Returns
    -------
    arrays : dict of str to ArraySpec
        The valid arrays by name.
    problems : dict of str to str
        What is wrong with each other array: it is missing or damaged, or does not have the type,
        dimensions and units that it must have.
    """
    version = description.schema_version
    coordinates = description.coordinate_names
    required = {variable.name for variable in layout.variables(shared_grid=True, schema=version)}
    possible = layout.variables(shared_grid=True, parts=layout.OPTIONAL, schema=version)
    variables = {variable.name: variable for variable in possible}
    present = [name for name in descriptions if name]
    names = {*coordinates, *required, "s", *layout.INDEXES, *present[:MAX_ARRAYS]}
    arrays = {}
    problems = {}
    for name in sorted(names):
        try:
            spec = read_array(name, descriptions.get(name, b""))
            if name in variables:
                _refuse_other_layout(spec, variables[name])
            if name in coordinates and spec.dims != ("run",):
                raise ValueError(f"is no coordinate along run, but over {', '.join(spec.dims)}")
            arrays[name] = spec
        except ValueError as error:
            problems[name] = str(error)
    if len(present) > MAX_ARRAYS:
        problems["the store"] = f"has more than {MAX_ARRAYS} arrays"
    return arrays, problems


def _refuse_other_layout(spec: ArraySpec, variable: layout.Variable) -> None:
    """Raise a ValueError if an array has not the type, dimensions and units of its variable."""
    dims = ("run", *variable.dims)
    dtype = TYPES[variable.dtype]
    if (spec.dims, spec.dtype) != (dims, dtype):
        raise ValueError(
            f"is {spec.dtype} over {', '.join(spec.dims)}, not {dtype} over {', '.join(dims)}"
        )
    units = variable.attributes.get("units", "1")
    if spec.units != units:
        raise ValueError(f"is in {shown_text(spec.units)}, not in {units}")


def lengths(arrays: Mapping[str, ArraySpec], rows: int) -> dict[str, str]:
    """Find the arrays that differ in length from others over the same dimension.

    Parameters
    ----------
    arrays : mapping of str to ArraySpec
        The arrays.
    rows : int
        Length that they must have along ``run``.

    Returns
    -------
    dict of str to str
        What is wrong with each of them, by name.
    """
    expected = {"run": rows}
    problems = {}
    for name, spec in arrays.items():
        for dim, length in zip(spec.dims, spec.shape, strict=True):
            if expected.setdefault(dim, length) != length:
                problems[name] = (
                    f"has the length {length} over {dim}, where {expected[dim]} are expected"
                )
    return problems
