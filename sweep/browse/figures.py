"""The numbers that the page draws: a result of each case, curves, size distributions, effects."""

from collections.abc import Sequence, Set
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marsdisk.common.errors import MarsDiskError

from ..common.errors import StoreError
from ..common.json_values import for_json
from ..common.text import counted, text
from ..results.case_table import CaseTable, so_far
from ..results.columns import coded, ended_early
from ..results.curves import PROBABILITIES, Curve, quantiles_of_curves
from ..results.densities import DENSITY_LABELS, ROUND_OFF_FRACTION, grain_mass, number_density
from ..results.matters import Matters
from ..results.quantity import (
    Quantity,
    is_logarithmic,
    is_logarithmic_time,
    quantities_together,
    remark_on_units,
)
from ..results.selection import rings_in_words
from ..store import layout
from .html import shown
from .overview import MAX_VALUES
from .packed import packed
from .study import Moment

#: Curves that quantiles are drawn of.
MIN_CURVES_OF_BAND = 20


def cases(moment: Moment, name: str, where: str, *, single_rings: bool) -> dict[str, Any]:
    """Return a scalar of each case, with the codes or numbers of its parameters."""
    return cases_of(moment, CaseTable.of(moment.selection(where), name, single_rings=single_rings))


def cases_of(moment: Moment, table: CaseTable) -> dict[str, Any]:
    """Return the cases of a table; see :func:`cases`."""
    quantity = moment.quantity(table.name, table.value, table.words)
    value = _shown(quantity, table.value)
    codes = {}
    numbers = {}
    for key in moment.parameters:
        if key not in table.parameters:
            continue
        labels = moment.labels[key]
        is_long = len(labels) > MAX_VALUES
        if is_long and table.parameters[key].dtype.kind not in "biuf":
            continue  # texts that are too many to be marks along an axis
        if is_long:
            numbers[key] = packed(_shown(moment.quantity(key), table.parameters[key]))
        else:
            own, code = coded(table.parameters[key])
            index = {label: i for i, label in enumerate(labels)}
            codes[key] = packed(np.array([index[label] for label in own], np.uint16)[code])
    return {
        "name": table.name,
        "head": text(quantity.head),
        "words": text(quantity.words),
        "rings": table.rings,
        "factor": quantity.factor,
        "is_log": is_logarithmic(value),
        "run": packed(table.run),
        "value": packed(value),
        "state": packed(table.state),
        "is_noted": packed(table.is_noted),
        "codes": codes,
        "numbers": numbers,
        "remarks": [line for line in (remark_on_units([quantity]), table.remark) if line],
    }


def _shown(quantity: Quantity, values: NDArray[Any]) -> NDArray[np.float64]:
    """Return values in the unit in which they are shown; rings as their radii."""
    if quantity.radii:
        return np.array([quantity.label_of(value) for value in values.tolist()], np.float64)
    return quantity.convert(values)


def matters(moment: Moment, name: str, where: str, *, single_rings: bool) -> dict[str, Any]:
    """Return what each parameter does to a result, the strongest first."""
    ranking = Matters.of(so_far(moment.selection(where)), name, single_rings=single_rings)
    ends = np.array([[bar.low, bar.high, bar.middle] for bar in ranking.bars]).reshape(-1, 3)
    meaning = ranking.meaning
    head = ranking.kind
    if ranking.kind == "effect":
        quantity = Quantity.of(moment.store, name, ends)
        ends = quantity.convert(ends)
        head = quantity.head
    return {
        "kind": ranking.kind,
        "head": text(head),
        "meaning": meaning,
        "is_log": ranking.kind == "effect" and is_logarithmic(ends),
        "sentence": text(ranking.sentence),
        "remarks": [*ranking.remarks, *_early(moment, where)],
        "bars": [
            {"name": text(bar.name), "low": low, "high": high, "middle": middle, "words": bar.words}
            for bar, (low, high, middle) in zip(ranking.bars, for_json(ends), strict=True)
        ],
    }


def _early(moment: Moment, where: str) -> list[str]:
    """Return a line on runs that stopped early, if there are any."""
    runs = moment.selection(where).runs
    count = int(ended_early(moment.columns["stop_reason"][runs]).sum())
    if not count:
        return []
    return [f"{count} of {counted(runs.size, 'run')} stopped early: their totals are of less time"]


