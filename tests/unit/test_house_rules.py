"""Rules of the house: which way imports run, what is compiled how, and how tests are written."""

import ast
import importlib
import io
import re
import tokenize
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from numba.core.dispatcher import Dispatcher

import marsdisk
from marsdisk._jit import KERNEL_SOURCES
from tests.imports import arrows_of, knots_of, layer_of, module_name, upward, within
from tests.imports import imports as imports_of_file

ROOT = Path(marsdisk.__file__).parents[1]
MODEL_SOURCES = sorted((ROOT / "marsdisk").rglob("*.py"))
SWEEP_SOURCES = sorted((ROOT / "sweep").rglob("*.py"))
SOURCES = MODEL_SOURCES + SWEEP_SOURCES
TEST_SOURCES = sorted((ROOT / "tests").rglob("*.py"))
#: Benchmarks watch by the clock what they measure.
WAITING_SOURCES = [path for path in TEST_SOURCES if path.parent.name != "benchmarks"]
WAITS = ("sleep", "wait_for_timeout")
FOR_TOOLS = re.compile(r"#\s*(noqa|type: ignore)[^#]*")
MAX_LINES = 650


def name_of(path: Path) -> str:
    return module_name(path.relative_to(ROOT))


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> Iterator[str]:
    return imports_of_file(ROOT, path.relative_to(ROOT))


def folder(name: str) -> list[Path]:
    return [path for path in MODEL_SOURCES if path.parent == ROOT / "marsdisk" / name]


@pytest.mark.parametrize("path", MODEL_SOURCES, ids=name_of)
def test_the_model_knows_nothing_of_sweeps(path: Path) -> None:
    of_sweeps = ("sweep", "dask", "distributed", "zarr", "xarray")
    assert not [name for name in imports(path) if within(name, *of_sweeps)]


@pytest.mark.parametrize("path", folder("physics"), ids=name_of)
def test_physics_imports_only_physics_and_the_compiler(path: Path) -> None:
    own_modules = [name for name in imports(path) if within(name, "marsdisk")]
    assert not [
        name for name in own_modules if not within(name, "marsdisk.physics", "marsdisk._jit")
    ]


@pytest.mark.parametrize("path", folder("physics"), ids=name_of)
def test_physics_reads_no_files(path: Path) -> None:
    assert not [name for name in imports(path) if within(name, "os", "pathlib", "io", "csv")]
    called = {node.func for node in ast.walk(parse(path)) if isinstance(node, ast.Call)}
    assert "open" not in {name.id for name in called if isinstance(name, ast.Name)}


@pytest.mark.parametrize("path", folder("solver"), ids=name_of)
def test_the_solver_imports_only_physics_and_the_compiler(path: Path) -> None:
    own_modules = [name for name in imports(path) if within(name, "marsdisk")]
    below = ("marsdisk.solver", "marsdisk.physics", "marsdisk._jit")
    assert not [name for name in own_modules if not within(name, *below)]


#: The layers of ``marsdisk`` from the bottom up, with the packages and modules of each.
MODEL_LAYERS = {
    "common": ["common"],
    "compiler": ["_jit"],
    "physics": ["physics"],
    "solver, io": ["solver", "io"],
    "config, qpr": ["config", "qpr"],
    "cache, notes": ["cache", "notes"],
    "result_page": ["result_page"],
    "result": ["result"],
    "run": ["run"],
    "classic": ["classic"],
    "zero_d": ["zero_d"],
    "accuracy": ["accuracy"],
    "report": ["report"],
    "cli": ["cli"],
    "python -m marsdisk": ["__main__"],
}
#: The layers of ``sweep`` from the bottom up, with the packages of each.
LAYERS = {
    "common": ["common"],
    "store": ["store"],
    "spec": ["spec"],
    "results": ["results"],
    "planning": ["planning"],
    "workers": ["workers"],
    "running": ["running"],
    "plots, report, browse": ["plots", "report", "browse"],
    "interface": ["interface"],
    "cli": ["cli"],
    "python -m sweep": ["__main__"],
}
LAYERS_OF = {"marsdisk": MODEL_LAYERS, "sweep": LAYERS}
ARROWS = {package: arrows_of(ROOT, package) for package in LAYERS_OF}


@pytest.mark.parametrize("package", LAYERS_OF)
def test_imports_go_down(package: str) -> None:
    assert upward(ARROWS[package], LAYERS_OF[package]) == set()


@pytest.mark.parametrize("package", LAYERS_OF)
def test_packages_of_a_layer_do_not_import_each_other(package: str) -> None:
    layers = LAYERS_OF[package]
    sideways = set()
    for start, end in ARROWS[package]:
        if layer_of(start, layers) == layer_of(end, layers):
            packages = start.split(".")[1], end.split(".")[1]
            if packages[0] != packages[1]:
                sideways.add(packages)
    assert sideways == set()


