"""Files keep the CF conventions: units of UDUNITS, flags of one type, names, and coordinates."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5netcdf
import numpy as np
import pytest
import xarray

import sweep
from marsdisk.config import RunConfig
from marsdisk.config.keys import config_keys, metadata
from marsdisk.physics.constants import M_MARS, R_MARS, YEAR
from sweep.results.conventions import cf_attributes, store_unit, udunits
from sweep.results.export import Extract, export
from sweep.store import layout
from sweep.store.store import Store

VIEWS = ("runs", "grid", "disk totals")


def units_of_model() -> set[str]:
    """Return the units of all arrays of results and of all keys that may be swept."""
    arrays = {str(array.attributes.get("units", "1")) for array in layout.EVERY_VARIABLE}
    return arrays | {metadata(key, "unit") or "1" for key in config_keys(RunConfig).values()}


def test_udunits_knows_every_unit() -> None:
    known = pytest.importorskip("cf_units")
    assert {"M_Mars s-1", "R_M", "yr", "T_orb", "byte"} <= units_of_model()
    for unit in units_of_model():
        known.Unit(udunits(unit))


@pytest.mark.parametrize(
    ("unit", "in_si", "si"),
    [
        ("M_Mars", M_MARS, "kg"),
        ("M_Mars s-1", M_MARS, "kg s-1"),
        ("R_M", R_MARS, "m"),
        ("yr", YEAR, "s"),
        ("bar", 1e5, "Pa"),
        ("m2 kg-1", 1.0, "m2 kg-1"),
    ],
)
def test_udunits_gives_a_unit_the_size_that_it_has_in_the_model(
    unit: str, in_si: float, si: str
) -> None:
    known = pytest.importorskip("cf_units")
    assert known.Unit(udunits(unit)).convert(1.0, si) == pytest.approx(in_si, rel=1e-12)


def test_attributes_of_cf_change_once_and_say_what_the_store_says() -> None:
    stored = {"units": "M_Mars s-1", "long_name": "mass blown out per time"}
    attributes = cf_attributes("M_out_dot", stored, "f8")
    assert attributes["units"] == "6.4171e+23 kg s-1"
    assert cf_attributes("M_out_dot", attributes, "f8") == attributes
    assert store_unit(attributes) == store_unit(stored) == "M_Mars s-1"
    assert cf_attributes("t99", {"units": "s"}, "f8") == {"units": "s", "long_name": "t99"}
    of_a_list = {"units": "1", "long_name": "", "config_key": "qstar.rows.0.Qs"}
    assert cf_attributes("Qs", of_a_list, "f8")["long_name"] == "qstar.rows.0.Qs"


def findings(path: Path) -> Iterator[str]:
    """Yield what the CF conventions would not have in a file."""
    with h5netcdf.File(path) as file:
        of_file = dict(file.attrs)
        for key in ("Conventions", "title", "source", "history"):
            if not of_file.get(key):
                yield f"no {key}"
        sizes = {name: dimension.size for name, dimension in file.dimensions.items()}
        for name, variable in file.variables.items():
            yield from (f"{name}: {finding}" for finding in findings_of(variable, file, sizes))


def findings_of(variable: Any, file: Any, sizes: dict[str, int]) -> Iterator[str]:
    attributes = dict(variable.attrs)
    name = variable.name.strip("/")
    is_text = variable.dtype.kind not in "fiu"
    if not re.fullmatch("[A-Za-z][A-Za-z0-9_]*", name):
        yield "name"
    if not attributes.get("long_name"):
        yield "no long_name"
    flags = [key for key in ("flag_values", "flag_masks") if key in attributes]
    yield from findings_of_flags(variable, attributes, flags)
    if "units" in attributes:
        pytest.importorskip("cf_units").Unit(attributes["units"])
    elif not (is_text or flags):
        yield "no units"
    if name in sizes:
        if is_text or "_FillValue" in attributes or variable.dimensions != (name,):
            yield "no coordinate variable"
        elif not (np.diff(variable[...]) > 0).all():
            yield "not ascending"
    for key in ("coordinates", "ancillary_variables"):
        for other in attributes.get(key, "").split():
            if not set(file.variables[other].dimensions) <= set(variable.dimensions):
                yield f"{other} has other dimensions"


def findings_of_flags(variable: Any, attributes: dict[str, Any], flags: list[str]) -> Iterator[str]:
    for key in flags:
        words = attributes["flag_meanings"].split()
        if np.asarray(attributes[key]).dtype != variable.dtype:
            yield f"{key} of another type"
        if np.size(attributes[key]) != len(words) or len(set(words)) != len(words):
            yield f"{key} without a word each"


@pytest.mark.parametrize("series", [False, True])
@pytest.mark.parametrize("columns", [None, ["M_loss"], ["T0", "status", "error"]])
def test_an_exported_file_keeps_the_conventions(
    mixed: Path, tmp_path: Path, columns: list[str] | None, *, series: bool
) -> None:
    path = tmp_path / "runs.nc"
    export(Extract.of(Store.open(mixed), columns=columns, series=series), "netcdf", path)
    assert list(findings(path)) == []


def viewed(store: Path, view: str) -> xarray.Dataset:
    runs = sweep.open_store(store)
    if view == "grid":
        return runs.sweep.grid()
    return runs.sweep.disk_total() if view == "disk totals" else runs


@pytest.mark.parametrize("view", VIEWS)
def test_a_dataset_as_cf_is_saved_as_the_conventions_ask(
    mixed: Path, tmp_path: Path, view: str
) -> None:
    path = tmp_path / "view.nc"
    viewed(mixed, view).sweep.as_cf().to_netcdf(path)
    assert list(findings(path)) == []


@pytest.mark.parametrize("view", VIEWS)
def test_as_cf_leaves_values_and_the_dataset_that_it_is_of_as_they_are(
    mixed: Path, view: str
) -> None:
    dataset = viewed(mixed, view)
    before = dataset.copy(deep=True)
    cf = dataset.sweep.as_cf()
    xarray.testing.assert_identical(dataset, before)
    assert dataset.M_loss.attrs["units"] == "M_Mars"
    for name in dataset.data_vars:
        np.testing.assert_array_equal(cf[name].values, dataset[name].values)
    xarray.testing.assert_identical(cf.sweep.as_cf(), cf)


def test_only_numbers_that_rise_or_fall_are_coordinates_of_cf(mixed: Path) -> None:
    grid = sweep.open_store(mixed).sweep.grid()
    assert {"variant_label", "cache_label", "T0", "ring"} <= set(grid.sweep.as_cf().coords)
    falling = grid.isel(T0=slice(None, None, -1)).sweep.as_cf()
    assert falling.indexes["T0"].is_monotonic_decreasing
    for values in ([3000.0, np.nan], [3000.0, 3000.0]):
        cf = grid.isel(T0=[0, 1]).assign_coords(T0=values).sweep.as_cf()
        assert "T0" not in cf.coords
        np.testing.assert_array_equal(cf.T0_label.values, values)


def test_a_file_of_cf_is_still_a_sweep(mixed: Path, tmp_path: Path) -> None:
    runs = sweep.open_store(mixed)
    runs.sweep.as_cf().to_netcdf(tmp_path / "runs.nc")
    again = xarray.load_dataset(tmp_path / "runs.nc")
    assert again.sweep._repr_html_() == runs.sweep._repr_html_()
    total = runs.sweep.disk_total().M_loss
    np.testing.assert_array_equal(again.sweep.disk_total().M_loss.values, total.values)


def test_the_axes_of_a_grid_have_units_and_meanings(mixed: Path) -> None:
    runs = sweep.open_store(mixed)
    assert runs.sweep.grid().T0.attrs == runs.T0.attrs
    assert runs.sweep.disk_total().T0.attrs["units"] == "K"
