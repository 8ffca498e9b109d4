"""Running coroutines from other code."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


def run_coroutine(task: Coroutine[Any, Any, T]) -> T:
    """Return the result of a coroutine, run in another thread: this one may have an event loop."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, task).result()
