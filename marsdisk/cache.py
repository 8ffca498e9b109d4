"""Run-local cache: six slots of derived arrays, each valid for exactly one key.

A cache never changes a number: a slot whose key differs in any field is dropped and rebuilt, and
the field that differed is counted as the reason. Without a cache the same builders run every time.
"""

import dataclasses
import enum
import itertools
import threading
import time
from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any, NoReturn, TypeVar

import numpy as np
from numpy.typing import NDArray

from .common.errors import CacheError, CacheRefusedError

T = TypeVar("T")
Counts = NDArray[np.int64]


class CacheKind(enum.StrEnum):
    """The six slots."""

    WEIGHTS_TABLE = "weights_table"
    FRAGMENT_TENSOR = "fragment_tensor"
    PAIR_WORKSPACE = "pair_workspace"
    QSTAR_MATRIX = "qstar_matrix"
    GAIN_WORKSPACE = "gain_workspace"
    SUPPLY_WEIGHTS = "supply_weights"


#: Fields of each slot's key: everything that its value depends on.
KEY_FIELDS: dict[CacheKind, tuple[str, ...]] = {
    CacheKind.WEIGHTS_TABLE: ("edges_version", "alpha_frag"),
    CacheKind.FRAGMENT_TENSOR: (
        "sizes_version",
        "edges_version",
        "rho",
        "v_rel",
        "alpha_frag",
        "qstar_signature",
    ),
    CacheKind.PAIR_WORKSPACE: ("sizes_version", "rho"),
    CacheKind.QSTAR_MATRIX: ("sizes_version", "rho", "v_rel", "qstar_signature"),
    CacheKind.GAIN_WORKSPACE: ("sizes_version", "rho"),
    CacheKind.SUPPLY_WEIGHTS: (
        "mode",
        "sizes_version",
        "edges_version",
        "rho",
        "s_min_eff",
        "s_inj_min",
        "s_inj_max",
        "q",
        "initial_version",
    ),
}
#: Why a slot can be invalidated: every key field, in the order of first mention.
REASONS: tuple[str, ...] = tuple(dict.fromkeys(itertools.chain(*KEY_FIELDS.values())))
_KINDS = tuple(CacheKind)
_INDEX = {kind: i for i, kind in enumerate(_KINDS)}
_REASON_INDEX = {reason: i for i, reason in enumerate(REASONS)}


@dataclasses.dataclass(frozen=True, eq=False)
class CacheStats:
    """Counters of one run.

    A lookup is a hit, a miss (empty slot, or cache off) or a rebuild (a key field differed).
    """

    hits: Counts  #: (slots,)
    misses: Counts  #: (slots,)
    rebuilds: Counts  #: (slots,)
    refused: Counts  #: (slots,) values that were not finite
    bytes: Counts  #: (slots,) size of the values in the cache
    build_time: NDArray[np.float64]  #: (slots,) s
    invalidations: Counts  #: (slots, reasons) key fields that differed when a slot was rebuilt

    @classmethod
    def zero(cls) -> "CacheStats":
        """Return counters at zero."""
        slots = len(_KINDS)
        return cls(
            hits=np.zeros(slots, np.int64),
            misses=np.zeros(slots, np.int64),
            rebuilds=np.zeros(slots, np.int64),
            refused=np.zeros(slots, np.int64),
            bytes=np.zeros(slots, np.int64),
            build_time=np.zeros(slots),
            invalidations=np.zeros((slots, len(REASONS)), np.int64),
        )

    @property
    def lookups(self) -> Counts:
        """Lookups of each slot, (slots,)."""
        return self.hits + self.misses + self.rebuilds

    @property
    def hit_rate(self) -> float:
        """Hits over lookups, all slots together; NaN before the first lookup."""
        lookups = int(self.lookups.sum())
        if lookups == 0:
            return float("nan")
        return int(self.hits.sum()) / lookups

    def line(self) -> str:
        """Return one line for a log: hits/lookups of each slot, and the reasons of its rebuilds."""
        slots = []
        for i, kind in enumerate(_KINDS):
            slot = f"{kind} {self.hits[i]}/{self.lookups[i]}"
            reasons = []
            for reason, count in zip(REASONS, self.invalidations[i], strict=True):
                if count:
                    reasons.append(f"{reason} {count}")
            if reasons:
                slot += f" ({', '.join(reasons)})"
            slots.append(slot)
        return "; ".join(slots)


