"""From a sweep to its cases in the order they run: validated, named, grouped into blocks."""

import functools
import hashlib
import itertools
import math
import re
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from marsdisk import model_version
from marsdisk.config import RunConfig, Variations, digest_of_sections
from marsdisk.config_sections import Output, Section
from marsdisk.convergence import comparisons
from marsdisk.derived import cache_identity
from marsdisk.errors import ConfigError
from marsdisk.stages import Memory, stage
from marsdisk.start import check

from .axes import ONE_AT_A_TIME, Overrides, short_names
from .design import POINT
from .idle import coinciding, idle_axes
from .judging import refuse_bad_expectations
from .refine import runs_per_point
from .spec import Sweep
from .store import layout
from .store.writer import coordinate

# of series and size distributions; they are held about twice while a block is written
BLOCK_BYTES = 50e6
#: Blocks that a sweep is cut into, besides so many for each worker, and the largest that its blocks
#: become for that, in runs. A few serve a small sweep, so that some workers share it and an
#: interruption costs a part only; a large one has many, whose files are fewer if they are larger.
BLOCKS_WANTED = ((4, 2, 256), (64, 16, 1024))
BLOCK_MIN = 16


@dataclass(frozen=True)
class Case:
    """One run of a sweep."""

    run_id: str
    overrides: Overrides
    labels: dict[str, Any]  #: on each axis of the product; empty for an included case
    identity: tuple[object, ...]  #: what its cached arrays depend on


@dataclass(frozen=True, eq=False)
class Runs:
    """All different runs of a sweep as columns, so that a million take some tens of megabytes; those that share cached arrays stand together."""

    number: NDArray[np.int64]  #: (runs,) of the first case of the sweep file that is this run
    id: NDArray[np.uint64]  #: (runs,) its name
    #: (runs,) place of what its cached arrays depend on among ``identities``
    kind: NDArray[np.int64]
    values: dict[str, NDArray[Any]]  #: (runs,) each swept key
    identities: tuple[tuple[Any, ...], ...]
    #: (cases,) which run each case of the product is, coinciding ones too, in the order of the file
    product: NDArray[np.int64]
    product_number: NDArray[np.int64]  #: (cases,) number of each
    tables: dict[str, str]  #: digest of every table that any run uses
    parts: frozenset[str]  #: of the model that have arrays of their own


@dataclass(frozen=True)
class Block:
    """The unit of work, of writing and of committing."""

    index: int
    rows: Sequence[int]  #: of the store: all that the block has, or those to run again
    attempt: int = 1
    unused: int = 0  #: rows behind them, up to the end of the block, that hold no run


