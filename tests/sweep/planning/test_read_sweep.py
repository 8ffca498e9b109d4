"""What is wrong with a sweep file, with its axes, and with its cases is said at once."""

from pathlib import Path
from typing import Any

import pytest
from small_sweeps import T0_AND_RINGS, base_in, sweep_file

import sweep
from marsdisk.common.errors import ConfigError
from sweep.planning.plan import make_plan
from sweep.planning.read_sweep import read_sweep
from sweep.running.progress import cases_checked


def problems_of(file: Path, command_line: dict[str, Any] | None = None) -> list[str]:
    """Return the problems that reading a file, or else planning it, raises."""
    with pytest.raises(ConfigError) as caught:
        make_plan(read_sweep(file, command_line))
    return [problem.split()[0] for problem in caught.value.problems]


def test_problems_of_sections_axes_and_cases_come_together(tmp_path: Path) -> None:
    axes = {"temperature.T0": [3000.0, -5.0], "sizes.n_bins": {"linspce": [1, 2, 3]}}
    file = sweep_file(tmp_path, axes=axes, block=0, blok=3, set={"numerics.t_end_years": -1})
    assert problems_of(file) == [
        "block",
        "blok",
        "axes.sizes.n_bins",
        "numerics.t_end_years",
        "temperature.T0",
    ]


def test_problems_of_cases_come_with_those_of_the_output(tmp_path: Path) -> None:
    file = sweep_file(tmp_path, axes={"temperature.T0": [-5.0]}, block=0, output={"samples": 0})
    assert problems_of(file)[0] == "block"
    assert {"temperature.T0", "output.samples"} <= {*problems_of(file), "output.samples"}


def test_a_problem_is_told_once(tmp_path: Path) -> None:
    file = sweep_file(tmp_path, axes={"sizes.n_bins": {"linspce": [1, 2, 3]}}, block=0)
    assert problems_of(file) == ["block", "axes.sizes.n_bins"]


def test_what_a_problem_brings_with_it_is_no_problem_of_its_own(tmp_path: Path) -> None:
    axes = {"sizes.n_bins": {"linspce": [1, 2, 3]}, "temperature.T0": [3000.0]}
    file = sweep_file(tmp_path, axes=axes, exclude=[{"sizes.n_bins": 3}])
    assert problems_of(file) == ["axes.sizes.n_bins"]


CLASH = {"sizes.s_min": [1e-6, 1e-3], "sizes.s_max": [1e-4, 1.0]}
BROKEN = {"linspce": [1, 2, 3]}


@pytest.mark.parametrize(
    ("changes", "problems"),
    [
        # cases that the file excludes
        (
            {"axes": {**CLASH, "temperature.T0": BROKEN}, "exclude": [{"sizes.s_min": 1e-3}]},
            ["axes.temperature.T0"],
        ),
        # the other half of what a case must be
        ({"axes": {"sizes.s_min": [200.0], "sizes.s_max": BROKEN}}, ["axes.sizes.s_max"]),
        (
            {"axes": {"sizes.s_min": [200.0]}, "variants": {"a": 3, "b": {"sizes.s_max": 1e3}}},
            ["variants"],
        ),
        # what is put back into the file with its own problem
        ({"axes": {"temperature.T0": [-5.0]}, "exclude": 3}, ["exclude", "temperature.T0"]),
        (
            {"axes": {"temperature.T0": [-5.0]}, "exclude": [{"foo": 3}]},
            ["exclude[0]", "temperature.T0"],
        ),
        # cases that are on no axis
        ({"block": 0, "include": [{"temperature.T0": -3.0}]}, ["block", "temperature.T0"]),
    ],
)
def test_problems_are_neither_made_up_nor_doubled_nor_left_out(
    tmp_path: Path, changes: dict[str, Any], problems: list[str]
) -> None:
    assert problems_of(sweep_file(tmp_path, **changes)) == problems


def test_a_sweep_from_python_tells_all_that_is_wrong_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        sweep.Sweep("builtin:mars_0d_melt", block=0, axes={"temperature.T0": [3000.0, -5.0]})
    assert [problem.split()[0] for problem in caught.value.problems] == ["block", "temperature.T0"]


@pytest.mark.parametrize("base", ["nowhere.yaml", 3])
def test_a_base_that_cannot_be_read_is_not_said_to_be_missing(tmp_path: Path, base: object) -> None:
    file = sweep_file(tmp_path, axes={"temperature.T0": [3000.0]}, base=base)
    with pytest.raises(ConfigError) as caught:
        read_sweep(file)
    assert "missing" not in str(caught.value)


def test_very_many_cases_are_not_validated_for_a_file_with_problems(tmp_path: Path) -> None:
    axes = {
        "temperature.T0": {"linspace": [3000.0, 4000.0, 600]},
        "collisions.alpha_frag": {"linspace": [3.0, -4.0, 600]},
    }
    assert problems_of(sweep_file(tmp_path, axes=axes, block=0)) == ["block"]


def test_a_value_of_the_command_line_has_no_line_of_the_file(tmp_path: Path) -> None:
    file = sweep_file(tmp_path, axes={"temperature.T0": [3000.0]})
    with pytest.raises(ConfigError) as caught:
        make_plan(read_sweep(file, {"numerics.t_end_years": "abc"}))
    assert "line" not in str(caught.value)


def test_the_command_line_is_heeded(tmp_path: Path) -> None:
    file = sweep_file(tmp_path, axes=T0_AND_RINGS, block=0)
    assert problems_of(file, {"numerics.t_end_years": -1}) == ["block", "numerics.t_end_years"]


def test_a_line_of_the_base_says_so(tmp_path: Path) -> None:
    axes = {"dynamics.e0": [0.1]}
    file = sweep_file(tmp_path, axes=axes, base="builtin:mars_0d_melt", set=None)
    with pytest.raises(ConfigError, match=r"line 10 of builtin:mars_0d_melt: dynamics: \{"):
        make_plan(read_sweep(file))


@pytest.mark.parametrize("content", ["a: [", "- 1", "", "base: no.yaml\naxes: {ring: [1]}\n"])
def test_where_cases_cannot_be_built_the_file_has_its_problems_alone(
    tmp_path: Path, content: str
) -> None:
    file = tmp_path / "s.yaml"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read_sweep(file)
    assert len(caught.value.problems) == len(set(caught.value.problems))


def test_long_checking_says_how_far_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sweep.running.progress.SECONDS_OF_SILENCE", 0.0)
    spec = read_sweep(sweep_file(tmp_path, axes=T0_AND_RINGS, base=base_in(tmp_path)))
    lines = list[str]()
    make_plan(spec, on_case=cases_checked(lines.append, spec.case_count))
    assert lines == [f"{i} of 6 cases checked" for i in range(6)]


def test_short_checking_is_silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sweep.running.progress.SECONDS_OF_SILENCE", 1e9)
    spec = read_sweep(sweep_file(tmp_path, axes=T0_AND_RINGS))
    lines = list[str]()
    make_plan(spec, on_case=cases_checked(lines.append, spec.case_count))
    assert lines == []
