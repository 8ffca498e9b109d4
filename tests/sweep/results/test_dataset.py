"""``dataset.sweep``: disks, failures, configurations, summary; in memory and as Dask arrays."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray
from small_sweeps import HOSTILE, T0_AND_RINGS, run_here, sweep_file

import sweep
from sweep.planning.plan import run_id

CHUNKS: list[Any] = [None, {}]


def is_lazy(array: xarray.DataArray) -> bool:
    return type(array.data).__module__.startswith("dask")


@pytest.mark.parametrize("chunks", CHUNKS)
def test_a_disk_is_the_sum_of_its_rings_and_nan_where_one_lacks(mixed: Path, chunks: Any) -> None:
    runs = sweep.open_store(mixed, chunks=chunks)
    disk = runs.sweep.disk_total()
    assert {"M_loss", "M_supplied"} <= set(disk.data_vars)
    assert not {"t99", "Sigma_0", "M_out_dot"} & set(disk.data_vars)
    assert disk.M_loss.attrs == {"units": "M_Mars", "long_name": "mass lost"}
    assert is_lazy(disk.M_loss) == (chunks is not None)
    for T0 in (3000.0, 4000.0, 5000.0):
        for variant in ("as is", "early", HOSTILE):
            rings = (runs.T0.values == T0) & (runs.variant.values == variant)
            whole = (runs.status.values[rings] == 1).all()
            total = float(disk.M_loss.sel(T0=T0, variant=variant))
            if whole:
                assert total == pytest.approx(runs.M_loss.values[rings].sum(), rel=1e-15)
            else:
                assert np.isnan(total)
    assert int(np.isnan(disk.M_loss.values).sum()) == 3 + 2


def test_a_ring_that_is_no_case_of_the_sweep_leaves_no_sum(tmp_path: Path) -> None:
    run_here(
        sweep_file(tmp_path, axes=T0_AND_RINGS, exclude=[{"ring": 1, "temperature.T0": 4000.0}]),
        tmp_path / "small.zarr",
    )
    assert np.isnan(
        sweep.open_store(tmp_path / "small.zarr").sweep.disk_total().M_loss.values
    ).tolist() == [False, True]


@pytest.mark.parametrize("chunks", CHUNKS)
def test_series_of_disks_are_sums_at_shared_times(finished: Path, mixed: Path, chunks: Any) -> None:
    runs = sweep.open_store(finished, chunks=chunks)
    disk = runs.sweep.disk_total(["M_out_dot", "M_loss"])
    hot_disk = disk.sel(T0=4000.0)
    hot = np.flatnonzero(runs.T0.values == 4000.0)
    np.testing.assert_allclose(
        hot_disk.M_out_dot.values, runs.M_out_dot.values[hot].sum(axis=0), rtol=1e-14
    )
    assert hot_disk.t.values.tolist() == runs.t.values[hot[0]].tolist()
    with pytest.raises(
        ValueError, match=r"rings of a disk ended at different times.*choose disks with \.sel first"
    ):
        sweep.open_store(mixed, chunks=chunks).sweep.disk_total(["M_out_dot"])


def test_what_has_no_sum_is_refused(finished: Path, tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match="t99 does not add up over rings; there are M_available, M_blown, M_loss"
    ):
        sweep.open_store(finished).sweep.disk_total(["t99"])
    run_here(sweep_file(tmp_path, axes={"temperature.T0": [3000.0]}), tmp_path / "small.zarr")
    with pytest.raises(ValueError, match="the sweep has no rings"):
        sweep.open_store(tmp_path / "small.zarr").sweep.disk_total()


def test_arrays_are_lazy_by_blocks_and_the_grid_stays_lazy(finished: Path) -> None:
    lazy = sweep.open_store(finished, chunks={})
    assert lazy.N.chunks[0] == (2, 2, 2)
    grid = lazy.sweep.grid()
    assert is_lazy(grid.N)
    assert is_lazy(grid.M_loss)
    xarray.testing.assert_identical(
        grid.compute(), sweep.open_store(finished).sweep.grid().compute()
    )


@pytest.mark.parametrize("chunks", CHUNKS)
def test_failed_runs_have_their_errors(mixed: Path, chunks: Any) -> None:
    failed = sweep.open_store(mixed, chunks=chunks).sweep.failed()
    assert failed.sizes["run"] == 6
    assert set(failed.variant.values.tolist()) == {HOSTILE}
    assert all("numerics.max_steps = 3 reached" in error for error in failed.error.values.tolist())


@pytest.mark.parametrize("chunks", CHUNKS)
def test_a_configuration_is_found_by_place_and_by_run_id_also_in_a_part(
    mixed: Path, chunks: Any
) -> None:
    runs = sweep.open_store(mixed, chunks=chunks)
    ids = runs.run_id.values.tolist()
    assert [run_id(runs.sweep.config(run)) for run in range(18)] == ids
    assert run_id(runs.sweep.config(ids[7])) == ids[7]
    part = runs.isel(run=[11, 4])
    assert [run_id(part.sweep.config(run)) for run in (0, 1)] == [ids[11], ids[4]]
    assert run_id(runs.isel(run=5).sweep.config(0)) == ids[5]
    assert runs.sweep.command(1).endswith("--set numerics.max_steps=3")
    for nothing in (18, -1, "zz"):
        with pytest.raises(KeyError, match=f"there is no run {nothing!r}; there are 18"):
            runs.sweep.config(nothing)
    assert run_id(runs.sweep.config(runs.run_id[7])) == ids[7]
    assert run_id(runs.sweep.config(np.int64(7))) == ids[7]
    for no_number in (1.5, True, None, [1]):
        with pytest.raises(TypeError, match="by its number or its run_id, not by"):
            runs.sweep.config(no_number)


def test_the_summary_has_states_in_words_units_and_no_markup_but_its_own(mixed: Path) -> None:
    runs = sweep.open_store(mixed)
    lines = repr(runs.sweep).splitlines()
    assert lines[:3] == [
        "sweep small: 18 runs over T0, ring, variant",
        "  status: 2 pending, 10 done, 6 failed",
        "  stop_reason: 5 t_end_years, 5 loss_rate",
    ]
    assert lines[3:]
    assert all(line.startswith("  note: ") for line in lines[3:])
    page = runs.sweep._repr_html_()
    for cells in (
        (
            "<td>T0</td><td>K</td><td>run</td><td>3000 to 5000</td><td>temperature of Mars at t ="
            " 0</td>"
        ),
        (
            "<td>Sigma</td><td>kg m-2</td><td>run, sample</td><td></td><td>surface density of the"
            " dust</td>"
        ),
        "<td>status</td><td></td><td>run</td><td>pending, done, failed",
    ):
        assert cells in page
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "\u202e" not in page
    loss = runs.M_loss.values[runs.status.values == 1]
    assert (
        f"<td>M_loss</td><td>M_Mars</td><td>run</td><td>{loss.min():.6g} to"
        f" {loss.max():.6g}</td><td>mass lost</td>" in page
    )
    assert (
        page.index("<td>T0</td>")
        < page.index("<td>ring</td>")
        < page.index("<td>variant</td>")
        < page.index("<td>max_steps</td>")
    )
    parameters, arrays = page.split("<summary>Arrays</summary>")
    head = "<th>name</th><th>unit</th><th>dimensions</th>"
    assert f"{head}<th>values</th><th>meaning</th>" in parameters
    assert f"{head}<th>range</th><th>meaning</th>" in arrays
    assert "T0" in sweep.open_store(mixed, chunks={}).sweep._repr_html_()


def test_an_axis_with_null_has_nan_there_and_the_numbers_as_they_are(tmp_path: Path) -> None:
    file = sweep_file(tmp_path, axes={"optical_depth.tau_stop": [None, 2.3, 3.0]})
    run_here(file, tmp_path / "s.zarr")
    grid = sweep.open_store(tmp_path / "s.zarr").sweep.grid()
    np.testing.assert_array_equal(grid.tau_stop.values, [2.3, 3.0, np.nan])
    assert (grid.status.values == 1).all()
