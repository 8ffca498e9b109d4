"""Cases that take their worker with them, every time they are tried."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from drivers import SWEEP
from faults import Fault
from small_sweeps import SCRIPTS, results, run_here, sweep_file
from waiting import Driver, wait_for_end

Start = Callable[..., Driver]

BAD_T0 = 3300.0
KILLER = "killed its worker process twice, as a crash in compiled code or too much memory does"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of a sweep whose blocks hold four runs each."""
    axes = {"temperature.T0": [3000.0, 3100.0, 3200.0, BAD_T0, 3400.0, 3500.0, 3600.0, 3700.0]}
    return sweep_file(tmp_path_factory.mktemp("fatal"), axes=axes, block=4)


@pytest.fixture(scope="module")
def undisturbed(file: Path) -> Path:
    run_here(file, file.parent / "undisturbed.zarr")
    return file.parent / "undisturbed.zarr"


def limited(megabytes: int) -> list[str]:
    """Return words that start ``sweep`` with this memory for each worker, as Dask finds it."""
    # of the machine, of which each worker takes one core's share
    kilobytes = 1000 * megabytes * (os.cpu_count() or 1)
    return ["sh", "-c", f'ulimit -m {kilobytes}; exec "$0" "$@"', str(SCRIPTS / "sweep")]


@pytest.mark.parametrize(
    ("deed", "title"), [("segfault", "segfaults its worker"), ("eat", "eats its worker's memory")]
)
@pytest.mark.faults("a case {title} every time (in a block of four)")
def test_a_case_that_takes_its_worker_with_it(
    tmp_path: Path,
    file: Path,
    undisturbed: Path,
    start: Start,
    fault: Fault,
    deed: str,
    title: str,
) -> None:
    through = limited(600) if deed == "eat" else SWEEP
    store = tmp_path / "s.zarr"
    inside = {"bad_T0": BAD_T0, "do": deed}
    out, err, code = wait_for_end(start(file, store, 2, inside=inside, through=through))
    fault.ended(out, err, code, expected=1)
    fault.message(out, KILLER)
    assert results(store)["T0"].size == 8
    fault.failed_alone(file, store, undisturbed, BAD_T0, KILLER)
