"""How a quantity is shown: its unit, and its words on an axis or in a head.

Figures, the page, and tables of runs and totals take both from here. Conditions, expectations,
files, answers on sensitivity, comparisons of stores, and Python keep the units of the store.
"""

import itertools
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from marsdisk.physics.constants import DAY, M_MARS, R_MARS, YEAR
from marsdisk.physics.orbit import reference_radius

from ..common.errors import StoreError
from ..common.text import listed
from ..store import layout
from ..store.store import Store
from .columns import adds_up
from .selection import BOUNDS_OF_RINGS

MICROMETRE = 1e-6  # m
#: Times are shown in years where the largest is at least this [yr].
MIN_LARGEST_YEARS = 0.01
#: Lengths are shown in micrometres where the largest is below this [m].
MAX_LENGTH_IN_MICROMETRES = 1e-3
#: Masses and energies are shown in a power of a thousand where the smallest is no smaller than this
#: fraction of the largest, so that few zeros are written.
MIN_FRACTION_OF_LARGEST = 1e-3
#: Numbers that are written without a power of ten.
PLAIN_NUMBERS = (1e-3, 1e4)
#: Below this, the power of a thousand is no exact number any more.
MIN_WITH_POWER = 1e-290
#: Largest over smallest positive value beyond which a scale is logarithmic.
DECADE = 10.0
#: Units that a person may choose, by what they measure, in SI units; in the order of suggestions.
UNITS: Mapping[str, Mapping[str, float]] = {
    "mass": {"kg": 1.0, "M_Mars": M_MARS, "g": 1e-3},
    "length": {"m": 1.0, "µm": MICROMETRE, "mm": 1e-3, "cm": 1e-2, "km": 1e3, "R_M": R_MARS},
    "time": {"s": 1.0, "yr": YEAR, "d": DAY, "h": 3600.0},
    "temperature": {"K": 1.0},
    "energy": {"J": 1.0, "erg": 1e-7},
    "size in memory": {"byte": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9},
}
#: Other spellings of units.
SPELLINGS = {
    "um": "µm",
    "\N{GREEK SMALL LETTER MU}m": "µm",
    "year": "yr",
    "day": "d",
    "R_Mars": "R_M",
}
#: Units that a message suggests.
MAX_UNITS_LISTED = 9
#: Digits of the radius of a ring, unless more are needed to tell rings apart.
RADIUS_DIGITS = range(4, 13)


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
    factor : float
        That unit in units of the store.
    words : str
        What the quantity is called on an axis, such as ``M_loss of the whole disk``.
    radii : mapping of int to float
        Radius of each ring [R_M] by its number; empty unless they are shown in place of rings.
    """

    name: str
    stored_unit: str
    unit: str
    factor: float
    words: str
    radii: Mapping[Any, float] = field(default_factory=dict)

    @classmethod
    def of(
        cls, store: Store, name: str, values: ArrayLike | None = None, words: str = ""
    ) -> "Quantity":
        """Return how an array is shown.

        Parameters
        ----------
        store : Store
            The store.
        name : str
            Name of the array.
        values : array, optional
            What is shown of a result, in the unit of the store, which is kept by default.
            Parameters are shown in the unit of their key.
        words : str
            What the quantity is called; by default its name.

        Returns
        -------
        Quantity
            Its unit and words.

        Examples
        --------
        >>> t99 = Quantity.of(store, "t99", store.column("t99"))
        >>> t99.head, t99.convert(3.15576e7)
        ('t99 [yr]', 1.0)
        """
        stored_unit = store.unit(name)
        unit = stored_unit
        factor = 1.0
        if values is not None and not _keeps_unit(store, name):
            unit, factor = readable_unit(stored_unit, np.asarray(values, dtype=np.float64))
        return cls(name, stored_unit, unit, factor, words or name)

    @classmethod
    def of_axis(cls, store: Store, name: str) -> "Quantity":
        """Return how a parameter is shown along an axis: rings are shown by their radii."""
        radii = _radii_of_rings(store) if name == store.ring_axis else {}
        if not radii:
            return cls.of(store, name)
        return replace(RING_RADIUS, name=name, radii=radii)

    def in_unit(self, unit: str) -> "Quantity":
        """Return the quantity as it is shown in a unit that a person chose.

        Parameters
        ----------
        unit : str
            Such as ``kg``, ``kg/yr``, ``kg yr-1`` or ``1e-9 M_Mars``.

        Returns
        -------
        Quantity
            Named in the spelling of :data:`UNITS`.

        Raises
        ------
        StoreError
            The quantity has no unit, or cannot be converted to this one; the message names some
            that fit.

        Examples
        --------
        >>> Quantity.of(store, "M_loss").in_unit("kg").head
        'M_loss [kg]'
        """
        stored = _Unit.of(self.stored_unit)
        if stored is None or not stored.powers:
            raise StoreError(f"{self.name} has no unit that could be changed to {unit!r}")
        wanted = _Unit.of(unit)
        if wanted is None or wanted.dimensions != stored.dimensions:
            units = listed(list(stored.alternatives()), MAX_UNITS_LISTED)
            raise StoreError(
                f"{self.name} [{self.stored_unit}] cannot be shown in {unit!r}; units that fit:"
                f" {units}, and powers of ten of these such as '1e-9 {self.stored_unit}'"
            )
        # The power of ten by itself, so that 1e-9 M_Mars are just that.
        factor = float(wanted.power_of_ten or 1.0) * (wanted.size / stored.size)
        return replace(self, unit=wanted.name, factor=factor)

    @property
    def head(self) -> str:
        """The words with the unit, such as ``t99 [yr]``."""
        return self.words if self.unit == "1" else f"{self.words} [{self.unit}]"

    @property
    def mathtext(self) -> str:
        """The same with the quantity's symbol, as matplotlib typesets it."""
        words = self.words
        if self.name in layout.SYMBOLS:
            symbol = f"${layout.SYMBOLS[self.name]}$"
            words = re.sub(rf"\b{self.name}\b", lambda _: symbol, words, count=1)
        return words if self.unit == "1" else f"{words} [{unit_in_mathtext(self.unit)}]"

    def convert(self, values: ArrayLike) -> NDArray[np.float64]:
        """Return numbers in the unit in which they are shown."""
        return np.asarray(values, dtype=np.float64) / self.factor

    def label_of(self, value: Any) -> Any:
        """Return what stands for a value on an axis: for a ring, its radius."""
        return self.radii.get(value, value)

    def with_unit(self, value: Any, word: str) -> str:
        """Return a value of a parameter, given as a word, with its unit or a ring's radius.

        Examples
        --------
        >>> Quantity.of_axis(store, "ring").with_unit(3, "3")
        '3 (1.625 R_M)'
        """
        if value in self.radii:
            return f"{word} ({self.radii[value]} R_M)"
        if self.radii or self.unit == "1" or isinstance(value, str):
            return word
        return f"{word} {self.unit}"


