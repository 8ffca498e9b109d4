"""What a plan's store holds: its forecast, its coordinates and attributes, making it and extending it."""

import json
import math
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marsdisk.config import RunConfig, build_config
from marsdisk.config_errors import config_keys, metadata
from marsdisk.errors import ConfigError
from marsdisk.physics.grid import make_grid
from marsdisk.physics.textfile import shown

from .design import POINT, record
from .errors import StoreError
from .old_keys import recorded_content
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
    return layout.dimension_sizes(
        samples=plan.output.samples, snapshots=plan.output.snapshots, bins=plan.bins
    )


def forecast(plan: Plan) -> Forecast:
    """Bytes and files of the plan's store, at most."""
    variables = layout.variables(shared_grid=plan.shared_grid, parts=plan.parts)
    coordinates = (
        len(plan.coordinates)
        + len(layout.indexes(plan.parts))
        + 6
        + (1 + len(plan.sweep.axes)) * plan.has_case_table
    )
    runs = runs_in_all(plan.sweep, plan.count)
    refine = plan.sweep.spec.refine
    blocks = len(plan.blocks)
    if refine is not None:  # each round begins a block
        rounds = math.ceil((runs - plan.count) / (refine.per_round * runs_per_point(plan.sweep)))
        blocks += rounds * blocks_of_round(plan.sweep, plan.block_size)
    return Forecast(
        layout.bytes_per_run(_sizes(plan), variables) * runs,
        len(variables) * (blocks + 1) + 2 * coordinates,
    )


