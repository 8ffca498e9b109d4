"""Signals of a terminal, which are for the driver alone."""

import signal


def ignore_terminal_signals() -> None:
    """Leave Ctrl-C and the closing of a terminal to the driver; the whole group receives them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
