"""The tutorial runs in a kernel of Jupyter, and README's picture is made of its sweep."""

import runpy
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from small_sweeps import CONFIGS

DOCS = CONFIGS.parent / "docs"
STUDY = 'store = sweep.run("builtin:temperature_supply")'
HEATMAP = 'store.plot.heatmap(x="mu_orbit10pct", y="T0", over="tau0_target")'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder in which the tutorial has been run."""
    return tmp_path_factory.mktemp("tutorial")


@pytest.fixture(scope="module")
def tutorial(folder: Path) -> Any:
    """Return the tutorial after all its cells have been run."""
    notebook = nbformat.read(DOCS / "tutorial.ipynb", as_version=4)
    resources = {"metadata": {"path": str(folder)}}
    return NotebookClient(notebook, timeout=600, resources=resources).execute()


def outputs(notebook: Any, first_line: str) -> dict[str, str]:
    """Return what a cell has shown, by its kind."""
    (cell,) = [cell for cell in notebook.cells if cell.source.split("\n")[0] == first_line]
    shown: dict[str, str] = {}
    for output in cell.outputs:
        shown |= output.get("data", {})
        shown["stream"] = shown.get("stream", "") + output.get("text", "")
    return shown


def test_the_tutorial_runs_from_its_first_cell_to_its_last(tutorial: Any, folder: Path) -> None:
    assert all(cell.execution_count for cell in tutorial.cells if cell.cell_type == "code")
    assert [path.name for path in sorted(folder.iterdir()) if path.is_file()] == [
        "disk.nc",
        "loss.pdf",
    ]


def test_objects_are_shown_as_tables_and_pictures(tutorial: Any) -> None:
    assert "image/svg+xml;base64" in outputs(tutorial, "import marsdisk")["text/html"]
    assert "72 runs in" in outputs(tutorial, "import numpy as np")["text/html"]
    assert "72 done" in outputs(tutorial, "store")["text/html"]
    assert outputs(tutorial, HEATMAP)["image/png"]


def test_a_run_has_a_bar_and_the_messages_of_the_command(tutorial: Any) -> None:
    shown = outputs(tutorial, "store = sweep.run(small)")
    assert '<progress max="72" value="72"' in shown["text/html"]
    assert "72 of 72 runs done, 0 failed" in shown["stream"]
    assert "576 of 576 runs done" in outputs(tutorial, STUDY)["stream"]


def test_numbers_of_the_tutorial_are_those_of_the_store(tutorial: Any) -> None:
    assert "0 failed" in outputs(tutorial, "failed = store.failed()")["stream"]
    assert "M_Mars = mass lost" in outputs(tutorial, "runs = store.runs")["stream"]
    assert (
        "['T0', 'tau0_target', 'mu_orbit10pct', 'ring']"
        in outputs(tutorial, "import xarray")["stream"]
    )


def test_the_notebook_is_committed_without_outputs() -> None:
    notebook = nbformat.read(DOCS / "tutorial.ipynb", as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert len(code) > 10
    assert not any(cell.outputs or cell.execution_count for cell in code)


@pytest.mark.usefixtures("tutorial")
def test_the_picture_of_the_readme_is_made_from_the_study(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = str(folder / "results" / "temperature_supply.zarr")
    monkeypatch.setattr(sys, "argv", ["figures.py", store, str(tmp_path / "picture.png")])
    runpy.run_path(str(DOCS / "figures.py"), run_name="__main__")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")
