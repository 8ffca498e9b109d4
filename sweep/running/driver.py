"""The driver: hands blocks to workers, a bounded number at a time, and recovers from failures."""

import functools
import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import replace
from typing import Any

from distributed import Future, KilledWorker, wait

from ..common.errors import (
    ClusterError,
    Interrupted,
    StorageOutageError,
    StoreError,
    UnfitWorkerError,
    WorkersLostError,
)
from ..planning.plan import Block, Plan
from ..planning.refinement_size import blocks_of_round
from ..store.fence import Fence
from ..store.store import read_fence
from ..workers.base import Cluster
from ..workers.block import BlockTask, CacheScopes, Receipt, run_block, try_runs, unpacked
from ..workers.dashboard import MakePage
from ..workers.handshake import check_agreement
from ..workers.profiles import OpenClient, Scheduler, Source
from ..workers.start import connect, loud, naming_loss, workers_from
from ..workers.watchdog import Limits, Watchdog
from .outage import Outage
from .progress import Reporter

# of a lost block, and of a cluster that is lost before it has finished anything
RESTARTS = 3
WAIT_SECONDS = 0.5  # for a block, before workers are checked again
FETCH_SECONDS = 2.0  # for a receipt to arrive from its worker


def block_task(plan: Plan, store: str, block: Block, fence: Fence) -> BlockTask:
    """Return the task of a block.

    Parameters
    ----------
    plan : Plan
        The plan that the block is part of.
    store : str
        Location of the store.
    block : Block
        The runs to do.
    fence : Fence
        Identity of the store and of its plan, which a worker checks before it writes.
    """
    spec = plan.sweep.spec
    accuracy_indices = frozenset(i for i, row in enumerate(block.rows) if row in plan.accuracy_rows)
    return BlockTask(
        store,
        block.index,
        block.rows,
        plan.sweep.base,
        plan.overrides(block.rows),
        spec.cache.scope,
        spec.cache.enabled,
        attempt=block.attempt,
        fence=fence,
        names_host=spec.provenance.host,
        retry=block.attempt > 1,
        time_limit=spec.time_limit,
        unused=block.unused,
        accuracy_indices=accuracy_indices,
    )


def task_maker(plan: Plan, store: str) -> Callable[[Block], BlockTask]:
    """Return a function that makes the tasks of blocks; the fence is read on its first call."""
    fence = functools.cache(lambda: read_fence(store))
    return lambda block: block_task(plan, store, block, fence())


def run_blocks(
    plan: Plan,
    store: str,
    blocks: Iterable[Block],
    *,
    workers: Source,
    reporter: Reporter,
    stop: threading.Event,
    next_work: Callable[[], "Work"] = lambda: Work.none(),
    dashboard_page: Callable[[str], MakePage] | None = None,
) -> None:
    """Run blocks and commit them, in this process or on workers.

    Parameters
    ----------
    plan : Plan
        The plan that the blocks are part of.
    store : str
        Location of the store.
    blocks : iterable of Block
        Blocks that are not committed yet.
    workers : Source
        Where workers come from; 0 runs all blocks in this process.
    reporter : Reporter
        Counts receipts and prints messages.
    stop : threading.Event
        Set by somebody else to interrupt the sweep.
    next_work : callable
        Called once all blocks are committed; returns the blocks that follow, if any.
    dashboard_page : callable, optional
        Makes the page that the dashboard of local workers shows of a store.

    Raises
    ------
    Interrupted
        ``stop`` was set.
    StoreError, ClusterError
        The sweep cannot continue; committed blocks are kept.
    """
    work = Work(task_maker(plan, store), blocks) or next_work()
    if workers == 0:
        reporter.tally.restart_clock()
        while work:
            _run_in_process(work, store, reporter, stop)
            work = next_work()
        return
    warning = loud(workers)
    if work and warning:
        reporter.say(warning)
    limits = Limits.from_config()
    watchdog = Watchdog(limits, reporter.say)
    restarts_left = RESTARTS
    had_workers = False
    blocks_per_round = blocks_of_round(plan.sweep, plan.block_size)
    while work:
        if stop.is_set():
            raise Interrupted
        finished_before = reporter.tally.finished
        try:
            with workers_from(
                workers,
                work.first(),
                max(len(work), blocks_per_round),
                limits=limits,
                say=reporter.say,
                stop=stop,
                dashboard_page=dashboard_page,
            ) as cluster:
                had_workers = True
                reporter.tally.restart_clock()
                while work:
                    Window(cluster, work, reporter.add, stop, watchdog).run()
                    work = next_work()
        except WorkersLostError as error:
            if reporter.tally.finished > finished_before:
                restarts_left = RESTARTS
            else:
                restarts_left -= 1
            # the client of somebody else cannot be opened again
            if restarts_left < 0 or not had_workers or isinstance(workers, OpenClient):
                raise
            if isinstance(workers, Scheduler):
                _wait_for_scheduler(workers, error, limits, reporter.say, stop)
            else:
                reporter.say(f"{error}; starting new workers for the {len(work)} blocks left")


