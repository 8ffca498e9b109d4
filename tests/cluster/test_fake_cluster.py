"""The fake client of the tests of the window does what Dask's does, so that they mean something."""

from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from typing import Any

import distributed
import fake_cluster
import pytest
from fake_cluster import PENDING, Clock, FakeClient, receipt_of

from sweep.store.fence import Fence
from sweep.workers.block import BlockTask, Receipt, unpacked

TASK = BlockTask("s.zarr", 3, range(2), {}, ({}, {}), "task", True, 1, Fence("", ""))
NOWHERE = ["tcp://127.0.0.1:1"]


@pytest.fixture(scope="module")
def client() -> Iterator[distributed.Client]:
    """Yield a client of Dask, with a scheduler and a worker in this process."""
    with (
        distributed.LocalCluster(
            n_workers=1,
            threads_per_worker=1,
            processes=False,
            dashboard_address="127.0.0.1:0",
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield client


def succeed(task: BlockTask) -> Receipt:
    return receipt_of(task)


def fail(task: BlockTask) -> Receipt:
    raise ValueError(f"no such luck with block {task.index}")


def outcome_of(future: fake_cluster.FakeFuture) -> fake_cluster.Outcome:
    """Return what Dask makes of the same tasks."""
    if future.key == "cancelled":
        return CancelledError()
    if future.workers == NOWHERE:
        return PENDING
    try:
        return {"succeed": succeed, "fail": fail}[future.function](future.task)
    except ValueError as error:
        return error


def end_of(call: Callable[[], object]) -> str:
    """Return the result of a call, or its error, as far as the driver tells them apart."""
    try:
        return repr(call())
    except ValueError as error:
        return f"raises {error!r}"
    except (TimeoutError, CancelledError) as error:
        kind = TimeoutError if isinstance(error, TimeoutError) else CancelledError
        return f"raises {kind.__name__}"


def ends(client: Any, wait: Callable[..., Any], key: str) -> dict[str, str]:
    """Return how a task ends for those who wait for it, fetch its result or ask for its error."""
    function = fail if key == "failed" else succeed
    workers = NOWHERE if key in {"pending", "cancelled"} else None
    task = TASK.packed()
    future = client.submit(unpacked, function, task, key=key, pure=False, workers=workers)
    if key == "cancelled" and isinstance(client, distributed.Client):
        future.cancel()
    timeout = 0.05 if key == "pending" else 300.0

    def count_done() -> int:
        return len(wait([future], timeout=timeout, return_when="FIRST_COMPLETED").done)

    with client.as_current():
        seen = {
            "wait": end_of(count_done),
            "result": end_of(lambda: future.result(timeout=timeout)),
            "exception": end_of(lambda: future.exception(timeout=timeout)),
            "status": future.status,
        }
    future.release()
    return seen


@pytest.mark.parametrize("key", ["finished", "failed", "pending", "cancelled"])
def test_tasks_of_the_fake_client_end_as_those_of_dask(
    client: distributed.Client,
    key: str,
) -> None:
    fake = FakeClient(Clock(), outcome_of)
    ended = ends(fake, fake_cluster.wait, key)
    assert (
        ended["wait"]
        == {
            "finished": "1",
            "failed": "1",
            "pending": "raises TimeoutError",
            "cancelled": "raises CancelledError",
        }[key]
    )
    assert ended == ends(client, distributed.wait, key)


def test_nobody_waits_for_nothing(client: distributed.Client) -> None:
    fake = FakeClient(Clock(), outcome_of)
    for each_client, wait in ((fake, fake_cluster.wait), (client, distributed.wait)):
        with each_client.as_current():
            done, not_done = wait([], timeout=300.0, return_when="FIRST_COMPLETED")
        assert (done, not_done) == (set(), set())


def test_nobody_waits_but_by_the_clock() -> None:
    fake = FakeClient(Clock(), outcome_of)
    future = fake.submit(unpacked, succeed, TASK.packed(), key="k", pure=False, workers=NOWHERE)
    for ask in (future.result, future.exception):
        with pytest.raises(TimeoutError):
            ask(timeout=1000.0)
    assert fake.clock.now == 3000.0
