"""What the page begins with: what a study is, how far it has come, and how far to trust it."""

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marsdisk.common.errors import MarsDiskError

from ..common import palette
from ..common.json_values import for_json
from ..common.states import LOOKS
from ..common.text import counted, text
from ..results.case_table import CaseTable
from ..results.columns import RESULTS_IN_TABLES
from ..results.judge import Judgement, judge
from ..results.judged_columns import Results
from ..results.matters import strongest_parameters
from ..results.notes import Notes
from ..results.quantity import is_logarithmic
from ..results.reasons import reasons
from ..running.driver_notes import RUNNING, Beat
from ..running.heartbeat import heartbeat
from ..running.progress import duration
from ..spec.axes import ONE_AT_A_TIME
from ..spec.expectations import expectations_of
from ..store import layout
from ..store.store import Counts, Store
from .html import cut, rendered, shown
from .numbers_in_words import number
from .packed import packed
from .study import Moment

#: Values of a parameter of which each has its label; others are numbers along an axis.
MAX_VALUES = 1000
#: Values of a parameter that gets a panel for each.
MAX_PANELS = 4
#: Series of the curves, with their words.
SERIES = {
    "M_out_dot": "blown out",
    "M_loss_cum": "mass lost",
    "tau_los": "optical depth",
    "s_blow": "blow-out size",
    "T_M": "temperature of Mars",
    "Sigma": "surface density",
}
#: Those of them that are drawn.
CURVES = ("M_out_dot", "M_loss_cum", "tau_los")
TARGET = "M_loss"
#: Words of a sweep file for values that are spaced or drawn by their logarithm.
LOGARITHMIC = frozenset({"geomspace", "logspace", "loguniform", "lognormal"})
MAX_TITLE_CHARACTERS = 90
MAX_WORDS_CHARACTERS = 80
MAX_QUESTION_CHARACTERS = 300
MAX_KEY_CHARACTERS = 80
MAX_RUNS_NAMED = 5


def study(moment: Moment) -> dict[str, Any]:
    """Return what a store holds and how the page begins."""
    store = moment.store
    target = TARGET if TARGET in moment.results else moment.results[0]
    return {
        "title": cut(text(store.description.title), MAX_TITLE_CHARACTERS),
        "question": cut(text(store.description.question), MAX_QUESTION_CHARACTERS),
        "store": str(store),
        "kind": moment.kind,
        "rings": store.ring_axis,
        "parameters": [_parameter(moment, name) for name in moment.parameters],
        "results": [_result(moment, name) for name in moment.results],
        "series": [_series(moment, name) for name in SERIES if name in store],
        "columns": _columns(moment),
        "all_columns": [name for name in moment.columns if name != "run"],
        "states": [
            {"code": state, "word": look.word, "face": look.face, "mark": look.mark_on_page}
            for state, look in LOOKS.items()
        ],
        "colours": palette.RUN_COLOURS,
        "target": target,
        "time_unit": moment.time.unit,
        "begin": _beginning(moment, target),
    }


def _parameter(moment: Moment, name: str) -> dict[str, Any]:
    store = moment.store
    values = moment.labels[name]
    quantity = moment.quantity(name)
    is_number = not any(isinstance(value, str) for value in values if value != "null")
    has_labels = len(values) <= MAX_VALUES
    numbers = [quantity.label_of(value) for value in values if value != "null"]
    return {
        "name": name,
        "head": text(quantity.head),
        "key": text(str(store.attributes(name).get("config_key", ""))),
        "meaning": text(moment.meaning(name)),
        "is_axis": name in moment.axes,
        "is_number": is_number,
        "is_log": is_number
        and (_is_log_in_file(moment, name) or is_logarithmic(_as_numbers(numbers))),
        "values": values if has_labels else None,
        "labels": _labels([quantity.label_of(value) for value in values]) if has_labels else None,
        "numbers": for_json([_number(quantity.label_of(value)) for value in values])
        if has_labels
        else None,
    }


def _labels(values: list[Any]) -> list[str]:
    """Return values in words: numbers with as many digits as tell them apart, four at least."""
    words = list[str]()
    for digits in (4, 6, 12, 17):
        words = [
            number(value, digits) if isinstance(value, float) else shown(value, 40)
            for value in values
        ]
        if len(set(words)) == len(words):
            break
    return words


