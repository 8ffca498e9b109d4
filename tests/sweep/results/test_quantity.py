"""The unit and the words in which a quantity is read, the same in every view."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from small_sweeps import run_here, sweep_file

from marsdisk.physics.constants import YEAR
from sweep import plots
from sweep.cli import main
from sweep.results.quantity import (
    Quantity,
    is_logarithmic,
    is_logarithmic_time,
    quantities_together,
    remark_on_units,
    unit_in_mathtext,
)
from sweep.store import layout
from sweep.store.store import Store

RINGS = {"ring": {"rings": [1.0, 2.0, 4]}, "temperature.T0": [3000.0, 4000.0]}


@pytest.fixture(scope="module")
def rings(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Make a store of two disks of four rings."""
    folder = tmp_path_factory.mktemp("rings")
    run_here(sweep_file(folder, axes=RINGS), folder / "rings.zarr")
    return Store.open(folder / "rings.zarr")


@pytest.mark.parametrize(
    ("name", "values", "head", "shown"),
    [
        ("M_loss", [5e-324], "M_loss [M_Mars]", [5e-324]),
        ("wall_time", [4.0 * YEAR], "wall_time [s]", [4.0 * YEAR]),
        ("t99", [0.5 * YEAR, 2.0 * YEAR, np.nan], "t99 [yr]", [0.5, 2.0, np.nan]),
        ("t99", [60.0, 86400.0], "t99 [s]", [60.0, 86400.0]),
        ("s_blow", [0.0, 3.8e-6], "s_blow [µm]", [0.0, 3.8]),
        ("s_blow", [3.8e-6, 0.2], "s_blow [m]", [3.8e-6, 0.2]),
        ("M_loss", [2.4e-9, 3.1e-8, 0.0], "M_loss [1e-9 M_Mars]", [2.4, 31.0, 0.0]),
        ("M_loss", [-2.4e-9, 3.1e-8], "M_loss [1e-9 M_Mars]", [-2.4, 31.0]),
        ("M_loss", [2.4e-14, 3.1e-8], "M_loss [M_Mars]", [2.4e-14, 3.1e-8]),
        ("M_loss", [0.2, 30.0], "M_loss [M_Mars]", [0.2, 30.0]),
        ("M_loss", [0.0, np.nan], "M_loss [M_Mars]", [0.0, np.nan]),
        ("M_out_dot", [1e-15], "M_out_dot [1e-15 M_Mars s-1]", [1.0]),
        ("tau_max", [1e-9], "tau_max", [1e-9]),
        ("Sigma_final", [1e-9], "Sigma_final [kg m-2]", [1e-9]),
    ],
)
def test_a_result_is_read_in_the_unit_that_suits_its_values(
    rings: Store, name: str, values: list[float], head: str, shown: list[float]
) -> None:
    quantity = Quantity.of(rings, name, values)
    assert quantity.head == head
    assert quantity.convert(values) == pytest.approx(shown, rel=1e-12, nan_ok=True)


@given(largest=st.floats(1e-280, 1e300), fraction=st.floats(1e-2, 1.0))
def test_masses_are_read_as_numbers_of_few_digits(
    rings: Store, largest: float, fraction: float
) -> None:
    quantity = Quantity.of(rings, "M_loss", [largest, largest * fraction])
    assert 0.999e-3 < quantity.convert(largest) < 1.001e4


def test_a_parameter_is_read_in_the_unit_of_its_key(tmp_path: Path) -> None:
    file = sweep_file(tmp_path, axes={"sizes.s_min": [1.0e-7, 2.0e-7]})
    run_here(file, tmp_path / "s.zarr")
    store = Store.open(tmp_path / "s.zarr")
    assert Quantity.of(store, "s_min", store.column("s_min")).head == "s_min [m]"


def test_an_axis_of_rings_has_their_radii(rings: Store) -> None:
    along = Quantity.of_axis(rings, "ring")
    assert along.head == "ring radius [R_M]"
    assert [along.label_of(ring) for ring in range(4)] == [1.125, 1.375, 1.625, 1.875]
    assert Quantity.of_axis(rings, "T0").head == "T0 [K]"
    assert Quantity.of_axis(rings, "T0").label_of(3000.0) == 3000.0
    assert Quantity.of(rings, "ring").head == "ring"


def test_a_unit_that_is_not_that_of_the_store_is_remarked_on(rings: Store) -> None:
    t99 = Quantity.of(rings, "t99", [YEAR])
    loss = Quantity.of(rings, "M_loss", [1e-9])
    end = Quantity.of(rings, "t_end", [YEAR])
    T0 = Quantity.of(rings, "T0")
    assert remark_on_units([T0]) == ""
    assert remark_on_units([t99, T0]) == "t99 is shown in yr; conditions and files use s"
    assert remark_on_units([t99, loss, end]) == (
        "t99, t_end are shown in yr; conditions and files use s. M_loss is shown in 1e-9 M_Mars;"
        " conditions and files use M_Mars"
    )
    assert remark_on_units([Quantity.of_axis(rings, "ring")]) == (
        "Rings are shown by their radius; conditions use their number"
    )


