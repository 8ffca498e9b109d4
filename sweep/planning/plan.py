"""The plan of a sweep: its cases validated, named, ordered, and grouped into blocks."""

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
from marsdisk.accuracy.convergence import comparisons
from marsdisk.common.errors import ConfigError
from marsdisk.config import RunConfig, Variations, digest_of_sections, value_at
from marsdisk.config.sections import Output, Section
from marsdisk.run.derived import cache_identity
from marsdisk.run.stages import Memory, stage
from marsdisk.run.start import check

from ..spec.axes import ONE_AT_A_TIME, Overrides, short_names
from ..spec.designs import POINT
from ..spec.file import Sweep
from ..spec.run_names import name_of_run
from ..store import layout
from ..store.writer import coordinate
from .expected_results import refuse_bad_expectations
from .refinement_size import runs_per_round
from .unused_axes import coinciding, idle_axes

#: Bytes of series and size distributions in a block; they are held about twice while it is written.
BLOCK_BYTES = 50e6
#: Runs of a block, unless the sweep has fewer or they take more memory.
BLOCK_MIN = 16


class _BlockCount(NamedTuple):
    """How many blocks a sweep is divided into, and a limit on their size for that."""

    blocks: int  #: at least
    blocks_per_worker: int  #: at least
    largest_block: int  #: in runs


#: A small sweep has a few blocks, so that several workers share it and an interruption costs only
#: a part. A large one has many, which are larger so that there are fewer files.
_BLOCK_COUNTS = (_BlockCount(4, 2, 256), _BlockCount(64, 16, 1024))


@dataclass(frozen=True)
class Case:
    """One run of a sweep."""

    run_id: str
    overrides: Overrides
    labels: dict[str, Any]  #: on each axis of the product; empty for an included case
    identity: tuple[object, ...]  #: all that its cached arrays depend on


@dataclass(frozen=True, eq=False)
class Runs:
    """All distinct runs of a sweep as columns; runs that share cached arrays are neighbours.

    A million runs take some tens of megabytes.
    """

    number: NDArray[np.int64]  #: (runs,) number of the first case that is this run
    id: NDArray[np.uint64]  #: (runs,) the run_id as a number
    kind: NDArray[np.int64]  #: (runs,) index into ``identities``
    values: dict[str, NDArray[Any]]  #: (runs,) values of each swept key
    identities: tuple[tuple[Any, ...], ...]  #: all that cached arrays depend on
    #: (cases,) run of each case of the product, in the order of the file; several cases may share
    #: a run
    product: NDArray[np.int64]
    product_number: NDArray[np.int64]  #: (cases,) number of each case of the product
    tables: dict[str, str]  #: digest of every table that any run uses
    parts: frozenset[str]  #: parts of the model that have arrays of their own


@dataclass(frozen=True)
class Block:
    """The unit of work, of writing and of committing."""

    index: int
    rows: Sequence[int]  #: rows of the store with all runs of the block, or with those to repeat
    attempt: int = 1
    unused: int = 0  #: rows at the end of the block that hold no run