@dataclasses.dataclass
class _Slot:
    key: dict[str, Hashable] | None = None
    value: Any = None
    size: int = 0  # bytes


def _arrays(value: Any) -> Iterator[NDArray[Any]]:
    if isinstance(value, np.ndarray):
        yield value
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from _arrays(getattr(value, field.name))
    elif isinstance(value, tuple):
        for item in value:
            yield from _arrays(item)


class RunCache:
    """Six slots, each holding at most one value.

    Parameters
    ----------
    enabled : bool
        False computes every value again; nothing else changes.
    """

    def __init__(self, *, enabled: bool = True) -> None:
        self.enabled = enabled
        self._owner = threading.get_ident()
        self._slots = {kind: _Slot() for kind in _KINDS}
        self._stats = CacheStats.zero()

    def lookup(self, kind: str, key: Mapping[str, Hashable], build: Callable[[], T]) -> T:
        """Return the value of a slot for a key; build it if the slot does not hold it.

        Parameters
        ----------
        kind : str
            The slot, one of :class:`CacheKind`.
        key : mapping
            A value for each of the slot's :data:`KEY_FIELDS`.
        build : callable
            Returns the value.

        Returns
        -------
        object
            The value; its arrays are read-only.

        Raises
        ------
        CacheError
            It is called from another thread than the cache's, or with other key fields than the
            slot's.
        CacheRefusedError
            The value that was built contains NaN or infinity; it is counted and not stored.
        """
        self._check_thread()
        slot_kind = CacheKind(kind)
        slot = self._slots[slot_kind]
        index = _INDEX[slot_kind]
        stats = self._stats
        if slot.key is not None and slot.key == key:
            stats.hits[index] += 1
            value: T = slot.value
            return value
        if set(key) != set(KEY_FIELDS[slot_kind]):
            raise CacheError(
                f"slot {kind} has the key fields {', '.join(KEY_FIELDS[slot_kind])}, not"
                f" {', '.join(key)}"
            )
        if slot.key is None:
            stats.misses[index] += 1
        else:
            stats.rebuilds[index] += 1
            for field, value_in_slot in slot.key.items():
                if key[field] != value_in_slot:
                    stats.invalidations[index, _REASON_INDEX[field]] += 1
            self._slots[slot_kind] = slot = _Slot()
        begin = time.perf_counter()
        value = build()
        stats.build_time[index] += time.perf_counter() - begin
        arrays = list(_arrays(value))
        for array in arrays:
            if not np.all(np.isfinite(array)):
                stats.refused[index] += 1
                raise CacheRefusedError(
                    f"{kind} is not finite for {dict(key)}; check the sizes, density and speed it"
                    " is made from"
                )
            array.setflags(write=False)
        if self.enabled:
            slot.key = dict(key)
            slot.value = value
            slot.size = sum(array.nbytes for array in arrays)
        return value

    def clear(self) -> None:
        """Empty every slot; the counters stay."""
        self._check_thread()
        self._slots = {kind: _Slot() for kind in _KINDS}

    def restart_counts(self) -> None:
        """Set all counters to zero; what the slots hold stays."""
        self._check_thread()
        self._stats = CacheStats.zero()

    def stats(self) -> CacheStats:
        """Return a copy of the counters since the last restart."""
        counters = self._stats
        return CacheStats(
            hits=counters.hits.copy(),
            misses=counters.misses.copy(),
            rebuilds=counters.rebuilds.copy(),
            refused=counters.refused.copy(),
            bytes=np.array([slot.size for slot in self._slots.values()], np.int64),
            build_time=counters.build_time.copy(),
            invalidations=counters.invalidations.copy(),
        )

    def _check_thread(self) -> None:
        if threading.get_ident() != self._owner:
            raise CacheError(
                "a RunCache belongs to the thread that made it: two threads would count and replace"
                " each other's values; make one per thread"
            )

    def __reduce__(self) -> NoReturn:
        raise CacheError(
            "a RunCache cannot be pickled or copied: it belongs to one thread of one process; make"
            " a new one where it is needed"
        )
