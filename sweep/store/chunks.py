"""The files of a store: the chunk that each holds, and reading chunks that may be damaged.

Chunks are read here and not by Zarr. Zarr reads a missing chunk as fill values and blocks on a
pipe, its codecs unpack as much as a chunk declares, and to count the runs of a store, which
``sweep status`` does, it would have to be imported. The doctor, which looks at files one by one,
needs to know what is in them anyway.
"""

import errno
import itertools
import math
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import google_crc32c
import numcodecs.blosc
import numcodecs.vlen
import numcodecs.zstd
import numpy as np
from numpy.typing import NDArray

from marsdisk.io.zarr_folder import DESCRIPTION

from .folder import Folder
from .location import FILE_BYTES, Location
from .object_store import MAX_REQUESTS
from .schema import MAX_CHUNK_BYTES, ArraySpec

#: Numbers of errors of a medium that has lost a file: a bad sector, or a wrong checksum of the file
#: system.
BAD_MEDIUM = {errno.EIO, errno.ENXIO, errno.EBADMSG, getattr(errno, "EUCLEAN", errno.EIO)}
BLOSC_HEADER_BYTES = 16  # version, flags and sizes
CHECKSUM_BYTES = 4
MAX_INDEX_DIGITS = 11
MAX_FILES_SHOWN = 3


class Chunk(NamedTuple):
    """A file that holds a chunk."""

    key: str
    size: int  #: bytes, -1 of anything but a regular file
    indices: tuple[int, ...]  #: of the chunk along each dimension

    @property
    def first(self) -> int:
        """Index of the chunk along the first dimension."""
        return self.indices[0]


@dataclass
class Files:
    """The files in the folder of a store, by kind."""

    chunks: dict[str, list[Chunk]] = field(default_factory=dict)  #: by array
    partial: list[str] = field(default_factory=list)  #: of a write that was interrupted
    beyond: list[str] = field(default_factory=list)  #: chunks past the end of their array
    foreign: list[str] = field(default_factory=list)  #: not written by this program
    #: those of the foreign ones that are not regular files, such as links and pipes
    not_regular: list[str] = field(default_factory=list)


def files_of(location: Location, arrays: Mapping[str, ArraySpec], below: str = "") -> Files:
    """List the files of a store, or of one of its folders, by kind.

    Parameters
    ----------
    location : Location
        Where the store is.
    arrays : mapping of str to ArraySpec
        Arrays of the store.
    below : str
        Folder in the store, with a slash at its end; by default all of the store.

    Returns
    -------
    Files
        All files but the descriptions.
    """
    files = Files({name: [] for name in arrays})
    for listed, size in location.listing(below):
        key = listed.removesuffix("/")
        name, _, rest = key.partition("/")
        spec = arrays.get(name)
        indices = _indices(rest)
        if listed.endswith("/"):
            # an empty folder matters only where a chunk belongs
            if spec is not None and indices is not None and _has_chunk(spec, indices):
                files.chunks[name].append(Chunk(key, size, indices))
        elif DESCRIPTION in (key, rest):
            continue
        elif spec is not None and indices is not None:
            if _has_chunk(spec, indices):
                files.chunks[name].append(Chunk(key, size, indices))
            else:
                files.beyond.append(key)
        elif spec is not None and size >= 0 and key.endswith(".partial"):
            files.partial.append(key)
        else:
            files.foreign.append(key)
            if size < 0:
                files.not_regular.append(key)
    return files


def _has_chunk(spec: ArraySpec, indices: tuple[int, ...]) -> bool:
    """Return whether an array has a chunk with these indices."""
    if len(indices) != len(spec.shape):
        return False
    dimensions = zip(indices, spec.chunks, spec.shape, strict=True)
    return all(index * chunk < length for index, chunk, length in dimensions)


def _indices(path: str) -> tuple[int, ...] | None:
    """Return the indices of a chunk from its path in the folder of its array, such as c/3/0."""
    prefix, *numbers = path.split("/")
    if prefix != "c" or not numbers or not all(map(_is_index, numbers)):
        return None
    return tuple(map(int, numbers))