def _coordinates(plan: Plan) -> dict[str, tuple[NDArray[Any], Mapping[str, Any]]]:
    """Each along ``run``, with its attributes; unused rows hold NaN, 0, false or nothing."""
    used = plan.rows >= 0
    number = plan.runs.number
    described = config_keys(RunConfig)

    def spread(values: NDArray[Any]) -> NDArray[Any]:
        if used.all():
            return values[plan.rows]
        found = (
            np.full(used.size, np.nan)
            if values.dtype.kind == "f"
            else np.zeros(used.size, values.dtype)
        )
        found[used] = values[plan.rows[used]]
        return found

    ids = np.array(
        [f"{id:016x}" if id else "" for id in plan.ids.tolist()], dtype=np.dtypes.StringDType()
    )
    found: dict[str, tuple[NDArray[Any], Mapping[str, Any]]] = {
        "run_id": (ids, {"long_name": "digest of configuration, tables and model version"}),
        "block": (
            np.where(used, np.arange(used.size) // plan.block_size, 0),
            {"units": "1", "long_name": "block that the run was computed and committed with"},
        ),
        "in_product": (
            spread(number < plan.sweep.product_size),
            {"units": "1", "long_name": "run of the product of axes, not an included one"},
        ),
    }
    for key, name in plan.coordinates.items():
        unit = metadata(described[key], "unit") if key in described else ""
        attributes = {
            "config_key": key,
            "units": unit or "1",
            "long_name": (described[key].description or "") if key in described else "",
        }
        found[name] = (spread(plan.runs.values[key]), attributes)
    labels = _labels(plan, number)
    refine = plan.sweep.spec.refine
    for axis, positions in labels.items():
        if axis not in plan.coordinates:  # an axis that is no key itself, such as rings or variants
            found[axis] = (
                spread(positions),
                {"units": "1", "long_name": f"position on the axis {axis}"},
            )
    if refine is not None:
        rounds = np.array(
            [refine.round_of(point) for point in labels[POINT].tolist()], dtype=np.int64
        )
        found[layout.ROUND] = (
            spread(rounds),
            {
                "units": "1",
                "long_name": (
                    "round of the refinement that chose the point, 0 for the first, regular ones"
                ),
            },
        )
    return found


def _labels(plan: Plan, number: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    """Where cases of the sweep stand on each axis, by their numbers; nowhere, where they are included ones."""
    axes = plan.sweep.axes
    product = number < plan.sweep.product_size
    places = (
        np.unravel_index(np.where(product, number, 0), [len(axis.points) for axis in axes])
        if axes
        else ()
    )
    nowhere = [] if product.all() else [None]
    return {
        axis.name: writer.coordinate([*axis.labels, *nowhere])[
            np.where(product, place, len(axis.labels))
        ]
        for axis, place in zip(axes, places, strict=True)
    }


def _axis_names(plan: Plan) -> list[str]:
    return [plan.coordinates.get(axis.name, axis.name) for axis in plan.sweep.axes]


def create(plan: Plan, store: str | Path | Place) -> None:
    """Make the store of ``plan``, with everything that its runs share and where they come from."""
    place = Place.of(store)
    expected = forecast(plan)
    free = place.free_bytes()
    if free is not None and expected.bytes_raw > free:
        raise StoreError(
            f"{store}: the sweep may need {expected.bytes_raw / 1e9:.1f} GB and {free / 1e9:.1f} GB"
            " are free; lower output.samples or output.snapshots, or use --store"
        )
    base = plan.sweep.base
    with suppress(ConfigError):  # a base that only its axes make whole is kept as it is given
        base = build_config(base).model_dump()
    grid = make_grid(*plan.runs.identities[0][0]) if plan.shared_grid else None
    attributes = {
        "Conventions": "CF-1.11",
        "title": plan.sweep.spec.name,
        "uid": uuid.uuid4().hex,
        "sweep_file": _file_for_everybody(plan),
        "base_config": base,
        "block_size": plan.block_size,
        "provenance": _provenance(plan),
        **_record(plan),
    }
    writer.create_store(
        place,
        runs=plan.rows.size,
        block_size=plan.block_size,
        sizes=_sizes(plan),
        coordinates=_coordinates(plan),
        shared_sizes=None if grid is None else grid.sizes,
        parts=plan.parts,
        attributes=json.loads(json.dumps(attributes)),
        cases=cases_of(plan),
    )


def _file_for_everybody(plan: Plan) -> str:
    """Return the sweep file as it was typed, where that does not say on whose machine it lies."""
    path = PurePath(plan.sweep.file)
    is_below = not path.is_absolute() and ".." not in path.parts
    return path.as_posix() if is_below else path.name


def _provenance(plan: Plan) -> dict[str, Any]:
    return provenance(plan.runs.tables, with_host=plan.sweep.spec.provenance.host)


def _record(plan: Plan) -> dict[str, Any]:
    """Attributes of a store that an extension renews."""
    held = {
        "sweep": plan.sweep.given,
        "axes": _axis_names(plan),
        "plan_digest": plan.digest,
        "rows": plan.rows.size,
        **record(plan.sweep.axes),
    }
    return {**held, "refined": False} if plan.sweep.spec.refine is not None else held


def finish_refinement(plan: Plan, place: Place) -> None:
    """Say in the store of ``plan`` that no further round follows."""
    writer.renew_attributes(place, json.loads(json.dumps({**_record(plan), "refined": True})))


def cases_of(plan: Plan) -> Table:
    """The table of cases; empty where it would say nothing."""
    names = dict(zip((axis.name for axis in plan.sweep.axes), _axis_names(plan), strict=True))
    if not plan.has_case_table:
        return {}
    row = np.zeros(plan.count, dtype=np.int64)
    used = np.flatnonzero(plan.rows >= 0)
    row[plan.rows[used]] = used
    return case_table(row[plan.runs.product], names, _labels(plan, plan.runs.product_number))


def extend(plan: Plan, place: Place, attributes: Mapping[str, Any]) -> None:
    """Make room in the store for the runs of ``plan`` that it does not have; no result is written again.

    Broken off at any point, the same call does it all again: what counts is the attribute ``rows``,
    which is written last. For a plan that has nothing new, it takes back one that was broken off.

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
    coordinates = _coordinates(plan)
    sizes = _sizes(plan)
    problems = [
        f"{name} was swept and is no longer: keep its axis"
        for name in str(attributes["coordinates"]).split()
        if name not in coordinates
    ]
    for name, (values, _) in coordinates.items():
        if name in there and there[name].dtype.kind != values.dtype.kind:
            problems.append(
                f"{name} has values of another kind ({shown(values[-1])}) than those there"
            )
    shared = there["s"].metadata.dimension_names == ("bin",)
    bins = there["N"].shape[-1]
    if shared and not plan.shared_grid:
        problems.append(
            "all its runs share one size grid, and the new ones have others (sizes, psd.floor)"
        )
    elif plan.bins > bins:
        problems.append(f"its runs have at most {bins} bins, and the new ones {plan.bins}")
    if problems:
        raise StoreError(
            "\n".join(
                [
                    f"{place} cannot be extended; nothing was changed:",
                    *(f"  {p}" for p in problems),
                    "use another --store",
                ]
            )
        )
    extensions = list(attributes.get("extensions", []))
    was = attributes["provenance"]
    if plan.rows.size > before:  # and not the way back from one that was broken off
        is_round = recorded_content(attributes) == json.loads(
            json.dumps(plan.sweep.given["content"])
        )
        # rounds are many, and made as the store is
        whence = {} if is_round else {"sweep_before": attributes["sweep"], **_provenance(plan)}
        extensions.append({"first_row": plan.starts[-1], **whence})
    renewed = {
        **_record(plan),
        "extensions": extensions,
        "provenance": {**was, "tables": {**was["tables"], **plan.runs.tables}},
    }
    if plan.sweep.file:
        renewed["sweep_file"] = _file_for_everybody(plan)
    writer.extend_store(
        place,
        rows_before=before,
        runs=plan.rows.size,
        unused=plan.unused,
        block_size=plan.block_size,
        sizes={**sizes, "bin": bins},
        coordinates=coordinates,
        shared_grid=shared,
        parts=plan.parts,
        attributes=json.loads(json.dumps(renewed)),
        cases=cases_of(plan),
    )
