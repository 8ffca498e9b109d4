"""Silence loggers of other packages for a while, where we report events in our own words."""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


@contextmanager
def quiet_loggers(names: Iterable[str], level: int) -> Iterator[None]:
    """Suppress log records below a level until the context ends.

    Parameters
    ----------
    names : iterable of str
        Names of the loggers.
    level : int
        Lowest level that still passes, as in :mod:`logging`.
    """
    loggers = [logging.getLogger(name) for name in names]
    old_levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(level)
    try:
        yield
    finally:
        for logger, old_level in zip(loggers, old_levels, strict=True):
            logger.setLevel(old_level)
