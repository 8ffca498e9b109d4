"""What makes the runs of a store doubtful, in the words that every view tells it in."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import zarr
from numpy.typing import NDArray

from marsdisk.notes import SENTENCES, Note
from marsdisk.result import StopReason, never_solid

from .store import layout, reader
from .views import stopped_early

Array = NDArray[np.int64]
UNRECORDED = (
    "this store is of a version that kept no notes with its runs; that a run has none does not mean"
    " that nothing makes it doubtful"
)


@dataclass(frozen=True)
class Notes:
    """The notes of some finished runs of a store.

    Attributes
    ----------
    flags : (runs,) array of int
        Of each run, a bit for each :class:`marsdisk.notes.Note`.
    stop_reason : (runs,) array of int
        Why each of them ended.
    are_recorded : bool
        Whether the store keeps them; of an older one it is known only how its runs ended.
    """

    flags: Array
    stop_reason: Array
    are_recorded: bool

    @classmethod
    def of(cls, group: zarr.Group, runs: Array | None = None) -> "Notes":
        """Read those of some runs of a store.

        Parameters
        ----------
        group : zarr.Group
            Of the store.
        runs : (runs,) array of int, optional
            Their numbers; all if not given. Runs that are not done are left out.

        Returns
        -------
        Notes
            Of the runs that are done, in the order of ``runs``.
        """
        return cls.read(
            lambda name: reader.column(group, name), runs, are_recorded=layout.NOTES in group
        )

    @classmethod
    def read(
        cls,
        column: Callable[[str], NDArray[np.generic]],
        runs: Array | None = None,
        *,
        are_recorded: bool,
    ) -> "Notes":
        """Read those of some runs of what gives an array of a store by its name; see :meth:`of`."""
        status = column("status")
        chosen = np.arange(status.size) if runs is None else runs
        chosen = chosen[status[chosen] == layout.DONE]
        stop_reason = column("stop_reason")[chosen].astype(np.int64)
        if are_recorded:
            return cls(column(layout.NOTES)[chosen].astype(np.int64), stop_reason, True)
        is_gated = never_solid(
            column("gated_time")[chosen].astype(float), column("t_end")[chosen].astype(float)
        )
        flags = np.zeros(chosen.size, dtype=np.int64)
        flags[stopped_early(stop_reason)] |= int(Note.STOPPED_EARLY)
        flags[is_gated] |= int(Note.NEVER_SOLID)
        return cls(flags, stop_reason, False)

    @property
    def counts(self) -> dict[Note, int]:
        """How many runs have each note, without those that none has."""
        found = {note: int(((self.flags & int(note)) != 0).sum()) for note in Note}
        return {note: count for note, count in found.items() if count}

    @property
    def noted(self) -> int:
        """How many runs have a note."""
        return int((self.flags != 0).sum())

    @property
    def lines(self) -> list[str]:
        """A line for each note: how many runs have it, and what it says."""
        unrecorded = [] if self.are_recorded else [UNRECORDED]
        return [*(self._line(note, count) for note, count in self.counts.items()), *unrecorded]

    @property
    def summary(self) -> str:
        """The notes by their names alone, for where there is no room; empty where there is none."""
        names = [f"{named(note)} {self._share(count)}" for note, count in self.counts.items()]
        return ", ".join([*names, *([] if self.are_recorded else ["notes not recorded"])])

    def _line(self, note: Note, count: int) -> str:
        whose = f"{self._share(count)} runs" if self.flags.size > 1 else ""
        ends = f" ({', '.join(self._ends())})" if note is Note.STOPPED_EARLY else ""
        return f"{whose}{ends}: {SENTENCES[note]}" if whose else f"{SENTENCES[note]}{ends}"

    def _share(self, count: int) -> str:
        return f"all {count}" if count == self.flags.size else f"{count} of {self.flags.size}"

    def _ends(self) -> Iterator[str]:
        """Which stop conditions ended runs early, and how many."""
        reasons = self.stop_reason[(self.flags & int(Note.STOPPED_EARLY)) != 0]
        for reason in StopReason:
            count = int((reasons == reason).sum())
            if count:
                yield f"{reason.label} {count}" if self.flags.size > 1 else reason.label


def named(note: Note) -> str:
    """The name of a note as words."""
    return note.label.replace("_", " ")
