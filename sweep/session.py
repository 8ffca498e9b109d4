"""From a plan to a finished store: make it or go on with it, keep other drivers out, run what is not committed."""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from marsdisk import model_version
from marsdisk.commands import compile_kernels
from marsdisk.config import RunConfig, build_config
from marsdisk.config_errors import config_keys, metadata
from marsdisk.errors import ConfigError
from marsdisk.physics.grid import make_grid

from .errors import Interrupted, PlanChangedError, StoreError
from .heartbeat import Heartbeat
from .plan import Block, Plan, make_plan
from .profiles import Source
from .progress import Reporter, Tally
from .provenance import provenance
from .spec import Sweep, build_sweep
from .store import layout, reader, writer
from .store.lock import Driving, driving
from .store.place import Folder, Place


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
    coordinates = len(plan.coordinates) + len(layout.indexes(plan.parts)) + 6
    return Forecast(layout.bytes_per_run(_sizes(plan), variables) * len(plan.cases), len(variables) * (len(plan.blocks) + 1) + 2 * coordinates)


def _coordinates(plan: Plan) -> dict[str, tuple[Any, Mapping[str, Any]]]:
    cases, block_of = plan.cases, np.arange(len(plan.cases)) // plan.block_size
    described = config_keys(RunConfig)
    found: dict[str, tuple[Any, Mapping[str, Any]]] = {
        "run_id": (writer.coordinate([case.run_id for case in cases]), {"long_name": "digest of configuration, tables and model version"}),
        "block": (block_of.astype(np.int64), {"units": "1", "long_name": "block that the run was computed and committed with"}),
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
    return found


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
        "sweep": plan.sweep.given,
        "base_config": base,
        "axes": _axis_names(plan),
        "block_size": plan.block_size,
        "plan_digest": plan.digest,
        "provenance": provenance(plan.tables),
    }
    writer.create_store(
        place,
        runs=len(plan.cases),
        block_size=plan.block_size,
        sizes=_sizes(plan),
        coordinates=_coordinates(plan),
        shared_sizes=None if grid is None else grid.sizes,
        parts=plan.parts,
        attributes=json.loads(json.dumps(attributes)),
    )


def _differences(before: Any, now: Any, where: str) -> Iterator[str]:
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for key in dict.fromkeys([*before, *now]):
            yield from _differences(before.get(key), now.get(key), f"{where}.{key}" if where else str(key))
    elif before != now:
        yield f"{where}: the store has {before!r}, now it is {now!r}"


def refuse_other_plan(plan: Plan, store: Place, attributes: Mapping[str, Any]) -> None:
    """Raise PlanChangedError, naming what differs, unless the store was made for ``plan``."""
    if attributes["plan_digest"] == plan.digest:
        return
    then, now, was = attributes["sweep"], json.loads(json.dumps(plan.sweep.given)), attributes["provenance"]
    lines = [
        line
        for name, words in (("content", "sweep file"), ("base", "base"), ("command_line", "--set"))
        for line in _differences(then[name], now[name], words)
    ]
    lines += _differences(was["model_version"], model_version(), "model version")
    lines += _differences(was["tables"], plan.tables, "table")
    if attributes["block_size"] != plan.block_size:
        lines.append(f"block: the store has {attributes['block_size']}, now it is {plan.block_size}")
    lines = lines or ["sweep file: the same axes in another order, which is the order of the runs"]
    raise PlanChangedError(
        "\n".join(
            [f"{store} holds another plan; nothing was changed:", *(f"  {line}" for line in lines), "use another --store, or move the old one away"]
        )
    )


def pending_blocks(plan: Plan, store: Place) -> list[Block]:
    """Blocks of ``plan`` that are not committed."""
    committed = reader.committed_blocks(reader.open_group(store))
    return [block for block in plan.blocks if not committed[block.index]]


def run_sweep(sweep: Sweep, store: str | Path | Place, *, workers: Source, console: Console) -> tuple[Plan, Tally]:
    """Run what is not yet committed of ``sweep`` into ``store``; the same call again goes on or finds nothing to do.

    Raises
    ------
    ConfigError
        A case cannot run.
    StoreError
        The store holds another plan, is driven by somebody else, or cannot be written.
    Interrupted
        Stopped by a signal; what was committed stays.
    """
    place, plan = Place.of(store), make_plan(sweep)
    if workers != 0 and not place.is_shared:
        raise StoreError(f"{place}: workers cannot see into this process's memory; use --workers 0, or a store elsewhere")
    with driving(place) as held:
        if place.exists():
            refuse_other_plan(plan, place, reader.open_group(place).attrs)
        else:
            create(plan, place)
        pending = pending_blocks(plan, place)
        tally = Tally(sum(block.hi - block.lo for block in pending))
        if pending:
            _run(plan, place, pending, tally, workers, console, held)
        return plan, tally


def _run(plan: Plan, store: Place, pending: list[Block], tally: Tally, workers: Source, console: Console, held: Driving) -> None:
    from .driver import run_blocks, stopping_on_signals  # brings Dask, which a finished sweep need not wait for

    before = reader.counts(reader.open_group(store))

    with Reporter(console, tally) as reporter:
        for warning in plan.warnings:
            reporter.say(f"note: {warning}")
        already = len(plan.cases) - tally.runs
        reporter.say(f"{tally.runs} runs in {len(pending)} blocks into {store}" + (f" ({already} are committed already)" if already else ""))
        with stopping_on_signals(reporter.say) as stop, Heartbeat(store, reporter, stop, done=before.done, failed=before.failed):
            held.on_loss = stop.set
            compile_kernels(reporter.say)  # before workers start, which together would take as many times longer
            # other machines have other working folders
            seen_as = str(store) if isinstance(workers, int) or not isinstance(store, Folder) else str(store.path.absolute())
            try:
                run_blocks(plan, seen_as, pending, workers=workers, reporter=reporter, stop=stop)
            except Interrupted:
                if held.lost:
                    raise StoreError(f"{store}: {held.lost} has taken over this sweep, as this one gave no sign of life for too long") from None
                raise


def sweep_of_store(store: str | Path | Place) -> Sweep:
    """The sweep that a store was made for, from its own record."""
    given: Any = reader.open_group(store).attrs["sweep"]
    return build_sweep(**given, where=str(store))
