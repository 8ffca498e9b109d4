"""Failed runs, grouped by what went wrong."""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..store import layout
from ..store.store import Store

#: What differs between errors that are alike: numbers, with their exponents.
_NUMBER = re.compile(r"[-+]?\b\d+(?:\.\d*)?(?:e[-+]?\d+)?\b", re.IGNORECASE)


@dataclass(frozen=True)
class Reason:
    """An error, and the runs that failed with it.

    Attributes
    ----------
    error : str
        That of the first of them.
    runs : (runs,) array of int
        Their rows. Their errors differ in numbers alone.
    """

    error: str
    runs: NDArray[np.int64]


def reasons(store: Store) -> list[Reason]:
    """Return why runs failed, the most frequent reason first."""
    failed = np.flatnonzero(store.column("status") == layout.FAILED)
    if not failed.size:
        return []
    errors = [str(error) for error in store.column("error")[failed].tolist()]
    rows_of: dict[str, list[int]] = {}
    first_error: dict[str, str] = {}
    for row, error in zip(failed.tolist(), errors, strict=True):
        kind = _NUMBER.sub("#", error)
        first_error.setdefault(kind, error)
        rows_of.setdefault(kind, []).append(row)
    groups = [Reason(first_error[kind], np.array(rows)) for kind, rows in rows_of.items()]
    return sorted(groups, key=lambda reason: -reason.runs.size)
