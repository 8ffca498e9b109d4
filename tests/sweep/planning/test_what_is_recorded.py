"""A store can be published: it names no folders of its author, and a machine only on request."""

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from small_sweeps import MELT, command, in_one_line, run_command, run_here

import sweep
from sweep.planning.plan import make_plan
from sweep.planning.provenance import provenance
from sweep.report.run_card import card
from sweep.results.rerun import RecordedRuns
from sweep.running.refinement_rounds import _with
from sweep.spec.file import _seen_from, load_sweep
from sweep.store.recorded_tables import change_of_table, is_missing
from sweep.store.store import Store

HOST = "a-host-that-nobody-may-see"
#: Another name of the machine, for every process.
WITH_THAT_NAME = f"import socket\nsocket.gethostname = lambda: {HOST!r}\n"
SWEEP: dict[str, Any] = {
    "name": "small",
    "base": "../base.yaml",
    "set": {"numerics.t_end_years": 0.02},
    "output": {"samples": 8, "snapshots": 2},
    "block": 2,
    "axes": {"temperature.T0": [3000.0, 3500.0, 4000.0, 4500.0]},
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a folder with a base and a folder for sweep files."""
    folder = tmp_path / "a-folder-that-nobody-may-see"
    (folder / "sweeps").mkdir(parents=True)
    shutil.copy(MELT, folder / "base.yaml")
    (folder / "python").mkdir()
    (folder / "python" / "sitecustomize.py").write_text(WITH_THAT_NAME, encoding="utf-8")
    return folder


def sweep_file_of(project: Path, **changes: Any) -> Path:
    path = project / "sweeps" / "small.yaml"
    path.write_text(json.dumps({**SWEEP, **changes}), encoding="utf-8")
    return path


def texts_in(store: Path) -> str:
    """Return all texts in a store: attributes and descriptions as stored, arrays unpacked."""
    group = zarr.open_group(store, mode="r")
    arrays = [array[...] for _, array in group.arrays()]
    unpacked = [
        "\n".join(values.ravel().tolist()) for values in arrays if values.dtype.kind in "TUO"
    ]
    files = [path.read_bytes().decode("latin-1") for path in store.rglob("*") if path.is_file()]
    names = [path.relative_to(store).as_posix() for path in store.rglob("*")]
    return "\n".join([*unpacked, *files, *names])


def run_in(project: Path, *options: object) -> Path:
    """Run the sweep file by the command, on a machine with that name."""
    words = ["sweep", "run", "sweeps/small.yaml", *options]
    done = command(*words, cwd=project, PYTHONPATH=str(project / "python"))
    assert done.returncode == 0, done.stderr
    return project / "results" / "small.zarr"


@pytest.mark.parametrize("workers", [pytest.param(0, marks=pytest.mark.thorough), 2])
def test_a_store_names_neither_the_machine_nor_its_folders(project: Path, workers: int) -> None:
    sweep_file_of(project)
    store = run_in(project, "--workers", workers)
    sweep_file_of(project, axes={"temperature.T0": [3000.0, 3500.0, 4000.0, 4500.0, 5000.0]})
    run_in(project, "--workers", workers, "--extend")
    texts = texts_in(store)
    assert HOST not in texts
    assert project.name not in texts
    workers_there = sweep.open_store(store).worker.values.tolist()
    assert all(re.fullmatch(r"[0-9a-f]{12}", name) for name in workers_there)


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.thorough)])
def test_a_store_names_the_machines_where_it_is_told_to(project: Path, workers: int) -> None:
    sweep_file_of(project, provenance={"host": True})
    store = run_in(project, "--workers", workers)
    dataset = sweep.open_store(store)
    assert json.loads(dataset.attrs["provenance"])["host"] == HOST
    assert all(str(name).startswith(f"{HOST}:") for name in dataset.worker.values)
    assert project.name not in texts_in(store)


@pytest.mark.parametrize(
    ("given", "recorded"),
    [
        ("../base.yaml", "../base.yaml"),
        ("../sweeps/../base.yaml", "../sweeps/../base.yaml"),
        ("here.yaml", "here.yaml"),
        ("{project}/base.yaml", "../base.yaml"),
    ],
)
def test_the_path_of_the_base_is_recorded_as_seen_from_the_sweep_file(
    project: Path, given: str, recorded: str
) -> None:
    shutil.copy(MELT, project / "sweeps" / "here.yaml")
    file = sweep_file_of(project, base=given.format(project=project))
    loaded = load_sweep(file)
    assert loaded.given["base_path"] == loaded.given["content"]["base"] == recorded
    assert Path(loaded.base_file).is_file()


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("/data/project/base.yaml", "../base.yaml"),
        ("/data/others/base.yaml", "../../others/base.yaml"),
        ("/home/somebody/base.yaml", "base.yaml"),
        ("../base.yaml", "../base.yaml"),
    ],
)
def test_a_base_far_from_the_sweep_file_is_recorded_by_its_name_alone(
    file: str,
    expected: str,
) -> None:
    assert _seen_from(Path("/data/project/sweeps"), file) == expected


def test_an_extension_records_the_sweep_file_that_it_was_made_from(
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(project)
    sweep_file_of(project)
    run_here(Path("sweeps/small.yaml"), project / "small.zarr")
    folder = project / "others" / "deep"
    folder.mkdir(parents=True)
    axes = {"temperature.T0": [3000.0, 3500.0, 4000.0, 4500.0, 5000.0]}
    content = {**SWEEP, "base": "../../base.yaml", "axes": axes}
    (folder / "more.yaml").write_text(json.dumps(content), encoding="utf-8")
    run_here(Path("others/deep/more.yaml"), project / "small.zarr", extending=True)
    recorded = RecordedRuns.of(Store.open(project / "small.zarr"))
    assert [recorded.repetition(run).changes for run in range(5)] == [()] * 5


def as_older_versions_wrote(store: Path, base: Path) -> None:
    """Record the absolute path of the base and the host, and number workers by host and process."""
    description = json.loads((store / "zarr.json").read_text(encoding="utf-8"))
    description["attributes"]["sweep"]["base_path"] = str(base)
    description["attributes"]["provenance"]["host"] = HOST
    (store / "zarr.json").write_text(json.dumps(description), encoding="utf-8")
    names = zarr.open_group(store, mode="r+")["worker"]
    assert isinstance(names, zarr.Array)
    names[:] = np.array([f"{HOST}:17"] * names.shape[0], dtype=np.dtypes.StringDType())


def make_store(project: Path, *, older: bool) -> Path:
    file = sweep_file_of(project)
    store = project / "small.zarr"
    run_here(file, store)
    if older:
        as_older_versions_wrote(store, project / "base.yaml")
    return store


@pytest.mark.parametrize("older", [False, True], ids=["new", "older"])
def test_stores_of_both_kinds_are_read_resumed_and_extended(project: Path, older: bool) -> None:
    store = make_store(project, older=older)
    for words in (["status"], ["show"], ["doctor", "--deep"], ["resume"], ["card"], ["compare"]):
        further = {"card": ["0"], "compare": [str(store)]}.get(words[0], [])
        done = run_command("sweep", *words, store, *further, cwd=project)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
    file = sweep_file_of(project, axes={"temperature.T0": [3000.0, 3500.0, 4000.0, 4500.0, 5000.0]})
    run_here(file, store, extending=True)
    assert sweep.open_store(store).sizes["run"] >= 5


@pytest.mark.parametrize("older", [False, True], ids=["new", "older"])
def test_the_command_of_a_run_repeats_it_in_the_folder_of_the_sweep_file(
    project: Path,
    older: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dataset = sweep.open_store(make_store(project, older=older))
    monkeypatch.chdir(project / "sweeps")
    words = shlex.split(dataset.sweep.command(2))
    assert words[2] == (str(project / "base.yaml") if older else "../base.yaml")
    done = command(*words, "--out", "run.npz", cwd=project / "sweeps")
    assert done.returncode == 0, done.stderr
    with np.load(project / "sweeps" / "run.npz") as arrays:
        assert arrays["M_loss"][()] == dataset.M_loss.values[2]


@pytest.mark.parametrize("older", [False, True], ids=["new", "older"])
def test_views_say_where_the_command_is_to_be_given_when_the_base_is_not_seen(
    project: Path,
    older: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = make_store(project, older=older)
    monkeypatch.chdir(project)
    group = Store.open(store)
    repetition = RecordedRuns.of(group).repetition(0)
    assert ("run this in the folder of the sweep file" in repetition.words) != older
    text = card(group, 0)
    assert ("run this in the folder of the sweep file" in in_one_line(text)) != older
    assert (f"on {HOST}" in text) == older
    assert "not recorded" not in text
    monkeypatch.chdir(project / "sweeps")
    assert "is not found from here" not in card(group, 0)


def test_a_store_knows_its_sweep_file_as_it_was_typed_below_the_folder_of_the_project(
    project: Path,
) -> None:
    failing = {"variants": {"as is": {}, "short": {"numerics.max_steps": 3}}}
    sweep_file_of(project, **failing)
    done = command("sweep", "run", "sweeps/small.yaml", "--workers", 0, cwd=project)
    assert done.returncode == 1
    lines = re.findall(r"run it alone: (marsdisk run .*)", done.stdout)
    assert shlex.split(lines[0])[2] == str((project / "base.yaml").resolve())
    words = ("sweep", "resume", "results/small.zarr", "--workers", 0, "--retry-failed")
    done = command(*words, cwd=project)
    assert "run it alone: marsdisk run base.yaml" in in_one_line(done.stdout)
    assert "not found from here" not in done.stdout


def test_rounds_of_a_refinement_know_where_the_base_is(project: Path) -> None:
    span = {"uniform": [3000.0, 5000.0]}
    refine = {
        "target": "M_loss",
        "loss": "gradient",
        "axes": {"temperature.T0": span},
        "max_runs": 9,
    }
    plan = make_plan(load_sweep(sweep_file_of(project, axes={}, refine=refine)))
    assert _with(plan, []).sweep.base_file == str((project / "base.yaml").resolve())


@pytest.mark.parametrize(
    ("opacities", "extinction"),
    [(["geometric"], False), (["planck"], True), (["geometric", "planck"], True)],
)
def test_the_table_of_extinction_is_recorded_where_a_run_uses_it(
    project: Path,
    opacities: list[str],
    extinction: bool,
) -> None:
    plan = make_plan(load_sweep(sweep_file_of(project, axes={"optical_depth.opacity": opacities})))
    tables = provenance(plan.runs.tables, with_host=False)["tables"]
    expected = {"radiation.Q_pr = forsterite"}
    if extinction:
        expected.add("optical_depth.Q_ext = forsterite")
    assert tables.keys() == expected
    assert {change_of_table(name, digest) for name, digest in tables.items()} == {""}
    assert {change_of_table(name, "0" * 64) for name in tables} == {"its content has changed"}
    assert not any(is_missing(name) for name in tables)


def test_a_users_table_of_extinction_is_known_again_by_its_content(project: Path) -> None:
    table = project / "sweeps" / "qext.csv"
    rows = ["T_M,s,Q_ext", "1000,1e-8,0.1", "1000,1,2", "6500,1e-8,0.2", "6500,1,2"]
    table.write_text("\n".join(rows), encoding="utf-8")
    changes = {"numerics.t_end_years": 0.02, "optical_depth.opacity": "planck"}
    changes["optical_depth.Q_ext"] = "qext.csv"
    tables = make_plan(load_sweep(sweep_file_of(project, set=changes))).runs.tables
    ((name, digest),) = [item for item in tables.items() if item[0].startswith("optical_depth")]
    assert name == f"optical_depth.Q_ext = {table}"
    assert change_of_table(name, digest) == ""
    table.write_text(table.read_text(encoding="utf-8").replace("0.1", "1e-1"), encoding="utf-8")
    assert change_of_table(name, digest) == "", "the same numbers, written in another way"
    table.write_text(table.read_text(encoding="utf-8").replace("1e-1", "0.3"), encoding="utf-8")
    assert change_of_table(name, digest) == "its content has changed"
    table.write_text(table.read_text(encoding="utf-8").replace("Q_ext", "Q_pr"), encoding="utf-8")
    assert "a table of <Q_pr>" in change_of_table(name, digest)
    table.unlink()
    assert "cannot be read here" in change_of_table(name, digest)
    assert is_missing(name)
