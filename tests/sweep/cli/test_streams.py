"""A closed output neither ends a command nor changes its exit code, unless it was for data."""

import errno
import os
import pty
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from small_sweeps import MELT, SCRIPTS, T0_AND_RINGS, assert_same_bits, environment, sweep_file

import marsdisk.cli
import sweep.cli.commands
from sweep.store.store import Store

PROGRAMS = {"sweep": sweep.cli.commands.main, "marsdisk": marsdisk.cli.main}
SHORT = f"{MELT} --set numerics.t_end_years=0.001"
#: A line for each command that prints texts for people and ends by itself, with its exit code.
TEXTS = {
    "marsdisk check": (f"{SHORT} --bins-limit 1", 0),
    "marsdisk profile": (f"{SHORT} --steps 1", 0),
    "marsdisk qpr": ("no-such-file.csv --out x.csv", 2),
    "marsdisk run": (SHORT, 0),
    "marsdisk show": (SHORT, 0),
    "sweep browse": ("no-such-store.zarr", 2),
    "sweep cancel": ("no-such-store.zarr", 2),
    "sweep card": ("FINISHED 1", 0),
    "sweep expect": ("FINISHED --file EXPECTATIONS", 3),
    "sweep compare": ("FINISHED FINISHED", 0),
    "sweep doctor": ("FINISHED", 0),
    "sweep export": ("FINISHED --to csv --out new.csv", 0),
    "sweep init": ("new.yaml", 0),
    "sweep list": (".", 0),
    "sweep plan": ("FILE", 0),
    "sweep plot": ("FINISHED psd --out new.png", 0),
    "sweep reference": ("", 0),
    "sweep resume": ("FINISHED --workers 0", 0),
    "sweep run": ("FILE --workers 0 --store new.zarr", 0),
    "sweep sensitivity": ("FINISHED", 2),
    "sweep show": ("FINISHED", 0),
    "sweep status": ("FINISHED", 0),
    "sweep submit": ("FILE --store new.zarr --scheduler 127.0.0.1:9", 2),
    "sweep summary": ("FINISHED --by T0", 0),
    "sweep watch": ("FINISHED", 0),
}
#: Lines that print what programs read.
DATA = {
    "marsdisk check": f"{SHORT} --bins-limit 1 --json",
    "marsdisk profile": f"{SHORT} --steps 1 --json",
    "marsdisk run": f"{SHORT} --out -",
    "sweep card": "FINISHED 1 --out -",
    "sweep compare": "FINISHED FINISHED --json",
    "sweep expect": "FINISHED --file EXPECTATIONS --json",
    "sweep doctor": "FINISHED --json",
    "sweep export": "FINISHED --to csv --out -",
    "sweep list": ". --json",
    "sweep plan": "FILE --json",
    "sweep run": "FILE --workers 0 --store new.zarr --json",
    "sweep schema": "",
    "sweep show": "FINISHED --json",
    "sweep status": "FINISHED --json",
    "sweep summary": "FINISHED --by T0 --json",
}
#: Commands that are tried with every check; the others with the thorough ones.
WITH_EVERY_CHECK = {"marsdisk show", "sweep doctor", "sweep export", "sweep run"}
EXPECTATIONS = '{"expect": {"no disk loses so much": {"expect": "M_loss < 1.0e-30"}}}'


@contextmanager
def reader_gone() -> Iterator[int]:
    """Yield a pipe that nobody reads."""
    reading_end, writing_end = os.pipe()
    os.close(reading_end)
    yield writing_end
    os.close(writing_end)


@contextmanager
def full_disk() -> Iterator[int]:
    """Yield a file on a disk that is full."""
    number = os.open("/dev/full", os.O_WRONLY)
    yield number
    os.close(number)


@contextmanager
def closed_terminal() -> Iterator[int]:
    """Yield a terminal that has been closed."""
    controller, terminal = pty.openpty()
    os.close(controller)
    yield terminal
    os.close(terminal)


BROKEN = {
    "reader gone": reader_gone,
    "full disk": full_disk,
    "closed terminal": closed_terminal,
}


@pytest.fixture
def typed(finished: Path, tmp_path: Path) -> Callable[[str, str], list[str]]:
    """Return a function that gives the words of a line: ``typed("sweep show", "FINISHED")``."""
    (tmp_path / "expectations.yaml").write_text(EXPECTATIONS, encoding="utf-8")
    places = {
        "FINISHED": str(finished),
        "EXPECTATIONS": str(tmp_path / "expectations.yaml"),
        "FILE": str(sweep_file(tmp_path, axes=T0_AND_RINGS)),
    }

    def words(command: str, line: str) -> list[str]:
        program, verb = command.split()
        return [str(SCRIPTS / program), verb, *(places.get(word, word) for word in line.split())]

    return words


def code_of(words: list[str], folder: Path, output: int, **extra: str) -> int:
    """Return the exit code of a command both of whose streams go to ``output``."""
    done = subprocess.run(
        words,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        env=environment(**extra),
        check=False,
        timeout=600,
    )
    return done.returncode


def in_turn(commands: Iterable[str]) -> list[Any]:
    """Return commands, most of them for the thorough tests."""
    parameters = []
    for command in commands:
        marks = () if command in WITH_EVERY_CHECK else pytest.mark.thorough
        parameters.append(pytest.param(command, marks=marks))
    return parameters


