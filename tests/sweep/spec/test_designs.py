"""Designs: points follow from the file alone, can be extended, and cover the space."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from scipy import stats
from small_sweeps import assert_same_bits, run_here, sweep_file

import sweep
import sweep.spec.designs
from marsdisk.common.errors import ConfigError
from sweep.common.errors import PlanChangedError, StoreError
from sweep.common.optional import ExtraMissingError
from sweep.planning.plan import Plan
from sweep.spec.designs import POINT
from sweep.spec.distributions import parse_marginal
from sweep.spec.file import Sweep
from sweep.store import layout
from sweep.store.cases import cases
from sweep.store.store import Store

Load = Callable[..., Sweep]
Planner = Callable[..., Plan]
AXES = {
    "temperature.T0": {"uniform": [3000.0, 5000.0]},
    "dynamics.i0": {"loguniform": [0.005, 0.1]},
}
IN_UNIT = {
    "dynamics.e0": {"uniform": [0.0, 0.5]},
    "psd.alpha": {"uniform": [0.0, 1.0]},
    "supply.f_orb": {"uniform": [0.5, 1.0]},
}


def points(load: Load, section: str = "sample", **given: Any) -> list[dict[str, Any]]:
    """Return the points of a design, in its order."""
    (axis,) = (
        axis for axis in load(**{section: {"axes": AXES, **given}}).axes if axis.name == POINT
    )
    return list(axis.points)


@pytest.mark.parametrize(
    ("section", "method", "n", "second", "last"),
    [
        ("sample", "sobol", 8, (4163.56669739, 0.0830404229579), (3903.54754776, 0.0508101749548)),
        ("sample", "halton", 8, (3653.39961585, 0.0673174639685), (3403.39961585, 0.0939045498103)),
        ("sample", "lhs", 8, (4088.72036695, 0.0064494791053), (3166.26232112, 0.0097258293451)),
        ("sample", "random", 8, (3288.31922544, 0.0857415618834), (3606.38965858, 0.0194529003255)),
        (
            "design",
            "saltelli",
            8,
            (4215.06435052, 0.0291707728657),
            (4829.30476964, 0.00536293791053),
        ),
        ("design", "morris", 8, (5000.0, 0.005), (5000.0, 0.005)),
        ("design", "fast", 65, (3460.40580889, 0.0189973372818), (4484.89434075, 0.0242490203492)),
    ],
)
def test_points_are_these_bits_and_no_others(
    load: Load,
    section: str,
    method: str,
    n: int,
    second: tuple[float, ...],
    last: tuple[float, ...],
) -> None:
    drawn = points(load, section, method=method, n=n, seed=1)
    assert [tuple(drawn[i].values()) for i in (1, -1)] == [second, last]


@pytest.mark.parametrize(
    ("given", "shares", "values"),
    [
        ({"uniform": [2, 4]}, [0.0, 0.25, 1.0], [2.0, 2.5, 4.0]),
        ({"loguniform": [0.01, 1.0]}, [0.0, 0.5, 1.0], [0.01, 0.1, 1.0]),
        ({"normal": [10.0, 2.0]}, [0.5, 0.8413447460685429], [10.0, 12.0]),
        ({"normal": [0.0, 1.0, -1.0, 1.0]}, [0.0, 0.5, 1.0], [-1.0, 0.0, 1.0]),
        ({"choice": ["a", None, 3]}, [0.0, 0.34, 0.99, 1.0], ["a", None, 3, 3]),
        ({"integers": [20, 22]}, [0.0, 0.34, 0.67, 1.0], [20, 21, 22, 22]),
    ],
)
def test_a_distribution_turns_shares_of_probability_into_values(
    given: Any, shares: list[float], values: list[Any]
) -> None:
    assert parse_marginal(given).values(shares) == values
    assert all(type(value) is not np.float64 for value in parse_marginal(given).values(shares))


@pytest.mark.parametrize(
    ("given", "law"),
    [
        ({"uniform": [2.0, 4.0]}, stats.uniform(2.0, 2.0)),
        ({"loguniform": [0.01, 3.0]}, stats.loguniform(0.01, 3.0)),
        ({"normal": [10.0, 2.0]}, stats.norm(10.0, 2.0)),
        ({"normal": [0.0, 1.0, -0.5, 2.0]}, stats.truncnorm(-0.5, 2.0)),
    ],
)
def test_a_distribution_is_the_one_that_is_named(given: Any, law: Any) -> None:
    shares = np.linspace(0.001, 0.999, 200)
    assert parse_marginal(given).values(shares.tolist()) == pytest.approx(
        law.ppf(shares), rel=1e-10, abs=1e-10
    )


@pytest.mark.parametrize("method", ["sobol", "halton", "lhs"])
def test_a_sample_covers_the_space_better_than_chance(load: Load, method: str) -> None:
    def unit(method: str, seed: int) -> np.ndarray[Any, Any]:
        drawn = (
            load(sample={"method": method, "n": 64, "seed": seed, "axes": IN_UNIT}).axes[0].points
        )
        return np.array([list(point.values()) for point in drawn]) * [2.0, 1.0, 2.0] - [
            0.0,
            0.0,
            1.0,
        ]

    by_chance = np.median([stats.qmc.discrepancy(unit("random", seed)) for seed in range(20)])
    assert stats.qmc.discrepancy(unit(method, 1)) < (0.6 if method == "lhs" else 0.15) * by_chance


def test_a_latin_hypercube_fills_each_stratum_of_a_key_once_and_sobol_pairs_each_square(
    load: Load,
) -> None:
    arrays = []
    for method in ("lhs", "sobol"):
        axis = load(sample={"method": method, "n": 64, "axes": IN_UNIT}).axes[0]
        arrays.append(np.array([list(point.values()) for point in axis.points]))
    lhs, sobol = arrays
    for values, (low, high) in zip(lhs.T, [(0.0, 0.5), (0.0, 1.0), (0.5, 1.0)], strict=True):
        assert sorted(((values - low) / (high - low) * 64).astype(int)) == list(range(64))
    squares = (sobol[:, 0] * 2 * 8).astype(int) * 8 + (sobol[:, 1] * 8).astype(int)
    assert (np.bincount(squares, minlength=64) == 1).all()


@pytest.mark.parametrize(
    ("section", "fewer", "changes"),
    [
        ("sample", {"method": "sobol", "n": 1024}, {"n": 4096}),
        ("sample", {"method": "halton", "n": 100}, {"n": 333}),
        ("sample", {"method": "random", "n": 100}, {"n": 333}),
        ("design", {"method": "saltelli", "n": 64}, {"n": 128}),
        ("design", {"method": "morris", "n": 10}, {"n": 25}),
        ("design", {"method": "fast", "n": 65, "curves": 2}, {"curves": 3}),
    ],
)
def test_a_design_that_goes_on_keeps_its_points(
    load: Load, section: str, fewer: dict[str, Any], changes: dict[str, Any]
) -> None:
    first = points(load, section, **fewer)
    longer = points(load, section, **{**fewer, **changes})
    assert len(first) < len(longer)
    assert longer[: len(first)] == first


def test_a_latin_hypercube_has_other_points_for_another_n(load: Load) -> None:
    assert points(load, method="lhs", n=16)[0] != points(load, method="lhs", n=32)[0]


def test_another_seed_gives_other_points_and_none_means_one(load: Load) -> None:
    one, two, none = (
        points(load, method="sobol", n=4, **seed) for seed in ({"seed": 1}, {"seed": 2}, {})
    )
    assert one == none
    assert one[0] != two[0]


def test_a_sample_is_one_axis_among_others(plan: Planner) -> None:
    planned = plan(
        sample={"method": "sobol", "n": 4, "axes": AXES},
        axes={"dynamics.e0": [0.1, 0.5]},
        variants={"as_is": {}, "big": {"sizes.s_max": 5.0}},
    )
    assert [axis.name for axis in planned.sweep.axes] == ["dynamics.e0", "point", "variant"]
    assert len(planned.cases) == 2 * 4 * 2
    assert planned.coordinates == {
        "dynamics.e0": "e0",
        "temperature.T0": "T0",
        "dynamics.i0": "i0",
        "sizes.s_max": "s_max",
    }
    assert {case.labels["point"] for case in planned.cases} == {0, 1, 2, 3}


def test_one_at_a_time_changes_one_key_and_has_its_base_once(load: Load) -> None:
    given = {"collisions.alpha_frag": [3.0, 4.0], "dynamics.e0": {"linspace": [0.1, 0.7, 3]}}
    loaded = load(set={"numerics.t_end_years": 0.02, "dynamics.e0": 0.3}, one_at_a_time=given)
    assert [overrides for _, overrides in loaded.numbered()] == [
        {},
        *({"collisions.alpha_frag": value} for value in (3.0, 4.0)),
        *({"dynamics.e0": pytest.approx(value)} for value in (0.1, 0.4, 0.7)),
    ]
    assert [loaded.labels(number)["one_at_a_time"] for number in (0, 1)] == [
        "base",
        "collisions.alpha_frag = 3.0",
    ]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            {"uniform": [4.0, 3.0]},
            r"uniform: [4, 3] is empty; the first bound must be below the second",
        ),
        ({"uniform": [3.0, 3.0]}, "is empty"),
        ({"uniform": [3.0]}, "uniform takes 2 numbers in brackets, got [3.0]"),
        ({"uniform": ["a", 4.0]}, "uniform takes 2 numbers"),
        (
            {"loguniform": [0.0, 1.0]},
            "loguniform needs bounds above 0, got [0.0, 1.0]; use uniform",
        ),
        ({"loguniform": [2.0, 1.0]}, "loguniform: [2, 1] is empty"),
        ({"normal": [1.0, 0.0]}, "normal: the standard deviation must be above 0, got 0"),
        ({"normal": [1.0, -1.0]}, "must be above 0, got -1"),
        ({"normal": [1.0, 1.0, 3.0]}, "normal takes 2 or 4 numbers"),
        ({"normal": [0.0, 1.0, 2.0, 1.0]}, "normal: [2, 1] is empty"),
        (
            {"normal": [0.0, 1.0, 20.0, 30.0]},
            "of the probability lies within [20, 30]; move the bounds towards the mean 0",
        ),
        (
            {"choice": [1.0]},
            (
                "choice takes a list of two values or more, got [1.0]; a single value belongs"
                " under set"
            ),
        ),
        ({"choice": [1.0, 2.0, 1.0]}, "choice has the value 1.0 twice"),
        ({"integers": [1, 2.5]}, "integers takes whole numbers"),
        ({"integers": [3, 3]}, "integers: [3, 3] is empty"),
        ({"beta": [1, 2]}, "there is no distribution 'beta'; must be {uniform: [a, b]}"),
        ([1, 2], "must be {uniform: [a, b]}"),
        ({"uniform": [0, 1], "choice": [1, 2]}, "must be {uniform: [a, b]}"),
    ],
)
def test_a_bad_distribution_says_what_it_must_be(load: Load, given: Any, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(sample={"method": "sobol", "n": 4, "axes": {"dynamics.e0": given}})
    (line,) = caught.value.problems
    assert line.startswith("sample.axes.dynamics.e0: ")
    assert words in line


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        (
            {
                "sample": {
                    "method": "sobol",
                    "n": 1000,
                    "axes": {
                        "dynamics.e": {"uniform": [0, 1]},
                        "dynamics.i0": {"loguniform": [0, 1]},
                    },
                }
            },
            [
                (
                    "sample.n = 1000: a Sobol sequence covers the space evenly at powers of two"
                    " only; give 512 or 1024"
                ),
                "sample.axes.dynamics.e: there is no such key; did you mean dynamics.e0?",
                (
                    "sample.axes.dynamics.i0: loguniform needs bounds above 0, got [0, 1]; use"
                    " uniform, or raise the first"
                ),
            ],
        ),
        (
            {"sample": {"method": "latin", "n": 8, "axes": AXES}},
            ["sample.method = 'latin': must be one of sobol, halton, lhs, random"],
        ),
        (
            {"sample": {"method": "lhs", "axes": AXES}},
            ["sample.n is missing: give a whole number in [1, 1e+06] (number of points)"],
        ),
        (
            {"sample": {"method": "lhs", "n": 0, "axes": AXES}},
            ["sample.n = 0: must be a whole number in [1, 1e+06]"],
        ),
        (
            {"sample": {"method": "lhs", "n": 3, "axes": {}}},
            ["sample.axes is empty; give at least one key with its distribution"],
        ),
        (
            {"design": {"method": "saltelli", "n": 12, "axes": AXES}},
            [
                "design.n = 12: a Sobol sequence covers the space evenly at powers of two only;"
                " give 8 or 16"
            ],
        ),
        (
            {"design": {"method": "fast", "n": 64, "axes": AXES}},
            ["design.n = 64: a FAST curve needs more than 64 runs; give 65 or more"],
        ),
        (
            {"design": {"method": "saltelli", "n": 8, "levels": 6, "axes": AXES}},
            ["design.levels belongs to method morris, not saltelli; drop it"],
        ),
        (
            {
                "design": {
                    "method": "morris",
                    "n": 8,
                    "axes": {"dynamics.e0": {"normal": [0.3, 0.1]}},
                }
            },
            [
                "design.axes.dynamics.e0: normal needs bounds with method morris, whose levels"
                " reach both ends: [mean, sd, low, high], got [0.3, 0.1]"
            ],
        ),
        (
            {
                "sample": {"method": "sobol", "n": 8, "axes": AXES},
                "axes": {"temperature.T0": [3000.0]},
            },
            ["temperature.T0 is set by two axes, temperature.T0 and sample; keep one"],
        ),
        (
            {
                "sample": {"method": "sobol", "n": 8, "axes": AXES},
                "one_at_a_time": {"dynamics.i0": [0.1]},
            },
            ["dynamics.i0 is set by two axes, one_at_a_time and sample; keep one"],
        ),
        (
            {
                "sample": {"method": "sobol", "n": 8, "axes": AXES},
                "design": {"method": "morris", "n": 8, "axes": AXES},
            },
            [
                "sample and design both draw points; give one of them",
                "temperature.T0 is set by two axes, sample and design; keep one",
                "dynamics.i0 is set by two axes, sample and design; keep one",
            ],
        ),
        (
            {"one_at_a_time": {"dynamics.i0": [], "dynamics.e0": 3}},
            [
                "one_at_a_time dynamics.i0 is empty; give at least one value or drop the axis;"
                " dynamics.e0 must be a list"
            ],
        ),
    ],
)
def test_all_that_is_wrong_with_a_design_is_listed_at_once(
    load: Load, changes: dict[str, Any], lines: list[str]
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(**changes)
    assert [
        problem[: len(line)] for problem, line in zip(caught.value.problems, lines, strict=True)
    ] == lines


def test_a_range_beyond_what_a_key_takes_is_told_in_few_lines(plan: Planner) -> None:
    with pytest.raises(ConfigError) as caught:
        plan(
            sample={
                "method": "random",
                "n": 200,
                "axes": {"temperature.T0": {"uniform": [100.0, 900.0]}},
            }
        )
    assert len(caught.value.problems) == 4
    assert all("must be a number in [1000, 6500] K" in line for line in caught.value.problems[:3])
    assert caught.value.problems[-1] == "  and 197 more like it, for other values"


def test_without_the_package_the_extra_is_named(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "SALib.sample.sobol", None)
    with pytest.raises(
        ExtraMissingError,
        match=(
            r"design: \{method: saltelli\} needs the package SALib.sample.sobol, .*pip install"
            r" 'marsdisk\[design\]'"
        ),
    ):
        load(design={"method": "saltelli", "n": 8, "axes": AXES})


GIVEN = {"method": "sobol", "n": 4, "axes": AXES}


@pytest.mark.parametrize(
    ("section", "first", "second", "words"),
    [
        (
            "sample",
            GIVEN,
            {**GIVEN, "n": 8},
            (
                "sample.n has grown, and sobol keeps all points that the store has: --extend adds"
                " the others"
            ),
        ),
        (
            "sample",
            {**GIVEN, "method": "lhs"},
            {**GIVEN, "method": "lhs", "n": 8},
            (
                "sample: lhs cannot be continued, because another n changes all points; sobol,"
                " halton and random can be"
            ),
        ),
        (
            "sample",
            GIVEN,
            {**GIVEN, "n": 8, "seed": 2},
            "sample.seed: the store has nothing, now it is 2",
        ),
    ],
)
def test_a_store_of_fewer_points_says_whether_they_stay(
    tmp_path: Path, section: str, first: Any, second: Any, words: str
) -> None:
    run_here(sweep_file(tmp_path, **{section: first}), tmp_path / "s.zarr")
    with pytest.raises(PlanChangedError) as caught:
        run_here(sweep_file(tmp_path, **{section: second}), tmp_path / "s.zarr")
    assert words in str(caught.value)
    assert ("--extend" in str(caught.value)) == ("--extend" in words)


def test_points_that_another_version_draws_are_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = sweep_file(tmp_path, sample=GIVEN)
    # a library that draws other points can only be had by replacing it
    drawn = sweep.spec.designs._drawn  # noqa: SLF001
    run_here(file, tmp_path / "s.zarr")
    monkeypatch.setattr(sweep.spec.designs, "_drawn", lambda spec: 1.0 - drawn(spec))
    monkeypatch.setattr(sweep.spec.designs, "_version", lambda name: "99.0")
    with pytest.raises(
        PlanChangedError,
        match=(
            r"sample: its points are not the first ones .* drawn with numpy [\d.]+, now 99.0; scipy"
            r" [\d.]+, now 99.0; install that version again"
        ),
    ):
        run_here(file, tmp_path / "s.zarr")


def test_a_continued_design_has_the_runs_of_the_smaller_one_bit_for_bit(tmp_path: Path) -> None:
    for name, n in (("small", 4), ("large", 8)):
        run_here(
            sweep_file(tmp_path, f"{name}.yaml", sample={**GIVEN, "n": n}),
            tmp_path / f"{name}.zarr",
        )
    small, large = (
        sweep.open_store(tmp_path / f"{name}.zarr").load() for name in ("small", "large")
    )
    assert small.run_id.values.tolist() == large.run_id.values[large.point.values < 4].tolist()
    assert small.M_loss.values.tobytes() == large.M_loss.values[large.point.values < 4].tobytes()


@pytest.mark.thorough
def test_a_design_in_workers_is_the_design_in_this_process(tmp_path: Path) -> None:
    file = sweep_file(tmp_path, design={"method": "morris", "n": 2, "axes": AXES})
    run_here(file, tmp_path / "here.zarr")
    run_here(file, tmp_path / "there.zarr", workers=2)
    assert_same_bits(tmp_path / "here.zarr", tmp_path / "there.zarr")


def test_cases_that_share_a_run_are_found_in_the_table_of_cases(tmp_path: Path) -> None:
    choice = {"dynamics.e0": {"choice": [0.1, 0.5]}, "dynamics.i0": {"uniform": [0.02, 0.1]}}
    planned = run_here(
        sweep_file(tmp_path, design={"method": "saltelli", "n": 4, "axes": choice}),
        tmp_path / "s.zarr",
    )
    dataset = sweep.open_store(tmp_path / "s.zarr")
    assert dataset.sizes["case"] == 4 * 4 > dataset.sizes["run"] == len(planned.cases)
    assert dataset.case_point.values.tolist() == list(range(16))
    drawn = [dict(point) for point in planned.sweep.axes[0].points]
    of_cases = dataset.isel(run=dataset.case_run.values)
    assert of_cases.e0.values.tolist() == [point["dynamics.e0"] for point in drawn]
    assert of_cases.i0.values.tolist() == [point["dynamics.i0"] for point in drawn]
    grid = dataset.sweep.grid()
    assert grid.M_loss.dims == ("point",)
    assert grid.M_loss.values.tolist() == of_cases.M_loss.values.tolist()
    assert (
        f"{16 - len(planned.cases)} of 16 cases have the same configuration as another (point = "
        in planned.warnings[0]
    )


def test_a_table_of_cases_that_names_other_runs_is_noticed_and_written_anew(tmp_path: Path) -> None:
    file = sweep_file(tmp_path, sample=GIVEN)
    store = tmp_path / "s.zarr"
    run_here(file, store)
    right = Store.open(store).column(layout.CASE_RUN)
    zarr.open_group(store, mode="r+")[layout.CASE_RUN][:] = right + 1
    with pytest.raises(
        StoreError, match="names runs that the store does not have; continue with sweep run"
    ):
        cases(Store.open(store), ["point"])
    run_here(file, store)
    runs, labels = cases(Store.open(store), ["point"])
    assert runs.tolist() == right.tolist()
    assert labels["point"].tolist() == [0, 1, 2, 3]


def test_a_plain_product_has_no_table_of_cases(finished: Path) -> None:
    assert "case" not in sweep.open_store(finished).sizes


@pytest.mark.parametrize(
    ("changes", "idle"),
    [
        ({"axes": {"psd.alpha": [1.8, 2.0]}}, "psd.alpha changes nothing"),
        (
            {
                "axes": {"dynamics.e0": [0.1, 0.5]},
                "one_at_a_time": {"psd.alpha": [1.8, 2.0], "dynamics.i0": [0.1]},
            },
            "one_at_a_time.psd.alpha changes",
        ),
        (
            {
                "sample": {
                    "method": "sobol",
                    "n": 8,
                    "axes": {**AXES, "psd.wavy_strength": {"uniform": [0.2, 0.9]}},
                }
            },
            "sample.axes.psd.wavy_strength changes nothing",
        ),
        (
            {
                "axes": {"qstar.scale": [1.0, 2.0]},
                "set": {"collisions.enabled": False, "numerics.t_end_years": 0.02},
            },
            "qstar.scale changes nothing",
        ),
        (
            {
                "axes": {"qstar.scale": [1.0, 2.0]},
                "variants": {"still": {"collisions.enabled": False}, "as_is": {}},
            },
            None,
        ),
        (
            {
                "axes": {"numerics.rtol": [1e-3, 1e-4]},
                "sample": {"method": "sobol", "n": 8, "axes": AXES},
            },
            None,
        ),
        ({"axes": {"ring": {"rings": [1.0, 2.7, 3]}, "radiation.Q_pr": [0.8, 1.0]}}, None),
    ],
)
def test_an_axis_that_changes_nothing_a_run_is_given_is_noted(
    plan: Planner, changes: dict[str, Any], idle: str | None
) -> None:
    notes = [note for note in plan(**changes).warnings if "changes nothing" in note]
    assert len(notes) == (idle is not None)
    assert idle is None or notes[0].startswith(idle)
