"""The table of totals that a sweep ends with."""

from pathlib import Path

import pytest
from small_sweeps import run_here, sweep_file

import sweep
from sweep.store import reader
from sweep.summary import COLUMNS_SHOWN, totals


@pytest.mark.parametrize("points", [COLUMNS_SHOWN, COLUMNS_SHOWN + 1])
def test_an_axis_of_more_points_than_a_terminal_has_room_for_goes_down_the_table(tmp_path: Path, points: int) -> None:
    T0 = [3000.0 + 100.0 * i for i in range(points)]
    run_here(sweep_file(tmp_path, axes={"temperature.T0": T0}, block=16), tmp_path / "s.zarr")
    table = totals(reader.open_group(tmp_path / "s.zarr"))
    assert table is not None
    values = [f"{M:.4g}" for M in sweep.open_store(tmp_path / "s.zarr").M_loss.values.tolist()]
    if points <= COLUMNS_SHOWN:
        assert [column.header for column in table.columns] == [f"T0 = {T:g}" for T in T0]
        assert [next(iter(column.cells)) for column in table.columns] == values
    else:
        assert [column.header for column in table.columns] == ["T0", "M_loss [M_Mars]"]
        assert [list(column.cells) for column in table.columns] == [[f"{T:g}" for T in T0], values]
