"""The tutorial runs as written, on its own sweep, which README's picture is made of, too."""

import runpy
import sys
from pathlib import Path

import matplotlib as mpl
import pytest
from small_sweeps import CONFIGS, run_here
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

DOCS = CONFIGS.parent / "docs"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the results of the study of the tutorial."""
    folder = tmp_path_factory.mktemp("study")
    run_here(
        CONFIGS / "sweeps" / "temperature_supply.yaml",
        folder / "results" / "temperature_supply.zarr",
    )
    return folder


def test_the_tutorial_runs_from_its_first_line_to_its_last(
    study: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(study)
    mpl.use("Agg")
    document = Sybil(
        parsers=[PythonCodeBlockParser()], path=str(DOCS), pattern="tutorial.md"
    ).parse(DOCS / "tutorial.md")
    examples = list(document.examples())
    for example in examples:
        example.evaluate()
    assert (
        len(examples) == (DOCS / "tutorial.md").read_text(encoding="utf-8").count("```python") > 10
    )
    printed = capsys.readouterr().out
    assert "sweep temperature_supply: 576 runs over T0, tau0_target, mu_orbit10pct, ring" in printed
    assert "M_Mars = mass lost" in printed
    assert "0 failed" in printed
    assert sorted(file.name for file in study.iterdir() if file.is_file()) == [
        "heatmap.png",
        "loss.pdf",
        "rate.png",
    ]


def test_the_picture_of_the_readme_is_made_from_the_study(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        sys,
        "argv",
        [
            "figures.py",
            str(study / "results" / "temperature_supply.zarr"),
            str(tmp_path / "picture.png"),
        ],
    )
    runpy.run_path(str(DOCS / "figures.py"), run_name="__main__")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")
