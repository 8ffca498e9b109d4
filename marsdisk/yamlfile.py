"""YAML as people write it: 1e-7 is a number, `off` is a word, and a key given twice is an error."""

import re
from pathlib import Path
from typing import Any

import yaml

from .errors import ConfigError
from .physics.textfile import file_bytes


class _Loader(yaml.SafeLoader):
    """YAML 1.1 reads 1e-7 as text and on/off/yes/no as booleans; YAML 1.2 and people do not."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - as the base class declares it
        first: [(tag, pattern) for tag, pattern in resolvers if tag not in {"tag:yaml.org,2002:bool", "tag:yaml.org,2002:float"}]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = next((i for i, key in enumerate(keys) if key in keys[:i]), None)
        if twice is not None:
            raise yaml.constructor.ConstructorError(None, None, f"the key {keys[twice]!r} is given twice", node.value[twice][0].start_mark)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF"))
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:(?:\d+\.\d*|\.\d+)(?:[eE][-+]?\d+)?|\d+[eE][-+]?\d+|\.(?:inf|Inf|INF))$|^\.(?:nan|NaN|NAN)$"),
    list("-+0123456789."),
)


def parse_yaml(text: str, where: str) -> Any:
    """The content of a YAML text; ``where`` names it in errors."""
    try:
        return yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        raise ConfigError([" ".join(str(error).replace("<unicode string>", "the file").split())], where) from error


def read_yaml_mapping(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file.

    Raises
    ------
    ConfigError
        The file is missing, unreadable, not YAML, or holds something else than a mapping.
    """
    try:
        text = file_bytes(path).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise ConfigError([f"cannot be read: {reason}; check the path"], str(path)) from error
    content = parse_yaml(text, str(path))
    if not isinstance(content, dict):
        what = {type(None): "an empty file", list: "a list", str: "a text"}.get(type(content), "a single value")
        raise ConfigError([f"must hold sections with keys, not {what}"], str(path))
    return content
