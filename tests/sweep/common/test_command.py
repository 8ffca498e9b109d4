"""Lines that a person may copy into a shell."""

import re
import shlex
from pathlib import Path

import pytest

import sweep
from sweep.cli import main
from sweep.common.command import Command

SOURCES = sorted(Path(sweep.__file__).parent.rglob("*.py"))
NAMES = ["a b.zarr", "it's.zarr", "$HOME.zarr", 'say "x".zarr', "-x.zarr", "a;b.zarr", "ü.zarr"]
#: A command of ours in an f-string, with a value put into it by hand.
BY_HAND = re.compile(rf"\b(?:sweep ({'|'.join(main.commands)})|marsdisk (?:run|check)) \{{")


@pytest.mark.parametrize("name", NAMES)
def test_a_shell_reads_the_words_that_were_meant(name: str) -> None:
    line = str(Command.sweep("show", name, where="e0 == 'x'", columns=["-a", "b"]))
    words = shlex.split(line)
    assert words[:2] == ["sweep", "show"]
    assert words[-1 if name.startswith("-") else 2] == name
    assert "--columns=-a" in words
    assert words[words.index("--where") + 1] == "e0 == 'x'"
    assert ("--" in words) == name.startswith("-")


def test_options_that_are_not_given_leave_no_word() -> None:
    assert str(Command.sweep("show", "a.zarr", where=None, all=False)) == "sweep show a.zarr"


def test_options_stand_before_what_is_no_option() -> None:
    doctor = Command.sweep("doctor", "-a.zarr").with_options(repair=True)
    assert str(doctor) == "sweep doctor --repair -- -a.zarr"
    assert str(Command.parsed(str(doctor))) == str(doctor)


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: file.stem)
def test_no_message_puts_a_command_together_by_hand(file: Path) -> None:
    lines = file.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if BY_HAND.search(line)] == []