def curves(
    moment: Moment,
    runs: Sequence[int],
    names: Sequence[str],
    where: str,
    *,
    single_rings: bool,
    time_unit: str = "",
) -> dict[str, Any]:
    """Return series of runs over time, or of the disks that they are the first rings of.

    They are in the units of the store, and times in ``time_unit`` or that of the whole study.
    """
    selection = moment.selection(where)
    among = set(selection.whole_disks.runs.tolist())
    complete = []
    problems = []
    counts = set[int]()
    for run in runs:
        asked = _rows(moment, run, among, single_rings=single_rings)
        rows = [row for row in asked if moment.status[row] != layout.PENDING] or asked
        if len(rows) < len(asked):
            words = f"{len(rows)} of {len(asked)} rings so far"
            problems.append({"run": run, "words": words})
        counts.add(len(rows))
        read = {name: _curve(moment, rows, name) for name in names}
        of_run = {name: curve for name, curve in read.items() if curve is not None}
        lacking = [row for row in rows if moment.status[row] != layout.DONE]
        if lacking:
            state = layout.STATUS[int(moment.status[lacking[0]])]
            which = "it" if len(rows) == 1 else counted(len(lacking), "ring")
            problems.append({"run": run, "words": f"no curve: {which} {state}"})
        elif len(of_run) < len(names):
            words = "no curve of the disk: its rings ended at different times"
            problems.append({"run": run, "words": words})
        else:
            complete.append((run, of_run))
    # runs are asked for one by one, and drawn along the same axes
    quantities = {name: Quantity.of(moment.store, name) for name in names}
    time = moment.time if not time_unit else moment.time.in_unit(time_unit)
    times = [of_run[names[0]].t for _, of_run in complete]
    return {
        "time": text(time.head),
        "is_log_time": is_logarithmic_time([time.convert(t) for t in times]),
        "heads": {
            name: _head(moment, name, quantities[name], _rings(moment, counts)) for name in names
        },
        "curves": [
            {
                "run": run,
                "t": packed(time.convert(of_run[names[0]].t)),
                "values": {
                    name: packed(quantities[name].convert(of_run[name].values)) for name in names
                },
            }
            for run, of_run in complete
        ],
        "problems": problems,
    }


def _rings(moment: Moment, counts: set[int]) -> str:
    """Return what curves of so many rings are of; empty where each is of a single run."""
    if moment.store.ring_axis is None or counts == {1}:
        return ""
    whole = moment.store.description.ring_count
    return rings_in_words(max(counts), whole) if len(counts) == 1 else "some rings"


def _head(moment: Moment, name: str, quantity: Quantity, rings: str) -> str:
    """Return what a series is called: of the disk, or of the ring where it is largest."""
    if not rings:
        return text(quantity.head)
    if moment.has_sums(name):
        words = f"{quantity.words} of {rings}"
    else:
        words = f"largest {quantity.words} in any ring of {rings}"
    return text(quantity.head.replace(quantity.words, words, 1))


def _rows(moment: Moment, run: int, among: Set[int], *, single_rings: bool) -> list[int]:
    if single_rings:
        return [run]
    return [row for row in moment.rings_of_disk(run) if row in among] or [run]


def _curve(moment: Moment, rows: list[int], name: str) -> Curve | None:
    """Return a series of a run or a disk; where it does not add up, the largest of its rings."""
    store = moment.store
    if len(rows) == 1 or moment.has_sums(name):
        return Curve.of(store, rows, name)
    curve = Curve.of(store, rows, "t")
    if curve is None:
        return None
    values = np.array([store.rows(name, row) for row in rows])
    return Curve(rows, curve.t, np.fmax.reduce(values))