def test_columns_of_a_table_have_one_unit_where_the_store_has_one(rings: Store) -> None:
    columns = {
        "M_loss": np.array([2e-9, 3e-9]),
        "M_loss_other": np.array([0.0, 5e-11]),
        "t_end": np.array([2.0 * YEAR]),
        "t99": np.array([60.0]),
        "wall_time": np.array([0.5]),
        "T0": np.array([3000.0]),
        "steps": np.array([7]),
    }
    quantities = quantities_together(rings, columns)
    assert {name: quantity.unit for name, quantity in quantities.items()} == {
        "M_loss": "1e-9 M_Mars",
        "M_loss_other": "1e-9 M_Mars",
        "t_end": "yr",
        "t99": "yr",
        "wall_time": "s",
        "T0": "K",
        "steps": "1",
    }


def test_times_that_are_evenly_spaced_are_not_shown_by_their_logarithm() -> None:
    even = np.linspace(0.0, 2.0, 200)
    wide = np.concatenate([[0.0], np.geomspace(1e-6, 2.0, 200)])
    assert is_logarithmic(even[1:])
    assert not is_logarithmic_time([even])
    assert is_logarithmic_time([wide])
    assert is_logarithmic_time([wide, wide, even[:3]])
    assert not is_logarithmic_time([np.zeros(1)])
    assert not is_logarithmic_time([])


@pytest.mark.parametrize(
    ("unit", "typeset"),
    [
        ("K", r"$\mathrm{K}$"),
        ("M_Mars", r"$M_\mathrm{Mars}$"),
        ("kg m-2", r"$\mathrm{kg}\,\mathrm{m}^{-2}$"),
        ("1e-12 M_Mars s-1", r"$10^{-12}\,M_\mathrm{Mars}\,\mathrm{s}^{-1}$"),
    ],
)
def test_units_are_typeset(unit: str, typeset: str) -> None:
    assert unit_in_mathtext(unit) == typeset


def test_symbols_are_of_results_and_can_be_typeset(rings: Store) -> None:
    names = {variable.name for variable in layout.EVERY_VARIABLE}
    assert layout.SYMBOLS.keys() <= names
    for name in layout.SYMBOLS:
        figure = Figure()
        figure.text(0.5, 0.5, Quantity.of(rings, name).mathtext)
        figure.canvas.draw()  # raises where TeX is wrong


def test_on_paper_axes_have_symbols_and_on_a_screen_names(rings: Store) -> None:
    figures = {
        style: plots.draw(rings, "heatmap", style=style, y="ring", name="t99")
        for style in ("screen", "paper")
    }
    bars = {style: figure.axes[-1].get_ylabel() for style, figure in figures.items()}
    assert bars["screen"].startswith("t99 [")
    assert bars["paper"].startswith("$t_{99}$ [$\\mathrm{")
    assert figures["screen"].axes[0].get_ylabel() == "ring radius [R_M]"
    ticks = [label.get_text() for label in figures["screen"].axes[0].get_yticklabels()]
    assert ticks == ["1.125", "1.375", "1.625", "1.875"]


def test_the_table_of_runs_says_in_which_units_conditions_are(
    rings: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(["show", str(rings.location), "--columns", "ring,M_loss,Sigma_0"])
    assert end.value.code == 0
    out = " ".join(capsys.readouterr().out.split())
    losses = rings.column("M_loss")
    quantity = Quantity.of(rings, "M_loss", losses)
    assert quantity.unit != "M_Mars"
    assert remark_on_units([quantity]) in out
    assert f"{quantity.convert(losses[0]):.4g}" in out
    assert "radius" not in out


def test_a_case_of_no_ring_has_no_radius(tmp_path: Path) -> None:
    file = sweep_file(tmp_path, axes=RINGS, include=[{"temperature.T0": 3500.0}])
    run_here(file, tmp_path / "s.zarr")
    along = Quantity.of_axis(Store.open(tmp_path / "s.zarr"), "ring")
    assert along.with_unit(3, "3") == "3 (1.875 R_M)"
    assert along.with_unit("null", "null") == "null"


def test_rings_that_hardly_differ_are_told_apart(tmp_path: Path) -> None:
    file = sweep_file(tmp_path, axes={"ring": {"rings": [1.5, 1.501, 4]}})
    run_here(file, tmp_path / "s.zarr")
    radii = Quantity.of_axis(Store.open(tmp_path / "s.zarr"), "ring").radii
    assert len({*radii.values()}) == 4


def test_the_symbol_takes_the_place_of_the_name_and_of_no_letter_within_a_word(
    rings: Store,
) -> None:
    radius = Quantity.of(rings, "s", [1e-6], "grain radius s")
    assert radius.mathtext == r"grain radius $s$ [$\mathrm{µm}$]"
