"""The commands as people type them: what they print and leave behind, and their exit codes."""

import json
import logging
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_sweeps import (
    CONFIGS,
    MELT,
    SCRIPTS,
    T0_AND_RINGS,
    assert_same_bits,
    command,
    environment,
    forget_block,
    in_one_line,
    run_command,
    run_here,
    sweep_file,
)

from marsdisk import _jit
from marsdisk.config import RunConfig
from marsdisk.config.keys import config_keys
from marsdisk.notes import SENTENCES, Note
from marsdisk.report.result import SERIES
from marsdisk.zero_d import ensure_compiled
from sweep.planning.create_store import forecast
from sweep.planning.plan import make_plan
from sweep.spec.file import load_sweep
from sweep.store.driving import driving
from sweep.store.store import Store

Finished = tuple[Any, Path]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """Return the output of the installed ``sweep run small.yaml``, and the folder it ran in."""
    folder = tmp_path_factory.mktemp("ran")
    sweep_file(folder, axes=T0_AND_RINGS)
    return command("sweep", "run", "small.yaml", "--workers", 0, cwd=folder), folder


@pytest.fixture(scope="module")
def partly_failed(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """Return the same for a sweep one of whose three runs needs more steps than allowed."""
    folder = tmp_path_factory.mktemp("failed")
    set_ = {
        "numerics.t_end_years": 0.02,
        "optical_depth.tau_stop": None,
        "collisions.enabled": True,
    }
    variants = {"good": {}, "short": {"numerics.max_steps": 3}, "flat": {"dynamics.e0": 0.4}}
    sweep_file(folder, set=set_, variants=variants, block=3)
    return run_command("sweep", "run", "small.yaml", "--workers", 0, cwd=folder), folder


def test_a_run_ends_with_the_totals_and_what_to_type_next(ran: Finished) -> None:
    done, _ = ran
    assert (done.returncode, done.stderr) == (0, "")
    text = in_one_line(done.stdout)
    assert "6 runs in 3 blocks into results/small.zarr" in text
    assert "6 of 6 runs done, 0 failed" in text
    head = r"M_loss of the whole disk \[1e-12 M_Mars\] over T0 .*T0 = 3000 . T0 = 4000"
    assert re.search(head, text)
    assert (
        "next: sweep show results/small.zarr, sweep plot results/small.zarr heatmap,"
        " sweep browse results/small.zarr, or in Python: import sweep;"
        " store = sweep.Store.open('results/small.zarr')" in text
    )


def test_the_installed_program_gives_the_bits_of_this_process(
    ran: Finished, finished: Path
) -> None:
    assert_same_bits(ran[1] / "results" / "small.zarr", finished)


def test_the_same_command_again_runs_nothing(ran: Finished) -> None:
    _, folder = ran
    before = {
        path: path.stat().st_mtime_ns for path in (folder / "results" / "small.zarr").rglob("*")
    }
    done = run_command("sweep", "run", "small.yaml", "--workers", 0, cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert "all runs were already complete; nothing to do" in done.stdout
    assert {
        path: path.stat().st_mtime_ns for path in (folder / "results" / "small.zarr").rglob("*")
    } == before


def test_resume_of_a_finished_store_runs_nothing(ran: Finished) -> None:
    done = run_command("sweep", "resume", "results/small.zarr", "--workers", 0, cwd=ran[1])
    assert (done.returncode, done.stderr) == (0, "")
    assert "nothing to do" in done.stdout


def test_a_plan_counts_cases_and_blocks_and_leaves_nothing_behind(tmp_path: Path) -> None:
    included = [{"temperature.T0": 3000.0}, {"temperature.T0": 3000}]
    excluded = [{"ring": 0, "temperature.T0": 4000}]
    sweep_file(tmp_path, axes=T0_AND_RINGS, include=included, exclude=excluded)
    done = run_command("sweep", "plan", "small.yaml", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    for words in (
        *(
            "axis temperature.T0: 2 points, 3000.0 to 4000.0",
            "axis ring: 3 points, r = 1 to 2.7 R_M",
        ),
        *(
            (
                "6 runs (2 included, 1 excluded, 1 that coincide with others are left out) in 3"
                " blocks of up to 2"
            ),
            "3 distinct sets of cached arrays, cache scope task",
        ),
    ):
        assert words in done.stdout
    assert re.search(r"at most [\d.]+ MB before compression, \d+ files", done.stdout)
    assert [path.name for path in tmp_path.iterdir()] == ["small.yaml"]


def test_the_forecast_of_files_is_an_upper_bound_and_a_close_one(ran: Finished) -> None:
    expected = forecast(make_plan(load_sweep(ran[1] / "small.yaml")))
    files = [path for path in (ran[1] / "results" / "small.zarr").rglob("*") if path.is_file()]
    assert 0.5 * expected.files < len(files) <= expected.files


def test_status_counts_runs_and_blocks(ran: Finished) -> None:
    done = run_command("sweep", "status", "results/small.zarr", cwd=ran[1])
    assert done.returncode == 0
    first, second, *notes = done.stdout.splitlines()
    assert first == "results/small.zarr: 6 done, 0 failed, 0 pending of 6 runs"
    assert second == "3 of 3 blocks committed"
    assert notes
    assert all(line.startswith("note: ") for line in notes)


def test_status_waits_for_neither_numba_nor_zarr(ran: Finished) -> None:
    code = (
        "import sys; from sweep.cli import main; main(sys.argv[1:], standalone_mode=False);"
        " print({'numba', 'zarr'} & {*sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "status", "results/small.zarr"],
        cwd=ran[1],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "blocks committed\n" in done.stdout
    assert done.stdout.endswith("\nset()\n")


def test_status_for_programs_is_json(ran: Finished) -> None:
    done = run_command("sweep", "status", "results/small.zarr", "--json", cwd=ran[1])
    report = json.loads(done.stdout)
    assert report.pop("notes")["nothing_breaks"] == 6
    assert report == {
        "runs": 6,
        "done": 6,
        "failed": 0,
        "blocks": 3,
        "blocks_committed": 3,
        "refining": False,
        "pending": 0,
    }


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            [],
            [
                "T0 [K]",
                "r_in_RM [R_M]",
                "ring",
                "M_loss [1e-12 M_Mars]",
                "t99 [yr]",
                "M_loss is shown in 1e-12 M_Mars; conditions and files use M_Mars",
                "tau_max",
                "stop_reason",
                "t_end_years",
                "done",
            ],
        ),
        (["--columns", "T0,steps,error"], ["T0 [K]", "steps", "error"]),
        (["--rows", "2"], ["4 more runs; --rows shows them"]),
        (
            ["--cache"],
            [
                "weights_table",
                "supply_weights",
                "hits",
                "misses",
                "build time [ms]",
                "dropped because of",
            ],
        ),
    ],
)
def test_show_prints_a_table_with_units(
    ran: Finished, options: list[str], words: list[str]
) -> None:
    done = run_command("sweep", "show", "results/small.zarr", *options, cwd=ran[1])
    assert (done.returncode, done.stderr) == (0, "")
    assert [word for word in words if word not in in_one_line(done.stdout)] == []


@pytest.mark.parametrize("columns", ["T0,M_los", "N", "Sigma"])
def test_show_refuses_a_column_that_is_no_scalar_and_names_those_there_are(
    ran: Finished, columns: str
) -> None:
    done = run_command("sweep", "show", "results/small.zarr", "--columns", columns, cwd=ran[1])
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert f"{columns.split(',')[-1]!r}" in done.stderr
    assert "M_loss" in done.stderr
    assert "Traceback" not in done.stderr


def test_brackets_in_a_label_are_shown_as_they_are(tmp_path: Path) -> None:
    sweep_file(tmp_path, variants={"[x] as is": {}, "[red]flat": {"dynamics.e0": 0.4}})
    done = run_command("sweep", "run", "small.yaml", "--workers", 0, cwd=tmp_path)
    assert "variant = [x] as is" in in_one_line(done.stdout)
    assert "[red]flat" in run_command("sweep", "show", "results/small.zarr", cwd=tmp_path).stdout


QUESTIONS = [["show"], ["show", "--cache"], ["card", "0"], ["doctor"], ["status"]]
AGAIN = [pytest.param(words, "1", marks=pytest.mark.thorough) for words in QUESTIONS[1:4]]


@pytest.mark.parametrize(
    ("words", "unbuffered"),
    [*((words, "") for words in QUESTIONS), (["show"], "1"), (["status"], "1"), *AGAIN],
)
def test_a_reader_that_has_seen_enough_is_no_error(
    finished: Path, words: list[str], unbuffered: str
) -> None:
    line = [SCRIPTS / "sweep", words[0], finished, *words[1:]]
    extra = environment(PYTHONUNBUFFERED=unbuffered)
    with subprocess.Popen(
        line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=extra
    ) as show:
        assert show.stdout is not None
        show.stdout.close()
        assert show.stderr is not None
        assert show.stderr.read() == ""
    assert show.returncode == 0


HELP = [
    ("sweep", name)
    for name in ("", "run", "plan", "status", "show", "resume", "plot", "compare", "export", "card")
] + [("marsdisk", name) for name in ("", "run", "check", "show", "qpr")]


@pytest.mark.parametrize("program", ["sweep", "marsdisk"])
def test_an_installed_program_explains_itself(tmp_path: Path, program: str) -> None:
    done = command(program, "--help", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Usage: {program} ")


@pytest.mark.parametrize(("program", "name"), HELP)
def test_every_command_explains_itself(tmp_path: Path, program: str, name: str) -> None:
    done = run_command(program, *([name] if name else []), "--help", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Usage: {program}{' ' + name if name else ''} ")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            "sweep run missing.yaml",
            "missing.yaml: cannot be read: No such file or directory; check the path",
        ),
        (
            "sweep run typo.yaml",
            "temperature.T_0 = 3000.0: there is no such key; did you mean temperature.T0?",
        ),
        ("sweep plan typo.yaml", "nothing was started: temperature.T_0 = 3000.0"),
        (
            "sweep run good.yaml --set temperature.T0=3500",
            "--set temperature.T0=3500 would override the axis temperature.T0; drop one of them",
        ),
        ("sweep run good.yaml --set material.rho=[", "--set material.rho=["),
        (
            "sweep run good.yaml --set material.rho",
            "'material.rho' is not key=value, for example temperature.T0=3000",
        ),
        (
            "sweep run good.yaml --store ''",
            "is not a name for a store; give the path of a folder to create, such as",
        ),
        ("sweep run good.yaml --workers -1", "Invalid value for '--workers': -1"),
        (
            "sweep status nothing.zarr",
            "nothing.zarr: there is no store of a sweep here; check the path",
        ),
        ("sweep resume nothing.zarr", "nothing.zarr: there is no store of a sweep here"),
        ("sweep show nothing.zarr", "nothing.zarr: there is no store of a sweep here"),
        ("marsdisk run missing.yaml", "missing.yaml: cannot be read"),
        (
            f"marsdisk run {MELT} --set material.rh=3",
            "material.rh = 3: there is no such key; did you mean material.rho?",
        ),
        (
            "sweep plan good.yaml --set material.rho=3000 --set material.rho=3100",
            "material.rho is given twice; drop one",
        ),
        (
            f"marsdisk run {MELT} --set material.rho=3000 --set material.rho=3100",
            "material.rho is given twice; drop one",
        ),
        (
            f"marsdisk run {MELT} --set numerics.t_end_until_temperature_K=5000",
            f"error: {MELT}: numerics.t_end_until_temperature_K = 5000: Mars",
        ),
        (
            f"marsdisk run {MELT} --set radiation.Q_pr=no.csv",
            "no.csv cannot be read: No such file or directory; give a number, forsterite, or",
        ),
        (
            f"marsdisk run {MELT} --set numerics.max_steps=3",
            "numerics.max_steps = 3 reached at t = ",
        ),
        (f"marsdisk run {MELT} --out result.txt", "result.txt: must end in .npz or .csv"),
        (
            f"marsdisk run {MELT} --set numerics.t_end_years=0.01 --out no/where.csv",
            "no/where.csv cannot be written: No such file or directory",
        ),
    ],
)
def test_bad_input_is_exit_code_2_with_a_message_and_leaves_nothing_behind(
    tmp_path: Path, words: str, message: str
) -> None:
    sweep_file(tmp_path, "good.yaml", axes={"temperature.T0": [3000.0]})
    sweep_file(tmp_path, "typo.yaml", axes={"temperature.T_0": [3000.0]})
    done = run_command(*shlex.split(words), cwd=tmp_path)
    assert done.returncode == 2
    assert message in in_one_line(done.stderr)
    assert "Traceback" not in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["good.yaml", "typo.yaml"]


