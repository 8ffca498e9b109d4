"""Contents of docker/, read by the tests that do without an engine."""

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
COMPOSE: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def instructions() -> list[tuple[str, str]]:
    """List the instructions of the Dockerfile with their arguments, continued lines joined."""
    text = (DOCKER / "Dockerfile").read_text(encoding="utf-8")
    text = re.sub(r"(?m)^#.*\n", "", text)
    joined = re.sub(r"\\\n\s*", "", text)
    pairs = []
    for line in joined.splitlines():
        if line.strip():
            word, _, rest = line.partition(" ")
            pairs.append((word, rest.strip()))
    return pairs


def argument(name: str) -> str:
    """Return the default of an ARG of the Dockerfile."""
    (default,) = {rest for _, rest in instructions() if rest.startswith(f"{name}=")}
    return default.removeprefix(f"{name}=")


def last(instruction: str) -> str:
    """Return the value that holds in the finished image."""
    return [rest for word, rest in instructions() if word == instruction][-1]


def environment_of_image() -> dict[str, str]:
    """Return the environment of the finished image."""
    return {
        name: value.strip('"') for name, value in re.findall(r"(\w+)=(\"[^\"]*\"|\S*)", last("ENV"))
    }


def seconds(text: str) -> float:
    """Return the seconds of a duration such as 30s."""
    return float(text.removesuffix("s"))
