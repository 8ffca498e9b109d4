"""What is given as FILE or STORE and is neither is named, with the command that takes it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from small_sweeps import CONFIGS, SMALL, forget_block, run_command, run_here, sweep_file

from sweep.report.stores import listed_stores
from sweep.spec.file import load_sweep
from sweep.store.store import Store

STORE_COMMANDS = [
    "show",
    "status",
    "doctor",
    "resume",
    "card {} 0",
    "summary",
    "plot {} heatmap",
    "export {} --to csv --out -",
]


@pytest.fixture
def place(finished: Path, tmp_path: Path) -> Path:
    """Return a folder with a sweep file, a configuration, and two stores in results."""
    sweep_file(tmp_path, "study.yaml")
    shutil.copy(CONFIGS / "mars_0d_melt.yaml", tmp_path / "run.yaml")
    (tmp_path / "notes.txt").write_text("", encoding="utf-8")
    for name in ("first.zarr", "second.zarr"):
        shutil.copytree(finished, tmp_path / "results" / name)
    return tmp_path


def error_of(words: str, what: str, place: Path) -> str:
    line = words if "{}" in words else f"{words} {{}}"
    options = ["--target", "M_loss"] if words == "summary" else []
    done = run_command("sweep", *line.format(what).split(), *options, cwd=place)
    assert done.returncode == 2, done
    assert done.stdout == ""
    return done.stderr


@pytest.mark.parametrize("words", STORE_COMMANDS)
@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("study.yaml", "is a YAML file, not a store; sweep run study.yaml runs a sweep file"),
        ("notes.txt", "is a file, not a store of a sweep"),
        ("results", "(first.zarr, second.zarr): sweep list results"),
        ("nothing.zarr", "there is no store of a sweep here"),
    ],
)
def test_what_is_no_store_is_named(place: Path, words: str, what: str, message: str) -> None:
    assert message in error_of(words, what, place)


def test_a_store_without_its_description_is_named(place: Path) -> None:
    (place / "results" / "first.zarr" / "zarr.json").unlink()
    error = error_of("doctor", "results/first.zarr", place)
    assert "has lost its zarr.json" in error
    assert "restore that file" in error


@pytest.mark.parametrize("verb", ["run", "plan"])
@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("run.yaml", "is the configuration of one run (disk, material, sizes ...)"),
        ("results/first.zarr", "is a store of results, not a YAML file; sweep show"),
        ("results", "is a folder, not a YAML file"),
    ],
)
def test_what_is_no_sweep_file_is_named(place: Path, verb: str, what: str, message: str) -> None:
    assert message in error_of(verb, what, place)


def test_a_base_that_is_a_sweep_file_is_named(place: Path) -> None:
    sweep_file(place, "on_top.yaml", base="study.yaml")
    assert "base = 'study.yaml':\n  is a sweep file" in error_of("plan", "on_top.yaml", place)


def test_stores_are_listed_with_their_state_and_question(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forget_block(place / "results" / "first.zarr", 1)
    (place / "results" / "second.zarr" / "status" / "zarr.json").write_text("{", encoding="utf-8")
    asked = place / "asked.yaml"
    asked.write_text(
        "# Does it\n# matter? Two runs.\n" + json.dumps({**SMALL, "axes": {"dynamics.e0": [0.1]}}),
        encoding="utf-8",
    )
    run_here(asked, place / "results" / "asked.zarr")
    done = run_command("sweep", "list", "--json", cwd=place)
    stores = {Path(store["store"]).name: store for store in json.loads(done.stdout)}
    assert next(iter(stores)) == "asked.zarr"
    assert {name: store["state"] for name, store in stores.items()} == {
        "asked.zarr": "complete",
        "first.zarr": "incomplete",
        "second.zarr": "status is missing or damaged",
    }
    assert stores["asked.zarr"]["question"] == "Does it matter?"
    assert (stores["first.zarr"]["done"], stores["first.zarr"]["runs"]) == (4, 6)
    monkeypatch.chdir(place)
    for words in (["list"], ["status"], ["list", "results"]):
        shown = run_command("sweep", *words, cwd=place)
        assert (shown.returncode, shown.stderr) == (0, "")
        assert "asked.zarr" in shown.stdout
        assert "Does it matter?" in shown.stdout
    assert all(store.age.endswith("ago") for store in listed_stores(place / "results"))


def test_where_there_is_nothing_to_list_that_is_said(tmp_path: Path) -> None:
    done = run_command("sweep", "status", cwd=tmp_path)
    assert (done.returncode, "sweep run makes it" in done.stderr) == (2, True)
    (tmp_path / "results").mkdir()
    done = run_command("sweep", "list", cwd=tmp_path)
    assert (done.returncode, done.stdout.startswith("there are no stores in results")) == (0, True)


@pytest.mark.parametrize(
    ("comment", "question"),
    [
        ("", ""),
        ("# One sentence. Another one?\n", ""),
        ("# over two\n# lines? yes\n", "over two lines?"),
        ("# yaml-language-server: $schema=a.json\n# Why?\n", "Why?"),
        ("# 0.5 or 1.0? Both.\n", "0.5 or 1.0?"),
        ("# my_sweep.yaml\n", ""),
    ],
)
def test_the_question_is_the_first_sentence(
    load: Callable[..., object], tmp_path: Path, comment: str, question: str
) -> None:
    path = tmp_path / "asked.yaml"
    path.write_text(comment + json.dumps({**SMALL, "axes": {"dynamics.e0": [0.1]}}), "utf-8")
    assert load_sweep(path).question == question


def test_a_builtin_sweep_is_run_and_resumed_by_its_name(tmp_path: Path) -> None:
    words = ["--set", "numerics.t_end_years=0.001", "--workers", "0"]
    done = run_command("sweep", "run", "builtin:i0_comparison", *words, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    store = Store.open(tmp_path / "results" / "i0_comparison.zarr")
    assert store.description.sweep_file == "builtin:i0_comparison"
    card = run_command("sweep", "card", store, "0", "--json", cwd=tmp_path)
    again = json.loads(card.stdout)
    assert again["changes"] == []
    rerun = run_command(*again["command"].split(), cwd=tmp_path)
    assert f"{again['results']['M_loss']['value']:.6g}" in rerun.stdout
    resumed = run_command("sweep", "resume", store, "--workers", "0", "--json", cwd=tmp_path)
    assert json.loads(resumed.stdout)["done"] == 2


def test_a_base_may_come_with_the_program(tmp_path: Path) -> None:
    file = sweep_file(
        tmp_path, base="builtin:mars_0d_melt_simple", axes={"dynamics.e0": [0.1, 0.2]}
    )
    run_here(file, tmp_path / "s.zarr")
    card = run_command("sweep", "card", "s.zarr", "1", "--json", cwd=tmp_path)
    command = json.loads(card.stdout)["command"]
    assert command.startswith("marsdisk run builtin:mars_0d_melt_simple --set ")
    assert run_command(*command.split(), cwd=tmp_path).returncode == 0


def plan_of(folder: Path, *words: object) -> str:
    done = run_command("sweep", "plan", "small.yaml", *words, cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_a_plan_says_what_its_store_has_and_what_would_be_added(tmp_path: Path) -> None:
    axes = {"temperature.T0": [3000.0, 4000.0]}
    file = sweep_file(tmp_path, axes=axes)
    assert "results/small.zarr does not exist yet; sweep run creates it" in plan_of(tmp_path)
    run_here(file, tmp_path / "results" / "small.zarr")
    assert "has 2 of these runs done, 0 failed, 0 pending" in plan_of(tmp_path)
    assert "sweep run would find nothing to do" in plan_of(tmp_path)
    forget_block(tmp_path / "results" / "small.zarr", 0)
    assert "0 of these runs done, 0 failed, 2 pending" in plan_of(tmp_path)
    sweep_file(tmp_path, axes={"temperature.T0": [3000.0, 3500.0, 4000.0]})
    assert "sweep run --extend would add 1 run" in plan_of(tmp_path)
    assert "elsewhere.zarr does not exist yet" in plan_of(tmp_path, "--store", "elsewhere.zarr")
    sweep_file(tmp_path, axes={"temperature.T0": [3000.0, 3500.0]})
    assert "results/small.zarr holds another plan; nothing was changed:" in plan_of(tmp_path)


@pytest.mark.parametrize(
    "words", [["show", "nothing.zarr", "--debug"], ["--debug", "show", "nothing.zarr"]]
)
def test_debug_is_taken_before_and_behind_the_command(tmp_path: Path, words: list[str]) -> None:
    done = run_command("sweep", *words, cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback (most recent call last)" in done.stderr
