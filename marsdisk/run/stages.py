"""Stages of a set-up, computed once for all configurations that agree in the sections they read.

What a stage reads is watched, not declared, because it depends on the configuration: the size grid
begins at ``sizes.s_min`` or, with ``psd.floor: blowout``, at a size that depends on the temperature
and on the length of the run. A declaration would have to name every section that may be read. The
576 cases of the main study share one grid; with declared sections it would be made 96 times, once
for each temperature and ring.
"""

import functools
from collections.abc import Callable
from operator import itemgetter
from typing import Any, TypeVar, cast

from ..config import RunConfig

T = TypeVar("T")
Stage = Callable[[RunConfig], T]


class _Results:
    """Results of a stage that read the sections of certain names."""

    def __init__(self, names: frozenset[str]) -> None:
        self.names = names
        if len(names) == 1:
            # with one name, itemgetter would return the section instead of a tuple
            (name,) = names
            self.pick = itemgetter(name, name)
        else:
            self.pick = itemgetter(*names)
        # The keys are identities of sections. The sections are kept along with each result, so
        # that no other object can take over their identity.
        self.by_identity: dict[tuple[int, ...], tuple[Any, tuple[object, ...]]] = {}


class Memory:
    """Results of stages, by the sections that each stage read.

    A stage is deterministic: given the same section objects it reads the same ones again, so its
    result can be looked up by their identities. This pays where configurations share sections, as
    those of :class:`marsdisk.config.build.Variations` do.
    """

    # Results of one stage: enough for two axes of a product, and a bound for the samples of a
    # design.
    MANY = 20_000

    def __init__(self) -> None:
        self._results: dict[Stage[Any], dict[frozenset[str], _Results]] = {}
        self._last_calls: dict[Callable[..., Any], tuple[tuple[object, ...], Any]] = {}

    def repeat(self, function: Callable[..., T], *arguments: object) -> T:
        """Return ``function(*arguments)``, from its last call if the arguments were the same.

        The same means the very same objects, or equal floats.
        """
        last_arguments, value = self._last_calls.get(function, ((), None))
        if not _are_same(last_arguments, arguments):
            value = function(*arguments)
            self._last_calls[function] = (arguments, value)
        return cast(T, value)

    def of(self, sections: dict[str, Any]) -> RunConfig:
        """Return a configuration of these sections whose stages use this memory."""
        return cast(RunConfig, _Reader(sections, self._results))


def _are_same(first: tuple[object, ...], second: tuple[object, ...]) -> bool:
    if len(first) != len(second):
        return False
    for a, b in zip(first, second, strict=True):
        are_equal_floats = type(a) is type(b) is float and a == b
        if a is not b and not are_equal_floats:
            return False
    return True


class _Reader:
    """A configuration that notes which of its sections are read."""

    __slots__ = ("_read", "_results", "_sections")

    def __init__(
        self, sections: dict[str, Any], results: dict[Stage[Any], dict[frozenset[str], _Results]]
    ) -> None:
        self._sections = sections
        self._results = results
        self._read: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        if name in self._sections:
            self._read.add(name)
            return self._sections[name]
        return getattr(RunConfig, name).__get__(self)

    def recall(self, stage: Stage[T]) -> T:
        """Return the result of a stage, from memory if its sections were met before."""
        results_of_stage = self._results.setdefault(stage, {})
        for results in results_of_stage.values():
            identities = tuple(map(id, results.pick(self._sections)))
            entry = results.by_identity.get(identities)
            if entry is not None:
                self._read |= results.names
                return cast(T, entry[0])
        reader = _Reader(self._sections, self._results)
        value = stage(cast(RunConfig, reader))
        names = frozenset(reader._read)
        self._read |= names
        results = results_of_stage.setdefault(names, _Results(names))
        if len(results.by_identity) > Memory.MANY:
            results.by_identity.clear()
        sections = results.pick(self._sections)
        results.by_identity[tuple(map(id, sections))] = (value, sections)
        return value


def stage(function: Stage[T]) -> Stage[T]:
    """Decorate a function of a configuration alone, so that a :class:`Memory` keeps its results."""

    @functools.wraps(function)
    def recalled(config: RunConfig) -> T:
        if isinstance(config, _Reader):
            return config.recall(function)
        return function(config)

    return recalled


def remembering(config: RunConfig, memory: Memory | None = None) -> RunConfig:
    """Return ``config`` for stages with a memory; by default a new one, for this configuration."""
    if isinstance(config, _Reader):
        return config
    return (memory or Memory()).of(config.__dict__)
