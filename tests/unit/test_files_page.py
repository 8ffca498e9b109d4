"""docs/files.md: what it says that a value is, it is."""

import re
from pathlib import Path
from typing import Any

import pytest

import marsdisk
from marsdisk.common.errors import ConfigError
from marsdisk.config.yaml_file import parse_yaml

PAGE = (Path(marsdisk.__file__).parents[1] / "docs" / "files.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| (.*?) \| (.*) \|$", PAGE, re.MULTILINE))


def values(row: str) -> list[Any]:
    (written,) = (cell for cell in ROWS if row in cell)
    return [parse_yaml(text, "") for text in re.findall("`(.*?)`", written)]


def test_the_page_on_files_tells_the_numbers_and_the_words() -> None:
    assert values("`03000`") == [3000] * 3
    assert values("`1e-7`") == [1e-7, 1e-7, 0.5, 5.0, 500.0]
    assert values("`false`") == [True, False, None, None]


@pytest.mark.parametrize("row", ["`off`", "`1:30`", "`0,5`"])
def test_the_page_on_files_tells_the_texts(row: str) -> None:
    assert all(isinstance(value, str) for value in values(row))


def test_the_page_on_files_tells_what_is_refused() -> None:
    with pytest.raises(ConfigError):
        values("`1e400`")


def test_the_sweep_of_the_page_on_files_is_merged() -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert parse_yaml(example, "")["variants"] == {
        "1e3": {"blowout.enabled": False},
        "with_sink": {"blowout.enabled": False, "sublimation.method": "sink"},
    }
