"""Numbers are the same if 12 significant digits of them are: one by one, and in arrays."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.common.floats import equal, identity, rounded, rounded_array, same, without_round_off

FINITE = st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (0.3, 0.1 + 0.2, True),
        (3000, 3000.0, True),
        (0.3, 0.3000000000001, True),
        (0.3, 0.30000000001, False),
        (1e-300, 0.0, False),
        (-0.3, 0.3, False),
        (math.inf, math.inf, True),
        (math.inf, 1.0, False),
        (math.nan, math.nan, False),
        (10**400, 10**400, True),
        (10**400, math.inf, False),
        (12345678901234, 12345678901235, False),
        (12345678901234, 12345678901234.0, True),
        (1000000000001.0, 1000000000000.0, False),
        (1000000000001, 1000000000000.0, False),
        (1000000000000, 1000000000000.25, True),
        (True, 2, False),
        ("auto", "auto", True),
        ("0.3", 0.3, False),
        (None, 0.0, False),
        ([0.3, "a"], [0.1 + 0.2, "a"], True),
        ([0.3], [0.3, 0.4], False),
        ({"k": {"v": 0.3}}, {"k": {"v": 0.1 + 0.2}}, True),
        ({"k": 0.3}, {"l": 0.3}, False),
        ({"k": 0.3}, [0.3], False),
    ],
)
def test_values_of_a_configuration_are_the_same_to_12_digits(
    a: Any, b: Any, expected: bool
) -> None:
    assert same(a, b) is expected
    assert same(b, a) is expected


@given(FINITE, st.integers(-3, 3))
def test_arrays_and_dictionaries_decide_as_single_numbers_do(number: float, steps: int) -> None:
    near = number + steps * 2e-12 * number
    if not math.isfinite(near):
        return
    expected = same(number, near)
    assert equal(np.array([number]), near).tolist() == [expected]
    assert (identity(number) == identity(near)) is expected
    assert rounded_array([number, near]).tolist() == [rounded(number), rounded(near)]


def test_no_number_equals_nan_in_an_array() -> None:
    assert not equal(np.array([math.nan, 1.0, math.inf]), np.array([math.nan, math.nan, 1.0])).any()


def test_whole_numbers_of_arrays_are_the_same_if_they_are_equal() -> None:
    seeds = np.array([12345678901234, 12345678901235])
    assert equal(seeds, 12345678901235).tolist() == [False, True]
    assert identity(12345678901234) != identity(12345678901235)
    assert identity(12345678901234) == identity(12345678901234.0)
    assert equal(seeds, 12345678901234.0).tolist() == [True, False]


def test_only_round_off_is_taken_from_labels() -> None:
    typed = [0.3, 0.123456789012345, 1e300, math.inf]
    assert without_round_off(np.array([0.1 + 0.2, *typed[1:]])).tolist() == typed


def test_labels_that_would_become_one_are_left_as_they_are() -> None:
    labels = np.array([0.3, 0.1 + 0.2])
    assert without_round_off(labels).tolist() == labels.tolist()
