"""A run's card: everything needed to trust one run and to repeat it, as Markdown."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import zarr

from marsdisk.config import RunConfig
from marsdisk.physics.constants import YEAR
from marsdisk.result import StopReason
from marsdisk.yamlfile import yaml_text

from .accuracy import ERRORS, Accuracy
from .notes import Notes
from .plan import value_at
from .rerun import RecordedRuns
from .store import layout, reader
from .store.recorded_tables import change_of_table
from .tables import text
from .views import parameters, without_uncommitted

RESULTS = (
    *(
        "M_loss",
        "M_loss_blowout",
        "M_loss_thick",
        "M_loss_sublimation",
        "M_loss_other",
        "M_supplied",
        "M_available",
        "Sigma_0",
        "Sigma_final",
    ),
    *("t_end", "t99", "tau_max", "gated_time", "E_collisions", "E_dissipated"),
)
NUMERICS = (
    "steps",
    "steps_rejected",
    "steps_beyond_qpr",
    "bins_repaired",
    "wall_time",
    "solver_time",
    "attempt",
    "worker",
)


def card(group: zarr.Group, run: int, place: str) -> str:
    """The card of a run of the store at ``place``."""
    recorded = RecordedRuns.of(group)
    config = recorded.config(run)
    status = int(_value(group, "status", run))
    sections = [
        _head(group, run, status),
        [
            "## Parameters",
            "",
            "What differs between the runs of the sweep:",
            "",
            *_table(("key", "value", "unit", "meaning"), _differing(group, run)),
        ],
        *(
            [
                [
                    "## Results",
                    "",
                    *_table(("quantity", "value", "unit", "meaning"), _results(group, run)),
                ]
            ]
            if status == layout.DONE
            else []
        ),
        *([["## Notes", "", *_notes(group, run)]] if status == layout.DONE else []),
        *([["## Accuracy", "", *_accuracy(group, run)]] if status == layout.DONE else []),
        *(
            [
                [
                    "## Caches",
                    "",
                    *_table(
                        (
                            "slot",
                            "hits",
                            "misses",
                            "rebuilds",
                            "refused",
                            "bytes",
                            "dropped because of",
                        ),
                        _caches(group, run),
                    ),
                ]
            ]
            if status == layout.DONE
            else []
        ),
        ["## Where it comes from", "", *_table(("what", "value"), _provenance(group, config))],
        ["## Again", "", *_rerun_lines(group, recorded, run, place)],
        [
            "## Configuration",
            "",
            (
                "In a file of its own it makes the same run; keys that are not in it have the"
                " model's defaults."
            ),
            "",
            *_configuration(config),
        ],
    ]
    return "\n".join(line for section in sections for line in [*section, ""])


def escaped(value: Any) -> str:
    """Text that shows as it is in a Markdown table: no HTML, no markup, one line."""
    return re.sub(r"[\\`*\[\]<>|$~&]|\b_|_\b", lambda found: f"&#{ord(found[0])};", text(value))


def _exact(value: Any) -> str:
    """All digits of a number, so that the card is a record."""
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return "-"
    return repr(value) if isinstance(value, float | int) else escaped(value)


def _configuration(config: RunConfig) -> Iterator[str]:
    content = config.model_dump(mode="json", exclude_unset=True)
    return _fenced(yaml_text(content), "yaml")


def _table(heads: Sequence[str], rows: Iterator[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    for cells in rows:
        yield f"| {' | '.join(cells)} |"


def _fenced(content: str, language: str) -> Iterator[str]:
    """Indented content cannot end the block that it stands in, whatever is in it."""
    fence = "```"
    while fence in content:
        fence += "`"
    yield f"{fence}{language}"
    yield from content.rstrip("\n").split("\n")
    yield fence


def _value(group: zarr.Group, name: str, run: int) -> Any:
    part = without_uncommitted(
        name, reader.part(group, name, run)[None], reader.part(group, "status", run)[None]
    )[0]
    return part.tolist() if isinstance(part, np.ndarray | np.generic) else part


def _about(group: zarr.Group, name: str) -> tuple[str, str]:
    attributes = group[name].attrs
    unit = str(attributes.get("units", "1"))
    return "" if unit == "1" else escaped(unit), escaped(attributes.get("long_name", ""))


def _head(group: zarr.Group, run: int, status: int) -> Iterator[str]:
    yield f"# Run {run} of the sweep {escaped(group.attrs['title'])}"
    yield ""
    yield (
        f"- run_id: `{_value(group, 'run_id', run)}` (names configuration, tables and model"
        " version: same id, same numbers)"
    )
    yield f"- state: **{layout.STATUS.get(status, 'unknown')}**"
    if status == layout.DONE:
        code = _value(group, "stop_reason", run)
        why = next(
            (
                f"{escaped(reason.advice)} ({escaped(reason.label)})"
                for reason in StopReason
                if reason == code
            ),
            "no reason is recorded",
        )
        yield f"- ended after {_value(group, 't_end', run) / YEAR:.6g} yr: {why}"
        error = _value(group, "ledger_error", run)
        yield (
            f"- ledger: start + supply = dust + losses to {error:.2g} of start and supply"
            " (round-off is some 1e-15)"
        )
    elif status == layout.FAILED:
        yield f"- error: {escaped(_value(group, 'error', run))}"
    else:
        yield "- no result yet: its block is not committed"


def _differing(group: zarr.Group, run: int) -> Iterator[Sequence[str]]:
    names = parameters(group)
    every = {name: reader.column(group, name).tolist() for name in names}
    for name in sorted(names, key=lambda name: len({repr(value) for value in every[name]}) == 1):
        unit, meaning = _about(group, name)
        yield (
            escaped(group[name].attrs.get("config_key", name)),
            _exact(every[name][run]),
            unit,
            meaning,
        )


def _results(group: zarr.Group, run: int) -> Iterator[Sequence[str]]:
    for name in (*RESULTS, *NUMERICS):
        if name in group:
            value = _value(group, name, run)
            years = f" ({value / YEAR:.4g} yr)" if name in {"t_end", "t99", "gated_time"} else ""
            yield escaped(name), _exact(value) + years, *_about(group, name)


def _notes(group: zarr.Group, run: int) -> Iterator[str]:
    lines = Notes.of(group, np.array([run])).lines
    if not lines:
        yield (
            "Nothing makes this run doubtful that the program looks for (docs/model.md lists what"
            " it does)."
        )
    for line in lines:
        yield f"- {escaped(line)}"


def _accuracy(group: zarr.Group, run: int) -> Iterator[str]:
    found = Accuracy.of(group)
    if found is not None and run in found.lost:
        yield "The runs to compare with failed; see why with the command below."
        return
    if found is None or run not in found.compared:
        yield "This run was not checked against tighter steps and other bins; the command is below."
        return
    for name in (*ERRORS, layout.ORDER_BINS):
        if name in group:
            yield f"- {name}: {_about(group, name)[1]}"
    yield ""
    yield from _table(("quantity", *ERRORS, "order", "limits", "verdict"), _errors(found, run))


def _errors(found: Accuracy, run: int) -> Iterator[Sequence[str]]:
    limits = [found.limits[kind] for kind in ERRORS]
    limits_shown = ", ".join(f"{limit:g}" for limit in limits)
    for i, quantity in enumerate(found.quantities):
        errors = [float(found.errors[kind][run, i]) for kind in ERRORS]
        errors_shown = [f"{error:.2g}" for error in errors]
        order = float(found.orders[run, i])
        order_shown = "-" if np.isnan(order) else f"{order:.2g}"
        is_within = all(error <= limit for error, limit in zip(errors, limits, strict=True))
        verdict = "within" if is_within else "**beyond**"
        yield escaped(quantity), *errors_shown, order_shown, limits_shown, verdict


def _caches(group: zarr.Group, run: int) -> Iterator[Sequence[str]]:
    held = {
        name: _value(group, f"cache_{name}", run)
        for name in ("hits", "misses", "rebuilds", "refused", "bytes", "invalidations")
    }
    reasons = reader.column(group, "reason").tolist()
    for i, slot in enumerate(reader.column(group, "cache").tolist()):
        why = ", ".join(
            f"{reason} {count}"
            for reason, count in zip(reasons, held["invalidations"][i], strict=True)
            if count
        )
        yield (
            escaped(slot),
            *(str(held[name][i]) for name in ("hits", "misses", "rebuilds", "refused", "bytes")),
            escaped(why or "-"),
        )


def _provenance(group: zarr.Group, config: RunConfig) -> Iterator[Sequence[str]]:
    record: Any = group.attrs["provenance"]
    made = defaultdict(lambda: "not recorded", record)
    packages = record.get("packages") if isinstance(record.get("packages"), dict) else {}
    yield "model version", escaped(made["model_version"])
    commit = record.get("git_commit")
    yield (
        "git commit",
        escaped(commit or "none: installed from a package")
        + (" with changes that were not committed" if record.get("git_dirty") else ""),
    )
    host = f" on {escaped(record['host'])}" if "host" in record else ""
    yield "made", f"{escaped(made['created'])}{host}, {escaped(made['platform'])}"
    yield (
        "Python and packages",
        escaped(
            ", ".join(
                [
                    f"Python {made['python']}",
                    *(f"{name} {version}" for name, version in packages.items()),
                ]
            )
        ),
    )
    yield from _tables(made["tables"], config)
    yield "plan", f"`{group.attrs['plan_digest']}`"


def _tables(recorded: Mapping[str, str], config: RunConfig) -> Iterator[Sequence[str]]:
    """The tables of the run as they were, and whether they still are."""
    for name, digest in recorded.items():
        key, _, path = name.partition(" = ")
        if str(value_at(config, key)) == path:
            change = change_of_table(name, digest)
            changed = f"; **{escaped(change)}**" if change else ""
            yield f"table {escaped(name)}", f"SHA-256 {digest}{changed}"


def _rerun_lines(group: zarr.Group, recorded: RecordedRuns, run: int, place: str) -> Iterator[str]:
    repetition = recorded.repetition(run)
    if repetition.command:
        yield "The run alone, and the run against tighter steps and other bins:"
        yield ""
        lines = [repetition.command, recorded.command(run, "check")]
        yield from _fenced("\n".join(lines), "sh")
        yield ""
    if repetition.words:
        yield f"Note: {escaped(repetition.words)}."
        yield ""
    if repetition.changes:
        yield "The configuration below is the run's own, whatever has become of its files."
        yield ""
    yield "In Python:"
    yield ""
    name = _value(group, "run_id", run)
    yield from _fenced(
        f"import sweep\n\nruns = sweep.open_store({place!r})\nrun = runs.isel(run={run})  # its"
        f" arrays, with units in .attrs\nconfig = runs.sweep.config({name!r})",
        "python",
    )
