"""Rules of the house: which way imports run, what is compiled how, who reads the environment, and how tests are written."""

import ast
import importlib
import pkgutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from numba.core.dispatcher import Dispatcher

import marsdisk

ROOT = Path(marsdisk.__file__).parents[1]
MODEL_SOURCES = sorted((ROOT / "marsdisk").rglob("*.py"))
SWEEP_SOURCES = sorted((ROOT / "sweep").rglob("*.py"))
SOURCES = MODEL_SOURCES + SWEEP_SOURCES
TEST_SOURCES = sorted((ROOT / "tests").rglob("*.py"))
MAX_LINES = 400


def name_of(path: Path) -> str:
    relative = path.relative_to(ROOT).with_suffix("")
    return ".".join(relative.parts).removesuffix(".__init__")


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> Iterator[str]:
    """Full names of what a module imports, in functions and for type checkers too."""
    package = name_of(path).split(".")
    if path.name != "__init__.py":
        package.pop()
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def within(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def folder(name: str) -> list[Path]:
    return [path for path in MODEL_SOURCES if path.parent == ROOT / "marsdisk" / name]


@pytest.mark.parametrize("path", MODEL_SOURCES, ids=name_of)
def test_the_model_knows_nothing_of_sweeps(path: Path) -> None:
    assert not [name for name in imports(path) if within(name, "sweep", "dask", "distributed", "zarr", "xarray")]


@pytest.mark.parametrize("path", folder("physics"), ids=name_of)
def test_physics_imports_only_physics_and_the_compiler(path: Path) -> None:
    ours = [name for name in imports(path) if within(name, "marsdisk")]
    assert not [name for name in ours if not within(name, "marsdisk.physics", "marsdisk._jit")]


@pytest.mark.parametrize("path", folder("solver"), ids=name_of)
def test_the_solver_imports_only_physics_and_the_compiler(path: Path) -> None:
    ours = [name for name in imports(path) if within(name, "marsdisk")]
    assert not [name for name in ours if not within(name, "marsdisk.solver", "marsdisk.physics", "marsdisk._jit")]


#: The layers of ``sweep`` from the bottom up, with the modules of each; a package stands for all in it that is not named elsewhere.
LAYERS = {
    "common": ["errors", "extras"],
    "store": ["store"],
    "spec": ["spec", "axes", "marginals", "design", "refine", "checks", "expressions", "groups"],
    "results": [
        *("store.accessor", "views", "outcomes", "judging", "rows", "excess", "rerun", "compare"),
        *("export", "sensitivity", "uncertainty", "simplices"),
    ],
    "plan": ["plan", "idle", "making", "matching", "provenance"],
    "workers": ["worker", "watch", "profiles", "cluster", "jobs", "agreement", "watchdog"],
    "run": ["driver", "session", "rounds", "heartbeat", "progress", "submit"],
    "report": ["tables", "summary", "ending", "verdicts", "doctor", "card", "follow"],
    "figures": ["plots", "sensitivity_figure"],
    "browse": ["browse"],
    "cli": ["cli", "cli_ask", "cli_browse", "cli_checks", "cli_cluster", "cli_look", "cli_options"],
}
#: Imports that go up today. The list may only become shorter.
UPWARD = {
    ("sweep.cluster", "sweep.browse.dashboard"),
    ("sweep.compare", "sweep.tables"),
    ("sweep.errors", "sweep.plan"),
    ("sweep.judging", "sweep.plan"),
    ("sweep.outcomes", "sweep.tables"),
    ("sweep.refine", "sweep.simplices"),
    ("sweep.rerun", "sweep.plan"),
    ("sweep.rows", "sweep.plan"),
    ("sweep.store.accessor", "sweep.tables"),
    ("sweep.store.reader", "sweep.store.accessor"),
}
#: Modules of one layer that import each other in a circle today. These lists may only become shorter, too.
KNOTS = [
    {"sweep.cluster", "sweep.jobs", "sweep.watchdog"},
    {"sweep.store.place", "sweep.store.objects"},
    {"sweep.store.lock", "sweep.store.lease"},
    {"sweep.refine", "sweep.spec"},
    {
        f"sweep.browse.{name}"
        for name in [
            *("about", "app", "cachepage", "cells", "details", "map", "origin"),
            *("parallel", "points", "runs", "series", "sizes", "style"),
        ]
    },
]


def layer_of(name: str) -> int:
    """Index of a module's layer: that of the longest name in :data:`LAYERS` that it lies within."""
    places = [(len(part), i) for i, parts in enumerate(LAYERS.values()) for part in parts if within(name, f"sweep.{part}")]
    assert places, f"{name} stands in no layer; add it to LAYERS"
    return max(places)[1]


def sweep_imports() -> set[tuple[str, str]]:
    """Pairs of a module of ``sweep`` and a module of it that it imports."""
    modules = {name_of(path) for path in SWEEP_SOURCES}
    found = set()
    for path in SWEEP_SOURCES:
        for name in imports(path):
            module = name if name in modules else name.rpartition(".")[0]
            if module in modules - {name_of(path)}:
                found.add((name_of(path), module))
    return found


ARROWS = sorted((start, end) for start, end in sweep_imports() if start != "sweep")  # the package's face imports what it shows


def test_imports_of_sweep_go_down() -> None:
    assert {(start, end) for start, end in ARROWS if layer_of(end) > layer_of(start)} == UPWARD


def reachable(start: str, arrows: list[tuple[str, str]]) -> set[str]:
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        here = waiting.pop()
        following = {end for begin, end in arrows if begin == here} - seen
        seen |= following
        waiting += following
    return seen


def test_modules_of_a_layer_do_not_import_each_other_in_a_circle() -> None:
    inside = [(start, end) for start, end in ARROWS if layer_of(start) == layer_of(end)]
    modules = {name for arrow in inside for name in arrow}
    reach = {name: reachable(name, inside) for name in modules}
    knots = {frozenset(other for other in reach[name] if name in reach[other]) for name in modules}
    assert sorted(map(sorted, knots - {frozenset()})) == sorted(map(sorted, KNOTS))


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_only_one_module_compiles(path: Path) -> None:
    if path.name != "_jit.py":
        assert not [name for name in imports(path) if within(name, "numba", "llvmlite")]


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_only_the_compiler_reads_the_environment(path: Path) -> None:
    attributes = {node.attr for node in ast.walk(parse(path)) if isinstance(node, ast.Attribute)}
    named = attributes | {name.split(".")[-1] for name in imports(path)}
    if name_of(path) not in {"marsdisk._jit", "marsdisk.qpr"}:  # the latter tells miepython to compile, which has no other switch
        assert not named & {"environ", "environb", "getenv", "getenvb"}


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_a_file_fits_in_a_head(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) < MAX_LINES


@pytest.mark.parametrize("path", TEST_SOURCES, ids=name_of)
def test_no_test_has_examples_or_a_deadline_of_its_own(path: Path) -> None:
    if path == ROOT / "tests" / "conftest.py":  # where the two profiles are
        return
    assert not [name for name in imports(path) if within(name, "hypothesis.settings")]


@pytest.mark.parametrize("path", [path for path in TEST_SOURCES if path.name.startswith("test_")], ids=name_of)
def test_a_test_that_waits_by_the_clock_says_why(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    calls = [node.func for node in ast.walk(parse(path)) if isinstance(node, ast.Call)]
    waits = [call.lineno for call in calls if isinstance(call, ast.Attribute) and call.attr in {"sleep", "wait_for_timeout"}]
    assert not [f"{path.name}:{number}" for number in waits if "#" not in lines[number - 1]]


def test_every_test_has_a_name_of_its_own() -> None:
    names = Counter(
        node.name for path in TEST_SOURCES for node in ast.walk(parse(path)) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    )
    assert [name for name, count in names.items() if count > 1] == []


def dispatchers() -> dict[str, Dispatcher]:
    modules = [module.name for module in pkgutil.walk_packages([str(ROOT / "marsdisk")], "marsdisk.") if not module.name.endswith("__main__")]
    found = {}
    for name in modules:
        for attribute, value in vars(importlib.import_module(name)).items():
            if isinstance(value, Dispatcher) and value.py_func.__module__ == name:
                found[f"{name}.{attribute}"] = value
    return found


KERNELS = dispatchers()


def test_there_are_kernels_to_look_at() -> None:
    assert {
        "marsdisk.solver.integrate._integrate",
        "marsdisk.solver.netform.mass_rate",
        "marsdisk.physics.radiation.blowout_size",
        "marsdisk.physics.smol._factored_gain",
    } <= set(KERNELS)


@pytest.mark.parametrize("name", KERNELS)
def test_a_kernel_releases_the_lock_and_gives_the_same_bits_everywhere(name: str) -> None:
    options = KERNELS[name].targetoptions
    assert options["nogil"] is True
    assert options["error_model"] == "numpy"
    assert not options.get("parallel")
    assert not options.get("fastmath")