def _is_index(text: str) -> bool:
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_INDEX_DIGITS):
        return False
    return text == "0" or text[0] != "0"


def damaged(
    location: Location, arrays: Mapping[str, ArraySpec], files: Files, *, deep: bool
) -> list[tuple[str, Chunk]]:
    """Return the chunks that cannot be read, with the names of their arrays.

    Of every chunk the size is checked, and of compressed chunks in a folder the first bytes. Texts
    and small arrays are read whole.

    Parameters
    ----------
    location : Location
        Where the store is.
    arrays : mapping of str to ArraySpec
        Arrays of the store.
    files : Files
        Files of the store.
    deep : bool
        Whether to read every chunk, compute its checksum and unpack it.

    Raises
    ------
    OSError
        A file cannot be read, though the medium has not lost it.
    """
    bad = []
    to_read = []
    for name, chunks in files.chunks.items():
        spec = arrays[name]
        has_header = "blosc" in spec.codecs and isinstance(location, Folder)
        is_read = deep or _is_read_whole(spec) or has_header
        for chunk in chunks:
            if not _size_fits(spec, chunk.size):
                bad.append((name, chunk))
            elif is_read:
                to_read.append((name, chunk))

    def is_bad(suspect: tuple[str, Chunk]) -> bool:
        name, chunk = suspect
        spec = arrays[name]
        try:
            if deep or _is_read_whole(spec):
                return not _content_fits(spec, location.read(chunk.key), chunk.size)
            return not _header_fits(spec, location.read(chunk.key, BLOSC_HEADER_BYTES), chunk.size)
        except FileNotFoundError:  # removed since it was listed
            return False
        except OSError as error:
            if error.errno not in BAD_MEDIUM:
                raise
            return True

    if isinstance(location, Folder):
        return bad + [suspect for suspect in to_read if is_bad(suspect)]
    with ThreadPoolExecutor(MAX_REQUESTS) as threads:
        verdicts = threads.map(is_bad, to_read)
        return bad + list(itertools.compress(to_read, verdicts))


def _checksum_bytes(spec: ArraySpec) -> int:
    return CHECKSUM_BYTES if spec.codecs[-1] == "crc32c" else 0


def _is_read_whole(spec: ArraySpec) -> bool:
    """Return whether an array is of texts or, as coordinates are, small."""
    return spec.dtype == "string" or "zstd" in spec.codecs


def _size_fits(spec: ArraySpec, size: int) -> bool:
    is_compressed = not {"blosc", "zstd"}.isdisjoint(spec.codecs)
    if is_compressed or spec.dtype == "string":
        return _checksum_bytes(spec) < size <= FILE_BYTES
    return size == spec.chunk_bytes + _checksum_bytes(spec)


def _header_fits(spec: ArraySpec, header: bytes, size: int) -> bool:
    """Return whether the header of a Blosc chunk declares the sizes that the chunk must have."""
    if len(header) < BLOSC_HEADER_BYTES:
        return False
    unpacked_bytes, _, packed_bytes = struct.unpack("<III", header[4:16])
    return bool(unpacked_bytes == spec.chunk_bytes and packed_bytes == size - _checksum_bytes(spec))


def _content_fits(spec: ArraySpec, content: bytes, size: int) -> bool:
    """Return whether a chunk can be unpacked: checksum, compression, texts."""
    try:
        return len(content) == size and _values(spec, content).size > 0
    except (ValueError, RuntimeError, MemoryError):
        return False


def _values(spec: ArraySpec, content: bytes) -> NDArray[Any]:
    """Return the values of a chunk; ValueError if it is torn or unpacks to more than it may."""
    codecs = list(spec.codecs)
    if codecs[-1] == "crc32c":
        checksum = content[-CHECKSUM_BYTES:]
        content = content[:-CHECKSUM_BYTES]
        if google_crc32c.value(content) != int.from_bytes(checksum, "little"):
            raise ValueError("garbled")
        codecs.pop()
    for codec in reversed(codecs[1:]):
        content = _unpack(spec, codec, content)
    if spec.dtype == "string":
        return _texts(spec, content).reshape(spec.chunks)
    return np.frombuffer(content, np.dtype(spec.dtype).newbyteorder("<")).reshape(spec.chunks)


