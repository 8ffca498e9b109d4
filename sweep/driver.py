"""The driver: hands blocks to workers, keeps a bounded window in flight, and comes back from what goes wrong."""

import itertools
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from distributed import Client, Future, KilledWorker, wait

from .browse.dashboard import results_page
from .cluster import local_client
from .errors import ClusterError, Interrupted, StoreError, WorkersLostError
from .plan import Block, Plan
from .progress import Reporter
from .worker import BlockTask, CacheScopes, Receipt, run_block, try_runs

BLOCKS_PER_WORKER = 3  # in flight: enough that no worker waits for the driver
RESTARTS = 3  # of a block that was lost, and of a cluster that lost all its workers
STALL_SECONDS = 120.0  # without any worker: Dask's own restart, which takes seconds on a busy machine, has failed


@contextmanager
def stopping_on_signals(say: Callable[[str], None]) -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set, so that no block is torn; a second signal ends the process at once. Both are answered."""
    stop = threading.Event()

    def handle(number: int, frame: object) -> None:
        if stop.is_set():
            say("stopped at once; what is committed stays, and the same command goes on")
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        stop.set()
        say("stopping; what is committed stays, and the same command goes on (a second signal stops at once)")

    if threading.current_thread() is not threading.main_thread():  # only the main thread may set handlers
        yield stop
        return
    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def block_task(plan: Plan, store: str, block: Block) -> BlockTask:
    """What a worker is sent for ``block``."""
    cache = plan.sweep.spec.cache
    overrides = tuple(case.overrides for case in plan.cases[block.lo : block.hi])
    checked = frozenset(run - block.lo for run in plan.checked if block.lo <= run < block.hi)
    return BlockTask(store, block.index, block.lo, plan.sweep.base, overrides, cache.scope, cache.enabled, attempt=1, checked=checked)


def run_blocks(plan: Plan, store: str, blocks: Iterable[Block], *, workers: int, reporter: Reporter, stop: threading.Event) -> None:
    """Run ``blocks`` and commit them, in this process (``workers`` 0) or on that many worker processes.

    Raises
    ------
    Interrupted
        ``stop`` was set.
    StoreError, ClusterError
        Nothing can go on; what was committed stays.
    """
    tasks = [block_task(plan, store, block) for block in blocks]
    workers = min(workers, len(tasks))
    if workers == 0:
        scopes = CacheScopes()
        reporter.tally.restart_clock()
        for task in tasks:
            if stop.is_set():
                raise Interrupted
            reporter.add(run_block(task, scopes))
        return
    for restarts_left in range(RESTARTS, -1, -1):
        if stop.is_set():
            raise Interrupted
        with local_client(workers, tasks[0]) as client:
            reporter.say(f"{workers} worker{'s' if workers > 1 else ''}; dashboard {client.dashboard_link}{results_page(client.dashboard_link)}")
            reporter.tally.restart_clock()
            window = Window(client, tasks, workers * BLOCKS_PER_WORKER, reporter.add, stop)
            try:
                window.run()
                return
            except WorkersLostError as error:
                if not restarts_left:
                    raise
                tasks = window.unfinished()
                reporter.say(f"{error}; starting new workers for the {len(tasks)} blocks left")


class Window:
    """Blocks on their way over one cluster: some queued, a bounded number in flight, some suspected of killing workers."""

    def __init__(self, client: Client, tasks: Iterable[BlockTask], size: int, committed: Callable[[Receipt], None], stop: threading.Event) -> None:
        self.client, self.size, self.committed, self.stop = client, size, committed, stop
        self.queue = deque(tasks)
        self.open = {task.index: task for task in self.queue}  # not known to be committed, wherever they are
        self.flying: dict[Future[Any], BlockTask] = {}
        self.suspects: deque[BlockTask] = deque()
        self.serial = itertools.count()
        self.last_alive = time.monotonic()

    def unfinished(self) -> list[BlockTask]:
        """Tasks that are not known to be committed."""
        return list(self.open.values())

    def run(self) -> None:
        """Run everything to its commit."""
        while self.queue or self.flying or self.suspects:
            while self.queue and len(self.flying) < self.size:
                task = self.queue.popleft()
                self.flying[self._submit(run_block, task)] = task
            if not self.flying:  # nobody else is there to be blamed for a dead worker
                self.queue.append(self._acquitted(self.suspects.popleft()))
                continue
            for future in self._next_done():
                self._land(future)

    def _submit(self, function: Callable[[BlockTask], object], task: BlockTask) -> Future[Any]:
        key = f"{function.__name__}-{task.index}-{task.attempt}-{next(self.serial)}"  # a key used again would give the old result
        return self.client.submit(function, task, key=key, pure=False)

    def _next_done(self, futures: Sequence[Future[Any]] = ()) -> list[Future[Any]]:
        while True:
            if self.stop.is_set():
                raise Interrupted
            try:
                with self.client.as_current():
                    return list(wait(list(futures or self.flying), timeout=0.5, return_when="FIRST_COMPLETED").done)
            except TimeoutError:
                self._watch()

    def _watch(self) -> None:
        """Raise if there is nothing left to wait for."""
        if self.stop.is_set():
            raise Interrupted
        if self.client.status != "running":
            raise WorkersLostError("the scheduler is gone")
        if self.client.scheduler_info(n_workers=-1)["workers"]:
            self.last_alive = time.monotonic()
        elif time.monotonic() - self.last_alive > STALL_SECONDS:
            raise WorkersLostError(f"no worker for {STALL_SECONDS:.0f} s")

    def _land(self, future: Future[Any]) -> None:
        try:
            receipt = future.result(timeout=2.0)
        except TimeoutError:  # its worker died before the receipt was fetched; Dask runs the block again, where it can
            self._watch()
            return
        except BaseException as error:
            self._lost(self.flying.pop(future), error)
        else:
            self.last_alive = time.monotonic()
            del self.open[self.flying.pop(future).index]
            self.committed(receipt)
        future.release()

    def _lost(self, task: BlockTask, error: BaseException) -> None:
        """What becomes of a block whose task ended with an error."""
        if isinstance(error, StoreError) or not isinstance(error, Exception):
            raise error
        if isinstance(error, KilledWorker):
            if task.attempt > RESTARTS:
                raise ClusterError(
                    f"block {task.index} kills its worker though none of its runs does alone: too little memory for its results? "
                    "Make blocks smaller (block: in the sweep file), or lower output.samples and output.snapshots"
                ) from error
            self.suspects.append(task)
            return
        if task.attempt > RESTARTS:  # a lost connection looks like many things; what repeats is not that
            raise ClusterError(f"block {task.index} could not be run: {type(error).__name__}: {error}") from error
        self.queue.append(replace(task, attempt=task.attempt + 1))

    def _acquitted(self, task: BlockTask) -> BlockTask:
        """The task again, its runs that kill workers marked so that they are recorded as failed instead of started, and checks likewise."""
        fatal = self._fatal(replace(task, checked=frozenset()), range(len(task.overrides)))
        fatal_checks = self._fatal(task, sorted(task.checked.difference(fatal, task.condemned)))
        reason = "killed its worker process twice, as a crash in compiled code or too much memory does"
        condemned = {**task.condemned, **dict.fromkeys(fatal, reason)}
        return replace(task, attempt=task.attempt + 1, condemned=condemned, condemned_checks=task.condemned_checks.union(fatal_checks))

    def _fatal(self, task: BlockTask, runs: Sequence[int]) -> list[int]:
        if not runs or self._survives(task, runs):
            return []
        if len(runs) == 1:
            return list(runs)
        half = len(runs) // 2
        return self._fatal(task, runs[:half]) + self._fatal(task, runs[half:])

    def _survives(self, task: BlockTask, runs: Sequence[int]) -> bool:
        checked = frozenset(i for i, run in enumerate(runs) if run in task.checked)
        future = self._submit(try_runs, replace(task, overrides=tuple(task.overrides[i] for i in runs), checked=checked))
        while True:
            self._next_done([future])
            try:
                killed = isinstance(future.exception(timeout=2.0), KilledWorker)
            except TimeoutError:  # as in _land
                self._watch()
                continue
            future.release()
            return not killed
