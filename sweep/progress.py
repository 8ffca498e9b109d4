"""Progress of a sweep, for people: a live bar on a terminal, plain lines elsewhere."""

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

if TYPE_CHECKING:
    from .worker import Receipt

LINES_KEPT = 100  # of what a driver says


def say(console: Console, text: str) -> None:
    """A line as it is: brackets are no markup, and a terminal's width breaks no command."""
    console.print(text, highlight=False, markup=False, soft_wrap=True)


def duration(seconds: float) -> str:
    """2.3 s, 4 min 10 s, 3 h 5 min."""
    if seconds < 60.0:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


@dataclass
class Tally:
    """Sums over the receipts of this session."""

    runs: int  #: to do in this session
    done_before: int = 0  #: in the store
    failed_before: int = 0  #: likewise, but for those that are tried again
    begin: float = field(default_factory=time.perf_counter)
    done: int = 0
    failed: int = 0
    hits: int = 0
    lookups: int = 0
    solver_seconds: float = 0.0
    block_seconds: float = 0.0

    def restart_clock(self) -> None:
        """Start counting time: what came before (compiling, starting workers) says nothing about the rate."""
        if not self.finished:
            self.begin = time.perf_counter()

    def add(self, receipt: "Receipt") -> None:
        self.done += receipt.done
        self.failed += receipt.failed
        self.hits += receipt.hits
        self.lookups += receipt.lookups
        self.solver_seconds += receipt.solver_seconds
        self.block_seconds += receipt.seconds

    @property
    def finished(self) -> int:
        return self.done + self.failed

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.begin

    @property
    def done_in_all(self) -> int:
        return self.done_before + self.done

    @property
    def failed_in_all(self) -> int:
        return self.failed_before + self.failed

    def line(self) -> str:
        rate = self.finished / self.seconds if self.finished else 0.0
        left = f"{duration((self.runs - self.finished) / rate)} left" if rate else "starting"
        hit_rate = (
            f"cache {100.0 * self.hits / self.lookups:.1f} % hits"
            if self.lookups
            else "cache unused"
        )
        return f"{rate:.0f} runs/s, {left}, {self.failed} failed, {hit_rate}"


@dataclass(frozen=True)
class Allowance:
    """How many runs of a sweep may fail: a number of them, or a share of those that have finished."""

    text: str  #: as given, such as 10 or 5%

    JUDGED: ClassVar[int] = 20  #: finished runs, before which a share says nothing

    def __post_init__(self) -> None:
        """Refuse a text that is neither with a ValueError."""
        _ = self.limit

    @property
    def limit(self) -> float:
        """The number, or the percentage."""
        limit = float(self.text.removesuffix("%"))
        if (
            not 0.0 <= limit < math.inf
            or ("%" in self.text and limit > 100.0)
            or ("%" not in self.text and limit != int(limit))
        ):
            raise ValueError(self.text)
        return limit

    def exceeded(self, failed: int, finished: int) -> bool:
        if self.text.endswith("%"):
            return finished >= self.JUDGED and 100.0 * failed > self.limit * finished
        return failed > self.limit


class Reporter:
    """Shows a tally as it grows."""

    def __init__(self, console: Console, tally: Tally) -> None:
        self.console = console
        self.tally = tally
        self.beyond = ""  #: in words, how many runs failed when they became more than are allowed
        self._judge: Callable[[], None] = lambda: None
        self.said: deque[str] = deque(maxlen=LINES_KEPT)
        self.count_said = 0
        self._next_line = 0.0
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> "Reporter":
        if self.console.is_terminal:
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
        """A line of its own, above the bar if there is one; kept for those who watch from elsewhere."""
        self.said.append(text)
        self.count_said += 1
        say(self.console, text)

    def expect(self, runs: int) -> None:
        """So many runs more are to be done."""
        self.tally.runs += runs
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, total=self.tally.runs)

    def stop_beyond(self, allowed: Allowance, stop: threading.Event) -> None:
        """Set ``stop`` as soon as more runs have failed than are allowed."""

        def judge() -> None:
            bad = self.tally.failed_in_all
            finished = self.tally.done_in_all + bad
            if not self.beyond and allowed.exceeded(bad, finished):
                self.beyond = (
                    f"{bad} of {finished} finished runs failed, and --max-failures {allowed.text}"
                    " allows no more; what is committed stays"
                )
                stop.set()

        self._judge = judge
        judge()

    def add(self, receipt: "Receipt") -> None:
        """Count a committed block and show the tally; plain lines at most every two seconds, and always the last."""
        self.tally.add(receipt)
        self._judge()
        if self._bar is not None and self._task is not None:
            self._bar.update(
                self._task, completed=self.tally.finished, description=self.tally.line()
            )
            return
        now = time.perf_counter()
        if now >= self._next_line or self.tally.finished == self.tally.runs:
            self._next_line = now + 2.0
            say(
                self.console,
                f"{self.tally.finished} of {self.tally.runs} runs, {self.tally.line()}",
            )
