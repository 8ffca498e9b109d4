"""Read a YAML file by the core schema of YAML 1.2.

libyaml parses the text into events. Their meaning is defined here; the meanings of YAML 1.1 that
PyYAML gives them are not used. The content consists of mappings, lists, texts, numbers, true, false
and null only.
"""

import re
import sys
from collections.abc import Iterator
from typing import Any

import yaml
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from ..common.text import shown, shown_text
from ..io.numbers import NUMBER, number_advice, read_number
from .yaml_errors import YamlError, explain_parser_error, refuse_unreadable_characters

MAX_DEPTH = 50  # levels of mappings and lists; a configuration has six
MAX_REPEATED = 100_000  # values that aliases may add
MAX_PATH = 1000  # characters of a path of keys whose line is kept

TAG = "tag:yaml.org,2002:"
# Without libyaml the parser of PyYAML gives the same events, but more slowly.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
_WHOLE = re.compile(r"[-+]?[0-9]+")
OTHER_BASE = re.compile("0o[0-7]+|0x[0-9a-fA-F]+")
NUMBERS_BEGIN = frozenset("+-.0123456789")
_TYPES: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
    "null": (type(None),),
}


def plain_value(text: str) -> Any:
    """Return the value of a text without quotes.

    Parameters
    ----------
    text : str
        A scalar of a YAML file, without blanks around it.

    Returns
    -------
    str, int, float, bool or None

    Raises
    ------
    ValueError
        A number is too large or too small.

    Examples
    --------
    >>> [plain_value(text) for text in ("010", "1e-7", "1:30", "2024-01-20", "off", "true", "~")]
    [10, 1e-07, '1:30', '2024-01-20', 'off', True, None]
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in NUMBERS_BEGIN:
        return text
    if OTHER_BASE.fullmatch(text):
        integer = int(text, 0)
        if integer > sys.float_info.max:
            raise ValueError(f"{shown_text(text)} is too large; numbers end at 1.8e308")
        return integer
    if not NUMBER.fullmatch(text):
        return text
    number = read_number(text)
    return int(text) if _WHOLE.fullmatch(text) else number


#: Value of an anchor while it is being read.
_UNFINISHED = object()


class _Reader:
    """Builds the content of a document from the events of its parser."""

    def __init__(self, events: Iterator[Event]) -> None:
        #: number of the line of each key, by its path in messages
        self.lines: dict[str, int] = {}
        self._events = events
        self._anchored: dict[str, Any] = {}
        self._depth = 0
        self._repeated = 0

    def content(self) -> Any:
        """Return the content of the only document.

        Raises
        ------
        YamlError
            There is a second document, or one that is not YAML 1.2.
        """
        content = None
        documents = 0
        for event in self._events:
            if isinstance(event, DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise _error("a second document begins; write one, without ---", event)
                if event.version == (1, 1):
                    raise _error("the file is read as YAML 1.2; drop this line", event)
            elif isinstance(event, NodeEvent):
                content = self._value(event, "")
        return content

    def _value(self, event: Event, path: str | None) -> Any:
        if isinstance(event, AliasEvent):
            return self._repeat(self._anchored_value(event), self._depth, event)
        if isinstance(event, NodeEvent) and event.anchor:
            self._anchored[event.anchor] = _UNFINISHED
        if isinstance(event, ScalarEvent):
            value = _scalar_value(event)
        else:
            self._depth += 1
            self._refuse_deeper(self._depth, event)
            value = self._collection(event, path)
            self._depth -= 1
        if isinstance(event, NodeEvent) and event.anchor:
            self._anchored[event.anchor] = value
        return value

    def _collection(self, event: Event, path: str | None) -> list[Any] | dict[str, Any]:
        if isinstance(event, MappingStartEvent):
            _refuse_tag(event, event.tag, "map")
            return self._mapping(event, path)
        if isinstance(event, SequenceStartEvent):
            _refuse_tag(event, event.tag, "seq")
        return self._list(path)

    def _list(self, path: str | None) -> list[Any]:
        values: list[Any] = []
        for event in self._events:
            if isinstance(event, SequenceEndEvent):
                break
            item_path = self._path(path, f"[{len(values)}]", event)
            values.append(self._value(event, item_path))
        return values

    def _path(self, path: str | None, step: str, event: Event) -> str | None:
        """Return the path that a step leads to, its line noted; None, and no note, if long."""
        if path is None or len(path) + len(step) > MAX_PATH:
            return None
        self.lines.setdefault(path + step, _line_number(event))
        return path + step

    def _mapping(self, start: Event, path: str | None) -> dict[str, Any]:
        written: dict[str, Any] = {}
        merged: dict[str, Any] | None = None
        previous: Event = start
        for event in self._events:
            if isinstance(event, MappingEndEvent):
                break
            if not isinstance(event, ScalarEvent):
                raise _error("a key must be a word, in quotes if it has signs in it", event)
            key = self._key(event)
            value_event = next(self._events)
            _refuse_typing_errors(previous, event, value_event)
            key_path = self._path(path, f".{key}" if path else key, event)
            value = self._value(value_event, key_path)
            if key == "<<" and _is_plain(event):
                if merged is not None:
                    raise _error("<< is given twice; write <<: [*first, *second]", event)
                merged = _merge_keys(value, event)
            elif key in written:
                raise _error(f"the key {shown(key)} is given twice; drop one", event)
            else:
                written[key] = value
            previous = value_event
        return {**(merged or {}), **written}

    def _key(self, event: ScalarEvent) -> str:
        """Return a key, which is always a text, as it is written."""
        if event.anchor:
            self._anchored[event.anchor] = event.value
        if not event.value:
            raise _error("a key is missing before the colon", event)
        return event.value

    def _anchored_value(self, event: AliasEvent) -> Any:
        """Return the value of an alias."""
        name = shown_text(str(event.anchor))
        if event.anchor not in self._anchored:
            advice = f"put *{name} in quotes, or write &{name} before what it repeats"
            raise _error(f"there is no value called {name}; {advice}", event)
        value = self._anchored[event.anchor]
        if value is _UNFINISHED:
            advice = f"write out what *{name} is"
            raise _error(f"the value called {name} holds itself; {advice}", event)
        return value

    def _repeat(self, value: Any, depth: int, event: Event) -> Any:
        """Return a copy of the value of an alias."""
        self._repeated += 1
        if self._repeated > MAX_REPEATED:
            raise _error(f"aliases repeat more than {MAX_REPEATED} values; write axes", event)
        if isinstance(value, dict | list):
            depth += 1
            self._refuse_deeper(depth, event)
        if isinstance(value, dict):
            return {key: self._repeat(inner, depth, event) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._repeat(inner, depth, event) for inner in value]
        return value

    def _refuse_deeper(self, depth: int, event: Event) -> None:
        if depth > MAX_DEPTH:
            raise _error(f"there are more than {MAX_DEPTH} levels of brackets; take fewer", event)


def _line_number(event: Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


def _refuse_tag(event: Event, tag: str | None, *allowed: str) -> None:
    if tag not in {None, "!", *(f"{TAG}{name}" for name in allowed)}:
        name = shown_text(str(tag).replace(TAG, "!!"))
        raise _error(f"the tag {name} means nothing here; drop it", event)


def _error(problem: str, event: Event) -> YamlError:
    return YamlError(problem, _line_number(event))


def _is_plain(event: ScalarEvent) -> bool:
    """Return whether a text has neither quotes nor a tag."""
    return event.tag is None and bool(event.implicit[0])


def _scalar_value(event: ScalarEvent) -> Any:
    _refuse_tag(event, event.tag, "str", *_TYPES)
    if event.style in {"|", ">"} and not event.value:
        raise _error("> and | begin a text of several lines; put the text in quotes", event)
    kind = str(event.tag or "!").removeprefix(TAG)
    if not _is_plain(event) and kind in {"!", "str"}:
        return event.value
    try:
        value = plain_value(event.value)
    except ValueError as error:
        raise _error(str(error), event) from None
    if _is_plain(event):
        return value
    if type(value) not in _TYPES[kind]:
        raise _error(f"{shown(event.value)} is no {kind}; drop the tag !!{kind}", event)
    return float(value) if kind == "float" else value


def _merge_keys(value: Any, event: Event) -> dict[str, Any]:
    """Return the keys of ``<<: value``; a key in several mappings has the value of the first."""
    mappings = value if isinstance(value, list) else [value]
    merged: dict[str, Any] = {}
    for mapping in reversed(mappings):
        if not isinstance(mapping, dict):
            raise _error("<< takes keys of a section; write <<: *name, or [*first, *second]", event)
        merged |= mapping
    return merged


def _refuse_typing_errors(previous: Event, key: ScalarEvent, value_event: Event) -> None:
    """Refuse a key without a value that is half a number, or a key and its value in one word."""
    if not isinstance(value_event, ScalarEvent) or not _is_plain(value_event) or value_event.value:
        return
    if not _is_plain(key):
        return
    if isinstance(previous, ScalarEvent) and _is_plain(previous) and previous.value:
        number = f"{previous.value},{key.value}"
        advice = number_advice(number)
        if advice and _are_adjacent(previous, key):
            raise _error(f"{number} is no number; {advice}", key)
    name, colon, value = key.value.partition(":")
    if colon and value:
        word = shown_text(key.value)
        raise _error(f"{word}: a blank is missing after the colon; write {name}: {value}", key)


def read_document(text: str) -> tuple[Any, dict[str, int]]:
    """Return the content of a text, and the number of the line of each of its keys.

    Parameters
    ----------
    text : str
        One document.

    Returns
    -------
    content : dict, list, str, int, float, bool or None
    lines : dict
        Numbers of lines, by paths of keys as in messages, such as ``axes.temperature.T0[2]``.

    Raises
    ------
    YamlError
        The text is not YAML 1.2, or asks for more than mappings, lists, texts and numbers.
    """
    refuse_unreadable_characters(text)
    reader = _Reader(yaml.parse(text, Loader=_LOADER))
    try:
        return reader.content(), reader.lines
    except yaml.MarkedYAMLError as error:
        raise explain_parser_error(error, text) from None


def _are_adjacent(first: Event, second: Event) -> bool:
    """Return whether there is exactly one character between two parts of a text."""
    end = first.end_mark
    begin = second.start_mark
    return bool(end and begin and end.index + 1 == begin.index)
