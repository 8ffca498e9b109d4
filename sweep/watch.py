"""A limit to the time that one run may take: a thread sets the alarm that the integrator looks at before every step."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import numpy as np
from numpy.typing import NDArray

PERIOD = 0.1  # s between two looks at the clock


class Watch:
    """Watches runs of one process. No result depends on it: a run is either not touched at all, or has failed."""

    def __init__(self) -> None:
        self._running: dict[int, tuple[float, NDArray[np.int64]]] = {}
        self._thread: threading.Thread | None = None

    @contextmanager
    def limited(self, alarm: NDArray[np.int64], seconds: float | None) -> Iterator[None]:
        """Set ``alarm`` if the context takes longer than so many seconds."""
        if seconds is None:
            yield
            return
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._look, name="time limit of runs", daemon=True
            )
            self._thread.start()
        self._running[id(alarm)] = (time.monotonic() + seconds, alarm)
        try:
            yield
        finally:
            del self._running[id(alarm)]

    def _look(self) -> None:
        while True:
            with suppress(OSError):  # of a clock that is set back while somebody sleeps
                time.sleep(PERIOD)
            now = time.monotonic()
            for until, alarm in list(self._running.values()):
                if now > until:
                    alarm[0] = 1


WATCH = Watch()
