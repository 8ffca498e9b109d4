"""Title, width, colours, and scales of figures as a person chooses them."""

from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure
from small_sweeps import run_command

from sweep import plots
from sweep.common.errors import StoreError

HEATMAP = {"x": "ring", "y": "T0"}


def title_of(figure: Figure) -> str:
    return figure.get_suptitle()


@pytest.mark.parametrize("style", ["screen", "paper"])
def test_a_title_of_ones_own_stands_alone(finished: Path, style: str) -> None:
    figure = plots.draw(finished, "heatmap", style=style, title="Mass loss", **HEATMAP)
    assert title_of(figure) == "Mass loss"
    untitled = plots.draw(finished, "heatmap", style=style, title="", **HEATMAP)
    assert title_of(untitled) == ""
    assert untitled.get_figheight() < figure.get_figheight()


def test_a_figure_for_a_paper_has_its_title_as_a_note_for_the_caption(finished: Path) -> None:
    notes: list[str] = []
    figure = plots.draw(finished, "heatmap", style="paper", notes=notes, **HEATMAP)
    assert title_of(figure) == ""
    (caption,) = [note for note in notes if note.startswith("for the caption: ")]
    on_screen = title_of(plots.draw(finished, "heatmap", **HEATMAP))
    assert "".join(caption.removeprefix("for the caption: ").split()).startswith(
        "".join(on_screen.split("\n")[0].split())
    )
    assert "sweep small" in caption


@pytest.mark.parametrize("kind", ["heatmap", "series", "psd", "sensitivity"])
def test_a_width_in_millimetres_is_kept(finished: Path, kind: str) -> None:
    for width in (88.0, 120.0):
        figure = plots.draw(finished, kind, style="paper", width=width)
        assert figure.get_figwidth() * 25.4 == pytest.approx(width)


def test_colours_go_from_one_limit_to_the_other(finished: Path) -> None:
    free = plots.draw(finished, "heatmap", **HEATMAP)
    low, high = free.axes[0].collections[0].get_clim()
    figure = plots.draw(finished, "heatmap", vmin=low / 2, vmax=high * 3, **HEATMAP)
    assert figure.axes[0].collections[0].get_clim() == (low / 2, high * 3)


@pytest.mark.parametrize("scale", ["linear", "log"])
@pytest.mark.parametrize(
    ("kind", "axis"), [("series", "x"), ("series", "y"), ("psd", "x"), ("psd", "y")]
)
def test_a_scale_is_as_it_was_asked_for(finished: Path, kind: str, axis: str, scale: str) -> None:
    figure = plots.draw(finished, kind, **{f"{axis}scale": scale})
    for panel in figure.axes:
        assert getattr(panel, f"get_{axis}scale")() == scale


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("heatmap", {"xscale": "log"}, "the x axis of heatmap has no scale to choose"),
        ("sensitivity", {"yscale": "log"}, "the y axis of sensitivity has no scale to choose"),
        ("series", {"xscale": "symlog"}, "xscale = 'symlog': must be one of linear, log"),
        ("series", {"vmin": 1.0}, "vmin has no use in series"),
        ("heatmap", {"vmin": 2.0, "vmax": 1.0}, "give vmin below vmax"),
        ("heatmap", {"width": 3.0}, "a figure is 30 to 1000 mm wide"),
    ],
)
def test_what_a_figure_does_not_have_is_refused(
    finished: Path, kind: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises((plots.PlotError, StoreError), match=message):
        plots.draw(finished, kind, **options)


def test_options_are_looked_at_before_the_file(finished: Path, tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    words = ["psd", "--x", "T0", "--out", "a.png"]
    done = run_command("sweep", "plot", finished, *words, cwd=tmp_path)
    assert done.returncode == 2
    assert "x has no use in psd" in done.stderr


def test_the_command_takes_them(finished: Path, tmp_path: Path) -> None:
    words = [
        "heatmap",
        "--x",
        "ring",
        "--y",
        "T0",
        "--title",
        "",
        "--width",
        "120",
        "--vmin",
        "1e-3",
    ]
    done = run_command("sweep", "plot", finished, *words, "--out", "a.png", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    words = ["series", "--xscale", "linear", "--yscale", "log", "--style", "paper"]
    done = run_command("sweep", "plot", finished, *words, "--out", "b.png", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "note: for the caption: M_out_dot" in done.stdout
