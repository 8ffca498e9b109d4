"""Notes of the runs of a store, counted and told in the same words by all views."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from marsdisk.notes import SENTENCES, Note
from marsdisk.result import StopReason, never_solid

from ..store import layout
from ..store.store import Store
from .columns import stopped_early

Array = NDArray[np.int64]
UNRECORDED = (
    "this store is of a version that kept no notes with its runs; a run without a note may still be"
    " doubtful"
)


@dataclass(frozen=True)
class Notes:
    """The notes of some finished runs of a store.

    Attributes
    ----------
    flags : (runs,) array of int
        A bit for each :class:`marsdisk.notes.Note` of each run.
    stop_reason : (runs,) array of int
        Why each of them ended.
    are_recorded : bool
        Whether the store keeps them; an older one tells only how its runs ended.
    runs : (runs,) array of int
        Their rows.
    """

    flags: Array
    stop_reason: Array
    are_recorded: bool
    runs: Array

    @classmethod
    def of(cls, store: Store, runs: Array | None = None) -> "Notes":
        """Read the notes of runs of a store.

        Parameters
        ----------
        store : Store
            The store.
        runs : (runs,) array of int, optional
            Rows of the runs; all by default. Runs that are not done are left out.
        """

        def column(name: str) -> NDArray[np.generic]:
            return store.column(name)

        return cls.read(column, runs, are_recorded=layout.NOTES in store)

    @classmethod
    def read(
        cls,
        column: Callable[[str], NDArray[np.generic]],
        runs: Array | None = None,
        *,
        are_recorded: bool,
    ) -> "Notes":
        """Read the notes of runs, from a function that gives an array of a store by its name.

        Parameters
        ----------
        column : callable
            Returns an array along ``run``.
        runs : (runs,) array of int, optional
            Rows of the runs; all by default. Runs that are not done are left out.
        are_recorded : bool
            Whether the store has an array of notes.
        """
        status = column("status")
        chosen = np.arange(status.size) if runs is None else runs
        chosen = chosen[status[chosen] == layout.DONE]
        stop_reason = column("stop_reason")[chosen].astype(np.int64)
        if are_recorded:
            flags = column(layout.NOTES)[chosen].astype(np.int64)
            return cls(flags, stop_reason, are_recorded=True, runs=chosen)
        gated_time = column("gated_time")[chosen].astype(float)
        t_end = column("t_end")[chosen].astype(float)
        flags = np.zeros(chosen.size, dtype=np.int64)
        flags[stopped_early(stop_reason)] |= int(Note.STOPPED_EARLY)
        flags[never_solid(gated_time, t_end)] |= int(Note.NEVER_SOLID)
        return cls(flags, stop_reason, are_recorded=False, runs=chosen)

    @property
    def counts(self) -> dict[Note, int]:
        """Number of runs with each note, for notes that any run has."""
        counts = {note: int(self._has(note).sum()) for note in Note}
        return {note: count for note, count in counts.items() if count}

    @property
    def counts_by_label(self) -> dict[str, int]:
        """The same by the label of each note, as JSON has them."""
        return {note.label: count for note, count in self.counts.items()}

    @property
    def noted(self) -> Array:
        """Rows of the runs with a note."""
        noted: Array = self.runs[self.flags != 0]
        return noted

    @property
    def lines(self) -> list[str]:
        """A line for each note: how many runs have it, and what it means."""
        lines = [self._line(note, count) for note, count in self.counts.items()]
        if not self.are_recorded:
            lines.append(UNRECORDED)
        return lines

    @property
    def runs_of_lines(self) -> list[Array]:
        """Rows of the runs that each line is about."""
        return [self.runs[self._has(note)] for note in self.counts]

    @property
    def summary(self) -> str:
        """The names of the notes with their counts, for narrow places; empty without notes."""
        names = [f"{named(note)} {self._share(count)}" for note, count in self.counts.items()]
        if not self.are_recorded:
            names.append("notes not recorded")
        return ", ".join(names)

    def _has(self, note: Note) -> NDArray[np.bool_]:
        return np.asarray(self.flags & int(note), dtype=bool)

    def _line(self, note: Note, count: int) -> str:
        endings = ""
        if note is Note.STOPPED_EARLY:
            endings = f" ({', '.join(self._early_endings())})"
        if self.flags.size > 1:
            return f"{self._share(count)} runs{endings}: {SENTENCES[note]}"
        return f"{SENTENCES[note]}{endings}"

    def _share(self, count: int) -> str:
        if count == self.flags.size:
            return f"all {count}"
        return f"{count} of {self.flags.size}"

    def _early_endings(self) -> Iterator[str]:
        """Yield each stop condition that ended runs early, with the number of runs if several."""
        reasons = self.stop_reason[self._has(Note.STOPPED_EARLY)]
        for reason in StopReason:
            count = int((reasons == reason).sum())
            if count:
                yield f"{reason.label} {count}" if self.flags.size > 1 else reason.label


def named(note: Note) -> str:
    """Return the name of a note as words."""
    return note.label.replace("_", " ")
