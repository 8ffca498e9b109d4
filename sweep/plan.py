"""From a sweep to its cases in the order they run: validated, named, grouped into blocks."""

import functools
import hashlib
import itertools
import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from marsdisk import model_version
from marsdisk.cache import RunCache
from marsdisk.config import RunConfig, Variations
from marsdisk.config_sections import Output
from marsdisk.convergence import comparisons
from marsdisk.errors import ConfigError
from marsdisk.start import Derived, check

from .axes import ONE_AT_A_TIME, Overrides, short_names
from .design import POINT
from .idle import coinciding, idle_axes
from .refine import runs_per_point
from .spec import Sweep
from .store import layout

BLOCK_MAX = 256  # runs; a block then takes seconds
BLOCK_BYTES = 50e6  # of series and size distributions; they are held about twice while a block is written
BLOCKS_WANTED = 4  # of a small sweep, so that some workers share it and an interruption costs a part only
BLOCK_MIN = 16


@dataclass(frozen=True)
class Case:
    """One run of a sweep."""

    run_id: str  #: digest of the resolved configuration, its tables and the model's version: same id, same answer
    overrides: Overrides
    labels: dict[str, Any]  #: on each axis of the product; empty for an included case
    values: tuple[Any, ...]  #: of the swept keys
    tables: dict[str, str]  #: digest of each table it uses
    identity: tuple[object, ...]  #: what its cached arrays depend on
    s_lo: float  #: m, where its size grid begins
    bins: int
    parts: frozenset[str]  #: of the model that have arrays of their own


@dataclass(frozen=True)
class Block:
    """The unit of work, of writing and of committing."""

    index: int
    rows: tuple[int, ...]  #: of the store: all that the block has, or those to run again
    attempt: int = 1
    unused: int = 0  #: rows behind them, up to the end of the block, that hold no run


