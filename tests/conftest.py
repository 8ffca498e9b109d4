"""Shared by all tests: Hypothesis's profiles, signals as in a terminal, kernels compiled first."""

import itertools
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from marsdisk._jit import compiled_folder
from marsdisk.config import RunConfig, load_config
from marsdisk.zero_d import ensure_compiled
from tests.folders import rank

TESTS = Path(__file__).parent
CONFIGS = TESTS.parent / "configs"

#: Neither profile has a deadline: how long an example takes says only how busy the machine is.
COMMON = {
    "deadline": None,
    "stateful_step_count": 20,
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
}
settings.register_profile("quick", max_examples=20, derandomize=True, database=None, **COMMON)
THOROUGH = {"max_examples": 300, "derandomize": False, "print_blob": True}
settings.register_profile("thorough", **THOROUGH, **COMMON)
settings.load_profile("quick")

#: Where temporary folders are: tests make a hundred thousand files, most of them copies of stores,
#: and a disk takes several times as long for each.
MEMORY = Path("/dev/shm")
MIN_FREE_BYTES = 4 * 2**30

STARTED = pytest.StashKey[float]()  # s, when the suite began
SIGNALS_OF_A_TERMINAL = (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)


def pytest_addoption(parser: pytest.Parser) -> None:
    meaning = "put what the tests of each folder took into docs/testing.md, below COMMAND"
    parser.addoption("--write-times", metavar="COMMAND", help=meaning)


def takes_temporary_folders(folder: Path) -> bool:
    """Tell whether tests have room there, and may run the programs that they write."""
    if not folder.is_dir():
        return False
    has_room = shutil.disk_usage(folder).free > MIN_FREE_BYTES
    return has_room and not os.statvfs(folder).f_flag & os.ST_NOEXEC


def starts_no_test(config: pytest.Config) -> bool:
    """Tell whether this process only hands out tests to those of pytest-xdist."""
    return not hasattr(config, "workerinput") and config.getoption("dist") != "no"


def go_on(number: int, frame: object) -> None:
    """Do nothing about a signal that was ignored before; a child has its default instead."""


def pytest_configure(config: pytest.Config) -> None:
    """Put temporary folders into memory, and give processes the signals of a terminal.

    What ``nohup`` or a script's background ignores, children go on ignoring, and tests that
    interrupt them would wait for ever. A handler, as opposed to that, is not inherited by another
    program. The process that only hands out tests goes on ignoring, so that those that run them
    hear of it.
    """
    if takes_temporary_folders(MEMORY):
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))
    if starts_no_test(config):
        return
    for number in SIGNALS_OF_A_TERMINAL:
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else go_on)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where files run in parallel, begin with those that take longest.

    So no core waits for the others at the end. One process keeps the order it was given, in which
    make mutants asks the nearest files first.
    """
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: rank(item.path.relative_to(TESTS).parts[0]))


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Compile all kernels once, before the first test and before others wait for them."""
    if hasattr(session.config, "workerinput") or session.config.option.collectonly:
        return
    session.config.stash[STARTED] = time.monotonic()
    cold = not (compiled_folder() / "complete").exists()
    begin = time.monotonic()
    ensure_compiled()
    if cold:
        seconds = time.monotonic() - begin
        print(f"compiled the kernels of this version of the model in {seconds:.0f} s")


def runs_everything(config: pytest.Config) -> bool:
    """Tell whether all tests were asked for, without paths or expressions."""
    narrowed = ("keyword", "deselect", "lf", "ignore", "ignore_glob")
    from_settings = config.args_source == pytest.Config.ArgsSource.TESTPATHS
    return from_settings and not any(config.getoption(name, None) for name in narrowed)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter,
    exitstatus: int,
    config: pytest.Config,
) -> None:
    command = config.getoption("--write-times")
    if not command:
        return
    if exitstatus != pytest.ExitCode.OK or not runs_everything(config):
        terminalreporter.write_line("times are not written: not all tests were run, or some failed")
        return
    import times_page  # which imports what documents are made with

    groups = terminalreporter.stats.values()
    outcomes = itertools.chain.from_iterable(groups)
    reports = [report for report in outcomes if isinstance(report, pytest.TestReport)]
    times_page.write(command, reports, time.monotonic() - config.stash[STARTED])


@pytest.fixture(autouse=True)
def _interrupt_handler_kept() -> Iterator[None]:
    """``marsdisk`` ends at once on Ctrl-C; pytest is to end with its report.

    So what a program does to its own process is taken back after a test that runs it in this one.
    """
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def shipped() -> Callable[..., RunConfig]:
    """Return a function that loads a shipped configuration, with dotted keys replaced.

    ``shipped("melt_simple", {"temperature.T0": 3000.0})``.
    """

    def load(name: str, overrides: dict[str, Any] | None = None) -> RunConfig:
        return load_config(CONFIGS / f"mars_0d_{name}.yaml", overrides)

    return load
