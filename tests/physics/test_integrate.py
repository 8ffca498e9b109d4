"""The loop over steps."""

from collections.abc import Callable

from marsdisk.config import RunConfig
from marsdisk.notes import Note
from marsdisk.zero_d import run_zero_d


def test_a_run_within_its_tables_has_no_note_of_them(shipped: Callable[..., RunConfig]) -> None:
    result = run_zero_d(shipped("melt_simple"))
    assert result.steps_beyond_qpr == 0
    assert Note.BEYOND_QPR_TABLE not in result.notes


def test_steps_come_to_the_length_that_their_error_allows(
    shipped: Callable[..., RunConfig],
) -> None:
    """A new length goes with the error to the power of -1/order.

    Any other power overshoots, and every second step is tried in vain.
    """
    result = run_zero_d(shipped("melt_simple"))
    assert result.steps_rejected <= result.steps // 4
