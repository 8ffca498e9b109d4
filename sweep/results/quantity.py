"""How a quantity is read: the unit that it is shown in, and the words of its axis or head.

Figures, the page, and tables in the terminal take both from here. Conditions, expectations, files,
and Python keep the units of the store.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from marsdisk.physics.constants import R_MARS, YEAR
from marsdisk.physics.orbit import reference_radius

from ..store import layout
from ..store.store import Store
from .cells import Cells
from .columns import adds_up
from .selection import BOUNDS_OF_RINGS

MICROMETRE = 1e-6  # m
#: Times that end later than this are shown in years.
MIN_YEARS_SHOWN = 0.01
#: Lengths below this are shown in micrometres [m].
MAX_MICROMETRES_SHOWN = 1e-3
#: Masses and energies are shown in a power of a thousand where the smallest is no smaller than this
#: fraction of the largest, so that few zeros are written.
MIN_FRACTION_OF_LARGEST = 1e-3
#: Largest over smallest positive value beyond which a scale is logarithmic.
DECADE = 10.0
RADIUS_DIGITS = 4  #: of a ring, on axes
#: Numbers that are written without a power of ten.
PLAIN_NUMBERS = (1e-3, 1e4)


@dataclass(frozen=True)
class Quantity:
    """An array of a store as people read it.

    Attributes
    ----------
    name : str
        Name of the array.
    stored_unit : str
        Unit of its values in the store; 1 where they have none.
    unit : str
        Unit in which they are shown.
    size : float
        That unit in units of the store.
    words : str
        What the quantity is called on an axis, such as ``M_loss of the whole disk``.
    radii : mapping of int to float
        Radius of each ring [R_M] by its number; empty unless the values are rings.
    """

    name: str
    stored_unit: str
    unit: str
    size: float
    words: str
    radii: Mapping[Any, float] = field(default_factory=dict)

    @classmethod
    def of(
        cls, store: Store, name: str, values: ArrayLike | None = None, words: str = ""
    ) -> "Quantity":
        """Return how an array is read.

        Parameters
        ----------
        store : Store
            The store.
        name : str
            Name of the array.
        values : array, optional
            What is shown of a result. Parameters are shown in the unit of their key.
        words : str
            What the quantity is called; by default its name.

        Returns
        -------
        Quantity
            Its unit, size, and words.

        Examples
        --------
        >>> t99 = Quantity.of(store, "t99", store.column("t99"))
        >>> t99.head, t99.shown(3.15576e7)
        ('t99 [yr]', 1.0)
        """
        stored_unit = store.unit(name)
        unit = stored_unit
        size = 1.0
        if values is not None and name not in store.parameters:
            unit, size = readable_unit(stored_unit, np.asarray(values, dtype=np.float64))
        return cls(name, stored_unit, unit, size, words or name)

    @classmethod
    def along(cls, store: Store, name: str) -> "Quantity":
        """Return how a parameter is read along an axis: of rings, the radii stand there."""
        radii = _radii_of_rings(store) if name == store.ring_axis else {}
        if not radii:
            return cls.of(store, name)
        return cls(name, "1", "R_M", 1.0, "ring radius", radii)

    @property
    def head(self) -> str:
        """The words with the unit, such as ``t99 [yr]``."""
        return self.words if self.unit == "1" else f"{self.words} [{self.unit}]"

    @property
    def mathtext(self) -> str:
        """The same with the quantity's symbol, as matplotlib typesets it."""
        symbol = layout.SYMBOLS.get(self.name)
        words = self.words.replace(self.name, f"${symbol}$", 1) if symbol else self.words
        return words if self.unit == "1" else f"{words} [{unit_in_mathtext(self.unit)}]"

    def shown(self, values: ArrayLike) -> NDArray[np.float64]:
        """Return values in the unit in which they are shown."""
        return np.asarray(values, dtype=np.float64) / self.size

    def tick(self, value: Any) -> Any:
        """Return what stands for a value on an axis: for a ring, its radius."""
        return self.radii.get(value, value)


