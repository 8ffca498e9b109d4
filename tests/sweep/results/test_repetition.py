"""The command that repeats a run gives the same bits, or says what has changed since."""

import html
import json
import re
import shlex
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from click.testing import CliRunner
from small_sweeps import assert_same_bits, base_in, forget_block, in_one_line, run_here, sweep_file

import marsdisk.cli
import sweep
import sweep.cli.commands
import sweep.results.rerun
from sweep.browse.answers import answer
from sweep.browse.study import Study
from sweep.common.errors import RunChangedWarning, StoreError
from sweep.report.run_card import card
from sweep.results.rerun import RecordedRuns, Repetition
from sweep.store.store import Store

TABLE = "time,T_M\n0,4000\n1e9,3000\n"
RUN = 1


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the working folder, with a base, a table and a finished sweep of two runs."""
    folder = tmp_path / "a #1: study"
    folder.mkdir()
    monkeypatch.chdir(folder)
    (folder / "cooling.csv").write_text(TABLE, encoding="utf-8")
    law = {"temperature": {"law": "table", "path": "cooling.csv"}}
    settings = {"numerics.t_end_years": 0.02, **law}
    file = sweep_file(
        folder, base=base_in(folder), set=settings, axes={"dynamics.e0": [0.3, 0.4]}, block=1
    )
    run_here(Path(file.name), folder / "small.zarr")
    return folder


def edited(study: Path, *changes: tuple[str, str], more: str = "") -> None:
    base = study / "base.yaml"
    text = base.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    base.write_text(text + more, encoding="utf-8")


def on_the_card(study: Path) -> tuple[str, str]:
    """Return the command and the note on the card."""
    text = card(Store.open(study / "small.zarr"), RUN)
    lines = re.findall(r"^marsdisk run .*$", text, re.MULTILINE)
    notes = re.findall(r"^Note: (.*)\.$", text, re.MULTILINE)
    return "".join(lines), "".join(notes)


def on_the_page(study: Path) -> str:
    """Return the text of the part of the page on repeating a run."""
    html = answer(Study.of(study / "small.zarr").moment, "about", {"runs": str(RUN)})["html"]
    return str(html).partition("Run it again")[2]


def from_python(study: Path) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("error", RunChangedWarning)
        return sweep.open_store(study / "small.zarr").sweep.command(RUN)


def assert_repeats(line: str, study: Path, out: Path) -> None:
    """Assert that the command, as typed, gives the bits that the store holds."""
    program, *words = shlex.split(line)
    assert program == "marsdisk"
    done = CliRunner().invoke(marsdisk.cli.main, [*words, "--out", str(out)])
    assert done.exit_code == 0, done.output
    group = Store.open(study / "small.zarr")
    with np.load(out) as arrays:
        for name in ("M_loss", "Sigma", "N", "t", "tau_los"):
            assert arrays[name].tobytes() == np.asarray(group.column(name)[RUN]).tobytes()


EDITS: dict[str, Callable[[Path], None]] = {
    "nothing": lambda study: None,
    "a comment": lambda study: edited(study, more="\n# a thought\n"),
    "a value that the run sets itself": lambda study: edited(
        study, ("t_end_years: 2.0", "t_end_years: 3.0"), ("e0: 0.5", "e0: 0.6")
    ),
    "a value": lambda study: edited(study, ("f_fine: 0.03", "f_fine: 0.3")),
    "a key more": lambda study: edited(
        study,
        (
            "dynamics: {e0: 0.5, i0: 0.05}",
            "dynamics: {e0: 0.5, i0: 0.05, e_profile: mars_pericenter}",
        ),
    ),
    "a key less": lambda study: edited(
        study, ("{tau0_target: 1.0, tau_stop: 2.302585092994046}", "{tau0_target: 1.0}")
    ),
    "a section that says what holds anyway less": lambda study: edited(
        study, ("qstar: {table: forsterite}", "")
    ),
    "a section more": lambda study: edited(study, more="\ndrag: {rho_g: 1.0e-9}\n"),
    "several": lambda study: edited(
        study,
        ("f_fine: 0.03", "f_fine: 0.3"),
        ("rho: 3270", "rho: 3000"),
        more="\ndrag: {rho_g: 1.0e-9}\n",
    ),
}


SEEN = {"a value", "a key more", "a key less", "a section more", "several"}


@pytest.mark.parametrize("kind", EDITS)
def test_an_edited_base_is_set_back_by_the_command(study: Path, tmp_path: Path, kind: str) -> None:
    EDITS[kind](study)
    line = from_python(study)
    assert on_the_card(study)[0] == line
    assert line in html.unescape(on_the_page(study))
    assert_repeats(line, study, tmp_path / "again.npz")
    note = on_the_card(study)[1]
    assert ("was edited since" in note) == (kind in SEEN)
    assert ("was edited since" in on_the_page(study)) == ("was edited since" in note)


def other_table(study: Path) -> None:
    (study / "cooling.csv").write_text(TABLE.replace("3000", "2000"), encoding="utf-8")


def other_numpy(study: Path) -> None:
    record = study / "small.zarr" / "zarr.json"
    content = json.loads(record.read_text(encoding="utf-8"))
    content["attributes"]["provenance"]["packages"]["numpy"] = "1.0"
    record.write_text(json.dumps(content), encoding="utf-8")


def other_code(study: Path) -> None:
    record = study / "small.zarr" / "zarr.json"
    content = json.loads(record.read_text(encoding="utf-8"))
    content["attributes"]["provenance"]["model_version"] = "0.0.1+0123456789abcdef"
    record.write_text(json.dumps(content), encoding="utf-8")


def gone_base(study: Path) -> None:
    (study / "base.yaml").unlink()


CHANGES = {
    "the base": (gone_base, "the base base.yaml is not found from here"),
    "a table": (other_table, "cooling.csv: its content has changed"),
    "numpy": (other_numpy, "numpy was 1.0 and is "),
    "the model": (other_code, "the model was 0.0.1+0123456789abcdef and is "),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_what_has_changed_otherwise_is_said_wherever_the_command_is_given(
    study: Path, kind: str
) -> None:
    change, words = CHANGES[kind]
    change(study)
    with pytest.warns(RunChangedWarning, match=re.escape(words)):
        line = sweep.open_store(study / "small.zarr").sweep.command(RUN)
    shown, note = on_the_card(study)
    assert shown == line
    assert words in note.replace("&#95;", "_")
    assert "this may not repeat the run bit for bit" in note
    assert words in on_the_page(study)


def base_that_is_none(study: Path) -> None:
    (study / "base.yaml").write_text("[", encoding="utf-8")


def base_with_a_key_too_many(study: Path) -> None:
    edited(study, more="\nno_such_section: {a: 1}\n")


def moved_table(study: Path) -> None:
    (study / "cooling.csv").rename(study / "moved.csv")


LOST = {
    "no YAML": (base_that_is_none, "base.yaml can no longer be read"),
    "a key too many": (base_with_a_key_too_many, "no_such_section"),
    "no table": (moved_table, "cooling.csv: cannot be read here (there is no such file)"),
}


@pytest.mark.parametrize("kind", LOST)
def test_where_no_command_repeats_a_run_none_is_given(study: Path, kind: str) -> None:
    lose, words = LOST[kind]
    lose(study)
    with pytest.raises(StoreError, match=re.escape(words)):
        sweep.open_store(study / "small.zarr").sweep.command(RUN)
    shown, note = on_the_card(study)
    assert shown == ""
    assert "no command repeats it" in note
    assert words in note.replace("&#95;", "_")
    page = on_the_page(study)
    assert words in page
    assert "marsdisk run" not in page


def test_an_extension_has_the_packages_that_it_was_made_with(study: Path) -> None:
    sweep_file(
        study,
        base="base.yaml",
        set=json.loads((study / "small.yaml").read_text(encoding="utf-8"))["set"],
        axes={"dynamics.e0": [0.3, 0.4, 0.5]},
        block=1,
    )
    other_numpy(study)
    run_here(study / "small.yaml", study / "small.zarr", extending=True)
    recorded = RecordedRuns.of(Store.open(study / "small.zarr"))
    assert [bool(recorded.repetition(run).changes) for run in range(3)] == [True, True, False]


def test_what_is_set_twice_is_set_in_the_order_of_its_making(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    variants = {"all": {"dynamics": {"e0": 0.2, "i0": 0.1}}, "one": {"dynamics.e0": 0.3}}
    settings = {"numerics.t_end_years": 0.02, "dynamics": {"e0": 0.4}}
    file = sweep_file(tmp_path, base=base_in(tmp_path), set=settings, variants=variants)
    run_here(Path(file.name), tmp_path / "s.zarr")
    recorded = RecordedRuns.of(Store.open(tmp_path / "s.zarr"))
    assert [recorded.repetition(run).changes for run in range(2)] == [(), ()]


def typed(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(sweep.cli.commands.main, list(words))
    return done.exit_code, in_one_line(done.output)


def test_a_finished_store_whose_table_has_moved_has_nothing_to_do(study: Path) -> None:
    store = str(study / "small.zarr")
    moved_table(study)
    code, output = typed("resume", store, "--workers", "0")
    assert code == 0, output
    assert "all runs were already complete; nothing to do" in output
    assert "note: all runs are complete; no further runs would be possible: " in output
    assert "cooling.csv" in output
    code, output = typed("doctor", store)
    assert code == 0
    assert "missing tables" in output
    assert output.endswith("no action needed")


def test_an_unfinished_store_whose_study_has_moved_goes_on_with_the_sweep_file(
    study: Path, tmp_path: Path
) -> None:
    whole = Path(shutil.copytree(study / "small.zarr", tmp_path / "whole.zarr"))
    moved = study.rename(tmp_path / "moved")
    store = str(moved / "small.zarr")
    forget_block(moved / "small.zarr", 1)
    code, output = typed("resume", store, "--workers", "0")
    assert code == 2
    assert "cooling.csv" in output
    code, output = typed("doctor", store, "--json")
    assert code == 1
    assert "sweep resume cannot compute the remaining runs" in output
    code, output = typed("run", str(moved / "small.yaml"), "--store", store, "--workers", "0")
    assert code == 0, output
    assert_same_bits(store, whole)
    assert typed("doctor", store)[0] == 0


def test_a_table_with_other_content_is_another_plan_for_run_and_resume_as_the_doctor_says(
    study: Path,
) -> None:
    store = str(study / "small.zarr")
    other_table(study)
    code, output = typed("doctor", store, "--json")
    assert code == 1
    assert "sweep run and sweep resume refuse the store" in output
    for words in (["resume", store], ["run", str(study / "small.yaml"), "--store", store]):
        code, output = typed(*words, "--workers", "0")
        assert code == 2
        assert "holds another plan" in output


def test_failed_runs_that_are_to_be_run_again_need_their_tables(study: Path) -> None:
    status: Any = zarr.open_array(study / "small.zarr" / "status", mode="r+")
    status[0] = 2
    moved_table(study)
    assert typed("resume", str(study / "small.zarr"), "--workers", "0")[0] == 1
    code, output = typed("resume", str(study / "small.zarr"), "--workers", "0", "--retry-failed")
    assert code == 2
    assert "cooling.csv" in output


def test_the_end_of_a_sweep_says_what_has_changed_on_a_line_of_its_own(study: Path) -> None:
    status: Any = zarr.open_array(study / "small.zarr" / "status", mode="r+")
    status[RUN] = 2
    EDITS["a value"](study)
    done = CliRunner().invoke(
        sweep.cli.commands.main, ["resume", str(study / "small.zarr"), "--workers", "0"]
    )
    assert done.exit_code == 1
    lines = done.stdout.splitlines()
    (index,) = [i for i, line in enumerate(lines) if line.startswith("  run it alone: ")]
    assert lines[index].partition(": ")[2] == from_python(study)
    assert lines[index + 1].startswith("  note: the base ")
    assert "initial is set back to what it was" in lines[index + 1]


def test_what_is_said_of_a_run_is_one_line_whatever_its_files_are_called() -> None:
    words = Repetition("marsdisk run x", ("the table a\nrm b: gone",)).words
    assert words == "this may not repeat the run bit for bit: the table a rm b: gone"
