"""Coroutines called from code that is none."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


def run_coroutine(task: Coroutine[Any, Any, T]) -> T:
    """Return what a coroutine returns, run in another thread: this one may run an event loop."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, task).result()
