"""Rules of the house that a reader relies on: which way imports run, what is compiled how, who reads the environment."""

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from numba.core.dispatcher import Dispatcher

import marsdisk

ROOT = Path(marsdisk.__file__).parent
SOURCES = sorted(ROOT.rglob("*.py"))
SWEEP_SOURCES = sorted((ROOT.parent / "sweep").rglob("*.py"))
MAX_LINES = 400


def name_of(path: Path) -> str:
    return path.relative_to(ROOT.parent).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")


def imports(path: Path) -> Iterator[str]:
    """Full names of the modules, and of what is taken from them."""
    package = name_of(path).split(".") if path.name == "__init__.py" else name_of(path).split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def within(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def of(folder: str) -> list[Path]:
    return [path for path in SOURCES if path.parent == ROOT / folder]


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_the_model_knows_nothing_of_sweeps(path: Path) -> None:
    assert not [name for name in imports(path) if within(name, "sweep", "dask", "distributed", "zarr", "xarray")]


@pytest.mark.parametrize("path", of("physics"), ids=name_of)
def test_physics_imports_only_physics_and_the_compiler(path: Path) -> None:
    ours = [name for name in imports(path) if within(name, "marsdisk")]
    assert not [name for name in ours if not within(name, "marsdisk.physics", "marsdisk._jit")]


@pytest.mark.parametrize("path", of("solver"), ids=name_of)
def test_the_solver_imports_only_physics_and_the_compiler(path: Path) -> None:
    ours = [name for name in imports(path) if within(name, "marsdisk")]
    assert not [name for name in ours if not within(name, "marsdisk.solver", "marsdisk.physics", "marsdisk._jit")]


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_only_one_module_compiles(path: Path) -> None:
    if path.name != "_jit.py":
        assert not [name for name in imports(path) if within(name, "numba", "llvmlite")]


@pytest.mark.parametrize("path", SOURCES + SWEEP_SOURCES, ids=name_of)
def test_only_the_compiler_reads_the_environment(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    named = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)} | {name.split(".")[-1] for name in imports(path)}
    if path not in {ROOT / "_jit.py", ROOT / "qpr.py"}:  # the latter tells miepython to compile, which has no other switch
        assert not named & {"environ", "environb", "getenv", "getenvb"}


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_a_file_fits_in_a_head(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) < MAX_LINES


def dispatchers() -> dict[str, Dispatcher]:
    modules = [module.name for module in pkgutil.walk_packages([str(ROOT)], "marsdisk.") if not module.name.endswith("__main__")]
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
