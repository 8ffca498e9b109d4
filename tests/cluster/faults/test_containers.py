"""The services of docker/compose.yaml as plain processes: the wheel in an environment of its own, read-only, run by a user without rights."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from faults import Fault
from ports import free_port
from waiting import PATIENCE, wait_for

from sweep.store.reader import counts

sys.path.insert(0, str(Path(__file__).parents[2] / "docker"))

from containers import DOCKER, ROOT, SERVICES, environment_of_image, instructions, last, seconds

NOBODY = 65534
STEPS = [part for word, rest in instructions() if word == "RUN" for part in rest.split("&&")]
#: How the image comes to its compiled kernels.
WARM = " && ".join(step for step in STEPS if "/opt/marsdisk/kernels" in step)


def run(*words: object, **options: Any) -> str:
    """Standard output of a command that has to succeed."""
    line = [str(word) for word in words]
    options |= {"capture_output": True, "text": True, "timeout": PATIENCE, "check": False}
    done = subprocess.run(line, **options)
    assert done.returncode == 0, (words, done.stdout, done.stderr)
    return str(done.stdout)


def free_ports() -> dict[str, str]:
    """Ports of this machine in place of those that the containers share."""
    return {port: str(free_port()) for port in ("8786", "8787", "5006")}


@dataclass
class Containers:
    """Services as processes, with the folders, hosts and ports of the containers in places of this machine."""

    place: Path
    python: Path
    ports: dict[str, str] = field(default_factory=free_ports)
    started: list[tuple[str, subprocess.Popen[bytes], dict[str, str]]] = field(default_factory=list)

    def _here(self, word: str, ports: dict[str, str]) -> str:
        word = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", word)  # nothing is set: the default
        places = {"/tmp": ports["tmp"], "/opt/marsdisk": str(self.place / "opt"), "/data": str(self.place / "data")}
        word = re.sub(r"^(/tmp|/opt/marsdisk|/data)\b", lambda place: places[place[0]], word)
        word = word.replace("//scheduler:", "//127.0.0.1:").replace("0.0.0.0", "127.0.0.1")
        return re.sub(r"\b(8786|8787|8788|5006)\b", lambda port: ports[port[0]], word)

    def environment(self, service: str, ports: dict[str, str]) -> dict[str, str]:
        given = {**environment_of_image(), **SERVICES[service]["environment"]}
        path = f"{self.python.parent}:/usr/bin:/bin"
        own = {"PATH": path, "TMPDIR": ports["tmp"], "BAKED_KERNELS": str(self.place / "opt" / "kernels")}
        return {**{name: self._here(value, ports) for name, value in given.items()}, **own}

    def process(
        self,
        service: str,
        words: list[str],
        ports: dict[str, str],
        *,
        through_entry: bool = True,
    ) -> "subprocess.Popen[bytes]":
        entry = [str(self.place / "opt" / json.loads(last("ENTRYPOINT"))[0])] if through_entry else []
        options: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
        log = (self.place / "logs" / f"{service}-{len(self.started)}").open("wb")
        return subprocess.Popen(
            [*entry, *(self._here(word, ports) for word in words)],
            env=self.environment(service, ports),
            cwd=self.place / "data",
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **options,
        )

    def own(self) -> dict[str, str]:
        """Where one container's ports and its /tmp are."""
        folder = Path(tempfile.mkdtemp(dir=self.place / "tmp"))
        folder.chmod(0o1777)
        return {**self.ports, "8788": str(free_port()), "tmp": str(folder)}

    def start(self, service: str) -> None:
        ports = self.own()
        self.started.append((service, self.process(service, SERVICES[service]["command"], ports), ports))

    def is_healthy(self, service: str, ports: dict[str, str]) -> bool:
        kind, *words = SERVICES[service]["healthcheck"]["test"]
        assert kind == "CMD"
        return self.process(service, words, ports, through_entry=False).wait(timeout=PATIENCE) == 0

    def wait_for_health(
        self,
        service: str,
        process: "subprocess.Popen[bytes]",
        ports: dict[str, str],
    ) -> None:
        """Wait until the service's own check says that it is healthy."""

        def is_healthy() -> bool:
            assert process.poll() is None, self.log()
            return self.is_healthy(service, ports)

        wait_for(is_healthy)

    def log(self) -> str:
        return "\n".join(path.read_text(encoding="utf-8") for path in (self.place / "logs").iterdir())


