"""Where workers come from, as people say it: processes of this machine, a running scheduler, or the profile of a cluster."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from marsdisk.config_errors import explain
from marsdisk.config_sections import Section, quantity
from marsdisk.errors import ConfigError
from marsdisk.physics.textfile import shown
from marsdisk.url_secrets import has_secret_setting, hide_secrets
from marsdisk.yamlfile import read_yaml_mapping, with_lines

LOOPBACK = ("127.0.0.1", "localhost", "::1")
_BYTES = {"allowed": "a size such as 2 GiB", "pattern": r"^[0-9.]+ ?[kMGT]i?B$"}
_TIME = {
    "allowed": "hours, minutes and seconds, such as 01:30:00",
    "pattern": r"^\d+:[0-5]\d:[0-5]\d$",
}


class Tls(Section):
    """Certificates of one side of an encrypted connection; both sides trust what the same authority signed."""

    ca: str = Field(description="file with the certificate of the authority (PEM)")
    cert: str = Field(description="file with our certificate (PEM)")
    key: str = Field(description="file with its private key (PEM)")


@dataclass(frozen=True)
class Scheduler:
    """A Dask scheduler that runs already, with whatever workers it has."""

    address: str
    tls: Tls | None = None

    def __post_init__(self) -> None:
        protocol, separator, rest = self.address.rpartition("://")
        if "@" in rest or has_secret_setting(rest):
            shown = hide_secrets(protocol or "tcp", rest)
            problem = "a scheduler's address takes no user, password or token"
            raise ConfigError(
                [f"{shown}: {problem}; give HOST:PORT, and certificates if it requires them"],
                "--scheduler",
            )
        if not separator:
            object.__setattr__(self, "address", f"{'tls' if self.tls else 'tcp'}://{rest}")
        elif protocol not in {"tcp", "tls"}:
            raise ConfigError(
                [
                    f"{self.address}: give tcp://HOST:PORT or tls://HOST:PORT, as the scheduler"
                    " prints it"
                ],
                "--scheduler",
            )
        if self.address.startswith("tls://") != (self.tls is not None):
            cure = (
                "give --tls-ca, --tls-cert and --tls-key"
                if self.tls is None
                else "certificates are for tls://HOST:PORT"
            )
            raise ConfigError([f"{self.address}: {cure}"], "--scheduler")


class Adapt(Section):
    """Bounds between which the number of jobs or pods follows the work that is left."""

    minimum: int = quantity(0, "jobs or pods that stay even without work", ge=0)
    maximum: int = quantity(..., "jobs or pods at most", ge=1)

    @model_validator(mode="after")
    def _ordered(self) -> "Adapt":
        if self.minimum > self.maximum:
            raise ValueError(f"minimum = {self.minimum} is above maximum = {self.maximum}")
        return self


class Profile(Section):
    """What all profiles have in common."""

    host: str = Field(
        "127.0.0.1",
        description=(
            "address that the scheduler listens on; others than this machine reach it only if it is"
            " not loopback"
        ),
    )

    @property
    def listens_widely(self) -> str:
        """The address other machines can connect to, empty if there is none."""
        return "" if self.host in LOOPBACK else self.host


class LocalProfile(Profile):
    """Worker processes of this machine."""

    kind: Literal["local"]
    workers: int | None = quantity(None, "worker processes; null is one per core", ge=1)
    memory: str | None = quantity(
        None, "memory of each worker, beyond which it is started anew", **_BYTES
    )


class JobsProfile(Profile):
    """Jobs of a batch system, each with some workers of one thread."""

    kind: Literal["slurm", "pbs"]
    jobs: int | None = quantity(None, "jobs to keep running; or give adapt", ge=1)
    adapt: Adapt | None = Field(
        None, description="let the number of jobs follow the work that is left; or give jobs"
    )
    workers_per_job: int = quantity(1, "workers of each job, one thread and one core each", ge=1)
    memory: str = quantity(..., "memory of each worker", **_BYTES)
    walltime: str = quantity(..., "limit of each job", **_TIME)
    lifetime: str | None = quantity(
        None,
        "after which a worker ends by itself, below walltime; null is seven eighths of it",
        **_TIME,
    )
    lifetime_stagger: str | None = quantity(
        None,
        "spread of the lifetimes, so that not all end together; null is a sixteenth of walltime",
        **_TIME,
    )
    queue_hours: float = quantity(
        24.0, "how long to wait for the first worker while jobs wait in the queue", "h", gt=0.0
    )
    queue: str | None = Field(None, description="queue or partition")
    account: str | None = Field(None, description="account or project that is charged")
    interface: str | None = Field(
        None,
        description=(
            "network interface of scheduler and workers, such as ib0; with it, host is not used"
        ),
    )
    port: int = quantity(0, "port of the scheduler; 0 takes a free one", ge=0, le=65535)
    tls: Tls | None = Field(None, description="certificates, in files that all nodes see")
    directives: list[str] = Field(
        [], description="further lines of the job's header, without #SBATCH or #PBS"
    )
    prologue: list[str] = Field(
        [], description="shell lines before the workers start, such as module load"
    )
    python: str | None = Field(
        None, description="Python on the nodes; null is the one that runs this"
    )
    log_folder: str | None = Field(
        None, description="where the jobs' output goes; null is where the batch system puts it"
    )

    @model_validator(mode="after")
    def _consistent(self) -> "JobsProfile":
        if (self.jobs is None) == (self.adapt is None):
            raise ValueError("give either jobs or adapt")
        if not 0 < self.lifetime_seconds + self.stagger_seconds < seconds(self.walltime):
            raise ValueError(
                f"lifetime and lifetime_stagger together must be below walltime = {self.walltime}"
            )
        return self

    @property
    def listens_widely(self) -> str:
        return (
            f"interface {self.interface}"
            if self.interface not in {None, "lo"}
            else super().listens_widely
            if self.interface is None
            else ""
        )

    @property
    def lifetime_seconds(self) -> float:
        return 0.875 * seconds(self.walltime) if self.lifetime is None else seconds(self.lifetime)

    @property
    def stagger_seconds(self) -> float:
        return (
            seconds(self.walltime) / 16.0
            if self.lifetime_stagger is None
            else seconds(self.lifetime_stagger)
        )


class KubernetesProfile(Profile):
    """Pods that the Dask operator of a Kubernetes cluster keeps running."""

    kind: Literal["kubernetes"]
    host: Literal["0.0.0.0"] = Field(  # noqa: S104
        "0.0.0.0",  # noqa: S104
        description="in a pod; who can reach it is for the network policies of the cluster",
    )
    name: str = quantity(
        "marsdisk-sweep",
        "name of the Dask cluster",
        allowed="small letters, digits and dashes",
        pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$",
    )
    image: str = Field(description="container image with this version of marsdisk")
    namespace: str = Field("default", description="namespace of the pods")
    pods: int | None = quantity(None, "workers to keep running; or give adapt", ge=1)
    adapt: Adapt | None = Field(
        None, description="let the number of workers follow the work that is left; or give pods"
    )
    memory: str = quantity(
        ..., "memory of each worker", allowed="a size such as 2Gi", pattern=r"^[0-9.]+[kMGT]i?$"
    )
    queue_hours: float = quantity(24.0, "how long to wait for the first worker", "h", gt=0.0)
    env: dict[str, str] = Field(
        {}, description="environment of scheduler and workers, such as the object store's address"
    )

    @model_validator(mode="after")
    def _consistent(self) -> "KubernetesProfile":
        if (self.pods is None) == (self.adapt is None):
            raise ValueError("give either pods or adapt")
        return self


#: What :func:`sweep.session.run_sweep` takes: a number of local processes (0: this one), a
#: scheduler, or a profile.
Source = int | Scheduler | Profile

UNKNOWN = 32  # workers that a scheduler of others is taken to have


def expected_workers(source: Source) -> int:
    """How many workers, of one thread each, there will be at most; 0 stands for this process."""
    if isinstance(source, int):
        return source
    if isinstance(source, LocalProfile):
        return source.workers or usable_cores()
    if isinstance(source, JobsProfile):
        return source.workers_per_job * (
            source.jobs or (source.adapt.maximum if source.adapt else 1)
        )
    if isinstance(source, KubernetesProfile):
        return source.pods or (source.adapt.maximum if source.adapt else 1)
    return UNKNOWN


def usable_cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_KINDS: dict[str, type[Profile]] = {
    "local": LocalProfile,
    "slurm": JobsProfile,
    "pbs": JobsProfile,
    "kubernetes": KubernetesProfile,
}


def seconds(text: str) -> float:
    """Of H:MM:SS."""
    hours, minutes, rest = map(int, text.split(":"))
    return 3600.0 * hours + 60.0 * minutes + rest


def _candidates(given: str) -> Iterator[Path]:
    if given.endswith((".yaml", ".yml")) or "/" in given:
        yield Path(given)
        return
    # the working folder, and a checkout of this project
    for root in (Path(), Path(__file__).parents[1]):
        yield root / "configs" / "clusters" / f"{given}.yaml"


def load_profile(given: str) -> Profile:
    """The profile in a file, or in ``configs/clusters/NAME.yaml``.

    Raises
    ------
    ConfigError
        With one line for every problem of the file.
    """
    paths = list(_candidates(given))
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        known = sorted(
            {
                file.stem
                for folder in {path.parent for path in paths}
                for file in folder.glob("*.yaml")
            }
        )
        has = f"; there are {', '.join(known)}" if known else ""
        raise ConfigError(
            [f"{given}: there is no profile in {' nor '.join(map(str, paths))}{has}"], "--cluster"
        )
    content: dict[str, Any] = read_yaml_mapping(path)
    model = _KINDS.get(str(content.get("kind")))
    if model is None:
        problem = f"kind = {shown(content.get('kind'))}: must be one of {', '.join(_KINDS)}"
        raise with_lines(ConfigError([problem], str(path)), path)
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise with_lines(ConfigError(explain(error, model), str(path)), path) from error
