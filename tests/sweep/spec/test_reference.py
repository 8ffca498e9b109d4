"""The reference of sweep files, their JSON Schema, and a file to begin with."""

import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from small_sweeps import CONFIGS, SMALL, run_command

from marsdisk.config import RunConfig
from marsdisk.config.keys import config_keys
from marsdisk.config.yaml_file import parse_yaml, read_yaml_mapping
from sweep.planning.plan import make_plan
from sweep.report.sweep_file import EXAMPLES, new_sweep_file
from sweep.spec.axes import KINDS_OF_AXES, parse_axis
from sweep.spec.distributions import KINDS_OF_DISTRIBUTIONS, parse_marginal
from sweep.spec.file import Sweep, load_sweep
from sweep.spec.reference import json_schema, reference
from sweep.spec.sections import SweepSpec

DOCS = CONFIGS.parent / "docs"
SHIPPED = sorted((CONFIGS / "sweeps").glob("*.yaml"))


@pytest.fixture(scope="module")
def pages() -> ModuleType:
    """Return the script that makes the pages."""
    sys.path.insert(0, str(DOCS))
    spec = importlib.util.spec_from_file_location("reference_pages", DOCS / "reference_pages.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.path.remove(str(DOCS))
    return module


def test_the_pages_are_what_their_command_makes(pages: ModuleType) -> None:
    for path, content in pages.pages().items():
        assert path.read_text(encoding="utf-8") == content, f"run: {pages.COMMAND}"


def test_every_section_is_in_the_reference_with_a_meaning() -> None:
    tables = {table.title: table for table in reference()}
    assert [row.name for row in tables["sweep file"].rows] == list(SweepSpec.model_fields)
    for table in tables.values():
        assert all(row.meaning for row in table.rows), table.title


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    schema = json_schema()
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_sweep_names_the_schema_and_fits_it(
    validator: Draft202012Validator, path: Path
) -> None:
    first_line = path.read_text(encoding="utf-8").splitlines()[0]
    named = path.parent / first_line.removeprefix("# yaml-language-server: $schema=")
    assert json.loads(named.read_text(encoding="utf-8")) == validator.schema
    assert list(validator.iter_errors(read_yaml_mapping(path))) == []
    assert load_sweep(path).question


@pytest.mark.parametrize(
    "change",
    [
        {"axis": {}},
        {"axes": []},
        {"axes": {"temperature.T0": 3000}},
        {"block": "64"},
        {"sample": {"method": "sobel", "n": 4, "axes": {}}},
        {"sample": {"n": 4, "axes": {}}},
        {"design": {"method": "morris", "n": 4, "axes": {}, "seeds": 3}},
        {"cache": {"scope": "worker", "size": 3}},
        {"expect": {"a": {"over": "T0"}}},
        {"variants": ["a", "b"]},
        {"name": None},
    ],
)
def test_the_schema_refuses_what_the_program_does(
    load: Callable[..., Sweep], validator: Draft202012Validator, change: dict[str, Any]
) -> None:
    content = {**SMALL, "axes": {"temperature.T0": [3000.0]}, **change}
    content = {key: value for key, value in content.items() if value is not None}
    assert list(validator.iter_errors(content))
    with pytest.raises(ValueError, match=r".+"):
        load(**{"axes": {"temperature.T0": [3000.0]}, **change})


def test_every_key_of_a_configuration_is_completed(validator: Draft202012Validator) -> None:
    properties = validator.schema["properties"]
    for section in ("axes", "one_at_a_time"):
        assert set(properties[section]["properties"]) == set(config_keys(RunConfig))
    T0 = properties["axes"]["properties"]["temperature.T0"]
    assert "[K]" in T0["description"]


def test_old_names_of_sections_are_known_as_such(validator: Draft202012Validator) -> None:
    for name in ("check", "checks"):
        assert validator.schema["properties"][name]["deprecated"] is True


@pytest.mark.parametrize("form", KINDS_OF_AXES)
def test_the_forms_of_an_axis_are_taken(form: str) -> None:
    numbers = {"first": "1", "last": "4", "end": "4", "n]": "2]", "step": "1"}
    numbers |= {"[a, b": "[1, 2", "r_in": "1.0", "r_out": "2.0"}
    for word, number in numbers.items():
        form = form.replace(word, number)
    name = "ring" if "rings" in form else "temperature.T0"
    assert len(parse_axis(name, parse_yaml(form, "form")).points) >= 2


@pytest.mark.parametrize("form", KINDS_OF_DISTRIBUTIONS)
def test_the_forms_of_a_distribution_are_taken(form: str) -> None:
    numbers = {"a,": "1,", "b]": "2]", "mean": "1", "sd": "2", "values": "1, 2"}
    numbers |= {"first": "1", "last": "3"}
    for word, number in numbers.items():
        form = form.replace(word, number)
    assert parse_marginal(parse_yaml(form, "form")).words


@pytest.mark.parametrize(
    ("entry", "values"),
    [
        ({"logspace": [0, 2, 3]}, (1.0, 10.0, 100.0)),
        ({"logspace": [-1, 0, 2]}, (0.1, 1.0)),
        ({"arange": [1, 2, 0.5]}, (1.0, 1.5)),
        ({"arange": [0.1, 0.4, 0.1]}, (0.1, 0.2, 0.3)),
        ({"arange": [3, 0, -1]}, (3.0, 2.0, 1.0)),
    ],
)
def test_spans_of_numpy_have_its_values_without_round_off(
    entry: dict[str, Any], values: tuple[float, ...]
) -> None:
    assert parse_axis("dynamics.e0", entry).labels == values


def test_a_range_of_whole_numbers_is_whole() -> None:
    labels = parse_axis("sizes.n_bins", {"arange": [20, 60, 20]}).labels
    assert labels == (20, 40)
    assert {type(label) for label in labels} == {int}


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"arange": [1, 2, 0]}, "step not 0"),
        ({"arange": [2, 1, 0.5]}, "end is not beyond first"),
        ({"arange": [1, 2]}, "takes .first, end, step."),
        ({"arange": [0, 1e9, 1]}, "more than 1000000"),
        ({"arange": [0, 1e300, 1e-300]}, "more than 1000000"),
        ({"logspace": [0, 400, 3]}, "geomspace takes the numbers themselves"),
        ({"logspace": [0, 2]}, "takes .first, last, n."),
        ({"logspaced": [0, 2, 2]}, "there is no kind of axis"),
    ],
)
def test_a_span_without_values_is_refused(entry: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_axis("dynamics.e0", entry)


def test_a_value_with_a_unit_is_refused_with_the_unit_of_its_key(
    load: Callable[..., Sweep],
) -> None:
    with pytest.raises(ValueError, match=r"temperature.T0 = '3000 K'.* must be a number .* K"):
        make_plan(load(axes={"temperature.T0": ["3000 K"]}))


def test_a_new_file_runs_as_it_is(tmp_path: Path) -> None:
    made = run_command("sweep", "init", cwd=tmp_path)
    assert (made.returncode, made.stderr) == (0, "")
    assert "next: sweep plan my_sweep.yaml" in made.stdout
    words = ["--set", "numerics.t_end_years=0.001", "--workers", "0"]
    done = run_command("sweep", "run", "my_sweep.yaml", *words, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "72 of 72 runs done" in done.stdout
    again = run_command("sweep", "init", cwd=tmp_path)
    assert (again.returncode, "already exists" in again.stderr) == (2, True)


def test_a_new_file_has_the_base_and_axes_that_were_asked_for(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text((CONFIGS / "mars_0d_melt.yaml").read_text("utf-8"), "utf-8")
    axes = ["--axes", "temperature.T0=[3000, 4000]", "--axes", "ring={rings: [1.0, 2.0, 2]}"]
    words = ["init", "my study.yaml", "--base", "b.yaml", *axes]
    made = run_command("sweep", *words, cwd=tmp_path)
    assert (made.returncode, made.stderr) == (0, "")
    sweep = load_sweep(tmp_path / "my study.yaml")
    assert (sweep.spec.name, sweep.spec.base) == ("my_study", "b.yaml")
    assert [len(axis.points) for axis in sweep.axes] == [2, 2]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--axes", "temperature.T=[3000]"], "did you mean temperature.T0"),
        (["--axes", "temperature.T0"], "is not key=value"),
        (["--axes", "temperature.T0=[3000"], "--axes temperature.T0=[3000:"),
        (["--axes", "temperature.T0=[1]", "--axes", "temperature.T0=[2]"], "is given twice"),
        (["--axes", "temperature.T0=3000"], "must be a list of values"),
        (["--base", "nowhere.yaml"], "base = 'nowhere.yaml'"),
        (["--base", "builtin:nothing"], "nothing of this name"),
    ],
)
def test_a_new_file_that_would_not_run_is_not_written(
    tmp_path: Path, words: list[str], message: str
) -> None:
    done = run_command("sweep", "init", "new.yaml", *words, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert not (tmp_path / "new.yaml").exists()


def test_a_new_file_sets_no_key_of_its_axes(tmp_path: Path) -> None:
    words = ["init", "new.yaml", "--axes", "numerics.t_end_years=[0.5, 1]"]
    assert run_command("sweep", *words, cwd=tmp_path).returncode == 0
    sweep = load_sweep(tmp_path / "new.yaml")
    assert make_plan(sweep).count == 2
    assert sweep.question == ""


@pytest.mark.parametrize("section", EXAMPLES)
def test_what_a_new_file_has_as_a_comment_may_be_uncommented(
    validator: Draft202012Validator, tmp_path: Path, section: str
) -> None:
    path = tmp_path / "new.yaml"
    axes = {"disk.r_in_RM": [1.0, 1.1]}
    text = new_sweep_file("new", "builtin:mars_0d_melt_simple", axes, path)
    path.write_text(text.replace(f"# {section}: ", f"{section}: "), encoding="utf-8")
    assert list(validator.iter_errors(read_yaml_mapping(path))) == []
    assert make_plan(load_sweep(path)).count >= 2


def test_commands_print_reference_and_schema(tmp_path: Path) -> None:
    schema = run_command("sweep", "schema", cwd=tmp_path)
    assert json.loads(schema.stdout) == json_schema()
    shown = run_command("sweep", "reference", cwd=tmp_path)
    markdown = run_command("sweep", "reference", "--markdown", cwd=tmp_path)
    for table in reference():
        assert table.title in shown.stdout
        assert f"## {table.title}" in markdown.stdout
