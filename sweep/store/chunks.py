"""The files of a store: which chunk of which array each is, and whether it can be read."""

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

from marsdisk.zarr_folder import DESCRIPTION

from .objects import MAX_REQUESTS
from .place import FILE_BYTES, Folder, Place
from .schema import MAX_CHUNK_BYTES, ArraySpec

#: What reading a file raises where the medium has lost it: a bad sector, a checksum of the file
#: system that is wrong.
BAD_MEDIUM = {errno.EIO, errno.ENXIO, errno.EBADMSG, getattr(errno, "EUCLEAN", errno.EIO)}
BLOSC_HEADER = 16  # bytes: version, flags and sizes


class Chunk(NamedTuple):
    """A file that holds a chunk."""

    key: str
    size: int  #: bytes, -1 of what is no plain file
    at: tuple[int, ...]  #: index along each dimension

    @property
    def first(self) -> int:
        return self.at[0]


@dataclass
class Files:
    """What lies in the folder of a store."""

    chunks: dict[str, list[Chunk]] = field(default_factory=dict)  #: by array
    partial: list[str] = field(default_factory=list)  #: of a write that was broken off
    beyond: list[str] = field(default_factory=list)  #: chunks past the end of their array
    foreign: list[str] = field(default_factory=list)  #: none of ours
    #: those of them that are no plain files, such as links and pipes
    odd: list[str] = field(default_factory=list)


def files_of(place: Place, arrays: Mapping[str, ArraySpec], below: str = "") -> Files:
    """Every file of a store or of one of its folders, sorted by what it is."""
    found = Files({name: [] for name in arrays})
    for key, size in place.listing(below):
        is_empty_folder = key.endswith("/")
        key = key.removesuffix("/")
        name, _, rest = key.partition("/")
        spec = arrays.get(name)
        index = _index(rest)
        if is_empty_folder:
            if spec is not None and index is not None and _is_within(spec, index):
                found.chunks[name].append(Chunk(key, size, index))
            continue  # elsewhere it is in the way of no chunk
        if key == DESCRIPTION or rest == DESCRIPTION:
            continue
        if spec is None or (index is None and (size < 0 or not key.endswith(".partial"))):
            found.foreign.append(key)
            found.odd += [key] * (size < 0)
        elif index is None:
            found.partial.append(key)
        elif not _is_within(spec, index):
            found.beyond.append(key)
        else:
            found.chunks[name].append(Chunk(key, size, index))
    return found


def _is_within(spec: ArraySpec, index: tuple[int, ...]) -> bool:
    """Whether an array has a chunk of this index."""
    if len(index) != len(spec.shape):
        return False
    return all(i * chunk < n for i, chunk, n in zip(index, spec.chunks, spec.shape, strict=True))


def _index(rest: str) -> tuple[int, ...] | None:
    word, *numbers = rest.split("/")
    if (
        word != "c"
        or not numbers
        or not all(
            n.isascii() and n.isdigit() and (n == "0" or n[0] != "0") and len(n) < 12
            for n in numbers
        )
    ):
        return None
    return tuple(map(int, numbers))


def damaged(
    place: Place, arrays: Mapping[str, ArraySpec], files: Files, *, deep: bool
) -> list[tuple[str, Chunk]]:
    """Chunks that cannot be read, with their arrays.

    Sizes tell, and of compressed chunks in a folder their first bytes; what holds texts or is small
    is read whole. With ``deep`` every chunk is read, its checksum computed and its content
    unpacked.
    """
    suspects = [(name, chunk) for name, chunks in files.chunks.items() for chunk in chunks]
    bad = [(name, chunk) for name, chunk in suspects if not _size_fits(arrays[name], chunk.size)]
    known = set(bad)
    to_read = [
        (name, chunk)
        for name, chunk in suspects
        if (name, chunk) not in known
        and (
            deep
            or _is_read_whole(arrays[name])
            or ("blosc" in arrays[name].codecs and isinstance(place, Folder))
        )
    ]

    def is_bad(one: tuple[str, Chunk]) -> bool:
        name, chunk = one
        whole = deep or _is_read_whole(arrays[name])
        try:
            return not (_content_fits if whole else _header_fits)(
                arrays[name], place.read(chunk.key, None if whole else BLOSC_HEADER), chunk.size
            )
        except FileNotFoundError:  # removed since it was listed
            return False
        except OSError as error:
            if error.errno not in BAD_MEDIUM:
                raise
            return True

    if isinstance(place, Folder):
        return bad + [one for one in to_read if is_bad(one)]
    with ThreadPoolExecutor(MAX_REQUESTS) as threads:
        return bad + [
            one for one, found in zip(to_read, threads.map(is_bad, to_read), strict=True) if found
        ]


