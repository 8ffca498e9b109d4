"""Which runs a figure is about: chosen by a condition, laid out by the axes of the sweep, the rest fixed and said."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from ..errors import StoreError
from ..notes import Notes
from ..store import layout, reader
from ..views import Columns, adds_up, in_order, label, labels, parameters, ring_axis
from .page import Page, plain


@dataclass
class Choice:
    """Runs of a store and the dimensions in which they differ."""

    group: zarr.Group
    page: Page
    runs: NDArray[np.int64]

    @classmethod
    def of(
        cls, group: zarr.Group, page: Page, where: str | None, *, ring: int | None = None
    ) -> "Choice":
        """Runs for which ``where`` holds, of one ring if it is given; included runs are left out where there is a product of axes."""
        columns = Columns(group)
        runs = columns.where(where)
        if reader.axis_names(group):
            product = columns["in_product"][runs]
            if product.any() and not product.all():
                page.notes.append(
                    f"{counted(int((~product).sum()), 'included run')} not shown, being on none of"
                    " the axes"
                )
            runs = runs[product] if product.any() else runs
        if ring is not None:
            axis = ring_axis(group)
            if axis is None:
                raise StoreError("the sweep has no rings; drop --ring")
            runs = runs[columns[axis][runs] == ring]
        if not runs.size:
            raise StoreError(
                "no run is left to show; see: sweep show STORE"
                + (f" --where '{where}'" if where else "")
            )
        return cls(group, page, runs)

    @property
    def dimensions(self) -> list[str]:
        """Axes of the product; the parameters where there is none, or where an axis is a mere list of points."""
        axes = list(reader.axis_names(self.group))
        known = {"variant", ring_axis(self.group)}
        lists = [
            axis
            for axis in axes
            if axis not in known and "config_key" not in self.group[axis].attrs
        ]
        if axes and not lists:
            return axes
        rings = {"r_in_RM", "r_out_RM"} if ring_axis(self.group) else set()
        return [name for name in parameters(self.group) if name not in {*lists, *rings}]

    def values(self, name: str) -> list[Any]:
        """Each value of a parameter among the runs once."""
        if name not in parameters(self.group):
            raise StoreError(
                f"{name!r} is no parameter of the runs; there are"
                f" {', '.join(parameters(self.group))}"
            )
        every = labels(self.group, name)
        return in_order([every[run] for run in self.runs.tolist()])

    def tells_apart(self, *names: str | None) -> bool:
        """Whether no two of the runs have the same values of ``names``."""
        every = [labels(self.group, name) for name in names if name]
        return (
            len({tuple(values[run] for values in every) for run in self.runs.tolist()})
            == self.runs.size
        )

    def varying(self) -> list[str]:
        """Dimensions in which the runs differ."""
        return [name for name in self.dimensions if len(self.values(name)) > 1]

    def at(self, name: str, value: Any) -> "Choice":
        """Those of the runs that have a value."""
        every = labels(self.group, name)
        return Choice(
            self.group,
            self.page,
            np.array([run for run in self.runs.tolist() if every[run] == value], dtype=np.int64),
        )

    def middles(self, names: Sequence[str]) -> dict[str, Any]:
        """The middle value of each of ``names`` where they are numbers, the first of texts."""
        every = {name: self.values(name) for name in names}
        return {
            name: values[0] if isinstance(values[0], str) else values[(len(values) - 1) // 2]
            for name, values in every.items()
        }

    def middle(self, names: Sequence[str]) -> "Choice":
        """The runs that have one value of each of ``names``, the middle one of those that are left; notes which."""
        choice = self
        said = []
        for name in names:
            value = choice.middles([name])[name]
            choice = choice.at(name, value)
            said.append(f"{name} == {value!r}")
        if said:
            self.page.notes.append(f"chosen: {' and '.join(said)}; another with --where")
        return choice

    def over_rings(self, unit: str, used: Sequence[str | None]) -> str | None:
        """The ring axis to sum over: where there is one, the quantity adds up, and the figure does not show rings itself."""
        axis = ring_axis(self.group)
        if axis is None or axis in used or len(self.values(axis)) == 1:
            return None
        return axis if adds_up(unit) else None

    def fixed(self, *shown: str | None, summed: str | None = None) -> str:
        """What the runs share, in words: ``T0 = 4000 K, sum over 32 rings``."""
        words = [
            f"{name} = {with_unit(self.group, name, self.values(name)[0])}"
            for name in parameters(self.group)
            if self._is_fixed(name, shown)
        ]
        if summed:
            words.append(f"sum over {len(self.values(summed))} rings")
        return ", ".join(words)

    def _is_fixed(self, name: str, shown: Sequence[str | None]) -> bool:
        return name not in shown and len(self.values(name)) == 1

    def lacking(self) -> str:
        """How many of the runs have no result, in words; empty where all have."""
        status = reader.column(self.group, "status")[self.runs]
        counts = {
            "failed": int((status == layout.FAILED).sum()),
            "not done": int((status == layout.PENDING).sum()),
        }
        return ", ".join(f"{count} {what}" for what, count in counts.items() if count)

    def doubts(self) -> str:
        """What makes the runs doubtful: by name for the figure, and in whole sentences on the terminal."""
        notes = Notes.of(self.group, self.runs)
        self.page.notes += notes.lines
        return f"notes: {notes.summary}" if notes.summary else ""


def counted(count: int, what: str) -> str:
    """``1 run``, ``2 runs``."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def with_unit(group: zarr.Group, name: str, value: Any) -> str:
    """``4000 K``, which no line break parts."""
    unit = str(group[name].attrs.get("units", "1"))
    return (
        plain(value)
        if unit == "1" or isinstance(value, str)
        else f"{plain(value)}\u00a0{unit}".replace(" ", "\u00a0")
    )


def quantity(group: zarr.Group, name: str, summed: str | None, dims: tuple[str, ...] = ()) -> str:
    """``M_loss of the whole disk [M_Mars]``, after checking that it is a number with the dimensions ``dims`` beside run."""
    held = [
        key
        for key, array in sorted(group.arrays())
        if array.metadata.dimension_names == ("run", *dims)  # type: ignore[union-attr]
        and array.dtype.kind in "fiu"
        and not {"flag_values", "flag_masks"} & set(array.attrs)
    ]
    if name not in held:
        raise StoreError(
            f"{name!r} is no {'series' if dims else 'number per run'} of the store; there are"
            f" {', '.join(held)}"
        )
    text = label(group, name)
    return text.replace(name, f"{name} of the whole disk", 1) if summed else text


def unit_of(group: zarr.Group, name: str) -> str:
    """The unit of an array, 1 where it has none."""
    return str(group[name].attrs.get("units", "1")) if name in group else "1"


def source(group: zarr.Group) -> str:
    """Where the numbers are from."""
    return f"sweep {plain(group.attrs['title'])}".replace(" ", "\u00a0")
