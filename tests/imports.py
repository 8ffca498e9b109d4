"""Which modules a source imports, and which modules import each other."""

import ast
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

Arrow = tuple[str, str]  #: a module, and one that it imports


def module_name(file: Path) -> str:
    """Return the full name of the module in a file, whose path is relative to the checkout."""
    return ".".join(file.with_suffix("").parts).removesuffix(".__init__")


def imports(root: Path, file: Path) -> Iterator[str]:
    """Yield the full names of modules that a file imports, and of what it takes from them.

    Imports in functions and for type checkers count.
    """
    package = module_name(file).split(".")
    if file.name != "__init__.py":
        package.pop()
    for node in ast.walk(ast.parse((root / file).read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package[: len(package) - node.level + 1] if node.level else []
            if node.module:
                parts = [*parts, node.module]
            yield from (".".join([*parts, alias.name]) for alias in node.names)


def within(name: str, *packages: str) -> bool:
    """Tell whether a module is one of the packages, or lies in one."""
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def arrows_of(root: Path, package: str) -> set[Arrow]:
    """Return pairs of a module of ``package`` and a module of it that it imports.

    Imports of the package's face are left out, as it imports what it shows.
    """
    files = [path.relative_to(root) for path in (root / package).rglob("*.py")]
    modules = {module_name(file) for file in files}
    arrows = set()
    for file in files:
        start = module_name(file)
        for name in imports(root, file):
            end = name if name in modules else name.rpartition(".")[0]
            if end in modules - {start} and start != package:
                arrows.add((start, end))
    return arrows


def layer_of(name: str, layers: Mapping[str, Iterable[str]]) -> int:
    """Return the index of a module's layer: that of the longest name that it lies within."""
    root = name.partition(".")[0]
    matches = []
    for index, parts in enumerate(layers.values()):
        matches += [(len(part), index) for part in parts if within(name, f"{root}.{part}")]
    assert matches, f"{name} stands in no layer; add it to the table of layers"
    return max(matches)[1]


def upward(arrows: Iterable[Arrow], layers: Mapping[str, Iterable[str]]) -> set[Arrow]:
    """Return the arrows that lead to a higher layer."""
    return {
        (start, end) for start, end in arrows if layer_of(end, layers) > layer_of(start, layers)
    }


def reachable(start: str, arrows: Iterable[Arrow]) -> set[str]:
    """Return the modules that ``start`` imports, directly or through others."""
    ends: dict[str, set[str]] = {}
    for begin, end in arrows:
        ends.setdefault(begin, set()).add(end)
    reached: set[str] = set()
    waiting = [start]
    while waiting:
        following = ends.get(waiting.pop(), set()) - reached
        reached |= following
        waiting += following
    return reached


def knots_of(arrows: Iterable[Arrow]) -> set[frozenset[str]]:
    """Return the groups of modules that import each other in a circle."""
    arrows = set(arrows)
    reach = {start: reachable(start, arrows) for start, _ in arrows}
    knots = set()
    for name, reached in reach.items():
        if name in reached:
            knots.add(frozenset(module for module in reached if name in reach.get(module, set())))
    return knots