@dataclass(frozen=True, eq=False)
class Plan:
    """All runs of a sweep, in the rows of its store."""

    sweep: Sweep
    runs: Runs
    #: (rows,) index of the run in each row of the store; -1 in rows that an extension left unused
    rows: NDArray[np.int64]
    output: Output  #: output grid of all runs
    block_size: int  #: in rows
    coordinates: dict[str, str]  #: name in the store of each swept key
    warnings: tuple[str, ...] = field(default=())
    starts: tuple[int, ...] = (0,)  #: rows at which the store, and each of its extensions, begins

    @property
    def count(self) -> int:
        """Number of runs."""
        return self.runs.id.size

    @property
    def duplicates(self) -> int:
        """Number of cases that share the run of another."""
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
        """Return the run in a row of the store.

        Raises
        ------
        IndexError
            The row is unused.
        """
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
        """Return the overrides of the runs in some rows of the store."""
        return tuple(self.sweep.overrides_of(self.runs.number[self.rows[[*rows]]]))

    @functools.cached_property
    def ids(self) -> NDArray[np.uint64]:
        """(rows,) run_id of each row as a number, 0 in unused rows."""
        return np.where(self.rows >= 0, self.runs.id[self.rows], np.uint64(0))

    @functools.cached_property
    def accuracy_rows(self) -> frozenset[int]:
        """Rows of the runs that are repeated with tighter steps and other bins.

        These are the runs with the smallest run_id, which is as good as drawing lots: the choice
        depends neither on the order of the cases nor on the workers or on what is committed
        already. Each extension has its own.
        """
        spec = self.sweep.spec.accuracy
        if spec is None or spec.fraction == 0.0:
            return frozenset()
        if self.sweep.spec.refine is not None:
            return self._accuracy_rows_in_rounds(spec.fraction)
        rows: set[int] = set()
        for begin, end in itertools.pairwise((*self.starts, self.rows.size)):
            used = begin + np.flatnonzero(self.rows[begin:end] >= 0)
            count = max(1, round(spec.fraction * used.size))
            rows.update(used[np.argsort(self.ids[used])[:count]].tolist())
        return frozenset(rows)

    def _accuracy_rows_in_rounds(self, fraction: float) -> frozenset[int]:
        """Return the rows of runs to repeat in a refinement, whose rounds are small and many.

        These are all with a run_id below a limit, and at least one of the first round.
        """
        below_limit = np.flatnonzero((self.rows >= 0) & (self.ids / 2.0**64 <= fraction))
        end = self.starts[1] if len(self.starts) > 1 else self.rows.size
        first_round = np.flatnonzero(self.rows[:end] >= 0)
        smallest = int(first_round[np.argmin(self.ids[first_round])])
        return frozenset([*below_limit.tolist(), smallest])

    @property
    def digest(self) -> str:
        """Digest of the runs, their order, their blocks, and which of them are repeated.

        That is all that decides what a store holds.
        """
        digest = hashlib.sha256(f"{self.block_size} {sorted(self.accuracy_rows)} ".encode())
        columns = [self.ids]
        if self.has_case_table:
            columns.append(self.runs.id[self.runs.product])
        for ids in columns:
            digest.update(ids.astype(">u8").tobytes() + b" ")
        return digest.hexdigest()[:32]

    @property
    def has_case_table(self) -> bool:
        """Whether the store says which run each case is.

        It does where the order of a design matters, or where cases share a run.
        """
        if any(axis.name in {POINT, ONE_AT_A_TIME} for axis in self.sweep.axes):
            return True
        return len(np.unique(self.runs.product)) < self.runs.product.size

    @property
    def blocks(self) -> list[Block]:
        """All blocks, in the order of the store."""
        blocks = []
        for begin in range(0, self.rows.size, self.block_size):
            rows = self.rows[begin : begin + self.block_size]
            used = int((rows >= 0).sum())
            index = begin // self.block_size
            blocks.append(Block(index, range(begin, begin + used), unused=rows.size - used))
        return blocks

    @property
    def shared_grid(self) -> bool:
        """Whether all runs have the same size grid."""
        return len({identity[0] for identity in self.runs.identities}) == 1

    @property
    def parts(self) -> frozenset[str]:
        """Parts of the model, and of the bookkeeping, that have arrays of their own."""
        if self.accuracy_rows:
            return self.runs.parts | {"check"}
        return self.runs.parts

    @property
    def bins(self) -> int:
        """Bins of the largest grid."""
        return _bins(self.runs)


def _bins(runs: Runs) -> int:
    return max(int(n) for (_, _, n), *_ in runs.identities)


def default_block(cases: int, bins: int, output: Output, workers: int = 2) -> int:
    """Return the number of runs per block.

    A block is seconds of work and not too much memory, and even a small sweep has blocks for all
    workers. A store keeps the blocks that it was made with, whoever resumes it.

    Parameters
    ----------
    cases : int
        Runs of the sweep.
    bins : int
        Bins of its largest grid.
    output : Output
        Its output grid.
    workers : int
        Workers that are expected.

    Returns
    -------
    int
        At least 1.
    """
    sizes = []
    for blocks, blocks_per_worker, largest_block in _BLOCK_COUNTS:
        blocks_wanted = max(blocks, blocks_per_worker * workers)
        sizes.append(min(largest_block, math.ceil(cases / blocks_wanted)))
    return max(1, min(_runs_fitting(bins, output), max(BLOCK_MIN, *sizes)))


def _runs_fitting(bins: int, output: Output) -> int:
    """Return the number of runs whose results take :data:`BLOCK_BYTES`."""
    sizes = layout.dimension_sizes(samples=output.samples, snapshots=output.snapshots, bins=bins)
    variables = layout.variables(shared_grid=False, parts=layout.OPTIONAL)
    return int(BLOCK_BYTES / layout.bytes_per_run(sizes, variables))


