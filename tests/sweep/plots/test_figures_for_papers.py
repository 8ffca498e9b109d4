"""Figures for papers: colour maps, units, curves over a parameter, bands, numbers in cells."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Text
from small_sweeps import in_one_line, run_command, run_here, sweep_file

from marsdisk.physics.constants import M_MARS, YEAR
from sweep import plots
from sweep.common.errors import StoreError
from sweep.plots import colours, heatmap
from sweep.plots.bands import Band, band_legend, draw_bands
from sweep.results.curves import Curve
from sweep.store.store import Store

T0_AND_RHO = {
    "temperature.T0": [3000.0 + 100.0 * i for i in range(9)],
    "material.rho": [2700.0, 3000.0, 3270.0],
}
SUPPLIES = {"supply.mu_orbit10pct": {"loguniform": [0.3, 3.0]}}


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store of nine temperatures and three densities."""
    folder = tmp_path_factory.mktemp("grid")
    run_here(sweep_file(folder, axes=T0_AND_RHO), folder / "small.zarr")
    return folder / "small.zarr"


@pytest.fixture(scope="module")
def sampled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store of 24 supplies drawn at random, each at two temperatures."""
    folder = tmp_path_factory.mktemp("sampled")
    sample = {"method": "random", "n": 24, "axes": SUPPLIES}
    axes = {"temperature.T0": [3000.0, 4000.0]}
    run_here(sweep_file(folder, axes=axes, sample=sample), folder / "small.zarr")
    return folder / "small.zarr"


def legend_words(figure: Figure) -> list[str]:
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def lines(figure: Figure, beginning: str) -> list[Any]:
    found = [line for line in figure.axes[0].lines if str(line.get_gid()).startswith(beginning)]
    assert found
    return found


def written(figure: Figure) -> list[str]:
    """Return the numbers in the cells of a heat map."""
    return [text.get_text() for ax in figure.axes for text in ax.texts]


@pytest.mark.parametrize("kind", ["heatmap", "radial"])
def test_cells_have_the_colour_map_that_was_chosen(finished: Path, kind: str) -> None:
    figure = plots.draw(finished, kind, cmap="cividis")
    assert {mesh.get_cmap().name for ax in figure.axes[:1] for mesh in ax.collections[-1:]} == {
        "cividis"
    }
    default = plots.draw(finished, kind)
    assert default.axes[0].collections[-1].get_cmap().name == "viridis"


@pytest.mark.parametrize(
    ("kind", "options"), [("psd", {}), ("series", {}), ("series", {"over": "ring"})]
)
def test_curves_have_the_colours_of_the_map_that_was_chosen(
    finished: Path, kind: str, options: dict[str, Any]
) -> None:
    figure = plots.draw(finished, kind, cmap="magma", **options)
    drawn = lines(figure, "run-" if kind == "series" else "snapshot-")
    expected = colours.line_colours(mpl.colormaps["magma"], len(drawn))
    assert {to_hex(line.get_color()) for line in drawn} == {*map(to_hex, expected)}


@pytest.mark.parametrize("name", ["viridis", "Greys", "magma", "cividis", "binary_r"])
def test_no_curve_has_a_colour_too_bright_to_be_seen(name: str) -> None:
    shades = [colours.luminance(c) for c in colours.line_colours(mpl.colormaps[name], 12)]
    assert max(shades) <= colours.MAX_LUMINANCE_OF_LINES
    assert sorted(shades) in (shades, shades[::-1])  # lightness tells their order


@pytest.mark.parametrize("name", ["viridis", "magma", "RdBu", "Greys", "jet"])
def test_numbers_have_contrast_on_every_colour(name: str) -> None:
    for colour in mpl.colormaps[name](np.linspace(0.0, 1.0, 101)):
        ink = 0.0 if colours.is_bright(colour) else 1.0
        lighter, darker = sorted((ink, colours.luminance(colour)), reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("heatmap", {"cmap": "Virdis"}, "there is no colour map 'Virdis'; did you mean viridis"),
        ("heatmap", {"cmap": "$"}, "take one of Matplotlib's, such as viridis"),
        ("sensitivity", {"cmap": "magma"}, "sensitivity has no colour map to choose"),
        ("cache", {"cmap": "magma"}, "cache has no colour map to choose"),
        ("psd", {"unit": "kg"}, "psd has no unit to choose"),
        ("convergence", {"unit": "kg"}, "convergence has no unit to choose"),
        ("heatmap", {"unit": "yr"}, r"M_loss \[M_Mars\] cannot be shown in 'yr'; .* kg, M_Mars, g"),
        ("heatmap", {"name": "tau_max", "unit": "kg"}, "tau_max has no unit that could be changed"),
        ("series", {"name": ["M_loss_cum", "s_blow"], "unit": "kg"}, "s_blow .* fit: m, µm, mm"),
        ("series", {"over": "T_0"}, "'T_0' is no parameter of the runs; there are T0"),
        ("series", {"over": "T0", "run": ["1"]}, "drop --run or --over"),
    ],
)
def test_what_a_figure_for_a_paper_cannot_have_is_refused(
    finished: Path, kind: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises((plots.PlotError, StoreError), match=message):
        plots.draw(finished, kind, **options)


def test_a_heat_map_is_in_the_unit_that_was_chosen(finished: Path) -> None:
    notes: list[str] = []
    figure = plots.draw(finished, "heatmap", x="ring", y="T0", unit="kg", notes=notes)
    assert figure.axes[1].get_ylabel() == "M_loss [kg]"
    assert "M_loss is shown in kg; conditions and files use M_Mars" in notes
    drawn = np.sort(np.asarray(figure.axes[0].collections[0].get_array()).ravel())
    assert drawn == pytest.approx(np.sort(Store.open(finished).column("M_loss")) * M_MARS)


@pytest.mark.parametrize("style", ["screen", "paper"])
def test_series_and_rings_are_in_the_unit_that_was_chosen(finished: Path, style: str) -> None:
    figure = plots.draw(finished, "series", run=["3"], unit="kg/yr", style=style)
    (line,) = lines(figure, "run-3")
    expected = Store.open(finished).rows("M_out_dot", 3) * M_MARS * YEAR
    assert np.nanmax(line.get_ydata()) == pytest.approx(expected[1:].max())
    unit = "M_out_dot [kg yr-1]" if style == "screen" else r"$\mathrm{kg}\,\mathrm{yr}^{-1}$"
    assert unit in figure.axes[0].get_ylabel()
    rings = plots.draw(finished, "radial", unit="kg/yr", style=style)
    assert unit.removeprefix("M_out_dot ") in rings.axes[1].get_ylabel()
    bars = plots.draw(finished, "sensitivity", unit="1e12 kg")
    assert bars.axes[0].get_xlabel() == "M_loss of the whole disk [1e12 kg]"


def test_series_over_a_parameter_have_a_curve_for_each_value(grid: Path) -> None:
    notes: list[str] = []
    figure = plots.draw(grid, "series", over="material.rho", notes=notes)
    assert len(lines(figure, "run-")) == 3
    assert "chosen: T0 == 3400.0; another with --where" in notes
    assert legend_words(figure) == [f"rho = {rho} kg m-3" for rho in (2700, 3000, 3270)]
    assert len({line.get_linestyle() for line in lines(figure, "run-")}) == 3


def test_series_over_rings_are_not_summed(finished: Path) -> None:
    figure = plots.draw(finished, "series", over="ring", where="T0 == 3000")
    assert len(lines(figure, "run-")) == 3
    assert figure.axes[0].get_ylabel().startswith("M_out_dot\n[")


def test_many_values_have_a_colour_bar_instead_of_a_legend(grid: Path) -> None:
    figure = plots.draw(grid, "series", over="T0")
    assert len(lines(figure, "run-")) == 9
    assert legend_words(figure) == []
    bar = figure.axes[1]
    assert bar.get_ylabel() == "T0 [K]"
    assert [tick.get_text() for tick in bar.get_yticklabels()] == [
        str(3000 + 100 * i) for i in range(9)
    ]


def test_many_curves_differ_in_dashes_and_all_panels_share_their_colours(grid: Path) -> None:
    notes: list[str] = []
    names = ["M_loss_cum", "T_M"]
    figure = plots.draw(grid, "series", name=names, notes=notes)
    upper, lower = figure.axes[:2]
    looks = [
        [(line.get_color(), line.get_linestyle()) for line in ax.lines] for ax in (upper, lower)
    ]
    assert [*map(str, looks[0])] == [*map(str, looks[1])]
    assert len({*map(str, looks[0])}) == 27 or any("look alike" in note for note in notes)


def test_a_sample_is_drawn_as_bands_between_its_quantiles(sampled: Path) -> None:
    notes: list[str] = []
    figure = plots.draw(sampled, "series", name="M_loss_cum", unit="kg", notes=notes)
    medians = lines(figure, "median-")
    assert len(medians) == 2
    assert len(figure.axes[0].collections) == 4
    store = Store.open(sampled)
    chosen = np.flatnonzero(store.column("T0") == 3000.0)
    final = np.array([store.rows("M_loss_cum", run)[-1] for run in chosen]) * M_MARS
    assert medians[0].get_ydata()[-1] == pytest.approx(np.median(final))
    outer = figure.axes[0].collections[0].get_paths()[0].vertices
    at_end = outer[np.isclose(outer[:, 0], outer[:, 0].max())][:, 1]
    expected = np.quantile(final, [0.05, 0.95])
    assert [at_end.min(), at_end.max()] == pytest.approx(expected.tolist())
    assert legend_words(figure)[:2] == ["T0 = 3000 K (24 runs)", "T0 = 4000 K (24 runs)"]
    assert {"25 to 75 %", "5 to 95 %", "line: median"} <= {*legend_words(figure)}
    title = in_one_line(figure.get_suptitle())
    assert (
        "median, 25 to 75 %, and 5 to 95 % of 24 runs for each T0, a random sample of mu_orbit10pct"
        in title
    )


def test_one_group_of_a_sample_says_over_how_many_runs_its_median_is(sampled: Path) -> None:
    notes: list[str] = []
    options = {"where": "T0 == 3000", "style": "paper", "notes": notes}
    figure = plots.draw(sampled, "series", **options)
    assert "median of 24 runs" in legend_words(figure)
    assert any("5 to 95 % of 24 runs, a random sample" in note for note in notes)


def test_a_sample_over_what_was_drawn_has_a_curve_for_each_point(sampled: Path) -> None:
    notes: list[str] = []
    figure = plots.draw(sampled, "series", over="mu_orbit10pct", notes=notes)
    assert len(lines(figure, "run-")) == 24
    assert figure.axes[1].get_ylabel() == "mu_orbit10pct"
    assert "chosen: T0 == 3000.0; another with --where" in notes


def test_few_runs_of_a_sample_are_curves(sampled: Path) -> None:
    figure = plots.draw(sampled, "series", where="point < 3 and T0 == 3000")
    assert len(lines(figure, "run-")) == 3


def test_a_band_down_to_zero_stays_on_a_logarithmic_axis() -> None:
    t = np.array([1.0, 10.0, 100.0])
    curves = [Curve([i], t, np.array([1.0, 10.0, 100.0 * (i > 4)]) * (1 + i)) for i in range(20)]
    ax = Figure().subplots()
    assert draw_bands(ax, [Band.of(None, curves)], ["black"], ["-"])
    assert ax.get_yscale() == "log"
    outer = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert outer.min() > 0.0
    assert np.isfinite(outer).all()


def test_many_groups_have_the_inner_band_only() -> None:
    t = np.array([0.0, 1.0, 2.0])
    curves = [Curve([i], t, t + i) for i in range(20)]
    ax = Figure().subplots()
    bands = [Band.of(value, curves) for value in range(4)]
    assert not draw_bands(ax, bands, ["C0", "C1", "C2", "C3"], ["-"] * 4)
    assert len(ax.collections) == len(ax.lines) == 4
    edges = ax.collections[0].get_paths()[0].vertices
    assert np.ptp(edges[np.isclose(edges[:, 0], 2.0)][:, 1]) == pytest.approx(9.5)
    words = [entry.get_label() for entry in band_legend(bands, ["20 runs"] * 4)]
    assert words == ["line: median", "25 to 75 %"]


def test_bands_end_with_the_first_of_their_runs(tmp_path: Path) -> None:
    sample = {
        "method": "random",
        "n": 20,
        "axes": {"numerics.t_end_years": {"uniform": [0.01, 0.02]}},
    }
    run_here(sweep_file(tmp_path, set=None, sample=sample), tmp_path / "s.zarr")
    notes: list[str] = []
    figure = plots.draw(tmp_path / "s.zarr", "series", name="M_loss_cum", notes=notes)
    (median,) = lines(figure, "median-")
    ends = Store.open(tmp_path / "s.zarr").column("t_end")
    assert median.get_xdata()[-1] == pytest.approx(ends.min() / YEAR)
    assert any(note.startswith("bands end where the first of their runs ends") for note in notes)


@pytest.mark.parametrize(
    ("value", "digits", "words"),
    [
        (1.2345, 3, "1.23"),
        (1.0001, 2, "1.0"),
        (3.0, 3, "3"),
        (0.0, 3, "0"),
        (12345.6, 3, "12300"),
        (9.99e-5, 2, "1.0e-4"),
        (8.754e14, 3, "8.75e14"),
        (-0.01234, 3, "-0.0123"),
    ],
)
def test_a_number_in_a_cell_is_short(value: float, digits: int, words: str) -> None:
    text = Text()
    heatmap._Number(value, text, Figure().subplots()).shorten(digits)  # noqa: SLF001 - the rule
    assert text.get_text() == words


@pytest.mark.parametrize("style", ["screen", "paper"])
def test_cells_have_their_values_in_both_styles(finished: Path, style: str) -> None:
    figure = plots.draw(finished, "heatmap", x="ring", y="T0", style=style)
    values = Store.open(finished).column("M_loss") / 1e-12
    assert sorted(written(figure)) == sorted(f"{value:#.3g}" for value in values)


def test_cells_that_are_too_small_have_no_numbers_and_a_note_says_so(grid: Path) -> None:
    notes: list[str] = []
    figure = plots.draw(grid, "heatmap", x="T0", style="paper", width=45.0, notes=notes)
    assert written(figure) == []
    assert any("the values are not written into the cells" in note for note in notes)
    wide = plots.draw(grid, "heatmap", x="T0", style="paper", width=180.0, notes=(notes := []))
    assert len(written(wide)) == 27
    assert not any("not written" in note for note in notes)


def test_as_many_cells_as_would_be_a_table_have_no_numbers(
    grid: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heatmap, "MAX_CELLS_WRITTEN", 26)
    assert written(plots.draw(grid, "heatmap")) == []


def test_the_command_takes_what_papers_need(sampled: Path, tmp_path: Path) -> None:
    words = ["series", "--over", "T0", "--cmap", "cividis", "--unit", "kg/yr", "--style", "paper"]
    done = run_command("sweep", "plot", sampled, *words, "--out", "a.pdf", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "M_out_dot is shown in kg yr-1" in done.stdout
    done = run_command("sweep", "plot", sampled, "heatmap", "--unit", "K", cwd=tmp_path)
    assert done.returncode == 2
    assert "units that fit: kg, M_Mars, g" in in_one_line(done.stderr)
