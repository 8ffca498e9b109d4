"""Clusters that the driver starts elsewhere: jobs of SLURM or PBS through dask-jobqueue, pods of Kubernetes through dask-kubernetes."""

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

from marsdisk.yamlfile import yaml_text

from .cluster import ENVIRONMENT, LOOPBACK_WORKER, WORKER_SETTINGS, Cluster, security
from .errors import ClusterError
from .profiles import LOOPBACK, Adapt, JobsProfile, KubernetesProfile, Profile

_CLASSES = {"slurm": "SLURM", "pbs": "PBS"}
# whether a job is still in the queue
_ASK = {"slurm": ["squeue", "--noheader", "--format=%T", "--jobs"], "pbs": ["qstat"]}
QUEUE_SECONDS = 10.0  # between two questions to the batch system


def _package(name: str, extra: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ClusterError(
            f"{name.partition('.')[0]} is not installed: pip install 'marsdisk[{extra}]'"
        ) from error


def environment() -> dict[str, str]:
    """What workers that others start need in their environment, where no driver can configure them."""
    settings = {
        f"DASK_{key.upper().replace('.', '__').replace('-', '_')}": str(value)
        for key, value in WORKER_SETTINGS.items()
    }
    return {**settings, **{name: str(value) for name, value in ENVIRONMENT.items()}}


def _job_options(profile: JobsProfile) -> dict[str, Any]:
    """For dask-jobqueue, all that it would otherwise take from the user's own configuration included."""
    n = profile.workers_per_job
    number = profile.memory.rstrip("kMGTiB").strip()
    unit = profile.memory.lstrip("0123456789. ")
    lifetime = [
        "--lifetime",
        f"{profile.lifetime_seconds:.0f}s",
        "--lifetime-stagger",
        f"{profile.stagger_seconds:.0f}s",
    ]
    on_loopback = profile.interface is None and profile.host in LOOPBACK
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
        "job_script_prologue": [
            *(f"export {name}={shlex.quote(value)}" for name, value in environment().items()),
            *profile.prologue,
        ],
        "worker_extra_args": [
            "--dashboard-address",
            "127.0.0.1:0",
            *lifetime,
            *(LOOPBACK_WORKER if on_loopback else []),
        ],
        "security": security(profile.tls),
    }


def script(profile: Profile) -> str:
    """What would be submitted, nothing started: a job's script, or the manifest of the pods."""
    if isinstance(profile, KubernetesProfile):
        return yaml_text(json.loads(json.dumps(_manifest(profile))))
    if not isinstance(profile, JobsProfile):
        return "processes of this machine; no job is submitted\n"
    classes = _package("dask_jobqueue", "hpc")
    job = getattr(classes, f"{_CLASSES[profile.kind]}Cluster").job_cls
    protocol = "tcp" if profile.tls is None else "tls"
    return str(
        job(
            scheduler=f"{protocol}://SCHEDULER:PORT",
            name="marsdisk-sweep-0",
            **_job_options(profile),
        ).job_script()
    )


