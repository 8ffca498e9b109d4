"""From a sweep to its cases in the order they run: validated, named, grouped into blocks."""

import functools
import hashlib
import math
import os
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

from .axes import Overrides, short_names
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
    """The unit of work, of writing and of committing: runs ``lo`` to ``hi`` of the store."""

    index: int
    lo: int
    hi: int


@dataclass(frozen=True)
class Plan:
    """All cases of a sweep, ordered so that runs which share cached arrays stand together."""

    sweep: Sweep
    cases: tuple[Case, ...]
    first_config: RunConfig
    block_size: int
    coordinates: dict[str, str]  #: short name of each swept key
    duplicates: int
    warnings: tuple[str, ...] = field(default=())

    @functools.cached_property
    def checked(self) -> frozenset[int]:
        """Runs whose numerical error is found and stored: those with the smallest run_id, which is as good as drawn by lot.

        So the same runs are chosen whatever the order of the cases, the workers, and what is committed already.
        """
        spec = self.sweep.spec.check
        if spec is None or spec.fraction == 0.0:
            return frozenset()
        by_id = sorted(range(len(self.cases)), key=lambda run: self.cases[run].run_id)
        return frozenset(by_id[: max(1, round(spec.fraction * len(by_id)))])

    @property
    def digest(self) -> str:
        """Names the cases, their order and their blocks, and which of them are checked: all that decides what a store holds."""
        text = "\n".join([str(self.block_size), *(case.run_id for case in self.cases)])
        if self.checked:
            text += "\nchecked: " + " ".join(map(str, sorted(self.checked)))
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    @property
    def tables(self) -> dict[str, str]:
        """Digest of every table that any run uses."""
        return {name: digest for case in self.cases for name, digest in case.tables.items()}

    @property
    def blocks(self) -> list[Block]:
        starts = range(0, len(self.cases), self.block_size)
        return [Block(i, lo, min(lo + self.block_size, len(self.cases))) for i, lo in enumerate(starts)]

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
    sizes = layout.dimension_sizes(samples=output.samples, snapshots=output.snapshots, bins=bins)
    fit = int(BLOCK_BYTES / layout.bytes_per_run(sizes, layout.variables(shared_grid=False, parts=layout.OPTIONAL)))
    return max(1, min(BLOCK_MAX, fit, max(BLOCK_MIN, math.ceil(cases / BLOCKS_WANTED))))


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
        raise ConfigError(lines, f"sweep {sweep.spec.name} has cases that cannot run; nothing was started")


def _refuse_uncheckable(plan: Plan) -> None:
    """Raise ConfigError where a run that is to be checked has too many bins to double them."""
    variations = Variations(plan.sweep.base)
    for run in sorted(plan.checked):
        try:
            comparisons(variations.config(plan.cases[run].overrides))
        except ConfigError as error:
            first = ", ".join(f"{key} = {value}" for key, value in plan.cases[run].overrides.items())
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
    total, first_config = 0, None
    for overrides, labels, config, derived in _validated(sweep):
        total += 1
        first_config = first_config or config
        if config.output != first_config.output:
            raise ConfigError(
                [f"{overrides} changes the output grid, which all runs of a store share; set it once under output"], f"sweep {sweep.spec.name}"
            )
        name = run_id(config)
        values = tuple(value_at(config, key) for key in keys)
        identity, bins = derived.cache_identity(config), config.sizes.n_bins
        cases.setdefault(name, Case(name, overrides, labels, values, _tables(config), identity, derived.s_lo, bins, layout.parts_of(config)))
    if first_config is None:
        raise ConfigError(["every case is excluded; nothing is left to run"], f"sweep {sweep.spec.name}")
    ordered = _in_cache_order(list(cases.values()))
    plan = Plan(
        sweep,
        tuple(ordered),
        first_config,
        sweep.spec.block or default_block(len(ordered), max(case.bins for case in ordered), first_config.output),
        short_names(keys),
        total - len(ordered),
        sweep.notes(),
    )
    _refuse_uncheckable(plan)
    return plan
