"""SLURM for real, on this machine: a sweep on its jobs, a job taken away in the middle, and jobs shorter than the sweep."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from dask_processes import SLOW, wait_for
from drivers import BLOCKS, Driver
from small_sweeps import SCRIPTS, assert_same_bits, environment
from test_scheduler import listening

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue")
MISSING = [name for name in PROGRAMS if shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin") is None]
pytestmark = [
    pytest.mark.skipif(bool(MISSING), reason=f"{', '.join(MISSING)} missing: apt-get install --no-install-recommends slurm-wlm munge"),
    pytest.mark.skipif(os.geteuid() != 0, reason="SLURM's daemons need root"),
]

Wait = Callable[[Driver, Path, int], None]


@dataclass
class Slurm:
    """A batch system of one machine, and what its users need in their environment."""

    root: Path
    environment: dict[str, str]

    def call(self, *words: str) -> str:
        env = {**os.environ, **self.environment}
        return subprocess.run(words, env=env, capture_output=True, text=True, timeout=60, check=True).stdout

    def jobs(self) -> list[str]:
        return self.call("squeue", "--noheader", "--format=%i").split()


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    root = tmp_path_factory.mktemp("slurm")
    host = socket.gethostname().partition(".")[0]
    for name in ("munge", "state", "spool"):
        (root / name).mkdir(mode=0o755)
    text = (Path(__file__).parent / "data" / "slurm.conf").read_text(encoding="utf-8")
    (root / "slurm.conf").write_text(text.format(root=root, host=host, port=_free_port(), node_port=_free_port()), encoding="utf-8")
    (root / "munge" / "key").write_bytes(os.urandom(1024))
    (root / "munge" / "key").chmod(0o600)
    env = {"SLURM_CONF": str(root / "slurm.conf"), "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
    munge = ["munged", "--force", "--foreground", f"--socket={root}/munge/munge.sock", f"--key-file={root}/munge/key"]
    munge += [f"--{name}={root}/munge/{name}" for name in ("pid-file", "log-file", "seed-file")]
    daemons: list[subprocess.Popen[bytes]] = []
    try:
        for words in (munge, ["slurmctld", "-D", "-f", env["SLURM_CONF"]], ["slurmd", "-D", "-f", env["SLURM_CONF"]]):
            daemons.append(subprocess.Popen(words, env={**os.environ, **env}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
            if words is munge:
                wait_for((root / "munge" / "munge.sock").exists)
        system = Slurm(root, env)
        wait_for(
            lambda: "idle" in subprocess.run(["sinfo", "--noheader"], env={**os.environ, **env}, capture_output=True, text=True, check=False).stdout
        )
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


def drive(folder: Path, slurm: Slurm, file: Path, *, slow: bool, **changes: Any) -> Driver:
    """``sweep run --cluster slurm-test`` in a folder that has that profile."""
    (folder / "slow_cases.py").write_text(SLOW, encoding="utf-8")
    profile = {
        "kind": "slurm",
        "jobs": 2,
        "memory": "1 GiB",
        "walltime": "00:05:00",
        "queue": "debug",
        "interface": "lo",
        "log_folder": str(folder / "logs"),
    }
    path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    profile["prologue"] = [f"export PYTHONPATH={path}", *(["export DASK_DISTRIBUTED__WORKER__PRELOAD=slow_cases"] if slow else [])]
    (folder / "configs" / "clusters").mkdir(parents=True)
    (folder / "configs" / "clusters" / "slurm-test.yaml").write_text(json.dumps({**profile, **changes}), encoding="utf-8")
    words = [str(SCRIPTS / "sweep"), "run", str(file), "--store", str(folder / "s.zarr"), "--cluster", "slurm-test"]
    env = environment(**slurm.environment, DASK_SWEEP__TOO_FEW="2")
    return subprocess.Popen(words, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(driver: Driver) -> str:
    out, err = driver.communicate(timeout=300)
    assert (driver.returncode, err) == (0, ""), out
    assert f"{BLOCKS} of {BLOCKS} runs done, 0 failed" in out
    return out


@pytest.mark.faults("SLURM: nothing happens")
@pytest.mark.parametrize("jobs", [{"jobs": 2}, {"jobs": None, "adapt": {"minimum": 1, "maximum": 2}}], ids=["fixed", "adaptive"])
def test_a_sweep_on_jobs_of_slurm(
    tmp_path: Path, slurm: Slurm, long_file: Path, undisturbed: Path, until_committed: Wait, jobs: dict[str, Any]
) -> None:
    driver = drive(tmp_path, slurm, long_file, slow=True, workers_per_job=2, **jobs)
    until_committed(driver, tmp_path / "s.zarr", 2)
    assert 1 <= len(slurm.jobs()) <= 2
    assert listening(psutil.Process(driver.pid)) == {"127.0.0.1"}
    workers = [each for each in psutil.process_iter(["cmdline"]) if "distributed.cli.dask_worker" in (each.info["cmdline"] or [])]
    assert workers
    assert {ip for each in workers for ip in listening(each)} == {"127.0.0.1"}
    assert re.search(r"[1-4] workers? of SLURM jobs, [1-4] at a time", finish(driver))
    assert_same_bits(tmp_path / "s.zarr", undisturbed)
    wait_for(lambda: not slurm.jobs())


@pytest.mark.faults("SLURM: a job is cancelled in the middle")
def test_a_cancelled_job_is_replaced(tmp_path: Path, slurm: Slurm, long_file: Path, undisturbed: Path, until_committed: Wait) -> None:
    driver = drive(tmp_path, slurm, long_file, slow=True, jobs=1)  # nothing goes on without another
    until_committed(driver, tmp_path / "s.zarr", 3)
    lost = slurm.jobs()[0]
    slurm.call("scancel", lost)
    assert re.search(rf"0 of 1 workers; job {lost} is gone; submitting 1 in its place", finish(driver))
    assert_same_bits(tmp_path / "s.zarr", undisturbed)


@pytest.mark.faults("SLURM: jobs shorter than the sweep")
def test_jobs_that_end_before_the_sweep_are_followed_by_others(tmp_path: Path, slurm: Slurm, long_file: Path, undisturbed: Path) -> None:
    driver = drive(tmp_path, slurm, long_file, slow=True, jobs=1, walltime="00:01:00", lifetime="00:00:06", lifetime_stagger="00:00:01")
    out = finish(driver)
    assert "is gone; submitting 1 in its place" in out
    assert_same_bits(tmp_path / "s.zarr", undisturbed)


@pytest.mark.faults("SLURM: the batch system refuses the job")
def test_a_job_that_is_refused_is_said(tmp_path: Path, slurm: Slurm, long_file: Path) -> None:
    driver = drive(tmp_path, slurm, long_file, slow=False, queue="nowhere")
    _, err = driver.communicate(timeout=100)
    assert driver.returncode == 2
    assert err.startswith("error: jobs of SLURM cannot be had: ")
    assert "invalid partition" in err
