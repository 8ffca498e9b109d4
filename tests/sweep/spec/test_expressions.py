"""Conditions and formulas over columns: what they mean, and that nothing else gets in."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.spec.expressions import MAX_LENGTH, Expression, ExpressionError, Labels

TEXT = np.dtypes.StringDType()
COLUMNS: dict[str, Any] = {
    "T0": np.array([3000.0, 4000.0, 5000.0, np.nan]),
    "steps": np.array([1, 20, 300, 0]),
    "status": np.array(["done", "failed", "done", "pending"], dtype=TEXT),
    "variant": np.array(["as is", "<b>x</b>", "it's", '"'], dtype=TEXT),
    "in_product": np.array([True, False, True, True]),
    "e0": np.array([0.3, 0.1 + 0.2, 0.3000000001, 0.29]),
    "notes": np.array(["thick", "thick loose", "", "loose_end"], dtype=TEXT),
}
WORDS = {"status": ("pending", "done", "failed"), "notes": Labels(("thick", "loose", "loose_end"))}


def holds(text: str) -> list[int]:
    return np.flatnonzero(Expression(text).condition(COLUMNS, WORDS)).tolist()


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        ("T0 > 3500", [1, 2]),
        ("not T0 > 3500", [0, 3]),
        ("3000 < T0 <= 5000", [1, 2]),
        ("T0 == T0", [0, 1, 2]),
        ("isfinite(T0)", [0, 1, 2]),
        ("T0 > 3500 and status == 'failed' or steps == 0", [1, 3]),
        ("T0 > 3500 and (status == 'failed' or steps == 0)", [1]),
        ("status in ('failed', \"pending\")", [1, 3]),
        ("status not in ['failed']", [0, 2, 3]),
        ("'done' == status != variant", [0, 2]),
        ("variant == '<b>x</b>'", [1]),
        ('variant == "it\'s"', [2]),
        ("in_product and not in_product == False", [0, 2, 3]),
        ("-T0 / 1e3 + 2 * steps ** 2 % 7 >= -3", [0, 1, 2]),
        ("log10(steps) > 1 and sqrt(abs(-steps)) < 10", [1]),
        ("min(T0, steps, 4000) == max(steps, 1, 20)", [1, 2]),
        ("log(exp(steps)) < 2", [0, 3]),
        ("1 / steps > 1e300", [3]),
        ("9 ** 9 ** 9 ** 9 > steps", [0, 1, 2, 3]),
        ("True", [0, 1, 2, 3]),
        ("'thick' in notes", [0, 1]),
        ("'loose' in notes", [1]),
        ("'thick' not in notes and T0 == T0", [2]),
        ("notes == ''", [2]),
        ("'' != notes", [0, 1, 3]),
        ("(\n  T0 > 3500\n)", [1, 2]),
        ("e0 == 0.3", [0, 1]),
        ("e0 != 0.3", [2, 3]),
        ("e0 in (0.3, 0.29)", [0, 1, 3]),
        ("e0 <= 0.3", [0, 1, 3]),
        ("e0 >= 0.3", [0, 1, 2]),
        ("e0 < 0.3", [3]),
        ("e0 > 0.3", [2]),
        ("0.1 + 0.2 == 0.3", [0, 1, 2, 3]),
    ],
)
def test_a_condition_holds_for_the_runs_that_python_would_choose(
    text: str, runs: list[int]
) -> None:
    assert holds(text) == runs


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "T_0 > 1",
            (
                r"there is no T_0; did you mean T0\? \(known: T0, steps, status, variant,"
                r" in_product, e0, notes\)\n    T_0 > 1\n    \^ position 1"
            ),
        ),
        ("status == failed", r"there is no failed; for the text write 'failed'"),
        ("status == 'faild'", r"'faild' is none of pending, done, failed\n.*\n +\^ position 11"),
        ("'faild' != status", "'faild' is none of"),
        ("status in ('done', 'x')", r"'x' is none of"),
        ("T0 = 3", r"to compare write ==\n    T0 = 3\n       \^ position 4"),
        ("T0 > and", r"syntax error.*\n    T0 > and\n         \^ position 6"),
        ("variant == 'é' and é > 1", r"there is no é.*\n.*\n {23}\^ position 20"),
        ("'thik' in notes", "this is none of 'thick', 'loose', 'loose_end'"),
        ("T0 in notes", "this is none of"),
        ("'done' in status", "after in comes a list"),
        (
            "notes == 'thick'",
            "these are several words; write 'thick' in NAME, or NAME == '' for none of them",
        ),
        ("notes < ''", "these are several words"),
        ("notes", "these are several words, not a condition; write 'thick' in notes"),
        ("notes == status", "these are several words"),
        ("T0", "this is a number, not a condition; compare it, as in T0 > 1"),
        ("status", "this is a text, not a condition"),
        ("T0 and True", "a condition, such as T0 > 3500, is needed here, this is a number"),
        ("not steps", "a condition.* is needed here"),
        ("T0 > '3500'", "a number cannot be compared with a text; a number has no quotes"),
        ("variant < 'b'", "a text has no order"),
        ("status + 1 > 2", "a number is needed here, this is a text"),
        ("'a' * 1000000000 == status", "a number is needed here"),
        ("T0 & steps", "write and"),
        ("in_product | in_product", "write or"),
        ("~in_product", "write not"),
        ("T0 ^ 2 > 1", r"a power is written \*\*"),
        ("T0 is 1", "write =="),
        ("max(T0) > 1", "max takes two arguments or more"),
        ("abs(T0, 1) > 1", "abs takes one argument"),
        ("abs(*steps) > 1", "plain arguments"),
        ("sin(T0) > 1", "the functions are abs, sqrt, exp, log, log10, isfinite, min, max"),
        ("steps in T0", "after in comes a list"),
        ("", "the expression is empty"),
        ("9" * 400 + " > T0", "this number is too large"),
        ("T0 > 1\x00", "an invisible character"),
        ("T0 > 1 \u202e", "an invisible character"),
        ("T0 > " + "1 + " * 240 + "1", "more than 200 names, numbers, texts and operators"),
        ("T0 > 1" + " " * 10 + "or T0 > 1" * 200, f"characters; {MAX_LENGTH} are allowed"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, message: str) -> None:
    with pytest.raises(ExpressionError, match=message):
        holds(text)


HOSTILE = [
    *(
        "__import__('os').system('true')",
        "T0.__class__",
        "().__class__.__bases__[0].__subclasses__()",
        "(lambda: True)()",
        "[T0 for T0 in T0]",
    ),
    *(
        "open('/etc/passwd')",
        "eval('1')",
        "exec('1')",
        "abs.__globals__",
        "abs",
        "f'{T0}' == status",
        "(x := 1) == 1",
        "T0[0] > 1",
        "{**T0}",
    ),
    *(
        "print(1)",
        "T0 > 1; import os",
        "import os",
        "await T0",
        "(yield)",
        "*T0",
        "1 if True else 2",
        "b'x' == status",
        "... == 1",
        "None == T0",
        "1j == T0",
    ),
    *(
        "@T0",
        "`T0`",
        "T0.mean()",
        "getattr(T0, 'x')",
        "__builtins__",
        "(" * 400 + "T0" + ")" * 400,
        "-" * 900 + "1 > 0",
        "T0 == " + "[" * 300,
    ),
]


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_but_the_language_is_understood(text: str) -> None:
    with pytest.raises(ExpressionError):
        holds(text)


@given(
    st.text(max_size=60)
    | st.text(alphabet="T0steps_abslogminxnd ortiu()[]{}.,'\"<>=!+-*/%^&|~@:;1e9#\\\n", max_size=80)
)
def test_any_text_is_a_condition_or_an_error_that_says_so(text: str) -> None:
    try:
        meets = Expression(text).condition(COLUMNS, WORDS)
    except ExpressionError:
        return
    assert (meets.dtype, meets.shape) == (np.dtype(bool), (4,))


def formulas() -> st.SearchStrategy[str]:
    leaves = (
        st.sampled_from(["T0", "steps"])
        | st.floats(0.0, 1e6).map(repr)
        | st.integers(0, 10**6).map(str)
    )

    def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        binary = st.tuples(inner, st.sampled_from(["+", "-", "*"]), inner).map(
            lambda parts: f"({' '.join(parts)})"
        )
        called = st.tuples(st.sampled_from(["min", "max"]), inner, inner).map(
            lambda parts: f"{parts[0]}({parts[1]}, {parts[2]})"
        )
        return binary | called | inner.map(lambda text: f"-abs({text})")

    return st.recursive(leaves, larger, max_leaves=8)


@given(formulas(), st.sampled_from(["<", "<=", "==", "!=", ">", ">="]), formulas())
def test_formulas_have_the_values_that_python_gives_run_by_run(
    left: str, sign: str, right: str
) -> None:
    names: Mapping[str, Callable[..., Any]] = {"min": min, "max": max, "abs": abs}
    runs = [
        {"T0": float(T0), "steps": float(steps)}
        for T0, steps in zip(COLUMNS["T0"][:3], COLUMNS["steps"][:3], strict=True)
    ]
    three = {name: values[:3] for name, values in COLUMNS.items()}
    expected = [eval(left, {"__builtins__": {}, **names}, run) for run in runs]
    assert Expression(left).number(three).tolist() == pytest.approx(expected, rel=1e-12)
    assert Expression(f"{left} {sign} {right}").condition(three).tolist() == [
        eval(f"{left} {sign} {right}", {**names}, run) for run in runs
    ]


def test_a_formula_gives_numbers_and_refuses_a_condition() -> None:
    assert Expression("2 * steps").number(COLUMNS).tolist() == [2.0, 40.0, 600.0, 0.0]
    assert Expression("2.5").number(COLUMNS).tolist() == [2.5] * 4
    with pytest.raises(ExpressionError, match="this is a truth, not a number"):
        Expression("T0 > 1").number(COLUMNS)


def test_only_columns_that_are_named_are_read() -> None:
    class Watched(dict[str, Any]):
        read: set[str] = set()  # noqa: RUF012

        def __getitem__(self, name: str) -> Any:
            self.read.add(name)
            return super().__getitem__(name)

    watched = Watched(COLUMNS)
    expression = Expression("steps > 2 and max(steps, 2) < 100")
    expression.condition(watched)
    assert expression.names == ["steps"]
    assert watched.read <= {"steps", "T0"}  # T0 gives the number of runs
