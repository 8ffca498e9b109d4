"""The driver: hands blocks to workers, keeps a bounded window in flight, and comes back from what goes wrong."""

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

from .agreement import check_agreement
from .cluster import Cluster, connect, loud, naming_loss, workers_from
from .errors import (
    ClusterError,
    Interrupted,
    StorageOutageError,
    StoreError,
    UnfitWorkerError,
    WorkersLostError,
)
from .outage import Outage
from .plan import Block, Plan
from .profiles import Scheduler, Source
from .progress import Reporter
from .refine import blocks_of_round
from .store.fence import Fence
from .store.reader import read_fence
from .watchdog import Limits, Watchdog
from .worker import BlockTask, CacheScopes, Receipt, run_block, try_runs, unpacked

# of a block that was lost, and of a cluster that was lost without having finished anything
RESTARTS = 3


def block_task(plan: Plan, store: str, block: Block, fence: Fence) -> BlockTask:
    """Make the task for ``block`` of the store that ``fence`` is of."""
    spec = plan.sweep.spec
    checked = frozenset(i for i, row in enumerate(block.rows) if row in plan.checked)
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
        checked=checked,
    )


def task_maker(plan: Plan, store: str) -> Callable[[Block], BlockTask]:
    """Return what makes the tasks of a plan's blocks; the store's fence is read once, for the first."""
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
    more: Callable[[], "Work"] = lambda: Work.none(),
) -> None:
    """Run ``blocks`` and commit them, in this process (``workers`` 0) or on workers from elsewhere.

    Parameters
    ----------
    more : called when all is committed; the blocks that are to follow, if any

    Raises
    ------
    Interrupted
        ``stop`` was set.
    StoreError, ClusterError
        Nothing can go on; what was committed stays.
    """
    work = Work(task_maker(plan, store), blocks) or more()
    if workers == 0:
        reporter.tally.restart_clock()
        while work:
            _run_here(work, store, reporter, stop)
            work = more()
        return
    if work and loud(workers):
        reporter.say(loud(workers))
    limits = Limits.from_config()
    watchdog = Watchdog(limits, reporter.say)
    restarts_left = RESTARTS
    was_there = False
    in_round = blocks_of_round(plan.sweep, plan.block_size)
    while work:
        if stop.is_set():
            raise Interrupted
        before = reporter.tally.finished
        try:
            with workers_from(
                workers,
                work.first(),
                max(len(work), in_round),
                limits=limits,
                say=reporter.say,
                stop=stop,
            ) as cluster:
                was_there = True
                reporter.tally.restart_clock()
                while work:
                    Window(cluster, work, reporter.add, stop, watchdog).run()
                    work = more()
        except WorkersLostError as error:
            restarts_left = RESTARTS if reporter.tally.finished > before else restarts_left - 1
            if restarts_left < 0 or not was_there:
                raise
            if isinstance(workers, Scheduler):
                _until_back(workers, error, limits, reporter.say, stop)
            else:
                reporter.say(f"{error}; starting new workers for the {len(work)} blocks left")


def _run_here(work: "Work", store: str, reporter: Reporter, stop: threading.Event) -> None:
    """Run all blocks that wait, in this process."""
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
        work.committed(task.index)
        reporter.add(receipt)


def _until_back(
    scheduler: Scheduler,
    error: WorkersLostError,
    limits: Limits,
    say: Callable[[str], None],
    stop: threading.Event,
) -> None:
    """Wait until a scheduler answers again, which somebody else must have started anew."""
    say(f"{error}; waiting up to {limits.reconnect:.0f} s for it to come back")
    end = time.monotonic() + limits.reconnect
    while True:
        if stop.wait(1.0):
            raise Interrupted
        try:
            connect(scheduler, limits.connect).close()
            return
        except WorkersLostError:
            if time.monotonic() > end:
                raise