def refuse_inflated(spec: ArraySpec, content: bytes) -> None:
    """Refuse a chunk that says that it unpacks to more than it may hold, before it is unpacked.

    Parameters
    ----------
    spec : ArraySpec
        The array.
    content : bytes
        Content of the chunk.

    Raises
    ------
    ValueError
        It declares more, or cannot be unpacked.
    """
    if not _size_fits(spec, len(content)):
        raise ValueError("too short or too long")
    if spec.dtype == "string":
        _values(spec, content)  # texts are few
    elif {"blosc", "zstd"} & {*spec.codecs}:
        packed = content[: len(content) - _checksum_bytes(spec)]
        _refuse_declared(spec, spec.codecs[1], packed)


def _refuse_declared(spec: ArraySpec, codec: str, packed: bytes) -> None:
    if codec == "blosc":
        size = len(packed) + _checksum_bytes(spec)
        if not _header_fits(spec, packed[:BLOSC_HEADER_BYTES], size):
            raise ValueError("unpacks to another size than a chunk has")
    elif codec == "zstd":
        declared = zstd_size(packed)
        most = MAX_CHUNK_BYTES if spec.dtype == "string" else spec.chunk_bytes
        if declared is None or declared > most:
            raise ValueError("unpacks to more than a chunk")


def _unpack(spec: ArraySpec, codec: str, packed: bytes) -> bytes:
    _refuse_declared(spec, codec, packed)
    if codec == "blosc":
        return bytes(numcodecs.blosc.decompress(packed))
    if codec == "zstd":
        return bytes(numcodecs.zstd.decompress(packed))
    raise ValueError(f"packed by {codec}")


def zstd_size(content: bytes) -> int | None:
    """Return the number of bytes that a zstd frame declares to unpack to (RFC 8878, 3.1.1.1).

    None where it declares none, or is not such a frame.
    """
    if len(content) < 6 or content[:4] != b"\x28\xb5\x2f\xfd":
        return None
    descriptor = content[4]
    is_single_segment = descriptor >> 5 & 1
    width = (0, 2, 4, 8)[descriptor >> 6] or is_single_segment
    begin = 5 + (1 - is_single_segment) + (0, 1, 2, 4)[descriptor & 3]
    if not width or len(content) < begin + width:
        return None
    declared = int.from_bytes(content[begin : begin + width], "little")
    return declared + 256 if width == 2 else declared


def _texts(spec: ArraySpec, content: bytes) -> NDArray[Any]:
    """Return the texts of a chunk; ValueError if it declares another number, or is torn."""
    # the decoder would allocate memory for as many as are declared
    if content[:4] != struct.pack("<I", math.prod(spec.chunks)):
        raise ValueError("not as many texts as a chunk has")
    return np.asarray(numcodecs.vlen.VLenUTF8().decode(content))


