"""Sources of workers: processes of this machine, a running scheduler, or a cluster's profile."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, ValidationError, model_validator

from marsdisk.common.errors import ConfigError
from marsdisk.common.text import shown
from marsdisk.common.url_secrets import has_secret_setting, hide_secrets
from marsdisk.config import builtin
from marsdisk.config.explain import explain
from marsdisk.config.sections import Section, quantity
from marsdisk.config.yaml_file import read_yaml_mapping, with_lines

from ..common.addresses import LOOPBACK
from .forked import start_server

if TYPE_CHECKING:
    from distributed import Client

_BYTES = {"allowed": "a size such as 2 GiB", "pattern": r"^[0-9.]+ ?[kMGT]i?B$"}
_TIME = {
    "allowed": "hours, minutes and seconds, such as 01:30:00",
    "pattern": r"^\d+:[0-5]\d:[0-5]\d$",
}


class Tls(Section):
    """Certificates of one side of an encrypted connection; both sides trust one authority."""

    ca: str = Field(description="file with the certificate of the authority (PEM)")
    cert: str = Field(description="file with our certificate (PEM)")
    key: str = Field(description="file with its private key (PEM)")


@dataclass(frozen=True)
class Scheduler:
    """A running Dask scheduler, with whatever workers it has.

    Raises
    ------
    ConfigError
        The address is wrong, or does not go with the certificates.
    """

    address: str
    tls: Tls | None = None

    def __post_init__(self) -> None:
        protocol, separator, host = self.address.rpartition("://")
        if "@" in host or has_secret_setting(host):
            hidden = hide_secrets(protocol or "tcp", host)
            problem = "a scheduler's address takes no user, password or token"
            raise _address_error(
                f"{hidden}: {problem}; give HOST:PORT, and certificates if it requires them"
            )
        if not separator:
            default_protocol = "tcp" if self.tls is None else "tls"
            object.__setattr__(self, "address", f"{default_protocol}://{host}")
        elif protocol not in {"tcp", "tls"}:
            raise _address_error(
                f"{self.address}: give tcp://HOST:PORT or tls://HOST:PORT, as the scheduler"
                " prints it"
            )
        is_encrypted = self.address.startswith("tls://")
        if is_encrypted and self.tls is None:
            raise _address_error(f"{self.address}: give --tls-ca, --tls-cert and --tls-key")
        if not is_encrypted and self.tls is not None:
            raise _address_error(f"{self.address}: certificates are for tls://HOST:PORT")


@dataclass(frozen=True)
class OpenClient:
    """A Dask client that somebody else has opened, and will close.

    Raises
    ------
    ConfigError
        It cannot be used from here.
    """

    client: "Client"

    def __post_init__(self) -> None:
        from distributed import Client

        if not isinstance(self.client, Client):
            problem = f"{shown(self.client)} is no distributed.Client"
            raise ConfigError([f"{problem}; open one with Client(ADDRESS)"], "client")
        if self.client.asynchronous:
            problem = (
                "an asynchronous client cannot be waited for here; give Client(...) without it"
            )
            raise ConfigError([problem], "client")
        if self.client.status != "running":
            problem = f"is {self.client.status}; open another one"
            raise ConfigError([problem], "client")

    @property
    def address(self) -> str:
        """Address of its scheduler."""
        scheduler: Any = self.client.scheduler
        return str(scheduler.address)

    @property
    def threads(self) -> int:
        """Number of tasks that its workers can run at a time."""
        client: Any = self.client
        return sum(client.nthreads().values())


def _address_error(problem: str) -> ConfigError:
    return ConfigError([problem], "--scheduler")


class Adapt(Section):
    """Bounds of the number of jobs or pods, which follows the work that is left."""

    minimum: int = quantity(0, "jobs or pods that are kept even without work", ge=0)
    maximum: int = quantity(..., "jobs or pods at most", ge=1)

    @model_validator(mode="after")
    def _ordered(self) -> "Adapt":
        if self.minimum > self.maximum:
            raise ValueError(f"minimum = {self.minimum} is above maximum = {self.maximum}")
        return self


class Profile(Section):
    """A named set of options for one kind of cluster; the part that all kinds share."""

    host: str = Field(
        "127.0.0.1",
        description=(
            "address that the scheduler listens on; other machines reach it only if it is not"
            " loopback"
        ),
    )

    @property
    def listens_widely(self) -> str:
        """The address that other machines can connect to; empty if there is none."""
        return "" if self.host in LOOPBACK else self.host


class LocalProfile(Profile):
    """Worker processes of this machine."""

    kind: Literal["local"]
    workers: int | None = quantity(None, "worker processes; null is one per core", ge=1)
    memory: str | None = quantity(
        None, "memory of each worker, beyond which it is restarted", **_BYTES
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
        """The interface or address that other machines can connect to; empty if there is none."""
        if self.interface is None:
            return super().listens_widely
        if self.interface == "lo":
            return ""
        return f"interface {self.interface}"

    @property
    def lifetime_seconds(self) -> float:
        """Time after which a worker ends by itself, in s."""
        if self.lifetime is None:
            return 0.875 * seconds(self.walltime)
        return seconds(self.lifetime)

    @property
    def stagger_seconds(self) -> float:
        """Spread of the workers' lifetimes, in s."""
        if self.lifetime_stagger is None:
            return seconds(self.walltime) / 16.0
        return seconds(self.lifetime_stagger)