def _run_in_process(work: "Work", store: str, reporter: Reporter, stop: threading.Event) -> None:
    """Run all waiting blocks in this process."""
    scopes = CacheScopes()
    outage = Outage(reporter.say)
    while work.waiting:
        if stop.is_set():
            raise Interrupted
        task = work.take()
        try:
            receipt = run_block(task, scopes)
        except StorageOutageError as error:
            outage.add(error)
            work.take_back()
            stop.wait(outage.pause)
            continue
        outage.end()
        refuse_changed_store(store, receipt)
        work.mark_committed(task.index)
        reporter.add(receipt)


def _wait_for_scheduler(
    scheduler: Scheduler,
    error: WorkersLostError,
    limits: Limits,
    say: Callable[[str], None],
    stop: threading.Event,
) -> None:
    """Wait until somebody has restarted the scheduler and it answers again."""
    say(f"{error}; waiting up to {limits.reconnect:.0f} s for it to come back")
    deadline = time.monotonic() + limits.reconnect
    while True:
        if stop.wait(1.0):
            raise Interrupted
        try:
            connect(scheduler, limits.connect).close()
            return
        except WorkersLostError:
            if time.monotonic() > deadline:
                raise


def refuse_changed_store(store: str, receipt: Receipt) -> None:
    """Raise an error if the store refused a block because it is no longer the store of this plan.

    Raises
    ------
    StoreError
        The store was replaced, extended, or removed while this driver ran.
    """
    if receipt.refusal:
        raise StoreError(
            f"{store}: {receipt.refusal}: the store was changed while workers ran; "
            "nothing was written to it since. Run the command for the store that you want"
        )


class Work:
    """Blocks that are not known to be committed.

    Parameters
    ----------
    make_task : callable
        Makes the task of a block. Tasks are made one by one when they are handed out, because a
        task takes a hundred times the memory of its block.
    blocks : iterable of Block
        All blocks.
    """

    def __init__(self, make_task: Callable[[Block], BlockTask], blocks: Iterable[Block]) -> None:
        self._make_task = make_task
        self._waiting = deque(blocks)
        self._handed_out = dict[int, Block]()

    @classmethod
    def none(cls) -> "Work":
        """Return work without any blocks."""
        return cls(dict[Block, BlockTask]().__getitem__, ())

    def __len__(self) -> int:
        return len(self._waiting) + len(self._handed_out)

    @property
    def waiting(self) -> int:
        """Number of blocks that are not handed out."""
        return len(self._waiting)

    def first(self) -> BlockTask:
        """Return the task of the next block without handing it out."""
        return self._make_task(self._waiting[0])

    def take(self) -> BlockTask:
        """Hand out the next block."""
        block = self._waiting.popleft()
        self._handed_out[block.index] = block
        return self._make_task(block)

    def mark_committed(self, index: int) -> None:
        """Forget a block that was handed out, as it is committed."""
        del self._handed_out[index]

    def take_back(self) -> None:
        """Put all blocks that are handed out back, in front of the waiting ones."""
        self._waiting.extendleft(reversed(self._handed_out.values()))
        self._handed_out.clear()