def _chunk_counts(spec: ArraySpec) -> list[int]:
    """Return the number of chunks along each dimension."""
    dimensions = zip(spec.shape, spec.chunks, strict=True)
    return [-(-length // chunk) for length, chunk in dimensions]


def absent(spec: ArraySpec, chunks: Iterable[Chunk]) -> list[int]:
    """Return the indices along the first dimension at which a chunk of an array does not exist."""
    rows, *inner = _chunk_counts(spec)
    present = np.bincount([chunk.first for chunk in chunks], minlength=rows)
    return [int(index) for index in np.flatnonzero(present < math.prod(inner))]


def read_array(
    location: Location, spec: ArraySpec, refuse: Callable[[Sequence[int]], None]
) -> NDArray[Any]:
    """Read a whole array.

    Its chunks are found by listing them: a hostile store may declare millions that do not exist.

    Parameters
    ----------
    location : Location
        Where the store is.
    spec : ArraySpec
        The array.
    refuse : callable
        Called with the indices along the first dimension of chunks that do not exist, if there are
        any; it raises where they must exist.

    Returns
    -------
    array
        Of the array's shape.

    Raises
    ------
    ValueError
        Chunks cannot be read.
    """
    files = files_of(location, {spec.name: spec}, f"{spec.name}/")
    if files.not_regular:
        raise ValueError(f"{', '.join(files.not_regular[:MAX_FILES_SHOWN])} cannot be read")
    missing = absent(spec, files.chunks[spec.name])
    if missing:
        refuse(missing)
    rows = spec.shape[0]
    parts = []
    for chunk in files.chunks[spec.name]:
        begin = chunk.first * spec.chunks[0]
        end = min(begin + spec.chunks[0], rows)
        parts.append(_Part(chunk.key, slice(begin, end), slice(0, end - begin), chunk.indices[1:]))
    return _filled(location, spec, rows, parts, refuse)


def read_rows(
    location: Location,
    spec: ArraySpec,
    rows: NDArray[np.int64],
    refuse: Callable[[Sequence[int]], None],
) -> NDArray[Any]:
    """Read some rows of an array.

    Parameters
    ----------
    location : Location
        Where the store is.
    spec : ArraySpec
        The array.
    rows : array of int
        The rows, in any order.
    refuse : callable
        As of :func:`read_array`.

    Returns
    -------
    (rows.size, ...) array
        Their values.

    Raises
    ------
    ValueError
        Chunks cannot be read.
    """
    numbers, rows_in_chunk = np.divmod(rows, spec.chunks[0])
    order = np.argsort(numbers, kind="stable")
    borders = np.flatnonzero(np.diff(numbers[order])) + 1
    inner_ranges = [range(count) for count in _chunk_counts(spec)[1:]]
    parts = []
    for positions in np.split(order, borders):
        if not positions.size:
            continue
        for inner in itertools.product(*inner_ranges):
            indices = (numbers[positions[0]], *inner)
            key = f"{spec.name}/c/{'/'.join(map(str, indices))}"
            parts.append(_Part(key, positions, rows_in_chunk[positions], inner))
    return _filled(location, spec, rows.size, parts, refuse)


class _Part(NamedTuple):
    """The part of the rows to read that one chunk holds."""

    key: str
    rows: slice | NDArray[np.int64]  #: in the result
    rows_in_chunk: slice | NDArray[np.int64]
    inner: tuple[int, ...]  #: indices of the chunk along the other dimensions


def _filled(
    location: Location,
    spec: ArraySpec,
    rows: int,
    parts: Sequence[_Part],
    refuse: Callable[[Sequence[int]], None],
) -> NDArray[Any]:
    """Return rows of an array, put together from parts of its chunks.

    Unlike Zarr, this takes no more memory than a chunk may, whatever the chunk itself declares.
    """
    fill = float(spec.fill) if isinstance(spec.fill, str) and spec.fill else spec.fill
    dtype = np.dtypes.StringDType() if spec.dtype == "string" else spec.dtype
    result = np.full((rows, *spec.shape[1:]), fill, dtype)
    for part, content in zip(parts, _contents(location, [part.key for part in parts]), strict=True):
        if content is None:
            refuse([int(part.key.split("/")[2])])
            continue
        try:
            if not _size_fits(spec, len(content)):
                raise ValueError("too short or too long")
            values = _values(spec, content)
        except (ValueError, RuntimeError, MemoryError) as error:
            raise ValueError(f"{part.key} cannot be read: {error}") from error
        in_result = []
        in_chunk = []
        for index, chunk, length in zip(part.inner, spec.chunks[1:], spec.shape[1:], strict=True):
            span = slice(index * chunk, min((index + 1) * chunk, length))
            in_result.append(span)
            in_chunk.append(slice(0, span.stop - span.start))
        result[:, *in_result][part.rows] = values[:, *in_chunk][part.rows_in_chunk]
    return result


def _contents(location: Location, keys: Sequence[str]) -> Iterable[bytes | None]:
    """Return the contents of files; None for a file that does not exist."""

    def read_if_there(key: str) -> bytes | None:
        with suppress(FileNotFoundError):
            return location.read(key)
        return None

    if isinstance(location, Folder):
        return map(read_if_there, keys)
    with ThreadPoolExecutor(MAX_REQUESTS) as threads:
        return list(threads.map(read_if_there, keys))