class KubernetesProfile(Profile):
    """Pods that the Dask operator of a Kubernetes cluster keeps running."""

    kind: Literal["kubernetes"]
    # the network policies of the cluster decide who can reach a pod
    host: Literal["0.0.0.0"] = Field(  # noqa: S104
        "0.0.0.0",  # noqa: S104
        description="in a pod; the network policies of the cluster decide who can reach it",
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


#: Where workers come from: a number of local processes (0: this one), a scheduler, a client of one,
#: or a profile.
Source = int | Scheduler | OpenClient | Profile

ASSUMED_WORKERS = 32  # of a scheduler that somebody else runs


def make_ready(source: Source) -> None:
    """Begin to load what workers on this machine need, while their driver reads and plans."""
    if isinstance(source, LocalProfile) or (isinstance(source, int) and source > 0):
        start_server()


def expected_workers(source: Source) -> int:
    """Return the largest number of workers, of one thread each; 0 stands for this process."""
    if isinstance(source, int):
        return source
    if isinstance(source, LocalProfile):
        return source.workers or usable_cores()
    if isinstance(source, JobsProfile):
        return source.workers_per_job * (source.jobs or _maximum(source.adapt))
    if isinstance(source, KubernetesProfile):
        return source.pods or _maximum(source.adapt)
    if isinstance(source, OpenClient):
        return source.threads or ASSUMED_WORKERS
    return ASSUMED_WORKERS


def _maximum(adapt: Adapt | None) -> int:
    return 1 if adapt is None else adapt.maximum


def usable_cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


_KINDS: dict[str, type[Profile]] = {
    "local": LocalProfile,
    "slurm": JobsProfile,
    "pbs": JobsProfile,
    "kubernetes": KubernetesProfile,
}


def seconds(text: str) -> float:
    """Return the seconds of a time H:MM:SS."""
    hours, minutes, rest = map(int, text.split(":"))
    return 3600.0 * hours + 60.0 * minutes + rest


def _candidates(name: str) -> Iterator[Path]:
    if name.endswith((".yaml", ".yml")) or "/" in name:
        yield Path(name)
        return
    # the working folder, and what comes with the program
    for configs in (Path("configs"), builtin.folder()):
        yield configs / "clusters" / f"{name}.yaml"


def _no_profile(name: str, candidates: Sequence[Path]) -> str:
    names = set[str]()
    for path in candidates:
        names.update(file.stem for file in path.parent.glob("*.yaml"))
    problem = f"{name}: there is no profile in {' nor '.join(map(str, candidates))}"
    if not names:
        return problem
    return f"{problem}; there are {', '.join(sorted(names))}"


def load_profile(name: str) -> Profile:
    """Read a profile.

    Parameters
    ----------
    name : str
        Path of a YAML file, or the NAME of ``configs/clusters/NAME.yaml``.

    Raises
    ------
    ConfigError
        There is no such file, or it is wrong; one line for each problem.
    """
    candidates = list(_candidates(name))
    files = [path for path in candidates if path.is_file()]
    if not files:
        raise ConfigError([_no_profile(name, candidates)], "--cluster")
    path = files[0]
    content: dict[str, Any] = read_yaml_mapping(path)
    model = _KINDS.get(str(content.get("kind")))
    if model is None:
        problem = f"kind = {shown(content.get('kind'))}: must be one of {', '.join(_KINDS)}"
        raise with_lines(ConfigError([problem], str(path)), path)
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise with_lines(ConfigError(explain(error, model), str(path)), path) from error
