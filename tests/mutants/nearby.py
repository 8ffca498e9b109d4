"""Which tests are near a module: they import it, or are named like it, or import an importer."""

import ast
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

PACKAGES = ("marsdisk", "sweep")


class Imports:
    """Who imports whom, of the sources and tests of a checkout."""

    def __init__(self, root: Path) -> None:
        self.root = root
        paths = [path for folder in (*PACKAGES, "tests") for path in (root / folder).rglob("*.py")]
        self.files = sorted(path.relative_to(root).as_posix() for path in paths)

    @property
    def modules(self) -> list[str]:
        return [file for file in self.files if file.startswith(PACKAGES)]

    @cached_property
    def importers(self) -> dict[str, set[str]]:
        """The files that import a file, or that reach it in another way.

        The tests of a folder use its conftest.py; a module that nobody imports is imported by
        its name, in its package.
        """
        homes = {dotted(file): file for file in self.files}
        homes |= {Path(file).stem: file for file in self.files if file.startswith("tests/")}
        found: dict[str, set[str]] = {file: set() for file in self.files}
        for file in self.files:
            for name in imported_names(self.root / file, dotted(file)):
                if name in homes:
                    found[homes[name]].add(file)
            conftest = f"{Path(file).parent.as_posix()}/conftest.py"
            if is_test(file) and conftest in found:
                found[conftest].add(file)
        for file in self.modules:
            package = f"{Path(file).parent.as_posix()}/__init__.py"
            found[file] = found[file] or {package} - {file}
        return found

    def distances(self, module: str) -> dict[str, int]:
        """Test files by the number of imports from them to a module; 1 if they are named like it."""
        found = {file: 1 for file in self.files if is_test(file) and is_named_like(file, module)}
        reached, edge, distance = {module}, {module}, 0
        while edge:
            distance += 1
            edge = {importer for file in edge for importer in self.importers[file]} - reached
            reached |= edge
            for file in filter(is_test, edge):
                found.setdefault(file, distance)
        return found


def dotted(file: str) -> str:
    return file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def is_test(file: str) -> bool:
    return Path(file).name.startswith("test_")


def is_named_like(test: str, module: str) -> bool:
    name = Path(test).stem.removeprefix("test_")
    return name == Path(module).stem or name.startswith(f"{Path(module).stem}_")


def imported_names(path: Path, module: str) -> Iterator[str]:
    """Names of the modules that a file imports, and of what it takes from them: maybe modules."""
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            home = ".".join([*above, *([node.module] if node.module else [])])
            yield home
            yield from (f"{home}.{alias.name}" for alias in node.names)
