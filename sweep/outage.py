"""A time in which blocks come back because the object store did not take them."""

import random
import time
from collections.abc import Callable

from .errors import StorageOutageError
from .progress import duration
from .store.patience import configured_patience

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0


class Outage:
    """Holds blocks back ever longer, and gives up when none was taken for as long as is configured.

    Parameters
    ----------
    say : callable
        Given a line for people when an outage begins, and when it ends.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._began: float | None = None
        self._held_until = 0.0
        self._pause = FIRST_PAUSE_SECONDS

    @property
    def pause(self) -> float:
        """Seconds until the next block may be handed out; 0 outside of an outage."""
        if self._began is None:
            return 0.0
        return max(0.0, self._held_until - time.monotonic())

    def add(self, error: StorageOutageError) -> None:
        """Take note of a block that has come back.

        Parameters
        ----------
        error : StorageOutageError
            Why it was not taken.

        Raises
        ------
        StorageOutageError
            The same, when no block was taken for too long.
        """
        now = time.monotonic()
        patience = configured_patience()
        if self._began is None:
            self._began = now
            self._say(f"{error.problem}; blocks are tried again, for up to {duration(patience)}")
        if now - self._began > patience:
            words = f"{error.problem}; no block was taken for {duration(now - self._began)}"
            raise StorageOutageError(words) from error
        if now >= self._held_until:  # and not one more of those that were on their way together
            self._held_until = now + self._pause * random.uniform(0.5, 1.0)  # noqa: S311
            self._pause = min(2.0 * self._pause, LONGEST_PAUSE_SECONDS)

    def end(self) -> None:
        """Take note of a block that was taken, which ends an outage."""
        if self._began is None:
            return
        lasted = duration(time.monotonic() - self._began)
        self._say(f"the object store takes blocks again, after {lasted}")
        self._began = None
        self._pause = FIRST_PAUSE_SECONDS
