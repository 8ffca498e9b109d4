"""The model page says what the configuration says, and what it points at is there."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "model.md"
TEXT = PAGE.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def tables() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_tables", ROOT / "docs" / "make_tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["decisions", "defaults"])
def test_a_table_is_what_its_command_makes(tables: ModuleType, name: str) -> None:
    page = tables.between_markers(TEXT, name, tables.COMMAND, tables.TABLES[name]())
    assert page == TEXT, f"run: {tables.COMMAND}"


def test_every_key_has_its_line(tables: ModuleType) -> None:
    lines = tables.defaults()
    for key in tables.config_keys(tables.RunConfig):
        assert any(f"| `{key}` |" in line for line in lines), key
    assert any("`temperature.depth`" in line and "100000" in line for line in lines)


def test_a_page_without_the_place_of_a_table_is_an_error(tables: ModuleType) -> None:
    with pytest.raises(ValueError, match="no markers for the table"):
        tables.between_markers("nothing here", "defaults", tables.COMMAND, [])


def test_what_it_links_to_exists() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", TEXT):
        assert (PAGE.parent / target).exists(), target
    headings = {
        re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", TEXT, re.MULTILINE)
    }
    for anchor in re.findall(r"\]\(#([^)]+)\)", TEXT):
        assert anchor in headings, anchor
    for test in re.findall(r"`(test_\w+\.py)`", TEXT):
        assert (ROOT / "tests" / "physics" / test).exists(), test


def test_inline_mathematics_survives_markdown() -> None:
    """Markdown would take a backslash before punctuation, or a star, before mathematics is read."""
    prose = re.sub(r"```.*?```", "", TEXT, flags=re.DOTALL)
    formulas = re.findall(r"\$([^$\n]+)\$", prose)
    assert len(formulas) > 50
    assert not [formula for formula in formulas if re.search(r"\\[^A-Za-z]|\*|\}_", formula)]
    assert all(line.count("$") % 2 == 0 for line in prose.splitlines())