def _is_log_in_file(moment: Moment, name: str) -> bool:
    """Whether the sweep file spaces or draws a parameter by its logarithm."""
    key = str(moment.store.attributes(name).get("config_key", ""))
    content = moment.store.description.sweep.content
    for section in (content, *(content.get(part) for part in ("sample", "design", "refine"))):
        axes = section.get("axes") if isinstance(section, dict) else None
        entry = axes.get(key) if isinstance(axes, dict) else None
        if isinstance(entry, dict) and not LOGARITHMIC.isdisjoint(entry):
            return True
    return False


def _as_numbers(numbers: list[Any]) -> NDArray[np.float64]:
    """Return numbers as an array; an empty one where they are texts."""
    if any(isinstance(number, str) for number in numbers):
        return np.empty(0)
    return np.array(numbers, dtype=np.float64)


def _number(value: Any) -> float | None:
    return None if isinstance(value, str) else float(value)


def _result(moment: Moment, name: str) -> dict[str, Any]:
    return {
        "name": name,
        "unit": moment.store.unit(name),
        "meaning": text(moment.meaning(name)),
        "sums": moment.has_sums(name),
    }


def _series(moment: Moment, name: str) -> dict[str, Any]:
    return {
        "name": name,
        "words": SERIES[name],
        "meaning": text(moment.meaning(name)),
        "sums": moment.has_sums(name),
    }


def _columns(moment: Moment) -> list[str]:
    """Return the columns of the table of runs."""
    # what has to be seen without scrolling comes first
    names = ["status", TARGET, *moment.parameters, *RESULTS_IN_TABLES]
    if layout.NOTES in moment.columns:
        names.append(layout.NOTES)
    if moment.count(layout.FAILED):
        names.append("error")
    return [name for name in dict.fromkeys(names) if name in moment.columns]


def _beginning(moment: Moment, target: str) -> dict[str, str]:
    """Return the axes that the map begins with: what changes the result most."""
    if moment.kind == "changes":
        return {"x": target, "y": ONE_AT_A_TIME}
    strongest = strongest_parameters(moment.selection(""), target)
    names = [name for name in strongest if name in moment.parameters]
    names += [name for name in moment.parameters if name not in names]
    if not names:
        return {"x": "run"}
    begin = dict(zip(("x", "y"), names, strict=False))
    third = [name for name in strongest if name in names[2:3]]
    if moment.kind == "product" and third and len(moment.labels[third[0]]) <= MAX_PANELS:
        begin["over"] = third[0]
    return begin


def first_runs(moment: Moment, name: str) -> NDArray[np.int64]:
    """Return the run of each case, or the first ring of each disk."""
    return CaseTable.of(moment.selection(""), name).run


def head(moment: Moment) -> dict[str, Any]:
    """Return how far a sweep has come, and what there is to know about its results."""
    store = moment.store
    beat = heartbeat(store.location)
    counts = store.counts()
    is_running = counts.is_open and beat.state == RUNNING
    # a page asks every second, and most of the times nothing has been committed
    badges, groups = moment.kept("badges", _badges)
    return {
        "version": moment.version,
        "is_running": is_running,
        "is_open": counts.is_open,
        "done": counts.done,
        "failed": counts.failed,
        "runs": counts.runs,
        "html": rendered(
            "head",
            title=cut(text(store.description.title), MAX_TITLE_CHARACTERS),
            question=cut(text(store.description.question), MAX_QUESTION_CHARACTERS),
            counts=counts,
            state=_state(counts, beat),
            cache=moment.cache_share,
            badges=badges,
            origin=_origin(store),
        ),
        **groups,
    }


