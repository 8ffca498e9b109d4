"""From a plan to a finished store: make it or go on with it, keep other drivers out, run what is not committed."""

from collections.abc import Iterable
from pathlib import Path

import zarr
from rich.console import Console

from marsdisk.commands import compile_kernels

from .errors import Interrupted, StoreError, TooManyFailures
from .heartbeat import Heartbeat
from .making import cases_of, create, extend
from .matching import arranged, may_extend, refuse_other_plan
from .plan import Block, Plan, make_plan
from .profiles import Source, expected_workers
from .progress import Allowance, Reporter, Tally
from .rounds import may_go_on, next_round, recorded
from .spec import Sweep, recorded_sweep
from .stopping import stopping_on_signals
from .store import layout, reader
from .store.cases import renew_cases
from .store.failures import telling
from .store.lock import Driving, driving
from .store.place import Folder, Place
from .store.writer import mark_unused


def prepare_store(plan: Plan, place: Place, *, extending: bool = False) -> Plan:
    """Make the store of a plan, extend it, or go on with the one that was made for it.

    Parameters
    ----------
    plan : Plan
        What is to be run.
    place : Place
        Of the store.
    extending : bool
        Whether runs that the store does not have may be added.

    Returns
    -------
    Plan
        In the order of the store.

    Raises
    ------
    StoreError
        The store cannot be made, read or extended, or holds another plan.
    """
    with telling(place, "cannot be read"):
        is_there = place.exists()
    if not is_there:
        create(plan, place)
        return plan
    attributes = reader.read_descriptions(place)[0]
    plan = recorded(plan, place, attributes, extending=extending)
    plan, new = arranged(plan, place, attributes)
    if extending and plan.digest != attributes["plan_digest"]:
        may_extend(plan, place, attributes)
        extend(plan, place, attributes)
        return plan
    refuse_other_plan(plan, place, attributes, new=new)
    if reader.is_between_lengths(place):
        extend(plan, place, attributes)
        return plan
    renew_cases(place, cases_of(plan))
    mark_unused(place, plan.unused)  # a repair may have taken the note away with a damaged block
    return plan


def blocks_to_run(plan: Plan, group: zarr.Group, *, retry_failed: bool = False) -> list[Block]:
    """The blocks that are not committed in a store, and with ``retry_failed`` the failed runs of the others."""
    committed = reader.committed_blocks(group)
    blocks = [block for block in plan.blocks if not committed[block.index]]
    if retry_failed:
        failed = reader.column(group, "status") == layout.FAILED
        attempt = reader.column(group, "attempt")
        for block in plan.blocks:
            rows = tuple(row for row in block.rows if failed[row])
            if rows and committed[block.index]:
                blocks.append(Block(block.index, rows, int(max(attempt[row] for row in rows)) + 1))
    return blocks


def run_sweep(
    sweep: Sweep,
    store: str | Path | Place,
    *,
    workers: Source,
    console: Console,
    extending: bool = False,
    retry_failed: bool = False,
    allowed: Allowance | None = None,
) -> tuple[Plan, Tally]:
    """Run what is not yet committed of ``sweep`` into ``store``; the same call again goes on or finds nothing to do.

    Parameters
    ----------
    extending : add runs that the store does not have
    retry_failed : run failed ones again
    allowed : how many may fail before it stops

    Raises
    ------
    ConfigError
        A case cannot run.
    StoreError
        The store holds another plan, is driven by somebody else, or cannot be written.
    Interrupted
        Stopped by a signal; what was committed stays.
    TooManyFailures
        More runs failed than are allowed; what was committed stays.
    """
    place = Place.of(store)
    place.refuse_bad_name()
    plan = make_plan(sweep, expected_workers(workers))
    if workers != 0 and not place.is_shared:
        raise StoreError(
            f"{place}: workers cannot see into this process's memory; use --workers 0, or a store"
            " elsewhere"
        )
    with driving(place) as held:
        plan = prepare_store(plan, place, extending=extending)
        group = reader.open_group(place)
        to_run = blocks_to_run(plan, group, retry_failed=retry_failed)
        before = reader.counts(place)
        again = sum(len(block.rows) for block in to_run if block.attempt > 1)
        tally = Tally(sum(len(block.rows) for block in to_run), before.done, before.failed - again)
        if to_run or may_go_on(plan, place):
            plan = _run(plan, place, to_run, tally, workers, console, held, allowed)
        return plan, tally