def refuse_changed_store(store: str, receipt: Receipt) -> None:
    """Raise where a store did not take a block, since it is not the one that the block was for.

    Raises
    ------
    StoreError
        It was replaced, extended, or removed while this driver ran.
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
    make : gives the task of a block, which takes a hundred times its memory: when it is handed out
    blocks : all there are
    """

    def __init__(self, make: Callable[[Block], BlockTask], blocks: Iterable[Block]) -> None:
        self._make = make
        self._waiting = deque(blocks)
        self._out = dict[int, Block]()

    @classmethod
    def none(cls) -> "Work":
        """Nothing to do."""
        return cls(dict[Block, BlockTask]().__getitem__, ())

    def __len__(self) -> int:
        return len(self._waiting) + len(self._out)

    @property
    def waiting(self) -> int:
        """How many are not handed out."""
        return len(self._waiting)

    def first(self) -> BlockTask:
        """The task of the next block, which stays."""
        return self._make(self._waiting[0])

    def take(self) -> BlockTask:
        """Hand out the next block."""
        block = self._waiting.popleft()
        self._out[block.index] = block
        return self._make(block)

    def committed(self, index: int) -> None:
        """A block that was handed out is done with."""
        del self._out[index]

    def take_back(self) -> None:
        """Nobody has any more what was handed out."""
        self._waiting.extendleft(reversed(self._out.values()))
        self._out.clear()


