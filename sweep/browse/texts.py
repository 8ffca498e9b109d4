"""Tables and texts of the page, as HTML: runs in detail, and what a study's numbers rest on."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from marsdisk.common.errors import MarsDiskError
from marsdisk.config.yaml_file import yaml_text
from marsdisk.result import StopReason

from ..common import palette
from ..common.command import Command
from ..common.states import State
from ..common.text import counted, text
from ..results.accuracy import Accuracy
from ..results.columns import EXECUTION, RESULTS, coded
from ..results.notes import Notes
from ..results.quantity import quantities_together
from ..results.reasons import reasons
from ..running.progress import duration
from ..store import layout
from .html import cut, escaped, rendered
from .numbers_in_words import number
from .study import Moment

MAX_ERROR_CHARACTERS = 600
MAX_FILE_CHARACTERS = 20_000
MAX_LINE_CHARACTERS = 400
MAX_WORKERS_LISTED = 64
COUNTS = ("hits", "misses", "rebuilds", "refused")


def about(moment: Moment, runs: Sequence[int]) -> Markup:
    """Return tables of parameters, results, notes, and caches, with a column for each run."""
    shared, commands = _configuration(moment, runs)
    colours = palette.RUN_COLOURS
    return rendered(
        "about",
        heads=[
            rendered("run_head", run=run, colour=colour)
            for run, colour in zip(runs, colours, strict=False)
        ],
        ends=[_end(moment, run) for run in runs],
        disks=[line for run in runs for line in _disk(moment, run)],
        parameters=_parameters(moment, runs),
        shared=shared,
        results=_results(moment, runs),
        notes=[(run, Notes.of(moment.store, np.array([run])).lines) for run in runs],
        cache=_cache_of_run(moment, runs[0]),
        commands=commands,
        max_error_characters=MAX_ERROR_CHARACTERS,
    )


def _end(moment: Moment, run: int) -> tuple[int, Markup]:
    """Return how a run ended, in words."""
    status = int(moment.status[run])
    if status == layout.FAILED:
        error = moment.value("error", run)
        return run, rendered("failure", error=error, longest=MAX_ERROR_CHARACTERS)
    if status != layout.DONE:
        return run, escaped(State(status).word)
    label = moment.value("stop_reason", run)
    advice = [reason.advice for reason in StopReason if reason.label == label]
    words = advice[0].partition(";")[0] if advice else "no reason is recorded"
    t_end = moment.value("t_end", run)
    quantity = moment.quantity("t_end", np.array([t_end]))
    end = f"ended after {number(float(quantity.convert(t_end)))} {quantity.unit}: {words}"
    return run, escaped(end, MAX_ERROR_CHARACTERS)


def _disk(moment: Moment, run: int) -> list[str]:
    """Return which ring a run is, and the masses of its disk; nothing where there are no rings."""
    rows = moment.rings_of_disk(run)
    if len(rows) < 2:
        return []
    place = f"run {run} is ring {rows.index(run) + 1} of {len(rows)}"
    if rows == list(range(rows[0], rows[0] + len(rows))):
        place += f", runs {rows[0]} to {rows[-1]}"
    if (moment.status[rows] != layout.DONE).any():
        return [f"{place}; not all of them are done"]
    totals = []
    for name in RESULTS:
        if name in moment.columns and moment.has_sums(name):
            total = float(moment.columns[name][rows].sum())
            totals.append(f"{name} {number(total)} {moment.store.unit(name)}")
    return [f"{place}; of the whole disk: {', '.join(totals)}"]


def _results(moment: Moment, runs: Sequence[int]) -> list[list[Markup]]:
    names = [name for name in (*RESULTS, *EXECUTION) if name in moment.columns]
    columns = {name: np.array([moment.value(name, run) for run in runs]) for name in names}
    rows = []
    for name, quantity in quantities_together(moment.store, columns).items():
        meaning = moment.meaning(name)
        cells = [rendered("explained", name=quantity.head, meaning=meaning)]
        for run in runs:
            value = moment.value(name, run)
            if moment.status[run] != layout.DONE:
                value = "–"
            elif isinstance(value, float):
                value = float(quantity.convert(value))
            cells.append(escaped(value))
        rows.append(cells)
    return rows


def _parameters(moment: Moment, runs: Sequence[int]) -> list[list[Markup]]:
    """Return the rows of the swept parameters; those that differ come first."""
    names = list(dict.fromkeys([*moment.store.parameters, "run_id"]))
    rows = []
    for name in sorted(names, key=lambda name: len({moment.value(name, run) for run in runs}) < 2):
        unit = moment.store.unit(name)
        head = name if unit == "1" else f"{name} [{unit}]"
        cells = [rendered("explained", name=head, meaning=moment.meaning(name))]
        rows.append([*cells, *(escaped(moment.value(name, run)) for run in runs)])
    return rows


def _configuration(
    moment: Moment, runs: Sequence[int]
) -> tuple[list[list[Markup]], list[tuple[int, str, str, str]]]:
    """Return the rows of the rest of the configuration, and how each run is repeated.

    The latter is a number of a run, a remark, a command, and the same in Python. Where the record
    cannot be read, there are no rows, and the only remark says why.
    """
    names = moment.store.parameters
    swept = {str(moment.store.attributes(name).get("config_key")) for name in names}
    try:
        config = _flat(moment.recorded.config(runs[0]).model_dump())
        repetitions = [moment.recorded.repetition(run) for run in runs]
    except MarsDiskError as error:
        return [], [(runs[0], str(error), "", "")]
    rows = [[escaped(key), escaped(value)] for key, value in config if key not in swept]
    commands = [
        (run, repetition.words, text(repetition.command), _python(moment, run))
        for run, repetition in zip(runs, repetitions, strict=True)
    ]
    return rows, commands


def _python(moment: Moment, run: int) -> str:
    """Return what repeats a run in Python."""
    store = f"sweep.Store.open({str(moment.store)!r})"
    return f"import marsdisk, sweep; result = marsdisk.run_zero_d({store}.config({run}))"


def _flat(section: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Return the full keys and values of a nested section."""
    pairs: list[tuple[str, Any]] = []
    for key, value in section.items():
        if isinstance(value, dict):
            pairs += _flat(value, f"{prefix}{key}.")
        else:
            pairs.append((f"{prefix}{key}", value))
    return pairs


