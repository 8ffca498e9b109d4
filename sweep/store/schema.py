"""Validation of what a store declares, before its data are read.

A store may come from anybody, and may be damaged or forged.
"""

import json
import math
import re
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from marsdisk.common.text import shown_text

from . import layout

MAX_RUNS = 100_000_000
MAX_CHUNKS = 1_000_000  # of one array; more would take minutes to find
MAX_ARRAYS = 1_000
MAX_CHUNK_BYTES = 2**30  # 64 blocks of the largest default size
MAX_DESCRIPTION_BYTES = 2**20  # of an array; ours have two thousand
MAX_DEPTH = 50  # of lists and mappings within each other
MAX_SHOWN_CHARACTERS = 60
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,199}")
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
#: Types of the attributes of the group.
ATTRIBUTES: Mapping[str, type] = {
    "schema_version": int,
    "sweep": dict,
    "plan_digest": str,
    "block_size": int,
    "rows": int,
    "axes": list,
    "coordinates": str,
    "provenance": dict,
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
    units: str = "1"

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


def mapping(text: bytes) -> dict[str, Any]:
    """Parse JSON that must be a mapping.

    Raises
    ------
    ValueError
        It is no JSON, or not a mapping, or nested too deep to be parsed.
    """
    try:
        content = json.loads(text)
    except RecursionError as error:
        raise ValueError("is nested too deep") from error
    if not isinstance(content, dict):
        raise ValueError("is not a mapping")
    return content


def texts(value: Any) -> Iterator[str]:
    """Yield every text in nested lists and mappings.

    Raises
    ------
    ValueError
        They are nested deeper than any sweep is.
    """
    waiting = [(value, 0)]
    while waiting:
        node, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise ValueError("is nested too deep")
        if isinstance(node, str):
            yield node
        elif isinstance(node, dict):
            waiting += [(child, depth + 1) for child in node.values()]
        elif isinstance(node, list):
            waiting += [(child, depth + 1) for child in node]


def read_attributes(text: bytes) -> dict[str, Any]:
    """Read the attributes of the group from its ``zarr.json``.

    Parameters
    ----------
    text : bytes
        Content of the file.

    Returns
    -------
    dict
        The attributes, checked; those of a schema that this program does not read are not.

    Raises
    ------
    ValueError
        They are not those of a sweep's store; the message says why.
    """
    description = mapping(text)
    attributes = description.get("attributes")
    kind = (description.get("zarr_format"), description.get("node_type"))
    if kind != (3, "group") or not isinstance(attributes, dict):
        raise ValueError("is not a Zarr group of format 3 with attributes")
    deque(texts(attributes), maxlen=0)  # refuses what is nested too deep
    version = attributes.get("schema_version")
    if type(version) is int and version not in layout.READABLE:
        return attributes
    for name, expected in ATTRIBUTES.items():
        if name not in attributes:
            raise ValueError(f"its attribute {name} is missing")
        if type(attributes[name]) is not expected:
            raise ValueError(f"its attribute {name} is not of type {expected.__name__}")
    if type(attributes.get("uid", "")) is not str:
        raise ValueError("its attribute uid is not of type str")
    _refuse_bad_record(attributes["sweep"])
    provenance = attributes["provenance"]
    has_version = type(provenance.get("model_version")) is str
    if not has_version or type(provenance.get("tables")) is not dict:
        raise ValueError("its attributes do not say where it comes from")
    if not 1 <= attributes["block_size"] <= MAX_RUNS:
        raise ValueError(f"its attribute block_size is {attributes['block_size']}")
    axes = attributes["axes"]
    coordinates = attributes["coordinates"].split()
    if not all(isinstance(name, str) and NAME.fullmatch(name) for name in [*axes, *coordinates]):
        raise ValueError("its axes and coordinates have names that no axis can have")
    if not set(axes) <= set(coordinates):
        raise ValueError("its axes are not coordinates of its runs")
    return attributes


def _refuse_bad_record(record: Mapping[str, Any]) -> None:
    """Raise a ValueError if an attribute is not the record of a sweep."""
    mappings = {"content", "base", "command_line"}
    has_keys = set(record) - {"refined"} == {*mappings, "base_path"}
    if not has_keys or any(type(record[key]) is not dict for key in mappings):
        raise ValueError("its attribute sweep is not the record of a sweep")
    if not _are_points(record.get("refined", [])):
        raise ValueError("its record of refined points is damaged")
    if type(record["base_path"]) is not str:
        raise ValueError("its attributes do not say where it comes from")


def _are_integers(values: Any, minimum: int) -> bool:
    """Return whether a value is a list of integers, all between a minimum and 2**53."""
    if not isinstance(values, list):
        return False
    return all(type(value) is int and minimum <= value < 2**53 for value in values)


def _are_points(points: Any) -> bool:
    return isinstance(points, list) and all(_are_integers(point, 0) for point in points)


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
    units = _units(description.get("attributes", {}))
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
    spec = ArraySpec(name, shape, chunks, tuple(dims), dtype, codecs, fill, units)
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


def _units(attributes: Any) -> str:
    is_mapping = isinstance(attributes, dict)
    if not is_mapping or not all(
        isinstance(attributes.get(key, ""), str) for key in ("units", "long_name")
    ):
        raise ValueError("has attributes that this program does not write")
    return str(attributes.get("units", "1"))


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
    descriptions: Mapping[str, bytes], attributes: Mapping[str, Any]
) -> tuple[dict[str, ArraySpec], dict[str, str]]:
    """Read the descriptions of all arrays, and find the problems of those that are not valid.

    Parameters
    ----------
    descriptions : mapping of str to bytes
        Content of each ``zarr.json`` by the name of its array.
    attributes : mapping
        Attributes of the group, as of :func:`read_attributes`.

    Returns
    -------
    arrays : dict of str to ArraySpec
        The valid arrays by name.
    problems : dict of str to str
        What is wrong with each other array: it is missing or damaged, or does not have the type,
        dimensions and units that it must have.
    """
    version = attributes["schema_version"]
    coordinates = str(attributes["coordinates"]).split()
    required = {variable.name for variable in layout.variables(shared_grid=True, schema=version)}
    possible = layout.variables(shared_grid=True, parts=layout.OPTIONAL, schema=version)
    variables = {variable.name: variable for variable in possible}
    names = {*coordinates, *required, "s", *layout.INDEXES}
    names.update(name for name in list(descriptions)[: MAX_ARRAYS + 1] if name)
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
    if len(descriptions) > MAX_ARRAYS:
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