def _badges(moment: Moment) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the badges, and the runs that each of their lines is about."""
    badges = [*_expectation_badges(moment), *_failure_badges(moment), *_note_badges(moment)]
    lines = [line for badge in badges for line in badge["lines"]]
    groups = {
        "keys": [line["key"] for line in lines],
        "groups": [packed(line["runs"]) for line in lines],
        "first_runs": [packed(moment.first_rings(line["runs"])) for line in lines],
        "words": [cut(line["words"], MAX_WORDS_CHARACTERS) for line in lines],
    }
    return badges, groups


def _state(counts: Counts, beat: Beat) -> str:
    """Return what happens to a sweep, with its rate and the time left."""
    if not counts.is_open:
        return "finished"
    if beat.state != RUNNING:
        ended = beat.state or "nobody drives it"
        return f"not finished: {ended}; sweep resume goes on"
    rate = f"{beat.rate:.3g} runs/s" if beat.rate else "starting"
    left = "" if beat.left is None else f", {duration(beat.left)} left"
    return f"running, {rate}{left}"


def _expectation_badges(moment: Moment) -> list[dict[str, Any]]:
    """Return a badge with the outcome of each expectation; nothing where there are none."""
    store = moment.store
    try:
        expectations = expectations_of(store.description.sweep.content, str(store))
        judgements = judge(expectations, Results.of(store), str(store)) if expectations else []
    except MarsDiskError as error:
        words = [{"words": text(str(error)), "runs": np.arange(0), "key": "expectations"}]
        return [{"words": "expectations cannot be judged", "kind": "doubt", "lines": words}]
    if not judgements:
        return []
    failing = sum(bool(judgement.failing) for judgement in judgements)
    passed = sum(judgement.verdict == "pass" for judgement in judgements)
    kind = "bad" if failing else "good" if passed == len(judgements) else "doubt"
    lines = [_expectation_line(judgement) for judgement in judgements]
    noun = "expectation" if len(judgements) == 1 else "expectations"
    return [{"words": f"{passed} of {len(judgements)} {noun} hold", "kind": kind, "lines": lines}]


def _expectation_line(judgement: Judgement) -> dict[str, Any]:
    words = f"{text(judgement.name)}: {judgement.verdict}"
    runs = np.arange(0)
    if judgement.failing and judgement.worst is not None:
        words += (
            f" in {judgement.failing} of {judgement.judged} {judgement.counted}; expected"
            f" {text(judgement.expectation.words)}; worst: run {judgement.worst.run}"
        )
        runs = np.array([judgement.worst.run])
    return {"words": words, "runs": runs, "key": f"expect {text(judgement.name)}"}


def _failure_badges(moment: Moment) -> list[dict[str, Any]]:
    """Return a badge with failed runs by reason; nothing where none has failed."""
    groups = reasons(moment.store)
    if not groups:
        return []
    lines = [
        {
            "words": f"{_named(reason.runs)}: {cut(text(reason.error), 300)}",
            "runs": reason.runs,
            "key": f"failed {cut(text(reason.error), MAX_KEY_CHARACTERS)}",
        }
        for reason in groups
    ]
    return [{"words": f"{moment.count(layout.FAILED)} failed", "kind": "bad", "lines": lines}]


def _named(runs: NDArray[np.int64]) -> str:
    """Return the number of runs, with the first of them."""
    first = ", ".join(map(str, runs[:MAX_RUNS_NAMED].tolist()))
    more = ", …" if runs.size > MAX_RUNS_NAMED else ""
    return f"{counted(runs.size, 'run')} ({first}{more})"


def _note_badges(moment: Moment) -> list[dict[str, Any]]:
    """Return a badge with the notes of runs; nothing where there are none."""
    notes = Notes.of(moment.store)
    lines = [
        {"words": line, "runs": runs, "key": f"note {_without_counts(line)}"}
        for line, runs in zip(notes.lines, [*notes.runs_of_lines, np.arange(0)], strict=False)
    ]
    if not lines:
        return []
    words = f"{counted(notes.noted.size, 'run')} with notes"
    return [{"words": words, "kind": "doubt", "lines": lines}]


def _without_counts(line: str) -> str:
    """Return what a line is about, the same however many runs it is about by now."""
    return cut(re.sub(r"[0-9]+", "", text(line)), MAX_KEY_CHARACTERS)


def _origin(store: Store) -> list[str]:
    """Return where the results come from."""
    record = store.description.provenance
    location = str(store)
    parts = [f"model {text(record.model_version)}"]
    if record.git_commit:
        parts.append(f"commit {text(record.git_commit[:10])}")
    if record.created:
        parts.append(text(record.created))
    return [*parts, text(Path(location).name if len(location) > 60 else location)]
