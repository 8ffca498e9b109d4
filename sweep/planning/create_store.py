"""The store of a plan: its forecast, its coordinates and attributes, its creation and extension."""

import json
import math
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic.fields import FieldInfo

from marsdisk.common.errors import ConfigError
from marsdisk.common.text import shown
from marsdisk.config import RunConfig, build_config
from marsdisk.config.keys import config_keys, metadata
from marsdisk.physics.grid import make_grid

from ..common.errors import StoreError
from ..spec.designs import POINT, record
from ..spec.old_keys import recorded_content
from ..store import layout, writer
from ..store.cases import Table, case_table
from ..store.description import SweepRecord
from ..store.locate import locate
from ..store.location import Location
from ..store.store import Store
from .plan import Plan
from .provenance import provenance
from .refinement_size import blocks_of_round, runs_in_all, runs_per_round


@dataclass(frozen=True)
class Forecast:
    """The size of the store of a plan."""

    bytes_raw: int  #: before compression
    files: int


def _sizes(plan: Plan) -> dict[str, int]:
    return layout.dimension_sizes(
        samples=plan.output.samples, snapshots=plan.output.snapshots, bins=plan.bins
    )


def forecast(plan: Plan) -> Forecast:
    """Return the bytes and files of the store of a plan, at most."""
    variables = layout.variables(shared_grid=plan.shared_grid, parts=plan.parts)
    coordinates = len(plan.coordinates) + len(layout.indexes(plan.parts)) + 6
    if plan.has_case_table:
        coordinates += 1 + len(plan.sweep.axes)
    runs = runs_in_all(plan.sweep, plan.count)
    per_round = runs_per_round(plan.sweep)
    blocks = len(plan.blocks)
    if per_round:  # each round begins a block
        rounds = math.ceil((runs - plan.count) / per_round)
        blocks += rounds * blocks_of_round(plan.sweep, plan.block_size)
    return Forecast(
        layout.bytes_per_run(_sizes(plan), variables) * runs,
        len(variables) * (blocks + 1) + 2 * coordinates,
    )


