"""Machines of their own network each, and the cable of one pulled in the middle of a sweep."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from dask_processes import DaskProcesses
from drivers import BLOCKS, SWEEP
from gate import Gate
from small_sweeps import assert_same_bits
from waiting import Driver, wait_for, wait_for_blocks, wait_for_end

Start = Callable[..., Driver]

HEAD = "10.77.31.1"
NODES = ("10.77.31.11", "10.77.31.12")
WITHIN = ("ip", "netns", "exec")
#: Of this process, for another one may run the same test.
NAME = f"sweep-{os.getpid()}"


def ip(*words: str) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(["ip", *words], capture_output=True, check=False)


def _namespaces_work() -> bool:
    if os.geteuid() != 0 or shutil.which("ip") is None:
        return False
    works = ip("netns", "add", f"{NAME}-probe").returncode == 0
    ip("netns", "del", f"{NAME}-probe")
    return works


pytestmark = pytest.mark.skipif(
    not _namespaces_work(), reason="needs root and network namespaces (apt-get install iproute2)"
)


@pytest.fixture
def network() -> Iterator[tuple[str, ...]]:
    """Yield the names of three namespaces: the head, with a bridge, and two nodes."""
    names = (f"{NAME}-head", f"{NAME}-node0", f"{NAME}-node1")
    for name in names:
        ip("netns", "del", name)
        assert ip("netns", "add", name).returncode == 0
        ip("-n", name, "link", "set", "lo", "up")
    try:
        head, *nodes = names
        ip("-n", head, "link", "add", "bridge", "type", "bridge")
        ip("-n", head, "addr", "add", f"{HEAD}/24", "dev", "bridge")
        ip("-n", head, "link", "set", "bridge", "up")
        for i, (name, address) in enumerate(zip(nodes, NODES, strict=True)):
            port = ("link", "add", f"port{i}", "netns", head, "type", "veth")
            assert ip(*port, "peer", "name", "cable", "netns", name).returncode == 0
            ip("-n", head, "link", "set", f"port{i}", "master", "bridge", "up")
            ip("-n", name, "addr", "add", f"{address}/24", "dev", "cable")
            ip("-n", name, "link", "set", "cable", "up")
        yield names
    finally:
        for name in names:
            ip("netns", "del", name)


@pytest.mark.faults("network cut between scheduler and a worker")
def test_a_worker_that_is_cut_off_is_done_without(
    tmp_path: Path,
    network: tuple[str, ...],
    launch: Start,
    gate: Gate,
    long_file: Path,
    undisturbed: Path,
) -> None:
    head, *nodes = network
    store = tmp_path / "s.zarr"
    settings = {  # 30 s and 5 min by default
        "DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP": "12s",
        "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "20s",
    }
    dask = DaskProcesses(tmp_path, **settings)
    dask.host = HEAD
    dask.before = (*WITHIN, head)
    gate.close_at(4)
    with dask:
        for node, address in zip(nodes, NODES, strict=True):
            options = ("--host", address)
            inside = gate.settings(store)
            dask.add_worker(node, *options, before=(*WITHIN, node), inside=inside)
        words = [*SWEEP, "run", long_file, "--store", store, "--scheduler", dask.address]
        driver = launch([*WITHIN, head, *words], tmp_path, **settings)
        wait_for_blocks(store, 4, driver)
        wait_for(lambda: dask.workers[nodes[1]].pid in gate.waiting(), driver)
        assert ip("-n", nodes[1], "link", "set", "cable", "down").returncode == 0
        gate.open()
        out, err, code = wait_for_end(driver)
        assert (code, err) == (0, ""), out
        assert f"{BLOCKS} of {BLOCKS} runs done, 0 failed" in out
        assert_same_bits(store, undisturbed)
