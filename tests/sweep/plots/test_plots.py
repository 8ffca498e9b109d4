"""Figures: the text in them, which cells are hatched, and that hostile names stay names."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import click
import numpy as np
import pytest
from click.testing import CliRunner
from small_sweeps import HOSTILE, environment, in_one_line, run_here, sweep_file

import sweep.cli.commands
from marsdisk.notes import SENTENCES, Note
from sweep import plots
from sweep.common.errors import StoreError
from sweep.plots import PlotError
from sweep.store.store import Store


@pytest.fixture(scope="module")
def included(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store of runs without any axis."""
    folder = tmp_path_factory.mktemp("included")
    run_here(
        sweep_file(folder, include=[{"temperature.T0": 3500}, {"material.rho": 3000}]),
        folder / "small.zarr",
    )
    return folder / "small.zarr"


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store of one run."""
    folder = tmp_path_factory.mktemp("single")
    run_here(sweep_file(folder, axes={"temperature.T0": [3000.0]}), folder / "small.zarr")
    return folder / "small.zarr"


def drawn(store: Path, kind: str, out: Path, **options: Any) -> ElementTree.Element:
    plots.save(plots.draw(store, kind, **options), out)
    return ElementTree.fromstring(out.read_bytes())


def words(svg: ElementTree.Element) -> str:
    return in_one_line(
        " ".join("".join(text.itertext()) for text in svg.iter("{http://www.w3.org/2000/svg}text"))
    )


def marks(svg: ElementTree.Element, beginning: str) -> list[str]:
    return sorted(
        name for element in svg.iter() if re.match(beginning, name := element.get("id", ""))
    )


@pytest.mark.parametrize("kind", ["heatmap", "psd"])
def test_a_figure_is_drawn_for_a_paper_with_its_fonts_in_the_file(
    mixed: Path, tmp_path: Path, kind: str
) -> None:
    figure = plots.draw(mixed, kind, style="paper")
    plots.save(figure, tmp_path / "paper.pdf", style="paper")
    assert figure.get_figwidth() in {3.46, 7.09}  # 88 and 180 mm
    content = (tmp_path / "paper.pdf").read_bytes()
    assert content.startswith(b"%PDF")
    assert b"/FontFile2" in content  # TrueType


@pytest.mark.parametrize(
    ("suffix", "first"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")]
)
def test_the_same_store_gives_the_same_file(
    finished: Path, tmp_path: Path, suffix: str, first: bytes
) -> None:
    for name in ("one", "other"):
        plots.save(plots.draw(finished, "heatmap"), tmp_path / f"{name}{suffix}")
    content = (tmp_path / f"one{suffix}").read_bytes()
    assert content.startswith(first)
    assert content == (tmp_path / f"other{suffix}").read_bytes()


def test_a_heat_map_sums_rings_hatches_what_has_no_number_and_says_both(
    mixed: Path, tmp_path: Path
) -> None:
    svg = drawn(mixed, "heatmap", tmp_path / "map.svg")
    text = words(svg)
    for line in (
        *(
            "M_loss of the whole disk [1e-12 M_Mars] over T0 and variant",
            "sum over 2 rings",
            "sweep small",
            "T0 [K]",
            "3000 4000 5000",
        ),
        *("failed (3 cells)", "pending (2 cells)", "stopped early (2 cells)"),
    ):
        assert line in text
    assert [len(marks(svg, f"{kind}-0-")) for kind in ("failed", "pending", "early")] == [3, 2, 2]
    assert marks(svg, "failed-0-") == ["failed-0-1-0", "failed-0-1-1", "failed-0-1-2"]
    total = sweep.open_store(mixed).sweep.disk_total().M_loss
    assert f"{float(total.sel(T0=3000.0, variant='as is')) / 1e-12:.3g}" in text


def test_a_heat_map_of_one_ring_and_over_another_parameter_has_a_panel_for_each_value(
    mixed: Path, tmp_path: Path
) -> None:
    text = words(drawn(mixed, "heatmap", tmp_path / "map.svg", ring=1))
    assert "M_loss [1e-15 M_Mars] over T0 and variant" in text
    assert "r_in_RM = 1.85 R_M, r_out_RM = 2.7 R_M" in text
    assert "sum over" not in text
    svg = drawn(
        mixed, "heatmap", tmp_path / "map.svg", x="T0", y="ring", over="variant", name="t99"
    )
    text = words(svg)
    assert "t99 [yr] over T0 and ring" in text
    assert "variant = as is" in text
    assert "variant = early" in text
    assert [len(marks(svg, f"{kind}-[012]-")) for kind in ("failed", "pending", "early")] == [
        6,
        2,
        5,
    ]


def test_what_a_figure_cannot_show_is_fixed_in_the_middle_and_noted(mixed: Path) -> None:
    notes: list[str] = []
    plots.draw(mixed, "radial", notes=notes)
    assert notes[0] == "chosen: T0 == 4000.0 and variant == 'as is'; another with --where"
    assert all(
        SENTENCES[note] in "\n".join(notes[1:])
        for note in (Note.MELT_TRUNCATED, Note.NOTHING_BREAKS)
    )


def test_series_of_disks_say_which_are_left_out_and_of_a_ring_where_they_stopped(
    mixed: Path, tmp_path: Path
) -> None:
    svg = drawn(mixed, "series", tmp_path / "series.svg")
    text = words(svg)
    for line in (
        "M_out_dot of the whole disk",
        "[1e-18 M_Mars s-1]",
        "time [yr]",
        "T0 = 3000 K, variant = as is",
        "6 failed, 2 pending",
    ):
        assert line in text
    assert "2 disks whose rings ended at different times" in text
    assert marks(svg, "run-") == ["run-0", "run-6"]
    svg = drawn(mixed, "series", tmp_path / "series.svg", ring=1, name=["M_loss_cum", "s_blow"])
    assert "stopped early" in words(svg)
    assert "s_blow [µm]" in words(svg)
    assert len(marks(svg, "run-")) == 2 * 6
    assert marks(
        drawn(mixed, "series", tmp_path / "series.svg", run=["0", "17"], name="tau_los"), "run-"
    ) == ["run-0", "run-17"]


def test_a_size_distribution_has_the_mass_of_the_disk(finished: Path) -> None:
    group = Store.open(finished)
    for per, unit in (("mass", "kg m-2"), ("number", "m-2")):
        axes = plots.draw(finished, "psd", run="3", per=per).axes[0]
        assert axes.get_ylabel() == f"{per} of grains per ln s\n[{unit}]"
        curve = next(line for line in axes.lines if line.get_gid() == "snapshot-1")
        s, density = (
            np.asarray(data, dtype=float) for data in (curve.get_xdata(), curve.get_ydata())
        )
        total = np.nansum(density) * np.log(s[1] / s[0])
        if per == "mass":
            expected = group.column("Sigma_final")[3]
        else:
            expected = group.column("N")[3, 1].sum()
        assert total == pytest.approx(expected, rel=1e-12)


def test_a_radial_map_hatches_rings_without_a_result(mixed: Path, tmp_path: Path) -> None:
    svg = drawn(mixed, "radial", tmp_path / "radial.svg", where="T0 == 4000 and variant == 'as is'")
    assert marks(svg, "(failed|pending)-") == ["pending-3"]
    for line in (
        "M_out_dot of 2 rings over time",
        "T0 = 4000 K",
        "ring radius [R_M]",
        "M_out_dot per ring",
        "pending (1 ring)",
    ):
        assert line in words(svg)
    assert "2 rings stopped early" in words(
        drawn(mixed, "radial", tmp_path / "radial.svg", where="T0 == 5000 and variant == 'early'")
    )


def test_sensitivity_says_the_middle_and_what_is_missing(
    mixed: Path, finished: Path, tmp_path: Path
) -> None:
    text = words(drawn(mixed, "sensitivity", tmp_path / "tornado.svg"))
    for line in (
        "Effect of each axis alone on M_loss of the whole disk [1e-12 M_Mars]",
        "middle (line): T0 = 4000 K, variant = as is, which has no result",
        "(1 pending of 3)",
        "only early (1 pending, 1 failed of 3)",
    ):
        assert line in text
    axes = plots.draw(finished, "sensitivity", ring=1).axes[0]
    values = Store.open(finished).column("M_loss")[Store.open(finished).column("ring") == 1]
    span = np.ptp(values) / 1e-15  # M_Mars
    assert sum(bar.get_width() for bar in axes.patches) == pytest.approx(span, rel=1e-6)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["T0"]
    middle = values[
        Store.open(finished).column("T0")[Store.open(finished).column("ring") == 1] == 3000
    ]
    (line,) = [line for line in axes.lines if np.ptp(line.get_xdata()) == 0.0]
    assert line.get_xdata()[0] == pytest.approx(middle[0] / 1e-15, rel=1e-6)


def test_cache_and_convergence_show_the_numbers_of_the_store(mixed: Path, tmp_path: Path) -> None:
    group = Store.open(mixed)
    done = group.column("status") == 1
    hits = int(group.column("cache_hits")[done].sum())
    text = words(drawn(mixed, "cache", tmp_path / "cache.svg"))
    assert f"left: hit ({hits})" in text
    assert "Caches of 10 finished runs" in text
    assert "weights_table" in text
    assert "v_rel" in text
    errors = group.column("err_bins")
    checked = ~np.isnan(errors).any(axis=1)
    svg = drawn(mixed, "convergence", tmp_path / "convergence.svg")
    assert f"estimated for {checked.sum()} of 18 runs" in words(svg)
    assert "limit 0.001" in words(svg)
    within = plots.draw(mixed, "convergence").axes[1].lines[0]
    assert sorted(np.asarray(within.get_ydata()).tolist()) == sorted(errors[checked, 0].tolist())


@pytest.mark.parametrize("kind", ["heatmap", "series", "psd", "cache"])
def test_runs_without_axes_can_be_looked_at(included: Path, tmp_path: Path, kind: str) -> None:
    assert "sweep small" in words(drawn(included, kind, tmp_path / "figure.svg"))


@pytest.mark.parametrize("kind", ["series", "psd", "cache"])
def test_a_single_run_can_be_looked_at(single: Path, tmp_path: Path, kind: str) -> None:
    assert "sweep small" in words(drawn(single, kind, tmp_path / "figure.svg"))


def test_hostile_names_are_drawn_as_text(mixed: Path, tmp_path: Path) -> None:
    svg = drawn(mixed, "heatmap", tmp_path / "map.svg")
    assert '=1+1 <script>alert("x")</script' in words(svg)
    assert not [element for element in svg.iter() if "script" in element.tag]
    assert "\u202e" not in (tmp_path / "map.svg").read_text(encoding="utf-8")
    plots.draw(mixed, "series", where="status == 'done'", ring=0)
    title = plots.draw(
        mixed,
        "heatmap",
        x="T0",
        y="ring",
        where="variant != 'as is' and variant != 'early' and max_steps == 3",
    ).get_suptitle()
    assert r"\$" not in title
    assert HOSTILE[:20] in in_one_line(title)


@pytest.mark.parametrize(
    ("store", "arguments", "message"),
    [
        ("mixed", "heatmap --x T_0", "'T_0' is no parameter of the runs"),
        ("mixed", "heatmap --x T0 --y T0", "x and y are both T0"),
        ("mixed", "heatmap --name M_out_dot", "'M_out_dot' is no number per run of the store"),
        ("mixed", "heatmap --name M_loss --name t99", "heatmap takes one --name"),
        (
            "mixed",
            "heatmap --per mass",
            "per has no use in heatmap; it takes name, x, y, over, where, ring",
        ),
        ("mixed", "series --name M_loss", "'M_loss' is no series of the store"),
        ("mixed", "series --where T0>9e9", "no run is left to show"),
        ("mixed", "psd --run 2", "run 2 has no result (1 pending); choose another with --run"),
        ("mixed", "psd --run zz", "there is no run 'zz'"),
        ("mixed", "cache --out cache.gif", "cache.gif: must end in .png, .svg or .pdf"),
        (
            "mixed",
            "cache --out no/cache.png",
            "no/cache.png cannot be written: No such file or directory",
        ),
        (
            "finished",
            "convergence",
            "no run of this store was repeated to find its numerical error",
        ),
        ("single", "heatmap", "a heat map needs two parameters that differ"),
        ("single", "radial", "the sweep has no rings"),
        ("single", "series --ring 1", "the sweep has no rings; drop --ring"),
        ("single", "sensitivity", "no axis has more than one value"),
    ],
)
def test_what_cannot_be_drawn_is_said(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    store: str,
    arguments: str,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(
        sweep.cli.commands.main, ["plot", str(request.getfixturevalue(store)), *arguments.split()]
    )
    assert done.exit_code == 2
    assert message in in_one_line(done.stderr)
    assert list(tmp_path.iterdir()) == []


def test_the_command_names_its_file_after_the_sweep(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(sweep.cli.commands.main, ["plot", str(finished), "psd"])
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith(
        "note: chosen: T0 == 3000.0 and ring == 1; another with --where\n"
    )
    assert done.stdout.endswith("written to small-psd.png\n")
    assert (tmp_path / "small-psd.png").stat().st_size > 10_000


def test_without_matplotlib_the_error_names_what_to_install(finished: Path, tmp_path: Path) -> None:
    (tmp_path / "matplotlib.py").write_text(
        "raise ModuleNotFoundError('No module named matplotlib', name='matplotlib')",
        encoding="utf-8",
    )
    path = ":".join([str(tmp_path), *filter(None, sys.path)])
    words = [sys.executable, "-m", "sweep", "plot", str(finished), "cache"]
    done = subprocess.run(
        words,
        cwd=tmp_path,
        env=environment(PYTHONPATH=path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        done.stderr
        == "error: figures need matplotlib, which is not installed: pip install 'marsdisk[plot]'\n"
    )


def test_python_asks_for_kinds_and_styles_that_there_are(finished: Path) -> None:
    with pytest.raises(PlotError, match="there is no figure 'pie'; there are heatmap, series"):
        plots.draw(finished, "pie")
    with pytest.raises(StoreError, match="there is no style 'poster'; there are screen, paper"):
        plots.draw(finished, "cache", style="poster")


def test_the_command_knows_all_kinds() -> None:
    kind = next(
        parameter
        for parameter in sweep.cli.commands.main.commands["plot"].params
        if parameter.name == "kind"
    )
    assert isinstance(kind.type, click.Choice)
    assert list(kind.type.choices) == list(plots.KINDS)


def test_panels_share_their_axes_also_where_one_lacks_a_value(tmp_path: Path) -> None:
    axes = {
        "temperature.T0": [3000.0, 4000.0],
        "material.rho": [3000.0, 3270.0],
        "dynamics.e0": [0.3, 0.5],
    }
    run_here(
        sweep_file(tmp_path, axes=axes, exclude=[{"dynamics.e0": 0.3, "temperature.T0": 3000.0}]),
        tmp_path / "small.zarr",
    )
    svg = drawn(
        tmp_path / "small.zarr", "heatmap", tmp_path / "map.svg", x="T0", y="rho", over="e0"
    )
    assert marks(svg, "unused-") == ["unused-0-0-0", "unused-0-1-0"]
    assert words(svg).count("3000 4000") == 2
    grid = sweep.open_store(tmp_path / "small.zarr").sweep.grid()
    assert f"{float(grid.M_loss.sel(T0=4000.0, rho=3270.0, e0=0.3)) / 1e-12:.3g}" in words(svg)


def test_runs_that_a_condition_leaves_out_of_one_panel_are_no_missing_runs(tmp_path: Path) -> None:
    axes = {
        "temperature.T0": [3000.0, 4000.0],
        "material.rho": [3000.0, 3270.0],
        "dynamics.e0": [0.3, 0.5],
    }
    run_here(sweep_file(tmp_path, axes=axes), tmp_path / "small.zarr")
    svg = drawn(
        tmp_path / "small.zarr",
        "heatmap",
        tmp_path / "map.svg",
        x="T0",
        y="rho",
        over="e0",
        where="T0 == 4000 or e0 == 0.5",
    )
    assert marks(svg, "unused-") == []
    assert marks(svg, "filtered-") == ["filtered-0-0-0", "filtered-0-1-0"]


@pytest.mark.parametrize("axis", ["x", "y"])
def test_a_heat_map_over_a_result_is_refused(finished: Path, axis: str) -> None:
    with pytest.raises(StoreError, match="'t_end' is no parameter of the runs; there are T0"):
        plots.draw(finished, "heatmap", **{axis: "t_end"})


def test_of_many_curves_a_sample_of_those_that_are_done_is_drawn(
    mixed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sweep.plots.curves.MAX_CURVES_DRAWN", 2)
    figure = plots.draw(mixed, "series", name=["M_out_dot", "tau_los"], where="ring == 0")
    assert all(len(ax.lines) >= 2 for ax in figure.axes)
    assert Store.open(mixed).counts().done > 2


def test_runs_that_lie_on_no_grid_are_points(tmp_path: Path) -> None:
    points = [
        {"temperature.T0": 3000.0 + 100.0 * i, "supply.mu_orbit10pct": 0.1 * 1.5**i}
        for i in range(9)
    ]
    bad = {"temperature.T0": 3650.0, "supply.mu_orbit10pct": 0.4, "numerics.max_steps": 3}
    run_here(sweep_file(tmp_path, include=[*points, bad]), tmp_path / "small.zarr")
    axes = plots.draw(tmp_path / "small.zarr", "heatmap", x="T0", y="mu_orbit10pct").axes[0]
    collections = {collection.get_gid(): collection for collection in axes.collections}
    done = collections["points-done"]
    failed = collections["points-failed"]
    assert sorted(np.asarray(done.get_offsets())[:, 0].tolist()) == [
        point["temperature.T0"] for point in points
    ]
    assert np.asarray(failed.get_offsets()).tolist() == [[3650.0, 0.4]]
    values = dict(
        zip(
            np.asarray(done.get_offsets())[:, 0].tolist(),
            np.asarray(done.get_array()).tolist(),
            strict=True,
        )
    )
    group = Store.open(tmp_path / "small.zarr")
    assert all(
        values[T0] == pytest.approx(loss / 1e-12, rel=1e-14)
        for T0, loss in zip(group.column("T0"), group.column("M_loss"), strict=True)
        if T0 in values
    )
    assert (axes.get_xlabel(), axes.get_yscale()) == ("T0 [K]", "log")
    assert "failed (1 run)" in words(
        drawn(tmp_path / "small.zarr", "heatmap", tmp_path / "map.svg", x="T0", y="mu_orbit10pct")
    )
    with pytest.raises(StoreError, match="no two runs differ in one parameter alone"):
        plots.draw(tmp_path / "small.zarr", "sensitivity", where="status == 'done'")


@pytest.mark.parametrize(
    ("where", "words"),
    [("T0 > 0", "M_loss_cum of the whole disk"), ("ring < 2", "M_loss_cum of 2 of 3 rings")],
)
def test_a_figure_says_what_its_sums_are_of(finished: Path, where: str, words: str) -> None:
    figure = plots.draw(finished, "series", name="M_loss_cum", where=where)
    label = figure.axes[0].get_ylabel().replace("\n", " ")
    assert label == f"{words} [M_Mars]"
    assert words in figure.get_suptitle()


def test_a_figure_of_disks_notes_that_its_condition_chose_rings(finished: Path) -> None:
    notes: list[str] = []
    plots.draw(finished, "series", name="M_loss_cum", where="run == 1", notes=notes)
    (note,) = [note for note in notes if "summed" in note]
    assert note == (
        "M_loss_cum is summed over all rings of each disk with a run where run == 1; a condition on"
        " ring chooses rings"
    )


def test_one_ring_stays_one_ring_whatever_the_condition(finished: Path) -> None:
    figure = plots.draw(finished, "series", name="M_loss_cum", ring=1, where="T0 > 3500")
    assert "whole disk" not in figure.axes[0].get_ylabel()
    assert "ring = 1" in figure.get_suptitle()


def test_rings_whose_bounds_differ_between_variants_are_drawn_at_their_radii(
    tmp_path: Path,
) -> None:
    axes = {"ring": {"rings": [1.0, 2.7, 3]}}
    variants = {"a": {}, "b": {"disk.r_out_RM": 2.69}}
    run_here(sweep_file(tmp_path, axes=axes, variants=variants), tmp_path / "s.zarr")
    axes_of_figure = plots.draw(tmp_path / "s.zarr", "radial").axes[0]
    assert axes_of_figure.get_ylabel() == "ring radius [R_M]"
    heatmap = plots.draw(tmp_path / "s.zarr", "heatmap", x="ring", y="variant").axes[0]
    assert heatmap.get_xlabel() == "ring"


def test_a_bound_of_rings_as_an_axis_shows_each_ring(finished: Path) -> None:
    figure = plots.draw(finished, "heatmap", x="T0", y="r_in_RM")
    assert "of the whole disk" not in figure.get_suptitle()
    cells = np.ma.masked_invalid(figure.axes[0].collections[0].get_array())
    assert cells.count() == cells.size > 3


def test_infinite_results_are_named(tmp_path: Path) -> None:
    axes = {"supply.mu_orbit10pct": [0.0, 1.0], "temperature.T0": [3000.0, 4000.0]}
    run_here(sweep_file(tmp_path, axes=axes), tmp_path / "s.zarr")
    figure = plots.draw(tmp_path / "s.zarr", "heatmap", name="M_available")
    (legend,) = figure.legends
    assert "white: infinite (2 cells)" in [text.get_text() for text in legend.get_texts()]
    notes: list[str] = []
    plots.draw(tmp_path / "s.zarr", "sensitivity", name="M_available", notes=notes)
    assert any("infinite" in note for note in notes)
    with pytest.raises(StoreError, match="all values are infinite"):
        plots.draw(
            tmp_path / "s.zarr", "sensitivity", name="M_available", where="mu_orbit10pct == 1"
        )
