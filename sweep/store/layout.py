"""The arrays of a store: dimensions, type, unit, and the result that fills each.

No other module knows them.
"""

import dataclasses
import itertools
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from marsdisk.accuracy.convergence import QUANTITIES
from marsdisk.cache import REASONS, CacheKind
from marsdisk.config import RunConfig
from marsdisk.notes import Note
from marsdisk.result import GATES, PHASES, RunResult, StopReason

SCHEMA_VERSION = 3
#: Stores of schema 1 have no files for chunks that are all fill value, so that a chunk without a
#: file may or may not be lost.
FIRST_WITH_EVERY_CHUNK = 2
READABLE = (1, 2, 3)
PENDING, DONE, FAILED, UNUSED = range(4)
#: ``unused`` rows hold no run: they are the end of a block that was not full when the store was
#: extended.
STATUS = {PENDING: "pending", DONE: "done", FAILED: "failed", UNUSED: "unused"}


_METADATA = {part.name: part.metadata for part in dataclasses.fields(RunResult)}
#: Symbols of results as TeX; of others, the name is the symbol.
SYMBOLS = {name: part["symbol"] for name, part in _METADATA.items() if part.get("symbol")}
#: Times that a run took, as opposed to those in the model.
COMPUTING_TIMES = {"wall_time", "solver_time", "cache_build_time"}


@dataclass(frozen=True)
class Variable:
    """One array along ``run``."""

    name: str
    dims: tuple[str, ...]  #: after ``run``
    dtype: str
    attributes: Mapping[str, Any]
    value: Callable[[RunResult], Any]  #: its value for a finished run
    fill: Any = field(default=float("nan"))
    since: int = 1  #: the first schema that has it
    until: int = SCHEMA_VERSION  #: the last schema that has it

    def is_in(self, schema: int) -> bool:
        """Return whether stores of a schema have this array."""
        return self.since <= schema <= self.until


def _of_result(name: str, dims: tuple[str, ...] = (), *, since: int = 1) -> Variable:
    attributes = {key: _METADATA[name][key] for key in ("units", "long_name")}
    return Variable(name, dims, "f8", attributes, lambda result: getattr(result, name), since=since)


def _flags_of_result(name: str, **flags: Any) -> Variable:
    """Return a series of small integers that stand for words, as its attributes say."""
    series = _of_result(name, ("sample",), since=3)
    attributes = {"long_name": series.attributes["long_name"], **flags}
    return dataclasses.replace(series, dtype="u1", attributes=attributes, fill=0)


def _count(
    name: str,
    long_name: str,
    value: Callable[[RunResult], Any],
    dims: tuple[str, ...] = (),
    *,
    since: int = 1,
    until: int = SCHEMA_VERSION,
) -> Variable:
    attributes = {"units": "1", "long_name": long_name}
    return Variable(name, dims, "i8", attributes, value, 0, since, until)


def parts_of(config: RunConfig) -> frozenset[str]:
    """Return the parts of the model that a run uses and that have arrays in :data:`OPTIONAL`."""
    parts = set()
    if config.dynamics.damping is not None:
        parts.add("damping")
    if config.energy.enabled:
        parts.add("energy")
    return frozenset(parts)


def _of_part(part: str, name: str, dims: tuple[str, ...]) -> Variable:
    """Return an array that only runs with this part of the model fill."""

    def value(result: RunResult) -> Any:
        return getattr(result, name) if part in parts_of(result.config) else np.nan

    return dataclasses.replace(_of_result(name, dims), value=value)


_SCALARS = (
    "M_loss",
    "M_loss_blowout",
    "M_loss_sublimation",
    "M_loss_other",
    "M_supplied",
    "Sigma_0",
    "Sigma_final",
    "t_end",
    "t99",
    "tau_max",
    "gated_time",
    "ledger_error",
    "wall_time",
    "solver_time",
)
_SERIES = (
    "t",
    "Sigma",
    "tau_los",
    "Phi",
    "Sigma_tau1",
    "T_M",
    "s_blow",
    "M_out_dot",
    "M_sink_dot",
    "M_loss_cum",
)
_SERIES_SINCE_SCHEMA_3 = (
    "M_loss_blowout_cum",
    "M_loss_sublimation_cum",
    "M_loss_other_cum",
    "M_supplied_cum",
    "T_grain",
    "kappa",
    "supply_nominal",
    "supply_applied",
    "supply_feedback",
    "ds_dt",
    "t_blow",
    "t_coll_smallest",
    "t_coll_largest",
)

NOTES = "notes"

