"""What a plan's store holds: its forecast, its coordinates and attributes, making it and extending it."""

import json
import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marsdisk.config import RunConfig, build_config
from marsdisk.config_errors import config_keys, metadata
from marsdisk.errors import ConfigError
from marsdisk.physics.grid import make_grid

from .design import POINT, record
from .errors import StoreError
from .plan import Plan
from .provenance import provenance
from .refine import blocks_of_round, runs_in_all, runs_per_point
from .store import layout, writer
from .store.cases import Table, case_table
from .store.place import Place


@dataclass(frozen=True)
class Forecast:
    """What a plan will write."""

    bytes_raw: int  #: before compression
    files: int


def _sizes(plan: Plan) -> dict[str, int]:
    output = plan.first_config.output
    return layout.dimension_sizes(samples=output.samples, snapshots=output.snapshots, bins=plan.bins)


def forecast(plan: Plan) -> Forecast:
    """Bytes and files of the plan's store, at most."""
    variables = layout.variables(shared_grid=plan.shared_grid, parts=plan.parts)
    coordinates = len(plan.coordinates) + len(layout.indexes(plan.parts)) + 6 + (1 + len(plan.sweep.axes)) * plan.has_case_table
    runs = runs_in_all(plan.sweep, len(plan.cases))
    refine, blocks = plan.sweep.spec.refine, len(plan.blocks)
    if refine is not None:  # each round begins a block
        rounds = math.ceil((runs - len(plan.cases)) / (refine.per_round * runs_per_point(plan.sweep)))
        blocks += rounds * blocks_of_round(plan.sweep, plan.block_size)
    return Forecast(layout.bytes_per_run(_sizes(plan), variables) * runs, len(variables) * (blocks + 1) + 2 * coordinates)


def _coordinates(plan: Plan) -> dict[str, tuple[Any, Mapping[str, Any]]]:
    cases, block_of = plan.cases, np.flatnonzero([case is not None for case in plan.rows]) // plan.block_size
    described = config_keys(RunConfig)
    found: dict[str, tuple[Any, Mapping[str, Any]]] = {
        "run_id": (writer.coordinate([case.run_id for case in cases]), {"long_name": "digest of configuration, tables and model version"}),
        "block": (block_of, {"units": "1", "long_name": "block that the run was computed and committed with"}),
        "in_product": (
            np.array([bool(case.labels) for case in cases]),
            {"units": "1", "long_name": "run of the product of axes, not an included one"},
        ),
    }
    for i, (key, name) in enumerate(plan.coordinates.items()):
        unit = metadata(described[key], "unit") if key in described else ""
        attributes = {"config_key": key, "units": unit or "1", "long_name": (described[key].description or "") if key in described else ""}
        found[name] = (writer.coordinate([case.values[i] for case in cases]), attributes)
    for axis in plan.sweep.axes:
        if axis.name not in plan.coordinates:  # an axis that is no key itself, such as rings or variants
            labels = [case.labels.get(axis.name) for case in cases]
            found[axis.name] = (writer.coordinate(labels), {"units": "1", "long_name": f"position on the axis {axis.name}"})
    refine = plan.sweep.spec.refine
    if refine is not None:
        rounds = np.array([refine.round_of(case.labels[POINT]) for case in cases], dtype=np.int64)
        found[layout.ROUND] = (rounds, {"units": "1", "long_name": "round of the refinement that chose the point, 0 for the first, regular ones"})
    return {name: (_spread(values, plan), attributes) for name, (values, attributes) in found.items()}


def _spread(values: NDArray[Any], plan: Plan) -> NDArray[Any]:
    """A value for each row of the store: those of its runs, and in unused rows NaN, 0, false or nothing."""
    if len(values) == len(plan.rows):
        return values
    spread = np.full(len(plan.rows), np.nan) if values.dtype.kind == "f" else np.zeros(len(plan.rows), values.dtype)
    spread[[case is not None for case in plan.rows]] = values
    return spread


def _axis_names(plan: Plan) -> list[str]:
    return [plan.coordinates.get(axis.name, axis.name) for axis in plan.sweep.axes]


