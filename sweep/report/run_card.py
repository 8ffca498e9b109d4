"""A run's card: everything needed to trust one run and to repeat it, as Markdown."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from marsdisk.config import RunConfig, value_at
from marsdisk.config.yaml_file import yaml_text
from marsdisk.result import StopReason

from ..common.text import text
from ..results.accuracy import ERRORS, Accuracy
from ..results.columns import EXECUTION, RESULTS, without_uncommitted
from ..results.notes import Notes
from ..results.quantity import Quantity
from ..results.rerun import RecordedRuns
from ..store import layout
from ..store.recorded_tables import change_of_table
from ..store.store import Store

NOT_RECORDED = "not recorded"
CACHE_COUNTS = ("hits", "misses", "rebuilds", "refused", "bytes")


def card(store: Store, run: int) -> str:
    """Return the card of a run as Markdown.

    Parameters
    ----------
    store : Store
        The store.
    run : int
        Row of the run.

    Returns
    -------
    str
        Sections with headings, each followed by an empty line.
    """
    recorded = RecordedRuns.of(store)
    config = recorded.config(run)
    status = int(_value(store, "status", run))
    lines = [*_head(store, run, status), ""]
    lines += ["## Parameters", "", "Parameters that vary in the sweep:", ""]
    lines += [*_table(("key", "value", "unit", "meaning"), _varying(store, run)), ""]
    if status == layout.DONE:
        lines += ["## Results", ""]
        lines += [*_table(("quantity", "value", "unit", "meaning"), _results(store, run)), ""]
        lines += ["## Notes", "", *_notes(store, run), ""]
        lines += ["## Accuracy", "", *_accuracy(store, run), ""]
        heads = ("slot", *CACHE_COUNTS, "dropped because of")
        lines += ["## Caches", "", *_table(heads, _caches(store, run)), ""]
    lines += ["## Provenance", "", *_table(("item", "value"), _provenance(store, config)), ""]
    lines += ["## Reproduce this run", "", *_rerun_lines(store, recorded, run), ""]
    lines += ["## Configuration", ""]
    lines += ["Saved to a file, it gives the same run; keys not listed have the model's defaults."]
    lines += ["", *_configuration(config), ""]
    return "\n".join(lines)


def escaped(value: Any) -> str:
    """Return text that a Markdown table shows as it is: no HTML, no markup, one line."""
    return re.sub(r"[\\`*\[\]<>|$~&]|\b_|_\b", lambda match: f"&#{ord(match[0])};", text(value))


def _all_digits(value: Any) -> str:
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return "-"
    if isinstance(value, float | int):
        return repr(value)
    return escaped(value)


def _configuration(config: RunConfig) -> Iterator[str]:
    content = config.model_dump(mode="json", exclude_unset=True)
    return _fenced(yaml_text(content), "yaml")


def _table(heads: Sequence[str], rows: Iterator[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    for cells in rows:
        yield f"| {' | '.join(cells)} |"


def _fenced(content: str, language: str) -> Iterator[str]:
    """Yield a block of code whose fence is longer than any in its content, so none ends it."""
    fence = "```"
    while fence in content:
        fence += "`"
    yield f"{fence}{language}"
    yield from content.rstrip("\n").split("\n")
    yield fence


def _value(store: Store, name: str, run: int) -> Any:
    values = store.rows(name, run)[None]
    status = store.rows("status", run)[None]
    value = without_uncommitted(name, values, status)[0]
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def _unit_and_meaning(store: Store, name: str) -> tuple[str, str]:
    attributes = store.attributes(name)
    unit = str(attributes.get("units", "1"))
    if unit == "1":
        unit = ""
    return escaped(unit), escaped(attributes.get("long_name", ""))


def _head(store: Store, run: int, status: int) -> Iterator[str]:
    yield f"# Run {run} of the sweep {escaped(store.description.title)}"
    yield ""
    yield (
        f"- run_id: `{_value(store, 'run_id', run)}` (identifies configuration, tables and model"
        " version: same id, same numbers)"
    )
    yield f"- state: **{layout.STATUS.get(status, 'unknown')}**"
    if status == layout.DONE:
        t_end = _value(store, "t_end", run)
        quantity = Quantity.of(store, "t_end", t_end)
        end = f"{float(quantity.convert(t_end)):.6g} {quantity.unit}"
        yield f"- ended after {end}: {_stop_reason(_value(store, 'stop_reason', run))}"
        error = _value(store, "ledger_error", run)
        yield (
            f"- ledger: start + supply = dust + losses to {error:.2g} of start and supply"
            " (round-off is about 1e-15)"
        )
    elif status == layout.FAILED:
        yield f"- error: {escaped(_value(store, 'error', run))}"
    else:
        yield "- no result yet: its block is not committed"


def _stop_reason(number: int) -> str:
    for reason in StopReason:
        if reason == number:
            return f"{escaped(reason.advice)} ({escaped(reason.label)})"
    return "no reason is recorded"


def _varying(store: Store, run: int) -> Iterator[Sequence[str]]:
    """Yield a row for each parameter; those with the same value in all runs come last."""
    columns = {name: store.column(name).tolist() for name in store.parameters}

    def is_constant(name: str) -> bool:
        return len({repr(value) for value in columns[name]}) == 1

    for name in sorted(columns, key=is_constant):
        key = escaped(store.attributes(name).get("config_key", name))
        yield key, _all_digits(columns[name][run]), *_unit_and_meaning(store, name)


def _results(store: Store, run: int) -> Iterator[Sequence[str]]:
    for name in (*RESULTS, *EXECUTION):
        if name not in store:
            continue
        value = _value(store, name, run)
        shown = _all_digits(value)
        if isinstance(value, float):
            quantity = Quantity.of(store, name, value)
            if quantity.unit == "yr":
                shown += f" ({float(quantity.convert(value)):.4g} {quantity.unit})"
        yield escaped(name), shown, *_unit_and_meaning(store, name)


def _notes(store: Store, run: int) -> Iterator[str]:
    lines = Notes.of(store, np.array([run])).lines
    if not lines:
        yield "No caveat applies to this run (docs/model.md lists those that are checked)."
    for line in lines:
        yield f"- {escaped(line)}"


def _accuracy(store: Store, run: int) -> Iterator[str]:
    accuracy = Accuracy.of(store)
    if accuracy is not None and run in accuracy.lost:
        yield "The comparison runs failed; the command below shows why."
        return
    if accuracy is None or run not in accuracy.compared:
        yield (
            "This run was not repeated with tighter steps and other bins; the command below"
            " does that."
        )
        return
    for name in (*ERRORS, layout.ORDER_BINS):
        if name in store:
            yield f"- {name}: {_unit_and_meaning(store, name)[1]}"
    yield ""
    yield from _table(("quantity", *ERRORS, "order", "limits", "verdict"), _errors(accuracy, run))


def _errors(accuracy: Accuracy, run: int) -> Iterator[Sequence[str]]:
    limits = [accuracy.limits[kind] for kind in ERRORS]
    limits_shown = ", ".join(f"{limit:g}" for limit in limits)
    for i, quantity in enumerate(accuracy.quantities):
        errors = [float(accuracy.errors[kind][run, i]) for kind in ERRORS]
        errors_shown = [f"{error:.2g}" for error in errors]
        order = float(accuracy.orders[run, i])
        order_shown = "-" if np.isnan(order) else f"{order:.2g}"
        is_within = all(error <= limit for error, limit in zip(errors, limits, strict=True))
        verdict = "within" if is_within else "**beyond**"
        yield escaped(quantity), *errors_shown, order_shown, limits_shown, verdict


def _caches(store: Store, run: int) -> Iterator[Sequence[str]]:
    counts = {name: _value(store, f"cache_{name}", run) for name in CACHE_COUNTS}
    invalidations = _value(store, "cache_invalidations", run)
    reasons = store.column("reason").tolist()
    for i, slot in enumerate(store.column("cache").tolist()):
        causes = zip(reasons, invalidations[i], strict=True)
        dropped = ", ".join(f"{reason} {count}" for reason, count in causes if count)
        yield escaped(slot), *(str(counts[name][i]) for name in counts), escaped(dropped or "-")


def _provenance(store: Store, config: RunConfig) -> Iterator[Sequence[str]]:
    record = store.description.provenance
    yield "model version", escaped(record.model_version)
    commit = escaped(record.git_commit or "none: installed from a package")
    if record.git_dirty:
        commit += " with uncommitted changes"
    yield "git commit", commit
    host = f" on {escaped(record.host)}" if record.host else ""
    created = escaped(record.created or NOT_RECORDED)
    yield "made", f"{created}{host}, {escaped(record.platform or NOT_RECORDED)}"
    versions = [f"Python {record.python or NOT_RECORDED}"]
    versions += [f"{name} {version}" for name, version in record.packages.items()]
    yield "Python and packages", escaped(", ".join(versions))
    yield from _tables(record.tables, config)
    yield "plan", f"`{store.description.plan_digest}`"


def _tables(recorded: Mapping[str, str], config: RunConfig) -> Iterator[Sequence[str]]:
    """Yield a row for each table of the run, and how it has changed since."""
    for name, digest in recorded.items():
        key, _, path = name.partition(" = ")
        if str(value_at(config, key)) == path:
            change = change_of_table(name, digest)
            changed = f"; **{escaped(change)}**" if change else ""
            yield f"table {escaped(name)}", f"SHA-256 {digest}{changed}"


def _rerun_lines(store: Store, recorded: RecordedRuns, run: int) -> Iterator[str]:
    repetition = recorded.repetition(run)
    if repetition.command:
        yield "This run alone, then its comparison with tighter steps and other bins:"
        yield ""
        commands = [repetition.command, recorded.command(run, "check")]
        yield from _fenced("\n".join(commands), "sh")
        yield ""
    if repetition.words:
        yield f"Note: {escaped(repetition.words)}."
        yield ""
    if repetition.changes:
        yield "The configuration below is the run's own, even if its files have changed since."
        yield ""
    yield "In Python:"
    yield ""
    name = _value(store, "run_id", run)
    yield from _fenced(
        f"import sweep\n\nruns = sweep.open_store({str(store)!r})\n"
        f"run = runs.isel(run={run})  # its arrays, with units in .attrs\n"
        f"config = runs.sweep.config({name!r})",
        "python",
    )
