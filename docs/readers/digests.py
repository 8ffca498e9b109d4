"""What every reader of a store prints: a line for each array, to be compared with ``diff``."""

import hashlib
from typing import Any

import numpy as np


def line(name: str, values: Any, attributes: Any) -> str:
    """Return the line of an array: its name, a digest of its values, and its unit.

    Parameters
    ----------
    name : str
        Name of the array.
    values : array-like
        Its values; texts are compared as UTF-8 with a zero byte after each.
    attributes : mapping
        Its attributes.
    """
    array = np.asarray(values)
    if array.dtype.kind in "OTU":
        content = "".join(f"{text}\0" for text in array.ravel().tolist()).encode()
    else:
        content = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()
    return f"{name} {hashlib.sha256(content).hexdigest()[:16]} {attributes.get('units', '-')}"
