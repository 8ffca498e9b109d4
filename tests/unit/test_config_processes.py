"""The sections of a configuration take what they hold by default."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import create_model

import marsdisk.config.processes  # noqa: F401 - whose sections are subclasses, too
from marsdisk.config.sections import Section


def with_subclasses(model: type[Section]) -> Iterator[type[Section]]:
    """Yield a section class and all its subclasses."""
    yield model
    for derived in model.__subclasses__():
        yield from with_subclasses(derived)


DEFAULTS = {
    f"{model.__name__}.{name}": field
    for model in with_subclasses(Section)
    for name, field in model.model_fields.items()
    if isinstance(field.default, int | float)
}


@pytest.mark.parametrize("key", DEFAULTS)
def test_a_default_is_a_value_that_its_key_takes(key: str) -> None:
    field = DEFAULTS[key]
    alone: Any = create_model(
        "Alone", __config__=Section.model_config, value=(field.annotation, field)
    )
    assert alone(value=field.default).value == field.default
