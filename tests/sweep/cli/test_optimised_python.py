"""``python -O`` leaves out assertions, and nothing else: every command answers as without it."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from small_sweeps import MELT, run_here, sweep_file

FILE = "small.yaml"
STORE = "made.zarr"

#: The first commands run in every test run, the others in the thorough tests only. Some of them
#: are wrong.
WITH_EVERY_CHECK = 4
COMMANDS = [
    ("sweep", "run", FILE, "--store", "new.zarr", "--workers", "0", "--max-failures", "50%"),
    ("sweep", "run", FILE, "--store", STORE, "--set", "material.rho=-1"),
    ("sweep", "doctor", STORE, "--deep"),
    ("marsdisk", "show", str(MELT), "--set", "sizes.n_bins=1"),
    ("sweep", "run", FILE, "--store", "x.zarr", "--workers", "0", "--max-failures", "nonsense"),
    ("sweep", "run", FILE, "--store", "x.zarr", "--workers", "0", "--max-failures", "101%"),
    ("sweep", "run", FILE, "--store", "x.zarr", "--workers", "0", "--max-failures", "-1"),
    ("sweep", "run", FILE, "--store", "x.zarr", "--workers", "0", "--max-failures", "nan"),
    ("sweep", "run", FILE, "--store", "x.zarr", "--workers", "0", "--max-failures", "1.5"),
    ("sweep", "run", FILE, "--store", STORE, "--set", "material.rho=3000"),
    ("sweep", "resume", STORE),
    ("sweep", "status", STORE),
    ("sweep", "status", "nothing.zarr"),
    ("sweep", "show", STORE, "--columns", "T0,M_loss"),
    ("sweep", "show", STORE, "--where", "T0 >"),
    ("sweep", "summary", STORE),
    ("sweep", "export", STORE, "--to", "csv", "--out", "table.csv"),
    ("sweep", "card", STORE, "1"),
    ("sweep", "compare", STORE, STORE),
    ("marsdisk", "show", str(MELT)),
    ("marsdisk", "run", str(MELT), "--set", "numerics.t_end_years=0.01"),
]


#: Of lines about the clock or a process, which differ from one call to the next.
DIFFERENT_EACH_TIME = re.compile(r"\d (m?s|min|h|runs/s)\b|second|time|worker|version|^\| made ")


def lasting_lines(text: str) -> list[str]:
    """Return the lines that must be the same each time."""
    return [line for line in text.splitlines() if not DIFFERENT_EACH_TIME.search(line)]


def answer(
    folder: Path,
    options: list[str],
    words: tuple[str, ...],
) -> tuple[int, list[str], list[str]]:
    """Return exit code and output of a command, without times."""
    program, *arguments = words
    call = [sys.executable, *options, "-m", f"{program}.cli", *arguments]
    done = subprocess.run(call, cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, lasting_lines(done.stdout), lasting_lines(done.stderr)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a sweep file and its store, for each of the two ways to run Python."""
    folder = tmp_path_factory.mktemp("optimised")
    for name in ("plain", "optimised"):
        (folder / name).mkdir()
        run_here(
            sweep_file(folder / name, axes={"temperature.T0": [3000.0, 4000.0]}),
            folder / name / STORE,
        )
    return folder


def in_turn() -> list[Any]:
    """Return the commands, most of them for the thorough tests."""
    commands = []
    for number, words in enumerate(COMMANDS):
        marks = () if number < WITH_EVERY_CHECK else pytest.mark.thorough
        commands.append(pytest.param(words, id=" ".join(words[:2] + words[-1:]), marks=marks))
    return commands


@pytest.mark.parametrize("words", in_turn())
def test_a_command_answers_under_optimisation_as_without(
    folders: Path,
    words: tuple[str, ...],
) -> None:
    plain = answer(folders / "plain", [], words)
    optimised = answer(folders / "optimised", ["-O"], words)
    assert optimised == plain
    assert plain[1] or plain[2]
    assert not [line for line in plain[2] if "Traceback" in line]
