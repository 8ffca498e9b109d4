"""What runs on a worker: one block of runs, from their overrides to committed arrays."""

import functools
import gc
import logging
import pickle
import signal
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

from marsdisk.cache import RunCache
from marsdisk.config import RunConfig, Variations
from marsdisk.convergence import QUANTITIES, Convergence, check_run
from marsdisk.errors import MarsDiskError
from marsdisk.physics.grid import Array
from marsdisk.result import RunResult
from marsdisk.stages import Memory
from marsdisk.zero_d import (
    Prepared,
    Solved,
    ensure_compiled,
    finish,
    goes_on_looking_up,
    prepare,
    solve,
)

from .agreement import Probe
from .axes import Overrides
from .errors import UnfitWorkerError
from .store import layout
from .store.fence import CommittedAlreadyError, Fence, LateBlockError
from .store.identity import process_name, recorded_process
from .store.writer import count_committed, open_arrays, write_block
from .watch import WATCH

logger = logging.getLogger(__name__)

T = TypeVar("T")
U = TypeVar("U")

CHECK_TIME = 10.0  # times the time limit of a run, for the three others that it is compared with
# cases, as long as they fit into some 20 MB: Python is quicker at what it has just done than after
# milliseconds of integration
TOGETHER = 16


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
    fence: Fence  #: the store and the plan that it is for
    names_host: bool = False  #: whether its host is recorded with its results
    retry: bool = False  #: whether its rows are failed runs that somebody has asked to run again
    time_limit: float | None = None  #: s that one run may take
    unused: int = 0  #: rows behind them that hold no run
    #: runs (counted in the block) not to start, with the reason
    condemned: Mapping[int, str] = field(default_factory=dict)
    #: runs (counted likewise) whose numerical error is to be found
    checked: frozenset[int] = frozenset()
    #: those of them not to check, as it would kill the worker
    condemned_checks: frozenset[int] = frozenset()

    def packed(self) -> bytes:
        """For the way through a scheduler: it would unpack a task, keep it in the log of its messages, a thousand for each worker, and pack it again."""
        return zlib.compress(pickle.dumps(self, pickle.HIGHEST_PROTOCOL), level=1)


def unpacked(function: Callable[[BlockTask], T], task: bytes) -> T:
    """Call ``function`` with a task as :meth:`BlockTask.packed` gives it; Dask has packed this call in the same way."""
    return function(pickle.loads(zlib.decompress(task)))  # noqa: S301


@dataclass(frozen=True)
class Receipt:
    """What a block sends back: counts and timings, no results."""

    index: int
    done: int
    failed: int
    hits: int
    lookups: int
    solver_seconds: float  #: s inside the integrator, checks included
    seconds: float  #: s for the whole block
    worker: str
    #: whether another attempt had committed it, so that this one was thrown away
    repeated: bool = False
    refusal: str = ""  #: why the store did not take it, where nobody has committed it


class CacheScopes:
    """The caches of one process, one per thread, for sweeps whose cache lives from block to block."""

    def __init__(self) -> None:
        self._caches: dict[int, RunCache] = {}

    def cache(self, scope: str, *, enabled: bool) -> RunCache:
        """A cache for one block: a new one, or under scope ``worker`` the one this thread already has."""
        if scope != "worker":
            return RunCache(enabled=enabled)
        known = self._caches.get(threading.get_ident())
        if known is None or known.enabled != enabled:
            known = self._caches[threading.get_ident()] = RunCache(enabled=enabled)
        return known


def plugin_name(store: str) -> str:
    """One for each sweep: a scheduler may serve several drivers, but a store has only one."""
    return f"sweep {store}"