def _tail(spec: ArraySpec) -> int:
    return 4 if spec.codecs[-1] == "crc32c" else 0


def _is_read_whole(spec: ArraySpec) -> bool:
    return spec.dtype == "string" or "zstd" in spec.codecs  # coordinates and other small arrays


def _size_fits(spec: ArraySpec, size: int) -> bool:
    if not {"blosc", "zstd"} & {*spec.codecs} and spec.dtype != "string":
        return size == spec.chunk_bytes + _tail(spec)
    return _tail(spec) < size <= FILE_BYTES


def _header_fits(spec: ArraySpec, head: bytes, size: int) -> bool:
    if len(head) < BLOSC_HEADER:
        return False
    nbytes, _, cbytes = struct.unpack("<III", head[4:16])
    return bool(nbytes == spec.chunk_bytes and cbytes == size - _tail(spec))


def _content_fits(spec: ArraySpec, content: bytes, size: int) -> bool:
    """Whether a chunk can be unpacked: checksum, compression, texts."""
    try:
        return len(content) == size and _values(spec, content).size > 0
    except (ValueError, RuntimeError, MemoryError):
        return False


def _values(spec: ArraySpec, content: bytes) -> NDArray[Any]:
    """What a chunk holds; ValueError where it is not all there, or unpacks to more than it must."""
    codecs = list(spec.codecs)
    if codecs[-1] == "crc32c":
        content, checksum = content[:-4], content[-4:]
        if google_crc32c.value(content) != int.from_bytes(checksum, "little"):
            raise ValueError("garbled")
        codecs.pop()
    for codec in reversed(codecs[1:]):
        content = _by_codec(spec, codec, content)
    if spec.dtype == "string":
        return _texts(spec, content).reshape(spec.chunks)
    return np.frombuffer(content, np.dtype(spec.dtype).newbyteorder("<")).reshape(spec.chunks)


def _by_codec(spec: ArraySpec, codec: str, content: bytes) -> bytes:
    if codec == "blosc":
        if not _header_fits(spec, content[:BLOSC_HEADER], len(content) + _tail(spec)):
            raise ValueError("no such chunk")
        return bytes(numcodecs.blosc.decompress(content))
    if codec == "zstd":
        declared = zstd_size(content)
        if declared is None or declared > MAX_CHUNK_BYTES:
            raise ValueError("unpacks to more than a chunk")
        return bytes(numcodecs.zstd.decompress(content))
    raise ValueError(f"packed by {codec}")


def zstd_size(content: bytes) -> int | None:
    """Bytes that a zstd frame says it unpacks to (RFC 8878, 3.1.1.1); None where it does not say or is none."""
    if len(content) < 6 or content[:4] != b"\x28\xb5\x2f\xfd":
        return None
    descriptor = content[4]
    single = descriptor >> 5 & 1
    width = (0, 2, 4, 8)[descriptor >> 6]
    width = width or single
    begin = 5 + (1 - single) + (0, 1, 2, 4)[descriptor & 3]
    if not width or len(content) < begin + width:
        return None
    return int.from_bytes(content[begin : begin + width], "little") + (256 if width == 2 else 0)


def _texts(spec: ArraySpec, content: bytes) -> NDArray[Any]:
    """The texts of a chunk; ValueError where it is torn, or declares more than it should have, for which memory would be taken."""
    if content[:4] != struct.pack("<I", math.prod(spec.chunks)):
        raise ValueError("not as many texts as a chunk has")
    return np.asarray(numcodecs.vlen.VLenUTF8().decode(content))


