"""What tables, pictures and the page share."""

from pathlib import Path

import numpy as np
import pytest

import sweep
from sweep import views
from sweep.errors import StoreError
from sweep.store import reader


def test_parameters_are_what_differs_between_runs_and_labels_have_units(finished: Path) -> None:
    group = reader.open_group(finished)
    assert views.parameters(group) == ["T0", "r_in_RM", "r_out_RM", "ring"]
    assert [views.label(group, name) for name in ("T0", "M_loss", "steps")] == ["T0 [K]", "M_loss [M_Mars]", "steps"]


def test_cells_are_the_runs_of_the_store(finished: Path) -> None:
    group, dataset = reader.open_group(finished), sweep.open_store(finished)
    cells = views.cells(group, "M_loss", "T0", "ring", {})
    assert (cells.x, cells.y) == ([3000.0, 4000.0], [0, 1, 2])
    assert sorted(cells.run.ravel().tolist()) == list(range(6))
    for (j, i), run in np.ndenumerate(cells.run):
        assert (dataset.T0.values[run], dataset.ring.values[run], dataset.M_loss.values[run]) == (cells.x[i], cells.y[j], cells.value[j, i])
    assert (cells.status == 1).all()
    assert not cells.early.any()


def test_runs_that_share_a_cell_name_the_parameter_to_fix(finished: Path) -> None:
    group = reader.open_group(finished)
    with pytest.raises(StoreError, match=r"several runs share T0 = 3000\.0, T0 = 3000\.0; fix r_in_RM, r_out_RM, ring"):
        views.cells(group, "M_loss", "T0", "T0", {})
    cells = views.cells(group, "M_loss", "T0", "ring", {"r_in_RM": 1.0})
    assert (cells.y, cells.run.shape) == ([0], (1, 2))


def test_a_cell_without_a_run_is_empty_and_not_early(finished: Path) -> None:
    cells = views.cells(reader.open_group(finished), "M_loss", "r_in_RM", "ring", {"T0": 3000.0})
    assert (cells.run >= 0).tolist() == np.eye(3, dtype=bool).tolist()
    assert np.isfinite(cells.value).tolist() == np.eye(3, dtype=bool).tolist()


def test_stopped_early_is_told_from_time_up() -> None:
    assert views.stopped_early(np.arange(7)).tolist() == [False, False, False, False, True, True, True]