def _run(
    plan: Plan,
    store: Place,
    to_run: list[Block],
    tally: Tally,
    workers: Source,
    console: Console,
    held: Driving,
    allowed: Allowance | None,
) -> Plan:
    """Run blocks, and the rounds of a refinement that follow them; the plan with these."""
    # brings Dask, which a finished sweep need not wait for
    from .driver import Work, run_blocks, task_maker

    with Reporter(console, tally) as reporter:
        for warning in plan.warnings:
            reporter.say(f"note: {warning}")
        already = plan.count - tally.runs
        if to_run:
            reporter.say(
                f"{tally.runs} runs in {len(to_run)} blocks into {store}"
                + (f" ({already} are committed already)" if already else "")
            )
        with stopping_on_signals(reporter.say) as stop, Heartbeat(store, reporter, stop, held):
            held.on_loss = stop.set
            if allowed is not None:
                reporter.stop_beyond(allowed, stop)
            # before workers start, which together would take as many times longer
            compile_kernels(reporter.say)
            seen_as = _for_workers(store, workers)

            def work(blocks: Iterable[Block] = ()) -> "Work":
                return Work(task_maker(plan, seen_as), blocks)

            def more() -> "Work":
                nonlocal plan
                while (grown := next_round(plan, store, reporter.say)) is not None:
                    if stop.is_set():
                        raise Interrupted
                    plan = prepare_store(grown, store, extending=True)
                    blocks = blocks_to_run(plan, reader.open_group(store))
                    if blocks:  # none where all points of a round are runs that are there
                        reporter.expect(sum(len(block.rows) for block in blocks))
                        return work(blocks)
                return work()

            try:
                _clear_broken_writes(store)  # of a driver that was killed
                run_blocks(
                    plan, seen_as, to_run, workers=workers, reporter=reporter, stop=stop, more=more
                )
                _clear_broken_writes(store)  # of workers that were killed
                _refuse_commits_undone(store)
            except Interrupted:
                if held.lost:
                    raise StoreError(f"{store}: {held.loss}") from None
                if reporter.beyond:
                    raise TooManyFailures(reporter.beyond) from None
                raise
    return plan


def _refuse_commits_undone(store: Place) -> None:
    """Raise where runs that were committed are pending again."""
    pending = reader.counts(store).pending
    if pending:
        runs = "1 run is" if pending == 1 else f"{pending} runs are"
        problem = f"{runs} pending again: the store was changed or replaced during the sweep"
        raise StoreError(f"{store}: {problem}; resume with the same command")


def _for_workers(store: Place, workers: Source) -> str:
    """Name of the store for workers: of the folder itself, wherever a link may lead by then."""
    if not isinstance(store, Folder):
        return str(store)
    if isinstance(workers, int):
        return str(store.path)
    return str(store.path.absolute())  # other machines have other working folders


def _clear_broken_writes(place: Place) -> None:
    """Remove files that a killed process was writing; a folder's writes go to such files first, and nobody reads them."""
    if isinstance(place, Folder):
        with telling(place, "cannot be written"):
            place.delete([key for key, _ in place.listing() if key.endswith(".partial")])


def is_complete(store: str | Path | Place, *, retry_failed: bool = False) -> bool:
    """Whether a store has nothing left to be run.

    Parameters
    ----------
    store : str or Path or Place
        Where it is.
    retry_failed : bool
        Whether failed runs are to be run again.
    """
    counts = reader.counts(store)
    return not counts.is_open and not (retry_failed and counts.failed)


def sweep_of_store(store: str | Path | Place) -> Sweep:
    """The sweep that a store was made for, from its own record."""
    return recorded_sweep(reader.read_descriptions(Place.of(store))[0], str(store))