#: The arrays that results of runs fill, in the order of writing; with those of earlier schemas.
VARIABLES: tuple[Variable, ...] = (
    *(_of_result(name) for name in _SCALARS),
    Variable(
        "stop_reason",
        (),
        "u1",
        {
            "long_name": "why the run ended",
            "flag_values": [0, *map(int, StopReason)],
            "flag_meanings": " ".join(["not_yet", *(reason.label for reason in StopReason)]),
        },
        lambda result: int(result.stop_reason),
        0,
    ),
    _count("steps", "accepted steps", lambda result: result.steps),
    _count("steps_rejected", "rejected steps", lambda result: result.steps_rejected),
    _count(
        "clamped",
        "steps that used Q_pr beyond its table, and bins set to zero from below",
        lambda result: result.clamped,
        until=2,
    ),
    _count(
        "steps_beyond_qpr",
        "steps that used <Q_pr> beyond its table",
        lambda result: result.steps_beyond_qpr,
        since=3,
    ),
    _count(
        "bins_repaired",
        "bins that ended a step below zero and were set to zero",
        lambda result: result.bins_repaired,
        since=3,
    ),
    Variable(
        NOTES,
        (),
        "i8",
        {
            "long_name": "what makes the result doubtful, a bit each",
            "flag_masks": [int(note) for note in Note],
            "flag_meanings": " ".join(note.label for note in Note),
        },
        lambda result: int(result.notes),
        0,
        since=3,
    ),
    _of_result("M_loss_thick", since=3),
    _of_result("M_available", since=3),
    *(_of_result(name, ("sample",)) for name in _SERIES),
    *(_of_result(name, ("sample",), since=3) for name in _SERIES_SINCE_SCHEMA_3),
    _flags_of_result("phase", flag_values=list(range(len(PHASES))), flag_meanings=" ".join(PHASES)),
    _flags_of_result(
        "gates", flag_masks=[1 << bit for bit in range(len(GATES))], flag_meanings=" ".join(GATES)
    ),
    _of_result("t_snapshot", ("snapshot",)),
    _of_result("N", ("snapshot", "bin")),
    _of_result("M_blown", ("bin",), since=3),
    _count(
        "cache_hits",
        "lookups that the cache answered",
        lambda result: result.cache.hits,
        ("cache",),
    ),
    _count(
        "cache_misses",
        "lookups that found an empty slot",
        lambda result: result.cache.misses,
        ("cache",),
    ),
    _count(
        "cache_rebuilds",
        "lookups that found a value for another key",
        lambda result: result.cache.rebuilds,
        ("cache",),
    ),
    _count(
        "cache_refused",
        "values that were not finite",
        lambda result: result.cache.refused,
        ("cache",),
    ),
    Variable(
        "cache_bytes",
        ("cache",),
        "i8",
        {"units": "byte", "long_name": "held by the slot at the end of the run"},
        lambda result: result.cache.bytes,
        0,
    ),
    Variable(
        "cache_build_time",
        ("cache",),
        "f8",
        {"units": "s", "long_name": "time spent building"},
        lambda result: result.cache.build_time,
    ),
    _count(
        "cache_invalidations",
        "rebuilds by the key field that differed",
        lambda result: result.cache.invalidations,
        ("cache", "reason"),
    ),
)
#: The arrays that the worker fills for each run.
BOOKKEEPING: tuple[Variable, ...] = (
    Variable("error", (), "str", {"long_name": "what went wrong"}, lambda _: "", ""),
    Variable("worker", (), "str", {"long_name": "worker that ran it"}, lambda _: "", ""),
    Variable(
        "attempt",
        (),
        "i8",
        {"units": "1", "long_name": "how often its block had been started"},
        lambda _: 0,
        0,
    ),
)
ORDER_BINS = "order_bins"
#: The arrays that the worker fills for runs whose accuracy it estimates; only in stores whose sweep
#: asks for that, and NaN for all other runs.
ACCURACY: tuple[Variable, ...] = tuple(
    Variable(name, ("quantity",), "f8", {"units": "1", "long_name": long_name}, lambda _: np.nan)
    for name, long_name in (
        ("err_time", "relative error from time steps, by the same run with tighter ones"),
        ("err_bins", "relative error from bins, extrapolated from half, as many and twice as many"),
        (ORDER_BINS, "order of convergence with the bins, from 0.5 to 2; NaN where they show none"),
    )
)
#: The arrays that some runs fill; only in stores that have such runs, and NaN for all others.
OPTIONAL: Mapping[str, tuple[Variable, ...]] = {
    "damping": (_of_part("damping", "e", ("sample",)), _of_part("damping", "v_rel", ("sample",))),
    "energy": (_of_part("energy", "E_collisions", ()), _of_part("energy", "E_dissipated", ())),
    "check": ACCURACY,
}
#: The commit record: written last.
STATUS_VARIABLE = Variable(
    "status",
    (),
    "u1",
    {
        "long_name": "state of the run",
        "flag_values": list(STATUS),
        "flag_meanings": " ".join(STATUS.values()),
    },
    lambda _: DONE,
    PENDING,
)
PER_RUN_SIZES = Variable(
    "s",
    ("bin",),
    "f8",
    {"units": "m", "long_name": "grain radius, centre of the bin"},
    lambda result: result.s,
)

