"""Curves of a figure: series of runs, or of disks made of rings, over time."""

from typing import Any

import numpy as np

from ..common.errors import StoreError
from ..common.text import counted
from ..results.columns import labels
from ..results.curves import Curve
from ..results.selection import drawn_at_random
from ..store import layout
from .choice import Choice

#: Curves of a figure; of more, a random sample is drawn.
MAX_CURVES_DRAWN = 2000


def read_curves(choice: Choice, name: str, summed: str | None) -> tuple[list[Curve], str]:
    """Read a curve for each finished run or disk.

    All rings of a disk must have finished and have the same times.

    Parameters
    ----------
    choice : Choice
        The runs.
    name : str
        The series.
    summed : str or None
        The ring axis where the series is summed over rings.

    Returns
    -------
    curves : list of Curve
        In the units of the store.
    lacking : str
        Which runs or disks are left out; empty for none.

    Raises
    ------
    StoreError
        No curve can be drawn.
    """
    store = choice.store
    status = store.column("status")
    ring_count = len(choice.values(summed)) if summed else 1
    done = []
    for runs in _runs_of_curves(choice, summed):
        if len(runs) == ring_count and (status[runs] == layout.DONE).all():
            done.append(runs)
    drawn = drawn_at_random(np.arange(len(done)), MAX_CURVES_DRAWN)
    curves = []
    uneven = 0
    for runs in (done[i] for i in drawn):
        curve = Curve.of(store, runs, name)
        if curve is None:
            uneven += 1
        else:
            curves.append(curve)
    reasons = [choice.lacking()]
    if drawn.size < len(done):
        sample = f"a random sample of {drawn.size} of {len(done)} curves"
        reasons.append(f"{len(done) - drawn.size} curves ({sample} is drawn)")
        choice.page.notes.append(f"drawn: {sample}; choose others with --where")
    if uneven:
        ended_apart = f"{counted(uneven, 'disk')} whose rings ended at different times"
        reasons.append(ended_apart)
        choice.page.notes.append(f"not shown: {ended_apart}; --ring shows one ring")
    lacking = ", ".join(filter(None, reasons))
    if not curves:
        raise StoreError(
            f"no curve can be drawn: {lacking}; choose others with --where, --run or --ring"
        )
    return curves, lacking


def _runs_of_curves(choice: Choice, summed: str | None) -> list[list[int]]:
    """Return the runs of each curve: a single run, or the rings that differ in nothing else."""
    if not summed:
        return [[run] for run in choice.runs.tolist()]
    columns = [labels(choice.store, axis) for axis in choice.dimensions if axis != summed]
    disks: dict[tuple[Any, ...], list[int]] = {}
    for run in choice.runs.tolist():
        disk = tuple(column[run] for column in columns)
        disks.setdefault(disk, []).append(run)
    return list(disks.values())
