"""Stopping a sweep by a signal, so that no block is torn."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def stopping_on_signals(say: Callable[[str], None]) -> Iterator[threading.Event]:
    """Give an event that a signal sets, so that no block is torn; a second signal ends the process.

    The signals are Ctrl-C (SIGINT), SIGTERM, and that of a closed terminal (SIGHUP), unless nohup
    has it ignored. Only the main thread can obey them.

    Parameters
    ----------
    say : callable
        Given a line for people at each signal.

    Yields
    ------
    threading.Event
        Set when the sweep is to stop.
    """
    stop = threading.Event()
    prospect = "what is committed stays, and the same command goes on"

    def handle(number: int, frame: object) -> None:
        if stop.is_set():
            say(f"stopped at once; {prospect}")
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        stop.set()
        say(f"stopping; {prospect} (a second signal stops at once)")

    if threading.current_thread() is not threading.main_thread():  # which alone may set handlers
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