@pytest.mark.parametrize("words", ["sweep run missing.yaml", "marsdisk run missing.yaml"])
def test_without_debug_an_error_is_its_message_alone(tmp_path: Path, words: str) -> None:
    done = command(*words.split(), cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        done.stderr
        == "error: missing.yaml:\n  cannot be read: No such file or directory; check the path\n"
    )


@pytest.mark.parametrize(
    "words", ["sweep --debug run missing.yaml", "marsdisk --debug run missing.yaml"]
)
def test_with_debug_an_error_comes_with_its_traceback(tmp_path: Path, words: str) -> None:
    done = run_command(*words.split(), cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback (most recent call last)" in done.stderr
    assert done.stderr.splitlines()[-2:][0].startswith("error: missing.yaml:")


def test_a_failed_run_is_exit_code_1_and_its_neighbours_are_done(partly_failed: Finished) -> None:
    done, folder = partly_failed
    assert done.returncode == 1
    assert "2 of 3 runs done, 1 failed" in done.stdout
    assert re.search(
        r"run \d failed: SolverError: numerics.max_steps = 3 reached at t = .*raise it or loosen"
        r" numerics.rtol",
        done.stdout,
    )
    assert "Traceback" not in done.stderr
    assert (
        Store.open(folder / "results" / "small.zarr").counts().done,
        Store.open(folder / "results" / "small.zarr").counts().failed,
    ) == (2, 1)


def test_the_command_it_prints_shows_the_same_error(partly_failed: Finished) -> None:
    done, folder = partly_failed
    (line,) = re.findall(r"run it alone: (marsdisk run .*)", done.stdout)
    (error,) = re.findall(r"failed: SolverError: (.*)", done.stdout)
    alone = run_command(*shlex.split(line), cwd=folder)
    assert alone.returncode == 2
    assert error in in_one_line(alone.stderr)


def test_marsdisk_run_writes_everything_or_the_series(tmp_path: Path) -> None:
    small = (
        "--set",
        "numerics.t_end_years=0.02",
        "--set",
        "output.samples=8",
        "--set",
        "output.snapshots=2",
    )
    # by the installed program, too
    for run, name in ((command, "run.npz"), (run_command, "run.csv")):
        done = run("marsdisk", "run", MELT, *small, "--out", name, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert "ended after 0.02 yr: " in done.stdout
        assert f"written to {name}" in done.stdout
    with np.load(tmp_path / "run.npz") as arrays:
        assert arrays["N"].shape == (2, 40)
        assert json.loads(str(arrays["config"]))["output"]["samples"] == 8
        series = np.loadtxt(tmp_path / "run.csv", delimiter=",", skiprows=1)
        assert series.shape == (8, len(SERIES))
        assert series[:, 1].tobytes() == arrays["Sigma"].tobytes()
    assert (
        (tmp_path / "run.csv")
        .read_text(encoding="utf-8")
        .startswith("t [s],Sigma [kg m-2],tau_los [1],")
    )


def test_marsdisk_show_prints_every_key_with_its_unit_and_what_follows(tmp_path: Path) -> None:
    done = run_command("marsdisk", "show", MELT, "--set", "temperature.T0=3333", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    text = in_one_line(done.stdout)
    assert "temperature.T0 3333 K temperature of Mars at t = 0" in text
    assert "material.rho 3270 kg m-3" in text
    assert re.search(r"v_rel [\d.]+ m s-1", text)
    assert "initial.melt_psd.f_fine 0.03" in text
    assert "temperature.path" not in text
    assert re.search(
        r"\d+ keys of laws and parts that are not in use are left out; --all shows them, and what"
        r" every key takes",
        text,
    )


def test_marsdisk_show_all_prints_every_key_there_is_with_what_it_takes(tmp_path: Path) -> None:
    done = run_command("marsdisk", "show", MELT, "--all", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.split() for line in done.stdout.splitlines()]
    assert set(config_keys(RunConfig)) <= {words[0] for words in lines if words}
    text = in_one_line(done.stdout)
    assert "temperature.law slab one of constant, slab, linear, table cooling law of Mars" in text
    assert "temperature.path (not in use) a text CSV file, relative to the configuration" in text
    assert (
        "supply.powerlaw.A (not in use) a number in [0, inf) kg m-2 s-1 supply before mixing"
        in text
    )
    assert "material.rho 3270 a number in [1000, 5000] kg m-3 density of the grains" in text


@pytest.mark.parametrize("words", [f"marsdisk run {MELT}", "sweep plan small.yaml"])
def test_compiling_is_announced_where_there_is_no_compiled_kernel_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    sweep_file(tmp_path, axes={"temperature.T0": [3000.0]})
    ensure_compiled()  # so that this process has its kernels already
    monkeypatch.setattr(_jit, "compiled_folder", lambda: tmp_path)
    done = run_command(*words.split(), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(
        "compiling the kernels, once for each version of the model; a minute or two\n"
    )


def test_a_run_that_ends_before_its_first_orbit_says_so(tmp_path: Path) -> None:
    done = run_command("marsdisk", "run", CONFIGS / "mars_0d_fiducial.yaml", cwd=tmp_path)
    text = in_one_line(done.stdout)
    assert "tau_los exceeded optical_depth.tau_stop; set tau_stop: null" in text
    assert "note: a stop condition ended the run early" in text
    note = "note: the run ended before the dust went round Mars once"
    assert note in text
    assert (
        note
        not in run_command(
            "marsdisk", "run", MELT, "--set", "numerics.t_end_orbits=1.5", cwd=tmp_path
        ).stdout
    )


HOT = {
    "numerics.t_end_years": 0.02,
    "phase": {"enabled": True, "T_condense": 900.0, "T_vaporize": 900.0},
}


def test_runs_whose_grains_were_never_solid_are_counted_at_the_end(tmp_path: Path) -> None:
    sweep_file(tmp_path, set=HOT, axes={"temperature.T0": [3000.0, 4000.0]})
    done = run_command("sweep", "run", "small.yaml", "--workers", 0, cwd=tmp_path)
    assert f"note: all 2 runs: {SENTENCES[Note.NEVER_SOLID]}" in done.stdout


@pytest.mark.parametrize(("tau0", "is_opaque"), [(0.5, False), (20.0, True)])
def test_runs_that_are_opaque_are_counted_at_the_end(
    tmp_path: Path, tau0: float, is_opaque: bool
) -> None:
    changes = {
        "numerics.t_end_years": 1e-6,
        "optical_depth.tau_stop": None,
        "optical_depth.tau0_target": tau0,
    }
    sweep_file(tmp_path, set=changes, axes={"temperature.T0": [3000.0, 4000.0]})
    done = run_command("sweep", "run", "small.yaml", "--workers", 0, cwd=tmp_path)
    assert (
        f"note: all 2 runs: {SENTENCES[Note.OPAQUE_WHILE_BLOWN_OUT]}" in done.stdout
    ) == is_opaque


def test_status_tells_of_a_driver_that_was_killed_and_how_to_go_on(tmp_path: Path) -> None:
    run_here(sweep_file(tmp_path, axes=T0_AND_RINGS), tmp_path / "s.zarr")
    forget_block(tmp_path / "s.zarr", 1)
    beat = {
        "state": "running",
        "pid": 5910,
        "host": "h",
        "since": "2020-01-01T00:00:00+00:00",
        "at": "2020-01-01T01:00:00+00:00",
    }
    (tmp_path / ".s.zarr.heartbeat").write_text(json.dumps(beat), encoding="utf-8")
    done = run_command("sweep", "status", "s.zarr", cwd=tmp_path)
    assert (
        "last driven by process 5910 on h, killed or cut off at 2020-01-01T01:00:00+00:00"
        in done.stdout
    )
    assert done.stdout.splitlines()[-1] == "resume with: sweep resume s.zarr"
    assert (
        json.loads(run_command("sweep", "status", "s.zarr", "--json", cwd=tmp_path).stdout)[
            "driver"
        ]["state"]
        == "killed or cut off"
    )
    with driving(tmp_path / "s.zarr"):
        assert (
            "driven by process 5910 on h since"
            in run_command("sweep", "status", "s.zarr", cwd=tmp_path).stdout
        )


def settings() -> tuple[object, ...]:
    """Return what a program may set for its process."""
    logs = logging.getLogger("sweep").level, logging.getLogger().handlers[:]
    return signal.getsignal(signal.SIGINT), logs, dict(os.environ), sys.argv[:], Path.cwd()


@pytest.mark.parametrize("words", ["marsdisk --debug show no.yaml", "sweep --debug status no.zarr"])
def test_a_command_run_here_leaves_the_settings_of_this_process_alone(
    tmp_path: Path, words: str
) -> None:
    before = settings()
    assert run_command(*words.split(), cwd=tmp_path).returncode == 2
    assert settings() == before
