"""Stopping a sweep by a signal, so that no block is torn."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def stopping_on_signals(say: Callable[[str], None]) -> Iterator[threading.Event]:
    """An event that a signal sets, so that no block is torn; a second one ends the process at once. Both are answered.

    The signals are Ctrl-C (SIGINT), SIGTERM, and that of a closed terminal (SIGHUP), unless nohup has it ignored.
    """
    stop = threading.Event()

    def handle(number: int, frame: object) -> None:
        if stop.is_set():
            say("stopped at once; what is committed stays, and the same command goes on")
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        stop.set()
        say("stopping; what is committed stays, and the same command goes on (a second signal stops at once)")

    if threading.current_thread() is not threading.main_thread():  # only the main thread may set handlers
        yield stop
        return
    obeyed = [signal.SIGINT, signal.SIGTERM]
    closed_terminal = getattr(signal, "SIGHUP", None)
    if closed_terminal is not None and signal.getsignal(closed_terminal) is not signal.SIG_IGN:
        obeyed.append(closed_terminal)
    before = {number: signal.signal(number, handle) for number in obeyed}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
