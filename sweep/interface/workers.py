"""Numbers of workers as scripts and notebooks give them."""

import operator
from typing import Any

from marsdisk.common.errors import ConfigError
from marsdisk.common.text import shown

from ..workers import MAX_LOCAL_WORKERS
from ..workers.profiles import usable_cores


def number_of_workers(given: Any) -> int:
    """Return a number of worker processes; None stands for one per core.

    Raises
    ------
    ConfigError
        It is no whole number, or there are not so many.
    """
    if given is None:
        return usable_cores()
    try:
        number = operator.index(given)
    except TypeError:
        number = -1
    if not 0 <= number <= MAX_LOCAL_WORKERS:
        problem = f"workers = {shown(given)}: must be a whole number from 0 to {MAX_LOCAL_WORKERS}"
        raise ConfigError([problem], "sweep")
    return number