class Window:
    """The blocks that one cluster deals with: queued, in flight (a bounded number), or suspect.

    A suspect is a block whose worker died. It is tried again alone, once nothing else is in flight.

    Parameters
    ----------
    cluster : Cluster
        Scheduler and workers.
    work : Work
        Blocks to run.
    receive : callable
        Called with the receipt of each committed block.
    stop : threading.Event
        Set by somebody else to interrupt the sweep.
    watchdog : Watchdog
        Checks the workers and says which may be used.
    """

    def __init__(
        self,
        cluster: Cluster,
        work: Work,
        receive: Callable[[Receipt], None],
        stop: threading.Event,
        watchdog: Watchdog,
    ) -> None:
        self.cluster = cluster
        self.client = cluster.client
        self.receive = receive
        self.stop = stop
        self.watchdog = watchdog
        self.work = work
        #: blocks to try again after all others have been handed out
        self.queue: deque[BlockTask] = deque()
        self.in_flight: dict[Future[Any], BlockTask] = {}
        self.suspects: deque[BlockTask] = deque()
        self.serial_numbers = itertools.count()
        self.outage = Outage(watchdog.say)
        watchdog.watch(cluster)

    def run(self) -> None:
        """Run all blocks until they are committed; an error gives back those that are not."""
        try:
            while self.work.waiting or self.queue or self.in_flight or self.suspects:
                self._advance()
        except BaseException:
            # also where Ctrl-C ends it: workers of others would go on with what is in flight
            self._forget_blocks()
            raise
        finally:
            self.work.take_back()

    def _forget_blocks(self) -> None:
        """Cancel what is in flight on workers of others, and report blocks that continue to run."""
        if self.cluster.own or not self.in_flight:
            return
        # a scheduler that is gone cannot be asked
        with suppress(Exception):
            running = self.cluster.count_executing({str(future.key) for future in self.in_flight})
            self.client.cancel(list(self.in_flight))
            if running:
                # a thread cannot be stopped
                blocks = "1 block still runs" if running == 1 else f"{running} blocks still run"
                self.watchdog.say(
                    f"{blocks} on workers of {self.cluster.address}; each is written only if store"
                    " and plan are still the same when it ends"
                )

    def _advance(self) -> None:
        self._check_cluster()
        pause = self.outage.pause
        if pause == 0.0:
            self._hand_out()
        elif not self.in_flight:
            self.stop.wait(min(WAIT_SECONDS, pause))
            return
        if not self.in_flight:
            # with nothing else in flight, only the suspect can be blamed for a dead worker
            self.queue.append(self._without_killers(self.suspects.popleft()))
            return
        for future in self._wait_for_done():
            self._collect(future)

    def _hand_out(self) -> None:
        """Fill the window."""
        while (self.work.waiting or self.queue) and len(self.in_flight) < self.watchdog.size:
            task = self.work.take() if self.work.waiting else self.queue.popleft()
            self.in_flight[self._submit(run_block, task)] = task

    def _submit(self, function: Callable[[BlockTask], object], task: BlockTask) -> Future[Any]:
        # Dask would return the old result for a key that is used again
        serial_number = next(self.serial_numbers)
        key = f"{function.__name__}-{task.index}-{task.attempt}-{serial_number}-{self.client.id}"
        return self.client.submit(
            unpacked, function, task.packed(), key=key, pure=False, workers=self.watchdog.usable()
        )

    def _check_cluster(self) -> bool:
        """Return whether all blocks in flight were put back into the queue, as no worker moves.

        Raises
        ------
        Interrupted, WorkersLostError, ClusterError
            There is nothing left to wait for.
        """
        if self.stop.is_set():
            raise Interrupted
        must_resubmit = self.watchdog.look()
        if must_resubmit:
            for future, task in self.in_flight.items():
                future.release()
                self.queue.append(task)
            self.in_flight.clear()
        return must_resubmit

    def _wait_for_done(self) -> list[Future[Any]]:
        while self.in_flight:
            self._check_cluster()
            try:
                with self.client.as_current():
                    futures = list(self.in_flight)
                    return list(
                        wait(futures, timeout=WAIT_SECONDS, return_when="FIRST_COMPLETED").done
                    )
            except TimeoutError:
                continue
            except CancelledError as error:
                raise self._scheduler_loss() from error
        return []

    def _collect(self, future: Future[Any]) -> None:
        try:
            receipt = future.result(timeout=FETCH_SECONDS)
            refuse_changed_store(self.in_flight[future].store, receipt)
        except TimeoutError:
            # the worker died before the receipt was fetched; Dask runs the block again if it can
            self._check_cluster()
            return
        except BaseException as error:
            self._handle_error(self.in_flight.pop(future), error)
        else:
            self.watchdog.finished(receipt.seconds)
            self.outage.end()
            self.work.mark_committed(self.in_flight.pop(future).index)
            self.receive(receipt)
        future.release()

    def _handle_error(self, task: BlockTask, error: BaseException) -> None:
        """Queue a block again whose task ended with an error, or raise an error."""
        if isinstance(error, CancelledError):
            # not by us: the driver cancels nothing that it still waits for
            raise self._scheduler_loss() from error
        if isinstance(error, StorageOutageError):
            self.watchdog.came_back()
            self.outage.add(error)
            self.queue.append(task)
            return
        if isinstance(error, StoreError) or not isinstance(error, Exception):
            raise error
        if isinstance(error, UnfitWorkerError):
            self._refuse_worker(error)
            self.queue.append(task)
            return
        if isinstance(error, KilledWorker):
            if task.attempt > RESTARTS:
                raise ClusterError(
                    f"block {task.index} kills its worker though none of its runs does alone: too"
                    " little memory for its results? Make blocks smaller (block: in the sweep"
                    " file), or lower output.samples and output.snapshots"
                ) from error
            self.suspects.append(task)
            return
        # a lost connection causes all kinds of errors, but not the same one again and again
        if task.attempt > RESTARTS:
            if self.cluster.probe is not None:
                with naming_loss(self.cluster.address):
                    check_agreement(self.client, self.cluster.probe)
            raise ClusterError(
                f"block {task.index} could not be run: {type(error).__name__}: {error}"
            ) from error
        self.queue.append(replace(task, attempt=task.attempt + 1))

    def _scheduler_loss(self) -> WorkersLostError:
        return WorkersLostError(f"the scheduler of {self.cluster.address} is gone or was restarted")

    def _refuse_worker(self, error: UnfitWorkerError) -> None:
        self.watchdog.refuse(error.address, error.problem)
        if self.watchdog.usable() is None:
            # no worker is left; do not submit the next task at once
            self.stop.wait(WAIT_SECONDS)

    def _without_killers(self, task: BlockTask) -> BlockTask:
        """Return the task with the runs condemned that kill their worker.

        Condemned runs are recorded as failed without being started. Checks of the numerical error
        that kill their worker are condemned likewise.
        """
        killers = self._find_killers(
            replace(task, accuracy_indices=frozenset()), range(len(task.overrides))
        )
        killing_repeats = self._find_killers(
            task, sorted(task.accuracy_indices.difference(killers, task.condemned))
        )
        reason = (
            "killed its worker process twice, as a crash in compiled code or too much memory does"
        )
        return replace(
            task,
            attempt=task.attempt + 1,
            condemned={**task.condemned, **dict.fromkeys(killers, reason)},
            condemned_repeats=task.condemned_repeats.union(killing_repeats),
        )

    def _find_killers(self, task: BlockTask, runs: Sequence[int]) -> list[int]:
        """Return those of ``runs`` that kill their worker, found by bisection."""
        if not runs or self._survives(task, runs):
            return []
        if len(runs) == 1:
            return list(runs)
        half = len(runs) // 2
        return self._find_killers(task, runs[:half]) + self._find_killers(task, runs[half:])

    def _survives(self, task: BlockTask, runs: Sequence[int]) -> bool:
        """Whether a worker survives ``runs``, numbered within the block."""
        accuracy_indices = frozenset(
            i for i, run in enumerate(runs) if run in task.accuracy_indices
        )
        trial = replace(
            task,
            overrides=tuple(task.overrides[i] for i in runs),
            accuracy_indices=accuracy_indices,
        )
        while True:
            future = self._submit(try_runs, trial)
            error = self._error_of(future)
            future.release()
            if isinstance(error, CancelledError):
                raise self._scheduler_loss() from error
            if isinstance(error, UnfitWorkerError):
                self._refuse_worker(error)
            elif not isinstance(error, _HungError):
                return not isinstance(error, KilledWorker)

    def _error_of(self, future: Future[Any]) -> BaseException | None:
        while not self._check_cluster():
            with suppress(TimeoutError):
                error: BaseException | None = future.exception(timeout=WAIT_SECONDS)
                return error
        return _HungError()


class _HungError(Exception):
    """No worker has moved during a trial for too long."""
