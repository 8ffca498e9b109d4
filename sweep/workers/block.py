"""The work of a worker: one block of runs, from their overrides to committed arrays."""

import functools
import gc
import logging
import pickle
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
from distributed import WorkerPlugin, get_worker
from distributed.metrics import context_meter

from marsdisk.accuracy.convergence import QUANTITIES, Convergence, check_run
from marsdisk.cache import RunCache
from marsdisk.common.errors import MarsDiskError
from marsdisk.config import RunConfig, Variations
from marsdisk.physics.grid import Array
from marsdisk.result import RunResult
from marsdisk.run.stages import Memory
from marsdisk.zero_d import (
    Prepared,
    Solved,
    ensure_compiled,
    finish,
    goes_on_looking_up,
    prepare,
    solve,
)

from ..common.errors import UnfitWorkerError
from ..spec.axes import Overrides
from ..store import layout
from ..store.fence import CommittedAlreadyError, Fence, LateBlockError
from ..store.identity import process_name, recorded_process
from ..store.writer import count_committed, open_arrays, write_block
from .handshake import Probe
from .terminal import ignore_terminal_signals
from .time_limit import WATCH

logger = logging.getLogger(__name__)

T = TypeVar("T")
U = TypeVar("U")

# time limit of a check, which takes three more runs, in time limits of a run
CHECK_TIME_FACTOR = 10.0
# Cases that go through each stage one after the other: the Python code of a stage is still in the
# caches of the CPU then, which it is not after milliseconds of integration.
MAX_CASES_TOGETHER = 16
MAX_BYTES_TOGETHER = 20e6
REHEARSAL_BINS = 8


@dataclass(frozen=True)
class BlockTask:
    """All that a worker needs for one block."""

    store: str
    index: int
    rows: Sequence[int]  #: of the store, increasing
    base: Mapping[str, Any]
    overrides: tuple[Overrides, ...]
    scope: str
    cache_enabled: bool
    attempt: int
    fence: Fence  #: identity of the store and of its plan
    names_host: bool = False  #: whether the worker's host is recorded with the results
    retry: bool = False  #: whether the rows hold failed runs, to be run again on request
    time_limit: float | None = None  #: s that one run may take
    unused: int = 0  #: rows after those of the block that hold no run
    #: runs (numbered within the block) not to start, with the reason
    condemned: Mapping[int, str] = field(default_factory=dict)
    #: runs (numbered likewise) whose numerical error is estimated
    accuracy_indices: frozenset[int] = frozenset()
    #: those of them not to repeat, as that would kill the worker
    condemned_repeats: frozenset[int] = frozenset()

    def packed(self) -> bytes:
        """Return the task as bytes, which a scheduler only passes on.

        It would unpack an object, keep it in the log of its last messages (a thousand for each
        worker), and pack it again.
        """
        return zlib.compress(pickle.dumps(self, pickle.HIGHEST_PROTOCOL), level=1)


def unpacked(function: Callable[[BlockTask], T], task: bytes) -> T:
    """Call ``function`` with a task that :meth:`BlockTask.packed` returned."""
    # not less safe than the call itself, which Dask has pickled likewise
    return function(pickle.loads(zlib.decompress(task)))  # noqa: S301


@dataclass(frozen=True)
class Receipt:
    """The answer of a worker that ran a block: counts and timings, no results."""

    index: int
    done: int
    failed: int
    hits: int
    lookups: int
    solver_seconds: float  #: s inside the integrator, checks included
    seconds: float  #: s for the whole block
    worker: str
    #: whether another attempt had committed the block, so that this one was discarded
    repeated: bool = False
    refusal: str = ""  #: why the store refused the block, which nobody has committed


class CacheScopes:
    """The caches of one process, one per thread, for sweeps with cache scope ``worker``."""

    def __init__(self) -> None:
        self._caches: dict[int, RunCache] = {}

    def cache(self, scope: str, *, enabled: bool) -> RunCache:
        """Return a cache for a block: this thread's own under scope ``worker``, else a new one."""
        if scope != "worker":
            return RunCache(enabled=enabled)
        thread = threading.get_ident()
        cache = self._caches.get(thread)
        if cache is None or cache.enabled != enabled:
            cache = RunCache(enabled=enabled)
            self._caches[thread] = cache
        return cache


def plugin_name(store: str) -> str:
    """Return the name of a sweep's plugin; a scheduler may serve the sweeps of several stores."""
    return f"sweep {store}"


