"""Loggers of others that keep quiet for a while, as we say in our own words what they would."""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


@contextmanager
def quiet_loggers(names: Iterable[str], level: int) -> Iterator[None]:
    """Let loggers pass on nothing below ``level`` until the context ends.

    Parameters
    ----------
    names : iterable of str
        Names of the loggers.
    level : int
        Of the records that still pass, as in :mod:`logging`.
    """
    loggers = [logging.getLogger(name) for name in names]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(level)
    try:
        yield
    finally:
        for logger, level_before in zip(loggers, before, strict=True):
            logger.setLevel(level_before)
