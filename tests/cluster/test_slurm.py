"""A real SLURM on this machine: a sweep on its jobs, a lost job, jobs shorter than the sweep."""

import json
import math
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from drivers import BLOCKS, SWEEP, environment_inside, listening
from gate import Gate
from ports import free_port
from small_sweeps import assert_same_bits
from waiting import PATIENCE, Driver, wait_for, wait_for_blocks, wait_for_end

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue")
PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"
MISSING = [name for name in PROGRAMS if shutil.which(name, path=PATH) is None]
INSTALL = "apt-get install --no-install-recommends slurm-wlm munge"
pytestmark = [
    pytest.mark.skipif(bool(MISSING), reason=f"{', '.join(MISSING)} missing: {INSTALL}"),
    pytest.mark.skipif(os.geteuid() != 0, reason="SLURM's daemons need root"),
]

Start = Callable[..., Driver]


@dataclass
class Slurm:
    """Batch system of one machine, and the environment that its users need."""

    environment: dict[str, str]

    def call(self, *words: str) -> str:
        done = subprocess.run(
            words,
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=True,
        )
        return done.stdout

    def jobs(self) -> list[str]:
        return self.call("squeue", "--noheader", "--format=%i").split()

    def is_idle(self) -> bool:
        with suppress(subprocess.CalledProcessError):  # its controller has just been started
            return "idle" in self.call("sinfo", "--noheader")
        return False


def configure(root: Path) -> None:
    """Write what the daemons read."""
    host = socket.gethostname().partition(".")[0]
    for name in ("munge", "state", "spool"):
        (root / name).mkdir(mode=0o755)
    text = (Path(__file__).parent / "data" / "slurm.conf").read_text(encoding="utf-8")
    ports = {"port": free_port(), "node_port": free_port()}
    text = text.format(root=root, host=host, **ports)
    (root / "slurm.conf").write_text(text, encoding="utf-8")
    (root / "munge" / "key").write_bytes(os.urandom(1024))
    (root / "munge" / "key").chmod(0o600)


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    root = tmp_path_factory.mktemp("slurm")
    configure(root)
    file = str(root / "slurm.conf")
    socket_of_munge = root / "munge" / "munge.sock"
    system = Slurm({"SLURM_CONF": file, "PATH": PATH})
    munge = ["munged", "--force", "--foreground"]
    munge += [f"--socket={socket_of_munge}", f"--key-file={root}/munge/key"]
    munge += [f"--{name}={root}/munge/{name}" for name in ("pid-file", "log-file", "seed-file")]
    daemons: list[subprocess.Popen[bytes]] = []
    try:
        for words in (munge, ["slurmctld", "-D", "-f", file], ["slurmd", "-D", "-f", file]):
            silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            env = {**os.environ, **system.environment}
            daemons.append(subprocess.Popen(words, env=env, **silent))
            if words is munge:
                wait_for(socket_of_munge.exists)
        wait_for(system.is_idle)
        yield system
        for job in system.jobs():
            system.call("scancel", job)
        wait_for(lambda: not system.jobs())
    finally:
        for daemon in reversed(daemons):
            daemon.send_signal(signal.SIGTERM)
            try:
                daemon.wait(timeout=20)
            except subprocess.TimeoutExpired:
                daemon.kill()


@pytest.fixture
def drive(launch: Start, slurm: Slurm, tmp_path: Path) -> Start:
    """Return a function that starts ``sweep run --cluster slurm-test``: ``drive(file)``.

    It takes changes of the profile.
    """

    def drive(file: Path, inside: Mapping[str, object] | None = None, **changes: Any) -> Driver:
        variables = environment_inside(inside or {})
        profile = {
            "kind": "slurm",
            "jobs": 2,
            "memory": "1 GiB",
            "walltime": "00:15:00",
            "queue": "debug",
            "interface": "lo",
            "log_folder": str(tmp_path / "logs"),
            "prologue": [f"export {name}={value}" for name, value in variables.items()],
        }
        folder = tmp_path / "configs" / "clusters"
        folder.mkdir(parents=True)
        text = json.dumps({**profile, **changes})
        (folder / "slurm-test.yaml").write_text(text, encoding="utf-8")
        words = [*SWEEP, "run", file, "--store", tmp_path / "s.zarr", "--cluster", "slurm-test"]
        return launch(words, tmp_path, **slurm.environment, DASK_SWEEP__TOO_FEW="2")

    return drive