@dataclass(frozen=True)
class Plan:
    """All cases of a sweep, ordered so that runs which share cached arrays stand together."""

    sweep: Sweep
    rows: tuple[Case | None, ...]  #: by their place in the store; None in the part of a block that an extension left unused
    first_config: RunConfig
    block_size: int
    coordinates: dict[str, str]  #: short name of each swept key
    duplicates: int
    product: tuple[tuple[str, dict[str, Any]], ...]  #: run_id and labels of every case of the product, coinciding ones too, as in the file
    warnings: tuple[str, ...] = field(default=())
    starts: tuple[int, ...] = (0,)  #: rows at which the store, and each of its extensions, begins

    @functools.cached_property
    def cases(self) -> tuple[Case, ...]:
        """All runs, in the order of the store."""
        return tuple(case for case in self.rows if case is not None)

    @property
    def unused(self) -> list[int]:
        """Rows that hold no run."""
        return [row for row, case in enumerate(self.rows) if case is None]

    def case(self, run: int) -> Case:
        """The run in one row of the store."""
        case = self.rows[run]
        assert case is not None, f"row {run} is unused"
        return case

    @functools.cached_property
    def checked(self) -> frozenset[int]:
        """Rows of the runs whose numerical error is found and stored: those with the smallest run_id, which is as good as drawn by lot.

        So the same runs are chosen whatever the order of the cases, the workers, and what is committed already. An extension has its own.
        """
        spec = self.sweep.spec.check
        if spec is None or spec.fraction == 0.0:
            return frozenset()
        found: set[int] = set()
        for lo, hi in itertools.pairwise((*self.starts, len(self.rows))):
            by_id = sorted((case.run_id, lo + i) for i, case in enumerate(self.rows[lo:hi]) if case is not None)
            found |= {run for _, run in by_id[: max(1, round(spec.fraction * len(by_id)))]}
        return frozenset(found)

    @property
    def digest(self) -> str:
        """Names the cases, their order and their blocks, and which of them are checked: all that decides what a store holds."""
        text = "\n".join([str(self.block_size), *("" if case is None else case.run_id for case in self.rows)])
        if self.checked:
            text += "\nchecked: " + " ".join(map(str, sorted(self.checked)))
        if self.has_case_table:
            text += "\nproduct: " + " ".join(run_id for run_id, _ in self.product)
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    @property
    def has_case_table(self) -> bool:
        """Whether the store says of each case which run it is: where the order of a design matters, or cases share a run."""
        drawn = any(axis.name in {POINT, ONE_AT_A_TIME} for axis in self.sweep.axes)
        return drawn or len({run_id for run_id, _ in self.product}) < len(self.product)

    @property
    def tables(self) -> dict[str, str]:
        """Digest of every table that any run uses."""
        return {name: digest for case in self.cases for name, digest in case.tables.items()}

    @property
    def blocks(self) -> list[Block]:
        size, found = self.block_size, []
        for lo in range(0, len(self.rows), size):
            here = self.rows[lo : lo + size]
            used = sum(case is not None for case in here)
            found.append(Block(lo // size, tuple(range(lo, lo + used)), unused=len(here) - used))
        return found

    @property
    def shared_grid(self) -> bool:
        """Whether all runs have the same size grid."""
        return len({case.identity[0] for case in self.cases}) == 1

    @property
    def parts(self) -> frozenset[str]:
        """Which optional arrays the store has."""
        return frozenset({"check"} if self.checked else ()).union(*(case.parts for case in self.cases))

    @property
    def bins(self) -> int:
        """Bins of the largest grid."""
        return max(case.bins for case in self.cases)

    def distinct_cache_keys(self) -> int:
        return len({case.identity for case in self.cases})


def usable_cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_block(cases: int, bins: int, output: Output) -> int:
    """Runs per block: seconds of work, not too much memory, and some blocks even in a small sweep. The same on every machine."""
    return max(1, min(BLOCK_MAX, _fitting(bins, output), max(BLOCK_MIN, math.ceil(cases / BLOCKS_WANTED))))


def _fitting(bins: int, output: Output) -> int:
    """Runs whose results take :data:`BLOCK_BYTES`."""
    sizes = layout.dimension_sizes(samples=output.samples, snapshots=output.snapshots, bins=bins)
    return int(BLOCK_BYTES / layout.bytes_per_run(sizes, layout.variables(shared_grid=False, parts=layout.OPTIONAL)))


def run_id(config: RunConfig) -> str:
    """Name of a run: 16 hex digits of configuration, tables and model version."""
    return hashlib.sha256(f"{config.digest()} {model_version()}".encode()).hexdigest()[:16]


def _tables(config: RunConfig) -> dict[str, str]:
    return {f"{key} = {value_at(config, key)}": digest for key, digest in config.table_digests().items()}


def value_at(config: RunConfig, key: str) -> Any:
    """Value of a dotted key, None where the configuration has no such part."""
    value: Any = config
    for word in key.split("."):
        value = value[int(word)] if word.isdigit() else getattr(value, word, None)
    return value


def _validated(sweep: Sweep) -> Iterator[tuple[Overrides, dict[str, Any], RunConfig, Derived]]:
    problems: dict[str, tuple[int, str]] = {}
    variations, cache = Variations(sweep.base), RunCache()
    for overrides, labels in sweep.cases():
        try:
            config = variations.config(overrides)
            derived = check(config, cache)
        except ConfigError as error:
            for problem in error.problems:
                count, first = problems.get(problem, (0, ", ".join(f"{k} = {v}" for k, v in overrides.items())))
                problems[problem] = (count + 1, first)
            continue
        yield overrides, labels, config, derived
    if problems:
        lines = [f"{problem}  [{count} case{'s' if count > 1 else ''}, first: {first}]" for problem, (count, first) in problems.items()]
        lines = _few_of_each(lines)
        raise ConfigError(lines, f"sweep {sweep.spec.name} has cases that cannot run; nothing was started")


def _few_of_each(lines: list[str], shown: int = 3) -> list[str]:
    """The first few of the lines that differ in nothing but the value, which a sampled key may have many of."""
    alike: dict[str, list[str]] = {}
    for line in lines:
        alike.setdefault(re.sub(r"^(\S+) = .*?(: |  \[)", r"\1\2", line.split("  [")[0]), []).append(line)
    more = ((of, len(of) - shown) for of in alike.values())
    return [line for of, hidden in more for line in [*of[:shown], *([f"  and {hidden} more like it, for other values"] if hidden > 0 else [])]]


def _refuse_uncheckable(plan: Plan) -> None:
    """Raise ConfigError where a run that is to be checked has too many bins to double them."""
    variations = Variations(plan.sweep.base)
    for run in sorted(plan.checked):
        try:
            comparisons(variations.config(plan.case(run).overrides))
        except ConfigError as error:
            first = ", ".join(f"{key} = {value}" for key, value in plan.case(run).overrides.items())
            raise ConfigError(
                [f"{problem}, or drop check  [{first}]" for problem in error.problems], f"sweep {plan.sweep.spec.name}: check; nothing was started"
            ) from error


def _in_cache_order(cases: list[Case]) -> list[Case]:
    """Sorted so that equal grids, then densities, fragment laws, Q_D* laws and speeds stand together; the file's order within."""
    ranks: list[dict[object, int]] = [{} for _ in cases[0].identity] if cases else []
    for case in cases:
        for rank, part in zip(ranks, case.identity, strict=True):
            rank.setdefault(part, len(rank))
    return sorted(cases, key=lambda case: [rank[part] for rank, part in zip(ranks, case.identity, strict=True)])


def make_plan(sweep: Sweep) -> Plan:
    """Validate every case of ``sweep`` and put them in order.

    Raises
    ------
    ConfigError
        Listing every problem of any case, before anything is run.
    """
    keys = sweep.swept_keys()
    cases: dict[str, Case] = {}
    product: list[tuple[str, dict[str, Any]]] = []
    total, first_config = 0, None
    for overrides, labels, config, derived in _validated(sweep):
        total += 1
        first_config = first_config or config
        if config.output != first_config.output:
            raise ConfigError(
                [f"{overrides} changes the output grid, which all runs of a store share; set it once under output"], f"sweep {sweep.spec.name}"
            )
        name = run_id(config)
        product += [(name, labels)] if labels else []
        values = tuple(value_at(config, key) for key in keys)
        identity, parts = derived.cache_identity(config), layout.parts_of(config)
        cases.setdefault(name, Case(name, overrides, labels, values, _tables(config), identity, derived.s_lo, config.sizes.n_bins, parts))
    if first_config is None:
        raise ConfigError(["every case is excluded; nothing is left to run"], f"sweep {sweep.spec.name}")
    ordered = _in_cache_order(list(cases.values()))
    bins, block = max(case.bins for case in ordered), sweep.spec.block
    if block is None:
        refine = sweep.spec.refine  # whose store is begun with the first round only
        usual = len(ordered) if refine is None else refine.per_round * runs_per_point(sweep)
        block = default_block(usual, bins, first_config.output)
    else:  # a chunk is a block, also where the block is not full yet
        block = min(block, max(len(ordered), _fitting(bins, first_config.output)))
    plan = Plan(
        sweep,
        tuple(ordered),
        first_config,
        block,
        short_names(keys),
        total - len(ordered),
        tuple(product),
        (*sweep.notes(), *coinciding(product), *idle_axes(sweep)),
    )
    _refuse_uncheckable(plan)
    return plan
