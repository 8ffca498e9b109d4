"""Stages of a set-up that are not done again for configurations which agree in all that a stage reads."""

import functools
from collections.abc import Callable
from operator import itemgetter
from typing import Any, TypeVar, cast

from .config import RunConfig

T = TypeVar("T")
Stage = Callable[[RunConfig], T]


class _Known:
    """What a stage gave for sections of certain names."""

    def __init__(self, names: frozenset[str]) -> None:
        one, *others = names
        # which gives a tuple for two names and more only
        self.names, self.pick = names, itemgetter(one, *(others or [one]))
        # by identity; the sections are held, so that it stays theirs
        self.found: dict[tuple[int, ...], tuple[Any, tuple[object, ...]]] = {}


class Memory:
    """What stages gave, by the sections that each was seen to read.

    What a stage reads next depends only on what it has read, so that one which meets the very same
    sections again would go the same way through them. Sections are told apart by identity: it pays
    where configurations share them, as those of :class:`marsdisk.config.Variations` do.
    """

    # results of a stage: enough for two axes of a product, and not growing with the samples of a
    # design
    MANY = 20_000

    def __init__(self) -> None:
        self._known: dict[Stage[Any], dict[frozenset[str], _Known]] = {}
        self._last: dict[Callable[..., Any], tuple[tuple[object, ...], Any]] = {}

    def again(self, make: Callable[..., T], *given: object) -> T:
        """``make(*given)``, or what it gave the last time if that was for the very same objects and equal numbers."""
        before, value = self._last.get(make, ((), None))
        if len(before) != len(given) or not all(
            a is b or (type(a) is type(b) is float and a == b)
            for a, b in zip(before, given, strict=True)
        ):
            value = make(*given)
            self._last[make] = given, value
        return cast(T, value)

    def of(self, sections: dict[str, Any]) -> RunConfig:
        """A configuration of these sections for stages that are to remember."""
        return cast(RunConfig, _Reader(sections, self._known))


class _Reader:
    """A configuration that notes which of its sections are read."""

    __slots__ = ("_known", "_read", "_sections")

    def __init__(
        self, sections: dict[str, Any], known: dict[Stage[Any], dict[frozenset[str], _Known]]
    ) -> None:
        self._sections, self._known, self._read = sections, known, set[str]()

    def __getattr__(self, name: str) -> Any:
        if name in self._sections:
            self._read.add(name)
            return self._sections[name]
        return getattr(RunConfig, name).__get__(self)

    def recall(self, stage: Stage[T]) -> T:
        known = self._known.setdefault(stage, {})
        for before in known.values():
            there = before.found.get(tuple(map(id, before.pick(self._sections))))
            if there is not None:
                self._read |= before.names
                return cast(T, there[0])
        reader = _Reader(self._sections, self._known)
        value = stage(cast(RunConfig, reader))
        names = frozenset(reader._read)
        self._read |= names
        kept = known.setdefault(names, _Known(names))
        if len(kept.found) > Memory.MANY:
            kept.found.clear()
        sections = kept.pick(self._sections)
        kept.found[tuple(map(id, sections))] = value, sections
        return value


def stage(function: Stage[T]) -> Stage[T]:
    """Let a function of a configuration alone remember, where the configuration is one of :meth:`Memory.of`."""

    @functools.wraps(function)
    def staged(config: RunConfig) -> T:
        return config.recall(function) if isinstance(config, _Reader) else function(config)

    return staged


def remembering(config: RunConfig, memory: Memory | None = None) -> RunConfig:
    """``config`` for stages that are to remember, if only each other's results."""
    return config if isinstance(config, _Reader) else (memory or Memory()).of(config.__dict__)