def band(
    moment: Moment,
    runs: Sequence[int],
    names: Sequence[str],
    where: str,
    *,
    single_rings: bool,
    all_runs: int,
) -> dict[str, Any]:
    """Return quantiles over the series of many runs or disks, drawn from ``all_runs``."""
    among = set(moment.selection(where).whole_disks.runs.tolist())
    rows_of_curves = [_rows(moment, run, among, single_rings=single_rings) for run in runs]
    done = [rows for rows in rows_of_curves if (moment.status[rows] == layout.DONE).all()]
    rings = _rings(moment, {len(rows) for rows in done})
    quantiles = {}
    count = 0
    t = np.empty(0)
    for name in names:
        read = [_curve(moment, rows, name) for rows in done]
        known = [curve for curve in read if curve is not None]
        count = len(known)
        if count < MIN_CURVES_OF_BAND:
            raise StoreError(
                f"{counted(count, 'curve')} can be read, and bands need {MIN_CURVES_OF_BAND}"
            )
        t, quantiles[name] = quantiles_of_curves(known)
    time = moment.time
    heads = {name: Quantity.of(moment.store, name) for name in names}
    words = f"of {counted(count, 'curve')}"
    if count < all_runs:
        words += f", a random sample of {all_runs}"
    return {
        "time": text(time.head),
        "is_log_time": is_logarithmic_time([time.convert(t)]),
        "heads": {name: _head(moment, name, heads[name], rings) for name in names},
        "t": packed(time.convert(t)),
        "probabilities": PROBABILITIES,
        "quantiles": {name: packed(heads[name].convert(quantiles[name])) for name in names},
        "words": words,
    }


def runs(moment: Moment, names: Sequence[str], where: str) -> dict[str, Any]:
    """Return columns of a table of runs."""
    rows = moment.selection(where).runs
    columns = {name: moment.columns[name] for name in names}
    quantities = quantities_together(moment.store, columns)
    contents = []
    for name in names:
        values = columns[name][rows]
        content: dict[str, Any] = {
            "name": name,
            "head": text(quantities[name].head),
            "meaning": text(moment.meaning(name)),
            "factor": quantities[name].factor,
        }
        if values.dtype.kind in "iuf":
            # what is whole stays so
            shown_values = quantities[name].convert(values) if values.dtype.kind == "f" else values
            content["numbers"] = packed(shown_values)
        else:
            distinct, codes = np.unique(values.astype(object), return_inverse=True)
            content["texts"] = [shown(value, 300) for value in distinct.tolist()]
            content["codes"] = packed(codes.reshape(-1).astype(np.int32))
        contents.append(content)
    return {
        "run": packed(rows),
        "disk": packed(moment.first_ring[rows]),
        "state": packed(moment.status[rows].astype(np.uint8)),
        "columns": contents,
        "remark": remark_on_units(quantities.values()),
        "all": moment.runs,
    }


def sizes(moment: Moment, run: int) -> dict[str, Any]:
    """Return the size distributions of a run at its snapshots."""
    store = moment.store
    if moment.status[run] != layout.DONE:
        raise StoreError(f"run {run} has no size distributions: it is not done")
    s = store.sizes(run)
    used = np.isfinite(s)
    s = s[used]
    density = number_density(store.rows("N", run)[:, used], s)
    kinds = {"number": density}
    # masses need the configuration, which the record may not give
    with suppress(MarsDiskError):
        kinds["mass"] = density * grain_mass(s, moment.recorded.config(run).material.rho)
    t = store.rows("t", run)
    t_snapshot = store.rows("t_snapshot", run)
    s_blow = np.full(t_snapshot.size, np.nan)
    if np.isfinite(t).any():
        nearest = np.argmin(np.abs(t[:, None] - t_snapshot), axis=0)
        s_blow = store.rows("s_blow", run)[nearest]
    # sizes of several runs are drawn along the same axes
    radius = Quantity.of(store, "s", words="grain radius s").in_unit("µm")
    time = moment.time
    return {
        "run": run,
        "radius": text(radius.head),
        "s": packed(radius.convert(s)),
        "s_blow": packed(radius.convert(s_blow)),
        "t": packed(time.convert(t_snapshot)),
        "time_unit": time.unit,
        "heads": dict(DENSITY_LABELS),
        "densities": {kind: packed(_without_round_off(each)) for kind, each in kinds.items()},
    }


def _without_round_off(density: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a density without what the round-off of the integration has left."""
    highest = np.nanmax(density, initial=0.0)
    return np.where(density > highest * ROUND_OFF_FRACTION, density, np.nan)
