"""Outages of an object store, during which it takes no blocks."""

import random
import time
from collections.abc import Callable

from ..common.errors import StorageOutageError
from ..store.patience import configured_patience
from .progress import duration

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0


class Outage:
    """Holds blocks back for longer and longer pauses, and gives up after the configured time.

    Parameters
    ----------
    say : callable
        Takes a message for people when an outage begins, and when it ends.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._begin: float | None = None
        self._held_until = 0.0
        self._pause = FIRST_PAUSE_SECONDS

    @property
    def pause(self) -> float:
        """Seconds until the next block may be handed out; 0 outside of an outage."""
        if self._begin is None:
            return 0.0
        return max(0.0, self._held_until - time.monotonic())

    def add(self, error: StorageOutageError) -> None:
        """Note that a block was not taken.

        Parameters
        ----------
        error : StorageOutageError
            The reason.

        Raises
        ------
        StorageOutageError
            No block was taken for too long.
        """
        now = time.monotonic()
        patience = configured_patience()
        if self._begin is None:
            self._begin = now
            self._say(f"{error.problem}; blocks are tried again, for up to {duration(patience)}")
        if now - self._begin > patience:
            problem = f"{error.problem}; no block was taken for {duration(now - self._begin)}"
            raise StorageOutageError(problem) from error
        # blocks that were in flight together are one failure
        if now >= self._held_until:
            # jitter, so that drivers do not try again all at once
            self._held_until = now + self._pause * random.uniform(0.5, 1.0)  # noqa: S311
            self._pause = min(2.0 * self._pause, LONGEST_PAUSE_SECONDS)

    def end(self) -> None:
        """Note that a block was taken, which ends an outage."""
        if self._begin is None:
            return
        length = duration(time.monotonic() - self._begin)
        self._say(f"the object store takes blocks again, after {length}")
        self._begin = None
        self._pause = FIRST_PAUSE_SECONDS