@dataclass(frozen=True, eq=False)
class Plan:
    """All runs of a sweep, in the rows of its store."""

    sweep: Sweep
    runs: Runs
    #: run in each row of the store; -1 in the part of a block that an extension left unused
    rows: NDArray[np.int64]
    output: Output  #: of all runs
    block_size: int
    coordinates: dict[str, str]  #: short name of each swept key
    warnings: tuple[str, ...] = field(default=())
    starts: tuple[int, ...] = (0,)  #: rows at which the store, and each of its extensions, begins

    @property
    def count(self) -> int:
        """How many runs there are."""
        return self.runs.id.size

    @property
    def duplicates(self) -> int:
        """How many cases are left out since they are the same run as another."""
        return self.runs.product.size + len(self.sweep.spec.include) - self.count

    @property
    def cases(self) -> list[Case]:
        """All runs, in the order of the store."""
        return [self.case(int(row)) for row in np.flatnonzero(self.rows >= 0)]

    @property
    def unused(self) -> list[int]:
        """Rows that hold no run."""
        return [int(row) for row in np.flatnonzero(self.rows < 0)]

    def case(self, row: int) -> Case:
        """The run in one row of the store."""
        run = self.rows[row]
        if run < 0:
            raise IndexError(f"row {row} is unused")
        number = int(self.runs.number[run])
        return Case(
            f"{self.runs.id[run]:016x}",
            self.sweep.overrides(number),
            self.sweep.labels(number),
            self.runs.identities[self.runs.kind[run]],
        )

    def overrides(self, rows: Sequence[int]) -> tuple[Overrides, ...]:
        """What the runs in these rows change of the base."""
        return tuple(self.sweep.overrides_of(self.runs.number[self.rows[[*rows]]]))

    @functools.cached_property
    def ids(self) -> NDArray[np.uint64]:
        """(rows,) name of the run in each row, 0 in unused ones."""
        return np.where(self.rows >= 0, self.runs.id[self.rows], np.uint64(0))

    @functools.cached_property
    def checked(self) -> frozenset[int]:
        """Rows of the runs whose numerical error is found and stored: those with the smallest run_id, which is as good as drawn by lot.

        So the same runs are chosen whatever the order of the cases, the workers, and what is
        committed already. An extension has its own.
        """
        spec = self.sweep.spec.accuracy
        if spec is None or spec.fraction == 0.0:
            return frozenset()
        found: set[int] = set()
        # whose rounds are small and many: whoever is below the line, and one at least
        if self.sweep.spec.refine is not None:
            first = np.flatnonzero(
                self.rows[: self.starts[1] if len(self.starts) > 1 else None] >= 0
            )
            below = np.flatnonzero((self.rows >= 0) & (self.ids / 2.0**64 <= spec.fraction))
            return frozenset([*below.tolist(), int(first[np.argmin(self.ids[first])])])
        for lo, hi in itertools.pairwise((*self.starts, self.rows.size)):
            used = lo + np.flatnonzero(self.rows[lo:hi] >= 0)
            wanted = max(1, round(spec.fraction * used.size))
            found.update(used[np.argsort(self.ids[used])[:wanted]].tolist())
        return frozenset(found)

    @property
    def digest(self) -> str:
        """Names the runs, their order and their blocks, and which of them are checked: all that decides what a store holds."""
        digest = hashlib.sha256(f"{self.block_size} {sorted(self.checked)} ".encode())
        for ids in (self.ids, *([self.runs.id[self.runs.product]] if self.has_case_table else [])):
            digest.update(ids.astype(">u8").tobytes() + b" ")
        return digest.hexdigest()[:32]

    @property
    def has_case_table(self) -> bool:
        """Whether the store says of each case which run it is: where the order of a design matters, or cases share a run."""
        drawn = any(axis.name in {POINT, ONE_AT_A_TIME} for axis in self.sweep.axes)
        return drawn or len(np.unique(self.runs.product)) < self.runs.product.size

    @property
    def blocks(self) -> list[Block]:
        size = self.block_size
        found = []
        for lo in range(0, self.rows.size, size):
            here = self.rows[lo : lo + size]
            used = int((here >= 0).sum())
            found.append(Block(lo // size, range(lo, lo + used), unused=here.size - used))
        return found

    @property
    def shared_grid(self) -> bool:
        """Whether all runs have the same size grid."""
        return len({identity[0] for identity in self.runs.identities}) == 1

    @property
    def parts(self) -> frozenset[str]:
        """Which optional arrays the store has."""
        return self.runs.parts | frozenset({"check"} if self.checked else ())

    @property
    def bins(self) -> int:
        """Bins of the largest grid."""
        return _bins(self.runs)


def _bins(runs: Runs) -> int:
    return max(int(n) for (_, _, n), *_ in runs.identities)


def default_block(cases: int, bins: int, output: Output, workers: int = 2) -> int:
    """Runs per block: seconds of work, not too much memory, and blocks for all workers even in a small sweep.

    A store keeps the blocks that it was made with, whoever goes on with it.
    """
    wanted = [
        min(largest, math.ceil(cases / max(blocks, per_worker * workers)))
        for blocks, per_worker, largest in BLOCKS_WANTED
    ]
    return max(1, min(_fitting(bins, output), max(BLOCK_MIN, *wanted)))


def _fitting(bins: int, output: Output) -> int:
    """Runs whose results take :data:`BLOCK_BYTES`."""
    sizes = layout.dimension_sizes(samples=output.samples, snapshots=output.snapshots, bins=bins)
    return int(
        BLOCK_BYTES
        / layout.bytes_per_run(sizes, layout.variables(shared_grid=False, parts=layout.OPTIONAL))
    )


def run_id(config: RunConfig) -> str:
    """Name of a run: 16 hex digits of configuration, tables and model version; same name, same answer."""
    return _named(config.digest())


def _named(digest: str) -> str:
    return name_of_run(digest, model_version())


def name_of_run(digest: str, version: str) -> str:
    """Return the name that a run has under a version of the model.

    Parameters
    ----------
    digest : str
        Of its configuration and tables.
    version : str
        As :func:`marsdisk.model_version` gives it.
    """
    return hashlib.sha256(f"{digest} {version}".encode()).hexdigest()[:16]


def ids_of(run_ids: Iterable[str]) -> NDArray[np.uint64]:
    """Names of runs as they are written, as numbers; 0 for none.

    Raises
    ------
    ValueError
        One is no such name.
    """
    return np.array([int(name, 16) if name else 0 for name in run_ids], dtype=np.uint64)


class _Uses(NamedTuple):
    """What a run uses beside its configuration, and what it fills."""

    digests: dict[str, str]  #: of each table, by configuration key
    tables: dict[str, str]  #: the same by words that name the table
    parts: frozenset[str]  #: of the model that have arrays of their own


@stage
def _uses(config: RunConfig) -> _Uses:
    digests = config.table_digests()
    return _Uses(
        digests,
        {f"{key} = {value_at(config, key)}": digest for key, digest in digests.items()},
        layout.parts_of(config),
    )


def value_at(config: RunConfig, key: str) -> Any:
    """Value of a dotted key, None where the configuration has no such part."""
    value: Any = config
    for word in key.split("."):
        value = value[int(word)] if word.isdigit() else getattr(value, word, None)
    return value


def _validated(sweep: Sweep) -> Iterator[tuple[int, dict[str, Section], RunConfig]]:
    """Number and sections of each case, the latter also as stages of a set-up remember them; ConfigError at the end where any cannot run."""
    problems: dict[str, tuple[int, str]] = {}
    variations = Variations(sweep.base)
    memory = Memory()
    for number, overrides in sweep.numbered():
        try:
            sections = variations.sections(overrides)
            seen = memory.of(sections)
            check(seen)
        except ConfigError as error:
            for problem in error.problems:
                count, first = problems.get(
                    problem, (0, ", ".join(f"{k} = {v}" for k, v in overrides.items()))
                )
                problems[problem] = (count + 1, first)
            continue
        yield number, sections, seen
    if problems:
        lines = [
            f"{problem}  [{count} case{'s' if count > 1 else ''}, first: {first}]"
            for problem, (count, first) in problems.items()
        ]
        lines = _few_of_each(lines)
        where = f"sweep {sweep.spec.name} has cases that cannot run; nothing was started"
        raise sweep.with_lines(ConfigError(lines, where))


def _few_of_each(lines: list[str], shown: int = 3) -> list[str]:
    """The first few of the lines that differ in nothing but the value, which a sampled key may have many of."""
    alike: dict[str, list[str]] = {}
    for line in lines:
        alike.setdefault(
            re.sub(r"^(\S+) = .*?(: |  \[)", r"\1\2", line.split("  [")[0]), []
        ).append(line)
    more = ((of, len(of) - shown) for of in alike.values())
    return [
        line
        for of, hidden in more
        for line in [
            *of[:shown],
            *([f"  and {hidden} more like it, for other values"] if hidden > 0 else []),
        ]
    ]


def _refuse_too_many_bins(plan: Plan) -> None:
    """Raise ConfigError where a run that is to be checked has too many bins to double them."""
    variations = Variations(plan.sweep.base)
    for run in sorted(plan.checked):
        try:
            comparisons(variations.config(plan.case(run).overrides))
        except ConfigError as error:
            first = ", ".join(f"{key} = {value}" for key, value in plan.case(run).overrides.items())
            raise ConfigError(
                [f"{problem}, or drop accuracy  [{first}]" for problem in error.problems],
                f"sweep {plan.sweep.spec.name}: accuracy; nothing was started",
            ) from error


def _in_cache_order(identities: Sequence[tuple[object, ...]]) -> NDArray[np.int64]:
    """Rank of each: equal grids, then densities, fragment laws, Q_D* laws and speeds stand together, in the order of the file within."""
    ranks: list[dict[object, int]] = [{} for _ in identities[0]]
    places = [
        [rank.setdefault(part, len(rank)) for rank, part in zip(ranks, identity, strict=True)]
        for identity in identities
    ]
    return np.unique(np.array(places), axis=0, return_inverse=True)[1].reshape(-1)


def _value_of(key: str) -> Callable[[dict[str, Section]], Any]:
    """How to find the value of a key among the sections of a configuration; AttributeError where a law does not have it."""
    section, _, rest = key.partition(".")
    get = attrgetter(rest) if rest else None
    return (lambda sections: get(sections[section])) if get else itemgetter(section)


def _runs(sweep: Sweep, keys: Sequence[str]) -> tuple[Runs, Output]:
    """Every case validated, those that are the same run joined; and the output grid that all share."""
    numbers = array("q")
    ids = array("Q")
    kinds = array("q")
    values: list[list[Any]] = [[] for _ in keys]
    columns = [(column, key, _value_of(key)) for column, key in zip(values, keys, strict=True)]
    kind_of = dict[tuple[Any, ...], int]()
    outputs = list[Output]()
    tables = dict[str, str]()
    parts = frozenset[str]()
    used = _Uses({}, {}, parts)
    for number, sections, seen in _validated(sweep):
        numbers.append(number)
        uses = _uses(seen)
        ids.append(int(_named(digest_of_sections(sections, uses.digests)), 16))
        kinds.append(kind_of.setdefault(cache_identity(seen), len(kind_of)))
        for column, key, value in columns:
            try:
                column.append(value(sections))
            except (AttributeError, KeyError):
                # a part that this case does not have, an element of a list, or no key at all
                column.append(value_at(seen, key))
        if uses is not used:  # one for all cases but those that sweep a table
            used = uses
            tables = tables | uses.tables
            parts = parts | uses.parts
        outputs = outputs or [seen.output]
        if seen.output is not outputs[0] and seen.output != outputs[0]:
            problem = (
                f"{sweep.overrides(number)} changes the output grid, which all runs of a store"
                " share; set it once under output"
            )
            raise ConfigError([problem], f"sweep {sweep.spec.name}")
    if not outputs:
        raise ConfigError(
            ["every case is excluded; nothing is left to run"], f"sweep {sweep.spec.name}"
        )
    number_of, kind = (np.frombuffer(column, dtype=np.int64) for column in (numbers, kinds))
    id, begin, of_case = np.unique(
        np.frombuffer(ids, dtype=np.uint64), return_index=True, return_inverse=True
    )
    identities = tuple(kind_of)
    order = np.lexsort((begin, _in_cache_order(identities)[kind[begin]]))
    begin = begin[order]
    place = np.argsort(order)
    in_product = number_of < sweep.product_size
    swept = {key: coordinate(column)[begin] for key, column in zip(keys, values, strict=True)}
    return (
        Runs(
            number_of[begin],
            id[order],
            kind[begin],
            swept,
            identities,
            place[of_case][in_product],
            number_of[in_product],
            tables,
            parts,
        ),
        outputs[0],
    )


def make_plan(sweep: Sweep, workers: int = 2) -> Plan:
    """Validate every case of ``sweep`` and put them in order, in blocks that so many workers can share.

    Raises
    ------
    ConfigError
        Listing every problem of any case, before anything is run.
    """
    keys = sweep.swept_keys()
    runs, output = _runs(sweep, keys)
    count = runs.id.size
    bins = _bins(runs)
    block = sweep.spec.block
    refine = sweep.spec.refine
    if block is None:  # a refinement's store is begun with the first round only
        block = default_block(
            count if refine is None else refine.per_round * runs_per_point(sweep),
            bins,
            output,
            workers,
        )
    else:  # a chunk is a block, also where the block is not full yet
        block = min(block, max(count, _fitting(bins, output)))
    notes = (
        *sweep.notes(),
        *coinciding(sweep, runs.product, runs.product_number),
        *idle_axes(sweep),
    )
    plan = Plan(sweep, runs, np.arange(count), output, block, short_names(keys), notes)
    _refuse_too_many_bins(plan)
    refuse_bad_expectations(plan)
    return plan
