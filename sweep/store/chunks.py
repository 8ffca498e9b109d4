"""The files of a store: which chunk of which array each is, and whether it can be read."""

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import google_crc32c
import numcodecs.blosc
import numcodecs.zstd
import numpy as np
from numpy.typing import NDArray

from .objects import CONCURRENT
from .place import DESCRIPTION, Folder, Place
from .schema import MAX_CHUNK_BYTES, ArraySpec

if TYPE_CHECKING:
    import zarr

BLOSC_HEADER = 16  # bytes: version, flags and sizes


class Chunk(NamedTuple):
    """A file that holds a chunk."""

    key: str
    size: int
    first: int  #: index along the first dimension


@dataclass
class Files:
    """What lies in the folder of a store."""

    chunks: dict[str, list[Chunk]] = field(default_factory=dict)  #: by array
    partial: list[str] = field(default_factory=list)  #: of a write that was broken off
    beyond: list[str] = field(default_factory=list)  #: chunks past the end of their array
    foreign: list[str] = field(default_factory=list)  #: none of ours
    odd: list[str] = field(default_factory=list)  #: those of them that are no plain files, such as links and pipes


def files_of(place: Place, arrays: Mapping[str, ArraySpec], below: str = "") -> Files:
    """Every file of a store or of one of its folders, sorted by what it is."""
    found = Files({name: [] for name in arrays})
    for key, size in place.listing(below):
        name, _, rest = key.partition("/")
        spec = arrays.get(name)
        if key == DESCRIPTION or rest == DESCRIPTION:
            continue
        index = _index(rest)
        if spec is None or (index is None and (size < 0 or not key.endswith(".partial"))):
            found.foreign.append(key)
            found.odd += [key] * (size < 0)
        elif index is None:
            found.partial.append(key)
        elif len(index) != len(spec.shape) or any(i * chunk >= n for i, chunk, n in zip(index, spec.chunks, spec.shape, strict=True)):
            found.beyond.append(key)
        else:
            found.chunks[name].append(Chunk(key, size, index[0]))
    return found


def _index(rest: str) -> tuple[int, ...] | None:
    word, *numbers = rest.split("/")
    if word != "c" or not numbers or not all(n.isascii() and n.isdigit() and (n == "0" or n[0] != "0") and len(n) < 12 for n in numbers):
        return None
    return tuple(map(int, numbers))


def damaged(place: Place, arrays: Mapping[str, ArraySpec], files: Files, *, deep: bool) -> list[tuple[str, Chunk]]:
    """Chunks that cannot be read, with their arrays.

    Sizes tell, and of compressed chunks in a folder their first bytes; what holds texts or is small is read whole. With ``deep`` every chunk
    is read, its checksum computed and its content unpacked.
    """
    suspects = [(name, chunk) for name, chunks in files.chunks.items() for chunk in chunks]
    bad = [(name, chunk) for name, chunk in suspects if not _size_fits(arrays[name], chunk.size)]
    known = set(bad)
    to_read = [
        (name, chunk)
        for name, chunk in suspects
        if (name, chunk) not in known and (deep or _is_read_whole(arrays[name]) or ("blosc" in arrays[name].codecs and isinstance(place, Folder)))
    ]

    def is_bad(one: tuple[str, Chunk]) -> bool:
        name, chunk = one
        whole = deep or _is_read_whole(arrays[name])
        try:
            return not (_content_fits if whole else _header_fits)(arrays[name], place.read(chunk.key, None if whole else BLOSC_HEADER), chunk.size)
        except FileNotFoundError:  # removed since it was listed
            return False

    if isinstance(place, Folder):
        return bad + [one for one in to_read if is_bad(one)]
    with ThreadPoolExecutor(CONCURRENT) as threads:
        return bad + [one for one, found in zip(to_read, threads.map(is_bad, to_read), strict=True) if found]


def _tail(spec: ArraySpec) -> int:
    return 4 if spec.codecs[-1] == "crc32c" else 0


def _is_read_whole(spec: ArraySpec) -> bool:
    return spec.dtype == "string" or "zstd" in spec.codecs  # coordinates and other small arrays


