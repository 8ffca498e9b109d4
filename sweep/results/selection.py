"""The noun for what a figure, table, sum or file is about: runs of a store, or its whole disks."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..spec.axes import RING
from ..spec.expressions import Expression
from ..store.cases import cases
from ..store.store import Store
from .columns import Columns, numbered

#: Names under which stores have the bounds of a ring.
BOUNDS_OF_RINGS = tuple(key.rpartition(".")[2] for key in RING)


@dataclass(frozen=True, eq=False)
class Selection:
    """Runs of a store that meet a condition, and the rings that a sum over them is over.

    A condition chooses runs. A sum over rings is about disks: it takes all rings of every disk of
    which a run is chosen, unless the condition names rings itself, and then says so.

    Attributes
    ----------
    columns : Columns
        Of the store.
    runs : (runs,) array of int
        Rows of the chosen runs.
    condition : str
        The condition; empty where there is none.
    is_of_rings : bool
        Whether rings were chosen otherwise than by the condition.
    """

    columns: Columns
    runs: NDArray[np.int64]
    condition: str = ""
    is_of_rings: bool = False

    @classmethod
    def of(cls, columns: Columns, condition: str | None = None) -> "Selection":
        """Choose the runs that meet a condition.

        Parameters
        ----------
        columns : Columns
            Of the store.
        condition : str, optional
            Such as ``T0 > 3500 and status == "done"``; by default all runs are chosen.

        Returns
        -------
        Selection
            It may be empty.

        Raises
        ------
        ExpressionError
            The condition cannot be understood.

        Examples
        --------
        >>> selection = Selection.of(Columns(Store.open("results/main.zarr")), "ring < 4")
        >>> selection.rings_in_words
        '4 of 32 rings'
        """
        return cls(columns, columns.where(condition or None), condition or "")

    @property
    def store(self) -> Store:
        """The store."""
        return self.columns.store

    def only(self, runs: NDArray[np.int64]) -> "Selection":
        """Return the selection of these runs alone."""
        return replace(self, runs=runs)

    @property
    def names_rings(self) -> bool:
        """Whether rings are chosen themselves, by number or by radius."""
        if self.is_of_rings or not self.condition:
            return self.is_of_rings
        return not {self.store.ring_axis, *BOUNDS_OF_RINGS}.isdisjoint(
            Expression(self.condition).renamed(self.store.keys).names
        )

    @cached_property
    def whole_disks(self) -> "Selection":
        """The runs that sums over rings are over.

        All rings of each disk with a chosen run; the chosen runs themselves where the condition
        names rings, or where there are no disks.
        """
        ring_axis = self.store.ring_axis
        if ring_axis is None:
            return self
        if not self.condition or self.names_rings:
            # an included run is no ring of a disk
            return self.only(self.runs[self.columns["in_product"][self.runs]])
        axes = list(self.store.axes)
        run_of_case, labels = cases(self.store, axes)
        others = [labels[axis] for axis in axes if axis != ring_axis]
        disks = numbered(others, run_of_case.size)
        chosen_disks = np.unique(disks[np.isin(run_of_case, self.runs)])
        return self.only(np.unique(run_of_case[np.isin(disks, chosen_disks)]))

    @property
    def ring_count(self) -> int:
        """Number of rings that the chosen runs lie in."""
        ring_axis = self.store.ring_axis
        if ring_axis is None:
            return 0
        in_product = self.columns["in_product"][self.runs]
        return np.unique(self.columns[ring_axis][self.runs[in_product]]).size

    @property
    def rings_in_words(self) -> str:
        """What a sum over the chosen rings is of: the whole disk, or some of its rings."""
        return rings_in_words(self.ring_count, self.store.description.ring_count)


def rings_in_words(summed: int, whole: int) -> str:
    """Return what a sum over rings is of.

    Parameters
    ----------
    summed, whole : int
        Number of rings that are summed, and that the disk has.

    Examples
    --------
    >>> rings_in_words(32, 32), rings_in_words(4, 32)
    ('the whole disk', '4 of 32 rings')
    """
    return "the whole disk" if summed == whole else f"{summed} of {whole} rings"


def drawn_at_random(runs: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Return at most ``most`` of the runs, drawn at random with a fixed seed, in their order.

    Runs at equal distances would all be of one variant where axes vary with that period.

    Parameters
    ----------
    runs : (runs,) array of int
        Rows of runs.
    most : int
        Number of runs to draw.
    """
    if runs.size <= most:
        return runs
    chosen = np.random.default_rng(0).choice(runs.size, most, replace=False)
    return runs[np.sort(chosen)]
