"""Shared by all tests: the profiles of Hypothesis, signals as a terminal gives them, kernels compiled before the first test."""

import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from marsdisk._jit import compiled_folder
from marsdisk.config import RunConfig, load_config
from marsdisk.zero_d import ensure_compiled

TESTS = Path(__file__).parent
CONFIGS = TESTS.parent / "configs"
#: The folders of tests, by what a file of them takes.
LONGEST_FIRST = ("cluster", "browser", "cache", "sweep", "integration", "physics", "golden", "docker", "unit")

#: Neither profile has a deadline: how long an example takes says nothing but how busy the machine is.
COMMON = {"deadline": None, "stateful_step_count": 20, "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]}
settings.register_profile("quick", max_examples=20, derandomize=True, database=None, **COMMON)
settings.register_profile("thorough", max_examples=300, derandomize=False, print_blob=True, **COMMON)
settings.load_profile("quick")

STARTED = pytest.StashKey[float]()  # s, when the suite began
SIGNALS_OF_A_TERMINAL = (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-times", metavar="COMMAND", help="put what the tests of each folder took into docs/testing.md, below COMMAND")


def pytest_configure(config: pytest.Config) -> None:
    """Give the processes that tests start the signals that a terminal would give them.

    What ``nohup`` or a script's background ignores, children go on ignoring, and tests that interrupt them would wait for ever.
    """
    for number in SIGNALS_OF_A_TERMINAL:
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that no core waits for the others at the end."""
    items.sort(key=lambda item: LONGEST_FIRST.index(item.path.relative_to(TESTS).parts[0]))


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Compile all kernels once, before the first test and before other processes are started that would wait for them."""
    if hasattr(session.config, "workerinput") or session.config.option.collectonly:
        return
    session.config.stash[STARTED] = time.monotonic()
    cold = not (compiled_folder() / "complete").exists()
    begin = time.monotonic()
    ensure_compiled()
    if cold:
        print(f"compiled the kernels of this version of the model in {time.monotonic() - begin:.0f} s")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    command = config.getoption("--write-times")
    if command:
        import times_page  # which imports what documents are made with

        reports = [report for group in terminalreporter.stats.values() for report in group if isinstance(report, pytest.TestReport)]
        times_page.write(command, reports, time.monotonic() - config.stash[STARTED])


@pytest.fixture(scope="session")
def shipped() -> Callable[..., RunConfig]:
    """A shipped configuration by its short name, with dotted keys replaced: ``shipped("melt", {"temperature.T0": 3000.0})``."""

    def load(name: str, overrides: dict[str, Any] | None = None) -> RunConfig:
        return load_config(CONFIGS / f"mars_0d_{name}.yaml", overrides)

    return load