def python_for_nobody() -> str:
    """An interpreter that a user without rights may run."""
    options: dict[str, Any] = {"user": NOBODY} if os.geteuid() == 0 else {}
    for python in (sys._base_executable, shutil.which("python3", path="/usr/local/bin:/usr/bin")):  # type: ignore[attr-defined]
        try:
            subprocess.run([str(python), "-c", "import sys; assert sys.version_info >= (3, 11)"], check=True, capture_output=True, **options)
        except (OSError, subprocess.CalledProcessError):
            continue
        return str(python)
    pytest.skip("no Python of 3.11 or newer that a user without rights may run")


@pytest.fixture(scope="module")
def containers() -> Iterator[Containers]:
    """The image's steps, done here, and nothing started."""
    place = Path(tempfile.mkdtemp(prefix="marsdisk-containers-"))
    place.chmod(0o755)
    containers = Containers(place, place / "venv" / "bin" / "python")
    for name in ("data", "tmp", "logs", "opt"):
        (place / name).mkdir()
    for name in ("data", "tmp"):
        (place / name).chmod(0o1777)
    uv, python = Path(sys.executable).with_name("uv"), python_for_nobody()
    without_sources = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    extras = next(rest for word, rest in instructions() if rest.startswith("EXTRAS=")).removeprefix("EXTRAS=")
    try:
        run(uv, "build", "-q", "--wheel", "--out-dir", place / "wheels", ROOT, env=without_sources)
        run(uv, "venv", "-q", "--python", python, place / "venv", env=without_sources)
        wheel = next((place / "wheels").glob("*.whl"))
        copied = ["--link-mode", "copy", "-c", ROOT / "constraints.txt"]
        run(uv, "pip", "install", "-q", "--python", containers.python, *copied, f"{wheel}[{extras}]", env=without_sources)
    except AssertionError as error:
        if re.search(r"(?i)dns|connect|network|offline|fetch", str(error)):
            pytest.skip("the wheel cannot be built and installed without its index")
        raise
    shutil.copytree(ROOT / "configs", place / "opt" / "configs")
    shutil.copy(DOCKER / "with-kernels", place / "opt")
    baked = {**environment_of_image(), "PATH": f"{containers.python.parent}:/usr/bin:/bin", "HOME": str(place / "tmp")}
    run("sh", "-c", WARM.replace("/opt/marsdisk", str(place / "opt")), env=baked, cwd=place)
    run("chmod", "-R", "a-w", place / "venv", place / "opt")
    yield containers
    for _, process, _ in containers.started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    run("chmod", "-R", "u+w", place)
    shutil.rmtree(place)


@pytest.fixture(scope="module")
def cluster(containers: Containers) -> Containers:
    """A scheduler and two workers, healthy as their own checks say."""
    for service in ("scheduler", "worker", "worker"):
        containers.start(service)
        _, process, ports = containers.started[-1]
        containers.wait_for_health(service, process, ports)
    return containers


@pytest.mark.faults
def test_the_sweep_that_compose_submits_is_finished(cluster: Containers) -> None:
    submitted = cluster.process("submit", SERVICES["submit"]["command"], cluster.own())
    assert submitted.wait(timeout=PATIENCE) == 0, cluster.log()
    store = cluster.place / "data" / "temperature_supply.zarr"
    wait_for(lambda: store.exists() and counts(store).pending == 0)
    assert counts(store).failed == 0


@pytest.mark.faults
def test_the_page_of_results_is_served(cluster: Containers) -> None:
    cluster.start("browse")
    _, process, ports = cluster.started[-1]
    cluster.wait_for_health("browse", process, ports)
    assert process.poll() is None


@pytest.mark.faults("the containers of docker/compose.yaml are stopped (SIGTERM)")
def test_every_service_ends_when_it_is_told_to(cluster: Containers, fault: Fault) -> None:
    for service, process, _ in reversed(cluster.started):
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(timeout=seconds(SERVICES[service]["stop_grace_period"]))
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{service} did not end:\n{cluster.log()}") from None
        fault.ended("", "", code, expected=0)
    baked = {path.name for path in (cluster.place / "opt").rglob("*.nb?")}
    for _, _, own in cluster.started:
        assert {path.name for path in Path(own["tmp"]).rglob("*.nb?")} == baked  # they served; nothing was compiled
