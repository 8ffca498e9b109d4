"""What a program does to its own process is taken back after each test that runs it in this one."""

import signal
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def interrupt_handler_kept() -> Iterator[None]:
    """``marsdisk`` ends at once on Ctrl-C; pytest is to end with its report."""
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)
