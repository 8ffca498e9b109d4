"""Shared by all tests."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from marsdisk.config import RunConfig, load_config

CONFIGS = Path(__file__).parents[1] / "configs"


@pytest.fixture(scope="session")
def shipped() -> Callable[..., RunConfig]:
    """A shipped configuration by its short name, with dotted keys replaced: ``shipped("melt", {"temperature.T0": 3000.0})``."""

    def load(name: str, overrides: dict[str, Any] | None = None) -> RunConfig:
        return load_config(CONFIGS / f"mars_0d_{name}.yaml", overrides)

    return load
