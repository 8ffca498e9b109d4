"""Tests near a module: they import it, or are named like it, or import an importer."""

import ast
from functools import cached_property
from pathlib import Path

from tests.imports import imports, module_name

PACKAGES = ("marsdisk", "sweep")
SLOW = ("tests/cluster/", "tests/browser/", "tests/docker/")


class Imports:
    """Imports among the sources and tests of a checkout."""

    def __init__(self, root: Path) -> None:
        self.root = root
        paths = [path for folder in (*PACKAGES, "tests") for path in (root / folder).rglob("*.py")]
        self.files = sorted(path.relative_to(root).as_posix() for path in paths)

    @property
    def modules(self) -> list[str]:
        return [file for file in self.files if file.startswith(PACKAGES)]

    @cached_property
    def importers(self) -> dict[str, set[str]]:
        """Files that import a file, or that reach it in another way.

        The tests of a folder use its conftest.py; a module that nobody imports is imported by
        its name, in its package.
        """
        homes = {module_name(Path(file)): file for file in self.files}
        homes |= {Path(file).stem: file for file in self.files if file.startswith("tests/")}
        importers: dict[str, set[str]] = {file: set() for file in self.files}
        for file in self.files:
            names = set(imports(self.root, Path(file)))
            # of a name in a module, the module, and the package that it lies in
            for _ in range(2):
                names |= {name.rpartition(".")[0] for name in names}
            for name in names & homes.keys():
                importers[homes[name]].add(file)
            conftest = f"{Path(file).parent.as_posix()}/conftest.py"
            if is_test(file) and conftest in importers:
                importers[conftest].add(file)
        for file in self.modules:
            package = f"{Path(file).parent.as_posix()}/__init__.py"
            importers[file] = importers[file] or {package} - {file}
        return importers

    def reached_from(self, module: str) -> dict[str, int]:
        """Count the steps from ``module`` to itself and to all that import it, directly or not."""
        steps = {module: 0}
        edge = {module}
        while edge:
            distance = steps[min(edge)] + 1
            edge = {importer for file in edge for importer in self.importers[file]} - steps.keys()
            steps |= dict.fromkeys(edge, distance)
        return steps

    def tests_of(self, module: str) -> list[str]:
        """Return the test files that reach a module, the nearest first.

        One that is named like it, or like a class of it, is nearer than any; of equally near ones,
        those that take minutes come last, and those that import least, which are about less, come
        first.
        """
        tests = set(filter(is_test, self.files))
        names = {Path(module).stem, *classes(self.root / module)}
        named_alike = {file: 0 for file in tests if is_named_like(file, names)}
        distances = self.reached_from(module) | named_alike

        def order(file: str) -> tuple[int, bool, int, str]:
            imported = sum(file in importers for importers in self.importers.values())
            return distances[file], file.startswith(SLOW), imported, file

        return sorted(tests & distances.keys(), key=order)


def is_test(file: str) -> bool:
    """Tell whether a file has tests of ``make test``; those of the faults are not."""
    return Path(file).name.startswith("test_") and not file.startswith("tests/cluster/faults/")


def classes(module: Path) -> set[str]:
    """Return the names of a module's classes, in lower case."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    return {node.name.lower() for node in tree.body if isinstance(node, ast.ClassDef)}


def is_named_like(test: str, names: set[str]) -> bool:
    name = Path(test).stem.removeprefix("test_")
    return any(name == class_name or name.startswith(f"{class_name}_") for class_name in names)
