"""Show the progress of a sweep: a live bar on a terminal, plain lines elsewhere."""

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, ClassVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from marsdisk.common.logs import MESSAGES

if TYPE_CHECKING:
    from ..workers.block import Receipt

logger = logging.getLogger(__name__)

MAX_MESSAGES_KEPT = 100
SECONDS_BETWEEN_LINES = 2.0  # where there is no terminal
SECONDS_OF_SILENCE = 4.0  # while cases are checked


def say(console: Console, text: str) -> None:
    """Print a text unchanged: without markup, and without line breaks that would split commands."""
    MESSAGES.info(text)
    console.print(text, highlight=False, markup=False, soft_wrap=True)


def cases_checked(say: Callable[[str], None], cases: int) -> Callable[[int], None]:
    """Return a function of the number of a case that says now and then how far checking has come.

    Parameters
    ----------
    say : callable
        Told of it, where all of it takes longer than a person likes to wait in silence.
    cases : int
        Number of cases.
    """
    next_line = time.perf_counter() + SECONDS_OF_SILENCE

    def on_case(number: int) -> None:
        nonlocal next_line
        now = time.perf_counter()
        if now >= next_line:
            next_line = now + SECONDS_OF_SILENCE
            say(f"{number} of {cases} cases checked")

    return on_case


def duration(seconds: float) -> str:
    """Return a duration as text: 2.3 s, 4 min 10 s, 3 h 5 min."""
    if seconds < 60.0:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


@dataclass
class Tally:
    """Counts and times of this call of the driver, summed over receipts."""

    runs: int  #: to do in this call
    done_before: int = 0  #: runs that the store held already
    failed_before: int = 0  #: likewise, without those that are run again
    begin: float = field(default_factory=time.perf_counter)
    done: int = 0
    failed: int = 0
    hits: int = 0
    lookups: int = 0
    solver_seconds: float = 0.0
    block_seconds: float = 0.0

    def restart_clock(self) -> None:
        """Count time from now on; compiling and starting workers are no part of the rate."""
        if not self.finished:
            self.begin = time.perf_counter()

    def add(self, receipt: "Receipt") -> None:
        """Add the counts of a block."""
        self.done += receipt.done
        self.failed += receipt.failed
        self.hits += receipt.hits
        self.lookups += receipt.lookups
        self.solver_seconds += receipt.solver_seconds
        self.block_seconds += receipt.seconds

    @property
    def finished(self) -> int:
        """Runs of this call that are done or failed."""
        return self.done + self.failed

    @property
    def seconds(self) -> float:
        """Time since the clock was started, in s."""
        return time.perf_counter() - self.begin

    @property
    def done_in_all(self) -> int:
        """Runs of the store that are done."""
        return self.done_before + self.done

    @property
    def failed_in_all(self) -> int:
        """Runs of the store that have failed."""
        return self.failed_before + self.failed

    def line(self) -> str:
        """Return rate, time left, failures, and cache hits as one line."""
        rate = self.finished / self.seconds if self.finished else 0.0
        left = "starting"
        if rate:
            left = f"{duration((self.runs - self.finished) / rate)} left"
        cache = "cache unused"
        if self.lookups:
            cache = f"cache {100.0 * self.hits / self.lookups:.1f} % hits"
        return f"{rate:.0f} runs/s, {left}, {self.failed} failed, {cache}"


@dataclass(frozen=True)
class Allowance:
    """How many runs of a sweep may fail: a number, or a share of the finished ones.

    Raises
    ------
    ValueError
        ``text`` is neither.
    """

    text: str  #: such as 10 or 5%

    MIN_FINISHED: ClassVar[int] = 20  #: runs that must have finished before a share is judged

    def __post_init__(self) -> None:
        _ = self.limit

    @property
    def is_share(self) -> bool:
        """Whether it is a percentage."""
        return self.text.endswith("%")

    @property
    def limit(self) -> float:
        """The number, or the percentage."""
        limit = float(self.text.removesuffix("%"))
        if not 0.0 <= limit < math.inf:
            raise ValueError(self.text)
        is_valid = limit <= 100.0 if self.is_share else limit == int(limit)
        if not is_valid:
            raise ValueError(self.text)
        return limit

    def exceeded(self, failed: int, finished: int) -> bool:
        """Whether more of the finished runs failed than are allowed."""
        if self.is_share:
            return finished >= self.MIN_FINISHED and 100.0 * failed > self.limit * finished
        return failed > self.limit


class Reporter:
    """Shows a tally as it grows, and messages.

    Parameters
    ----------
    console : rich.console.Console
        Where to print.
    tally : Tally
        Counts, to which receipts are added.
    on_progress : callable, optional
        Called with the tally whenever it has changed, instead of showing it.
    """

    def __init__(
        self,
        console: Console,
        tally: Tally,
        on_progress: Callable[[Tally], None] | None = None,
    ) -> None:
        self.console = console
        self.tally = tally
        self._on_progress = on_progress
        #: message that more runs failed than are allowed; empty if not
        self.beyond = ""
        self._judge: Callable[[], None] = lambda: None
        #: the last messages
        self.messages: deque[str] = deque(maxlen=MAX_MESSAGES_KEPT)
        #: number of messages so far
        self.message_count = 0
        self._next_line_time = 0.0
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> "Reporter":
        if self._on_progress is not None:
            self._on_progress(self.tally)
        elif self.console.is_terminal:
            columns = (
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("runs, {task.description}"),
                TimeElapsedColumn(),
            )
            self._bar = Progress(*columns, console=self.console, transient=True)
            self._bar.start()
            self._task = self._bar.add_task("starting workers", total=self.tally.runs)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def say(self, text: str) -> None:
        """Print a message (above the bar, if there is one) and keep it for the heartbeat."""
        self.messages.append(text)
        self.message_count += 1
        say(self.console, text)

    def expect(self, runs: int) -> None:
        """Add to the number of runs to do."""
        self.tally.runs += runs
        if self._on_progress is not None:
            self._on_progress(self.tally)
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, total=self.tally.runs)

    def stop_beyond(self, allowed: Allowance, stop: threading.Event) -> None:
        """Set ``stop`` as soon as more runs have failed than are allowed."""

        def judge() -> None:
            failed = self.tally.failed_in_all
            finished = self.tally.done_in_all + failed
            if not self.beyond and allowed.exceeded(failed, finished):
                self.beyond = (
                    f"{failed} of {finished} finished runs failed, and the limit of {allowed.text}"
                    " allows no more; what is committed stays"
                )
                stop.set()

        self._judge = judge
        judge()

    def add(self, receipt: "Receipt") -> None:
        """Count a committed block and show the tally.

        Plain lines appear every two seconds at most, and always after the last block.
        """
        self.tally.add(receipt)
        logger.info(
            "block %d: %d runs done, %d failed, in %.2f s by %s",
            *(receipt.index, receipt.done, receipt.failed, receipt.seconds, receipt.worker),
        )
        self._judge()
        if self._on_progress is not None:
            self._on_progress(self.tally)
            return
        if self._bar is not None and self._task is not None:
            self._bar.update(
                self._task, completed=self.tally.finished, description=self.tally.line()
            )
            return
        now = time.perf_counter()
        if now >= self._next_line_time or self.tally.finished == self.tally.runs:
            self._next_line_time = now + SECONDS_BETWEEN_LINES
            say(
                self.console,
                f"{self.tally.finished} of {self.tally.runs} runs, {self.tally.line()}",
            )
