"""A result of each case of a sweep, with its state and its parameters, as a map draws them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..common.states import State
from ..common.text import counted
from .cells import labelled_cases, states_of_runs, worst_states
from .columns import adds_up, coded, numbered, runs_of
from .notes import Notes
from .selection import BOUNDS_OF_RINGS, Selection, rings_in_words

#: States whose cases have a value.
WITH_VALUE = (State.DONE, State.EARLY)


def so_far(selection: Selection) -> Selection:
    """Return the runs in rings that every disk has a result of, as long as others are pending.

    Blocks go from ring to ring, so that sums over whole disks would be there only at the very end.

    Parameters
    ----------
    selection : Selection
        The runs.

    Returns
    -------
    Selection
        The same where no ring is pending, or all are.
    """
    ring_axis = selection.store.ring_axis
    if ring_axis is None:
        return selection
    rings = CaseTable.of(selection, "run", single_rings=True)
    column = selection.columns[ring_axis]
    pending = np.unique(column[rings.run[rings.state == State.PENDING]])
    is_complete = ~np.isin(column[selection.runs], pending)
    if is_complete.all() or not is_complete.any():
        return selection
    return replace(selection.only(selection.runs[is_complete]), is_of_rings=True)


@dataclass(frozen=True, eq=False)
class CaseTable:
    """A scalar of each case: of a run, or of a disk where it is summed over rings.

    Attributes
    ----------
    name : str
        The scalar.
    rings : str
        The rings that it is a sum over, in words; empty where it is no sum.
    run : (cases,) array of int
        Row of the run, or of the first ring of the disk.
    value : (cases,) array of float
        In the unit of the store; NaN without a result.
    state : (cases,) array of int
        Of :class:`sweep.common.states.State`.
    is_noted : (cases,) array of bool
        Whether the run, or any ring of the disk, has a note.
    parameters : mapping of str to (cases,) array
        Values of the parameters.
    left_out : int
        Included runs that stand on no axis, and so in no case of the product.
    """

    name: str
    rings: str
    run: NDArray[np.int64]
    value: NDArray[np.float64]
    state: NDArray[np.uint8]
    is_noted: NDArray[np.bool_]
    parameters: Mapping[str, NDArray[Any]]
    left_out: int

    @classmethod
    def of(cls, selection: Selection, name: str, *, single_rings: bool = False) -> "CaseTable":
        """Return the table of a scalar.

        While a sweep runs, a sum is over the rings that every disk has a result of, which
        ``rings`` says.

        Parameters
        ----------
        selection : Selection
            The runs; cases of others are filtered out.
        name : str
            The scalar.
        single_rings : bool
            Whether rings are cases of their own, also where the scalar adds up over them.

        Returns
        -------
        CaseTable
            The cases of the product, or all runs where the sweep has no product.
        """
        columns = selection.columns
        store = selection.store
        run, values_of = labelled_cases(columns, runs_of(store))
        in_product = columns["in_product"][run]
        has_product = bool(store.axes) and bool(in_product.any())
        is_case = in_product if has_product else np.ones(run.size, np.bool_)
        ring_axis = store.ring_axis
        can_sum = has_product and ring_axis is not None and not single_rings
        is_summed = can_sum and adds_up(store.unit(name))
        among = selection.whole_disks if is_summed else selection
        parameters = {key: values_of(key)[is_case] for key in store.parameters}
        run = run[is_case]
        table = cls(
            name=name,
            rings="",
            run=run,
            value=columns[name][run].astype(np.float64),
            state=states_of_runs(columns, run, among.runs),
            is_noted=np.isin(run, Notes.of(store).noted),
            parameters=parameters,
            left_out=int((~is_case).sum()),
        )
        if is_summed:
            return table._summed(among, str(ring_axis))
        has_value = np.isin(table.state, WITH_VALUE)
        return replace(table, value=np.where(has_value, table.value, np.nan))

    def _summed(self, selection: Selection, ring_axis: str) -> "CaseTable":
        """Return the table of disks."""
        store = selection.store
        ring = coded(self.parameters[ring_axis])[1]
        is_chosen = self.state != State.FILTERED
        is_complete = np.ones(int(ring.max()) + 1, np.bool_)
        is_complete[ring[self.state == State.PENDING]] = False
        if not is_complete.any():
            is_complete[:] = True
        is_asked = np.zeros(is_complete.size, np.bool_)
        is_asked[ring[is_chosen]] = True
        is_part = (is_complete & is_asked)[ring]
        disk = self.disks(store.axes, ring_axis)
        count = int(disk.max()) + 1
        rings = int((is_complete & is_asked).sum())
        state = np.full((count, max(rings, 1)), State.UNUSED, np.uint8)
        column = np.cumsum(is_complete & is_asked) - 1
        state[disk[is_part], column[ring[is_part]]] = self.state[is_part]
        state_of_disk = worst_states(state)
        parts = np.zeros(state.shape)
        parts[disk[is_part], column[ring[is_part]]] = self.value[is_part]
        total = parts.sum(axis=1)
        # the first ring stands for its disk
        first = np.lexsort((ring, disk))
        first = first[np.unique(disk[first], return_index=True)[1]]
        words = rings_in_words(rings, store.description.ring_count)
        if not is_complete.all():
            words = f"{words} so far"
        return CaseTable(
            name=self.name,
            rings=words,
            run=self.run[first],
            value=np.where(np.isin(state_of_disk, WITH_VALUE), total, np.nan),
            state=state_of_disk,
            is_noted=np.bincount(disk, self.is_noted, count) > 0,
            parameters={
                key: values[first]
                for key, values in self.parameters.items()
                if key not in {ring_axis, *BOUNDS_OF_RINGS}
            },
            left_out=self.left_out,
        )

    def disks(self, axes: Sequence[str], ring_axis: str) -> NDArray[np.int64]:
        """Return the number of each ring's disk: (cases,), the same where all other axes agree."""
        others = [self.parameters[axis] for axis in axes if axis != ring_axis]
        return numbered(others, self.run.size)

    @property
    def words(self) -> str:
        """What the values are of, such as ``M_loss of the whole disk``."""
        return f"{self.name} of {self.rings}" if self.rings else self.name

    @property
    def remark(self) -> str:
        """A sentence on runs that are in no case; empty where there are none."""
        if not self.left_out:
            return ""
        return f"Not shown: {counted(self.left_out, 'included run')} on no axis."
