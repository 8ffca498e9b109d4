"""Stopping a sweep by a signal, so that no block is torn."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def stopping_on_signals(say: Callable[[str], None]) -> Iterator[threading.Event]:
    """Set an event at a signal, so that no block is torn; end the process at a second signal.

    The signals are Ctrl-C (SIGINT), SIGTERM, and that of a closed terminal (SIGHUP) unless nohup
    ignores it. In other threads than the main one nothing is set.

    Parameters
    ----------
    say : callable
        Called with a line of text at each signal.

    Yields
    ------
    threading.Event
        Set when the sweep is to stop.
    """
    stop = threading.Event()
    promise = "committed results stay, and the same command resumes the sweep"

    def handle(number: int, frame: object) -> None:  # noqa: ARG001 - signal gives a frame
        if stop.is_set():
            say(f"stopped at once; {promise}")
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        stop.set()
        say(f"stopping; {promise} (a second signal stops at once)")

    # only the main thread may set handlers
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    signals = [signal.SIGINT, signal.SIGTERM]
    closed_terminal = getattr(signal, "SIGHUP", None)
    if closed_terminal is not None and signal.getsignal(closed_terminal) is not signal.SIG_IGN:
        signals.append(closed_terminal)
    handlers_before = {number: signal.signal(number, handle) for number in signals}
    try:
        yield stop
    finally:
        for number, handler in handlers_before.items():
            signal.signal(number, handler)
