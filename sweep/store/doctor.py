"""Diagnosing a store, and repairing what can be repaired without losing a readable result."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import zarr
from numpy.typing import NDArray

from marsdisk import model_version
from marsdisk.io.zarr_folder import note_name

from ..common.command import Command
from ..common.errors import StoreError
from ..common.text import listed
from . import layout, schema
from .chunks import Chunk, Files, absent, damaged, files_of, read_rows
from .description import Description
from .driving import driver_of, driving
from .driving_right import DRIVER, LOCK
from .failures import telling
from .folder import Folder
from .locate import locate
from .location import Location
from .object_store import MAKING
from .recorded_tables import change_of_table, is_missing
from .schema import ArraySpec
from .store import Store, committed_of, lost_chunks, read_descriptions
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
    """One kind of problem, with everything that has it."""

    kind: str
    names: tuple[str, ...]  #: blocks, arrays or files
    meaning: str
    cure: str  #: what to type or do
    repair: str = ""  #: what --repair does about it; empty where it does nothing
    blocks: tuple[int, ...] = ()  #: to be computed again
    files: tuple[str, ...] = ()  #: in the store, to be removed
    leftovers: tuple[str, ...] = field(default=())  #: next to the store, to be removed
    repaired: bool = False
    is_to_do: bool = True  #: whether anybody has to act


@dataclass(frozen=True)
class Diagnosis:
    """All findings about a store."""

    findings: list[Finding]
    #: who drives the store; blocks that are not committed are then in progress and no finding
    driver: str | None

    @property
    def is_clean(self) -> bool:
        """Whether no action is left: repairs are done, and no run has to be computed again."""
        to_do = [finding for finding in self.findings if finding.is_to_do]
        return all(finding.repaired and not finding.blocks for finding in to_do)

    @property
    def verdict(self) -> str:
        """The diagnosis in a few words."""
        if not self.findings:
            return "nothing is wrong"
        if not self.is_clean:
            return "action needed"
        if any(finding.repaired for finding in self.findings):
            return "repaired"
        return "no action needed"


class _Examined(Store):
    """A store as far as it can be read, with its files."""

    def __init__(
        self,
        location: Location,
        description: Description,
        arrays: Mapping[str, ArraySpec],
        *,
        files: Files,
        bad: Sequence[tuple[str, Chunk]],
        driver: str | None,
    ) -> None:
        super().__init__(location, description, arrays)
        self.files = files
        self.bad = bad  # damaged chunks, with the names of their arrays
        self.driver = driver

    def blocks_of(self, name: str, chunk: Chunk) -> range:
        """Return the blocks that a chunk holds runs of."""
        rows, *_ = self.arrays[name].shape
        length, *_ = self.arrays[name].chunks
        first_row = chunk.first * length
        last_row = min(first_row + length, rows) - 1
        return range(first_row // self.block_size, last_row // self.block_size + 1)


def examine(store: str | Path | Location, *, deep: bool = False) -> Diagnosis:
    """Diagnose a store without changing anything.

    Parameters
    ----------
    store : str or Path or Location
        Where the store is.
    deep : bool
        Whether to read every chunk, rather than the sizes of all and the first bytes of some.

    Returns
    -------
    Diagnosis
        Everything that is wrong with the store.

    Raises
    ------
    StoreError
        There is no store of a sweep, or it cannot be read at all.
    """
    location = locate(store)
    driver = driver_of(location)
    return Diagnosis(_examine(location, driver, deep=deep), driver)


def _examine(location: Location, driver: str | None, *, deep: bool) -> list[Finding]:
    description, descriptions = read_descriptions(location)
    arrays, problems = schema.read_arrays(descriptions, description)
    findings = list(_structure(location, problems, arrays, description.rows))
    with telling(location, "cannot be read"):
        records = _commit_records(location, arrays)
        files = files_of(location, arrays)
        files.chunks |= records
        files.foreign = [key for key in files.foreign if key.partition("/")[0] not in problems]
        bad = damaged(location, arrays, files, deep=deep)
        store = _Examined(location, description, arrays, files=files, bad=bad, driver=driver)
        findings += _files(store)
        if not problems:
            findings += _blocks(store)
        findings += [*_coordinates(store), *_code(store), *_notes(store)]
    return findings


def _commit_records(location: Location, arrays: Mapping[str, ArraySpec]) -> dict[str, list[Chunk]]:
    """Return the chunks with commit records.

    They are listed before all others, so that the chunks of every block that they declare
    committed exist by the time the others are listed.
    """
    if "status" not in arrays:
        return {}
    return files_of(location, {"status": arrays["status"]}, "status/").chunks


def _structure(
    location: Location, problems: Mapping[str, str], arrays: Mapping[str, ArraySpec], rows: int
) -> Iterator[Finding]:
    salvage = (
        "its other arrays can still be read with Zarr; for a whole store, sweep run it into"
        f" another --store than {location}"
    )
    if problems:
        yield Finding(
            "damaged arrays",
            tuple(f"{name} {problem}" for name, problem in problems.items()),
            "not what this program writes; no command accepts the store",
            salvage,
        )
        return
    lengths = schema.lengths(arrays, rows)
    if lengths:
        yield Finding(
            "arrays of different length",
            tuple(f"{name} {problem}" for name, problem in lengths.items()),
            "an extension was interrupted, or the store was changed by hand",
            "the same sweep run FILE --extend again completes it, and"
            f" {Command.sweep('resume', location)} reverts it; if you did not extend the store:"
            f" {salvage}",
        )


def _files(store: _Examined) -> Iterator[Finding]:
    files = store.files
    if files.partial and not store.driver:
        yield Finding(
            "unfinished files",
            tuple(files.partial),
            "a write was interrupted; nothing reads them",
            _repair_command(store),
            "removed",
            files=tuple(files.partial),
        )
    if files.beyond:
        yield Finding(
            "chunks beyond the end",
            tuple(files.beyond),
            "their arrays end before them; nothing reads them",
            _repair_command(store),
            "removed",
            files=tuple(files.beyond),
        )
    if files.foreign:
        yield Finding(
            "foreign files",
            tuple(files.foreign),
            "not written by this program; they do no harm",
            "inspect them and remove them by hand",
        )


def _repair_command(store: _Examined) -> str:
    return str(Command.sweep("doctor", store.location).with_options(repair=True))


def _status(store: _Examined) -> NDArray[np.uint8]:
    """Return the commit records; pending where their chunk cannot be read."""
    spec = store.arrays["status"]
    bad = {chunk.first for name, chunk in store.bad if name == "status"}
    status = np.full(spec.shape, layout.PENDING, np.uint8)
    for chunk in store.files.chunks["status"]:
        if chunk.first in bad:
            continue
        first = chunk.first * spec.chunks[0]
        rows = np.arange(first, min(first + spec.chunks[0], spec.shape[0]))
        status[rows] = read_rows(store.location, spec, rows, lambda _: None)
    return status


def _blocks(store: _Examined) -> Iterator[Finding]:
    status = _status(store)
    committed = committed_of(status, store.block_size)
    damage = [*_unreadable(store)]
    yield from damage
    marked = {block for finding in damage for block in finding.blocks}
    unknown = _blocks_of_runs(store, ~np.isin(status, list(layout.STATUS))) - marked
    if unknown:
        states = ", ".join(map(str, layout.STATUS))
        yield _finding_to_recompute(
            store,
            "unknown states",
            unknown,
            f"status holds values that are none of its states, {states}",
        )
    lost = set(_lost_blocks(store, status, committed)) - marked - unknown
    if lost:
        names = [
            name
            for name, spec in store.arrays.items()
            if spec.is_by_block and _lost_chunks(store, name, status)
        ]
        yield _finding_to_recompute(
            store,
            "lost chunks",
            lost,
            f"committed, but files with their results are gone (of {listed(names)})",
        )
    if not store.driver:
        yield from _uncommitted(store, set(np.flatnonzero(~committed).tolist()), marked)


def _uncommitted(store: _Examined, uncommitted: set[int], marked: set[int]) -> Iterator[Finding]:
    resume = str(Command.sweep("resume", store.location))
    torn = (uncommitted & _begun(store)) - marked
    if torn:
        yield Finding(
            "torn blocks",
            _ranges(torn),
            "begun but not committed; their results are not trusted and will be overwritten",
            resume,
        )
    pending = uncommitted - torn - marked
    if pending:
        yield Finding("pending blocks", _ranges(pending), "not run yet", resume)


def _begun(store: _Examined) -> set[int]:
    """Return the blocks of which any chunk exists."""
    blocks: set[int] = set()
    for name, spec in store.arrays.items():
        if spec.is_by_block:
            for chunk in store.files.chunks.get(name, ()):
                blocks.update(store.blocks_of(name, chunk))
    return blocks


def _blocks_of_runs(store: _Examined, mask: NDArray[np.bool_]) -> set[int]:
    """Return the blocks of the runs for which a mask is true."""
    return {int(block) for block in np.unique(np.flatnonzero(mask) // store.block_size)}


def _finding_to_recompute(
    store: _Examined, kind: str, blocks: set[int], meaning: str, files: Sequence[str] = ()
) -> Finding:
    return Finding(
        kind,
        _ranges(blocks),
        meaning,
        f"{_repair_command(store)}, then {Command.sweep('resume', store.location)}",
        "marked as pending",
        blocks=tuple(sorted(blocks)),
        files=tuple(files),
    )


def _unreadable(store: _Examined) -> Iterator[Finding]:
    along_run = [(name, chunk) for name, chunk in store.bad if store.arrays[name].is_by_block]
    blocks = {block for name, chunk in along_run for block in store.blocks_of(name, chunk)}
    if blocks:
        names = sorted({name for name, _ in along_run})
        yield _finding_to_recompute(
            store,
            "unreadable blocks",
            blocks,
            f"chunks of {listed(names)} are truncated or garbled, and the results of their runs"
            " are lost",
            [chunk.key for _, chunk in along_run],
        )


def _lost_chunks(store: _Examined, name: str, status: NDArray[np.uint8]) -> list[str]:
    """Return the keys of the chunks of an array that must exist and do not."""
    spec = store.arrays[name]
    missing = absent(spec, store.files.chunks[name])
    return lost_chunks(store.description, spec, missing, status)


def _lost_blocks(
    store: _Examined, status: NDArray[np.uint8], committed: NDArray[np.bool_]
) -> Iterator[int]:
    """Return the committed blocks of which a chunk that must exist does not."""
    if store.description.schema_version < layout.FIRST_WITH_EVERY_CHUNK:
        yield from _lost_blocks_of_schema_1(store, status, committed)
        return
    for name, spec in store.arrays.items():
        if not spec.is_by_block:
            continue
        for key in _lost_chunks(store, name, status):
            index = int(key.rpartition("/")[2])
            blocks = store.blocks_of(name, Chunk(key, 0, (index,)))
            yield from (block for block in blocks if committed[block])


def _lost_blocks_of_schema_1(
    store: _Examined, status: NDArray[np.uint8], committed: NDArray[np.bool_]
) -> Iterator[int]:
    done = _blocks_of_runs(store, status == layout.DONE) & set(np.flatnonzero(committed).tolist())
    for name in ALWAYS_FILLED:
        length, *_ = store.arrays[name].chunks
        present = {chunk.first for chunk in store.files.chunks[name]}
        yield from (block for block in done if block * store.block_size // length not in present)


def _coordinates(store: _Examined) -> Iterator[Finding]:
    status = np.zeros(0, np.uint8)
    if "status" in store.arrays:
        status = _status(store)
    lost: list[str] = []
    for name in sorted(store.arrays):
        if not store.arrays[name].is_by_block:
            lost += _lost_chunks(store, name, status)
    unreadable = sorted({name for name, _ in store.bad if not store.arrays[name].is_by_block})
    salvage = (
        "results can still be read by run; for a whole store, sweep run it into another --store"
        f" than {store.location}"
    )
    if lost:
        yield Finding(
            "lost coordinates",
            tuple(lost),
            "the files that identify the runs are gone",
            salvage,
        )
    if unreadable:
        yield Finding(
            "unreadable coordinates",
            tuple(unreadable),
            "the arrays that identify the runs cannot be read",
            salvage,
        )
    lost_names = {key.partition("/")[0] for key in lost}
    if "run_id" not in store.arrays or "run_id" in {*unreadable, *lost_names}:
        return
    problems = tuple(_problems_of_ids(store, status))
    if problems:
        yield Finding(
            "run_ids that name nothing",
            problems,
            "every run has a run_id of its own; the store was changed by hand",
            salvage,
        )


def _problems_of_ids(store: _Examined, status: NDArray[np.uint8]) -> Iterator[str]:
    ids = store.column("run_id")
    status = status[: ids.size]
    # rows without a run are pending, rather than unused, in a block that is lost
    is_nameless = (status == layout.PENDING) & (ids[: status.size] == "")
    is_unused = (status == layout.UNUSED) | is_nameless
    of_runs = np.delete(ids, np.flatnonzero(is_unused)).tolist()
    repeated = len(of_runs) - len(set(of_runs))
    if repeated > 0:
        yield f"{repeated} run_ids are repeated"
    if not all(of_runs):
        yield "some runs have none"


def _code(store: _Examined) -> Iterator[Finding]:
    provenance = store.description.provenance
    consequence = "results would differ; sweep run and sweep resume refuse the store"
    if provenance.model_version != model_version():
        yield Finding(
            "another version of the model",
            (f"{provenance.model_version}, here is {model_version()}",),
            consequence,
            "continue with the version that created the store, or sweep run into another --store",
        )
    missing: list[str] = []
    changed: list[str] = []
    for name, digest in provenance.tables.items():
        if is_missing(str(name)):
            missing.append(name)
            continue
        change = change_of_table(str(name), digest)
        if change:
            changed.append(f"{name}: {change}")
    if changed:
        yield Finding(
            "changed tables",
            tuple(changed),
            consequence,
            "put the table back, or sweep run into another --store",
        )
    if missing:
        yield _missing_tables(tuple(missing), is_complete=_is_complete(store))


def _missing_tables(names: tuple[str, ...], *, is_complete: bool) -> Finding:
    if is_complete:
        return Finding(
            "missing tables",
            names,
            "no longer where they were; all runs are committed, and reading them needs no tables",
            "nothing, unless you want to repeat a run: then put them back",
            is_to_do=False,
        )
    return Finding(
        "missing tables",
        names,
        "no longer where they were; sweep resume cannot compute the remaining runs",
        "put them back, or use sweep run FILE, which continues if FILE names the same tables in"
        " their new location",
    )


def _is_complete(store: _Examined) -> bool:
    """Return whether no run is left to be computed."""
    if "status" not in store.arrays or store.description.refined is False:
        return False
    return bool((_status(store) != layout.PENDING).all())


def _notes(store: _Examined) -> Iterator[Finding]:
    if store.driver:
        return
    stale = []
    for name in store.location.leftovers():
        note = name.removeprefix(note_name(store.location.name, ""))
        # a released lease leaves its note behind in an object store
        is_lease = note == LOCK and not isinstance(store.location, Folder)
        if _is_ours(note) and not is_lease:
            stale.append(name)
    if stale:
        yield Finding(
            "stale notes",
            tuple(stale),
            "left by a driver that was killed; nothing reads them",
            _repair_command(store),
            "removed",
            leftovers=tuple(stale),
        )


def _is_ours(note: str) -> bool:
    """Return whether a driver, or an interrupted creation of a store, leaves such a note."""
    if note in {LOCK, DRIVER, "json", MAKING, "cancel"} or note.endswith(".partial"):
        return True
    return re.fullmatch("(probe|clock|making)-[0-9a-f]+(-[0-9]+)?", note) is not None


def repair(store: str | Path | Location, *, deep: bool = False) -> Diagnosis:
    """Repair what can be repaired; no readable file is removed.

    Files that nothing reads are removed, and blocks with unreadable results marked as pending.

    Parameters
    ----------
    store : str or Path or Location
        Where the store is.
    deep : bool
        As of :func:`examine`.

    Returns
    -------
    Diagnosis
        What was wrong, with what was repaired marked as such.

    Raises
    ------
    StoreError
        Somebody drives the store, or it cannot be read or written.
    """
    location = locate(store)
    # refuses anything but a store before notes are written next to it
    read_descriptions(location)
    with driving(location):
        findings = _examine(location, None, deep=deep)
        with telling(location, "cannot be written"):
            repaired = [
                _repaired(location, finding) for finding in _without_own_notes(location, findings)
            ]
            return Diagnosis(repaired, None)


def _without_own_notes(location: Location, findings: Sequence[Finding]) -> Iterator[Finding]:
    """Leave out the notes of the repair itself, which drives the store."""
    own_notes = {note_name(location.name, note) for note in (LOCK, DRIVER)}
    for finding in findings:
        leftovers = tuple(name for name in finding.leftovers if name not in own_notes)
        if leftovers or finding.kind != "stale notes":
            yield replace(finding, leftovers=leftovers)


def _repaired(location: Location, finding: Finding) -> Finding:
    if not finding.repair:
        return finding
    if finding.blocks:
        # first, so that a reader never sees a commit record of a block that is gone
        _mark_pending(location, finding.blocks)
    location.delete(finding.files)
    for name in finding.leftovers:
        with suppress(FileNotFoundError):
            location.delete_leftover(name)
    return replace(finding, repaired=True)


def _mark_pending(location: Location, blocks: Sequence[int]) -> None:
    store = Store.open(location)
    size = store.block_size
    status = zarr.open_array(location.zarr_store(), path="status", mode="r+", zarr_format=3)
    for block in blocks:
        first_row = block * size
        runs = slice(first_row, min(first_row + size, status.shape[0]))
        # where a block is one chunk, it is pending without it, whether it is readable or not
        if status.chunks[0] == size:
            location.delete([f"status/c/{block}"])
        else:
            status[runs] = layout.PENDING
        with suppress(StoreError):  # where run_id cannot be read, the next driver marks them
            is_nameless = store.rows("run_id", runs) == ""
            mark_unused(location, (first_row + np.flatnonzero(is_nameless)).tolist())


def _ranges(blocks: set[int]) -> tuple[str, ...]:
    """Return numbers of blocks as ranges, such as 0-3 and 7."""
    ranges: list[tuple[int, int]] = []
    for block in sorted(blocks):
        if ranges and ranges[-1][1] == block - 1:
            ranges[-1] = (ranges[-1][0], block)
        else:
            ranges.append((block, block))
    return tuple(str(lo) if lo == hi else f"{lo}-{hi}" for lo, hi in ranges)
