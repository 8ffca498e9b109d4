"""Columns and cells of a store, which tables, plots and the page share."""

from pathlib import Path

import numpy as np
import pytest
from small_sweeps import HOSTILE, run_here, sweep_file

import sweep
from sweep.common.errors import StoreError
from sweep.common.states import State
from sweep.results import columns as views
from sweep.results.cells import cells as cells_of
from sweep.store.store import Store


def test_parameters_are_what_differs_between_runs_and_labels_have_units(finished: Path) -> None:
    group = Store.open(finished)
    assert group.parameters == ["T0", "r_in_RM", "r_out_RM", "ring"]
    assert [views.label(group, name) for name in ("T0", "M_loss", "steps")] == [
        "T0 [K]",
        "M_loss [M_Mars]",
        "steps",
    ]


def test_cells_are_the_runs_of_the_store(finished: Path) -> None:
    group = Store.open(finished)
    dataset = sweep.open_store(finished)
    cells = cells_of(views.Columns(group), "M_loss", "T0", "ring", {})
    assert (cells.x, cells.y) == ([3000.0, 4000.0], [0, 1, 2])
    assert sorted(cells.run.ravel().tolist()) == list(range(6))
    for (j, i), run in np.ndenumerate(cells.run):
        assert (dataset.T0.values[run], dataset.ring.values[run], dataset.M_loss.values[run]) == (
            cells.x[i],
            cells.y[j],
            cells.value[j, i],
        )
    assert (cells.state == State.DONE).all()


def test_runs_that_share_a_cell_name_the_parameter_to_fix(finished: Path) -> None:
    group = Store.open(finished)
    with pytest.raises(
        StoreError,
        match=r"several runs share T0 = 3000\.0, T0 = 3000\.0; fix r_in_RM, r_out_RM, ring",
    ):
        cells_of(views.Columns(group), "M_loss", "T0", "T0", {})
    cells = cells_of(views.Columns(group), "M_loss", "T0", "ring", {"r_in_RM": 1.0})
    assert (cells.y, cells.run.shape) == ([0], (1, 2))


def test_a_parameter_that_both_runs_lack_is_not_named(mixed: Path) -> None:
    store = Store.open(mixed)
    name = "mass_loss_rate_stop_Mmars_s"
    lacking = np.flatnonzero(np.isnan(store.column(name)))
    with pytest.raises(StoreError, match="several runs share") as refused:
        cells_of(views.Columns(store), "M_loss", "T0", "T0", {}, among=lacking)
    assert name not in str(refused.value)


def test_a_cell_without_a_run_is_empty_and_not_early(finished: Path) -> None:
    cells = cells_of(
        views.Columns(Store.open(finished)), "M_loss", "r_in_RM", "ring", {"T0": 3000.0}
    )
    assert (cells.run >= 0).tolist() == np.eye(3, dtype=bool).tolist()
    assert (cells.state == State.UNUSED).tolist() == (~np.eye(3, dtype=bool)).tolist()
    assert np.isfinite(cells.value).tolist() == np.eye(3, dtype=bool).tolist()


def test_stopped_early_is_told_from_time_up() -> None:
    assert views.stopped_early(np.arange(7)).tolist() == [
        False,
        False,
        False,
        False,
        True,
        False,
        True,
    ]


def test_cells_over_rings_are_sums_and_as_bad_as_their_worst_ring(mixed: Path) -> None:
    group = Store.open(mixed)
    cells = cells_of(views.Columns(group), "M_loss", "T0", "variant", {}, over="ring")
    assert cells.y == ["as is", HOSTILE, "early"]
    assert [[State(code).word for code in row] for row in cells.state.tolist()] == [
        ["done", "pending", "done"],
        ["failed", "failed", "failed"],
        ["pending", "stopped early", "stopped early"],
    ]
    loss = group.column("M_loss")
    assert cells.value[0, 0] == loss[0] + loss[9]
    assert (np.isfinite(cells.value) == np.isin(cells.state, (State.DONE, State.EARLY))).all()
    part = cells_of(
        views.Columns(group), "M_loss", "T0", "variant", {}, over="ring", among=np.array([0, 9, 6])
    )
    # one ring of the second disk is not among them
    assert part.state.tolist() == [[State.DONE, State.FILTERED]]
    assert part.run.tolist() == [[0, 6]]


def test_a_parameter_that_is_not_given_has_a_cell_of_its_own(mixed: Path) -> None:
    cells = cells_of(
        views.Columns(Store.open(mixed)),
        "M_loss",
        "mass_loss_rate_stop_Mmars_s",
        "T0",
        {"ring": 1, "max_steps": 100000},
    )
    assert cells.x == [1e-18, "null"]
    assert (cells.run >= 0).tolist() == [[True, True]] * 3


def test_columns_are_read_when_named_in_words_and_without_what_is_not_committed(
    mixed: Path,
) -> None:
    columns = views.Columns(Store.open(mixed))
    assert list(columns)[:3] == ["run", "T0", "r_in_RM"]
    assert columns["status"].tolist()[:3] == ["done", "failed", "pending"]
    assert columns["stop_reason"].tolist()[:3] == ["t_end_years", "not_yet", "not_yet"]
    assert np.isnan(columns["M_loss"][2])
    assert columns.where("status == 'pending' or run == 17").tolist() == [2, 3, 17]
    assert columns.where(None).tolist() == list(range(18))
    with pytest.raises(StoreError, match="'N' is no array with one value per run"):
        columns["N"]


def test_a_cell_shows_the_run_that_its_case_shares_with_another(tmp_path: Path) -> None:
    """A variant changes nothing at one of two temperatures; its cell there shows the shared run."""
    file = sweep_file(
        tmp_path,
        axes={"temperature.T0": [3000.0, 4000.0]},
        variants={"base": {}, "at 4000 K": {"temperature.T0": 4000.0}},
    )
    run_here(file, tmp_path / "s.zarr")
    group = Store.open(tmp_path / "s.zarr")
    cells = cells_of(views.Columns(group), "M_loss", "variant", "T0", {})
    of_variant = dict(zip(cells.x, cells.run.T.tolist(), strict=True))
    assert of_variant["base"] == [0, 1]
    assert of_variant["at 4000 K"] == [-1, 1]  # its T0 is 4000 K, whatever the axis says
    assert np.isfinite(cells.value).sum() == 3
    fixed = cells_of(
        views.Columns(group), "M_loss", "T0", "T0", {"variant": "at 4000 K"}, among=np.array([1])
    )
    assert fixed.run.tolist() == [[1]]
