"""The estimated error of the bins against that by a run on many more of them."""

from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from bin_errors import LAWS, SETUPS, bin_errors, checked

from marsdisk.accuracy.convergence import COMPARED, relative_difference
from marsdisk.accuracy.extrapolation import LEAST_ORDER

#: Set-ups that go without many bins in ``make test``: supplied, decaying, and sublimating ones.
QUICK = ("melt", "melt, no supply, cools", "three slopes", "sublimation by advection, no supply")
QUICK_BINS = 160
MANY_BINS = 640
#: The three slopes of this start belong to whole bins, and Sigma_0 for the same optical depth jumps
#: where a break meets another bin: by 2 % from 20 to 40 bins, 0.5 % from 40 to 80, but 12 % from 80
#: to 160.
JUMPS = {("three slopes, ends by its depth", "Sigma_final")}


def cases() -> Iterator[Any]:
    assert set(QUICK) <= set(SETUPS)
    for name, law in product(SETUPS, LAWS):
        yield pytest.param(
            name, law, MANY_BINS, marks=pytest.mark.thorough, id=f"{name}, {law}, {MANY_BINS}"
        )
        if name in QUICK:
            yield pytest.param(name, law, QUICK_BINS, id=f"{name}, {law}, {QUICK_BINS}")


@pytest.mark.parametrize(("name", "law", "bins"), [*cases()])
def test_the_estimate_is_within_a_factor_of_three(name: str, law: str, bins: int) -> None:
    """Of the true error, or of that with twice the bins where the run's own vanishes by accident.

    Where differences do not become smaller with the bins, the least order is assumed, which errs
    on the safe side: by a factor of up to four.
    """
    errors = bin_errors(name, law, bins)
    assert len(errors) >= 2
    for quantity, error in errors.items():
        if (name, quantity) in JUMPS:
            continue
        times = 4.5 if error.order == LEAST_ORDER else 3.0
        assert error.truth / 3.0 <= error.estimate <= times * error.scale, (quantity, error)


def shares_within_three(names: tuple[str, ...], bins: int) -> float:
    """Return the share of estimates within a factor of three of the run's error.

    Errors that vanish by accident are counted.
    """
    within = []
    for name, law in product(names, LAWS):
        errors = bin_errors(name, law, bins).values()
        within += [error.truth / 3.0 <= error.estimate <= 3.0 * error.truth for error in errors]
    return sum(within) / len(within)


def verdicts_that_hold(names: tuple[str, ...], bins: int, limit: float) -> float:
    """Return the share of quantities that are rightly said to be within ``limit``, or beyond it."""
    right = []
    for name, law in product(names, LAWS):
        errors = bin_errors(name, law, bins).values()
        right += [(error.estimate > limit) == (error.truth > limit) for error in errors]
    return sum(right) / len(right)


def test_most_estimates_are_within_a_factor_of_three_of_the_error_itself() -> None:
    assert shares_within_three(QUICK, QUICK_BINS) > 0.85
    assert verdicts_that_hold(QUICK, QUICK_BINS, 0.01) > 0.9


@pytest.mark.thorough
def test_most_estimates_are_within_a_factor_of_three_of_the_error_itself_on_all_setups() -> None:
    assert shares_within_three(tuple(SETUPS), MANY_BINS) > 0.85
    assert verdicts_that_hold(tuple(SETUPS), MANY_BINS, 0.01) > 0.9


@pytest.mark.thorough
def test_the_plain_difference_from_twice_the_bins_understates_more_errors() -> None:
    estimates = []
    differences = []
    for name, law in product(SETUPS, LAWS):
        convergence = checked(name, law)
        for quantity, error in bin_errors(name, law, MANY_BINS).items():
            value = COMPARED[quantity].value
            estimates.append(error.estimate < error.truth / 3.0)
            differences.append(
                relative_difference(value(convergence.run), value(convergence.finer))
                < error.truth / 3.0
            )
    assert sum(estimates) <= len(JUMPS) * len(LAWS)
    assert sum(differences) > 4 * sum(estimates)
