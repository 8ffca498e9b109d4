"""Names of expectations, and what one judged run is worth."""

import pytest

from sweep.results.judge import Judgement
from sweep.spec.expectations import Expectation, parse_expectations

LOW = {"expect": "M_loss < 1"}


@pytest.mark.parametrize(
    ("judged", "failing", "others", "passed"),
    [(1, 0, {}, True), (1, 1, {}, False), (0, 0, {}, False), (1, 0, {"pending": 1}, False)],
)
def test_an_expectation_passes_with_one_run_if_none_fails_and_none_is_left(
    judged: int,
    failing: int,
    others: dict[str, int],
    passed: bool,
) -> None:
    expectation = Expectation.model_validate(LOW)
    assert Judgement("low", expectation, judged, failing, others, 0, None).passed is passed


@pytest.mark.parametrize("name", ["", "  ", 7, None])
def test_the_name_of_an_expectation_is_a_text(name: object) -> None:
    assert parse_expectations({name: LOW}) == (
        {},
        [f"expect.{name}: the name must be a text; put it in quotes"],
    )
