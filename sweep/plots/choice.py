"""The runs that a figure shows and the dimensions in which they differ."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..common.command import Command
from ..common.errors import StoreError
from ..common.states import State
from ..common.text import counted, did_you_mean
from ..results.columns import Columns, adds_up, in_order, labels
from ..results.notes import Notes
from ..results.quantity import Quantity
from ..results.selection import BOUNDS_OF_RINGS, Selection
from ..store.store import Store
from .page import Page, plain


@dataclass
class Choice:
    """Runs of a store and the dimensions in which they differ.

    Attributes
    ----------
    selection : Selection
        The runs.
    page : Page
        It receives notes on what was chosen automatically.
    """

    selection: Selection
    page: Page

    @property
    def store(self) -> Store:
        """The store."""
        return self.selection.store

    @property
    def runs(self) -> NDArray[np.int64]:
        """Rows of the runs."""
        return self.selection.runs

    @classmethod
    def of(
        cls, store: Store, page: Page, where: str | None, *, ring: int | None = None
    ) -> "Choice":
        """Choose runs by a condition.

        Included runs are left out where there is a product of axes.

        Parameters
        ----------
        store : Store
            The store.
        page : Page
            It receives a note on the runs that are left out.
        where : str or None
            Condition on the runs.
        ring : int or None
            The only ring to show.

        Returns
        -------
        Choice
            At least one run.

        Raises
        ------
        StoreError
            No run is left, or there is no such ring or column.
        """
        columns = Columns(store)
        selection = Selection.of(columns, where)
        runs = selection.runs
        if store.axes:
            product = columns["in_product"][runs]
            if product.any() and not product.all():
                page.notes.append(
                    f"{counted(int((~product).sum()), 'included run')} not shown, being on none of"
                    " the axes"
                )
            if product.any():
                runs = runs[product]
        if ring is not None:
            axis = store.ring_axis
            if axis is None:
                raise StoreError("the sweep has no rings; drop --ring")
            runs = runs[columns[axis][runs] == ring]
            selection = replace(selection, is_of_rings=True)
        if not runs.size:
            command = Command.sweep("show", "STORE", where=where or None)
            raise StoreError(f"no run is left to show; see: {command}")
        return cls(selection.only(runs), page)

    @classmethod
    def of_runs(cls, store: Store, page: Page, runs: Sequence[int]) -> "Choice":
        """Choose runs by their rows."""
        return cls(Selection(Columns(store), np.array(runs, dtype=np.int64)), page)

    @property
    def dimensions(self) -> list[str]:
        """Axes of the product, or the parameters where there is no product of parameters."""
        axes = list(self.store.axes)
        rings = self.store.ring_axis
        # An axis that is neither a key of the configuration nor of variants or rings numbers the
        # points of a list.
        lists = [
            axis for axis in axes if axis not in {"variant", rings} and not self.store.is_key(axis)
        ]
        if axes and not lists:
            return axes
        hidden = {*lists}
        if rings:
            hidden |= {*BOUNDS_OF_RINGS}
        return [name for name in self.store.parameters if name not in hidden]

    def values(self, name: str) -> list[Any]:
        """Return the distinct values of a parameter among the runs, in order.

        Raises
        ------
        StoreError
            The runs have no such parameter.
        """
        self.refuse_no_parameter(name)
        column = labels(self.store, name)
        return in_order([column[run] for run in self.runs.tolist()])

    def refuse_no_parameter(self, name: str) -> None:
        """Raise a StoreError if the runs have no such parameter."""
        if name not in self.store.parameters:
            names = ", ".join(self.store.parameters)
            hint = did_you_mean(name, self.store.parameters)
            raise StoreError(f"{name!r} is no parameter of the runs; there are {names}{hint}")

    def tells_apart(self, *names: str | None) -> bool:
        """Whether no two of the runs have the same values of ``names``."""
        columns = [labels(self.store, name) for name in names if name]
        distinct = set()
        for run in self.runs.tolist():
            distinct.add(tuple(column[run] for column in columns))
        return len(distinct) == self.runs.size

    def varying(self) -> list[str]:
        """Return the dimensions in which the runs differ."""
        return [name for name in self.dimensions if len(self.values(name)) > 1]

    def with_value(self, name: str, value: Any) -> "Choice":
        """Return the runs that have this value of a parameter."""
        column = labels(self.store, name)
        runs = [run for run in self.runs.tolist() if column[run] == value]
        return Choice(self.selection.only(np.array(runs, dtype=np.int64)), self.page)

    def middles(self, names: Sequence[str]) -> dict[str, Any]:
        """Return the middle value of each parameter, or the first where its values are texts."""
        middles = {}
        for name in names:
            values = self.values(name)
            is_text = isinstance(values[0], str)
            middles[name] = values[0 if is_text else (len(values) - 1) // 2]
        return middles

    def middle(self, names: Sequence[str]) -> "Choice":
        """Return the runs at the middle values of ``names`` and note which values these are."""
        choice = self
        conditions = []
        for name in names:
            value = choice.middles([name])[name]
            choice = choice.with_value(name, value)
            conditions.append(f"{name} == {value!r}")
        if conditions:
            self.page.notes.append(f"chosen: {' and '.join(conditions)}; another with --where")
        return choice

    def summed_over_rings(
        self, name: str, used: Sequence[str | None]
    ) -> tuple["Choice", str | None]:
        """Return the runs over which a quantity is summed, and the ring axis if it is summed.

        It is if it adds up, and the figure does not show rings itself. Sums are over whole disks
        unless the condition on the runs names rings.

        Parameters
        ----------
        name : str
            The quantity.
        used : sequence of str or None
            Axes of the figure.

        Returns
        -------
        choice : Choice
            These runs, or all rings of their disks.
        axis : str or None
            None where nothing is summed.
        """
        axis = self.store.ring_axis
        shows_rings = not {axis, *BOUNDS_OF_RINGS}.isdisjoint(used)
        if axis is None or shows_rings or not adds_up(self.store.unit(name)):
            return self, None
        disks = Choice(self.selection.whole_disks, self.page)
        if len(disks.values(axis)) == 1:
            return self, None
        return disks, axis

    def note_added_rings(self, name: str) -> None:
        """Note that a sum takes rings of which no run was chosen, where it does."""
        if self.selection.whole_disks.runs.size > self.runs.size:
            self.page.notes.append(
                f"{name} is summed over all rings of each disk with a run where"
                f" {self.selection.condition}; a condition on {self.store.ring_axis} chooses rings"
            )

    def refuse_no_number(self, name: str, dims: tuple[str, ...] = ()) -> None:
        """Raise a StoreError if the store has no such numbers along run and ``dims``."""
        store = self.store
        names = [key for key in store.names_over("run", *dims) if store.arrays[key].is_number]
        if name not in names:
            kind = "series" if dims else "number per run"
            hint = did_you_mean(name, names)
            raise StoreError(
                f"{name!r} is no {kind} of the store; there are {', '.join(names)}{hint}"
            )

    def quantity(
        self,
        name: str,
        values: NDArray[np.float64],
        words: str = "",
        *,
        summed: str | None = None,
    ) -> Quantity:
        """Return how a result is shown, such as ``M_loss of the whole disk [1e-9 M_Mars]``.

        Parameters
        ----------
        name : str
            The result.
        values : array
            All of its values that are drawn, in the unit of the store.
        words : str
            What it is called; by default its name, with what it is a sum of.
        summed : str or None
            The ring axis where the quantity is summed over rings.

        Returns
        -------
        Quantity
            Its unit, which is that of the page if one was chosen, and the words for it.

        Raises
        ------
        StoreError
            The result cannot be shown in the chosen unit.
        """
        if summed and not words:
            words = f"{name} of {self.selection.rings_in_words}"
        quantity = Quantity.of(self.store, name, values, words)
        if self.page.unit is not None:
            quantity = quantity.in_unit(self.page.unit)
        self.page.note_units(quantity)
        return quantity

    def fixed(self, *shown: str | None, summed: str | None = None) -> str:
        """Describe what the runs share, such as ``T0 = 4000 K, sum over 32 rings``."""
        words = [
            f"{name} = {with_unit(self.store, name, self.values(name)[0])}"
            for name in self.store.parameters
            if self._is_fixed(name, shown)
        ]
        if summed:
            words.append(f"sum over {len(self.values(summed))} rings")
        return ", ".join(words)

    def _is_fixed(self, name: str, shown: Sequence[str | None]) -> bool:
        return name not in shown and len(self.values(name)) == 1

    def lacking(self) -> str:
        """Describe how many of the runs have no result; empty where all have one."""
        status = self.store.column("status")[self.runs]
        counts = {state: int((status == state).sum()) for state in (State.FAILED, State.PENDING)}
        return ", ".join(f"{count} {state.word}" for state, count in counts.items() if count)

    def doubts(self) -> str:
        """Return the names of the runs' notes for the title; their sentences go to the terminal."""
        notes = Notes.of(self.store, self.runs)
        self.page.notes += notes.lines
        return f"notes: {notes.summary}" if notes.summary else ""


def with_unit(store: Store, name: str, value: Any) -> str:
    """Return a value with its unit, such as ``4000 K``, without a breakable space."""
    quantity = Quantity.of_axis(store, name)
    return quantity.with_unit(value, plain(value)).replace(" ", "\u00a0")


def source(store: Store) -> str:
    """Return the sweep that the numbers are from."""
    return f"sweep {plain(store.description.title)}".replace(" ", "\u00a0")
