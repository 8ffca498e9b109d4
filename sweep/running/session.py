"""Run a sweep into its store: create or resume the store, lock it, run what is not committed."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from marsdisk.cli.program import compile_kernels

from ..common.errors import Interrupted, StoreError, TooManyFailures
from ..common.text import counted
from ..planning.create_store import cases_of, create, extend
from ..planning.match_store import in_stored_rows, refuse_other_accuracy, refuse_other_plan
from ..planning.plan import Block, Plan, make_plan
from ..spec.file import Sweep, recorded_sweep
from ..store import layout
from ..store.cases import renew_cases
from ..store.driving import driving
from ..store.driving_right import Driving
from ..store.failures import telling
from ..store.folder import Folder
from ..store.locate import locate
from ..store.location import Location
from ..store.store import Store, read_descriptions
from ..store.writer import mark_unused
from ..workers.profiles import Source, expected_workers, make_ready
from .heartbeat import Heartbeat
from .progress import Allowance, Reporter, Tally, cases_checked, say
from .refinement_rounds import may_go_on, next_round, recorded
from .stopping import stopping_on_signals

if TYPE_CHECKING:
    from ..workers.dashboard import MakePage


def prepare_store(plan: Plan, location: Location, *, extending: bool = False) -> Plan:
    """Create or extend the store of a plan, or resume the one that was created for it.

    Parameters
    ----------
    plan : Plan
        The sweep's runs.
    location : Location
        Location of the store.
    extending : bool
        Whether runs that the store does not have may be added.

    Returns
    -------
    Plan
        The plan with its runs in the order of the store's rows.

    Raises
    ------
    StoreError
        The store cannot be created, read or extended, or holds another plan.
    """
    with telling(location, "cannot be read"):
        exists = location.exists()
    if not exists:
        create(plan, location)
        return plan
    store = Store.open(location, same_length=False)
    plan = recorded(plan, store, extending=extending)
    plan, new = in_stored_rows(plan, store)
    if extending and plan.digest != store.description.plan_digest:
        refuse_other_accuracy(plan, store)
        extend(plan, store)
        return plan
    refuse_other_plan(plan, store, new=new)
    if store.is_between_lengths:
        extend(plan, store)
        return plan
    renew_cases(location, cases_of(plan))
    # a repair may have removed the mark together with a damaged block
    mark_unused(location, plan.unused)
    return plan


def blocks_to_run(plan: Plan, store: Store, *, retry_failed: bool = False) -> list[Block]:
    """Return the blocks that are not committed, and the failed runs of the others if asked for.

    Parameters
    ----------
    plan : Plan
        The plan, with its runs in the order of the store's rows.
    store : Store
        Its store.
    retry_failed : bool
        Whether failed runs of committed blocks are to be run again.
    """
    committed = store.committed_blocks()
    blocks = [block for block in plan.blocks if not committed[block.index]]
    if not retry_failed:
        return blocks
    failed = store.column("status") == layout.FAILED
    attempts = store.column("attempt")
    for block in plan.blocks:
        rows = tuple(row for row in block.rows if failed[row])
        if rows and committed[block.index]:
            attempt = int(max(attempts[row] for row in rows)) + 1
            blocks.append(Block(block.index, rows, attempt))
    return blocks


def _count_runs(blocks: Iterable[Block]) -> int:
    return sum(len(block.rows) for block in blocks)


def run_sweep(  # noqa: PLR0913 - options, by name
    sweep: Sweep,
    store: str | Path | Location,
    *,
    workers: Source,
    console: Console,
    extending: bool = False,
    retry_failed: bool = False,
    allowed: Allowance | None = None,
    dashboard_page: "Callable[[str], MakePage] | None" = None,
    on_progress: Callable[[Tally], None] | None = None,
) -> tuple[Plan, Tally]:
    """Run all runs of a sweep that its store does not hold yet; calling it again resumes the sweep.

    Parameters
    ----------
    sweep : Sweep
        The sweep file, read.
    store : str or Path or Location
        Location of the store, which is created if it does not exist.
    workers : Source
        Where workers come from; 0 runs everything in this process.
    console : rich.console.Console
        Where progress is shown.
    extending : bool
        Whether to add runs that the store does not have.
    retry_failed : bool
        Whether to run failed runs again.
    allowed : Allowance or None
        How many runs may fail before the sweep stops; None for any number.
    dashboard_page : callable, optional
        Makes the page that the dashboard of local workers shows of a store; by default there is
        none. The command passes :func:`sweep.browse.dashboard.dashboard_page`.
    on_progress : callable, optional
        Called with the counts so far before the first block and after each, instead of showing
        progress.

    Returns
    -------
    tuple of Plan and Tally
        The plan with all rounds of a refinement, and counts of this call.

    Raises
    ------
    ConfigError
        A case cannot run.
    StoreError
        The store holds another plan, is driven by somebody else, or cannot be written.
    Interrupted
        Stopped by a signal; committed blocks are kept.
    TooManyFailures
        More runs failed than are allowed; committed blocks are kept.
    """
    make_ready(workers)
    location = locate(store)
    location.refuse_bad_name()
    on_case = cases_checked(lambda line: say(console, line), sweep.case_count)
    plan = make_plan(sweep, expected_workers(workers), on_case)
    if workers != 0 and not location.is_shared:
        raise StoreError(
            f"{location}: workers cannot see into this process's memory; use 0 workers, or a"
            " store elsewhere"
        )
    with driving(location) as lock:
        plan = prepare_store(plan, location, extending=extending)
        opened = Store.open(location)
        blocks = blocks_to_run(plan, opened, retry_failed=retry_failed)
        before = opened.counts()
        retried = _count_runs(block for block in blocks if block.attempt > 1)
        tally = Tally(_count_runs(blocks), before.done, before.failed - retried)
        if blocks or may_go_on(plan, location):
            pool = _Pool(workers, dashboard_page)
            reporter = Reporter(console, tally, on_progress)
            plan = _run(plan, location, blocks, pool, reporter, lock, allowed)
        return plan, tally


@dataclass(frozen=True)
class _Pool:
    """Where workers come from, and what their dashboard shows."""

    workers: Source
    dashboard_page: "Callable[[str], MakePage] | None"


def _run(
    plan: Plan,
    store: Location,
    blocks: list[Block],
    pool: _Pool,
    reporter: Reporter,
    lock: Driving,
    allowed: Allowance | None,
) -> Plan:
    """Run blocks and the rounds of a refinement that follow; return the plan with these."""
    # imports Dask, which a finished sweep need not wait for
    from .driver import Work, run_blocks, task_maker

    tally = reporter.tally
    with reporter:
        for warning in plan.warnings:
            reporter.say(f"note: {warning}")
        if blocks:
            committed = plan.count - tally.runs
            resumed = f" ({committed} are committed already)" if committed else ""
            runs = counted(tally.runs, "run")
            reporter.say(f"{runs} in {counted(len(blocks), 'block')} into {store}{resumed}")
        with stopping_on_signals(reporter.say) as stop, Heartbeat(store, reporter, stop, lock):
            lock.on_loss = stop.set
            if allowed is not None:
                reporter.stop_beyond(allowed, stop)
            # once, before workers start: each of them would take as long
            compile_kernels(reporter.say)
            name_for_workers = _name_for_workers(store, pool.workers)

            def next_work() -> "Work":
                nonlocal plan
                while (grown := next_round(plan, store, reporter.say)) is not None:
                    if stop.is_set():
                        raise Interrupted
                    plan = prepare_store(grown, store, extending=True)
                    new_blocks = blocks_to_run(plan, Store.open(store))
                    # empty if the store has the runs of all points of the round
                    if new_blocks:
                        reporter.expect(_count_runs(new_blocks))
                        return Work(task_maker(plan, name_for_workers), new_blocks)
                return Work.none()

            try:
                # left by a driver that was killed
                _clear_broken_writes(store)
                run_blocks(
                    plan,
                    name_for_workers,
                    blocks,
                    workers=pool.workers,
                    reporter=reporter,
                    stop=stop,
                    next_work=next_work,
                    dashboard_page=pool.dashboard_page,
                )
                # left by workers that were killed
                _clear_broken_writes(store)
                _refuse_commits_undone(store)
            except Interrupted:
                if lock.lost:
                    raise StoreError(f"{store}: {lock.loss}") from None
                if reporter.beyond:
                    raise TooManyFailures(reporter.beyond) from None
                raise
    return plan


def _refuse_commits_undone(store: Location) -> None:
    """Raise StoreError if runs that were committed are pending again."""
    pending = Store.open(store).counts().pending
    if pending:
        runs = "1 run is" if pending == 1 else f"{pending} runs are"
        problem = f"{runs} pending again: the store was changed or replaced during the sweep"
        raise StoreError(f"{store}: {problem}; resume with the same command")


def _name_for_workers(store: Location, workers: Source) -> str:
    """Return the store's name for workers: the folder itself, as a link may be changed later."""
    if not isinstance(store, Folder):
        return str(store)
    if isinstance(workers, int):
        return str(store.path)
    # other machines have other working folders
    return str(store.path.absolute())


def _clear_broken_writes(location: Location) -> None:
    """Remove the files that a killed process was writing; readers ignore them."""
    if isinstance(location, Folder):
        with telling(location, "cannot be written"):
            location.delete([key for key, _ in location.listing() if key.endswith(".partial")])


def is_complete(store: str | Path | Location, *, retry_failed: bool = False) -> bool:
    """Whether no runs of a store are left to do.

    Parameters
    ----------
    store : str or Path or Location
        Location of the store.
    retry_failed : bool
        Whether failed runs are to be run again.
    """
    counts = Store.open(store).counts()
    return not counts.is_open and not (retry_failed and counts.failed)


def sweep_of_store(store: str | Path | Location) -> Sweep:
    """Return the sweep that a store was created for, from the record in the store."""
    return recorded_sweep(read_descriptions(locate(store))[0], str(store))
