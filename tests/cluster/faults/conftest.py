"""The sweep that faults disturb, and the record of what they left behind."""

from pathlib import Path

import pytest
from fault_table import OUTCOME, Outcome, title_of
from faults import BLOCKS, Fault
from small_sweeps import run_here, sweep_file


@pytest.fixture
def fault(request: pytest.FixtureRequest) -> Fault:
    """The record of the fault that the test's marker names."""
    outcome = request.node.stash[OUTCOME] = Outcome(title_of(request.node))
    return Fault(outcome)


@pytest.fixture(scope="session")
def many_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep of 60 blocks of two runs each."""
    axes = {
        "temperature.T0": {"linspace": [3000.0, 4000.0, BLOCKS]},
        "optical_depth.tau0_target": [0.5, 1.0],
    }
    folder = tmp_path_factory.mktemp("many")
    return sweep_file(folder, axes=axes, set={"numerics.t_end_years": 0.1}, block=2)


@pytest.fixture(scope="session")
def whole(many_file: Path) -> Path:
    """Its store, run without any disturbance in this process. Only to be read."""
    store = many_file.parent / "whole.zarr"
    run_here(many_file, store)
    return store
