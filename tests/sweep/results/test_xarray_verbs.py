"""Datasets of a store do what others of xarray do: every verb, on runs, grids, and disk totals."""

import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray
import zarr
from small_sweeps import run_here, sweep_file

import sweep

#: An axis of texts, one of numbers with round-off if they were not rounded, and rings.
AXES: dict[str, Any] = {
    "dynamics.e0": {"linspace": [0.1, 0.9, 9]},
    "ring": {"rings": [1.0, 2.7, 2]},
}
VARIANTS = {"as_is": {}, "no_blowout": {"blowout.enabled": False}}


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("verbs")
    file = sweep_file(folder, axes=AXES, variants=VARIANTS, block=6)
    run_here(file, folder / "small.zarr")
    return folder / "small.zarr"


def runs_of(dataset: xarray.Dataset) -> xarray.Dataset:
    return dataset


def grid_of(dataset: xarray.Dataset) -> xarray.Dataset:
    grid: xarray.Dataset = dataset.sweep.grid()
    return grid


def disks_of(dataset: xarray.Dataset) -> xarray.Dataset:
    disks: xarray.Dataset = dataset.sweep.disk_total()
    return disks


VIEWS = {"runs": runs_of, "grid": grid_of, "disk totals": disks_of}


@pytest.fixture(params=VIEWS)
def view(request: pytest.FixtureRequest, stored: Path) -> xarray.Dataset:
    return VIEWS[request.param](sweep.open_store(stored))


@pytest.fixture(params=["grid", "disk totals"])
def cells(request: pytest.FixtureRequest, stored: Path) -> xarray.Dataset:
    """Return a view with a dimension for each axis."""
    return VIEWS[request.param](sweep.open_store(stored))


def test_where_keeps_what_meets_a_condition(view: xarray.Dataset) -> None:
    chosen = view.where(view.e0 > 0.55, drop=True)
    assert np.unique(chosen.e0.values).tolist() == [0.6, 0.7, 0.8, 0.9]
    assert float(chosen.M_loss.max()) == float(view.M_loss.where(view.e0 > 0.55).max())
    elsewhere = view.where(view.e0 > 0.55)
    assert elsewhere.sizes == view.sizes
    assert int(elsewhere.M_loss.isnull().sum()) * 9 == view.M_loss.size * 5


@pytest.mark.parametrize("typed", [0.3, 0.6, 0.7, 0.9])
def test_sel_finds_the_number_that_was_typed(cells: xarray.Dataset, typed: float) -> None:
    assert cells.sel(e0=typed, variant="as_is").e0.item() == typed


def test_reindex_adds_empty_cells(cells: xarray.Dataset) -> None:
    wider = cells.reindex(e0=[0.1, 0.15])
    assert np.isnan(wider.M_loss.sel(e0=0.15)).all()
    assert wider.M_loss.sel(e0=0.1).equals(cells.M_loss.sel(e0=0.1))


def test_align_takes_all_labels(cells: xarray.Dataset) -> None:
    whole, part = xarray.align(cells, cells.isel(e0=[0]), join="outer")
    assert whole.sizes == part.sizes == cells.sizes
    assert part.M_loss.isel(e0=0).equals(cells.M_loss.isel(e0=0))


def test_combine_first_fills_holes(cells: xarray.Dataset) -> None:
    low = cells.sel(e0=slice(None, 0.5))
    high = cells.sel(e0=slice(0.5, None))
    together = low.combine_first(high).M_loss.transpose(*cells.M_loss.dims)
    np.testing.assert_array_equal(together.values, cells.M_loss.values)


def test_groupby_takes_means_of_labels(view: xarray.Dataset) -> None:
    means = view.M_loss.groupby("variant").mean(...)
    is_as_is = view.variant == "as_is"
    expected = float(view.M_loss.where(is_as_is).mean())
    assert float(means.sel(variant="as_is")) == pytest.approx(expected, rel=1e-12)


def test_interp_is_linear_between_labels(cells: xarray.Dataset) -> None:
    between = cells.M_loss.interp(e0=0.25)
    neighbours = cells.M_loss.sel(e0=[0.2, 0.3]).mean("e0")
    np.testing.assert_allclose(between.values, neighbours.values, rtol=1e-12)


def test_merge_joins_what_was_computed(view: xarray.Dataset) -> None:
    share = (view.M_loss / view.M_available).rename("share")
    merged = xarray.merge([view, share], combine_attrs="override", compat="no_conflicts")
    assert {"share", "M_loss"} <= set(merged)


def saved_as_netcdf(dataset: xarray.Dataset, path: Path) -> xarray.Dataset:
    dataset.to_netcdf(path)
    return xarray.load_dataset(path)


def saved_as_zarr(version: int) -> Callable[[xarray.Dataset, Path], xarray.Dataset]:
    def save(dataset: xarray.Dataset, path: Path) -> xarray.Dataset:
        dataset.to_zarr(path, zarr_format=version, consolidated=False)
        return xarray.open_zarr(path, consolidated=False).load()

    return save


def pickled(dataset: xarray.Dataset, path: Path) -> xarray.Dataset:
    path.write_bytes(pickle.dumps(dataset))
    again: xarray.Dataset = pickle.loads(path.read_bytes())
    return again


SAVED = {
    "netcdf": saved_as_netcdf,
    "zarr 2": saved_as_zarr(2),
    "zarr 3": saved_as_zarr(3),
    "pickle": pickled,
}


