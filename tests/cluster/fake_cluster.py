"""A cluster without workers: its client takes tasks, and a test says what becomes of each of them.

Client, futures and :func:`wait` do what Dask's do, as far as a driver can see; a test holds them
to that. Time passes on a :class:`Clock` alone, and only while somebody waits.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from typing import Any

from distributed.client import DoneAndNotDoneFutures

from sweep.common.errors import WorkersLostError
from sweep.workers.base import Cluster
from sweep.workers.block import BlockTask, Receipt

#: What may become of a task besides a receipt or an error: nothing yet, or a result that is lost
#: with its worker before anybody fetches it.
PENDING = "pending"
LOST = "lost"
Outcome = str | Receipt | BaseException | None


class Clock:
    """Clock that advances when somebody waits by it, in place of the module ``time``."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class StopEvent(threading.Event):
    """Event that stops a sweep; waiting for it takes time of a fake clock only."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock

    def wait(self, timeout: float | None = None) -> bool:
        if not self.is_set():
            assert timeout is not None, "it would never be set"
            self.clock.advance(timeout)
        return self.is_set()


class FakeFuture:
    """Task on its way; the test is asked for its outcome until it is settled."""

    def __init__(
        self,
        client: "FakeClient",
        function: str,
        task: BlockTask,
        key: str,
        workers: list[str] | None,
    ) -> None:
        self.client = client
        self.function = function
        self.task = task
        self.key = key
        self.workers = workers
        self.outcome: Outcome = PENDING
        self.released = False

    def settle(self) -> None:
        assert not self.released, f"{self.key} was given back"
        if self.outcome in (PENDING, LOST):
            self.outcome = self.client.outcome_of(self)

    @property
    def status(self) -> str:
        if self.outcome == PENDING:
            return "pending"
        if isinstance(self.outcome, CancelledError):
            return "cancelled"
        return "error" if isinstance(self.outcome, BaseException) else "finished"

    def result(self, timeout: float) -> Any:
        self.settle()
        if self.outcome in (PENDING, LOST):
            self._wait_in_vain(timeout)
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        return self.outcome

    def exception(self, timeout: float) -> BaseException | None:
        """Return the error of a task; Dask has none for a task that was cancelled."""
        self.settle()
        if self.status == "pending":
            self._wait_in_vain(timeout)
        return self.outcome if self.status == "error" else None  # type: ignore[return-value]

    def release(self) -> None:
        self.released = True

    def _wait_in_vain(self, timeout: float) -> None:
        self.client.clock.advance(timeout)
        raise TimeoutError


class FakeClient:
    """Client that remembers what it was sent; ``outcome_of`` decides on the outcomes."""

    id = "fake"
    status = "running"

    def __init__(
        self,
        clock: Clock,
        outcome_of: Callable[[FakeFuture], Outcome] = lambda future: PENDING,
    ) -> None:
        self.clock = clock
        self.outcome_of = outcome_of
        self.submitted: list[FakeFuture] = []
        self.most_in_flight = 0
        self.is_current = False

    def submit(
        self,
        call: Callable[..., Any],
        function: Callable[..., Any],
        task: bytes,
        *,
        key: str,
        pure: bool,
        workers: list[str] | None,
    ) -> FakeFuture:
        assert self.status == "running"
        assert key not in self.keys, "Dask would give the old result"
        unpacked = call(lambda task: task, task)
        future = FakeFuture(self, function.__name__, unpacked, key, workers)
        self.submitted.append(future)
        self.most_in_flight = max(self.most_in_flight, len(self.in_flight))
        return future

    @property
    def keys(self) -> list[str]:
        return [future.key for future in self.submitted]

    @property
    def in_flight(self) -> list[FakeFuture]:
        """Futures that have not been given back."""
        return [future for future in self.submitted if not future.released]

    @contextmanager
    def as_current(self) -> Iterator["FakeClient"]:
        self.is_current = True
        try:
            yield self
        finally:
            self.is_current = False


def wait(
    futures: Sequence[FakeFuture],
    timeout: float,
    return_when: str,
) -> DoneAndNotDoneFutures:
    """Wait for the first of ``futures`` that the test settles."""
    assert return_when == "FIRST_COMPLETED"
    if not futures:
        return DoneAndNotDoneFutures(set(), set())
    client = futures[0].client
    assert client.is_current, "Dask would ask another client"
    for future in futures:
        future.settle()
        if future.status != "pending":
            break
    done = {future for future in futures if future.status != "pending"}
    if not done:
        client.clock.advance(timeout)
        raise TimeoutError
    if any(future.status == "cancelled" for future in done):
        raise CancelledError
    return DoneAndNotDoneFutures(done, set(futures) - done)


def described_worker(
    *,
    threads: int = 1,
    last_seen: float = 0.0,
    status: str = "running",
) -> dict[str, Any]:
    """Describe a worker as a scheduler does."""
    return {"nthreads": threads, "status": status, "last_seen": last_seen, "name": "w"}


def receipt_of(task: BlockTask, *, seconds: float = 1.0) -> Receipt:
    """Return what a worker sends back once it has committed a block."""
    return Receipt(
        task.index,
        done=len(task.rows),
        failed=0,
        hits=0,
        lookups=0,
        solver_seconds=0.0,
        seconds=seconds,
        worker="w",
    )


class FakeCluster(Cluster):
    """Cluster with the workers of a test."""

    def __init__(
        self,
        client: FakeClient,
        workers: dict[str, dict[str, Any]],
        *,
        own: bool = False,
        wanted: int = 0,
        queue: str = "",
    ) -> None:
        super().__init__(client, "tcp://head:8786")  # type: ignore[arg-type]
        self.described = workers
        self.own = own
        self.wanted = wanted
        self.queue = queue
        self.requests = 0  #: for workers in the place of lost ones
        self.error: WorkersLostError | None = None  #: in place of an answer of the scheduler

    def workers(self) -> dict[str, dict[str, Any]]:
        if self.error is not None:
            raise self.error
        return self.described

    def waiting(self) -> str:
        return self.queue

    def replace_lost(self) -> str:
        self.requests += 1
        return "" if self.own else "asked for one more"

    @property
    def patience(self) -> float:
        return 3600.0