def finish(driver: Driver) -> str:
    out, err, code = wait_for_end(driver)
    assert (code, err) == (0, ""), out
    assert f"{BLOCKS} of {BLOCKS} runs done, 0 failed" in out
    return out


def workers_of_jobs(folder: Path) -> list[psutil.Process]:
    """Return the processes of jobs that were submitted in ``folder``."""
    workers = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            is_worker = "distributed.cli.dask_worker" in process.cmdline()
            if is_worker and process.environ().get("SLURM_SUBMIT_DIR") == str(folder):
                workers.append(process)
    return workers


@pytest.mark.faults("SLURM: nothing happens")
@pytest.mark.parametrize(
    "jobs",
    [{"jobs": 2}, {"jobs": None, "adapt": {"minimum": 1, "maximum": 2}}],
    ids=["fixed", "adaptive"],
)
def test_a_sweep_on_jobs_of_slurm(
    tmp_path: Path,
    slurm: Slurm,
    drive: Start,
    gate: Gate,
    long_file: Path,
    undisturbed: Path,
    jobs: dict[str, Any],
) -> None:
    store = tmp_path / "s.zarr"
    gate.close_at(2)
    driver = drive(long_file, gate.settings(store), workers_per_job=2, **jobs)
    wait_for_blocks(store, 2, driver)
    assert 1 <= len(slurm.jobs()) <= 2
    assert listening(psutil.Process(driver.pid)) == {"127.0.0.1"}
    workers = workers_of_jobs(tmp_path)
    assert workers
    assert {ip for worker in workers for ip in listening(worker)} == {"127.0.0.1"}
    gate.open()
    assert re.search(r"[1-4] workers? of SLURM jobs, [1-4] at a time", finish(driver))
    assert_same_bits(store, undisturbed)
    wait_for(lambda: not slurm.jobs())


@pytest.mark.faults("SLURM: a job is cancelled in the middle")
def test_a_cancelled_job_is_replaced(
    tmp_path: Path,
    slurm: Slurm,
    drive: Start,
    gate: Gate,
    long_file: Path,
    undisturbed: Path,
) -> None:
    store = tmp_path / "s.zarr"
    gate.close_at(3)
    driver = drive(long_file, gate.settings(store), jobs=1)  # nothing goes on without another
    wait_for_blocks(store, 3, driver)
    lost = slurm.jobs()[0]
    slurm.call("scancel", lost)
    wait_for(lambda: lost not in slurm.jobs(), driver)
    gate.open()
    assert re.search(
        rf"0 of 1 workers; job {lost} is gone; submitting 1 in its place", finish(driver)
    )
    assert_same_bits(store, undisturbed)


def seconds_to_start() -> float:
    """Return how long a worker takes to be ready, under the present load of this machine."""
    begin = time.monotonic()
    words = [
        sys.executable,
        "-c",
        "import sweep.workers.block; sweep.workers.block.ensure_compiled()",
    ]
    subprocess.run(words, check=True, timeout=PATIENCE)
    return time.monotonic() - begin


@pytest.mark.faults("SLURM: jobs shorter than the sweep")
def test_jobs_that_end_before_the_sweep_are_followed_by_others(
    tmp_path: Path, slurm: Slurm, drive: Start, long_file: Path, undisturbed: Path
) -> None:
    # A worker's lifetime is counted by its own clock from its start, before it has joined, and is
    # given before any job starts: no event can stand for it. So it is long enough to do something
    # on this machine as busy as it is, and the sweep lasts longer, however fast its runs are.
    lifetime = math.ceil(4.0 * seconds_to_start())
    minutes, seconds = divmod(lifetime, 60)
    short = {"lifetime": f"00:{minutes:02}:{seconds:02}", "lifetime_stagger": "00:00:01"}
    slow = {"sleep": 2.0 * lifetime / BLOCKS}  # the sweep takes two lifetimes at least
    output = finish(drive(long_file, slow, jobs=1, **short))
    assert "is gone; submitting 1 in its place" in output, output
    assert_same_bits(tmp_path / "s.zarr", undisturbed)


@pytest.mark.faults("SLURM: the batch system refuses the job")
def test_a_job_that_is_refused_is_said(drive: Start, long_file: Path) -> None:
    _, err, code = wait_for_end(drive(long_file, queue="nowhere"))
    assert code == 2
    assert err.startswith("error: jobs of SLURM cannot be had: ")
    assert "invalid partition" in err