def run_id(config: RunConfig) -> str:
    """Return the name of a run: 16 hex digits of its configuration, tables and model version.

    Runs with the same name have the same results.
    """
    return name_of_run(config.digest(), model_version())


def ids_of(run_ids: Iterable[str]) -> NDArray[np.uint64]:
    """Return names of runs as numbers.

    Parameters
    ----------
    run_ids : iterable of str
        As a store has them, empty in rows without a run.

    Returns
    -------
    (rows,) array of uint64
        0 in rows without a run.

    Raises
    ------
    ValueError
        One is not hexadecimal.
    """
    return np.array([int(name, 16) if name else 0 for name in run_ids], dtype=np.uint64)


class _Uses(NamedTuple):
    """The tables that a run uses, and the parts of the model that it fills arrays of."""

    digests: dict[str, str]  #: digest of each table by configuration key
    tables: dict[str, str]  #: the same by ``key = name of the table``
    parts: frozenset[str]  #: parts of the model that have arrays of their own


@stage
def _uses(config: RunConfig) -> _Uses:
    digests = config.table_digests()
    tables = {f"{key} = {value_at(config, key)}": digest for key, digest in digests.items()}
    return _Uses(digests, tables, layout.parts_of(config))


def _validated(
    sweep: Sweep, on_case: Callable[[int], None]
) -> Iterator[tuple[int, dict[str, Section], RunConfig]]:
    """Yield number, sections and configuration of each case.

    The configuration is the one that stages of a set-up remember. ConfigError at the end where any
    case cannot run.
    """
    problems: dict[str, _Problem] = {}
    variations = Variations(sweep.base)
    memory = Memory()
    for number, overrides in sweep.numbered():
        on_case(number)
        try:
            sections = variations.sections(overrides)
            config = memory.of(sections)
            check(config)
        except ConfigError as error:
            for problem in error.problems:
                cases, first_case = problems.get(problem, _Problem(0, _in_words(overrides)))
                problems[problem] = _Problem(cases + 1, first_case)
            continue
        yield number, sections, config
    if problems:
        lines = []
        for problem, (cases, first_case) in problems.items():
            count = "1 case" if cases == 1 else f"{cases} cases"
            lines.append(f"{problem}  [{count}, first: {first_case}]")
        where = f"sweep {sweep.spec.name} has cases that cannot run; nothing was started"
        raise sweep.with_lines(ConfigError(_few_of_each(lines), where))


class _Problem(NamedTuple):
    """The cases that have a problem."""

    cases: int
    first_case: str  #: its overrides in words


def _in_words(overrides: Overrides) -> str:
    return ", ".join(f"{key} = {value}" for key, value in overrides.items())


def _few_of_each(lines: list[str], max_lines: int = 3) -> list[str]:
    """Return the first few of the lines that differ only in the value of a key.

    A sampled key may have many of them.
    """
    alike: dict[str, list[str]] = {}
    for line in lines:
        without_value = re.sub(r"^(\S+) = .*?(: |  \[)", r"\1\2", line.split("  [")[0])
        alike.setdefault(without_value, []).append(line)
    shown = []
    for group in alike.values():
        shown += group[:max_lines]
        hidden = len(group) - max_lines
        if hidden > 0:
            shown.append(f"  and {hidden} more like it, for other values")
    return shown


def _refuse_too_many_bins(plan: Plan) -> None:
    """Raise ConfigError where a run that is to be repeated has too many bins to double them."""
    variations = Variations(plan.sweep.base)
    for row in sorted(plan.accuracy_rows):
        overrides = plan.case(row).overrides
        try:
            comparisons(variations.config(overrides))
        except ConfigError as error:
            advice = f"or drop accuracy  [{_in_words(overrides)}]"
            raise ConfigError(
                [f"{problem}, {advice}" for problem in error.problems],
                f"sweep {plan.sweep.spec.name}: accuracy; nothing was started",
            ) from error


def _in_cache_order(identities: Sequence[tuple[object, ...]]) -> NDArray[np.int64]:
    """Return the rank of each identity, so that runs that share cached arrays are neighbours.

    Runs are ordered by grid, then by density, fragment law, Q_D* law and speed, each in the order
    in which the file first gives it.
    """
    ranks: list[dict[object, int]] = [{} for _ in identities[0]]
    ranks_of_parts = []
    for identity in identities:
        pairs = zip(ranks, identity, strict=True)
        ranks_of_parts.append([rank.setdefault(part, len(rank)) for rank, part in pairs])
    return np.unique(np.array(ranks_of_parts), axis=0, return_inverse=True)[1].reshape(-1)


