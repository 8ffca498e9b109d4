"""The table of totals that a sweep ends with."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_sweeps import run_here, sweep_file

import sweep
from sweep import plots
from sweep.report.totals import MAX_COLUMNS, totals
from sweep.results.effects import Effect, effects, strongest_first
from sweep.results.outcomes import FAILED, GOOD, Outcomes, outcomes
from sweep.store.location import Location
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


def cells_of(store: Path | Location) -> list[list[str]]:
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


LONG: dict[str, Any] = {
    "collisions.alpha_frag": [3.0, 3.2, 3.4, 3.5, 3.6],
    "dynamics.i0": [0.01, 0.05, 0.1],
    "temperature.T0": [3000.0 + 140.0 * i for i in range(15)],
}


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Return a store of 224 runs; one more is excluded from its product."""
    folder = tmp_path_factory.mktemp("long")
    settings = {"numerics.t_end_years": 0.001, "sizes.n_bins": 20}
    excluded = [{key: values[-1] for key, values in LONG.items()}]
    file = sweep_file(folder, axes=LONG, set=settings, exclude=excluded, block=225)
    run_here(file, folder / "s.zarr")
    return Store.open(folder / "s.zarr")


def test_a_long_product_shows_the_axes_that_change_the_result_most(long: Store) -> None:
    words = [effect.words for effect in effects(outcomes(long, "M_loss"))]
    assert [axis.split()[0] for axis in words] == ["i0", "T0", "alpha_frag"]
    table = totals(long)
    assert table is not None
    assert table.columns[0].header == "T0"
    assert len(table.rows) == 15
    assert str(table.title).endswith("; medians (least to largest) over alpha_frag")
    assert "medians change: i0 by 20 %, T0 by 0.0021 %, alpha_frag by " in str(table.caption)


def test_a_heat_map_begins_with_the_axes_that_change_the_result_most(long: Store) -> None:
    assert strongest_first(long, "M_loss") == ["i0", "T0", "alpha_frag"]
    assert strongest_first(long, "block") == [*long.axes]
    panels = plots.draw(long, "heatmap").axes
    assert any(panel.get_xlabel().startswith("i0") for panel in panels)
    assert panels[0].get_ylabel().startswith("T0")


def test_cells_of_a_long_product_are_medians_over_the_axes_left_out(long: Store) -> None:
    dataset = sweep.open_store(long.location)
    cell = cells_of(long.location)[0][1]
    is_of_cell = (dataset.T0.values == 3000.0) & (dataset.i0.values == 0.01)
    values = dataset.M_loss.values[is_of_cell]
    assert values.size == 5
    unit = float(str(totals(long).title).split("[")[1].split()[0])  # type: ignore[union-attr]
    assert cell.partition(" (")[0] == f"{np.median(values) / unit:.4g}"


def test_cells_of_a_long_product_count_what_has_no_result(long: Store) -> None:
    assert cells_of(long.location)[-1][-1].endswith(", 1 excluded")


def test_changes_of_one_key_at_a_time_are_rows(tmp_path: Path) -> None:
    changes = {"temperature.T0": [3000.0], "sizes.n_bins": [30]}
    run_here(sweep_file(tmp_path, one_at_a_time=changes), tmp_path / "s.zarr")
    names = [row[0] for row in cells_of(tmp_path / "s.zarr")]
    assert names == ["base", "temperature.T0 = 3000.0", "sizes.n_bins = 30"]


def made_outcomes(value: dict[tuple[float, float], float]) -> Outcomes:
    """Return outcomes of a product of x and y; cases that are not given are excluded."""
    x, y = np.array(list(value)).T
    numbers = np.array(list(value.values()))
    return Outcomes(
        target="M_loss",
        unit="M_Mars",
        log=False,
        rings="",
        axes=("x", "y"),
        labels={"x": x, "y": y},
        columns={},
        value=numbers,
        state=np.where(np.isfinite(numbers), GOOD, FAILED).astype(np.uint8),
        notes=None,  # type: ignore[arg-type] # not looked at
    )


@pytest.mark.parametrize("lost", ["excluded", "failed"])
def test_effects_compare_the_same_cases_of_all_other_axes(lost: str) -> None:
    # y does next to nothing; x, ten times each time
    value = {(x, y): 10.0**x * (1.0 + 0.01 * y) for x in range(4) for y in range(3)}
    whole = {effect.axis: effect.words for effect in effects(made_outcomes(value))}
    for x in (0, 1, 2):
        value[x, 2] = np.nan
    if lost == "excluded":
        value = {key: number for key, number in value.items() if np.isfinite(number)}
    found = {effect.axis: effect.words for effect in effects(made_outcomes(value))}
    assert whole == {"x": "x 1,000-fold", "y": "y by 2 %"}
    assert found == {"x": "x 1,000-fold", "y": "y by 2 %"}


def test_an_axis_without_two_comparable_cases_says_so() -> None:
    value = {(0.0, 0.0): 1.0, (1.0, 1.0): 2.0}
    words = [effect.words for effect in effects(made_outcomes(value))]
    assert words == ["x cannot be compared", "y cannot be compared"]


def test_labels_that_differ_far_behind_the_point_are_told_apart(tmp_path: Path) -> None:
    axes = {"temperature.T0": [4000.001 + 0.001 * i for i in range(MAX_COLUMNS + 1)]}
    run_here(sweep_file(tmp_path, axes=axes, block=16), tmp_path / "s.zarr")
    labels = [row[0] for row in cells_of(tmp_path / "s.zarr")]
    assert labels[:2] == ["4000.001", "4000.002"]


@pytest.mark.parametrize(
    ("lowest", "highest", "words"),
    [
        (1.0, 9.24, "mu 9.24-fold"),
        (1.0, 1.004, "mu by 0.4 %"),
        (1.0, 1.998, "mu by 100 %"),
        (2.0, 2.0, "mu not at all"),
        (0.0, 3.0, "mu from 0 to 3"),
        (-1.0, 2.0, "mu from -1 to 2"),
        (0.0, 0.0, "mu not at all"),
        (np.nan, np.nan, "mu cannot be compared"),
    ],
)
def test_an_effect_is_told_in_words(lowest: float, highest: float, words: str) -> None:
    assert Effect("mu", lowest, highest).words == words


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