class SweepPlugin(WorkerPlugin):
    """The state of a Dask worker for one sweep: warm kernels and its cache scopes.

    Parameters
    ----------
    first : BlockTask
        A block, one case of which is prepared as a rehearsal.
    probe : Probe or None
        Versions and store that a worker is compared with when it joins; None for processes of
        this machine, which the driver starts itself.
    """

    def __init__(self, first: BlockTask, probe: Probe | None = None) -> None:
        self.first = first
        self.probe = probe
        self.name = plugin_name(first.store)
        self.problem = ""

    def setup(self, worker: Any) -> None:  # noqa: ARG002 # Dask passes it
        """Prepare this worker, or note why it is unfit."""
        if self.probe is None:
            if threading.current_thread() is threading.main_thread():
                ignore_terminal_signals()
            self.problem = ""
        else:
            self.problem = self.probe.problem()
        if self.problem:
            # an error raised here would not keep the worker from being given blocks
            return
        ensure_compiled()
        _rehearse(self.first)
        # modules stay for good: without them, a collection in the middle of a block is 0.1 s faster
        gc.freeze()
        self.scopes = CacheScopes()


def _plugin(task: BlockTask) -> SweepPlugin:
    """Return this worker's plugin for a sweep; raise UnfitWorkerError if the worker is unfit."""
    worker = get_worker()
    plugin = worker.plugins.get(plugin_name(task.store))
    if not isinstance(plugin, SweepPlugin):
        problem = "could not read what the driver sent it to prepare itself"
    elif plugin.problem:
        problem = plugin.problem
    else:
        return plugin
    raise UnfitWorkerError(worker.address, f"{recorded_process()} {problem}")


def _result_or_error(function: Callable[[], T]) -> T | str:
    """Return the result of ``function``, or its error as text.

    Nothing that a case does may end its block, not even sys.exit.
    """
    try:
        return function()
    except MarsDiskError as error:
        return f"{type(error).__name__}: {error}"
    except BaseException as error:
        # a case that calls sys.exit or interrupts itself is a failed case, not a lost worker
        logger.debug("case failed", exc_info=True)
        return (
            f"{type(error).__name__}: {error} (unexpected: rerun the case with --debug to see"
            " where)"
        )


def _configs(task: BlockTask) -> list[RunConfig | str]:
    """Return the configuration of each run of a block, or its error."""
    variations = Variations(task.base)
    return [
        _result_or_error(functools.partial(variations.config, overrides))
        for overrides in task.overrides
    ]


def _apply(stage: Callable[[T], U], value: T | str) -> U | str:
    """Return the result of ``stage``, or its error; pass on the error of an earlier stage."""
    if isinstance(value, str):
        return value
    return _result_or_error(functools.partial(stage, value))


def _cases_together(configs: Sequence[RunConfig | str]) -> int:
    """Return how many cases go through each stage one after the other."""
    valid = [config for config in configs if not isinstance(config, str)]
    if any(map(goes_on_looking_up, valid)):
        return 1
    n = max((config.sizes.n_bins for config in valid), default=1)
    # of a run between stages: collision terms, and a trajectory of a couple of hundred steps
    bytes_per_case = 8 * (6 * n * n + 1000 * n)
    return max(1, min(MAX_CASES_TOGETHER, int(MAX_BYTES_TOGETHER / bytes_per_case)))


def _run_all(
    configs: Sequence[RunConfig | str],
    cache: RunCache,
    *,
    afresh: bool = False,
    time_limit: float | None = None,
) -> Iterator[RunResult | str]:
    """Yield the result of each case or its error; ``afresh`` clears the cache before each case."""
    memory = Memory()

    def prepare_case(config: RunConfig) -> Prepared:
        if afresh:
            cache.clear()
        return prepare(config, cache, memory=memory)

    def solve_case(run: Prepared) -> Solved:
        with WATCH.limited(run.alarm, time_limit):
            return solve(run)

    size = _cases_together(configs)
    for start in range(0, len(configs), size):
        prepared = [_apply(prepare_case, config) for config in configs[start : start + size]]
        solved = [_apply(solve_case, run) for run in prepared]
        for run in solved:
            yield _apply(finish, run)


def _rehearse(task: BlockTask) -> None:
    """Prepare one case and open the store, which is slow only once in a process; ignore errors."""
    # small, so that no case kills a worker before its block is started
    small_case = {**task.overrides[0], "sizes.n_bins": REHEARSAL_BINS}
    config = _configs(replace(task, overrides=(small_case,)))[0]
    _apply(functools.partial(prepare, cache=RunCache()), config)
    _result_or_error(lambda: open_arrays(task.store))


