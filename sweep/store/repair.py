"""What is wrong with a store, and setting right what can be without losing a readable result."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from marsdisk import model_version
from marsdisk.zarr_folder import note_name

from ..errors import StoreError
from . import layout, reader, schema
from .chunks import Chunk, Files, absent, damaged, files_of, read_rows
from .failures import telling
from .lock import DRIVER, LOCK, driver_of, driving
from .objects import MAKING
from .place import Folder, Place
from .recorded_tables import change_of_table, is_missing
from .schema import ArraySpec
from .writer import mark_unused

#: Arrays that a finished run always fills with something: where their chunk is missing in a store
#: of schema 1, it was lost.
ALWAYS_FILLED = (
    "Sigma_0",
    "t_end",
    "wall_time",
    "stop_reason",
    "worker",
    "attempt",
    "t",
    "Sigma",
    "N",
)


@dataclass(frozen=True)
class Finding:
    """One kind of thing that is wrong."""

    kind: str
    names: tuple[str, ...]  #: blocks, arrays or files
    meaning: str
    cure: str  #: what to type or do
    repair: str = ""  #: what --repair does about it; empty where it does nothing
    blocks: tuple[int, ...] = ()  #: to be computed again
    files: tuple[str, ...] = ()  #: in the store, to be removed
    leftovers: tuple[str, ...] = field(default=())  #: beside the store, to be removed
    repaired: bool = False
    is_to_do: bool = True  #: whether anything has to be done about it


@dataclass(frozen=True)
class Diagnosis:
    """What was found."""

    findings: list[Finding]
    #: who drives the store; what is not committed is his work then, and no finding
    driver: str | None

    @property
    def is_clean(self) -> bool:
        """Whether nothing is left to be done: what was repaired is no finding any more, unless its runs are to be computed again."""
        to_do = [finding for finding in self.findings if finding.is_to_do]
        return all(finding.repaired and not finding.blocks for finding in to_do)

    @property
    def verdict(self) -> str:
        """All of it in some words."""
        if not self.findings:
            return "nothing is wrong"
        if not self.is_clean:
            return "something is to be done"
        has_repaired = any(finding.repaired for finding in self.findings)
        return "repaired" if has_repaired else "nothing is to be done"


@dataclass(frozen=True)
class _Store:
    place: Place
    attributes: Mapping[str, Any]
    arrays: Mapping[str, ArraySpec]
    files: Files
    bad: Sequence[tuple[str, Chunk]]
    driver: str | None

    @property
    def block_size(self) -> int:
        return int(self.attributes["block_size"])

    def blocks_of(self, name: str, chunk: Chunk) -> range:
        """Blocks that a chunk holds runs of."""
        length = self.arrays[name].chunks[0]
        last = min((chunk.first + 1) * length, self.arrays[name].shape[0]) - 1
        return range(chunk.first * length // self.block_size, last // self.block_size + 1)


def examine(store: str | Path | Place, *, deep: bool = False) -> Diagnosis:
    """All that is wrong with a store; nothing is changed.

    Parameters
    ----------
    deep : read every chunk, instead of the sizes of all and the first bytes of some

    Raises
    ------
    StoreError
        There is no store of a sweep, or it cannot be read at all.
    """
    place = Place.of(store)
    driver = driver_of(place)
    return Diagnosis(_examine(place, driver, deep=deep), driver)


def _examine(place: Place, driver: str | None, *, deep: bool) -> list[Finding]:
    attributes, described = reader.read_descriptions(place)
    arrays, wrong = schema.read_arrays(described, attributes)
    findings = list(_structure(place, wrong, arrays, int(attributes["rows"])))
    with telling(place, "cannot be read"):
        records = _commit_records(place, arrays)
        files = files_of(place, arrays)
        files.chunks |= records
        files.foreign = [key for key in files.foreign if key.partition("/")[0] not in wrong]
        store = _Store(
            place, attributes, arrays, files, damaged(place, arrays, files, deep=deep), driver
        )
        findings += _files(store)
        if not wrong:
            findings += _blocks(store)
        findings += [*_coordinates(store), *_code(store), *_beside(store)]
    return findings


def _commit_records(place: Place, arrays: Mapping[str, ArraySpec]) -> dict[str, list[Chunk]]:
    """The files with commit records, listed before all others: what they say is committed is there by then."""
    of_status = {name: spec for name, spec in arrays.items() if name == "status"}
    return files_of(place, of_status, "status/").chunks if of_status else {}


def _structure(
    place: Place, wrong: Mapping[str, str], arrays: Mapping[str, ArraySpec], rows: int
) -> Iterator[Finding]:
    anew = (
        "its other arrays can still be read with Zarr; for a whole store, sweep run it into"
        f" another --store than {place}"
    )
    if wrong:
        yield Finding(
            "damaged arrays",
            tuple(f"{name} {what}" for name, what in wrong.items()),
            "not what this program writes; no command goes on with it",
            anew,
        )
    elif different := schema.lengths(arrays, rows):
        lines = tuple(f"{name} {what}" for name, what in different.items())
        again = (
            f"the same sweep run FILE --extend again finishes it, sweep resume {place} takes it"
            f" back; if you did not extend it: {anew}"
        )
        yield Finding(
            "arrays of different length",
            lines,
            "an extension was broken off, or the store was changed by hand",
            again,
        )


def _files(store: _Store) -> Iterator[Finding]:
    files = store.files
    if files.partial and not store.driver:
        names = tuple(files.partial)
        yield Finding(
            "unfinished files",
            names,
            "a write was broken off; nobody reads them",
            _repair_command(store),
            "removed",
            files=names,
        )
    if files.beyond:
        names = tuple(files.beyond)
        yield Finding(
            "chunks beyond the end",
            names,
            "no array reaches so far; nobody reads them",
            _repair_command(store),
            "removed",
            files=names,
        )
    if files.foreign:
        yield Finding(
            "foreign files",
            tuple(files.foreign),
            "not made by this program, and in the way of nobody",
            "look at them and remove them by hand",
        )


def _repair_command(store: _Store) -> str:
    return f"sweep doctor {store.place} --repair"


def _status(store: _Store) -> NDArray[np.uint8]:
    """The commit records; pending where their chunk cannot be read."""
    spec = store.arrays["status"]
    bad = {chunk.first for name, chunk in store.bad if name == "status"}
    status = np.full(spec.shape, layout.PENDING, np.uint8)
    for chunk in store.files.chunks["status"]:
        if chunk.first in bad:
            continue
        first = chunk.first * spec.chunks[0]
        rows = np.arange(first, min(first + spec.chunks[0], spec.shape[0]))
        status[rows] = read_rows(store.place, spec, rows, lambda absent: None)
    return status


def _blocks(store: _Store) -> Iterator[Finding]:
    status = _status(store)
    committed = reader.committed_of(status, store.block_size)
    begun = {
        block
        for variable in layout.EVERY_VARIABLE
        if variable.name in store.arrays and store.arrays[variable.name].is_by_block
        for chunk in store.files.chunks.get(variable.name, ())
        for block in store.blocks_of(variable.name, chunk)
    }
    unreadable = _unreadable(store)
    yield from unreadable
    marked = {block for finding in unreadable for block in finding.blocks}
    unknown = _blocks_of_runs(store, ~np.isin(status, list(layout.STATUS))) - marked
    if unknown:
        yield _finding_to_recompute(
            store,
            "unknown states",
            unknown,
            f"status holds values that mean nothing ({', '.join(map(str, layout.STATUS))} do)",
        )
    lost = set(_lost(store, status, committed)) - marked - unknown
    if lost:
        names = [
            name
            for name in store.arrays
            if store.arrays[name].is_by_block and _lost_of(store, name, status)
        ]
        shown = ", ".join(names[:5]) + " and others" * (len(names) > 5)
        yield _finding_to_recompute(
            store,
            "lost chunks",
            lost,
            f"committed, but files with their results are gone (of {shown})",
        )
    if store.driver:
        return
    resume = f"sweep resume {store.place}"
    torn = {int(block) for block in np.flatnonzero(~committed) if int(block) in begun} - marked
    if torn:
        yield Finding(
            "torn blocks",
            _ranges(torn),
            "begun but not committed; what stands there is not trusted and written over",
            resume,
        )
    pending = {int(block) for block in np.flatnonzero(~committed)} - torn - marked
    if pending:
        yield Finding("pending blocks", _ranges(pending), "not run yet", resume)


def _blocks_of_runs(store: _Store, which: NDArray[np.bool_]) -> set[int]:
    return {int(block) for block in np.unique(np.flatnonzero(which) // store.block_size)}


def _finding_to_recompute(
    store: _Store, kind: str, blocks: set[int], meaning: str, files: Sequence[str] = ()
) -> Finding:
    cure = f"{_repair_command(store)}, then sweep resume {store.place}"
    return Finding(
        kind,
        _ranges(blocks),
        meaning,
        cure,
        "marked as pending",
        blocks=tuple(sorted(blocks)),
        files=tuple(files),
    )


def _unreadable(store: _Store) -> list[Finding]:
    along_run = [(name, chunk) for name, chunk in store.bad if store.arrays[name].is_by_block]
    blocks = {block for name, chunk in along_run for block in store.blocks_of(name, chunk)}
    if not blocks:
        return []
    names = sorted({name for name, _ in along_run})
    meaning = (
        f"chunks of {', '.join(names[:5])}{' and others' * (len(names) > 5)} are truncated or"
        " garbled, and their runs as good as lost"
    )
    return [
        _finding_to_recompute(
            store, "unreadable blocks", blocks, meaning, [chunk.key for _, chunk in along_run]
        )
    ]


def _lost_of(store: _Store, name: str, status: NDArray[np.uint8]) -> list[str]:
    """Keys of the chunks of an array that must exist and do not."""
    spec = store.arrays[name]
    gone = absent(spec, store.files.chunks[name])
    return reader.lost_chunks(store.attributes, spec, gone, status)


def _lost(store: _Store, status: NDArray[np.uint8], committed: NDArray[np.bool_]) -> Iterator[int]:
    """Committed blocks of which a chunk that must be there is not."""
    if store.attributes["schema_version"] >= layout.FIRST_WITH_EVERY_CHUNK:
        for name in store.arrays:
            if not store.arrays[name].is_by_block:
                continue
            for key in _lost_of(store, name, status):
                chunk = Chunk(key, 0, (int(key.rpartition("/")[2]),))
                yield from (block for block in store.blocks_of(name, chunk) if committed[block])
        return
    done = _blocks_of_runs(store, status == layout.DONE) & set(np.flatnonzero(committed).tolist())
    for name in ALWAYS_FILLED:
        spec = store.arrays[name]
        there = {chunk.first for chunk in store.files.chunks[name]}
        yield from (
            block for block in done if block * store.block_size // spec.chunks[0] not in there
        )


def _coordinates(store: _Store) -> Iterator[Finding]:
    status = _status(store) if "status" in store.arrays else np.zeros(0, np.uint8)
    lost = [
        key
        for name in sorted(store.arrays)
        if not store.arrays[name].is_by_block
        for key in _lost_of(store, name, status)
    ]
    names = sorted({name for name, _ in store.bad if not store.arrays[name].is_by_block})
    anew = (
        "results can still be read by run; for a whole store, sweep run it into another --store"
        f" than {store.place}"
    )
    if lost:
        yield Finding(
            "lost coordinates", tuple(lost), "files that say which run is which are gone", anew
        )
    if names:
        yield Finding(
            "unreadable coordinates",
            tuple(names),
            "what says which run is which cannot be read",
            anew,
        )
    if (
        "run_id" in {*names, *(key.partition("/")[0] for key in lost)}
        or "run_id" not in store.arrays
    ):
        return
    names_of = reader.column(store.place.group(), "run_id")
    status = status[: names_of.size]
    # the latter in a block that is lost
    unused = (status == layout.UNUSED) | (
        (status == layout.PENDING) & (names_of[: status.size] == "")
    )
    ids = np.delete(names_of, np.flatnonzero(unused)).tolist()
    twice = len(ids) - len(set(ids))
    if twice or not all(ids):
        what = (f"{twice} run_ids stand there again",) * (twice > 0) + ("some runs have none",) * (
            not all(ids)
        )
        yield Finding(
            "run_ids that name nothing",
            what,
            "every run has one of its own; the store was changed by hand",
            anew,
        )


def _code(store: _Store) -> Iterator[Finding]:
    was = store.attributes["provenance"]
    if was["model_version"] != model_version():
        yield Finding(
            "another version of the model",
            (f"{was['model_version']}, here is {model_version()}",),
            "the numbers here would be others; sweep run and sweep resume refuse to go on",
            "go on with the version that made it, or sweep run into another --store",
        )
    tables = was["tables"]
    missing = tuple(name for name in tables if is_missing(str(name)))
    changes = {
        name: change_of_table(str(name), digest)
        for name, digest in tables.items()
        if name not in missing
    }
    changed = tuple(f"{name}: {change}" for name, change in changes.items() if change)
    if changed:
        yield Finding(
            "changed tables",
            changed,
            "the numbers here would be others; sweep run and sweep resume refuse to go on",
            "put the table back, or sweep run into another --store",
        )
    if missing:
        yield _missing_tables(missing, is_complete=_is_complete(store))


def _missing_tables(names: tuple[str, ...], *, is_complete: bool) -> Finding:
    kind = "missing tables"
    if is_complete:
        meaning = (
            "no longer where they were; all runs are committed, and none of them needs its tables"
        )
        return Finding(
            kind,
            names,
            meaning,
            "nothing, unless a run is to be repeated: then put them back",
            is_to_do=False,
        )
    meaning = "no longer where they were; sweep resume cannot compute the runs that are left"
    cure = (
        "put them back, or sweep run FILE, which goes on where FILE names the same tables elsewhere"
    )
    return Finding(kind, names, meaning, cure)


def _is_complete(store: _Store) -> bool:
    """Whether no run is left to be computed."""
    if "status" not in store.arrays or store.attributes.get("refined") is False:
        return False
    return bool((_status(store) != layout.PENDING).all())


def _beside(store: _Store) -> Iterator[Finding]:
    if store.driver:
        return
    lasting = {
        note_name(store.place.name, note)
        for note in ((LOCK,) if not isinstance(store.place, Folder) else ())
    }
    names = [name for name in store.place.leftovers() if name not in lasting]
    stale = tuple(
        name for name in names if _is_ours(name.removeprefix(note_name(store.place.name, "")))
    )
    if stale:
        yield Finding(
            "stale notes",
            stale,
            "left by a driver that was killed; nobody reads them",
            _repair_command(store),
            "removed",
            leftovers=stale,
        )


def _is_ours(note: str) -> bool:
    """Whether a driver or a making leaves such a note, however it ends."""
    is_known = note in {LOCK, DRIVER, "json", MAKING, "cancel"}
    return (
        is_known
        or note.endswith(".partial")
        or re.fullmatch("(probe|clock|making)-[0-9a-f]+(-[0-9]+)?", note) is not None
    )


def repair(store: str | Path | Place, *, deep: bool = False) -> Diagnosis:
    """Set right what can be: remove what nobody reads, and mark blocks with unreadable results as pending. No readable file is removed.

    Raises
    ------
    StoreError
        Somebody drives the store, or it cannot be read or written.
    """
    place = Place.of(store)
    reader.read_descriptions(place)  # refuses what is no store before anything is made beside it
    with driving(place):
        findings = _examine(place, None, deep=deep)
        held = {note_name(place.name, note) for note in (LOCK, DRIVER)}
        findings = [
            f
            for f in (
                replace(f, leftovers=tuple(n for n in f.leftovers if n not in held))
                for f in findings
            )
            if f.leftovers or f.kind != "stale notes"
        ]
        with telling(place, "cannot be written"):
            return Diagnosis([_repaired(place, finding) for finding in findings], None)


def _repaired(place: Place, finding: Finding) -> Finding:
    if not finding.repair:
        return finding
    if finding.blocks:
        # first: a reader never sees a commit record of what is gone
        _mark_pending(place, finding.blocks)
    place.delete(finding.files)
    for name in finding.leftovers:
        with suppress(FileNotFoundError):
            place.delete_leftover(name)
    return replace(finding, repaired=True)


def _mark_pending(place: Place, blocks: Sequence[int]) -> None:
    group = reader.open_group(place)
    size = reader.block_size(group)
    array = zarr.open_array(place.zarr_store(), path="status", mode="r+", zarr_format=3)
    for block in blocks:
        runs = slice(block * size, min((block + 1) * size, array.shape[0]))
        # the block is the chunk: without it the block is pending, be it readable or not
        if array.chunks[0] == size:
            place.delete([f"status/c/{block}"])
        else:
            array[runs] = layout.PENDING
        with suppress(StoreError):  # where it cannot be known, the next driver knows it
            mark_unused(
                place,
                (runs.start + np.flatnonzero(reader.part(group, "run_id", runs) == "")).tolist(),
            )


def _ranges(blocks: set[int]) -> tuple[str, ...]:
    """0-3, 7."""
    found: list[tuple[int, int]] = []
    for block in sorted(blocks):
        if found and found[-1][1] == block - 1:
            found[-1] = (found[-1][0], block)
        else:
            found.append((block, block))
    return tuple(str(lo) if lo == hi else f"{lo}-{hi}" for lo, hi in found)