def _cache_of_run(moment: Moment, run: int) -> list[list[str]] | None:
    """Return the lookups of each slot; None where the run is not done."""
    if moment.status[run] != layout.DONE:
        return None
    store = moment.store
    reasons_of_drops = _labels(moment, "reason")
    columns = {
        name: store.rows(f"cache_{name}", run)
        for name in ("hits", "misses", "rebuilds", "build_time", "invalidations")
    }
    rows = []
    for i, slot in enumerate(_labels(moment, "cache")):
        counts = columns["invalidations"][i].tolist()
        causes = [
            f"{reason} {count}"
            for reason, count in zip(reasons_of_drops, counts, strict=True)
            if count
        ]
        seconds = columns["build_time"][i]
        milliseconds = number(1e3 * float(seconds), 3) if np.isfinite(seconds) else "–"
        lookups = [str(columns[name][i]) for name in ("hits", "misses", "rebuilds")]
        rows.append([slot, *lookups, milliseconds, ", ".join(causes) or "–"])
    return rows


def _labels(moment: Moment, dimension: str) -> list[str]:
    """Return the names along a dimension, such as those of the cache's slots."""
    return [str(name) for name in moment.store.column(dimension).tolist()]


def trust(moment: Moment) -> Markup:
    """Return what the numbers of a study rest on: errors, ledger, failures, cache, provenance."""
    store = moment.store
    accuracy = Accuracy.of(store)
    return rendered(
        "trust",
        accuracy=accuracy.rows if accuracy is not None and accuracy.compared.size else [],
        limits={} if accuracy is None else accuracy.limits,
        compared=0 if accuracy is None else int(accuracy.compared.size),
        beyond=0 if accuracy is None else accuracy.runs_beyond,
        ledger=_ledger(moment),
        failures=[
            (counted(reason.runs.size, "run"), reason.error, _some_rows(reason.runs))
            for reason in reasons(store)
        ],
        notes=Notes.of(store).lines,
        max_error_characters=MAX_ERROR_CHARACTERS,
        check=str(Command.sweep("doctor", store)),
        cache=_cache(moment),
        provenance=_provenance(moment),
    )


def _ledger(moment: Moment) -> str:
    """Return the largest error of mass conservation, in words."""
    is_done = moment.status == layout.DONE
    if "ledger_error" not in moment.columns:
        return ""
    is_known = is_done & np.isfinite(moment.columns["ledger_error"])
    if not is_known.any():
        return ""
    errors = np.where(is_known, moment.columns["ledger_error"], -np.inf)
    worst = int(np.argmax(errors))
    return f"{number(float(errors[worst]), 2)} (run {worst})"


def _some_rows(runs: NDArray[np.int64]) -> str:
    first = ", ".join(map(str, runs[:12].tolist()))
    return first if runs.size <= 12 else f"{first}, …"


