"""Whether the results in a store meet the expectations of its sweep file: which runs or groups were judged, which fail, and the worst of them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from marsdisk.commands import CHECK_FAILED, OK, SOME_FAILED
from marsdisk.errors import ConfigError

from .checks import Expectation, unknown_axis
from .excess import Excess
from .expressions import FUNCTIONS, Expression, ExpressionError
from .groups import Groups
from .rows import Results, Rows
from .store import layout
from .views import WORDS, coded

if TYPE_CHECKING:
    from .plan import Plan

GOOD, NO_VALUE, PENDING, FAILED = range(4)
STATES = {FAILED: "failed", PENDING: "pending", NO_VALUE: "without a value"}
#: What a run has only when it is done.
_RESULTS = frozenset(v.name for v in layout.variables(shared_grid=True, parts=layout.OPTIONAL)) - {
    "status",
    "error",
    "worker",
    "attempt",
}


@dataclass(frozen=True)
class Offender:
    """The run that is furthest beyond what is expected."""

    run: int
    run_id: str
    #: label on each axis, or of each swept parameter where runs are judged alone
    at: Mapping[str, Any]
    numbers: Mapping[str, float]  #: what was compared, by its text in the expression


@dataclass(frozen=True)
class Judgement:
    """What became of one expectation."""

    name: str
    expectation: Expectation
    judged: int  #: runs or groups
    failing: int  #: of those
    not_judged: Mapping[str, int]  #: how many others, by what their runs are
    alone: int  #: groups of one run, in which there is nothing to compare
    worst: Offender | None

    @property
    def what(self) -> str:
        """What is counted."""
        return "groups" if self.expectation.axes else "runs"

    @property
    def verdict(self) -> str:
        """``pass`` only where something was judged."""
        return "FAIL" if self.failing else "pass" if self.judged else "cannot be judged"

    @property
    def passed(self) -> bool:
        """Whether it holds everywhere, and everything could be judged."""
        return self.judged > 0 and not self.failing and not self.not_judged


def exit_code(judgements: Sequence[Judgement]) -> int:
    """Of a command that ends with them."""
    if any(of.failing for of in judgements):
        return CHECK_FAILED
    return OK if all(of.passed for of in judgements) else SOME_FAILED


def judge(expectations: Mapping[str, Expectation], results: Results, where: str) -> list[Judgement]:
    """Evaluate all expectations.

    A group in which a run failed, is pending, or has no value (NaN) of something that is named or
    compared is not judged, for nobody knows what it would have been; where ``expect`` asks
    ``isfinite``, it says itself what a run without a value means.

    Raises
    ------
    ConfigError
        With a line for each name, axis or function that ``where`` does not have.
    """
    found = []
    problems = []
    for name, expectation in expectations.items():
        try:
            found.append(_judged(name, expectation, results))
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems, where)
    return found


def refuse_bad_expectations(plan: "Plan") -> None:
    """Raise ConfigError where an expectation names what the plan's store will not have."""
    if plan.sweep.expectations:
        judge(
            plan.sweep.expectations,
            Results.expected(plan),
            f"sweep {plan.sweep.spec.name}: expect; nothing was started",
        )


@contextmanager
def _naming(where: str) -> Iterator[None]:
    try:
        yield
    except ExpressionError as error:
        raise ConfigError([f"{where}: {error}"]) from error


def _judged(name: str, expectation: Expectation, results: Results) -> Judgement:
    rows = results.cases if expectation.axes else results.runs
    for axis in expectation.axes:
        if axis not in rows.axes:
            raise ConfigError(
                [
                    f"expect.{name}: {'over' if expectation.along is None else 'along'} = {axis}:"
                    f" {unknown_axis(axis, rows.axes)}"
                ]
            )
    if expectation.along is not None and rows.axes[expectation.along].dtype.kind not in "iuf":
        raise ConfigError(
            [
                f"expect.{name}: along = {expectation.along}: its values are no numbers, so that they"
                " have no order; use over"
            ]
        )
    if expectation.where is not None:
        with _naming(f"expect.{name}.where"):
            rows = rows.only(_meets(Expression(expectation.where), rows))
    expect = Expression(expectation.expect)
    groups = Groups(*_grouping(expectation, rows))
    functions = {**FUNCTIONS, **groups.functions}
    with _naming(f"expect.{name}.expect"):
        holds, unknown = expect.judged(rows, WORDS, functions)
    worst_of = (
        groups.of_each(np.maximum, _state(expect, rows, unknown))
        if groups.sizes.size
        else np.zeros(0, np.uint8)
    )
    alone = (groups.sizes == 1) & (worst_of == GOOD) & bool(expectation.axes)
    judged = (worst_of == GOOD) & ~alone
    wrong = judged[groups.number] & ~holds
    return Judgement(
        name,
        expectation,
        int(judged.sum()),
        np.unique(groups.number[wrong]).size,
        {
            word: count
            for state, word in STATES.items()
            if (count := int((worst_of == state).sum()))
        },
        int(alone.sum()),
        _worst(expect, rows, results.parameters, groups, wrong) if wrong.any() else None,
    )


def _meets(where: Expression, rows: Rows) -> NDArray[np.bool_]:
    """Rows that ``where`` chooses; those that could turn out to be chosen, when their run is done, among them."""
    holds = where.condition(rows, WORDS)
    return holds | (rows["status"] != "done") if _RESULTS & {*where.names} else holds


def _grouping(
    expectation: Expectation, rows: Rows
) -> tuple[NDArray[np.int64], NDArray[Any] | None]:
    """A number for each row, equal for rows of one group, and the order within."""
    if not expectation.axes:
        return np.arange(rows.runs.size), None
    label = np.zeros(rows.runs.size, dtype=np.int64)
    for axis, labels in rows.axes.items():
        if axis not in expectation.axes:
            code = coded(labels)[1]
            # small again, however many axes there are
            label = np.unique(label * (code.max(initial=0) + 1) + code, return_inverse=True)[1]
    return label, None if expectation.along is None else rows.axes[expectation.along]


def _state(expect: Expression, rows: Rows, unknown: NDArray[np.bool_]) -> NDArray[np.uint8]:
    status = rows["status"]
    state = np.select([status == "failed", status != "done"], [FAILED, PENDING], GOOD).astype(
        np.uint8
    )
    if "isfinite" not in expect.calls:
        for values in (rows[name] for name in expect.names):
            if values.dtype.kind == "f":
                unknown = unknown | np.isnan(values)
        state[unknown & (state == GOOD)] = NO_VALUE
    return state


def _worst(
    expect: Expression,
    rows: Rows,
    parameters: Sequence[str],
    groups: Groups,
    wrong: NDArray[np.bool_],
) -> Offender:
    excess = Excess(expect, rows, groups)
    with np.errstate(all="ignore"):
        beyond = np.nan_to_num(excess.of(expect.tree), nan=np.inf)
    at = int(np.argmax(np.where(wrong, beyond, -np.inf)))
    run = rows.runs[at]
    labels = rows.axes or {name: rows[name] for name in parameters}
    return Offender(
        int(run),
        str(rows.columns["run_id"][run]),
        {name: values[at : at + 1].tolist()[0] for name, values in labels.items()},
        {
            text: float(np.broadcast_to(values, rows.runs.shape)[at])
            for text, values in excess.compared.items()
        },
    )
