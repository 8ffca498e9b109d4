"""Distributions of a sampled key: from a share of probability to a value that is the same bits on every machine."""

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from statistics import NormalDist
from typing import Any

from marsdisk.physics.textfile import shown

KINDS = (
    "{uniform: [a, b]}, {loguniform: [a, b]}, {normal: [mean, sd]} or [mean, sd, low, high],"
    " {choice: [values]} or {integers: [first, last]}"
)
# of a drawn number: what is typed to run it alone, and what round-off of another machine's
# logarithm leaves alone
DIGITS = 12
# half a step of a scrambled Sobol sequence: beyond it, 6.2 sd out, an unbounded normal has no tail
SMALLEST = 2.0**-31


@dataclass(frozen=True)
class Marginal:
    """How one key is distributed."""

    words: str
    values: Callable[[Sequence[float]], list[Any]]  #: at shares of probability in [0, 1]
    bounded: bool = True  #: whether shares 0 and 1 have values of their own


def _numbers(kind: str, given: Any, counts: tuple[int, ...]) -> list[Any]:
    good = isinstance(given, list) and len(given) in counts
    if not good or not all(
        isinstance(x, int | float) and not isinstance(x, bool) and abs(x) <= sys.float_info.max
        for x in given
    ):
        raise ValueError(
            f"{kind} takes {' or '.join(map(str, counts))} numbers in brackets, got {shown(given)}"
        )
    return list(given)


def _ordered(kind: str, low: float, high: float) -> None:
    if not low < high:
        raise ValueError(
            f"{kind}: [{low:g}, {high:g}] is empty; the first bound must be below the second"
        )


def _between(value: float, low: float, high: float) -> float:
    return min(max(float(f"{value:.{DIGITS}g}"), low), high)


def _uniform(given: Any) -> Marginal:
    a, b = map(float, _numbers("uniform", given, (2,)))
    _ordered("uniform", a, b)
    return Marginal(
        f"uniform {a:g} to {b:g}", lambda shares: [_between(a + (b - a) * u, a, b) for u in shares]
    )


def _loguniform(given: Any) -> Marginal:
    a, b = map(float, _numbers("loguniform", given, (2,)))
    _ordered("loguniform", a, b)
    if a <= 0.0:
        raise ValueError(
            f"loguniform needs bounds above 0, got {shown(given)}; use uniform, or raise the first"
        )

    def values(shares: Sequence[float]) -> list[Any]:
        # decimal rounds correctly, where exp of a C library may differ in its last bit
        with localcontext() as context:
            context.prec = 30
            first = Decimal(a).ln()
            last = Decimal(b).ln()
            return [
                _between(float((first + (last - first) * Decimal(u)).exp()), a, b) for u in shares
            ]

    return Marginal(f"loguniform {a:g} to {b:g}", values)


def _normal(given: Any) -> Marginal:
    numbers = _numbers("normal", given, (2, 4))
    mean, sd = map(float, numbers[:2])
    if sd <= 0.0:
        raise ValueError(f"normal: the standard deviation must be above 0, got {sd:g}")
    law = NormalDist(mean, sd)
    low = -math.inf
    high = math.inf
    cut = ""
    if len(numbers) == 4:
        low, high = map(float, numbers[2:])
        _ordered("normal", low, high)
        cut = f" within {low:g} to {high:g}"
    first, last = (law.cdf(low), law.cdf(high)) if cut else (0.0, 1.0)
    if last - first < 1e-6:
        raise ValueError(
            f"normal: only {last - first:.1g} of the probability lies within [{low:g}, {high:g}];"
            f" move the bounds towards the mean {mean:g}"
        )

    def values(shares: Sequence[float]) -> list[Any]:
        inside = [min(max(first + (last - first) * u, SMALLEST), 1.0 - SMALLEST) for u in shares]
        return [_between(law.inv_cdf(share), low, high) for share in inside]

    return Marginal(f"normal {mean:g} +- {sd:g}{cut}", values, bounded=bool(cut))


def _choice(given: Any) -> Marginal:
    if not isinstance(given, list) or len(given) < 2:
        raise ValueError(
            f"choice takes a list of two values or more, got {shown(given)}; a single value belongs"
            " under set"
        )
    twice = next((value for i, value in enumerate(given) if value in given[:i]), None)
    if twice is not None:
        raise ValueError(
            f"choice has the value {shown(twice)} twice; drop one, for all are drawn equally often"
        )
    return Marginal(
        f"one of {', '.join(map(str, given))}",
        lambda shares: [given[min(int(u * len(given)), len(given) - 1)] for u in shares],
    )


def _integers(given: Any) -> Marginal:
    first, last = _numbers("integers", given, (2,))
    if type(first) is not int or type(last) is not int:
        raise ValueError(f"integers takes whole numbers, got {shown(given)}")
    _ordered("integers", first, last)
    n = last - first + 1
    return Marginal(
        f"whole numbers {first} to {last}",
        lambda shares: [first + min(int(u * n), n - 1) for u in shares],
    )


_PARSERS = {
    "uniform": _uniform,
    "loguniform": _loguniform,
    "normal": _normal,
    "choice": _choice,
    "integers": _integers,
}


def parse_marginal(given: Any) -> Marginal:
    """The distribution that ``key: given`` under ``axes`` of a sample or design describes.

    Raises
    ------
    ValueError
        Not one of :data:`KINDS`, or an empty one.

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