INDEXES = {"cache": [str(kind) for kind in CacheKind], "reason": list(REASONS)}
CHECK_INDEXES = {"quantity": list(QUANTITIES)}

#: All arrays that workers write, or wrote into stores of earlier schemas.
EVERY_VARIABLE: tuple[Variable, ...] = (
    *VARIABLES,
    *itertools.chain(*OPTIONAL.values()),
    PER_RUN_SIZES,
    *BOOKKEEPING,
    STATUS_VARIABLE,
)
_BY_BLOCK = frozenset(variable.name for variable in EVERY_VARIABLE)

#: Along ``case``, in stores whose sweep has a design or coinciding cases: the row of the run that
#: has the results of the case.
CASE_RUN = "case_run"
#: Along ``case``: the value of the case on the axis whose name is filled in.
CASE_LABEL = "case_{}"

#: Along ``run``, in stores whose sweep is refined: the round of refinement, 0 for the first points.
ROUND = "round"

#: Names that no axis of a sweep may have.
RESERVED = frozenset(
    [
        "run",
        "sample",
        "snapshot",
        "bin",
        "case",
        CASE_RUN,
        "run_id",
        "block",
        "in_product",
        ROUND,
        *INDEXES,
        *CHECK_INDEXES,
    ]
    + [variable.name for variable in EVERY_VARIABLE]
)


def is_by_block(name: str) -> bool:
    """Return whether workers write the array of this name, block by block."""
    return name in _BY_BLOCK


def is_target(variable: Variable) -> bool:
    """Return whether an array holds one numerical result per run, which can be analysed."""
    is_flag = "flag_values" in variable.attributes or "flag_masks" in variable.attributes
    return not (variable.dims or is_flag or variable in BOOKKEEPING)


def indexes(parts: Collection[str] = ()) -> dict[str, list[str]]:
    """Return the labels along each labelled dimension of a store with these optional parts."""
    labels = dict(INDEXES)
    if "check" in parts:
        labels.update(CHECK_INDEXES)
    return labels


def dimension_sizes(*, samples: int, snapshots: int, bins: int) -> dict[str, int]:
    """Return the length of every dimension but ``run``.

    Parameters
    ----------
    samples, snapshots, bins : int
        Times in a series, snapshots of the size distribution, and bins of each of them.
    """
    return {
        "sample": samples,
        "snapshot": snapshots,
        "bin": bins,
        **{name: len(labels) for name, labels in indexes(OPTIONAL).items()},
    }


def variables(
    *,
    shared_grid: bool,
    parts: Collection[str] = (),
    schema: int = SCHEMA_VERSION,
) -> tuple[Variable, ...]:
    """Return all arrays along ``run`` that workers write in a store, the commit record last.

    Parameters
    ----------
    shared_grid : bool
        Whether all runs have the same grid of sizes, so that it is no array along ``run``.
    parts : collection of str
        Keys of :data:`OPTIONAL` whose arrays the store has.
    schema : int
        Version of the store's schema.
    """
    arrays = [variable for variable in VARIABLES if variable.is_in(schema)]
    for part, optional in OPTIONAL.items():
        if part in parts:
            arrays += optional
    if not shared_grid:
        arrays.append(PER_RUN_SIZES)
    return (*arrays, *BOOKKEEPING, STATUS_VARIABLE)


def bytes_per_run(sizes: Mapping[str, int], arrays: Sequence[Variable]) -> int:
    """Return the uncompressed size of one run in some arrays.

    Parameters
    ----------
    sizes : mapping of str to int
        Length of each dimension.
    arrays : sequence of Variable
        The arrays.

    Returns
    -------
    int
        Bytes.
    """
    widths = {"str": 32, "u1": 1, "f8": 8, "i8": 8}
    total = 0
    for variable in arrays:
        total += widths[variable.dtype] * math.prod(sizes[dim] for dim in variable.dims)
    return total
