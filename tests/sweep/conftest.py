"""Small sweeps, made in a test's own folder from the shipped configurations."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_sweeps import MIXED, SOME, T0_AND_RINGS, base_in, forget_block, run_here, sweep_file

from sweep.plan import Plan, make_plan
from sweep.spec import Sweep, load_sweep


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Sweep]:
    """A sweep by the sections of its file: ``load(axes={...}, command_line={...})``."""

    def load(*, command_line: dict[str, Any] | None = None, **changes: Any) -> Sweep:
        return load_sweep(sweep_file(tmp_path, **changes), command_line)

    return load


@pytest.fixture
def plan(load: Callable[..., Sweep]) -> Callable[..., Plan]:
    """The plan of a sweep by the sections of its file."""

    def plan(**changes: Any) -> Plan:
        return make_plan(load(**changes))

    return plan


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of a finished sweep, 2 temperatures x 3 rings in 3 blocks; its file small.yaml stands beside it. Only to be read."""
    folder = tmp_path_factory.mktemp("finished")
    run_here(sweep_file(folder, axes=T0_AND_RINGS), folder / "small.zarr")
    return folder / "small.zarr"


@pytest.fixture(scope="session")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of a sweep that checks two of its six runs; its file small.yaml stands beside it. Only to be read."""
    folder = tmp_path_factory.mktemp("checked")
    run_here(sweep_file(folder, **SOME), folder / "small.zarr")
    return folder / "small.zarr"


@pytest.fixture(scope="session")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of a sweep with failed, early-stopped and pending runs and a variant with a hostile name; see MIXED. Only to be read."""
    folder = tmp_path_factory.mktemp("mixed")
    run_here(sweep_file(folder, base=base_in(folder), **MIXED), folder / "small.zarr")
    forget_block(folder / "small.zarr", 1)
    return folder / "small.zarr"