def _size_fits(spec: ArraySpec, size: int) -> bool:
    if not {"blosc", "zstd"} & {*spec.codecs} and spec.dtype != "string":
        return size == spec.chunk_bytes + _tail(spec)
    return _tail(spec) < size <= 2 * MAX_CHUNK_BYTES


def _header_fits(spec: ArraySpec, head: bytes, size: int) -> bool:
    if len(head) < BLOSC_HEADER:
        return False
    nbytes, _, cbytes = struct.unpack("<III", head[4:16])
    return bool(nbytes == spec.chunk_bytes and cbytes == size - _tail(spec))


def _content_fits(spec: ArraySpec, content: bytes, size: int) -> bool:
    """Whether a chunk can be unpacked: checksum, compression, texts."""
    if len(content) != size:
        return False
    codecs = list(spec.codecs)
    try:
        if codecs[-1] == "crc32c":
            content, checksum = content[:-4], content[-4:]
            if google_crc32c.value(content) != int.from_bytes(checksum, "little"):
                return False
            codecs.pop()
        for codec in reversed(codecs[1:]):
            content = _unpacked(spec, codec, content)
        if spec.dtype == "string":
            return _texts(content) == spec.chunks[0]
        return len(content) == spec.chunk_bytes
    except (ValueError, RuntimeError, MemoryError):
        return False


def _unpacked(spec: ArraySpec, codec: str, content: bytes) -> bytes:
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
    single, width = descriptor >> 5 & 1, (0, 2, 4, 8)[descriptor >> 6]
    width = width or single
    begin = 5 + (1 - single) + (0, 1, 2, 4)[descriptor & 3]
    if not width or len(content) < begin + width:
        return None
    return int.from_bytes(content[begin : begin + width], "little") + (256 if width == 2 else 0)


def _texts(content: bytes) -> int:
    """How many texts a chunk holds; ValueError where it is torn."""
    if len(content) < 4:
        raise ValueError("no texts")
    (count,), at = struct.unpack_from("<I", content), 4
    for _ in range(count):
        if at + 4 > len(content):
            raise ValueError("torn")
        (length,) = struct.unpack_from("<I", content, at)
        content[at + 4 : at + 4 + length].decode("utf-8")
        at += 4 + length
    if at != len(content):
        raise ValueError("torn")
    return int(count)


def read_array(place: Place, spec: ArraySpec, opened: "Callable[[], zarr.Array[Any]]") -> NDArray[Any]:
    """An array, whole, none of whose chunks takes more memory than it declares; ``opened`` by Zarr only where numbers are packed, or are none.

    Raises
    ------
    ValueError
        Chunks cannot be read.
    """
    files = files_of(place, {spec.name: spec}, f"{spec.name}/")
    bad = damaged(place, {spec.name: spec}, files, deep=False)
    if bad or files.odd:
        raise ValueError(f"{', '.join([*files.odd, *(chunk.key for _, chunk in bad)][:3])} cannot be read")
    if len(spec.shape) > 1 or spec.dtype == "string" or {*spec.codecs} - {"bytes", "crc32c"}:
        return np.asarray(opened()[...])
    found = np.full(spec.shape, float(spec.fill) if isinstance(spec.fill, str) else spec.fill, spec.dtype)
    chunks = files.chunks[spec.name]
    for chunk, content in zip(chunks, _contents(place, [chunk.key for chunk in chunks]), strict=True):  # a fiftieth of the time that Zarr takes
        if not _is_read_whole(spec) and not _content_fits(spec, content, chunk.size):
            raise ValueError(f"{chunk.key} is garbled")
        lo = chunk.first * spec.chunks[0]
        found[lo : lo + spec.chunks[0]] = np.frombuffer(content, spec.dtype, spec.chunks[0])[: spec.shape[0] - lo]
    return found


def _contents(place: Place, keys: Sequence[str]) -> Iterable[bytes]:
    if isinstance(place, Folder):
        return map(place.read, keys)
    with ThreadPoolExecutor(CONCURRENT) as threads:
        return list(threads.map(place.read, keys))
