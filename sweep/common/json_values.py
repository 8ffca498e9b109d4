"""Values as JSON has them: it has no NaN, no infinity, and no types of NumPy."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np


def for_json(value: Any) -> Any:
    """Return a value, or all values in it, as JSON has them.

    Parameters
    ----------
    value : object
        Numbers that are not finite become None, arrays lists.

    Examples
    --------
    >>> for_json({"M_loss": np.array([1.0, np.nan])})
    {'M_loss': [1.0, None]}
    """
    if isinstance(value, Mapping):
        return {str(key): for_json(part) for key, part in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return for_json(value.tolist())
    if isinstance(value, list | tuple):
        return [for_json(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
