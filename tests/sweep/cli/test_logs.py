"""How much commands say (-q, -v, --debug), and the file that their log goes to (--log)."""

import logging
import re
import shlex
from pathlib import Path

import pytest
from small_sweeps import T0_AND_RINGS, run_command, sweep_file

import marsdisk.cli
import sweep.cli.commands

PROGRAMS = {"sweep": sweep.cli.commands.main, "marsdisk": marsdisk.cli.main}
COMMANDS = [f"{name} {verb}" for name, program in PROGRAMS.items() for verb in program.commands]
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4}"
RUN = "run small.yaml --workers 0 --store s.zarr"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with the sweep file small.yaml, of six runs in three blocks."""
    sweep_file(tmp_path, axes=T0_AND_RINGS)
    return tmp_path


def with_failures(folder: Path) -> None:
    """Let one run of small.yaml fail."""
    settings = {
        "numerics.t_end_years": 0.02,
        "optical_depth.tau_stop": None,
        "collisions.enabled": True,
    }
    variants = {"short": {"numerics.max_steps": 3}, "good": {}}
    sweep_file(folder, set=settings, variants=variants, block=1)


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_has_the_options_of_its_log(words: str, tmp_path: Path) -> None:
    text = run_command(*words.split(), "--help", cwd=tmp_path).stdout
    assert all(option in text for option in ("-q, --quiet", "-v, --verbose", "--log", "--debug"))


@pytest.mark.parametrize("words", COMMANDS)
def test_no_two_options_of_a_command_share_a_name(words: str) -> None:
    name, verb = words.split()
    parameters = PROGRAMS[name].commands[verb].params
    options = [option for parameter in parameters for option in parameter.opts]
    assert len(set(options)) == len(options)
    assert len({parameter.name for parameter in parameters}) == len(parameters)


@pytest.mark.parametrize("words", [f"-q {RUN}", f"{RUN} --quiet"])
def test_a_quiet_sweep_that_ends_well_prints_nothing(folder: Path, words: str) -> None:
    done = run_command("sweep", *words.split(), cwd=folder)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (folder / "s.zarr").is_dir()


def test_a_quiet_sweep_whose_runs_fail_says_so_on_standard_error(folder: Path) -> None:
    with_failures(folder)
    done = run_command("sweep", *RUN.split(), "-q", cwd=folder)
    assert (done.returncode, done.stdout) == (1, "")
    assert "1 of 2 runs done, 1 failed" in done.stderr
    assert "max_steps" in done.stderr


def test_a_quiet_sweep_that_stops_early_says_why(folder: Path) -> None:
    with_failures(folder)
    done = run_command("sweep", *RUN.split(), "-q", "--max-failures", "0", cwd=folder)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("stopped: ")


def test_a_quiet_command_still_prints_its_result_with_its_caveats(
    finished: Path, tmp_path: Path
) -> None:
    loud = run_command("sweep", "show", finished, cwd=tmp_path)
    quiet = run_command("sweep", "show", finished, "-q", cwd=tmp_path)
    assert quiet.stdout == loud.stdout
    assert "note: " in quiet.stdout


def test_where_a_quiet_command_has_written_a_file_it_does_not_say(
    finished: Path, tmp_path: Path
) -> None:
    words = ["sweep", "plot", str(finished), "psd", "--out", "psd.png", "-q"]
    done = run_command(*words, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "written to" not in done.stdout
    assert (tmp_path / "psd.png").exists()


def test_a_quiet_sweep_prints_the_json_that_was_asked_for(folder: Path) -> None:
    done = run_command("sweep", *RUN.split(), "--quiet", "--json", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("{")
    assert done.stdout.count("\n") == 1


def test_ctrl_c_at_any_time_ends_a_command_with_its_own_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("sweep.planning.read_sweep.read_sweep", interrupt)
    done = run_command("sweep", "plan", "any.yaml", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")


def test_an_error_is_printed_however_quiet_a_command_is(tmp_path: Path) -> None:
    done = run_command("marsdisk", "show", "no.yaml", "-q", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: no.yaml:")


@pytest.mark.parametrize("words", [f"-v {RUN}", f"{RUN} --verbose"])
def test_a_verbose_sweep_prints_a_line_for_each_block(folder: Path, words: str) -> None:
    done = run_command("sweep", *words.split(), cwd=folder)
    blocks = re.findall(r"INFO sweep\.running\.progress: block (\d): 2 runs done", done.stderr)
    assert blocks == ["0", "1", "2"]
    # what is on standard output anyway is not printed twice
    assert "6 runs in 3 blocks" in done.stdout
    assert "6 runs in 3 blocks" not in done.stderr


@pytest.mark.parametrize("words", ["-q -v", "-q --debug", "--verbose --quiet"])
def test_quiet_and_loud_at_once_is_a_mistake(folder: Path, words: str) -> None:
    done = run_command("sweep", *RUN.split(), *words.split(), cwd=folder)
    assert done.returncode == 2
    assert "--quiet does not go with --verbose or --debug" in done.stderr


def test_quiet_before_the_command_and_loud_behind_it_is_a_mistake(folder: Path) -> None:
    done = run_command("sweep", "-q", *RUN.split(), "-v", cwd=folder)
    assert done.returncode == 2


def test_a_log_has_the_command_its_messages_and_its_blocks_with_their_times(folder: Path) -> None:
    run_command("sweep", *RUN.split(), "-q", "--log", "s.log", cwd=folder)
    lines = (folder / "s.log").read_text(encoding="utf-8").splitlines()
    assert all(re.match(f"{TIME} (INFO|WARNING) ", line) for line in lines)
    assert lines[0].endswith(f"sweep {RUN} -q --log s.log")
    assert sum(": block " in line for line in lines) == 3
    assert any(line.endswith("6 of 6 runs done, 0 failed") for line in lines)


def test_a_log_is_appended_to(folder: Path) -> None:
    for verb in (RUN, "status s.zarr", "status gone.zarr"):
        run_command("sweep", *verb.split(), "--log", "s.log", cwd=folder)
    text = (folder / "s.log").read_text(encoding="utf-8")
    commands = re.findall(r"marsdisk\.cli\.logs: sweep (\w+)", text)
    assert commands == ["run", "status", "status"]
    assert re.search(r" ERROR marsdisk\.messages: gone\.zarr: there is no store", text)


def test_a_log_holds_the_traceback_if_asked_to_debug(tmp_path: Path) -> None:
    run_command("sweep", "status", "gone.zarr", "--log", "a.log", "--debug", cwd=tmp_path)
    assert "Traceback (most recent call last)" in (tmp_path / "a.log").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        (".", "is a folder"),
        ("gone/a.log", "No such file or directory"),
        ("s.zarr/a.log", "belongs to the store"),
        ("a.csv", "has the ending of csv"),
        ("-", "is no file"),
        ("", "is not the name of a file"),
        ("--json", "is an option, not a file"),
    ],
)
def test_a_log_that_cannot_be_written_is_refused_before_anything_is_done(
    folder: Path, name: str, problem: str
) -> None:
    run_command("sweep", *RUN.split(), cwd=folder)
    before = sorted(path.name for path in folder.iterdir())
    words = "run small.yaml --workers 0 --store other.zarr"
    done = run_command("sweep", *words.split(), "--log", name, cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("error: ") == 1
    assert problem in done.stderr
    assert sorted(path.name for path in folder.iterdir()) == before


def test_a_log_on_a_full_disk_ends_and_the_sweep_goes_on(folder: Path) -> None:
    done = run_command("sweep", *RUN.split(), "--log", "/dev/full", cwd=folder)
    assert done.returncode == 0
    assert done.stderr.count("note: the log ends here: /dev/full: ") == 1
    assert "6 of 6 runs done" in done.stdout


def test_a_log_has_no_secrets(tmp_path: Path) -> None:
    url = "s3://somebody:hidden-word@bucket/s.zarr"
    run_command("sweep", "status", url, "--log", "a.log", cwd=tmp_path)
    text = tmp_path / "a.log"
    assert not text.exists() or "hidden-word" not in text.read_text(encoding="utf-8")
    words = "run small.yaml --set note=s3://somebody:hidden-word@bucket/x --log a.log"
    run_command("sweep", *shlex.split(words), cwd=tmp_path)
    assert "hidden-word" not in text.read_text(encoding="utf-8")


def test_a_command_leaves_the_logging_of_its_process_as_it_was(folder: Path) -> None:
    before = logging.getLogger().handlers[:]
    run_command("sweep", *RUN.split(), "-v", "--log", "s.log", cwd=folder)
    assert logging.getLogger().handlers == before