#: Where a ring is, whatever the axis of rings is called.
RING_RADIUS = Quantity("ring", "1", "R_M", 1.0, "ring radius")


def _keeps_unit(store: Store, name: str) -> bool:
    """Return whether an array is shown in the unit of the store, whatever its values are."""
    return name in store.parameters or name in layout.COMPUTING_TIMES


def quantities_together(store: Store, columns: Mapping[str, NDArray[Any]]) -> dict[str, Quantity]:
    """Return how columns are shown next to each other: in one unit where the store has one.

    Parameters
    ----------
    store : Store
        The store.
    columns : mapping of str to array
        Values by name, in the units of the store. Only those of floats are converted.

    Returns
    -------
    dict of str to Quantity
        By name.
    """
    values_by_unit: dict[str, list[NDArray[Any]]] = {}
    for name, values in columns.items():
        if values.dtype.kind == "f" and not _keeps_unit(store, name):
            values_by_unit.setdefault(store.unit(name), []).append(values)
    quantities = {}
    for name, values in columns.items():
        alike = values_by_unit.get(store.unit(name), [])
        is_float = values.dtype.kind == "f" and bool(alike)
        quantities[name] = Quantity.of(store, name, np.concatenate(alike) if is_float else None)
    return quantities


def remark_on_units(quantities: Iterable[Quantity]) -> str:
    """Return a remark on quantities that are not shown in the unit of the store; empty for none.

    Examples
    --------
    >>> remark_on_units([Quantity.of(store, "t99", store.column("t99"))])
    't99 is shown in yr; conditions and files use s'
    """
    names_by_unit: dict[tuple[str, str], list[str]] = {}
    has_radii = False
    for quantity in quantities:
        if quantity.radii:
            has_radii = True
        elif quantity.unit != quantity.stored_unit:
            units = (quantity.unit, quantity.stored_unit)
            names_by_unit.setdefault(units, []).append(quantity.name)
    remarks = []
    for (unit, stored_unit), names in names_by_unit.items():
        verb = "is" if len(names) == 1 else "are"
        words = f"{', '.join(names)} {verb} shown in {unit}; conditions and files use {stored_unit}"
        remarks.append(words)
    if has_radii:
        remarks.append("Rings are shown by their radius; conditions use their number")
    return ". ".join(remarks)


def is_logarithmic(values: NDArray[Any]) -> bool:
    """Return whether values are shown on a logarithmic scale, in colours as on axes.

    They are where none is negative and the positive ones span more than a decade.
    """
    finite = values[np.isfinite(values)]
    positive = finite[finite > 0.0]
    has_negative = bool((finite < 0.0).any())
    if has_negative or not positive.size:
        return False
    return bool(positive.max() > DECADE * positive.min())


def is_logarithmic_time(times: Iterable[NDArray[np.float64]]) -> bool:
    """Return whether curves are shown over the logarithm of time.

    They are where most times of a curve are close to its start, as evenly spaced times are not.
    """
    ratios = [float(np.median(t[t > 0.0]) / t[-1]) for t in times if (t > 0.0).any()]
    return bool(ratios) and float(np.median(ratios)) * DECADE < 1.0