class Window:
    """Blocks on their way over one cluster: some queued, a bounded number in flight, some suspected of killing workers."""

    def __init__(
        self,
        cluster: Cluster,
        work: Work,
        committed: Callable[[Receipt], None],
        stop: threading.Event,
        watchdog: Watchdog,
    ) -> None:
        self.cluster = cluster
        self.client = cluster.client
        self.committed = committed
        self.stop = stop
        self.watchdog = watchdog
        self.work = work
        self.queue: deque[BlockTask] = deque()  # to be tried again, when all others were handed out
        self.flying: dict[Future[Any], BlockTask] = {}
        self.suspects: deque[BlockTask] = deque()
        self.serial = itertools.count()
        self.outage = Outage(watchdog.say)
        watchdog.watch(cluster)

    def run(self) -> None:
        """Run everything to its commit; what is not, when an error ends it, is given back."""
        try:
            while self.work.waiting or self.queue or self.flying or self.suspects:
                self._advance()
        except BaseException:
            self._forget_blocks()
            raise
        finally:
            self.work.take_back()

    def _forget_blocks(self) -> None:
        """Ask the scheduler to drop what it was sent, and say how much goes on: nobody can stop a thread."""
        if self.cluster.own or not self.flying:
            return
        with suppress(Exception):  # of a scheduler that is gone there is nothing to be asked
            running = self.cluster.count_executing({str(future.key) for future in self.flying})
            self.client.cancel(list(self.flying))
            if running:
                self.watchdog.say(
                    f"{running} block{'s' * (running > 1)} still run{'s' * (running == 1)} on"
                    f" workers of {self.cluster.address}; each is written only if store and plan"
                    " are still the same when it ends"
                )

    def _advance(self) -> None:
        self._look()
        pause = self.outage.pause
        if pause == 0.0:
            self._hand_out()
        elif not self.flying:
            self.stop.wait(min(0.5, pause))
            return
        if not self.flying:  # nobody else is there to be blamed for a dead worker
            self.queue.append(self._acquitted(self.suspects.popleft()))
            return
        for future in self._next_done():
            self._land(future)

    def _hand_out(self) -> None:
        """Fill the window."""
        while (self.work.waiting or self.queue) and len(self.flying) < self.watchdog.size:
            task = self.work.take() if self.work.waiting else self.queue.popleft()
            self.flying[self._submit(run_block, task)] = task

    def _submit(self, function: Callable[[BlockTask], object], task: BlockTask) -> Future[Any]:
        # one used again would give the old result
        key = f"{function.__name__}-{task.index}-{task.attempt}-{next(self.serial)}-{self.cluster.client.id}"
        return self.client.submit(
            unpacked, function, task.packed(), key=key, pure=False, workers=self.watchdog.usable()
        )

    def _look(self) -> bool:
        """Raise if there is nothing left to wait for; whether what is on its way has to be begun anew, and is."""
        if self.stop.is_set():
            raise Interrupted
        anew = self.watchdog.look()
        if anew:
            for future, task in self.flying.items():
                future.release()
                self.queue.append(task)
            self.flying.clear()
        return anew

    def _next_done(self) -> list[Future[Any]]:
        while self.flying:
            self._look()
            try:
                with self.client.as_current():
                    return list(
                        wait(list(self.flying), timeout=0.5, return_when="FIRST_COMPLETED").done
                    )
            except TimeoutError:
                continue
            except CancelledError as error:
                raise self._dropped() from error
        return []

    def _land(self, future: Future[Any]) -> None:
        try:
            receipt = future.result(timeout=2.0)
            refuse_changed_store(self.flying[future].store, receipt)
        except TimeoutError:
            # its worker died before the receipt was fetched; Dask runs the block again, where it
            # can
            self._look()
            return
        except BaseException as error:
            self._lost(self.flying.pop(future), error)
        else:
            self.watchdog.finished(receipt.seconds)
            self.outage.end()
            self.work.committed(self.flying.pop(future).index)
            self.committed(receipt)
        future.release()

    def _lost(self, task: BlockTask, error: BaseException) -> None:
        """What becomes of a block whose task ended with an error."""
        if isinstance(error, CancelledError):  # we cancel nothing that we still wait for
            raise self._dropped() from error
        if isinstance(error, StorageOutageError):
            self.watchdog.came_back()
            self.outage.add(error)
            self.queue.append(task)
            return
        if isinstance(error, StoreError) or not isinstance(error, Exception):
            raise error
        if isinstance(error, UnfitWorkerError):
            self._refuse(error)
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
        # a lost connection looks like many things; what repeats is not that
        if task.attempt > RESTARTS:
            if self.cluster.probe is not None:
                with naming_loss(self.cluster.address):
                    check_agreement(self.client, self.cluster.probe)
            raise ClusterError(
                f"block {task.index} could not be run: {type(error).__name__}: {error}"
            ) from error
        self.queue.append(replace(task, attempt=task.attempt + 1))

    def _dropped(self) -> WorkersLostError:
        return WorkersLostError(f"the scheduler of {self.cluster.address} is gone or was restarted")

    def _refuse(self, error: UnfitWorkerError) -> None:
        self.watchdog.refuse(error.address, error.problem)
        if self.watchdog.usable() is None:  # nobody is left to ask at once
            self.stop.wait(0.5)

    def _acquitted(self, task: BlockTask) -> BlockTask:
        """The task again, its runs that kill workers marked so that they are recorded as failed instead of started, and checks likewise."""
        fatal = self._fatal(replace(task, checked=frozenset()), range(len(task.overrides)))
        fatal_checks = self._fatal(task, sorted(task.checked.difference(fatal, task.condemned)))
        reason = (
            "killed its worker process twice, as a crash in compiled code or too much memory does"
        )
        condemned = {**task.condemned, **dict.fromkeys(fatal, reason)}
        return replace(
            task,
            attempt=task.attempt + 1,
            condemned=condemned,
            condemned_checks=task.condemned_checks.union(fatal_checks),
        )

    def _fatal(self, task: BlockTask, runs: Sequence[int]) -> list[int]:
        if not runs or self._survives(task, runs):
            return []
        if len(runs) == 1:
            return list(runs)
        half = len(runs) // 2
        return self._fatal(task, runs[:half]) + self._fatal(task, runs[half:])

    def _survives(self, task: BlockTask, runs: Sequence[int]) -> bool:
        checked = frozenset(i for i, run in enumerate(runs) if run in task.checked)
        trial = replace(task, overrides=tuple(task.overrides[i] for i in runs), checked=checked)
        while True:
            future = self._submit(try_runs, trial)
            error = self._error_of(future)
            future.release()
            if isinstance(error, CancelledError):
                raise self._dropped() from error
            if isinstance(error, UnfitWorkerError):
                self._refuse(error)
            elif not isinstance(error, _Hung):
                return not isinstance(error, KilledWorker)

    def _error_of(self, future: Future[Any]) -> BaseException | None:
        while not self._look():
            with suppress(TimeoutError):
                error: BaseException | None = future.exception(timeout=0.5)
                return error
        return _Hung()


class _Hung(Exception):
    """Nothing has been heard of a trial for long."""
