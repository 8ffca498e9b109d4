"""Which modules a source imports."""

import ast
from collections.abc import Iterator
from pathlib import Path


def module_name(file: Path) -> str:
    """Return the full name of the module in a file, whose path is relative to the checkout."""
    return ".".join(file.with_suffix("").parts).removesuffix(".__init__")


def imports(root: Path, file: Path) -> Iterator[str]:
    """Full names of the modules that a file imports, and of what it takes from them.

    Imports in functions and for type checkers count.
    """
    package = module_name(file).split(".")
    if file.name != "__init__.py":
        package.pop()
    for node in ast.walk(ast.parse((root / file).read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            home = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{home}.{alias.name}" for alias in node.names)
