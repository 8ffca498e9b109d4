"""Validation of what a store declares, before its data are read.

A store may come from anybody, and may be damaged or forged.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from marsdisk.common.text import shown_text

from . import layout
from .description import MAX_EXACT_INTEGER, MAX_RUNS, NAME, Description, mapping

MAX_CHUNKS = 1_000_000  # of one array; more would take minutes to find
MAX_ARRAYS = 1_000
MAX_CHUNK_BYTES = 2**30  # 64 blocks of the largest default size
MAX_DESCRIPTION_BYTES = 2**20  # of an array; ours have two thousand
MAX_SHOWN_CHARACTERS = 60
#: Bytes of a value by type in the store; for a text, those of its entry without its letters.
WIDTHS = {"float64": 8, "int64": 8, "uint8": 1, "bool": 1, "string": 16}
TYPES = {"f8": "float64", "i8": "int64", "u1": "uint8", "str": "string"}
COMPRESSORS = {"blosc", "zstd", "crc32c"}
#: Types of the settings of codecs.
CODEC_SETTINGS: Mapping[str, type] = {
    **dict.fromkeys(("typesize", "clevel", "blocksize", "level"), int),
    **dict.fromkeys(("cname", "shuffle", "endian"), str),
    "checksum": bool,
}
#: Types of fill values, by type in the store.
FILL_TYPES = {
    "float64": (int, float, str),
    "int64": (int,),
    "uint8": (int,),
    "bool": (bool,),
    "string": (str,),
}


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


def _are_integers(values: Any, minimum: int) -> bool:
    """Return whether a value is a list of integers that floats hold exactly, from a minimum on."""
    if not isinstance(values, list):
        return False
    return all(type(value) is int and minimum <= value < MAX_EXACT_INTEGER for value in values)


def _lengths(values: Any, minimum: int) -> tuple[int, ...]:
    if not _are_integers(values, minimum):
        raise ValueError(f"has lengths {str(values)[:MAX_SHOWN_CHARACTERS]}")
    return tuple(values)


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
        description = mapping(text)
    except ValueError as error:
        raise ValueError("is missing or damaged") from error
    if (description.get("zarr_format"), description.get("node_type")) != (3, "array"):
        raise ValueError("is missing or damaged")
    chunks = _chunk_shape(description.get("chunk_grid"))
    attributes = description.get("attributes", {})
    _refuse_other_attributes(attributes)
    dtype = description.get("data_type")
    if not isinstance(dtype, str) or dtype not in WIDTHS:
        raise ValueError("has a type of values that this program does not write")
    codecs = _codecs(description.get("codecs"), dtype)
    fill = description.get("fill_value")
    is_special = isinstance(fill, str) and fill not in {"", "NaN", "Infinity", "-Infinity"}
    if type(fill) not in FILL_TYPES[dtype] or is_special:
        raise ValueError("has a fill value that this program does not use")
    shape = _lengths(description.get("shape"), 0)
    chunks = _lengths(chunks, 1)
    dims = description.get("dimension_names")
    if not isinstance(dims, list) or not all(isinstance(dim, str) for dim in dims):
        raise ValueError("has no names of dimensions")
    if not shape or not len(shape) == len(chunks) == len(dims):
        raise ValueError("has shape, chunks and names of dimensions that do not fit together")
    spec = ArraySpec(name, shape, chunks, tuple(dims), dtype, codecs, fill, attributes)
    count = math.prod(-(-length // chunk) for length, chunk in zip(shape, chunks, strict=True))
    if shape[0] > MAX_RUNS or count > MAX_CHUNKS or spec.chunk_bytes > MAX_CHUNK_BYTES:
        raise ValueError(
            f"declares the shape {shape} in chunks of {chunks}, more than this program reads"
        )
    return spec


def _chunk_shape(grid: Any) -> Any:
    """Return the lengths that a chunk grid declares, unchecked."""
    if not isinstance(grid, dict) or grid.get("name") != "regular":
        raise ValueError("is missing or damaged")
    configuration = grid.get("configuration")
    return configuration.get("chunk_shape") if isinstance(configuration, dict) else None


def _refuse_other_attributes(attributes: Any) -> None:
    """Raise a ValueError if the attributes of an array are not of the types of ours."""
    names = ("units", "long_name", "config_key")
    if not isinstance(attributes, dict) or not all(
        isinstance(attributes.get(name, ""), str) for name in names
    ):
        raise ValueError("has attributes that this program does not write")


def _codecs(codecs: Any, dtype: str) -> tuple[str, ...]:
    """Return the names of the codecs of an array, the serializer first."""
    problem = "is packed in a way that this program does not use"
    if not isinstance(codecs, list) or not all(map(_is_codec, codecs)):
        raise ValueError(problem)
    names = tuple(str(codec.get("name")) for codec in codecs)
    serializer = "vlen-utf8" if dtype == "string" else "bytes"
    if names[:1] != (serializer,) or not set(names[1:]) <= COMPRESSORS:
        raise ValueError(problem)
    return names


def _is_codec(codec: Any) -> bool:
    """Return whether the settings of a codec are among those that this program writes."""
    settings = codec.get("configuration", {}) if isinstance(codec, dict) else None
    if not isinstance(settings, dict) or settings.get("endian", "little") != "little":
        return False
    return all(type(value) is CODEC_SETTINGS.get(key) for key, value in settings.items())


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