class Jobs(Cluster):
    """Jobs of a batch system; one that is lost is not replaced until somebody asks."""

    own = True

    def __init__(self, client: Client, profile: JobsProfile, cluster: Any) -> None:
        super().__init__(client, f"{_CLASSES[profile.kind]} jobs")
        self.profile = profile
        self.cluster = cluster
        self._asked = 0.0
        self._answer = ""

    @property
    def wanted(self) -> int:  # type: ignore[override] # what adaptive scaling wants changes
        return self.profile.workers_per_job * (self.profile.jobs or len(self.cluster.worker_spec))

    @property
    def patience(self) -> float:
        return 3600.0 * self.profile.queue_hours

    @property
    def cure(self) -> str:
        return (
            "look at the queue and at the jobs' output"
            f" ({self.profile.log_folder or 'where the batch system puts it'})"
        )

    def waiting(self) -> str:
        if time.monotonic() - self._asked > QUEUE_SECONDS:
            waiting = [job_id for job_id in self._absent().values() if self._is_in_queue(job_id)]
            self._answer = (
                f"{len(waiting)} job{'s' * (len(waiting) > 1)} in the queue" if waiting else ""
            )
            self._asked = time.monotonic()
        return self._answer

    def replace_lost(self) -> str:
        """Submit a job for each that has left the queue without its workers having ended in order."""
        absent = self._absent()
        lost = [name for name, job_id in absent.items() if not self._is_in_queue(job_id)]
        for name in lost:
            self.cluster.workers.pop(name, None)
        # starts those that are not there
        self.cluster.scale(jobs=self.profile.jobs or len(self.cluster.worker_spec))
        ids = ", ".join(str(absent[name]) for name in lost if absent[name])
        return f"job {ids} is gone; submitting {len(lost)} in its place" if lost else ""

    def _absent(self) -> dict[Any, str | None]:
        """Jobs of which no worker is there, with their ids in the batch system."""
        names = [str(worker["name"]) for worker in self.workers().values()]
        jobs = dict(self.cluster.workers)
        return {
            name: job.job_id
            for name, job in jobs.items()
            if not any(known == str(name) or known.startswith(f"{name}-") for known in names)
        }

    def _is_in_queue(self, job_id: str | None) -> bool:
        if job_id is None:  # the batch system refused it
            return False
        asked = subprocess.run(  # noqa: S603
            [*_ASK[self.profile.kind], str(job_id)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        answer = asked.stdout.strip()
        return (
            asked.returncode == 0
            and bool(answer)
            and answer
            not in {
                "COMPLETED",
                "CANCELLED",
                "FAILED",
                "TIMEOUT",
                "NODE_FAIL",
                "OUT_OF_MEMORY",
            }
        )


@contextmanager
def batch_jobs(profile: JobsProfile) -> Iterator[Jobs]:
    """Jobs submitted and, when the context ends, cancelled."""
    classes = _package("dask_jobqueue", "hpc")
    scheduler: dict[str, Any] = {"dashboard_address": "127.0.0.1:0", "port": profile.port}
    scheduler |= {"interface": profile.interface} if profile.interface else {"host": profile.host}
    submit = getattr(classes, f"{_CLASSES[profile.kind]}Cluster")
    with ExitStack() as stack:
        try:
            cluster = stack.enter_context(
                submit(**_job_options(profile), scheduler_options=scheduler)
            )
            stack.callback(_disown_refused, cluster)
            client = stack.enter_context(Client(cluster, set_as_default=False))
            if profile.adapt is None:
                cluster.scale(jobs=profile.jobs)
                cluster.sync(cluster._correct_state)
                refused = next(
                    (job for job in cluster.workers.values() if job.job_id is None), None
                )
                if refused is not None:
                    # tells why, which the first attempt only wrote to a log
                    cluster.sync(refused.start)
            else:
                cluster.adapt(
                    minimum_jobs=profile.adapt.minimum, maximum_jobs=profile.adapt.maximum
                )
        except (OSError, RuntimeError, ValueError) as error:
            where = (
                "is this a machine that submits to it, and is the profile right (--dry-run prints"
                " the job)?"
            )
            raise ClusterError(
                f"jobs of {_CLASSES[profile.kind]} cannot be had: {str(error).strip()}; {where}"
            ) from error
        yield Jobs(client, profile, cluster)


def _disown_refused(cluster: Any) -> None:
    """A job that was refused has nothing to close, over which closing the cluster would stumble."""
    for job in cluster._created:
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
        return 3600.0 * self.profile.queue_hours

    @property
    def cure(self) -> str:
        return f"look at the pods (kubectl get pods --namespace {self.profile.namespace})"

    def waiting(self) -> str:
        return "" if self.workers() else "pods are being started"

    def replace_lost(self) -> str:
        if self.profile.pods is None:
            return ""
        self.cluster.scale(self.profile.pods)
        return f"asking Kubernetes for {self.profile.pods} again"


@contextmanager
def pods(profile: KubernetesProfile) -> Iterator[Pods]:
    """Pods asked of the operator and, when the context ends, removed."""
    operator = _package("dask_kubernetes.operator", "k8s")
    try:
        cluster = operator.KubeCluster(
            custom_cluster_spec=_manifest(profile), namespace=profile.namespace, quiet=True
        )
    except Exception as error:  # whatever the Kubernetes client raises where there is no cluster
        raise ClusterError(
            f"Kubernetes cannot be reached or has no Dask operator: {type(error).__name__}:"
            f" {error}; try kubectl get daskclusters"
        ) from error
    with cluster, Client(cluster, set_as_default=False) as client:
        adapt: Adapt | None = profile.adapt
        if adapt is not None:
            cluster.adapt(minimum=adapt.minimum, maximum=adapt.maximum)
        yield Pods(client, profile, cluster)
