"""Functions over groups of runs: the same numbers as a plain loop, group by group."""

import math
import statistics
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.results.excess import Excess
from sweep.spec.expressions import FUNCTIONS, Expression
from sweep.spec.groups import Groups

NUMBERS = st.floats(-1e6, 1e6) | st.sampled_from([0.0, 1.0, math.inf, -math.inf])


@st.composite
def grouped(
    draw: st.DrawFn, values: st.SearchStrategy[Any] = NUMBERS
) -> tuple[list[int], list[int], list[Any]]:
    """Return label, position and value of some cases, all at different positions."""
    labels = draw(st.lists(st.integers(-3, 3), max_size=20))
    places = draw(st.permutations(range(len(labels))))
    return labels, list(places), draw(st.lists(values, min_size=len(labels), max_size=len(labels)))


def by_loop(
    labels: list[int],
    places: list[int],
    values: list[Any],
    function: Callable[[list[Any], int], Any],
) -> list[Any]:
    """Apply ``of`` to the ordered values of each case's group and the case's index among them."""
    results = []
    for label, place in zip(labels, places, strict=True):
        group = sorted(
            (p, v)
            for p, v, label_of_value in zip(places, values, labels, strict=True)
            if label_of_value == label
        )
        results.append(function([value for _, value in group], [p for p, _ in group].index(place)))
    return results


LOOPS: dict[str, Callable[[list[Any], int], Any]] = {
    "largest": lambda group, i: max(group),
    "smallest": lambda group, i: min(group),
    "sum": lambda group, i: sum(group),
    "mean": lambda group, i: sum(group) / len(group),
    "median": lambda group, i: statistics.median(group),
    "largest_so_far": lambda group, i: max(group[: i + 1]),
    "smallest_so_far": lambda group, i: min(group[: i + 1]),
}


@given(grouped())
def test_every_function_gives_what_a_loop_over_the_groups_gives(
    case: tuple[list[int], list[int], list[float]],
) -> None:
    groups = Groups(np.array(case[0], dtype=np.int64), np.array(case[1]))
    assert {*LOOPS, "earlier"} == groups.functions.keys()
    with np.errstate(invalid="ignore"):
        for name, loop in LOOPS.items():
            results = groups.functions[name].call(np.array(case[2], dtype=float)).tolist()
            assert results == pytest.approx(
                by_loop(*case, loop), rel=1e-12, abs=1e-6, nan_ok=True
            ), name


@given(grouped(st.booleans()))
def test_earlier_is_whether_it_held_for_any_case_before(
    case: tuple[list[int], list[int], list[bool]],
) -> None:
    groups = Groups(np.array(case[0], dtype=np.int64), np.array(case[1]))
    assert groups.earlier(np.array(case[2], dtype=bool)).tolist() == by_loop(
        *case, lambda group, i: any(group[:i])
    )


@given(grouped(), st.floats(-5.0, 5.0))
def test_the_smallest_before_a_case_leaves_the_case_out(
    case: tuple[list[int], list[int], list[float]], first: float
) -> None:
    groups = Groups(np.array(case[0], dtype=np.int64), np.array(case[1]))
    assert groups.smallest_earlier(np.array(case[2], dtype=float), first).tolist() == by_loop(
        *case, lambda group, i: min(group[:i], default=first)
    )


@pytest.mark.parametrize("name", LOOPS)
def test_nan_makes_nan_in_its_group_alone(name: str) -> None:
    groups = Groups(np.array([0, 1, 0, 1, 0]), np.arange(5.0))
    results = groups.functions[name].call(np.array([math.nan, 1.0, 2.0, 3.0, 4.0]))
    assert np.isnan(results).tolist() == [True, False, True, False, True]


def test_one_value_for_all_cases_is_taken_for_each() -> None:
    groups = Groups(np.array([0, 0, 1]), np.arange(3.0))
    assert groups.sum(2.0).tolist() == [4.0, 4.0, 2.0]
    assert groups.median(2.0).tolist() == [2.0] * 3
    assert groups.earlier(True).tolist() == [False, True, False]


COLUMNS: dict[str, Any] = {
    "x": np.array([1.0, 2.0, 3.0, 4.0]),
    "y": np.array([4.0, 1.0, -2.0, 0.5]),
}
ALONE = Groups(np.array([0, 0, 1, 1]), np.arange(4.0))


def conditions() -> st.SearchStrategy[str]:
    side = st.sampled_from(["x", "y", "2", "x * y", "largest(x)", "largest_so_far(y)"])
    comparison = st.tuples(side, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), side).map(
        " ".join
    )
    return st.recursive(
        comparison | st.sampled_from(["isfinite(x)", "1 < x <= y"]),
        lambda inner: (
            st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(
                lambda parts: f"({' '.join(parts)})"
            )
            | inner.map(lambda text: f"not ({text})")
            | inner.map(lambda text: f"earlier({text})")
        ),
        max_leaves=5,
    )


@given(conditions())
def test_what_fails_is_beyond_and_what_holds_is_within(text: str) -> None:
    expect = Expression(text)
    holds = expect.condition(COLUMNS, functions={**FUNCTIONS, **ALONE.functions})
    excess = Excess(expect, COLUMNS, ALONE).of(expect.tree)
    assert not (holds & (excess > 0.0)).any()
    assert not (~holds & (excess < 0.0)).any()


def test_the_excess_is_relative_and_what_was_compared_is_kept_by_its_text() -> None:
    expect = Expression("y >= 2 and largest(x) < 3")
    excess = Excess(expect, COLUMNS, ALONE)
    assert excess.of(expect.tree).tolist() == [-1 / 3, 0.5, 2.0, 0.75]
    assert {text: values.tolist() for text, values in excess.compared.items()} == {
        "y": [4.0, 1.0, -2.0, 0.5],
        "largest(x)": [2.0, 2.0, 4.0, 4.0],
    }
