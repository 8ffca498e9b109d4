"""The error of a value by those on two more grids: exact cases, and nothing to extrapolate from."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marsdisk.accuracy.extrapolation import LEAST_ORDER, MOST_ORDER, extrapolated_error

POSITIVE = st.floats(1e-30, 1e30)


def value_on(bins: int, *, order: float, limit: float, size: float) -> float:
    """Return a value that converges to ``limit`` with an order, in its logarithm."""
    return limit * math.exp(size * (40 / bins) ** order)


@pytest.mark.parametrize("order", [0.5, 0.8, 1.0, 1.5, 2.0])
@pytest.mark.parametrize("bins", [4, 5, 7, 40, 41])
@pytest.mark.parametrize("size", [1e-3, -0.02, 0.5])
def test_an_error_with_one_order_is_found_with_it(order: float, bins: int, size: float) -> None:
    """With an odd number of bins, too, where half of them is not quite half."""
    grids = (bins // 2, bins, 2 * bins)
    values = [value_on(n, order=order, limit=3.0, size=size) for n in grids]
    estimate = extrapolated_error(*values, coarsening=bins / (bins // 2))
    assert estimate.order == pytest.approx(order, abs=1e-3)
    assert estimate.error == pytest.approx(abs(values[1] / 3.0 - 1.0), rel=5e-3)


def test_an_odd_grid_taken_for_twice_its_half_would_mislead() -> None:
    values = [value_on(n, order=1.0, limit=1.0, size=1e-3) for n in (2, 5, 10)]
    assert extrapolated_error(*values, coarsening=2.5).order == pytest.approx(1.0, abs=1e-3)
    assert extrapolated_error(*values).order > 1.3


@pytest.mark.parametrize(("order", "limited"), [(0.1, LEAST_ORDER), (2.4, MOST_ORDER)])
def test_the_order_is_limited(order: float, limited: float) -> None:
    values = [value_on(n, order=order, limit=1.0, size=1e-3) for n in (20, 40, 80)]
    assert extrapolated_error(*values).order == limited


def test_differences_that_grow_have_the_least_order() -> None:
    estimate = extrapolated_error(1.0, 1.01, 1.04)
    assert estimate.order == LEAST_ORDER
    assert estimate.error == pytest.approx(0.03 / (1.0 - 2.0**-0.5), rel=0.1)


@pytest.mark.parametrize(
    ("coarser", "value", "finer", "error"),
    [
        (1.02, 1.0, 1.01, 0.01),  # the difference from twice the bins
        (1.2, 1.0, 1.0002, 0.04),  # which is small by accident: a quarter of that from half
        (1.2, 1.0, 0.9998, 0.02),  # of the same sign: an eighth
        (1.2, 1.0, 1.00001, 1e-5),  # too small to be one
    ],
)
def test_without_an_order_the_larger_difference_is_the_error(
    coarser: float, value: float, finer: float, error: float
) -> None:
    assert extrapolated_error(coarser, value, finer).error == pytest.approx(error, rel=0.2)


def test_an_order_is_shown_only_by_differences_of_one_sign() -> None:
    assert math.isnan(extrapolated_error(1.02, 1.0, 1.01).order)
    assert not math.isnan(extrapolated_error(0.98, 1.0, 1.01).order)


def test_with_fewer_than_four_bins_the_least_order_is_taken() -> None:
    estimate = extrapolated_error(None, 1.0, 1.01)
    assert estimate.error == pytest.approx(0.01 / (1.0 - 2.0**-LEAST_ORDER), rel=0.03)
    assert math.isnan(estimate.order)


@pytest.mark.parametrize(
    ("coarser", "value", "finer", "error"),
    [
        (0.0, 0.0, 0.0, 0.0),
        (2.0, 0.0, 0.0, 0.0),  # the finer two agree
        (2.0, 2.0, 2.0, 0.0),
        (1.0, 2.0, 2.0, 0.0),
        (1.0, 1.0, 0.0, math.inf),
        (1.0, 0.0, 1.0, 1.0),
        (0.0, 1.0, 1.01, 0.034),  # nothing on the coarsest
        (-1e-20, 1e-20, -1e-20, 2.0),  # round-off about nothing
        (math.nan, 1.0, 1.0, math.inf),
        (1.0, math.inf, 1.0, math.inf),
        (1.0, 1.0, math.nan, math.inf),
        (1e-200, 1e-200, 2e-200, 0.5),
        (1e300, 1e-300, 1e-300, 0.0),
    ],
)
def test_values_that_cannot_be_extrapolated(
    coarser: float, value: float, finer: float, error: float
) -> None:
    estimate = extrapolated_error(coarser, value, finer)
    assert estimate.error == pytest.approx(error, rel=0.05)
    if not math.isfinite(estimate.error) or error == 0.0:
        assert math.isnan(estimate.order)


@given(coarser=POSITIVE | st.none(), value=POSITIVE, finer=POSITIVE, bins=st.integers(4, 500))
def test_it_is_never_less_than_the_plain_difference_of_logarithms_and_always_a_number(
    coarser: float | None, value: float, finer: float, bins: int
) -> None:
    estimate = extrapolated_error(coarser, value, finer, bins / (bins // 2))
    difference = abs(math.expm1(-math.log(finer / value)))
    assert estimate.error >= difference * (1.0 - 1e-9) - 1e-12
    assert not math.isnan(estimate.error)
    assert math.isnan(estimate.order) or LEAST_ORDER <= estimate.order <= MOST_ORDER


@given(
    coarser=st.floats(0.5, 2.0),
    value=st.floats(0.5, 2.0),
    finer=st.floats(0.5, 2.0),
    power=st.integers(-60, 60),
)
def test_it_is_the_same_in_any_unit(coarser: float, value: float, finer: float, power: int) -> None:
    unit = 2.0**power
    assert extrapolated_error(unit * coarser, unit * value, unit * finer) == pytest.approx(
        extrapolated_error(coarser, value, finer), nan_ok=True, rel=1e-9, abs=1e-300
    )