def _cache(moment: Moment) -> Markup:
    """Return the sums of lookups over finished runs."""
    runs = np.flatnonzero(moment.status == layout.DONE)
    slots = _labels(moment, "cache")
    causes = _labels(moment, "reason")
    workers, worker = coded(moment.columns["worker"])
    code = worker[runs]
    counts = {}
    for name in COUNTS:
        sums = _sums(moment.store.column(f"cache_{name}")[runs], code, len(workers))
        counts[name] = sums.astype(np.int64)
    build_time = np.nan_to_num(moment.store.column("cache_build_time")[runs])
    seconds = _sums(build_time, code, len(workers))
    dropped = moment.store.column("cache_invalidations")[runs].sum(axis=0)
    total = {name: count.sum(axis=0) for name, count in counts.items()}
    lookups = _lookups(total)
    saved = _saved(total, seconds.sum(axis=0))
    rows = []
    for i, slot in enumerate(slots):
        numbers = [str(int(total[name][i])) for name in COUNTS]
        rate = _rate(total["hits"][i], lookups[i])
        rows.append([slot, rate, *numbers, duration(float(saved[i]))])
    numbers = [str(int(total[name].sum())) for name in COUNTS]
    rate = _rate(total["hits"].sum(), lookups.sum())
    rows.append([Markup("<b>all</b>"), rate, *numbers, duration(float(saved.sum()))])
    used = [j for j in range(len(causes)) if dropped[:, j].any()]
    by_cause = [
        [slot, *(str(int(by_slot[j])) for j in used)]
        for slot, by_slot in zip(slots, dropped, strict=True)
        if by_slot.any()
    ]
    return rendered(
        "cache",
        runs=counted(int(runs.size), "finished run"),
        counts=list(COUNTS),
        slots=rows,
        reasons=[causes[j] for j in used],
        rebuilds=by_cause,
        workers=_workers(workers, np.bincount(code, minlength=len(workers)), counts, seconds),
    )


def _sums(values: NDArray[Any], code: NDArray[np.int64], size: int) -> NDArray[np.float64]:
    """Return the sums of ``values`` (runs, slots) over the runs of each code (codes, slots)."""
    return np.stack([np.bincount(code, column, size) for column in values.T], axis=1)


def _workers(
    names: list[str],
    runs: NDArray[np.int64],
    counts: dict[str, NDArray[Any]],
    seconds: NDArray[Any],
) -> list[list[str]]:
    """Return the rows of the table of workers."""
    rows = []
    present = np.flatnonzero(runs).tolist()
    for i in present[:MAX_WORKERS_LISTED]:
        total = {name: count[i] for name, count in counts.items()}
        lookups = int(_lookups(total).sum())
        saved = float(_saved(total, seconds[i]).sum())
        rate = _rate(total["hits"].sum(), lookups)
        rows.append([escaped(names[i]), str(runs[i]), rate, str(lookups), duration(saved)])
    hidden = len(present) - MAX_WORKERS_LISTED
    if hidden > 0:
        rows.append([f"and {hidden} more", "", "", "", ""])
    return rows


def _lookups(total: dict[str, NDArray[Any]]) -> NDArray[Any]:
    lookups: NDArray[np.int64] = total["hits"] + total["misses"] + total["rebuilds"]
    return lookups


def _saved(total: dict[str, NDArray[Any]], seconds: NDArray[Any]) -> NDArray[Any]:
    """Return the seconds that building each hit again would have taken."""
    built = np.maximum(total["misses"] + total["rebuilds"], 1)
    saved: NDArray[np.float64] = total["hits"] * seconds / built
    return saved


def _rate(hits: Any, lookups: Any) -> str:
    if not lookups:
        return "–"
    return f"{number(100.0 * float(hits) / float(lookups), 3)} %"


def _provenance(moment: Moment) -> Markup:
    """Return versions, host, tables, and the sweep file."""
    description = moment.store.description
    digests = description.provenance.tables.items()
    command_line = description.sweep.command_line
    return rendered(
        "provenance",
        facts=[[escaped(key), escaped(value, 400)] for key, value in _facts(moment)],
        digests=[[escaped(name, 80), escaped(digest, 80)] for name, digest in digests],
        sweep_file=_lines(description.sweep.content),
        command_line=_lines(command_line) if command_line else "",
        base=_lines(description.base_config),
    )


def _facts(moment: Moment) -> list[tuple[str, str]]:
    store = moment.store
    record = store.description.provenance
    commit = record.git_commit or "none: not installed from a checkout"
    if record.git_commit and record.git_dirty:
        commit = f"{commit} (with uncommitted changes)"
    packages = [f"{name} {version}" for name, version in record.packages.items()]
    facts = {
        "store": str(store),
        "model version": record.model_version,
        "git commit": commit,
        "created": record.created,
        "host": record.host,
        "platform": record.platform,
        "python": record.python,
        "packages": ", ".join(packages),
        "plan": store.description.plan_digest,
        "runs in a block": str(store.block_size),
    }
    return [(key, value) for key, value in facts.items() if value]


def _lines(content: Any) -> str:
    """Return a section of the record as YAML, cut to what a person would read."""
    lines = yaml_text(content, default_flow_style=None, width=100).splitlines()
    printable = "\n".join(text(cut(line, MAX_LINE_CHARACTERS)) for line in lines)
    return cut(printable, MAX_FILE_CHARACTERS)