def test_every_command_has_a_line_here() -> None:
    commands = {
        f"{name} {verb}"
        for name, main in PROGRAMS.items()
        for verb, command in main.commands.items()
        if not command.hidden
    }
    assert commands == {*TEXTS, *DATA}


@pytest.mark.parametrize("command", in_turn(TEXTS))
def test_a_command_whose_reader_has_gone_ends_as_it_would(
    typed: Callable[[str, str], list[str]],
    tmp_path: Path,
    command: str,
) -> None:
    line, expected = TEXTS[command]
    with reader_gone() as output:
        assert code_of(typed(command, line), tmp_path, output) == expected


@pytest.mark.thorough
@pytest.mark.parametrize("how", [how for how in BROKEN if how != "reader gone"])
@pytest.mark.parametrize("command", TEXTS)
def test_a_command_whose_output_cannot_be_written_ends_as_it_would(
    typed: Callable[[str, str], list[str]],
    tmp_path: Path,
    command: str,
    how: str,
) -> None:
    line, expected = TEXTS[command]
    with BROKEN[how]() as output:
        assert code_of(typed(command, line), tmp_path, output) == expected


@pytest.mark.thorough
@pytest.mark.parametrize("command", TEXTS)
def test_a_command_in_an_ascii_terminal_or_without_streams_ends_as_it_would(
    typed: Callable[[str, str], list[str]],
    tmp_path: Path,
    command: str,
) -> None:
    line, expected = TEXTS[command]
    words = typed(command, line)
    with open(os.devnull, "wb") as nowhere:
        code = code_of(words, tmp_path, nowhere.fileno(), PYTHONIOENCODING="ascii", LC_ALL="C")
    assert code == expected
    for path in tmp_path.glob("new.*"):
        path.rename(path.with_name(f"first-{path.name}"))
    closing = ["sh", "-c", f"exec {shlex.join(words)} <&- >&- 2>&-"]
    with open(os.devnull, "wb") as nowhere:
        assert code_of(closing, tmp_path, nowhere.fileno()) == expected


@pytest.mark.parametrize(
    "how", ["reader gone", pytest.param("full disk", marks=pytest.mark.thorough)]
)
@pytest.mark.parametrize("command", in_turn(DATA))
def test_data_that_nobody_takes_is_no_success(
    typed: Callable[[str, str], list[str]],
    tmp_path: Path,
    command: str,
    how: str,
) -> None:
    words = typed(command, DATA[command])
    with BROKEN[how]() as output:
        done = subprocess.run(
            words,
            cwd=tmp_path,
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=600,
        )
    reasons = {"reader gone": "nobody reads it any more", "full disk": os.strerror(errno.ENOSPC)}
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert last.startswith("error: standard output cannot be written")
    assert reasons[how] in last


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize(
    "how",
    [
        "reader gone",
        pytest.param("full disk", marks=pytest.mark.thorough),
        pytest.param("closed terminal", marks=pytest.mark.thorough),
    ],
)
def test_a_sweep_whose_output_cannot_be_written_goes_on_to_its_end(
    finished: Path,
    tmp_path: Path,
    how: str,
    workers: int,
) -> None:
    file = sweep_file(tmp_path, axes=T0_AND_RINGS)
    store = tmp_path / "new.zarr"
    run = ["run", str(file), "--store", str(store), "--workers", str(workers)]
    with BROKEN[how]() as output:
        assert code_of([str(SCRIPTS / "sweep"), *run], tmp_path, output) == 0
    assert Store.open(store).counts().pending == 0
    assert_same_bits(store, finished)


@pytest.mark.parametrize("command", ["sweep status", "sweep export"])
def test_data_into_a_closed_standard_output_is_no_success(
    typed: Callable[[str, str], list[str]],
    tmp_path: Path,
    command: str,
) -> None:
    closing = ["sh", "-c", f"exec {shlex.join(typed(command, DATA[command]))} >&-"]
    done = subprocess.run(
        closing,
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith(os.strerror(errno.EBADF))


LONG = 300_000  # characters, more than a pipe takes at once
PRINT = {
    "text": "from marsdisk.io.streams import outlive_readers; outlive_readers(); print",
    "data": "from marsdisk.cli.program import print_whole; print_whole",
}


@pytest.mark.parametrize("way", PRINT)
def test_a_slow_reader_of_a_pipe_that_does_not_block_gets_everything(way: str) -> None:
    reading_end, writing_end = os.pipe()
    os.set_blocking(writing_end, False)
    words = [sys.executable, "-c", f"{PRINT[way]}('x' * {LONG})"]
    with subprocess.Popen(words, stdout=writing_end) as process:
        os.close(writing_end)
        with os.fdopen(reading_end, "rb", buffering=0) as reader:
            content = b"".join(iter(lambda: reader.read(1000), b""))
    assert process.returncode == 0
    assert content == b"x" * LONG + b"\n"


def test_a_stream_of_unbuffered_python_has_each_text_at_once() -> None:
    script = f"{PRINT['text']}('said', end=''); import os; os._exit(0)"
    words = [sys.executable, "-u", "-c", script]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True, timeout=600)
    assert done.stdout == "said"
