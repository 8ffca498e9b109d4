"""Distributions of a sampled key: from probabilities to values, bit for bit on all machines."""

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from statistics import NormalDist
from typing import Any

from marsdisk.common.text import shown

from ..common.floats import is_number, rounded, same

#: Forms in which the distribution of a key is given, and what each means.
KINDS_OF_DISTRIBUTIONS = {
    "{uniform: [a, b]}": "equally probable from a to b",
    "{loguniform: [a, b]}": "its logarithm is equally probable from that of a to that of b, 0 < a",
    "{normal: [mean, sd]}": "normal; [mean, sd, low, high] cuts off what lies beyond low and high",
    "{choice: [values]}": "one of these values, equally probable",
    "{integers: [first, last]}": "a whole number, equally probable, both ends among them",
}
KINDS = (
    "{uniform: [a, b]}, {loguniform: [a, b]}, {normal: [mean, sd]} or [mean, sd, low, high],"
    " {choice: [values]} or {integers: [first, last]}"
)
# half a step of a scrambled Sobol sequence; there, at 6.2 sd, the tail of a normal is cut off
MIN_PROBABILITY = 2.0**-31


@dataclass(frozen=True)
class Marginal:
    """How one key is distributed."""

    words: str
    values: Callable[[Sequence[float]], list[Any]]  #: at cumulative probabilities in [0, 1]
    bounded: bool = True  #: whether the values at probabilities 0 and 1 are finite


def _is_finite_number(value: Any) -> bool:
    return is_number(value) and abs(value) <= sys.float_info.max


def _numbers(kind: str, given: Any, counts: tuple[int, ...]) -> list[Any]:
    is_list = isinstance(given, list) and len(given) in counts
    if not is_list or not all(map(_is_finite_number, given)):
        raise ValueError(
            f"{kind} takes {' or '.join(map(str, counts))} numbers in brackets, got {shown(given)}"
        )
    return list(given)


def _refuse_disorder(kind: str, low: float, high: float) -> None:
    if not low < high:
        raise ValueError(
            f"{kind}: [{low:g}, {high:g}] is empty; the first bound must be below the second"
        )


def _round_within(value: float, low: float, high: float) -> float:
    return min(max(rounded(value), low), high)


def _uniform(given: Any) -> Marginal:
    a, b = map(float, _numbers("uniform", given, (2,)))
    _refuse_disorder("uniform", a, b)

    def values(probabilities: Sequence[float]) -> list[Any]:
        return [_round_within(a + (b - a) * u, a, b) for u in probabilities]

    return Marginal(f"uniform {a:g} to {b:g}", values)


def _loguniform(given: Any) -> Marginal:
    a, b = map(float, _numbers("loguniform", given, (2,)))
    _refuse_disorder("loguniform", a, b)
    if a <= 0.0:
        raise ValueError(
            f"loguniform needs bounds above 0, got {shown(given)}; use uniform, or raise the first"
        )

    def values(probabilities: Sequence[float]) -> list[Any]:
        # decimal rounds correctly; exp of a C library may differ in its last bit
        with localcontext() as context:
            context.prec = 30
            first = Decimal(a).ln()
            last = Decimal(b).ln()
            return [
                _round_within(float((first + (last - first) * Decimal(u)).exp()), a, b)
                for u in probabilities
            ]

    return Marginal(f"loguniform {a:g} to {b:g}", values)


def _normal(given: Any) -> Marginal:
    numbers = _numbers("normal", given, (2, 4))
    mean, sd = map(float, numbers[:2])
    if sd <= 0.0:
        raise ValueError(f"normal: the standard deviation must be above 0, got {sd:g}")
    law = NormalDist(mean, sd)
    words = f"normal {mean:g} +- {sd:g}"
    bounded = len(numbers) == 4
    if bounded:
        low, high = map(float, numbers[2:])
        _refuse_disorder("normal", low, high)
        words += f" within {low:g} to {high:g}"
        first = law.cdf(low)
        last = law.cdf(high)
    else:
        low = -math.inf
        high = math.inf
        first = 0.0
        last = 1.0
    if last - first < 1e-6:
        raise ValueError(
            f"normal: only {last - first:.1g} of the probability lies within [{low:g}, {high:g}];"
            f" move the bounds towards the mean {mean:g}"
        )

    def value(u: float) -> float:
        probability = first + (last - first) * u
        probability = min(max(probability, MIN_PROBABILITY), 1.0 - MIN_PROBABILITY)
        return _round_within(law.inv_cdf(probability), low, high)

    return Marginal(words, lambda probabilities: list(map(value, probabilities)), bounded=bounded)


def _choice(given: Any) -> Marginal:
    if not isinstance(given, list) or len(given) < 2:
        raise ValueError(
            f"choice takes a list of two values or more, got {shown(given)}; a single value belongs"
            " under set"
        )
    for i, value in enumerate(given):
        if any(same(value, earlier) for earlier in given[:i]):
            raise ValueError(
                f"choice has the value {shown(value)} twice; drop one, for all are drawn equally"
                " often"
            )
    n = len(given)

    def values(probabilities: Sequence[float]) -> list[Any]:
        return [given[min(int(u * n), n - 1)] for u in probabilities]

    return Marginal(f"one of {', '.join(map(str, given))}", values)


def _integers(given: Any) -> Marginal:
    first, last = _numbers("integers", given, (2,))
    if type(first) is not int or type(last) is not int:
        raise ValueError(f"integers takes whole numbers, got {shown(given)}")
    _refuse_disorder("integers", first, last)
    n = last - first + 1

    def values(probabilities: Sequence[float]) -> list[Any]:
        return [first + min(int(u * n), n - 1) for u in probabilities]

    return Marginal(f"whole numbers {first} to {last}", values)


_PARSERS = {
    "uniform": _uniform,
    "loguniform": _loguniform,
    "normal": _normal,
    "choice": _choice,
    "integers": _integers,
}


def parse_marginal(given: Any) -> Marginal:
    """Return the distribution that a key under ``axes`` of a sample or design has.

    Raises
    ------
    ValueError
        It is not one of :data:`KINDS`, or it is empty.

    Examples
    --------
    >>> parse_marginal({"loguniform": [0.01, 1.0]}).values([0.0, 0.5, 1.0])
    [0.01, 0.1, 1.0]
    """
    if not isinstance(given, dict) or len(given) != 1:
        raise ValueError(f"must be {KINDS}, got {shown(given)}")
    ((kind, numbers),) = given.items()
    if kind not in _PARSERS:
        raise ValueError(f"there is no distribution {shown(kind)}; must be {KINDS}")
    return _PARSERS[kind](numbers)
