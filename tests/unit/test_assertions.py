"""``python -O`` leaves out assertions, so no check may live in one."""

import ast
from pathlib import Path

import pytest
from test_house_rules import SOURCES, name_of, parse


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_no_check_lives_in_an_assertion(path: Path) -> None:
    nodes = list(ast.walk(parse(path)))
    assert [node.lineno for node in nodes if isinstance(node, ast.Assert)] == []
    assert not [node for node in nodes if isinstance(node, ast.Name) and node.id == "__debug__"]
