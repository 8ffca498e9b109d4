"""A plugin of pytest: kernels are compiled when a test calls them, not before the first test."""

import functools

import marsdisk.zero_d


@functools.cache
def compile_nothing() -> None:
    """Leave it to the first call of each kernel."""


marsdisk.zero_d.ensure_compiled = compile_nothing