def _coordinates(plan: Plan) -> dict[str, tuple[NDArray[Any], Mapping[str, Any]]]:
    """Return arrays along ``run`` with their attributes; unused rows hold NaN, 0, false or ''."""
    used = plan.rows >= 0
    numbers = plan.runs.number

    def in_rows(values: NDArray[Any]) -> NDArray[Any]:
        """Return values of runs as those of rows."""
        if used.all():
            return values[plan.rows]
        if values.dtype.kind == "f":
            of_rows: NDArray[Any] = np.full(used.size, np.nan)
        else:
            of_rows = np.zeros(used.size, values.dtype)
        of_rows[used] = values[plan.rows[used]]
        return of_rows

    ids = np.array(
        [f"{number:016x}" if number else "" for number in plan.ids.tolist()],
        dtype=np.dtypes.StringDType(),
    )
    coordinates: dict[str, tuple[NDArray[Any], Mapping[str, Any]]] = {
        "run_id": (ids, {"long_name": "digest of configuration, tables and model version"}),
        "block": (
            np.where(used, np.arange(used.size) // plan.block_size, 0),
            {"units": "1", "long_name": "block that the run was computed and committed with"},
        ),
        "in_product": (
            in_rows(numbers < plan.sweep.product_size),
            {"units": "1", "long_name": "run of the product of axes, not an included one"},
        ),
    }
    fields = config_keys(RunConfig)
    for key, name in plan.coordinates.items():
        attributes = _attributes_of_key(key, fields.get(key))
        coordinates[name] = (in_rows(plan.runs.values[key]), attributes)
    labels = _labels(plan, numbers)
    for axis, labels_of_axis in labels.items():
        if axis not in plan.coordinates:  # an axis that is not a key, such as rings or variants
            attributes = {"units": "1", "long_name": f"position on the axis {axis}"}
            coordinates[axis] = (in_rows(labels_of_axis), attributes)
    refine = plan.sweep.spec.refine
    if refine is not None:
        rounds = [refine.round_of(point) for point in labels[POINT].tolist()]
        coordinates[layout.ROUND] = (
            in_rows(np.array(rounds, dtype=np.int64)),
            {
                "units": "1",
                "long_name": (
                    "round of the refinement that chose the point, 0 for the first, regular ones"
                ),
            },
        )
    return coordinates


def _attributes_of_key(key: str, field: FieldInfo | None) -> dict[str, str]:
    """Return the attributes of a swept key; ``field`` describes it, unless it is in a list."""
    attributes = {"config_key": key, "units": "1", "long_name": ""}
    if field is not None:
        attributes["units"] = metadata(field, "unit") or "1"
        attributes["long_name"] = field.description or ""
    return attributes


def _labels(plan: Plan, numbers: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    """Return the label of cases on each axis, by their numbers; included cases have none."""
    axes = plan.sweep.axes
    if not axes:
        return {}
    in_product = numbers < plan.sweep.product_size
    lengths = [len(axis.points) for axis in axes]
    indices_of_axes = np.unravel_index(np.where(in_product, numbers, 0), lengths)
    no_label = [] if in_product.all() else [None]
    labels = {}
    for axis, indices in zip(axes, indices_of_axes, strict=True):
        choices = writer.coordinate([*axis.labels, *no_label])
        labels[axis.name] = choices[np.where(in_product, indices, len(axis.labels))]
    return labels


def _axis_names(plan: Plan) -> list[str]:
    return [plan.coordinates.get(axis.name, axis.name) for axis in plan.sweep.axes]


def create(plan: Plan, store: str | Path | Location) -> None:
    """Create the store of a plan, with all that its runs share and their provenance.

    Parameters
    ----------
    plan : Plan
        The plan.
    store : str or Path or Location
        Where the store is to be.

    Raises
    ------
    StoreError
        There is not enough space, or the store cannot be written.
    """
    location = locate(store)
    expected = forecast(plan)
    free = location.free_bytes()
    if free is not None and expected.bytes_raw > free:
        raise StoreError(
            f"{store}: the sweep may need {expected.bytes_raw / 1e9:.1f} GB and {free / 1e9:.1f} GB"
            " are free; lower output.samples or output.snapshots, or use --store"
        )
    base = plan.sweep.base
    # a base that is incomplete without the axes is recorded as it was given
    with suppress(ConfigError):
        base = build_config(base).model_dump()
    grid = make_grid(*plan.runs.identities[0][0]) if plan.shared_grid else None
    attributes = {
        "Conventions": "CF-1.11",
        "title": plan.sweep.spec.name,
        "uid": uuid.uuid4().hex,
        "sweep_file": _public_path_of_sweep_file(plan),
        "question": plan.sweep.question,
        "base_config": base,
        "block_size": plan.block_size,
        "provenance": _provenance(plan),
        **_record(plan),
    }
    writer.create_store(
        location,
        runs=plan.rows.size,
        block_size=plan.block_size,
        sizes=_sizes(plan),
        coordinates=_coordinates(plan),
        shared_sizes=None if grid is None else grid.sizes,
        parts=plan.parts,
        attributes=json.loads(json.dumps(attributes)),
        cases=cases_of(plan),
    )


def _public_path_of_sweep_file(plan: Plan) -> str:
    """Return the sweep file as typed, or its name where that tells about the machine.

    It is empty where the sweep was written in Python.
    """
    if not plan.sweep.file:
        return ""
    path = PurePath(plan.sweep.file)
    is_below = not path.is_absolute() and ".." not in path.parts
    return path.as_posix() if is_below else path.name


def _provenance(plan: Plan) -> dict[str, Any]:
    return provenance(plan.runs.tables, with_host=plan.sweep.spec.provenance.host)


def _record(plan: Plan) -> dict[str, Any]:
    """Return the attributes of a store that an extension renews."""
    attributes = {
        "sweep": plan.sweep.given,
        "axes": _axis_names(plan),
        "plan_digest": plan.digest,
        "rows": plan.rows.size,
        **record(plan.sweep.axes),
    }
    if plan.sweep.spec.refine is not None:
        attributes["refined"] = False
    return attributes


def finish_refinement(plan: Plan, location: Location) -> None:
    """Record in the store of ``plan`` that no further round follows."""
    writer.renew_attributes(location, json.loads(json.dumps({**_record(plan), "refined": True})))


def cases_of(plan: Plan) -> Table:
    """Return the table of cases; empty where each case is a run of its own."""
    names = dict(zip((axis.name for axis in plan.sweep.axes), _axis_names(plan), strict=True))
    if not plan.has_case_table:
        return {}
    row = np.zeros(plan.count, dtype=np.int64)
    used = np.flatnonzero(plan.rows >= 0)
    row[plan.rows[used]] = used
    return case_table(row[plan.runs.product], names, _labels(plan, plan.runs.product_number))


def extend(plan: Plan, store: Store) -> None:
    """Make room in a store for the runs of a plan that it does not have.

    No result is written again. After an interruption at any point, the same call starts over: what
    counts is the attribute ``rows``, which is written last. For a plan that has nothing new, the
    call takes back an extension that was interrupted.

    Parameters
    ----------
    plan : Plan
        In the order of the store, see :func:`sweep.planning.match_store.in_stored_rows`.
    store : Store
        The store.

    Raises
    ------
    StoreError
        Its arrays cannot hold the new runs; nothing was changed.
    """
    description = store.description
    rows_before = description.rows
    coordinates = _coordinates(plan)
    bins = store.arrays["N"].shape[-1]
    problems = [
        *_problems_of_coordinates(coordinates, store),
        *_problems_of_grids(plan, bins, is_shared=store.has_shared_sizes),
    ]
    if problems:
        lines = "".join(f"\n  {problem}" for problem in problems)
        raise StoreError(
            f"{store} cannot be extended; nothing was changed:{lines}\nuse another --store"
        )
    extensions = [extension.recorded for extension in description.extensions]
    # not where an interrupted extension is taken back
    if plan.rows.size > rows_before:
        extensions.append(_record_of_extension(plan, description.sweep))
    tables = {**description.provenance.tables, **plan.runs.tables}
    renewed = {
        **_record(plan),
        "extensions": extensions,
        "provenance": {**description.provenance.recorded, "tables": tables},
    }
    if plan.sweep.file:
        renewed["sweep_file"] = _public_path_of_sweep_file(plan)
        renewed["question"] = plan.sweep.question
    writer.extend_store(
        store.location,
        rows_before=rows_before,
        runs=plan.rows.size,
        unused=plan.unused,
        block_size=plan.block_size,
        sizes={**_sizes(plan), "bin": bins},
        coordinates=coordinates,
        shared_grid=store.has_shared_sizes,
        parts=plan.parts,
        attributes=json.loads(json.dumps(renewed)),
        cases=cases_of(plan),
    )


def _problems_of_coordinates(
    coordinates: Mapping[str, tuple[NDArray[Any], Mapping[str, Any]]], store: Store
) -> Iterator[str]:
    """Yield a line for each coordinate that a store has and an extension lacks or changes."""
    for name in store.description.coordinate_names:
        if name not in coordinates:
            yield f"{name} was swept and is no longer: keep its axis"
    for name, (values, _) in coordinates.items():
        if name in store and store.arrays[name].kind != values.dtype.kind:
            yield f"{name} has values of another kind ({shown(values[-1])}) than those there"


def _problems_of_grids(plan: Plan, bins: int, *, is_shared: bool) -> Iterator[str]:
    """Yield a line where the size grids of a plan do not fit a store."""
    if is_shared and not plan.shared_grid:
        yield "all its runs share one size grid, and the new ones have others (sizes, psd.floor)"
    elif plan.bins > bins:
        yield f"its runs have at most {bins} bins, and the new ones {plan.bins}"


def _record_of_extension(plan: Plan, before: SweepRecord) -> dict[str, Any]:
    extension: dict[str, Any] = {"first_row": plan.starts[-1]}
    content = json.loads(json.dumps(plan.sweep.given["content"]))
    # the rounds of a refinement are many, and have the provenance of the store
    is_round = recorded_content(before) == content
    if not is_round:
        extension |= {"sweep_before": before.arguments, **_provenance(plan)}
    return extension
