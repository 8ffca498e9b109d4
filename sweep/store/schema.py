"""What a store must look like before anything of it is read: it may come from anybody, and may be damaged or made up."""

import json
import math
import re
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from marsdisk.physics.textfile import shown_text

from . import layout

MAX_RUNS = 100_000_000
MAX_CHUNKS = 1_000_000  # of one array: more would take minutes to look for
MAX_ARRAYS = 1_000
MAX_CHUNK_BYTES = 2**30  # 64 blocks of the largest default size
MAX_ARRAY_DESCRIPTION = 2**20  # bytes; ours have two thousand
DEEPEST = 50  # lists and mappings within each other
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,199}")
#: Bytes of a value by type in the store; of a text what its place in memory takes.
WIDTHS = {"float64": 8, "int64": 8, "uint8": 1, "bool": 1, "string": 16}
TYPES = {"f8": "float64", "i8": "int64", "u1": "uint8", "str": "string"}
COMPRESSORS = {"blosc", "zstd", "crc32c"}
SETTINGS: Mapping[str, type] = {  # of compressors
    **dict.fromkeys(("typesize", "clevel", "blocksize", "level"), int),
    **dict.fromkeys(("cname", "shuffle", "endian"), str),
    "checksum": bool,
}
FILLS = {
    "float64": (int, float, str),
    "int64": (int,),
    "uint8": (int,),
    "bool": (bool,),
    "string": (str,),
}
#: Attributes of the group, by what they must be.
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
    """One array as its ``zarr.json`` describes it."""

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
        """Whether workers write it, a chunk for each block, and can write it again."""
        return layout.is_by_block(self.name) and self.dims[0] == "run"

    @property
    def chunk_bytes(self) -> int:
        """Uncompressed size of a chunk; of texts, what they take beside their letters."""
        return WIDTHS[self.dtype] * math.prod(self.chunks)

    @property
    def bytes(self) -> int:
        return WIDTHS[self.dtype] * math.prod(self.shape)


def mapping(text: bytes) -> dict[str, Any]:
    """JSON that must be a mapping; ValueError else."""
    try:
        found = json.loads(text)
    except RecursionError as error:
        raise ValueError("is nested too deep") from error
    if not isinstance(found, dict):
        raise ValueError("is no mapping")
    return found


def texts(value: Any) -> Iterator[str]:
    """Every text in nested lists and mappings; ValueError where they are nested deeper than any sweep is."""
    waiting = [(value, 0)]
    while waiting:
        here, depth = waiting.pop()
        if depth > DEEPEST:
            raise ValueError("is nested too deep")
        if isinstance(here, str):
            yield here
        elif isinstance(here, dict | list):
            waiting += [
                (below, depth + 1) for below in (here.values() if isinstance(here, dict) else here)
            ]


def read_attributes(text: bytes) -> dict[str, Any]:
    """Attributes of the group from its ``zarr.json``.

    Raises
    ------
    ValueError
        They are not those of a sweep's store, with what is wrong.
    """
    described = mapping(text)
    attributes = described.get("attributes")
    if (described.get("zarr_format"), described.get("node_type")) != (3, "group") or not isinstance(
        attributes, dict
    ):
        raise ValueError("is no Zarr group of format 3 with attributes")
    deque(texts(attributes), maxlen=0)
    version = attributes.get("schema_version")
    if type(version) is int and version not in layout.READABLE:
        return attributes  # what another schema's attributes are, it alone knows
    for name, kind in ATTRIBUTES.items():
        if type(attributes.get(name)) is not kind:
            raise ValueError(
                f"its attribute {name} is"
                f" {'missing' if name not in attributes else f'no {kind.__name__}'}"
            )
    if type(attributes.get("uid", "")) is not str:
        raise ValueError("its attribute uid is no str")
    given = attributes["sweep"]
    provenance = attributes["provenance"]
    if set(given) - {"refined"} != {"content", "base", "command_line", "base_path"} or any(
        type(given[k]) is not dict for k in ("content", "base", "command_line")
    ):
        raise ValueError("its attribute sweep is no record of a sweep")
    if not _are_points(given.get("refined", [])):
        raise ValueError("its record of refined points is none")
    if (
        type(given["base_path"]) is not str
        or type(provenance.get("model_version")) is not str
        or type(provenance.get("tables")) is not dict
    ):
        raise ValueError("its attributes do not say where it comes from")
    if not 1 <= attributes["block_size"] <= MAX_RUNS:
        raise ValueError(f"its attribute block_size is {attributes['block_size']}")
    names = [*attributes["axes"], *attributes["coordinates"].split()]
    if not all(isinstance(name, str) and NAME.fullmatch(name) for name in names):
        raise ValueError("its axes and coordinates have names that no axis can have")
    if not {*attributes["axes"]} <= {*attributes["coordinates"].split()}:
        raise ValueError("its axes are no coordinates of its runs")
    return attributes


def _are_points(given: Any) -> bool:
    return isinstance(given, list) and all(
        isinstance(at, list) and all(type(n) is int and 0 <= n < 2**53 for n in at) for at in given
    )


def _numbers(given: Any, least: int) -> tuple[int, ...]:
    if not isinstance(given, list) or not all(type(n) is int and least <= n < 2**53 for n in given):
        raise ValueError(f"has lengths {str(given)[:60]}")
    return tuple(given)


