"""Machines of their own network each, and the cable of one pulled in the middle of a sweep."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from dask_processes import DaskProcesses, kill, wait_for
from drivers import BLOCKS
from small_sweeps import SCRIPTS, assert_same_bits, environment

from sweep.store.reader import counts

HEAD, NODES = "10.77.31.1", ("10.77.31.11", "10.77.31.12")


def ip(*words: str) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(["ip", *words], capture_output=True, check=False)


def _namespaces_work() -> bool:
    if os.geteuid() != 0 or shutil.which("ip") is None:
        return False
    made = ip("netns", "add", "sweep-probe").returncode == 0
    ip("netns", "del", "sweep-probe")
    return made


pytestmark = pytest.mark.skipif(not _namespaces_work(), reason="needs root and network namespaces (apt-get install iproute2)")


@pytest.fixture
def network() -> Iterator[tuple[str, ...]]:
    """Names of three namespaces: the head, with a bridge, and two nodes."""
    names = ("sweep-head", "sweep-node0", "sweep-node1")
    for name in names:
        ip("netns", "del", name)
        assert ip("netns", "add", name).returncode == 0
        ip("-n", name, "link", "set", "lo", "up")
    try:
        ip("-n", names[0], "link", "add", "bridge", "type", "bridge")
        ip("-n", names[0], "addr", "add", f"{HEAD}/24", "dev", "bridge")
        ip("-n", names[0], "link", "set", "bridge", "up")
        for i, (name, address) in enumerate(zip(names[1:], NODES, strict=True)):
            assert ip("link", "add", f"port{i}", "netns", names[0], "type", "veth", "peer", "name", "cable", "netns", name).returncode == 0
            ip("-n", names[0], "link", "set", f"port{i}", "master", "bridge", "up")
            ip("-n", name, "addr", "add", f"{address}/24", "dev", "cable")
            ip("-n", name, "link", "set", "cable", "up")
        yield names
    finally:
        for name in names:
            ip("netns", "del", name)


@pytest.mark.faults("network cut between scheduler and a worker")
def test_a_worker_that_is_cut_off_is_done_without(tmp_path: Path, network: tuple[str, ...], long_file: Path, undisturbed: Path) -> None:
    head, *nodes = network
    store = tmp_path / "s.zarr"
    settings = {"DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP": "12s", "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "20s"}  # 30 s and 5 min by default
    dask = DaskProcesses(tmp_path, **settings)
    within = ("ip", "netns", "exec")
    dask.host, dask.before = HEAD, (*within, head)
    with dask:
        for node, address in zip(nodes, NODES, strict=True):
            dask.add_worker(node, "--host", address, before=(*within, node), preload="slow_cases", SLOW_SECONDS="0.6")
        words = [*within, head, str(SCRIPTS / "sweep"), "run", str(long_file), "--store", str(store), "--scheduler", dask.address]
        env = environment(**settings)
        driver = subprocess.Popen(words, cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            wait_for(lambda: store.exists() and counts(store).blocks_committed >= 4)
            assert ip("-n", nodes[1], "link", "set", "cable", "down").returncode == 0
            out, err = driver.communicate(timeout=240)
        finally:
            if driver.poll() is None:
                driver.send_signal(signal.SIGKILL)
        assert (driver.returncode, err) == (0, ""), out
        assert f"{BLOCKS} of {BLOCKS} runs done, 0 failed" in out
        assert_same_bits(store, undisturbed)
        kill(dask.workers[nodes[1]])
