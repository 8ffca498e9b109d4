"""The sweep that faults disturb, and the record of what they left behind."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from dask_processes import DaskProcesses
from fault_table import OUTCOME, Outcome, title_of
from faults import BLOCKS, Fault
from gate import Gate
from late_writers import Late, Launch, Sweeps
from small_sweeps import run_here, sweep_file

# on a busy machine
SECONDS_AT_LEAST = 600
SECONDS_OF_A_ROUND = 150


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Allow more time to tests that try a thing many times."""
    rounds = config.getoption("--rounds")
    for item in items:
        if "late" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.timeout(SECONDS_AT_LEAST + rounds * SECONDS_OF_A_ROUND))


@pytest.fixture
def fault(request: pytest.FixtureRequest) -> Fault:
    """Return the record of the fault in the test's marker."""
    outcome = request.node.stash[OUTCOME] = Outcome(title_of(request.node))
    return Fault(outcome)


@pytest.fixture(scope="session")
def many_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of a sweep of 60 blocks of two runs each."""
    axes = {
        "temperature.T0": {"linspace": [3000.0, 4000.0, BLOCKS]},
        "optical_depth.tau0_target": [0.5, 1.0],
    }
    folder = tmp_path_factory.mktemp("many")
    return sweep_file(folder, axes=axes, set={"numerics.t_end_years": 0.1}, block=2)


@pytest.fixture(scope="session")
def whole(many_file: Path) -> Path:
    """Return the sweep's store, run without any disturbance in this process. Only to be read."""
    store = many_file.parent / "whole.zarr"
    run_here(many_file, store)
    return store


@pytest.fixture(scope="session")
def late_sweeps(tmp_path_factory: pytest.TempPathFactory) -> Sweeps:
    """Return the sweep whose blocks are late, and sweeps that may replace it."""
    return Sweeps(tmp_path_factory.mktemp("late"))


@pytest.fixture
def late(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    late_store: str,
    late_sweeps: Sweeps,
    gate: Gate,
    launch: Launch,
) -> Iterator[Late]:
    """Start a scheduler with two workers, whose blocks will be late."""
    with DaskProcesses(tmp_path) as dask:
        for name in ("one", "two"):
            dask.add_worker(name, inside={"sleep": 0.02, **gate.settings(late_store)})
        dask.wait_for_workers(2)
        rounds = request.config.getoption("--rounds")
        yield Late(late_store, late_sweeps, dask, gate, launch, random.Random(16), rounds)
