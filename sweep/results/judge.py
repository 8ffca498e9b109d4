"""Whether results meet expectations: the runs or groups judged, those that fail, and the worst."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marsdisk.common.errors import ConfigError
from marsdisk.common.exit_codes import CHECK_FAILED, OK, SOME_FAILED

from ..common.states import State
from ..spec.expectations import Expectation, unknown_axis
from ..spec.expressions import FUNCTIONS, Expression, ExpressionError
from ..spec.groups import Groups
from ..store import layout
from .columns import WORDS, coded
from .excess import Excess
from .judged_columns import Results, Rows

#: States of a run, from the one that can be judged to the one that decides the state of a group.
GOOD, NO_VALUE, PENDING, FAILED = range(4)
STATES = {FAILED: State.FAILED.word, PENDING: State.PENDING.word, NO_VALUE: "without a value"}
_BOOKKEEPING = frozenset({"status", "error", "worker", "attempt"})
#: Columns that have values only when a run is done.
_RESULTS = (
    frozenset(
        variable.name for variable in layout.variables(shared_grid=True, parts=layout.OPTIONAL)
    )
    - _BOOKKEEPING
)


@dataclass(frozen=True)
class Offender:
    """The run that is furthest beyond what is expected."""

    run: int
    run_id: str
    #: on each axis, or values of each swept parameter where runs are judged alone
    labels: Mapping[str, Any]
    numbers: Mapping[str, float]  #: numbers compared, by their text in the expression


@dataclass(frozen=True)
class Judgement:
    """The outcome of one expectation."""

    name: str
    expectation: Expectation
    judged: int  #: runs or groups that were judged
    failing: int  #: those of them that fail
    not_judged: Mapping[str, int]  #: number of the others by the state of their runs
    single: int  #: groups of one run, in which there is nothing to compare
    worst: Offender | None

    @property
    def counted(self) -> str:
        """``runs`` or ``groups``, whichever is judged."""
        return "groups" if self.expectation.axes else "runs"

    @property
    def verdict(self) -> str:
        """``pass`` only where something was judged."""
        if self.failing:
            return "FAIL"
        return "pass" if self.judged else "cannot be judged"

    @property
    def passed(self) -> bool:
        """Whether it holds everywhere, and everything could be judged."""
        return self.judged > 0 and not self.failing and not self.not_judged


def exit_code(judgements: Sequence[Judgement]) -> int:
    """Return the exit code of a command that ends with some judgements."""
    if any(judgement.failing for judgement in judgements):
        return CHECK_FAILED
    if all(judgement.passed for judgement in judgements):
        return OK
    return SOME_FAILED


def judge(expectations: Mapping[str, Expectation], results: Results, where: str) -> list[Judgement]:
    """Evaluate all expectations.

    A group in which a run failed, is pending, or has no value (NaN) of something that is named or
    compared is not judged, since its outcome is unknown. Where ``expect`` asks ``isfinite``, it
    says itself what a run without a value means.

    Parameters
    ----------
    expectations : mapping
        Expectations by name.
    results : Results
        Of a store, or of one that will be created.
    where : str
        Name of the store in messages.

    Returns
    -------
    list of Judgement
        In the same order.

    Raises
    ------
    ConfigError
        With a line for each name, axis or function that the store does not have.
    """
    judgements = []
    problems = []
    for name, expectation in expectations.items():
        try:
            judgements.append(_judgement(name, expectation, results))
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems, where)
    return judgements


@contextmanager
def _errors_named(where: str) -> Iterator[None]:
    """Turn an error in an expression into a ConfigError that says where the expression is."""
    try:
        yield
    except ExpressionError as error:
        raise ConfigError([f"{where}: {error}"]) from error


def _refuse_bad_axes(name: str, expectation: Expectation, axes: Mapping[str, NDArray[Any]]) -> None:
    along = expectation.along
    kind = "over" if along is None else "along"
    for axis in expectation.axes:
        if axis not in axes:
            problem = f"expect.{name}: {kind} = {axis}: {unknown_axis(axis, axes)}"
            raise ConfigError([problem])
    if along is not None and axes[along].dtype.kind not in "iuf":
        problem = (
            f"expect.{name}: along = {along}: its values are no numbers, so that they have no"
            " order; use over"
        )
        raise ConfigError([problem])


def _judgement(name: str, expectation: Expectation, results: Results) -> Judgement:
    expectation = expectation.renamed(results.names)
    rows = results.cases if expectation.axes else results.runs
    _refuse_bad_axes(name, expectation, rows.axes)
    if expectation.where is not None:
        with _errors_named(f"expect.{name}.where"):
            rows = rows.only(_chosen(Expression(expectation.where).renamed(results.names), rows))
    condition = Expression(expectation.expect).renamed(results.names)
    groups = Groups(*_grouping(expectation, rows))
    functions = {**FUNCTIONS, **groups.functions}
    with _errors_named(f"expect.{name}.expect"):
        holds, unknown = condition.judged(rows, WORDS, functions)
    states = np.zeros(0, np.uint8)
    if groups.sizes.size:
        states = groups.of_each(np.maximum, _state(condition, rows, unknown))
    single = (groups.sizes == 1) & (states == GOOD) & bool(expectation.axes)
    judged = (states == GOOD) & ~single
    fails = judged[groups.number] & ~holds
    counts = {word: int((states == state).sum()) for state, word in STATES.items()}
    worst = None
    if fails.any():
        worst = _worst(condition, rows, results.parameters, groups, fails)
    return Judgement(
        name,
        expectation,
        judged=int(judged.sum()),
        failing=np.unique(groups.number[fails]).size,
        not_judged={word: count for word, count in counts.items() if count},
        single=int(single.sum()),
        worst=worst,
    )


def _chosen(where: Expression, rows: Rows) -> NDArray[np.bool_]:
    """Return the rows that ``where`` chooses, or may choose once their run is done."""
    chosen = where.condition(rows, WORDS)
    if _RESULTS & {*where.names}:
        chosen |= rows["status"] != "done"
    return chosen


def _grouping(
    expectation: Expectation, rows: Rows
) -> tuple[NDArray[np.int64], NDArray[Any] | None]:
    """Return a number for each row, equal for rows of one group, and the order within groups."""
    if not expectation.axes:
        return np.arange(rows.runs.size), None
    group = np.zeros(rows.runs.size, dtype=np.int64)
    for axis, labels in rows.axes.items():
        if axis not in expectation.axes:
            code = coded(labels)[1]
            # numbered anew for each axis, for products of many axes may overflow
            group = np.unique(group * (code.max(initial=0) + 1) + code, return_inverse=True)[1]
    if expectation.along is None:
        return group, None
    return group, rows.axes[expectation.along]


def _state(condition: Expression, rows: Rows, unknown: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return the state of the run in each row."""
    status = rows["status"]
    state = np.full(status.shape, GOOD, dtype=np.uint8)
    state[status != State.DONE.word] = PENDING
    state[status == State.FAILED.word] = FAILED
    if "isfinite" in condition.calls:
        return state
    for name in condition.names:
        values = rows[name]
        if values.dtype.kind == "f":
            unknown = unknown | np.isnan(values)
    state[unknown & (state == GOOD)] = NO_VALUE
    return state


def _worst(
    condition: Expression,
    rows: Rows,
    parameters: Sequence[str],
    groups: Groups,
    fails: NDArray[np.bool_],
) -> Offender:
    """Return the run furthest beyond the condition among the rows that fail."""
    excess = Excess(condition, rows, groups)
    with np.errstate(all="ignore"):
        beyond = np.nan_to_num(excess.of(condition.tree), nan=np.inf)
    row = int(np.argmax(np.where(fails, beyond, -np.inf)))
    run = rows.runs[row]
    columns = rows.axes or {name: rows[name] for name in parameters}
    numbers = {}
    for expression, values in excess.compared.items():
        numbers[expression] = float(np.broadcast_to(values, rows.runs.shape)[row])
    return Offender(
        int(run),
        str(rows.columns["run_id"][run]),
        labels={name: values[row : row + 1].tolist()[0] for name, values in columns.items()},
        numbers=numbers,
    )
