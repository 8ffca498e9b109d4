"""The sweep file: the order of cases, the precedence of overrides, and bad input refused."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_sweeps import CONFIGS, sweep_file

from marsdisk.common.errors import ConfigError
from sweep.spec.file import Sweep, load_sweep

Load = Callable[..., Sweep]
T0 = {"temperature.T0": [3000.0, 4000.0]}
TAU = {"optical_depth.tau0_target": [0.5, 1.0]}


def problems(load: Load, **changes: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(**changes)
    assert caught.value.where.endswith("small.yaml")
    return caught.value.problems


def test_cases_are_the_product_of_all_axes_with_the_last_one_fastest(load: Load) -> None:
    sweep = load(
        axes={**T0, **TAU},
        zip=[{"material.rho": [3000.0, 3270.0], "qstar.scale": [1.0, 2.0]}],
        variants={"a": {}, "b": {"dynamics.e0": 0.1}},
    )
    cases = [overrides for _, overrides in sweep.numbered()]
    assert len(cases) == 2 * 2 * 2 * 2
    assert cases[0] == {
        "temperature.T0": 3000.0,
        "optical_depth.tau0_target": 0.5,
        "material.rho": 3000.0,
        "qstar.scale": 1.0,
    }
    assert cases[1] == {**cases[0], "dynamics.e0": 0.1}
    assert cases[2] == {**cases[0], "material.rho": 3270.0, "qstar.scale": 2.0}
    assert cases[-1]["temperature.T0"] == 4000.0


def test_labels_tell_where_a_case_stands_on_each_axis(load: Load) -> None:
    sweep = load(axes={**T0, "ring": {"rings": [1.0, 2.7, 2]}}, variants={"plain": {}})
    assert [sweep.labels(number) for number, _ in sweep.numbered()] == [
        {"temperature.T0": T, "ring": ring, "variant": "plain"}
        for T in (3000.0, 4000.0)
        for ring in (0, 1)
    ]


def test_swept_keys_are_named_once_in_the_order_of_the_file(load: Load) -> None:
    sweep = load(
        axes={"ring": {"rings": [1.0, 2.7, 2]}, **T0},
        include=[{"temperature.T0": 5000.0, "dynamics.e0": 0.1}],
    )
    assert sweep.swept_keys() == ["disk.r_in_RM", "disk.r_out_RM", "temperature.T0", "dynamics.e0"]


def test_an_excluded_corner_is_left_out_and_an_included_case_comes_last(load: Load) -> None:
    sweep = load(
        axes={**T0, **TAU},
        exclude=[{"temperature.T0": 3000, "optical_depth.tau0_target": 0.5}],
        include=[{"temperature.T0": 6000.0}],
    )
    cases = [overrides for _, overrides in sweep.numbered()]
    assert len(cases) == 4
    assert {"temperature.T0": 3000.0, "optical_depth.tau0_target": 0.5} not in cases
    assert cases[-1] == {"temperature.T0": 6000.0}


def test_an_exclusion_may_name_an_axis_by_its_label(load: Load) -> None:
    sweep = load(
        axes={"ring": {"rings": [1.0, 2.7, 2]}, **T0},
        variants={"as_is": {}, "flat": {"dynamics.e0": 0.1}},
        exclude=[{"ring": 1}, {"variant": "flat"}],
    )
    assert [sweep.labels(number) for number, _ in sweep.numbered()] == [
        {"ring": 0, "temperature.T0": T, "variant": "as_is"} for T in (3000.0, 4000.0)
    ]
    assert (sweep.excluded(), sweep.notes()) == (6, ())


def test_what_is_set_for_all_may_be_changed_by_a_variant(load: Load) -> None:
    sweep = load(set={"dynamics.e0": 0.2}, variants={"as_is": {}, "flat": {"dynamics.e0": 0.1}})
    assert [overrides for _, overrides in sweep.numbered()] == [{}, {"dynamics.e0": 0.1}]
    assert sweep.base["dynamics"]["e0"] == 0.2


def test_keys_that_a_section_given_whole_drops_are_noted_once(load: Load) -> None:
    cold = {"temperature": {"law": "slab", "T0": 3000.0}}
    whole = load(
        axes={"dynamics.e0": [0.1, 0.5]},
        variants={"cold": cold, "empty": {"dynamics": {}}},
        include=[{"dynamics": {}}],
    )
    base = whole.given["base"]["dynamics"]
    (note,) = whole.notes()
    assert (
        note == "dynamics is given as a whole section, so that"
        f" {', '.join(f'dynamics.{key}' for key in base)} of the base fall back to the default;"
        " to keep what is not named, give dotted keys"
    )


def test_a_partial_exclusion_drops_every_case_that_matches(load: Load) -> None:
    cases = [
        overrides
        for _, overrides in load(
            axes={**T0, **TAU}, exclude=[{"temperature.T0": 3000.0}]
        ).numbered()
    ]
    assert [case["temperature.T0"] for case in cases] == [4000.0, 4000.0]


def test_an_exclusion_finds_values_of_a_spaced_axis_to_round_off(load: Load) -> None:
    axes = {"dynamics.e0": {"linspace": [0.1, 0.5, 5]}}
    assert len(list(load(axes=axes, exclude=[{"dynamics.e0": 0.3}]).numbered())) == 4


def test_a_sweep_without_axes_runs_the_included_cases_and_nothing_else(load: Load) -> None:
    included = [{"temperature.T0": 3000.0}, {"temperature.T0": 3500.0}]
    assert [case for _, case in load(include=included).numbered()] == included


def test_the_command_line_wins_over_the_file_and_the_file_over_the_base(load: Load) -> None:
    sweep = load(
        axes=T0,
        set={"numerics.t_end_years": 0.02, "material.rho": 3100.0},
        command_line={"numerics.t_end_years": 0.01, "output.samples": 9},
    )
    assert sweep.base["numerics"]["t_end_years"] == 0.01
    assert sweep.base["material"]["rho"] == 3100.0
    assert sweep.base["dynamics"]["i0"] == 0.05
    assert sweep.base["output"] == {"samples": 9, "snapshots": 2}


def test_a_base_is_looked_for_beside_the_sweep_file(tmp_path: Path) -> None:
    (tmp_path / "deeper").mkdir()
    (tmp_path / "base.yaml").write_text(
        (CONFIGS / "mars_0d_melt_simple.yaml").read_text(encoding="utf-8"), encoding="utf-8"
    )
    assert (
        load_sweep(sweep_file(tmp_path / "deeper", base="../base.yaml", axes=T0)).base[
            "temperature"
        ]["law"]
        == "slab"
    )


def test_the_shipped_sweep_can_be_read() -> None:
    assert (
        len(list(load_sweep(CONFIGS / "sweeps" / "temperature_supply.yaml").numbered()))
        == 3 * 2 * 3 * 32
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"axis": T0}, "axis: there is no such section; did you mean axes"),
        (
            {"axes": {"temperature.T0": []}},
            r"axes\.temperature\.T0 is empty; give at least one value or drop the axis",
        ),
        (
            {"axes": {"temperature.T0": [1.0, 1.0]}},
            r"axes\.temperature\.T0 has the value 1.0 twice; drop one",
        ),
        (
            {"axes": {"ring": {"ring": [1.0, 2.7, 3]}}},
            r"axes\.ring there is no kind of axis 'ring'",
        ),
        (
            {"zip": [{"material.rho": [3000.0], "qstar.scale": [1.0, 2.0]}]},
            r"zip\[0\] lists .*1 for material.rho, 2 for qstar.scale",
        ),
        ({"variants": {"hot": 3000}}, "variants hot must be a set of overrides"),
        (
            {"axes": {**T0, "numerics.rtol": [1e-3]}, "zip": [{"temperature.T0": [3000.0]}]},
            "temperature.T0 is set by two axes, .*keep one",
        ),
        (
            {"axes": {"disk.r_in_RM": [1.0], "ring": {"rings": [1.0, 2.7, 3]}}},
            "disk.r_in_RM is set by two axes, disk.r_in_RM and ring",
        ),
        (
            {"axes": T0, "exclude": [{"material.rho": 3000.0}]},
            r"exclude\[0\] names material.rho, which no axis sets; there are temperature.T0",
        ),
        (
            {"axes": T0, "set": {"temperature.T0": 1e3}},
            (
                r"set.temperature.T0 = 1000.0 would be overridden by the axis temperature.T0 in"
                r" every case"
            ),
        ),
        (
            {"axes": {"ring": {"rings": [1.0, 2.7, 3]}}, "set": {"disk.r_in_RM": 1.0}},
            "set.disk.r_in_RM = 1.0 would be overridden by the axis ring",
        ),
        (
            {"axes": {"output.samples": [8, 16]}},
            (
                "axes.output.samples: all runs of a store share their output grid; set it once"
                " under output"
            ),
        ),
        (
            {},
            (
                "nothing is swept: give axes, zip, sample, design, refine, one_at_a_time, variants"
                " or include"
            ),
        ),
        (
            {"axes": T0, "cache": {"scope": "thread"}},
            "cache.scope = 'thread': must be one of run, task, worker",
        ),
        ({"axes": T0, "block": 0}, r"block = 0: must be a whole number in \[1, 100000\]"),
        (
            {"axes": T0, "name": "../a b"},
            (
                "name = '../a b': must be letters, digits, points, dashes and underscores, the"
                " first a letter or digit"
            ),
        ),
        ({"axes": T0, "name": None}, "name is missing"),
        ({"axes": T0, "base": None}, "base is missing"),
        ({"axes": T0, "base": 3}, "base = 3: must be a text"),
        (
            {"axes": T0, "base": "nowhere.yaml"},
            "base = 'nowhere.yaml': cannot be read: No such file.*; check the path",
        ),
        ({"axes": [3000.0]}, "axes = "),
        ({"axes": T0, "include": {"temperature.T0": 1.0}}, "include = "),
    ],
)
def test_bad_input_is_named_with_what_to_do(
    load: Load, changes: dict[str, Any], words: str
) -> None:
    assert re.search(words, problems(load, **changes)[0])


def test_a_bad_axis_is_not_reported_as_a_missing_one_too(load: Load) -> None:
    (line,) = problems(load, axes={"temperature.T0": []})
    assert line.startswith(
        "axes.temperature.T0 is empty; give at least one value or drop the axis\n      line "
    )


def test_all_problems_of_the_axes_are_listed_together(load: Load) -> None:
    lines = problems(
        load,
        axes={"temperature.T0": [], "dynamics.e0": 3.0, **TAU},
        zip=[{"a": [1], "b": []}],
        variants={"x": None},
    )
    assert [line.split(" ")[0] for line in lines] == [
        "axes.temperature.T0",
        "axes.dynamics.e0",
        "zip[0]",
        "variants",
    ]


@pytest.mark.parametrize(
    "axes", [{"axes": T0}, {"zip": [T0]}, {"variants": {"hot": {"temperature.T0": 5000.0}}}]
)
def test_the_command_line_may_not_override_an_axis(load: Load, axes: dict[str, Any]) -> None:
    (line,) = problems(load, **axes, command_line={"temperature.T0": 3500.0})
    assert line.startswith("--set temperature.T0=3500.0 would override the axis ")
    assert line.endswith("drop one of them")


def test_the_command_line_is_never_silently_without_effect_on_an_included_case(load: Load) -> None:
    included = {"dynamics.e0": 0.1, "temperature.T0": 6000.0}
    try:
        sweep = load(
            axes={"dynamics.e0": [0.5]}, include=[included], command_line={"temperature.T0": 5000.0}
        )
    except ConfigError as error:
        message = str(error)
    else:
        message = ""
        assert [case for _, case in sweep.numbered()][-1].get("temperature.T0", 5000.0) == 5000.0
    assert "temperature.T0" in message or not message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("axes: [1, 2", "the bracket . is not closed"),
        (
            "name: a\nbase: b\nset: {}\nname: b",
            r"the key .name. is given twice; drop one\n      line 4: name: b",
        ),
        ("- 1", "must hold sections with keys, not a list"),
        ("# nothing yet", "must hold sections with keys, not an empty file"),
        ("3", "must hold sections with keys, not a single value"),
    ],
)
def test_a_file_that_is_no_sweep_is_refused_by_name(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "broken.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=words) as caught:
        load_sweep(file)
    assert caught.value.where == str(file)


def test_a_missing_sweep_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError,
        match=r"missing\.yaml:\n  cannot be read: No such file or directory; check the path",
    ):
        load_sweep(tmp_path / "missing.yaml")


def test_a_broken_base_is_named_with_the_sweep_file(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("disk: {r_in_RM: [", encoding="utf-8")
    file = sweep_file(tmp_path, base="base.yaml", axes=T0)
    with pytest.raises(ConfigError, match=r"a value is missing.*\n      line 1: disk") as caught:
        load_sweep(file)
    assert caught.value.where == f"{file}, base = 'base.yaml'"
