"""Profiles of clusters: checked like any other file, and shown before anything is submitted."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from small_sweeps import CONFIGS, sweep_file

import sweep.cli.commands
from marsdisk.common.errors import ConfigError
from sweep.workers.profiles import JobsProfile, Scheduler, load_profile
from sweep.workers.start import loud

SLURM: dict[str, Any] = {
    "kind": "slurm",
    "jobs": 2,
    "workers_per_job": 3,
    "memory": "1.5 GiB",
    "walltime": "01:00:00",
}


def profile(folder: Path, name: str = "mine.yaml", **changes: Any) -> str:
    path = folder / name
    path.write_text(
        json.dumps(
            {key: value for key, value in {**SLURM, **changes}.items() if value is not None}
        ),
        encoding="utf-8",
    )
    return str(path)


def run(folder: Path, *words: str) -> Any:
    return CliRunner().invoke(
        sweep.cli.commands.main,
        ["run", str(sweep_file(folder, axes={"dynamics.e0": [0.1, 0.5]})), *words],
    )


@pytest.mark.parametrize(
    "path", sorted((CONFIGS / "clusters").glob("*.yaml")), ids=lambda path: path.stem
)
def test_the_profiles_that_come_with_the_project_are_valid_and_found_by_name(path: Path) -> None:
    assert load_profile(path.stem) == load_profile(str(path))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"wall_time": "01:00:00"}, "wall_time = '01:00:00': there is no such key"),
        ({"kind": "lsf"}, "kind = 'lsf': must be one of local, slurm, pbs, kubernetes"),
        ({"memory": "lots"}, "memory = 'lots': must be a size such as 2 GiB"),
        (
            {"walltime": 3600},
            "walltime = 3600: must be hours, minutes and seconds, such as 01:30:00\n",
        ),
        ({"jobs": None}, "give either jobs or adapt"),
        ({"adapt": {"maximum": 3}}, "give either jobs or adapt"),
        ({"jobs": None, "adapt": {"minimum": 4, "maximum": 3}}, "minimum = 4 is above maximum = 3"),
        (
            {"lifetime": "00:59:00", "lifetime_stagger": "00:02:00"},
            "lifetime and lifetime_stagger together must be below walltime = 01:00:00",
        ),
    ],
)
def test_what_is_wrong_with_a_profile_is_named(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    done = run(tmp_path, "--cluster", profile(tmp_path, **changes))
    assert done.exit_code == 2
    assert words in done.output


def test_a_profile_that_is_not_there_is_searched_where_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        ConfigError,
        match=(
            r"nowhere: there is no profile in configs/clusters/nowhere\.yaml nor .*; there are"
            r" kubernetes, local, pbs, slurm"
        ),
    ):
        load_profile("nowhere")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--workers", "2", "--scheduler", "tcp://a:1"],
            "--workers and --scheduler exclude each other",
        ),
        (["--workers", "2", "--cluster", "local"], "--workers and --cluster exclude each other"),
        (["--dry-run"], "--dry-run prints what --cluster PROFILE would submit"),
        (["--tls-ca", "ca.pem"], "--tls-ca, --tls-cert and --tls-key belong to --scheduler"),
        (["--scheduler", "tls://a:1"], "tls://a:1: give --tls-ca, --tls-cert and --tls-key"),
        (["--scheduler", "tls://a:1", "--tls-ca", "ca.pem"], "--tls-cert and --tls-key missing"),
        (["--scheduler", "http://a:1"], "http://a:1: give tcp://HOST:PORT or tls://HOST:PORT"),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    tmp_path: Path, words: list[str], message: str
) -> None:
    done = run(tmp_path, *words)
    assert done.exit_code == 2
    assert message in done.output


def test_an_address_without_a_protocol_is_plain_tcp() -> None:
    assert Scheduler("head:8786") == Scheduler("tcp://head:8786")


@pytest.mark.parametrize(
    ("kind", "lines"),
    [
        ("slurm", ["#SBATCH -t 01:00:00", "#SBATCH --cpus-per-task=3"]),
        ("pbs", ["#PBS -l walltime=01:00:00"]),
    ],
)
def test_a_dry_run_prints_the_job_and_starts_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, lines: list[str]
) -> None:
    pytest.importorskip("dask_jobqueue", reason="needs marsdisk[hpc]")
    monkeypatch.chdir(tmp_path)
    done = run(
        tmp_path,
        "--cluster",
        profile(tmp_path, kind=kind, prologue=["module load python"], queue="short"),
        "--dry-run",
    )
    assert done.exit_code == 0, done.output
    script = done.output.splitlines()
    for line in [
        *lines,
        "module load python",
        "export OMP_NUM_THREADS=1",
        "export DASK_DISTRIBUTED__WORKER__MEMORY__PAUSE=False",
    ]:
        assert line in script
    command = script[-1]
    for words in (
        "--nthreads 1",
        "--nworkers 3",
        "--memory-limit 1.50GiB",
        "--lifetime 3150s --lifetime-stagger 225s",
        "--host 127.0.0.1",
    ):
        assert words in command
    assert not (tmp_path / "results").exists()


def test_a_dry_run_prints_the_manifest(tmp_path: Path) -> None:
    pytest.importorskip("dask_kubernetes", reason="needs marsdisk[k8s]")
    done = run(tmp_path, "--cluster", "kubernetes", "--dry-run")
    assert done.exit_code == 0, done.output
    spec = yaml.safe_load(done.output)["spec"]
    worker = spec["worker"]["spec"]["containers"][0]
    assert spec["worker"]["replicas"] == 8
    assert worker["args"][:4] == ["dask", "worker", "--nthreads", "1"]
    assert {"name": "OMP_NUM_THREADS", "value": "1"} in worker["env"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, ""),
        ({"interface": "lo"}, ""),
        (
            {"host": "0.0.0.0"},
            (
                "WARNING: the scheduler and its workers listen on 0.0.0.0, beyond this machine;"
                " WHOEVER REACHES IT CAN RUN CODE AS YOU"
            ),
        ),
        (
            {"interface": "ib0"},
            (
                "WARNING: the scheduler and its workers listen on interface ib0, beyond this"
                " machine; WHOEVER"
            ),
        ),
        (
            {"host": "0.0.0.0", "tls": {"ca": "a", "cert": "b", "key": "c"}},
            "only holders of its certificates can use it",
        ),
    ],
)
def test_listening_beyond_this_machine_is_said_loudly(
    changes: dict[str, Any], message: str
) -> None:
    words = loud(JobsProfile.model_validate({**SLURM, **changes}))
    assert words == message or (message and message in words)