def remark_on_units(quantities: Iterable[Quantity]) -> str:
    """Return a remark on quantities that are not shown in the unit of the store; empty for none.

    Examples
    --------
    >>> remark_on_units([Quantity.of(store, "t99", store.column("t99"))])
    't99 is shown in yr; conditions and files have s'
    """
    converted = [each for each in quantities if each.unit != each.stored_unit and not each.radii]
    if not converted:
        return ""
    shown = " and ".join(f"{each.name} in {each.unit}" for each in converted)
    stored = " and ".join(dict.fromkeys(each.stored_unit for each in converted))
    first, _, others = shown.partition(" in ")
    return f"{first} is shown in {others}; conditions and files have {stored}"


def is_logarithmic(values: NDArray[Any]) -> bool:
    """Return whether values are read on a logarithmic scale, in colours as on axes.

    They are where none is negative and the positive ones span more than a decade.
    """
    finite = values[np.isfinite(values)]
    positive = finite[finite > 0.0]
    has_negative = bool((finite < 0.0).any())
    if has_negative or not positive.size:
        return False
    return bool(positive.max() > DECADE * positive.min())


def shown_cells(cells: Cells, quantity: Quantity, along_x: Quantity, along_y: Quantity) -> Cells:
    """Return cells as they are shown: values in their unit of display, radii in place of rings."""
    return replace(
        cells,
        x=[along_x.tick(value) for value in cells.x],
        y=[along_y.tick(value) for value in cells.y],
        value=quantity.shown(cells.value),
    )


def _radii_of_rings(store: Store) -> dict[Any, float]:
    """Return the radius of each ring [R_M], as the model uses it; empty where it is not unique."""
    if any(name not in store for name in BOUNDS_OF_RINGS):
        return {}
    rows = np.flatnonzero(store.column("in_product"))
    rings = store.column(str(store.ring_axis))[rows].tolist()
    bounds = [store.column(name)[rows].tolist() for name in BOUNDS_OF_RINGS]
    annuli = {*zip(rings, *bounds, strict=True)}
    radii = {}
    for ring, r_in, r_out in annuli:
        radius = reference_radius(r_in, r_out) / R_MARS
        radii[ring] = float(f"{radius:.{RADIUS_DIGITS}g}")
    return radii if len(radii) == len(annuli) else {}


def readable_unit(unit: str, values: NDArray[np.float64]) -> tuple[str, float]:
    """Return the unit in which values are read best.

    Parameters
    ----------
    unit : str
        Unit of the store.
    values : array
        What is shown, in that unit.

    Returns
    -------
    unit : str
        Years for long times, micrometres for small lengths, a power of a thousand for masses and
        energies, or the unit of the store.
    size : float
        Size of that unit, in units of the store.
    """
    magnitudes = np.abs(values[np.isfinite(values) & (values != 0.0)])
    if not magnitudes.size:
        return unit, 1.0
    largest = float(magnitudes.max())
    if unit == "s" and largest > MIN_YEARS_SHOWN * YEAR:
        return "yr", YEAR
    if unit == "m" and largest < MAX_MICROMETRES_SHOWN:
        return "µm", MICROMETRE
    lowest_plain, highest_plain = PLAIN_NUMBERS
    is_plain = lowest_plain <= largest < highest_plain
    is_wide = float(magnitudes.min()) < MIN_FRACTION_OF_LARGEST * largest
    if not adds_up(unit) or is_plain or is_wide:
        return unit, 1.0
    exponent = 3 * math.floor(math.log10(largest) / 3)
    return f"1e{exponent} {unit}", float(f"1e{exponent}")


def unit_in_mathtext(unit: str) -> str:
    r"""Return a unit as matplotlib typesets it.

    Examples
    --------
    >>> print(unit_in_mathtext("1e-9 M_Mars s-1"))
    $10^{-9}\,M_\mathrm{Mars}\,\mathrm{s}^{-1}$
    """
    factors = r"\,".join(map(_factor_in_mathtext, unit.split(" ")))
    return f"${factors}$"


def _factor_in_mathtext(factor: str) -> str:
    mantissa, _, power = factor.partition("e")
    if mantissa == "1" and power:
        return f"10^{{{power}}}"
    base = factor.rstrip("-0123456789")
    exponent = factor[len(base) :]
    quantity, _, index = base.partition("_")
    roman = rf"{quantity}_\mathrm{{{index}}}" if index else rf"\mathrm{{{base}}}"
    return f"{roman}^{{{exponent}}}" if exponent else roman
