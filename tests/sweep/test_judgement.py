"""Names of checks, and what one judged run is worth."""

import pytest

from sweep.checks import Check, parse_checks
from sweep.judging import Judgement

LOW = {"expect": "M_loss < 1"}


@pytest.mark.parametrize(
    ("judged", "failing", "others", "passed"),
    [(1, 0, {}, True), (1, 1, {}, False), (0, 0, {}, False), (1, 0, {"pending": 1}, False)],
)
def test_a_check_passes_with_one_run_if_none_fails_and_none_is_left(
    judged: int,
    failing: int,
    others: dict[str, int],
    passed: bool,
) -> None:
    check = Check.model_validate(LOW)
    assert Judgement("low", check, judged, failing, others, 0, None).passed is passed


@pytest.mark.parametrize("name", ["", "  ", 7, None])
def test_the_name_of_a_check_is_a_text(name: object) -> None:
    assert parse_checks({name: LOW}) == (
        {},
        [f"checks.{name}: the name must be a text; put it in quotes"],
    )
