"""docker/compose.yaml on a container engine: containers that are killed, stopped, and started."""

import json
import secrets
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from engine import Services, find_engine
from faults import Fault, doctor_is_clean
from ports import free_port
from small_sweeps import CONFIGS, assert_same_bits, command
from waiting import PATIENCE, wait_for

from sweep.store.store import Store
from tests.docker.containers import SERVICES, seconds

pytestmark = pytest.mark.thorough  # an image takes minutes to build, and to compile for
BLOCKS = 20  # of two runs, long enough to be disturbed
BROWSE = ("--profile", "browse")
PORTS = ("SCHEDULER_PORT", "DASHBOARD_PORT", "BROWSE_PORT")


@pytest.fixture(scope="module")
def services() -> Iterator[Services]:
    """Yield a scheduler and its workers from a newly built image, healthy by their own checks."""
    engine = find_engine()
    ports = {name: str(free_port()) for name in PORTS}
    services = Services(engine, f"marsdisk-{secrets.token_hex(4)}", ports)
    # podman's cache does not see that the wheels, which come through a mount, are others
    services.compose("build", "--no-cache", "--build-arg", f"PYTHON={engine.python_of_base()}")
    try:
        services.compose("up", "--detach")
        wait_until_healthy(services)
        yield services
    finally:
        services.compose("--profile", "submit", "--profile", "browse", "down", "--volumes")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the store of the same sweep, run outside of any container."""
    folder = tmp_path_factory.mktemp("undisturbed")
    file = folder / "long.yaml"
    file.write_text(json.dumps(long_sweep(CONFIGS / "mars_0d_melt_simple.yaml")), encoding="utf-8")
    done = command("sweep", "run", file, "--store", "long.zarr", "--workers", 2, cwd=folder)
    assert (done.returncode, done.stderr) == (0, ""), done
    return folder / "long.zarr"


def long_sweep(base: Path) -> dict[str, object]:
    """Return the content of a sweep file over a base."""
    return {
        "name": "long",
        "base": str(base),
        "axes": {
            "temperature.T0": {"linspace": [3000.0, 4000.0, BLOCKS]},
            "optical_depth.tau0_target": [0.5, 1.0],
        },
        "set": {"numerics.t_end_years": 20.0, "sizes.n_bins": 200},
        "output": {"samples": 8, "snapshots": 2},
        "block": 2,
    }


def wait_until_healthy(services: Services) -> None:
    """Wait until the checks of the scheduler and of all workers succeed.

    Podman makes them only when it is asked to.
    """
    for service in ("scheduler", "worker"):
        for name in services.containers(service):
            wait_for(lambda name=name: services.is_healthy(name))  # type: ignore[misc]


class Submitted:
    """Sweep that was submitted in a container, and its store in the volume."""

    def __init__(self, services: Services, name: str) -> None:
        self.services = services
        self.name = name
        self.settings = {"SWEEP": f"/data/{name}.yaml", "STORE": f"{name}.zarr"}
        content = json.dumps(long_sweep(Path("/opt/marsdisk/configs/mars_0d_melt_simple.yaml")))
        self._in_scheduler("sh", "-c", f"cat > /data/{name}.yaml", input=content)

    def _in_scheduler(self, *words: str, **options: str) -> str:
        (container,) = self.services.containers("scheduler")
        return self.services.engine("exec", "--interactive", container, *words, **options)

    def submit(self) -> str:
        """Submit the sweep to the scheduler, and return the output."""
        return self.services.compose(
            "--profile", "submit", "run", "--rm", "-T", "submit", settings=self.settings
        )

    def blocks(self) -> int:
        """Count the committed blocks."""
        return len(
            self._in_scheduler(
                "sh", "-c", f"ls /data/{self.name}.zarr/status/c 2> /dev/null || true"
            ).split()
        )

    def wait_for_blocks(self, blocks: int) -> None:
        wait_for(lambda: self.blocks() >= blocks)
        assert self.blocks() < BLOCKS

    def fetched(self, folder: Path) -> Path:
        """Copy the store, once all blocks are committed."""
        wait_for(lambda: self.blocks() == BLOCKS)
        (container,) = self.services.containers("scheduler")
        self.services.engine("cp", f"{container}:/data/{self.name}.zarr", folder)
        return folder / f"{self.name}.zarr"


def assert_undisturbed(store: Path, undisturbed: Path, fault: Fault) -> None:
    assert Store.open(store).counts().pending == Store.open(store).counts().failed == 0
    assert_same_bits(store, undisturbed)
    fault.outcome.again = f"0, same bits{doctor_is_clean(store)}"


def killed(services: Services, container: str, fault: Fault) -> None:
    """Kill a container, which says so, and start it again."""
    services.engine("kill", "--signal", "KILL", container)
    wait_for(lambda: not services.state(container)["Running"])
    code = services.state(container)["ExitCode"]
    assert code == 128 + signal.SIGKILL
    fault.outcome.ended = "killed"
    services.engine("start", container)


@pytest.mark.faults("docker/compose.yaml: the container of a worker is killed")
def test_a_worker_s_container_is_killed(
    services: Services, undisturbed: Path, tmp_path: Path, fault: Fault
) -> None:
    sweep = Submitted(services, "worker")
    sweep.submit()
    sweep.wait_for_blocks(3)
    killed(services, services.containers("worker")[0], fault)
    assert_undisturbed(sweep.fetched(tmp_path), undisturbed, fault)


@pytest.mark.faults("docker/compose.yaml: the container of the scheduler is killed")
def test_the_scheduler_s_container_is_killed(
    services: Services, undisturbed: Path, tmp_path: Path, fault: Fault
) -> None:
    sweep = Submitted(services, "scheduler")
    sweep.submit()
    sweep.wait_for_blocks(3)
    killed(services, services.containers("scheduler")[0], fault)
    wait_until_healthy(services)
    fault.message(sweep.submit(), "submitted|committed")
    assert_undisturbed(sweep.fetched(tmp_path), undisturbed, fault)


@pytest.mark.faults("docker/compose.yaml: all containers are stopped (SIGTERM) and started again")
def test_all_containers_are_stopped_and_started(
    services: Services, undisturbed: Path, tmp_path: Path, fault: Fault
) -> None:
    sweep = Submitted(services, "all")
    sweep.submit()
    sweep.wait_for_blocks(3)
    services.compose("stop", "--timeout", int(seconds(SERVICES["worker"]["stop_grace_period"])))
    for name in [*services.containers("scheduler"), *services.containers("worker")]:
        fault.ended("", "", services.state(name)["ExitCode"], expected=0)
    services.compose("start")
    wait_until_healthy(services)
    fault.message(sweep.submit(), "submitted|committed")
    assert_undisturbed(sweep.fetched(tmp_path), undisturbed, fault)


@pytest.mark.faults
def test_the_page_of_results_is_served(services: Services) -> None:
    services.compose(*BROWSE, "up", "--detach", "browse", settings={"STORE": "worker.zarr"})
    address = f"http://127.0.0.1:{services.settings['BROWSE_PORT']}/"
    wait_for(lambda: is_served(address))


@pytest.mark.faults
def test_a_page_without_its_store_ends_and_says_so(services: Services) -> None:
    for container in services.containers("browse"):
        services.engine("rm", "--force", container)
    services.compose(*BROWSE, "up", "--detach", "browse", settings={"STORE": "absent.zarr"})
    (container,) = services.containers("browse")
    wait_for(lambda: not services.state(container)["Running"])
    assert services.state(container)["ExitCode"] == 2
    assert services.state(container).get("RestartCount", 0) == 0
    answer = subprocess.run(
        [services.engine.program, "logs", container],
        env=services.engine.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "absent.zarr" in answer.stdout + answer.stderr


def is_served(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=PATIENCE) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