@pytest.mark.parametrize("version", [2, 3])
def test_zeros_are_saved_as_every_other_number_for_zarr_2_makes_up_what_is_missing(
    view: xarray.Dataset, tmp_path: Path, version: int
) -> None:
    view.to_zarr(tmp_path / "saved.zarr", zarr_format=version, consolidated=False)
    saved = zarr.open_group(tmp_path / "saved.zarr", mode="r")
    assert not view.M_loss_other.values.any()
    lacking = [name for name, array in saved.arrays() if array.nchunks_initialized < array.nchunks]
    assert lacking == []


@pytest.mark.parametrize("how", SAVED)
@pytest.mark.parametrize(
    ("name", "chunks", "part"),
    [
        ("runs", None, slice(None)),
        ("runs", None, [0, 7]),
        ("runs", {}, slice(3, 20)),
        ("grid", None, slice(None)),
        ("grid", {}, slice(3, 7)),
        ("disk totals", None, slice(None)),
    ],
    ids=["runs", "some", "lazy part", "grid", "lazy part of the grid", "disk totals"],
)
def test_what_is_saved_and_read_again_is_the_same_and_still_a_sweep(
    stored: Path, tmp_path: Path, name: str, chunks: Any, part: Any, how: str
) -> None:
    dataset = VIEWS[name](sweep.open_store(stored, chunks=chunks))
    dimension = "run" if name == "runs" else "e0"
    chosen = dataset.isel({dimension: part})
    if name == "runs" and chunks is not None:
        # as xarray asks for parts of Dask arrays that begin within a chunk
        chosen = chosen.chunk({"run": 6})
    again = SAVED[how](chosen, tmp_path / "saved")
    xarray.testing.assert_equal(again, chosen)
    assert again.M_loss.attrs == chosen.M_loss.attrs
    assert again.sweep.axes == ["e0", "ring", "variant"]
    if name == "runs":
        assert repr(again.sweep) == repr(chosen.sweep)
        assert again.sweep.config(0).dynamics.e0 == again.e0.values[0]


def test_to_dataframe_has_texts_and_numbers(view: xarray.Dataset) -> None:
    scalars = view[[name for name in view if set(view[name].dims) <= set(view.M_loss.dims)]]
    frame = scalars.to_dataframe()
    assert len(frame) == view.M_loss.size
    assert set(frame.reset_index()["variant"]) == set(VARIANTS)


def test_cells_without_a_run_have_no_text_and_are_false(tmp_path: Path) -> None:
    axes = {"dynamics.e0": [0.1, 0.2], "temperature.T0": [3000.0, 4000.0]}
    file = sweep_file(tmp_path, axes=axes, exclude=[{"dynamics.e0": 0.1, "temperature.T0": 4000.0}])
    run_here(file, tmp_path / "s.zarr")
    grid = sweep.open_store(tmp_path / "s.zarr").sweep.grid()
    hole = grid.sel(e0=0.1, T0=4000.0)
    assert (hole.run_id.item(), hole.in_product.item(), hole.status.item()) == ("", False, 0)
    assert grid.in_product.dtype == bool


def test_a_copy_of_xarray_is_no_store_to_run_into_and_that_is_said(
    stored: Path, tmp_path: Path
) -> None:
    sweep.open_store(stored).to_zarr(tmp_path / "copy.zarr", consolidated=False)
    with pytest.raises(sweep.StoreError, match=r"saved by xarray.*xarray\.open_zarr"):
        sweep.open_store(tmp_path / "copy.zarr")


@pytest.fixture(scope="module")
def with_a_hole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store of a product that lacks a case."""
    folder = tmp_path_factory.mktemp("hole")
    axes = {"temperature.T0": [3000.0, 4000.0], "ring": {"rings": [1.0, 2.7, 2]}}
    excluded = [{"temperature.T0": 3000.0, "ring": 1}]
    run_here(sweep_file(folder, axes=axes, exclude=excluded), folder / "s.zarr")
    return folder / "s.zarr"


def test_a_store_that_xarray_itself_opens_has_grids_and_sums_with_holes(with_a_hole: Path) -> None:
    own = sweep.open_store(with_a_hole)
    plain = xarray.open_zarr(with_a_hole, consolidated=False)
    assert plain.sweep.grid().error.values.tolist() == own.sweep.grid().error.values.tolist()
    sums = plain.sweep.disk_total().M_loss.values
    np.testing.assert_array_equal(sums, own.sweep.disk_total().M_loss.values)


IN_A_NEW_PROCESS = """
import sys, warnings
import numpy as np
import xarray
warnings.simplefilter("error", RuntimeWarning)
assert not any(name.split(".")[0] == "sweep" for name in sys.modules)
saved, store = sys.argv[1:]
print(xarray.open_dataset(saved).sweep.disk_total().sizes["T0"])
print(xarray.open_dataset(store, engine="sweep").sweep.disk_total().sizes["T0"])
print("M_loss" in xarray.open_dataset(store, engine="sweep", drop_variables="M_loss"))
"""


def test_what_was_saved_is_a_sweep_in_a_new_process_that_imports_xarray_alone(
    with_a_hole: Path, tmp_path: Path
) -> None:
    sweep.open_store(with_a_hole).to_netcdf(tmp_path / "runs.nc")
    words = [sys.executable, "-c", IN_A_NEW_PROCESS, str(tmp_path / "runs.nc"), str(with_a_hole)]
    done = subprocess.run(
        words, capture_output=True, text=True, check=False, timeout=120, cwd=tmp_path
    )
    assert (done.returncode, done.stdout.split()) == (0, ["2", "2", "False"]), done.stderr