def _accuracy_of(task: BlockTask, result: RunResult) -> Convergence | None:
    """Compare a finished run with more accurate ones; None if these fail.

    They are built in a cache of their own. That they fail is no failure of the run.
    """
    alarm = np.zeros(1, np.int64)
    time_limit = None if task.time_limit is None else CHECK_TIME_FACTOR * task.time_limit
    try:
        with WATCH.limited(alarm, time_limit):
            return check_run(
                result.config, cache=RunCache(enabled=task.cache_enabled), run=result, alarm=alarm
            )
    except BaseException:  # as in _result_or_error
        logger.debug("no estimate of the accuracy", exc_info=True)
        return None


def _accuracy_arrays(
    task: BlockTask, results: Sequence[RunResult | None]
) -> tuple[dict[str, Array], float]:
    """Return the arrays of :data:`layout.ACCURACY` for a block, and the solver time they took in s.

    Numbers are NaN where the accuracy of a run is not estimated, or the run has failed itself.
    Errors are infinite where a run that it is compared with failed.
    """
    if not task.accuracy_indices:
        return {}, 0.0
    no_estimate = np.full((len(results), len(QUANTITIES)), np.nan)
    arrays = {variable.name: no_estimate.copy() for variable in layout.ACCURACY}
    seconds = 0.0
    for i in sorted(task.accuracy_indices):
        result = results[i]
        if result is None:
            continue
        convergence = None if i in task.condemned_repeats else _accuracy_of(task, result)
        if convergence is None:
            for name, array in arrays.items():
                array[i] = np.nan if name == layout.ORDER_BINS else np.inf
            continue
        for name, array in arrays.items():
            array[i] = list(getattr(convergence, name).values())
        seconds += convergence.solver_time
    return arrays, seconds


def run_block(task: BlockTask, scopes: CacheScopes | None = None) -> Receipt:
    """Run one block and commit it.

    Parameters
    ----------
    task : BlockTask
        The block.
    scopes : CacheScopes or None
        Caches of this process; None takes those of the Dask worker's plugin.

    Returns
    -------
    Receipt
        Counts and timings; if the store refused the block, the reason.

    Raises
    ------
    UnfitWorkerError
        This worker does not agree with the driver.
    """
    on_dask = scopes is None
    if scopes is None:
        scopes = _plugin(task).scopes
    begin = time.perf_counter()
    cache = scopes.cache(task.scope, enabled=task.cache_enabled)
    with context_meter.meter("sweep-runs") if on_dask else nullcontext():
        configs = [task.condemned.get(i, config) for i, config in enumerate(_configs(task))]
        outcomes = list(
            _run_all(configs, cache, afresh=task.scope == "run", time_limit=task.time_limit)
        )
    results = [None if isinstance(outcome, str) else outcome for outcome in outcomes]
    errors = [outcome if isinstance(outcome, str) else "" for outcome in outcomes]
    done = [result for result in results if result is not None]
    hits = sum(int(result.cache.hits.sum()) for result in done)
    lookups = sum(int(result.cache.lookups.sum()) for result in done)
    with context_meter.meter("sweep-checks") if on_dask else nullcontext():
        accuracy, solver_seconds = _accuracy_arrays(task, results)
    solver_seconds += sum(result.solver_time for result in done)
    if on_dask:
        context_meter.digest_metric("sweep-cache-hits", hits, "count")
        context_meter.digest_metric("sweep-cache-lookups", lookups, "count")
    receipt = Receipt(
        task.index,
        len(done),
        len(results) - len(done),
        hits,
        lookups,
        solver_seconds,
        time.perf_counter() - begin,
        recorded_process(),
    )
    with context_meter.meter("sweep-write") if on_dask else nullcontext():
        try:
            write_block(
                task.store,
                task.rows,
                results,
                errors,
                fence=task.fence,
                worker=recorded_process() if task.names_host else process_name(),
                attempt=task.attempt,
                retry=task.retry,
                accuracy=accuracy,
                unused=task.unused,
            )
        except CommittedAlreadyError:
            done_before, failed_before = count_committed(task.store, task.rows)
            receipt = replace(receipt, done=done_before, failed=failed_before, repeated=True)
        except LateBlockError as error:
            receipt = replace(receipt, done=0, failed=0, refusal=str(error))
    return replace(receipt, seconds=time.perf_counter() - begin)


def try_runs(task: BlockTask) -> None:
    """Run the cases and discard the results, to find out whether the worker survives."""
    _plugin(task)
    cache = RunCache(enabled=task.cache_enabled)
    for i, outcome in enumerate(_run_all(_configs(task), cache, time_limit=task.time_limit)):
        if i in task.accuracy_indices and not isinstance(outcome, str):
            _accuracy_of(task, outcome)