@pytest.mark.parametrize("package", LAYERS_OF)
def test_modules_do_not_import_each_other_in_a_circle(package: str) -> None:
    assert knots_of(ARROWS[package]) == set()


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_only_one_module_compiles(path: Path) -> None:
    if path.name != "_jit.py":
        assert not [name for name in imports(path) if within(name, "numba", "llvmlite")]


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_only_the_compiler_reads_the_environment(path: Path) -> None:
    attributes = {node.attr for node in ast.walk(parse(path)) if isinstance(node, ast.Attribute)}
    named = attributes | {name.split(".")[-1] for name in imports(path)}
    # marsdisk.qpr.mie tells miepython to compile, which has no other switch; sweep.workers.forked
    # hands on the whole environment
    if name_of(path) not in {"marsdisk._jit", "marsdisk.qpr.mie", "sweep.workers.forked"}:
        assert not named & {"environ", "environb", "getenv", "getenvb"}


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_a_file_fits_in_a_head(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) < MAX_LINES


@pytest.mark.parametrize("path", TEST_SOURCES, ids=name_of)
def test_no_test_has_examples_or_a_deadline_of_its_own(path: Path) -> None:
    if path == ROOT / "tests" / "conftest.py":  # where the two profiles are
        return
    assert not settings_of_hypothesis(parse(path))


def settings_of_hypothesis(source: ast.Module) -> list[int]:
    """Return lines that import the settings of Hypothesis, or take them from the package."""
    lines = []
    for node in ast.walk(source):
        if isinstance(node, ast.ImportFrom) and node.module == "hypothesis":
            lines += [node.lineno for alias in node.names if alias.name == "settings"]
        elif isinstance(node, ast.Attribute) and ast.unparse(node) == "hypothesis.settings":
            lines.append(node.lineno)
    return lines


@pytest.mark.parametrize("path", WAITING_SOURCES, ids=name_of)
def test_a_test_that_waits_by_the_clock_says_why(path: Path) -> None:
    assert not unexplained_waits(path.read_text(encoding="utf-8"))


def unexplained_waits(text: str) -> list[int]:
    """Return lines that wait by the clock without a reason in a comment at their end."""
    reasons = comments(text)
    waits = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call):
            function = node.func
            name = function.attr if isinstance(function, ast.Attribute) else ""
            name = function.id if isinstance(function, ast.Name) else name
            if name in WAITS and not reasons.get(node.lineno):
                waits.append(node.lineno)
    return waits


def comments(text: str) -> dict[int, str]:
    """Return the comments of a source by their lines, without directives for tools."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    texts = {token.start[0]: token.string for token in tokens if token.type == tokenize.COMMENT}
    return {line: FOR_TOOLS.sub("", comment).strip("# ") for line, comment in texts.items()}


@pytest.mark.parametrize(
    ("line", "explained"),
    [
        ("time.sleep(1.0)", False),
        ("sleep(1.0)", False),
        ("time.sleep(1.0)  # noqa: S101", False),
        ("page.wait_for_timeout(100)  # type: ignore[attr-defined]", False),
        ('time.sleep(len("#"))', False),
        ("time.sleep(1.0)  # at a random moment", True),
        ("time.sleep(1.0)  # noqa: S101  # at a random moment", True),
    ],
)
def test_a_reason_for_a_wait_is_a_comment_for_people(line: str, explained: bool) -> None:
    assert unexplained_waits(f"{line}\n") == ([] if explained else [1])


@pytest.mark.parametrize(
    ("line", "has_settings"),
    [
        ("from hypothesis import given, settings", True),
        ("@hypothesis.settings(max_examples=1)\ndef test() -> None: ...", True),
        ("from hypothesis import given", False),
    ],
)
def test_settings_of_hypothesis_are_seen_however_they_are_imported(
    line: str,
    has_settings: bool,
) -> None:
    assert bool(settings_of_hypothesis(ast.parse(line))) == has_settings


def test_every_test_has_a_name_of_its_own() -> None:
    names: Counter[str] = Counter()
    for path in TEST_SOURCES:
        functions = [node for node in ast.walk(parse(path)) if isinstance(node, ast.FunctionDef)]
        names.update(node.name for node in functions if node.name.startswith("test_"))
    assert [name for name, count in names.items() if count > 1] == []


def dispatchers() -> dict[str, Dispatcher]:
    kernels = {}
    for name in map(name_of, MODEL_SOURCES):
        if name.endswith("__main__"):
            continue
        for attribute, value in vars(importlib.import_module(name)).items():
            if isinstance(value, Dispatcher) and value.py_func.__module__ == name:
                kernels[f"{name}.{attribute}"] = value
    return kernels


KERNELS = dispatchers()


def test_there_are_kernels_to_look_at() -> None:
    assert {
        "marsdisk.solver.integrate._integrate",
        "marsdisk.solver.netform.mass_rate",
        "marsdisk.physics.radiation.blowout_size",
        "marsdisk.physics.smol._factored_gain",
    } <= set(KERNELS)


@pytest.mark.parametrize("name", KERNELS)
def test_a_kernel_stands_where_an_edit_of_it_makes_a_new_folder_of_compiled_code(name: str) -> None:
    assert within(name, *(f"marsdisk.{part.removesuffix('.py')}" for part in KERNEL_SOURCES))


@pytest.mark.parametrize("name", KERNELS)
def test_a_kernel_releases_the_lock_and_gives_the_same_bits_everywhere(name: str) -> None:
    options = KERNELS[name].targetoptions
    assert options["nogil"] is True
    assert options["error_model"] == "numpy"
    assert not options.get("parallel")
    assert not options.get("fastmath")
