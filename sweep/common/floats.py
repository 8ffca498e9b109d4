"""One meaning of "the same number": equal to 12 significant digits.

A number that was typed and one that was computed, such as 0.3 and 0.1 + 0.2, differ in bits that
nobody means. Two numbers are the same here if they round to the same decimal number of
:data:`DIGITS` significant digits; whole numbers, such as seeds, if they are equal. So "the same"
is transitive, and what :func:`identity` gives can be keys of a dictionary.
"""

import math
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

#: Significant digits in which equal numbers agree: few enough to type, and too few to be reached by
#: the round-off of another machine's logarithm.
DIGITS = 12
#: Numbers that are further apart than this, relative to either, differ in their first 12 digits.
MAX_DISTANCE = 1.1e-11
#: Larger floats are all whole, whatever was meant.
MAX_WHOLE = 2.0**52
#: Relative error that a few operations on a number leave behind.
ROUND_OFF = 4e-15


def is_number(value: Any) -> bool:
    """Return whether a value is a number, which true and false are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def rounded(number: float) -> float:
    """Return a number rounded to 12 significant digits.

    Examples
    --------
    >>> rounded(0.1 + 0.2)
    0.3
    """
    return float(f"{number:.{DIGITS}g}")


def identity(value: Any) -> Hashable:
    """Return a key for dictionaries that is equal for the same values.

    Parameters
    ----------
    value : hashable
        A value of a configuration.

    Returns
    -------
    hashable
        A whole number or no number as it is, and any other number rounded.
    """
    is_rounded = isinstance(value, float) and math.isfinite(value) and not _is_whole(value)
    key: Hashable = rounded(value) if is_rounded else value
    return key


def _is_whole(number: float) -> bool:
    return number.is_integer() and abs(number) <= MAX_WHOLE


def same(a: Any, b: Any) -> bool:
    """Return whether two values of a configuration are the same, numbers to 12 digits.

    Lists are the same if their items are, and mappings if they have the same keys with the same
    values. All other values are compared as they are.

    Examples
    --------
    >>> same([0.3, "auto"], [0.1 + 0.2, "auto"])
    True
    """
    if is_number(a) and is_number(b):
        return bool(a == b) or identity(a) == identity(b)
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(same(value, b[key]) for key, value in a.items())
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return bool(a == b)


def rounded_array(numbers: ArrayLike) -> NDArray[np.float64]:
    """Return numbers rounded as by :func:`rounded`, each distinct one once."""
    numbers = np.asarray(numbers, dtype=np.float64)
    distinct, index = np.unique(numbers, return_inverse=True)
    of_distinct = np.array([rounded(number) for number in distinct.tolist()], dtype=np.float64)
    return of_distinct[index].reshape(numbers.shape)


def equal(a: ArrayLike, b: ArrayLike) -> NDArray[np.bool_]:
    """Return where numbers are the same, for arrays that broadcast; NaN is no number's equal.

    Examples
    --------
    >>> equal([0.3, 0.1 + 0.2, 0.4], 0.3)
    array([ True,  True, False])
    """
    left, right = np.broadcast_arrays(np.asarray(a), np.asarray(b))
    if left.dtype.kind in "iu" and right.dtype.kind in "iu":
        return np.array(left == right)
    left = left.astype(np.float64)
    right = right.astype(np.float64)
    is_equal = np.array(left == right)
    with np.errstate(invalid="ignore", over="ignore"):
        is_near = np.abs(left - right) <= MAX_DISTANCE * np.abs(left)
    # most numbers are equal bit for bit or far apart, and only the others are rounded
    is_open = is_near & ~is_equal
    if is_open.any():
        is_equal[is_open] = _identities(left[is_open]) == _identities(right[is_open])
    return is_equal


def _identities(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return :func:`identity` of each number."""
    is_whole = (numbers == np.floor(numbers)) & (np.abs(numbers) <= MAX_WHOLE)
    return np.where(is_whole, numbers, rounded_array(numbers))


def without_round_off(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return numbers without what arithmetic has left of a shorter one: 0.3 for 0.1 + 0.2.

    Parameters
    ----------
    numbers : array of float
        Of any shape.

    Returns
    -------
    array of float
        Numbers with more than 12 digits of their own are as they were; so are all of them where
        two distinct ones would become one.

    Examples
    --------
    >>> without_round_off(np.array([0.1 + 0.2, 0.123456789012345]))
    array([0.3       , 0.12345679])
    """
    distinct, index = np.unique(numbers, return_inverse=True)
    shorter = rounded_array(distinct)
    with np.errstate(invalid="ignore"):
        is_round_off = np.abs(distinct - shorter) <= ROUND_OFF * np.abs(distinct)
    shorter = np.where(is_round_off, shorter, distinct)
    if np.unique(shorter).size < distinct.size:
        return numbers
    return shorter[index].reshape(numbers.shape)
