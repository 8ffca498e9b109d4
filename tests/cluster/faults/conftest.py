"""``make faults``: each fault with its outcome as a row of a table, which is printed and put into docs/faults.md."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from drivers import Driver
from faults import BLOCKS, HERE, Fault, Outcome, as_table, into_page
from small_sweeps import run_here, sweep_file
from verdicts import VERDICTS, verdict

outcomes: dict[str, Outcome] = {}
Start = Callable[..., Driver]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--faults-page", type=Path, help="page to put the table of faults into")


@pytest.fixture
def fault(request: pytest.FixtureRequest) -> Fault:
    """The record of the fault that the test's marker names."""
    title = request.node.get_closest_marker("faults").args[0].format(**getattr(getattr(request.node, "callspec", None), "params", {}))
    outcomes[title] = Outcome(title)
    return Fault(outcomes[title])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    wanted = item.funcargs.get("fault") if isinstance(item, pytest.Function) else None
    if isinstance(wanted, Fault) and report.when == "call":
        wanted.outcome.verdict = verdict(report)
    return report


def rows() -> list[Outcome]:
    """All faults that were tried, those of other folders with their verdict only."""
    return [*outcomes.values(), *(Outcome(title, verdict=words) for title, words in VERDICTS.items())]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if rows():
        terminalreporter.section("faults and outcomes")
        terminalreporter.write_line(as_table(rows()))


def pytest_sessionfinish(session: pytest.Session) -> None:
    page, tried = session.config.getoption("--faults-page"), rows()
    if page and tried and all(outcome.verdict == "passed" for outcome in tried):  # what a smaller machine leaves out stays
        into_page(page, as_table(tried))


@pytest.fixture(scope="session")
def many_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep of 60 blocks of two runs each."""
    axes = {"temperature.T0": {"linspace": [3000.0, 4000.0, BLOCKS]}, "optical_depth.tau0_target": [0.5, 1.0]}
    return sweep_file(tmp_path_factory.mktemp("many"), axes=axes, set={"numerics.t_end_years": 0.1}, block=2)


@pytest.fixture(scope="session")
def whole(many_file: Path) -> Path:
    """Its store, run without any disturbance in this process. Only to be read."""
    store = many_file.parent / "whole.zarr"
    run_here(many_file, store)
    return store


@pytest.fixture
def start_with(start: Start) -> Start:
    """Starts a driver whose workers do what inside_workers.py understands: ``start_with({...}, file, store, workers)``."""

    def start_with(inside: dict[str, object], file: Path, store: Path, workers: int, **extra: object) -> Driver:
        path = os.pathsep.join([str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])])
        settings = {f"FAULT_{name.upper()}": str(value) for name, value in inside.items()}
        return start(file, store, workers, PYTHONPATH=path, DASK_DISTRIBUTED__WORKER__PRELOAD="inside_workers", **settings, **extra)

    return start_with