def _is_set(settings: Any) -> bool:
    """Whether the settings of a codec are some that it takes."""
    if not isinstance(settings, dict) or settings.get("endian", "little") != "little":
        return False
    return all(key in SETTINGS and type(value) is SETTINGS[key] for key, value in settings.items())


def read_array(name: str, text: bytes) -> ArraySpec:
    """The array that a ``zarr.json`` describes.

    Raises
    ------
    ValueError
        It is damaged, or none that this program writes, or larger than it reads.
    """
    if not text or len(text) > MAX_ARRAY_DESCRIPTION or not NAME.fullmatch(name):
        raise ValueError("is missing or damaged")
    try:
        of = mapping(text)
    except ValueError as error:
        raise ValueError("is missing or damaged") from error
    grid = of.get("chunk_grid")
    codecs = of.get("codecs")
    dims = of.get("dimension_names")
    if (
        (of.get("zarr_format"), of.get("node_type")) != (3, "array")
        or not isinstance(grid, dict)
        or grid.get("name") != "regular"
    ):
        raise ValueError("is missing or damaged")
    attributes = of.get("attributes", {})
    if not isinstance(attributes, dict) or not all(
        isinstance(attributes.get(key, ""), str) for key in ("units", "long_name")
    ):
        raise ValueError("has attributes that this program does not write")
    if not isinstance(of.get("data_type"), str) or of["data_type"] not in WIDTHS:
        raise ValueError("has a type of values that this program does not write")
    if not isinstance(codecs, list) or not all(
        isinstance(codec, dict) and _is_set(codec.get("configuration", {})) for codec in codecs
    ):
        raise ValueError("is packed in a way that this program does not use")
    names = [str(codec.get("name")) for codec in codecs]
    if (
        not names
        or names[0] != ("vlen-utf8" if of["data_type"] == "string" else "bytes")
        or not set(names[1:]) <= COMPRESSORS
    ):
        raise ValueError("is packed in a way that this program does not use")
    fill = of.get("fill_value")
    if type(fill) not in FILLS[of["data_type"]] or (
        isinstance(fill, str) and fill not in {"", "NaN", "Infinity", "-Infinity"}
    ):
        raise ValueError("has a value for what is not written yet that this program does not use")
    configuration = grid.get("configuration")
    shape = _numbers(of.get("shape"), 0)
    chunks = _numbers(
        configuration.get("chunk_shape") if isinstance(configuration, dict) else None, 1
    )
    if (
        not shape
        or len(shape) != len(chunks)
        or not isinstance(dims, list)
        or len(dims) != len(shape)
        or not all(isinstance(d, str) for d in dims)
    ):
        raise ValueError("has shape, chunks and names of dimensions that do not fit together")
    units = attributes.get("units", "1")
    spec = ArraySpec(name, shape, chunks, tuple(dims), of["data_type"], tuple(names), fill, units)
    count = math.prod(-(-n // chunk) for n, chunk in zip(shape, chunks, strict=True))
    if shape[0] > MAX_RUNS or count > MAX_CHUNKS or spec.chunk_bytes > MAX_CHUNK_BYTES:
        raise ValueError(
            f"declares the shape {shape} in chunks of {chunks}, more than this program reads"
        )
    return spec


def read_arrays(
    descriptions: Mapping[str, bytes], attributes: Mapping[str, Any]
) -> tuple[dict[str, ArraySpec], dict[str, str]]:
    """All arrays, and what is wrong with those that cannot be read: missing, damaged, or not of the type, dimensions and units that they must have."""
    found = {}
    wrong = {}
    version = attributes["schema_version"]
    always = layout.variables(shared_grid=True, schema=version)
    with_parts = layout.variables(shared_grid=True, parts=layout.OPTIONAL, schema=version)
    known = {variable.name: variable for variable in with_parts}
    must = {
        *str(attributes["coordinates"]).split(),
        *(variable.name for variable in always),
        "s",
        *layout.INDEXES,
    }
    for name in sorted(must | {name for name in list(descriptions)[: MAX_ARRAYS + 1] if name}):
        try:
            spec = read_array(name, descriptions.get(name, b""))
            variable = known.get(name)
            if variable and (spec.dims, spec.dtype) != (
                ("run", *variable.dims),
                TYPES[variable.dtype],
            ):
                raise ValueError(
                    f"is {spec.dtype} over {', '.join(spec.dims)}, not {TYPES[variable.dtype]} over"
                    f" {', '.join(('run', *variable.dims))}"
                )
            if variable and spec.units != variable.attributes.get("units", "1"):
                raise ValueError(
                    f"is in {shown_text(spec.units)}, not in"
                    f" {variable.attributes.get('units', '1')}"
                )
            if name in str(attributes["coordinates"]).split() and spec.dims != ("run",):
                raise ValueError(f"is no coordinate along run, but over {', '.join(spec.dims)}")
            found[name] = spec
        except ValueError as error:
            wrong[name] = str(error)
    if len(descriptions) > MAX_ARRAYS:
        wrong["the store"] = f"has more than {MAX_ARRAYS} arrays"
    return found, wrong


def lengths(arrays: Mapping[str, ArraySpec], rows: int) -> dict[str, str]:
    """What is wrong with arrays that are not as long as others over the same dimension; along ``run`` they have ``rows``."""
    known = {"run": rows}
    wrong = {}
    for name, spec in arrays.items():
        for dim, length in zip(spec.dims, spec.shape, strict=True):
            if known.setdefault(dim, length) != length:
                wrong[name] = f"has the length {length} over {dim}, where {known[dim]} are expected"
    return wrong