def absent(spec: ArraySpec, chunks: Iterable[Chunk]) -> list[int]:
    """Indices along the first dimension at which some chunk of an array does not exist."""
    inner = math.prod(
        -(-n // chunk) for n, chunk in zip(spec.shape[1:], spec.chunks[1:], strict=True)
    )
    count = np.bincount(
        [chunk.first for chunk in chunks], minlength=-(-spec.shape[0] // spec.chunks[0])
    )
    return [int(index) for index in np.flatnonzero(count < inner)]


def read_array(
    place: Place, spec: ArraySpec, refuse: Callable[[Sequence[int]], None]
) -> NDArray[Any]:
    """An array, whole; chunks that do not exist are not looked for: a hostile store may declare millions.

    Parameters
    ----------
    refuse : callable
        Given the indices along the first dimension of chunks that do not exist, if there are any.

    Raises
    ------
    ValueError
        Chunks cannot be read.
    """
    files = files_of(place, {spec.name: spec}, f"{spec.name}/")
    if files.odd:
        raise ValueError(f"{', '.join(files.odd[:3])} cannot be read")
    gone = absent(spec, files.chunks[spec.name])
    if gone:
        refuse(gone)
    length = spec.chunks[0]
    n = spec.shape[0]
    parts = [
        _Part(
            chunk.key, slice(lo, min(lo + length, n)), slice(0, min(length, n - lo)), chunk.at[1:]
        )
        for chunk in files.chunks[spec.name]
        for lo in [chunk.at[0] * length]
    ]
    return _filled(place, spec, n, parts, refuse)


def read_rows(
    place: Place,
    spec: ArraySpec,
    rows: NDArray[np.int64],
    refuse: Callable[[Sequence[int]], None],
) -> NDArray[Any]:
    """Some rows of an array, (rows.size, ...).

    Parameters
    ----------
    refuse : callable
        As of :func:`read_array`.

    Raises
    ------
    ValueError
        Chunks cannot be read.
    """
    number, within = np.divmod(rows, spec.chunks[0])
    order = np.argsort(number, kind="stable")
    inner = [
        range(-(-n // chunk)) for n, chunk in zip(spec.shape[1:], spec.chunks[1:], strict=True)
    ]
    parts = [
        _Part(
            f"{spec.name}/c/{'/'.join(map(str, (number[here[0]], *index)))}",
            here,
            within[here],
            index,
        )
        for here in np.split(order, np.flatnonzero(np.diff(number[order])) + 1)
        if here.size
        for index in itertools.product(*inner)
    ]
    return _filled(place, spec, rows.size, parts, refuse)


class _Part(NamedTuple):
    """What a chunk has of the rows that are read."""

    key: str
    rows: slice | NDArray[np.int64]  #: in the result
    within: slice | NDArray[np.int64]  #: in the chunk
    inner: tuple[int, ...]  #: index of the chunk along the other dimensions


def _filled(
    place: Place,
    spec: ArraySpec,
    rows: int,
    parts: Sequence[_Part],
    refuse: Callable[[Sequence[int]], None],
) -> NDArray[Any]:
    """Rows of an array, none of whose chunks takes more memory than it declares, which Zarr would believe."""
    fill = float(spec.fill) if isinstance(spec.fill, str) and spec.fill else spec.fill
    found = np.full(
        (rows, *spec.shape[1:]),
        fill,
        np.dtypes.StringDType() if spec.dtype == "string" else spec.dtype,
    )
    for part, content in zip(parts, _contents(place, [part.key for part in parts]), strict=True):
        if content is None:
            refuse([int(part.key.split("/")[2])])
            continue
        try:
            if not _size_fits(spec, len(content)):
                raise ValueError("too short or too long")
            values = _values(spec, content)
        except (ValueError, RuntimeError, MemoryError) as error:
            raise ValueError(f"{part.key} cannot be read: {error}") from error
        there = tuple(
            slice(i * chunk, min((i + 1) * chunk, n))
            for i, chunk, n in zip(part.inner, spec.chunks[1:], spec.shape[1:], strict=True)
        )
        held = tuple(slice(0, span.stop - span.start) for span in there)
        found[:, *there][part.rows] = values[:, *held][part.within]
    return found


def _contents(place: Place, keys: Sequence[str]) -> Iterable[bytes | None]:
    """Of files; None of one that is not there."""

    def read_if_there(key: str) -> bytes | None:
        with suppress(FileNotFoundError):
            return place.read(key)
        return None

    if isinstance(place, Folder):
        return map(read_if_there, keys)
    with ThreadPoolExecutor(MAX_REQUESTS) as threads:
        return list(threads.map(read_if_there, keys))