def _getter(key: str) -> Callable[[dict[str, Section]], Any]:
    """Return a function from the sections of a configuration to the value of a key.

    It raises AttributeError where a law does not have the key.
    """
    section, _, rest = key.partition(".")
    if not rest:
        return itemgetter(section)
    get = attrgetter(rest)
    return lambda sections: get(sections[section])


def _runs(sweep: Sweep, keys: Sequence[str], on_case: Callable[[int], None]) -> tuple[Runs, Output]:
    """Validate every case and return the distinct runs, and the output grid that all share."""
    numbers = array("q")
    ids = array("Q")
    kinds = array("q")
    values: list[list[Any]] = [[] for _ in keys]
    columns = [(column, key, _getter(key)) for column, key in zip(values, keys, strict=True)]
    kind_of = dict[tuple[Any, ...], int]()
    outputs = list[Output]()
    tables = dict[str, str]()
    parts = frozenset[str]()
    last_uses = _Uses({}, {}, parts)
    for number, sections, config in _validated(sweep, on_case):
        numbers.append(number)
        uses = _uses(config)
        digest = digest_of_sections(sections, uses.digests)
        ids.append(int(name_of_run(digest, model_version()), 16))
        kinds.append(kind_of.setdefault(cache_identity(config), len(kind_of)))
        for column, key, get in columns:
            try:
                column.append(get(sections))
            except (AttributeError, KeyError):
                # a part that this case does not have, an element of a list, or no key at all
                column.append(value_at(config, key))
        if uses is not last_uses:  # the same object for all cases, unless tables are swept
            last_uses = uses
            tables = tables | uses.tables
            parts = parts | uses.parts
        outputs = outputs or [config.output]
        if config.output is not outputs[0] and config.output != outputs[0]:
            problem = (
                f"{sweep.overrides(number)} changes the output grid, which all runs of a store"
                " share; set it once under output"
            )
            raise ConfigError([problem], f"sweep {sweep.spec.name}")
    if not outputs:
        raise ConfigError(
            ["every case is excluded; nothing is left to run"], f"sweep {sweep.spec.name}"
        )
    number_of_case = np.frombuffer(numbers, dtype=np.int64)
    kind_of_case = np.frombuffer(kinds, dtype=np.int64)
    run_ids, first_case, run_of_case = np.unique(
        np.frombuffer(ids, dtype=np.uint64), return_index=True, return_inverse=True
    )
    identities = tuple(kind_of)
    cache_order = _in_cache_order(identities)[kind_of_case[first_case]]
    order = np.lexsort((first_case, cache_order))
    first_case = first_case[order]
    rank_of_run = np.argsort(order)
    in_product = number_of_case < sweep.product_size
    runs = Runs(
        number=number_of_case[first_case],
        id=run_ids[order],
        kind=kind_of_case[first_case],
        values={
            key: coordinate(column)[first_case] for key, column in zip(keys, values, strict=True)
        },
        identities=identities,
        product=rank_of_run[run_of_case][in_product],
        product_number=number_of_case[in_product],
        tables=tables,
        parts=parts,
    )
    return runs, outputs[0]


def make_plan(
    sweep: Sweep, workers: int = 2, on_case: Callable[[int], None] = lambda _number: None
) -> Plan:
    """Validate every case of a sweep and put the runs in order, in blocks.

    Parameters
    ----------
    sweep : Sweep
        As it was read.
    workers : int
        Workers that are to share the blocks.
    on_case : callable
        Called with the number of each case before it is validated.

    Returns
    -------
    Plan
        With a row for each run.

    Raises
    ------
    ConfigError
        With a line for each problem of any case.
    """
    keys = sweep.swept_keys()
    runs, output = _runs(sweep, keys, on_case)
    count = runs.id.size
    bins = _bins(runs)
    block = sweep.spec.block
    if block is None:
        # the store of a refinement begins with the first round only
        size = runs_per_round(sweep) or count
        block = default_block(size, bins, output, workers)
    else:
        # a chunk has the size of a block, even where the block is not full yet
        block = min(block, max(count, _runs_fitting(bins, output)))
    notes = (
        *sweep.notes(),
        *coinciding(sweep, runs.product, runs.product_number),
        *idle_axes(sweep),
    )
    plan = Plan(sweep, runs, np.arange(count), output, block, short_names(keys), notes)
    _refuse_too_many_bins(plan)
    refuse_bad_expectations(sweep, runs.values, plan.coordinates, plan.parts)
    return plan