def _ignore_the_terminal() -> None:
    """Leave Ctrl-C and the end of a terminal, which reach the whole process group, to the driver."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)


class SweepPlugin(WorkerPlugin):
    """What a Dask worker holds: warm kernels and its cache scopes.

    Parameters
    ----------
    first : a block, to rehearse
    probe : what a worker that joins is compared with; None for processes of this machine that the driver starts itself
    """

    def __init__(self, first: BlockTask, probe: Probe | None = None) -> None:
        self.first = first
        self.probe = probe
        self.name = plugin_name(first.store)
        self.problem = ""

    def setup(self, worker: Any) -> None:
        if self.probe is None and threading.current_thread() is threading.main_thread():
            _ignore_the_terminal()
        self.problem = "" if self.probe is None else self.probe.problem()
        if self.problem:  # raising here would not keep the worker from being given blocks
            return
        ensure_compiled()
        _rehearse(self.first)
        # modules stay for good: a collection in the middle of a block need not look through them,
        # which takes 0.1 s
        gc.freeze()
        self.scopes = CacheScopes()


def _plugin(task: BlockTask) -> SweepPlugin:
    """What this worker holds for the sweep of ``task``; UnfitWorkerError where it may not run it."""
    worker = get_worker()
    plugin = worker.plugins.get(plugin_name(task.store))
    problem = (
        plugin.problem
        if isinstance(plugin, SweepPlugin)
        else "could not read what the driver sent it to prepare itself"
    )
    if problem or not isinstance(plugin, SweepPlugin):
        raise UnfitWorkerError(worker.address, f"{recorded_process()} {problem}")
    return plugin


def _tried(make: Callable[[], T]) -> T | str:
    """What ``make`` gives, or what went wrong: nothing that a case does may end its block, not even sys.exit."""
    try:
        return make()
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
    """All configurations of a block, or what is wrong with them."""
    variations = Variations(task.base)
    return [_tried(functools.partial(variations.config, overrides)) for overrides in task.overrides]


def _then(before: T | str, stage: Callable[[T], U]) -> U | str:
    """The next stage of a case; what went wrong before stays."""
    return before if isinstance(before, str) else _tried(functools.partial(stage, before))


def _run_all(
    configs: Sequence[RunConfig | str],
    cache: RunCache,
    *,
    afresh: bool = False,
    time_limit: float | None = None,
) -> Iterator[RunResult | str]:
    """The result of each case, or what went wrong, a few cases at a time stage by stage; with ``afresh`` each meets an empty cache."""

    memory = Memory()

    def prepared(config: RunConfig) -> Prepared:
        if afresh:
            cache.clear()
        return prepare(config, cache, memory=memory)

    def solved(run: Prepared) -> Solved:
        with WATCH.limited(run.alarm, time_limit):
            return solve(run)

    good = [config for config in configs if not isinstance(config, str)]
    n = max((config.sizes.n_bins for config in good), default=1)
    # bytes of a run between its stages: collision terms, and the trajectory of a couple of hundred
    # steps
    held = 8 * (6 * n * n + 1000 * n)
    together = 1 if any(map(goes_on_looking_up, good)) else max(1, min(TOGETHER, int(20e6 / held)))
    for first in range(0, len(configs), together):
        ready = [_then(config, prepared) for config in configs[first : first + together]]
        for done in [_then(run, solved) for run in ready]:
            yield _then(done, finish)


def _rehearse(task: BlockTask) -> None:
    """Prepare one case and open the store, which a process does only once; what goes wrong is for the block to say."""
    # no case may kill a worker before its block is started
    small = {**task.overrides[0], "sizes.n_bins": 8}
    _then(
        _configs(replace(task, overrides=(small,)))[0], functools.partial(prepare, cache=RunCache())
    )
    _tried(lambda: open_arrays(task.store))


def _check_one(task: BlockTask, result: RunResult) -> Convergence | None:
    """A finished run beside those that it is compared with, built in a cache of their own.

    None where they fail, which is no failure of the run.
    """
    alarm = np.zeros(1, np.int64)
    try:
        with WATCH.limited(
            alarm, None if task.time_limit is None else CHECK_TIME * task.time_limit
        ):
            return check_run(
                result.config, cache=RunCache(enabled=task.cache_enabled), run=result, alarm=alarm
            )
    except BaseException:  # as in _tried
        logger.debug("check failed", exc_info=True)
        return None


def _checks(task: BlockTask, results: Sequence[RunResult | None]) -> tuple[dict[str, Array], float]:
    """The arrays of :data:`layout.CHECKS` for a block, and the seconds in the integrator that they took.

    NaN where a run is not checked or has failed itself; errors are infinite where what it was to be
    compared with failed.
    """
    nothing = np.full((len(results), len(QUANTITIES)), np.nan)
    found = {variable.name: nothing.copy() for variable in layout.CHECKS} if task.checked else {}
    seconds = 0.0
    for i in sorted(task.checked):
        result = results[i]
        if result is None:
            continue
        compared = None if i in task.condemned_checks else _check_one(task, result)
        for name, numbers in found.items():
            lost = np.nan if name == layout.ORDER_BINS else np.inf
            numbers[i] = lost if compared is None else list(getattr(compared, name).values())
        seconds += 0.0 if compared is None else compared.solver_time
    return found, seconds


def run_block(task: BlockTask, scopes: CacheScopes | None = None) -> Receipt:
    """Run one block and commit it.

    Parameters
    ----------
    task : the block
    scopes : caches of this process; None takes those of the Dask worker's plugin
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
    hits, lookups = (
        int(sum(counts.sum() for counts in of))
        for of in ([r.cache.hits for r in done], [r.cache.lookups for r in done])
    )
    with context_meter.meter("sweep-checks") if on_dask else nullcontext():
        checks, solver_seconds = _checks(task, results)
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
                checks=checks,
                unused=task.unused,
            )
        except CommittedAlreadyError:
            done_there, failed_there = count_committed(task.store, task.rows)
            receipt = replace(receipt, done=done_there, failed=failed_there, repeated=True)
        except LateBlockError as error:
            receipt = replace(receipt, done=0, failed=0, refusal=str(error))
    return replace(receipt, seconds=time.perf_counter() - begin)


def try_runs(task: BlockTask) -> None:
    """Run the cases and throw everything away: whether the worker survives them is the answer."""
    _plugin(task)
    cache = RunCache(enabled=task.cache_enabled)
    for i, outcome in enumerate(_run_all(_configs(task), cache, time_limit=task.time_limit)):
        if i in task.checked and not isinstance(outcome, str):
            _check_one(task, outcome)
