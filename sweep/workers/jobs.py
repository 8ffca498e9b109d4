"""Clusters that the driver starts elsewhere: jobs of SLURM or PBS, and pods of Kubernetes."""

import importlib
import json
import shlex
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from distributed import Client
from distributed.core import Status

from marsdisk.config.yaml_file import yaml_text

from ..common.addresses import LOOPBACK
from ..common.errors import ClusterError
from ..common.text import counted
from .base import LOOPBACK_WORKER, WORKER_SETTINGS, Cluster, security
from .environment import ENVIRONMENT
from .profiles import Adapt, JobsProfile, KubernetesProfile, Profile

_SYSTEMS = {"slurm": "SLURM", "pbs": "PBS"}
# print the state of a job, which is to be added, if it is still in the queue
_QUEUE_COMMANDS = {"slurm": ["squeue", "--noheader", "--format=%T", "--jobs"], "pbs": ["qstat"]}
_ENDED_STATES = {"COMPLETED", "CANCELLED", "FAILED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY"}
QUEUE_SECONDS = 10.0  # between two queries of the batch system
QUERY_TIMEOUT_SECONDS = 60


def _package(name: str, extra: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ClusterError(
            f"{name.partition('.')[0]} is not installed: pip install 'marsdisk[{extra}]'"
        ) from error


def environment() -> dict[str, str]:
    """Return the environment variables that configure workers which a batch system starts."""
    settings = {
        f"DASK_{key.upper().replace('.', '__').replace('-', '_')}": str(value)
        for key, value in WORKER_SETTINGS.items()
    }
    return {**settings, **ENVIRONMENT}


def _job_options(profile: JobsProfile) -> dict[str, Any]:
    """Return all options of dask-jobqueue, so that none comes from the user's configuration."""
    n = profile.workers_per_job
    number = profile.memory.rstrip("kMGTiB").strip()
    unit = profile.memory.lstrip("0123456789. ")
    exports = [f"export {name}={shlex.quote(value)}" for name, value in environment().items()]
    worker_options = [
        *("--dashboard-address", "127.0.0.1:0"),
        *("--lifetime", f"{profile.lifetime_seconds:.0f}s"),
        *("--lifetime-stagger", f"{profile.stagger_seconds:.0f}s"),
    ]
    if profile.interface is None and profile.host in LOOPBACK:
        worker_options += LOOPBACK_WORKER
    return {
        "cores": n,
        "processes": n,
        "memory": f"{float(number) * n:g} {unit}",
        "walltime": profile.walltime,
        "queue": profile.queue,
        "account": profile.account,
        "interface": profile.interface,
        "python": profile.python,
        "job_name": "marsdisk-sweep",
        "log_directory": profile.log_folder,
        "job_extra_directives": list(profile.directives),
        "job_script_prologue": [*exports, *profile.prologue],
        "worker_extra_args": worker_options,
        "security": security(profile.tls),
    }


def _cluster_class(profile: JobsProfile) -> Any:
    return getattr(_package("dask_jobqueue", "hpc"), f"{_SYSTEMS[profile.kind]}Cluster")


def script(profile: Profile) -> str:
    """Return what would be submitted: the script of a job, or the manifest of the pods."""
    if isinstance(profile, KubernetesProfile):
        return yaml_text(json.loads(json.dumps(_manifest(profile))))
    if not isinstance(profile, JobsProfile):
        return "processes of this machine; no job is submitted\n"
    protocol = "tcp" if profile.tls is None else "tls"
    job = _cluster_class(profile).job_cls(
        scheduler=f"{protocol}://SCHEDULER:PORT", name="marsdisk-sweep-0", **_job_options(profile)
    )
    return str(job.job_script())


class Jobs(Cluster):
    """Jobs of a batch system; lost ones are replaced only by :meth:`replace_lost`."""

    own = True

    def __init__(self, client: Client, profile: JobsProfile, cluster: Any) -> None:
        super().__init__(client, f"{_SYSTEMS[profile.kind]} jobs")
        self.profile = profile
        self.cluster = cluster
        self._query_time = 0.0
        self._waiting = ""

    @property
    def wanted(self) -> int:  # type: ignore[override] # it changes with adaptive scaling
        """Workers that were asked for."""
        return self.profile.workers_per_job * (self.profile.jobs or len(self.cluster.worker_spec))

    @property
    def patience(self) -> float:
        """Time that jobs may wait in the queue, in s."""
        return 3600.0 * self.profile.queue_hours

    @property
    def cure(self) -> str:
        """Advice for a person where there are no workers."""
        folder = self.profile.log_folder or "where the batch system puts it"
        return f"look at the queue and at the jobs' output ({folder})"

    def waiting(self) -> str:
        """Return how many jobs wait in the queue; empty if none does."""
        if time.monotonic() - self._query_time > QUEUE_SECONDS:
            count = sum(self._is_in_queue(job_id) for job_id in self._absent().values())
            self._waiting = ""
            if count:
                self._waiting = f"{counted(count, 'job')} in the queue"
            self._query_time = time.monotonic()
        return self._waiting

    def replace_lost(self) -> str:
        """Submit a new job for each one that has left the queue and has no workers."""
        absent = self._absent()
        lost = [name for name, job_id in absent.items() if not self._is_in_queue(job_id)]
        for name in lost:
            self.cluster.workers.pop(name, None)
        # starts the missing ones
        self.cluster.scale(jobs=self.profile.jobs or len(self.cluster.worker_spec))
        if not lost:
            return ""
        ids = ", ".join(str(absent[name]) for name in lost if absent[name])
        return f"job {ids} is gone; submitting {len(lost)} in its place"

    def _absent(self) -> dict[Any, str | None]:
        """Return the jobs without any worker, with their ids in the batch system."""
        workers = [str(worker["name"]) for worker in self.workers().values()]
        absent = {}
        for name, job in dict(self.cluster.workers).items():
            # one worker has the name of its job, several have a number behind it
            of_job = [
                worker for worker in workers if worker == str(name) or worker.startswith(f"{name}-")
            ]
            if not of_job:
                absent[name] = job.job_id
        return absent

    def _is_in_queue(self, job_id: str | None) -> bool:
        if job_id is None:
            # the batch system refused the job
            return False
        query = subprocess.run(  # noqa: S603 # a fixed command, and an id from the batch system
            [*_QUEUE_COMMANDS[self.profile.kind], str(job_id)],
            capture_output=True,
            text=True,
            timeout=QUERY_TIMEOUT_SECONDS,
            check=False,
        )
        state = query.stdout.strip()
        return query.returncode == 0 and bool(state) and state not in _ENDED_STATES


@contextmanager
def batch_jobs(profile: JobsProfile) -> Iterator[Jobs]:
    """Submit jobs, and cancel them when the context ends.

    Raises
    ------
    ClusterError
        The batch system refuses them.
    """
    cluster_class = _cluster_class(profile)
    system = _SYSTEMS[profile.kind]
    scheduler: dict[str, Any] = {"dashboard_address": "127.0.0.1:0", "port": profile.port}
    if profile.interface:
        scheduler["interface"] = profile.interface
    else:
        scheduler["host"] = profile.host
    with ExitStack() as stack:
        try:
            cluster = stack.enter_context(
                cluster_class(**_job_options(profile), scheduler_options=scheduler)
            )
            stack.callback(_disown_refused, cluster)
            client = stack.enter_context(Client(cluster, set_as_default=False))
            if profile.adapt is None:
                cluster.scale(jobs=profile.jobs)
                cluster.sync(cluster._correct_state)  # noqa: SLF001 # no public counterpart
                refused = [job for job in cluster.workers.values() if job.job_id is None]
                if refused:
                    # raises the error that the first attempt only wrote to a log
                    cluster.sync(refused[0].start)
            else:
                cluster.adapt(
                    minimum_jobs=profile.adapt.minimum, maximum_jobs=profile.adapt.maximum
                )
        except (OSError, RuntimeError, ValueError) as error:
            raise ClusterError(
                f"jobs of {system} cannot be had: {str(error).strip()}; is this a machine that"
                " submits to it, and is the profile right (--dry-run prints the job)?"
            ) from error
        yield Jobs(client, profile, cluster)


def _disown_refused(cluster: Any) -> None:
    """Mark refused jobs as closed, since closing a job that never started raises an error."""
    for job in cluster._created:  # noqa: SLF001 # no public counterpart
        if job.job_id is None:
            job.status = Status.closed


def _manifest(profile: KubernetesProfile) -> Any:
    operator = _package("dask_kubernetes.operator", "k8s")
    return operator.make_cluster_spec(
        name=profile.name,
        image=profile.image,
        n_workers=profile.pods if profile.adapt is None else profile.adapt.minimum,
        resources={
            "requests": {"cpu": "1", "memory": profile.memory},
            "limits": {"memory": profile.memory},
        },
        env={**environment(), **profile.env},
        worker_command=["dask", "worker", "--nthreads", "1", "--memory-limit", profile.memory],
    )


class Pods(Cluster):
    """Pods that Kubernetes itself replaces."""

    own = True

    def __init__(self, client: Client, profile: KubernetesProfile, cluster: Any) -> None:
        super().__init__(client, f"Kubernetes ({profile.namespace}/{profile.name})")
        self.profile = profile
        self.cluster = cluster
        self.wanted = profile.pods or 0

    @property
    def patience(self) -> float:
        """Time that pods may take to start, in s."""
        return 3600.0 * self.profile.queue_hours

    @property
    def cure(self) -> str:
        """Advice for a person where there are no workers."""
        return f"look at the pods (kubectl get pods --namespace {self.profile.namespace})"

    def waiting(self) -> str:
        """Return that pods are being started, if no worker has come yet; else empty."""
        return "" if self.workers() else "pods are being started"

    def replace_lost(self) -> str:
        """Ask Kubernetes for the number of pods again; return a message about it."""
        if self.profile.pods is None:
            return ""
        self.cluster.scale(self.profile.pods)
        return f"asking Kubernetes for {self.profile.pods} again"


@contextmanager
def pods(profile: KubernetesProfile) -> Iterator[Pods]:
    """Start pods through the Dask operator, and remove them when the context ends.

    Raises
    ------
    ClusterError
        Kubernetes cannot be reached, or has no Dask operator.
    """
    operator = _package("dask_kubernetes.operator", "k8s")
    try:
        cluster = operator.KubeCluster(
            custom_cluster_spec=_manifest(profile), namespace=profile.namespace, quiet=True
        )
    except Exception as error:  # the Kubernetes client raises many kinds
        raise ClusterError(
            f"Kubernetes cannot be reached or has no Dask operator: {type(error).__name__}:"
            f" {error}; try kubectl get daskclusters"
        ) from error
    with cluster, Client(cluster, set_as_default=False) as client:
        adapt: Adapt | None = profile.adapt
        if adapt is not None:
            cluster.adapt(minimum=adapt.minimum, maximum=adapt.maximum)
        yield Pods(client, profile, cluster)