@lru_cache(maxsize=8)
def _radii_of_rings(store: Store) -> Mapping[Any, float]:
    """Return the radius of each ring [R_M], as the model uses it; empty where it is not unique."""
    if any(name not in store for name in BOUNDS_OF_RINGS):
        return {}
    rows = np.flatnonzero(store.column("in_product"))
    rings = store.column(str(store.ring_axis))[rows].tolist()
    bounds = [store.column(name)[rows].tolist() for name in BOUNDS_OF_RINGS]
    annuli = {*zip(rings, *bounds, strict=True)}
    radii = {ring: reference_radius(r_in, r_out) / R_MARS for ring, r_in, r_out in annuli}
    if len(radii) < len(annuli):
        return {}
    for digits in RADIUS_DIGITS:
        rounded = {ring: float(f"{radius:.{digits}g}") for ring, radius in radii.items()}
        if len({*rounded.values()}) == len(rounded):
            break
    return rounded


def readable_unit(unit: str, values: NDArray[np.float64]) -> tuple[str, float]:
    """Return the unit that suits values.

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
    if unit == "s" and largest >= MIN_LARGEST_YEARS * YEAR:
        return "yr", YEAR  # however small the smallest is: nobody reads 1e8 s
    if unit == "m" and largest < MAX_LENGTH_IN_MICROMETRES:
        return "µm", MICROMETRE
    lowest_plain, highest_plain = PLAIN_NUMBERS
    is_plain = lowest_plain <= largest < highest_plain
    is_wide = float(magnitudes.min()) < MIN_FRACTION_OF_LARGEST * largest
    if not adds_up(unit) or is_plain or is_wide or largest < MIN_WITH_POWER:
        return unit, 1.0
    exponent = 3 * math.floor(math.log10(largest) / 3)
    return f"1e{exponent} {unit}", float(f"1e{exponent}")


@dataclass(frozen=True)
class _Unit:
    """A product of powers of :data:`UNITS`, times a power of ten."""

    power_of_ten: str  #: as it was written, such as ``1e-9``; empty for none
    powers: tuple[tuple[str, int], ...]  #: units with their exponents

    @classmethod
    def of(cls, text: str) -> "_Unit | None":
        """Return the unit that a text stands for, or None if it stands for none."""
        power_of_ten = ""
        powers = list[tuple[str, int]]()
        numerator, *denominators = text.split("/")
        for sign, part in ((1, numerator), *((-1, part) for part in denominators)):
            words = part.split()
            # of a/b c, it is not known where c belongs
            if not words or (sign < 0 and len(words) > 1):
                return None
            for word in words:
                if re.fullmatch(r"1e[+-]?\d{1,3}", word) and word == text.split()[0]:
                    power_of_ten = f"1e{int(word[2:])}"
                    continue
                match = re.fullmatch(r"(.*?[^-+^\d])\^?([-+]?\d)?", word)
                unit = SPELLINGS.get(match[1], match[1]) if match else ""
                if match is None or not _dimension_of(unit):
                    return None
                powers.append((unit, sign * int(match[2] or 1)))
        return cls(power_of_ten, tuple(powers))

    @property
    def dimensions(self) -> dict[str, int]:
        """What it measures: the exponent of each key of :data:`UNITS`."""
        exponents: dict[str, int] = {}
        for unit, exponent in self.powers:
            dimension = _dimension_of(unit)
            exponents[dimension] = exponents.get(dimension, 0) + exponent
        return {dimension: exponent for dimension, exponent in exponents.items() if exponent}

    @property
    def size(self) -> float:
        """The unit in SI units, without its power of ten."""
        size = 1.0
        for unit, exponent in self.powers:
            size *= UNITS[_dimension_of(unit)][unit] ** exponent
        return size

    @property
    def name(self) -> str:
        """The unit as the store would write it, such as ``1e-9 M_Mars s-1``."""
        words = [self.power_of_ten] if self.power_of_ten else []
        for unit, exponent in self.powers:
            words.append(unit if exponent == 1 else f"{unit}{exponent}")
        return " ".join(words)

    def alternatives(self) -> Iterable[str]:
        """Return names of the units that measure the same, without powers of ten."""
        choices = []
        for unit, exponent in self.powers:
            same_kind = UNITS[_dimension_of(unit)]
            choices.append([(each, exponent) for each in same_kind])
        for powers in itertools.product(*choices):
            yield _Unit("", powers).name


def _dimension_of(unit: str) -> str:
    """Return the key of :data:`UNITS` that has a unit; empty if none has it."""
    for dimension, units in UNITS.items():
        if unit in units:
            return dimension
    return ""


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
    letter, _, index = base.partition("_")
    roman = rf"{letter}_\mathrm{{{index}}}" if index else rf"\mathrm{{{base}}}"
    return f"{roman}^{{{exponent}}}" if exponent else roman
