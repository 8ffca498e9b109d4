"""The table of totals that a sweep ends with."""

from pathlib import Path

import numpy as np
import pytest
from small_sweeps import run_here, sweep_file

import sweep
from sweep.report.totals import MAX_COLUMNS, totals
from sweep.results.outcomes import outcomes
from sweep.store.store import Store


@pytest.mark.parametrize("points", [MAX_COLUMNS, MAX_COLUMNS + 1])
def test_an_axis_of_more_points_than_a_terminal_has_room_for_goes_down_the_table(
    tmp_path: Path, points: int
) -> None:
    T0 = [3000.0 + 100.0 * i for i in range(points)]
    run_here(sweep_file(tmp_path, axes={"temperature.T0": T0}, block=16), tmp_path / "s.zarr")
    table = totals(Store.open(tmp_path / "s.zarr"))
    assert table is not None
    losses = sweep.open_store(tmp_path / "s.zarr").M_loss.values / 1e-12
    values = [f"{M:.4g}" for M in losses.tolist()]
    if points <= MAX_COLUMNS:
        assert [column.header for column in table.columns] == [f"T0 = {T:g}" for T in T0]
        assert [next(iter(column.cells)) for column in table.columns] == values
    else:
        assert [column.header for column in table.columns] == ["T0", "M_loss [1e-12 M_Mars]"]
        assert [list(column.cells) for column in table.columns] == [[f"{T:g}" for T in T0], values]


def cells_of(store: Path) -> list[list[str]]:
    table = totals(Store.open(store))
    assert table is not None
    columns = [column.cells for column in table.columns]
    return [list(row) for row in zip(*columns, strict=True)]


def test_a_disk_that_lacks_a_ring_has_no_sum_and_says_so(tmp_path: Path) -> None:
    axes = {"ring": {"rings": [1.0, 2.0, 3]}, "temperature.T0": [3000.0, 4000.0]}
    run_here(
        sweep_file(tmp_path, axes=axes, exclude=[{"ring": 0, "temperature.T0": 3000.0}]),
        tmp_path / "s.zarr",
    )
    ((lacking, whole),) = cells_of(tmp_path / "s.zarr")
    assert lacking == "excluded"
    assert float(whole) == pytest.approx(
        float(sweep.open_store(tmp_path / "s.zarr").sweep.disk_total().M_loss[1]) / 1e-12, rel=1e-3
    )


def test_a_shared_run_stands_in_the_table_of_totals_for_each_of_its_cases(tmp_path: Path) -> None:
    run_here(
        sweep_file(
            tmp_path,
            axes={"temperature.T0": [3000.0, 4000.0]},
            variants={"a": {}, "b": {"temperature.T0": 3500.0}},
        ),
        tmp_path / "s.zarr",
    )
    (_, *first), (_, *second) = cells_of(tmp_path / "s.zarr")
    assert first[1] == second[1]
    assert "-" not in [*first, *second]


NULL_AXES = {"optical_depth.tau_stop": [None, 3.0, 2.0], "temperature.T0": [3000.0, 4000.0]}


def test_an_axis_may_have_null_among_its_values(tmp_path: Path) -> None:
    run_here(sweep_file(tmp_path, axes=NULL_AXES), tmp_path / "s.zarr")
    dataset = sweep.open_store(tmp_path / "s.zarr")
    grid = dataset.sweep.grid()
    assert dict(grid.sizes)["tau_stop"] == 3
    assert np.isnan(grid.tau_stop.values).tolist() == [False, False, True]
    assert (grid.status == 1).all()
    alone = dataset.M_loss.values[np.isnan(dataset.tau_stop.values) & (dataset.T0.values == 4000.0)]
    assert grid.M_loss.isel(tau_stop=2).sel(T0=4000.0).values.tolist() == alone[0]
    table = cells_of(tmp_path / "s.zarr")
    assert [row[0] for row in table] == ["2", "3", "null"]
    assert all("-" not in row for row in table)
    cases = outcomes(Store.open(tmp_path / "s.zarr"), "M_loss")
    groups = cases.groups({"tau_stop": cases.columns["tau_stop"]})
    assert sorted((str(labels["tau_stop"]), rows.size) for labels, rows in groups) == [
        ("2.0", 2),
        ("3.0", 2),
        ("null", 2),
    ]


def test_rings_are_added_up_where_another_axis_has_null(tmp_path: Path) -> None:
    axes = {"optical_depth.tau_stop": [None, 3.0], "ring": {"rings": [1.0, 2.0, 2]}}
    run_here(sweep_file(tmp_path, axes=axes), tmp_path / "s.zarr")
    cases = outcomes(Store.open(tmp_path / "s.zarr"), "M_loss")
    assert cases.value.size == 2
    assert np.isfinite(cases.value).all()
    assert dict(sweep.open_store(tmp_path / "s.zarr").sweep.disk_total().sizes) == {"tau_stop": 2}
