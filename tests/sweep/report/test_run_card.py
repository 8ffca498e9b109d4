"""A run's card: what is on it is true, and what it says to type repeats the run."""

import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from small_sweeps import HOSTILE, MELT, run_command, sweep_file

import sweep.cli.commands
from marsdisk.config import build_config
from marsdisk.zero_d import run_zero_d
from sweep.planning.plan import make_plan, run_id
from sweep.report.run_card import card
from sweep.running.session import create
from sweep.spec.file import load_sweep
from sweep.store import layout
from sweep.store.store import Store


def carded(store: Path, run: object) -> str:
    done = CliRunner().invoke(sweep.cli.commands.main, ["card", str(store), str(run)])
    assert (done.exit_code, done.stderr) == (0, "")
    return done.stdout


def fenced(text: str, language: str) -> str:
    (content,) = re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return str(content)


def row(text: str, first: str) -> list[str]:
    line, *_ = (line for line in text.splitlines() if line.startswith(f"| {first} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_card_has_the_numbers_of_the_run_with_units(mixed: Path) -> None:
    group = Store.open(mixed)
    done = group.column("status") == layout.DONE
    checked = int(np.flatnonzero(done & np.isfinite(group.column("err_time")[:, 0]))[0])
    text = carded(mixed, checked)
    assert text.startswith(f"# Run {checked} of the sweep small\n")
    assert f"`{group.column('run_id')[checked]}`" in text
    assert float(row(text, "temperature.T0")[1]) == group.column("T0")[checked]
    assert row(text, "temperature.T0")[2:] == ["K", "temperature of Mars at t = 0"]
    assert float(row(text, "M_loss")[1]) == group.column("M_loss")[checked]
    assert row(text, "M_loss")[2:] == ["M_Mars", "mass lost"]
    assert row(text, "t99")[2] == "s"
    labels = group.column("quantity").tolist()
    numbers = {name: group.column(name)[checked] for name in ("err_time", "err_bins", "order_bins")}
    accuracy = text.partition("## Accuracy")[2]
    for i, label in enumerate(labels):
        is_within = numbers["err_time"][i] <= 1e-3 and numbers["err_bins"][i] <= 1e-2
        verdict = "within" if is_within else "**beyond**"
        shown = [f"{numbers[name][i]:.2g}" for name in numbers]
        shown[2] = shown[2].replace("nan", "-")
        assert row(accuracy, label) == [label, *shown, "0.001, 0.01", verdict]
    assert row(accuracy, "M_loss")[-1] == "within"
    assert "- err_bins: relative error from bins, extrapolated" in accuracy
    assert row(text, "supply_weights")[1] == str(group.column("cache_hits")[checked, -1])
    assert re.search(r"\| table radiation\.Q_pr = forsterite \| SHA-256 [0-9a-f]{64} \|", text)
    assert re.search(r"- ledger: start \+ supply = dust \+ losses to \d", text)
    for item in ("model version", "git commit", "made", "Python and packages", "plan"):
        assert row(text, item)[1]


def test_what_differs_comes_first(tmp_path: Path) -> None:
    sweep_file(
        tmp_path,
        variants={"a": {"material.rho": 3270.0, "dynamics.e0": 0.3}, "b": {"dynamics.e0": 0.4}},
    )
    create(make_plan(load_sweep(tmp_path / "small.yaml")), tmp_path / "small.zarr")
    text = carded(tmp_path / "small.zarr", 0)
    assert (
        text.index("| dynamics.e0 |") < text.index("| variant |") < text.index("| material.rho |")
    )
    assert "- no result yet: its block is not committed" in text


def test_commands_and_configuration_on_the_card_repeat_the_run(
    mixed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(mixed.parent)
    text = carded(mixed, 8)
    group = Store.open(mixed)
    run_line, check = fenced(text, "sh").splitlines()
    expected_id = str(group.column("run_id")[8])
    config = build_config(yaml.safe_load(fenced(text, "yaml")))
    assert run_id(config) == expected_id
    assert run_zero_d(config).M_loss == group.column("M_loss")[8]
    done = run_command(*shlex.split(run_line), "--out", tmp_path / "run.csv", cwd=mixed.parent)
    assert (done.returncode, done.stderr) == (0, "")
    series = np.loadtxt(tmp_path / "run.csv", delimiter=",", skiprows=1)
    assert series[:, 1].tobytes() == group.column("Sigma")[8].tobytes()
    assert check == run_line.replace("marsdisk run", "marsdisk check")
    names: dict[str, object] = {}
    exec(fenced(text, "python"), names)
    assert run_id(names["config"]) == expected_id  # type: ignore[arg-type]


def test_failed_and_pending_runs_have_a_card_without_results(mixed: Path) -> None:
    failed = carded(mixed, 1)
    pending = carded(mixed, 2)
    assert (
        "- state: **failed**\n- error: SolverError: numerics.max_steps = 3 reached at t = "
        in failed
    )
    assert "--set numerics.max_steps=3" in failed
    assert "- state: **pending**\n- no result yet" in pending
    assert not re.search("## (Results|Accuracy|Caches)", failed + pending)


def test_hostile_text_stays_text(mixed: Path) -> None:
    text = carded(mixed, 1)
    before, _, after = text.partition("## Reproduce this run")
    assert "<script" not in before
    assert "&#60;script&#62;" in row(text, "variant")[1]
    assert "\u202e" not in text
    assert len(row(text, "variant")) == 4
    assert HOSTILE.splitlines()[0] not in after


def test_a_run_is_named_by_the_beginning_of_its_run_id_and_goes_into_a_file(
    finished: Path, tmp_path: Path
) -> None:
    name = str(Store.open(finished).column("run_id")[3])
    done = CliRunner().invoke(
        sweep.cli.commands.main,
        ["card", str(finished), name[:12], "--out", str(tmp_path / "run.md")],
    )
    assert (done.exit_code, done.stdout) == (0, f"written to {tmp_path / 'run.md'}\n")
    assert (tmp_path / "run.md").read_text(encoding="utf-8") == carded(finished, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["77"], "there is no run '77'"),
        (["0", "--out", "no/run.md"], "no/run.md cannot be written"),
    ],
)
def test_a_card_of_nothing_is_exit_code_2(
    finished: Path, arguments: list[str], message: str
) -> None:
    done = CliRunner().invoke(sweep.cli.commands.main, ["card", str(finished), *arguments])
    assert done.exit_code == 2
    assert message in done.stderr


def test_a_base_or_a_table_that_has_changed_since_is_said(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(MELT, tmp_path / "base.yaml")
    (tmp_path / "cooling.csv").write_text("time,T_M\n0,4000\n1e9,3000\n", encoding="utf-8")
    law = {"temperature": {"law": "table", "path": "cooling.csv"}}
    sweep_file(
        tmp_path,
        base="base.yaml",
        set={"numerics.t_end_years": 0.02, **law},
        axes={"dynamics.e0": [0.3, 0.4]},
    )
    create(make_plan(load_sweep("small.yaml")), tmp_path / "small.zarr")
    group = Store.open(tmp_path / "small.zarr")
    text = card(group, 0)
    assert "changed since" not in text
    assert re.search(r"table temperature\.path = .*cooling\.csv \| SHA-256 [0-9a-f]{64} \|", text)
    (tmp_path / "cooling.csv").write_text("time,T_M\n0,4000\n1e9,2000\n", encoding="utf-8")
    with (tmp_path / "base.yaml").open("a", encoding="utf-8") as file:
        file.write("\ndrag: {rho_g: 1.0e-9}\n")
    text = card(group, 0)
    assert re.search(
        r"cooling\.csv \| SHA-256 [0-9a-f]{64}; \*\*its content has changed\*\* \|", text
    )
    assert "Note: this may not repeat the run bit for bit: the table temperature.path = " in text
    assert "The configuration below is the run's own" in text
    (tmp_path / "base.yaml").unlink()
    text = card(group, 0)
    assert "Note: this may not repeat the run bit for bit: the base base.yaml is not found" in text
