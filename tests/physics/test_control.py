"""The control of the step: what is done about bins that a step leaves below zero."""

import numpy as np
import pytest

from marsdisk.solver.control import remove_negatives


def test_negative_bins_are_paid_for_by_the_others_and_the_total_is_kept() -> None:
    y = np.array([-0.25, 1.0, 2.0, 0.0, 7.0])
    assert remove_negatives(y, 4, 0.25) == 1
    assert y[:4].sum() == pytest.approx(2.75, rel=1e-15)
    assert y[:4] == pytest.approx([0.0, 2.75 / 3.0, 5.5 / 3.0, 0.0], rel=1e-15)
    assert y[4] == 7.0  # no bin, so not touched


@pytest.mark.parametrize(("y", "allowed"), [([-0.25, 1.0], 0.2), ([-2.0, 1.0], 5.0)])
def test_more_below_zero_than_is_allowed_or_there_is_left_alone(
    y: list[float],
    allowed: float,
) -> None:
    bins = np.array(y)
    assert remove_negatives(bins, 2, allowed) == -1
    assert bins.tolist() == y
