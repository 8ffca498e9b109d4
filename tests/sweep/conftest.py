"""Fixtures: small sweeps over shipped configurations, in folders of their tests."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_sweeps import MIXED, SOME, T0_AND_RINGS, base_in, forget_block, run_here, sweep_file

from sweep.planning.plan import Plan, make_plan
from sweep.spec.file import Sweep, load_sweep


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Sweep]:
    """Return a loader of sweeps: ``load(axes={...}, command_line={...})``."""

    def load(*, command_line: dict[str, Any] | None = None, **changes: Any) -> Sweep:
        return load_sweep(sweep_file(tmp_path, **changes), command_line)

    return load


@pytest.fixture
def plan(load: Callable[..., Sweep]) -> Callable[..., Plan]:
    """Return a maker of plans: ``plan(axes={...})``."""

    def plan(**changes: Any) -> Plan:
        return make_plan(load(**changes))

    return plan


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the store of a finished sweep, 2 temperatures x 3 rings in 3 blocks; read only.

    Its file small.yaml is in the same folder.
    """
    folder = tmp_path_factory.mktemp("finished")
    run_here(sweep_file(folder, axes=T0_AND_RINGS), folder / "small.zarr")
    return folder / "small.zarr"


@pytest.fixture(scope="session")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the store of a sweep that measures the accuracy of two of its six runs; read only.

    Its file small.yaml is in the same folder.
    """
    folder = tmp_path_factory.mktemp("checked")
    run_here(sweep_file(folder, **SOME), folder / "small.zarr")
    return folder / "small.zarr"


@pytest.fixture(scope="session")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the store of a sweep with failed, early-stopped and pending runs; read only.

    One of its variants has a hostile name; see MIXED.
    """
    folder = tmp_path_factory.mktemp("mixed")
    run_here(sweep_file(folder, base=base_in(folder), **MIXED), folder / "small.zarr")
    forget_block(folder / "small.zarr", 1)
    return folder / "small.zarr"
