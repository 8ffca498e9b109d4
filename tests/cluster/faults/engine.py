"""A container engine, where one is installed, and the services of docker/compose.yaml on it."""

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from waiting import PATIENCE

from tests.docker.containers import DOCKER, argument, last

#: The images of podman, kept from one run of the tests to the next.
CACHE = (
    Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser()
    / "marsdisk-tests"
    / "containers"
)
#: Of the base image where it is made here, whose Python is the one of that distribution.
DEBIAN = "bookworm"
DEBIAN_PYTHON = "3.11"
PACKAGES = "ca-certificates,python3,python3-pip,python3-venv,python3-dev,gcc"
#: Of open files and processes in a container.
MAX_LIMIT = 20_000
CERTIFICATES = Path("usr/local/share/ca-certificates")


class EngineError(AssertionError):
    """Failure of a command of the engine."""


def run(words: Sequence[object], **options: Any) -> str:
    """Return the standard output of a command that has to succeed."""
    line = [str(word) for word in words]
    options = {
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "text": True,
        "timeout": PATIENCE,
        **options,
    }
    done = subprocess.run(line, check=False, **options)
    if done.returncode != 0:
        raise EngineError(
            f"{' '.join(line)}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        )
    return str(done.stdout)


def succeeds(words: Sequence[object], **options: Any) -> bool:
    try:
        run(words, **options)
    except (EngineError, OSError, subprocess.TimeoutExpired):
        return False
    return True


@dataclass
class Engine:
    """docker, or podman with podman-compose."""

    program: str
    compose: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=lambda: dict(os.environ))

    def __call__(self, *words: object, **options: Any) -> str:
        """Run a command of the engine itself."""
        return run([self.program, *words], env=self.environment, **options)

    def can(self, *words: object) -> bool:
        return succeeds([self.program, *words], env=self.environment, timeout=120)

    def python_of_base(self) -> str:
        """Get the base image and return its version of Python, the Dockerfile's where available."""
        wanted = argument("PYTHON")
        name = last("FROM").split(":")[0]
        for python in (wanted, DEBIAN_PYTHON):
            if self.can("image", "inspect", f"{name}:{python}-slim-{DEBIAN}"):
                return python
        if self.can("pull", f"{name}:{wanted}-slim-{DEBIAN}"):
            return wanted
        if self.program != "podman":  # its images are those of whoever uses this machine
            pytest.skip(f"the image {name} cannot be had here")
        self._import(f"docker.io/library/{name}:{DEBIAN_PYTHON}-slim-{DEBIAN}")
        return DEBIAN_PYTHON

    def _import(self, name: str) -> None:
        """Make a base image of Debian's packages, which trusts what this machine trusts."""
        if os.geteuid() != 0 or shutil.which("debootstrap") is None:
            pytest.skip("no base image can be had here, or made (as root, with debootstrap)")
        folder = CACHE / "base"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        run(
            [
                "debootstrap",
                "--variant=minbase",
                f"--include={PACKAGES}",
                DEBIAN,
                folder,
                *_mirror(),
            ]
        )
        if (Path("/") / CERTIFICATES).is_dir():
            shutil.copytree(Path("/") / CERTIFICATES, folder / CERTIFICATES, dirs_exist_ok=True)
            run(["chroot", folder, "update-ca-certificates"])
        (folder / "usr/local/bin/python").symlink_to("/usr/bin/python3")
        for file in folder.glob("usr/lib/python3*/EXTERNALLY-MANAGED"):
            file.unlink()
        archive = CACHE / "base.tar"
        run(["tar", "-C", folder, "-cf", archive, "."])
        self("import", archive, name)
        archive.unlink()
        shutil.rmtree(folder)


def _mirror() -> list[str]:
    """Return the source of this machine's packages."""
    indices = run(["apt-get", "indextargets", "--format", "$(SITE)", f"Codename: {DEBIAN}"]).split()
    return indices[:1]


def find_engine() -> Engine:
    """Return docker if it is at hand, otherwise podman; skip the test where there is neither."""
    if succeeds(["docker", "info"], timeout=60) and succeeds(
        ["docker", "compose", "version"], timeout=60
    ):
        return Engine("docker", ("docker", "compose"))
    compose = Path(sys.executable).with_name("podman-compose")
    if shutil.which("podman") and compose.exists():
        engine = Engine("podman", (str(compose),))
        engine.environment |= _settings_of_podman()
        return engine
    pytest.skip("no container engine is here (docker with compose, or podman)")


def _settings_of_podman() -> dict[str, str]:
    """Return settings that keep images in a separate folder.

    Containers get the limits of this process, which it may not raise.
    """
    CACHE.mkdir(parents=True, exist_ok=True)
    limits = {"nofile": resource.RLIMIT_NOFILE, "nproc": resource.RLIMIT_NPROC}
    hard_limits = {
        name: min(MAX_LIMIT, resource.getrlimit(limit)[1]) for name, limit in limits.items()
    }
    ulimits = [f'"{name}={limit}:{limit}"' for name, limit in hard_limits.items()]
    runtime = 'runtime = "runc"\n' if shutil.which("runc") else ""
    settings = CACHE / "containers.conf"
    settings.write_text(
        f"[containers]\ndefault_ulimits = [{', '.join(ulimits)}]\n[engine]\n{runtime}",
        encoding="utf-8",
    )
    storage = CACHE / "storage.conf"
    storage.write_text(
        f'[storage]\ndriver = "overlay"\ngraphroot = "{CACHE}/images"\nrunroot ='
        ' "/run/marsdisk-tests"\n',
        encoding="utf-8",
    )
    return {
        "CONTAINERS_CONF": str(settings),
        "CONTAINERS_STORAGE_CONF": str(storage),
        "BUILDAH_ISOLATION": "chroot",
        "BUILDAH_FORMAT": "docker",  # the other one has no health checks
        "COMPOSE_PARALLEL_LIMIT": "1",
    }


@dataclass
class Services:
    """Services of docker/compose.yaml, as a separate project."""

    engine: Engine
    project: str
    settings: dict[str, str]

    def compose(self, *words: object, **options: Any) -> str:
        """Run a command of compose."""
        settings = {**self.engine.environment, **self.settings, **options.pop("settings", {})}
        file = DOCKER / "compose.yaml"
        return run(
            [*self.engine.compose, "-p", self.project, "-f", file, *words], env=settings, **options
        )

    def containers(self, service: str) -> list[str]:
        """Return the names of a service's containers, running or not."""
        labels = [
            f"label=com.docker.compose.{key}={value}"
            for key, value in {"project": self.project, "service": service}.items()
        ]
        filters = [word for label in labels for word in ("--filter", label)]
        return sorted(self.engine("ps", "--all", "--format", "{{.Names}}", *filters).split())

    def state(self, container: str) -> dict[str, Any]:
        """Return the engine's description of a container's state."""
        return dict(json.loads(self.engine("inspect", "--format", "{{json .State}}", container)))

    def is_healthy(self, container: str) -> bool:
        """Make the health check of a container now, as podman has nobody who makes it in time."""
        if self.engine.program == "podman":
            return self.engine.can("healthcheck", "run", container)
        return bool(self.state(container)["Health"]["Status"] == "healthy")
