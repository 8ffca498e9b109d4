"""Options that several commands of ``marsdisk`` and ``sweep`` have."""

from typing import Any

import click

from .program import reporting


def parse_override(text: str, option: str = "--set") -> tuple[str, Any]:
    """Return the key and the value of ``key=value``, the value read as YAML.

    Raises
    ------
    click.BadParameter
        There is no key, or no ``=``.
    ConfigError
        The value is not YAML 1.2.
    """
    from ..common.text import shown, shown_text
    from ..config.yaml_file import parse_yaml

    key, separator, value = text.partition("=")
    key = key.strip()
    if not separator or not key:
        example = "for example temperature.T0=3000"
        raise click.BadParameter(f"{shown(text)} is not key=value, {example}")
    return key, parse_yaml(value, f"{option} {shown_text(text)}")


def override_text(key: str, value: Any) -> str:
    """Return ``key=value`` as :func:`parse_override` reads it."""
    from ..config.yaml_file import yaml_text

    document = yaml_text(value, default_flow_style=True, width=float("inf"))
    text = document.rstrip().removesuffix("\n...")
    return f"{key}={text}"


def assignments(
    context: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> dict[str, Any]:
    """Return the values of an option that takes ``key=value`` and is repeated."""
    from ..common.text import shown_text

    option = parameter.opts[0]
    pairs = reporting(context, lambda: [parse_override(value, option) for value in values])
    given: dict[str, Any] = {}
    for key, value in pairs:
        if key in given:
            raise click.BadParameter(f"{shown_text(key)} is given twice; drop one")
        given[key] = value
    return given


set_option = click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    callback=assignments,
    help="Override a key of the configuration; may be repeated.",
)
force_option = click.option("--force", is_flag=True, help="Overwrite an existing file.")