def create(plan: Plan, store: str | Path | Place) -> None:
    """Make the store of ``plan``, with everything that its runs share and where they come from."""
    place = Place.of(store)
    expected, free = forecast(plan), place.free_bytes()
    if free is not None and expected.bytes_raw > free:
        raise StoreError(
            f"{store}: the sweep may need {expected.bytes_raw / 1e9:.1f} GB and {free / 1e9:.1f} GB are free; lower output.samples or output.snapshots, or use --store"
        )
    config, base = plan.first_config, plan.sweep.base
    with suppress(ConfigError):  # a base that only its axes make whole is kept as it is given
        base = build_config(base).model_dump()
    grid = make_grid(plan.cases[0].s_lo, config.sizes.s_max, config.sizes.n_bins) if plan.shared_grid else None
    attributes = {
        "Conventions": "CF-1.11",
        "title": plan.sweep.spec.name,
        "base_config": base,
        "block_size": plan.block_size,
        "provenance": provenance(plan.tables),
        **_record(plan),
    }
    writer.create_store(
        place,
        runs=len(plan.rows),
        block_size=plan.block_size,
        sizes=_sizes(plan),
        coordinates=_coordinates(plan),
        shared_sizes=None if grid is None else grid.sizes,
        parts=plan.parts,
        attributes=json.loads(json.dumps(attributes)),
        cases=cases_of(plan),
    )


def _record(plan: Plan) -> dict[str, Any]:
    """Attributes of a store that an extension renews."""
    held = {"sweep": plan.sweep.given, "axes": _axis_names(plan), "plan_digest": plan.digest, "rows": len(plan.rows), **record(plan.sweep.axes)}
    return {**held, "refined": False} if plan.sweep.spec.refine is not None else held


def finish_refinement(plan: Plan, place: Place) -> None:
    """Say in the store of ``plan`` that no further round follows."""
    writer.renew_attributes(place, json.loads(json.dumps({**_record(plan), "refined": True})))


def cases_of(plan: Plan) -> Table:
    """The table of cases; empty where it would say nothing."""
    names = dict(zip((axis.name for axis in plan.sweep.axes), _axis_names(plan), strict=True))
    return case_table(plan.product, names, ["" if case is None else case.run_id for case in plan.rows]) if plan.has_case_table else {}


def extend(plan: Plan, place: Place, attributes: Mapping[str, Any]) -> None:
    """Make room in the store for the runs of ``plan`` that it does not have; no result is written again.

    Broken off at any point, the same call does it all again: what counts is the attribute ``rows``, which is written last. For a plan that
    has nothing new, it takes back one that was broken off.

    Parameters
    ----------
    plan : arranged as the store is, see :func:`sweep.matching.arranged`
    attributes : of the store

    Raises
    ------
    StoreError
        Its arrays cannot hold the new runs; nothing was changed.
    """
    there: dict[str, Any] = dict(place.group().arrays())
    before = int(attributes["rows"])
    coordinates, sizes = _coordinates(plan), _sizes(plan)
    problems = [f"{name} was swept and is no longer: keep its axis" for name in str(attributes["coordinates"]).split() if name not in coordinates]
    for name, (values, _) in coordinates.items():
        if name in there and there[name].dtype.kind != values.dtype.kind:
            problems.append(f"{name} has values of another kind ({values[-1]!r}) than those there")
    shared, bins = there["s"].metadata.dimension_names == ("bin",), there["N"].shape[-1]
    if shared and not plan.shared_grid:
        problems.append("all its runs share one size grid, and the new ones have others (sizes, psd.floor)")
    elif plan.bins > bins:
        problems.append(f"its runs have at most {bins} bins, and the new ones {plan.bins}")
    if problems:
        raise StoreError("\n".join([f"{place} cannot be extended; nothing was changed:", *(f"  {p}" for p in problems), "use another --store"]))
    extensions, was = list(attributes.get("extensions", [])), attributes["provenance"]
    if len(plan.rows) > before:  # and not the way back from one that was broken off
        is_round = attributes["sweep"]["content"] == json.loads(json.dumps(plan.sweep.given["content"]))
        whence = {} if is_round else {"sweep_before": attributes["sweep"], **provenance(plan.tables)}  # rounds are many, and made as the store is
        extensions.append({"first_row": plan.starts[-1], **whence})
    renewed = {**_record(plan), "extensions": extensions, "provenance": {**was, "tables": {**was["tables"], **plan.tables}}}
    writer.extend_store(
        place,
        runs=len(plan.rows),
        unused=plan.unused,
        block_size=plan.block_size,
        sizes={**sizes, "bin": bins},
        coordinates=coordinates,
        shared_grid=shared,
        parts=plan.parts,
        attributes=json.loads(json.dumps(renewed)),
        cases=cases_of(plan),
    )
