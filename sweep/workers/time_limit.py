"""The time limit of runs: a thread sets an alarm, which the integrator checks before each step."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import numpy as np
from numpy.typing import NDArray

CHECK_SECONDS = 0.1  # between two checks of the clock


class Watch:
    """Watches the runs of one process.

    No result depends on it: a run is either not touched at all, or fails.
    """

    def __init__(self) -> None:
        self._running: dict[int, tuple[float, NDArray[np.int64]]] = {}
        self._thread: threading.Thread | None = None

    @contextmanager
    def limited(self, alarm: NDArray[np.int64], seconds: float | None) -> Iterator[None]:
        """Set ``alarm`` if the context takes longer than ``seconds``; None is no limit."""
        if seconds is None:
            yield
            return
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._check_clock, name="time limit of runs", daemon=True
            )
            self._thread.start()
        self._running[id(alarm)] = (time.monotonic() + seconds, alarm)
        try:
            yield
        finally:
            del self._running[id(alarm)]

    def _check_clock(self) -> None:
        while True:
            # raised if the clock is set back during the sleep
            with suppress(OSError):
                time.sleep(CHECK_SECONDS)
            now = time.monotonic()
            for deadline, alarm in list(self._running.values()):
                if now > deadline:
                    alarm[0] = 1


WATCH = Watch()
