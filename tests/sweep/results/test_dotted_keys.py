"""A parameter is named by its short name or by its configuration key, wherever it is named."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from small_sweeps import run_command, sweep_file

import sweep
from sweep.results.columns import Columns
from sweep.spec.expressions import Expression, ExpressionError
from sweep.spec.file import Sweep
from sweep.store.store import Store


def shown(finished: Path, *words: str) -> str:
    done = run_command("sweep", *words, cwd=finished.parent)
    assert done.returncode == 0
    return done.stdout


@pytest.mark.parametrize(
    "words",
    [
        ("show", "small.zarr", "--where", "{} > 3500"),
        ("show", "small.zarr", "--sort", "-{}"),
        ("show", "small.zarr", "--columns", "{},M_loss"),
        ("summary", "small.zarr", "--target", "M_loss", "--by", "{}"),
        ("export", "small.zarr", "--to", "csv", "--columns", "{},M_loss", "--out", "-"),
    ],
    ids=["where", "sort", "columns", "by", "export"],
)
def test_commands_take_both_names(finished: Path, words: tuple[str, ...]) -> None:
    outputs = {
        shown(finished, *(word.format(name) for word in words)).replace(name, "T0")
        for name in ("T0", "temperature.T0")
    }
    assert len(outputs) == 1


@pytest.mark.parametrize(
    ("option", "others"), [("x", {"y": "ring"}), ("y", {"x": "ring"}), ("over", {"x": "ring"})]
)
def test_figures_take_both_names(finished: Path, option: str, others: dict[str, str]) -> None:
    if option == "over":
        others = {**others, "y": "r_in_RM"}
    figures = [
        sweep.Store.open(finished).plot.heatmap(**others, **{option: name})
        for name in ("T0", "temperature.T0")
    ]
    labels = [
        [axes.get_xlabel() + axes.get_ylabel() + axes.get_title() for axes in figure.axes]
        for figure in figures
    ]
    assert labels[0] == labels[1]


def test_a_grid_takes_both_names(finished: Path) -> None:
    runs = sweep.open_store(finished)
    grids = [runs.sweep.grid([name, "ring"]) for name in ("T0", "temperature.T0")]
    assert grids[0].identical(grids[1])


def test_conditions_of_python_take_both_names(finished: Path) -> None:
    columns = Columns(Store.open(finished))
    chosen = columns.where("temperature.T0 > 3500 and M_loss > 0")
    np.testing.assert_array_equal(chosen, columns.where("T0 > 3500 and M_loss > 0"))
    assert "temperature.T0" in columns
    assert "temperature.T1" not in columns


@pytest.mark.parametrize("along", ["T0", "temperature.T0"])
@pytest.mark.parametrize("kind", ["along", "over"])
def test_expectations_take_both_names(
    load: Callable[..., Sweep], tmp_path: Path, along: str, kind: str
) -> None:
    asked = {kind: along, "expect": f"M_loss <= largest(M_loss) and {along} > 0"}
    file = sweep_file(
        tmp_path, axes={"temperature.T0": [3000.0, 4000.0]}, expect={"it holds": asked}
    )
    done = run_command("sweep", "run", file, "--workers", "0", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    stored = shown(tmp_path / "x", "expect", "results/small.zarr", "--json")
    assert json.loads(stored)["checks"][0]["failing"] == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("temperature.T1 > 3", "there is no temperature.T1"),
        ("material.T0 > 3", "there is no material.T0; did you mean"),
        ("(T0).real > 3", "there is no T0.real"),
        ("abs(T0).real > 3", "only allowed in the key of a parameter"),
        ("M_loss.sum() > 3", "the functions are"),
        ("T0.__class__ > 3", "there is no T0.__class__"),
    ],
)
def test_a_dot_that_is_of_no_key_is_named(finished: Path, text: str, message: str) -> None:
    columns = Columns(Store.open(finished))
    with pytest.raises(ExpressionError, match=message.replace("(", r"\(")):
        columns.where(text)


def test_an_expression_lists_the_keys_that_it_names() -> None:
    expression = Expression("temperature.T0 > 3 and M_loss > 1 or optical_depth.tau0_target > 1")
    assert expression.names == ["temperature.T0", "M_loss", "optical_depth.tau0_target"]
    renamed = expression.renamed({"temperature.T0": "T0"})
    assert renamed.names == ["T0", "M_loss", "optical_depth.tau0_target"]
    assert expression.names[0] == "temperature.T0"
