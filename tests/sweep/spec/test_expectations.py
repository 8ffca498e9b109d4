"""Expectations: which runs and groups are judged, what passes, fails, and cannot be judged."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zarr
from click.testing import CliRunner, Result
from small_sweeps import (
    T0_AND_RINGS,
    assert_same_bits,
    forget_block,
    in_one_line,
    run_here,
    sweep_file,
)
from toy_model import BOUNDS, TINY, install

import sweep.cli.commands
from marsdisk.common.errors import ConfigError
from marsdisk.common.exit_codes import CHECK_FAILED
from sweep.common.errors import PlanChangedError
from sweep.planning.plan import Plan
from sweep.results.judge import judge
from sweep.results.judged_columns import Results
from sweep.running.driver_notes import FINISHED, Beat
from sweep.spec.expectations import parse_expectations
from sweep.store.locate import locate
from sweep.store.store import Store

STAYS = {"along": "e0", "expect": "M_loss >= 0.5 or not earlier(M_loss >= 0.5)"}
SPREAD = {"over": "i0", "expect": "largest(M_loss) <= 1.1 * smallest(M_loss)"}
# e0 in no order
AXES: dict[str, Any] = {"dynamics.e0": [0.5, 0.1, 0.3, 0.2, 0.4], "dynamics.i0": [0.01, 0.1]}
Made = Callable[..., Path]


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    """Return a function that runs a toy sweep over e0 and i0, scaled to 0..1, in blocks of two.

    The sweep file small.yaml is in the folder of the store.
    """

    def toy(
        model: Callable[[float, float], float],
        fails: Callable[[Any], bool] = lambda config: False,
        **changes: Any,
    ) -> Path:
        install(
            monkeypatch,
            lambda u: model(round(float(u[0]), 9), round(float(u[1]), 9)),
            list(BOUNDS)[:2],
            fails,
        )
        run_here(
            sweep_file(tmp_path, **{**TINY, "block": 2, "axes": AXES, **changes}),
            tmp_path / "toy.zarr",
        )
        return tmp_path / "toy.zarr"

    return toy


def ask(*words: object) -> Result:
    return CliRunner().invoke(sweep.cli.commands.main, [*map(str, words)])


def checked(store: Path, *words: object) -> dict[str, Any]:
    """Return the output of sweep expect --json by name, and its exit code as ``exit_code``."""
    done = ask("expect", store, *words, "--json")
    content = json.loads(done.output)
    assert content["exit_code"] == done.exit_code
    return {"exit_code": done.exit_code, **{of["name"]: of for of in content["checks"]}}


def counts(judged: dict[str, Any]) -> tuple[str, int, int, dict[str, int], int]:
    return (
        judged["verdict"],
        judged["judged"],
        judged["failing"],
        judged["not_judged"],
        judged["alone"],
    )


def test_a_loss_that_stays_passes_along_an_axis_in_the_order_of_its_values(toy: Made) -> None:
    found = checked(toy(lambda e0, i0: float(e0 >= 0.5), expect={"stays": STAYS}))
    assert counts(found["stays"]) == ("pass", 2, 0, {}, 0)
    assert found["exit_code"] == 0


def test_a_loss_that_returns_below_fails_with_the_run_that_is_furthest_below(toy: Made) -> None:
    store = toy(
        lambda e0, i0: {0.75: 0.4, 1.0: 0.1 + 0.2 * i0}.get(e0, float(e0 >= 0.5)),
        expect={"stays": STAYS},
    )
    found = checked(store)
    assert (found["exit_code"], CHECK_FAILED) == (3, 3)
    assert counts(found["stays"]) == ("FAIL", 2, 2, {}, 0)
    worst = found["stays"]["worst"]
    assert (worst["at"], worst["numbers"]) == (
        {"e0": 0.5, "i0": 0.01},
        {"M_loss": pytest.approx(0.1)},
    )
    group = zarr.open_group(store, mode="r")
    assert worst["run_id"] == group["run_id"][worst["run"]]
    assert (group["e0"][worst["run"]], group["i0"][worst["run"]]) == (0.5, 0.01)


def test_a_spread_is_judged_in_every_group_and_shown_with_both_sides(toy: Made) -> None:
    store = toy(
        lambda e0, i0: 1.0 + e0 * i0,
        expect={"spread": SPREAD, "of all": {**SPREAD, "over": ["e0", "i0"]}},
    )
    found = checked(store)
    assert counts(found["spread"]) == ("FAIL", 5, 4, {}, 0)
    assert found["spread"]["worst"]["at"]["e0"] == 0.5
    assert found["spread"]["worst"]["numbers"] == {
        "largest(M_loss)": 2.0,
        "1.1 * smallest(M_loss)": pytest.approx(1.1),
    }
    assert counts(found["of all"]) == ("FAIL", 1, 1, {}, 0)


def test_an_expectation_without_an_axis_is_of_every_run_included_ones_too(toy: Made) -> None:
    expectations = {"low": {"expect": "M_loss < 0.9"}, "stays": STAYS}
    found = checked(
        toy(
            lambda e0, i0: e0,
            include=[{"dynamics.e0": 0.46, "dynamics.i0": 0.02}],
            expect=expectations,
        )
    )
    assert counts(found["low"]) == ("FAIL", 11, 3, {}, 0)
    assert found["low"]["worst"]["at"] == {"e0": 0.5, "i0": 0.01}
    assert counts(found["stays"]) == (
        "pass",
        2,
        0,
        {},
        0,
    )  # an included case stands on no axis


def test_where_chooses_runs_and_a_group_of_one_has_nothing_to_compare(toy: Made) -> None:
    expectations = {
        "high": {**SPREAD, "where": "e0 > 0.35"},
        "single": {**SPREAD, "where": "i0 < 0.05"},
        "none": {"expect": "M_loss < 0", "where": "e0 > 7"},
    }
    store = toy(lambda e0, i0: 1.0 + (e0 < 0.5) * i0, expect=expectations)
    found = checked(store)
    assert counts(found["high"]) == ("pass", 2, 0, {}, 0)
    assert counts(found["single"]) == ("cannot be judged", 0, 0, {}, 5)
    assert counts(found["none"]) == ("cannot be judged", 0, 0, {}, 0)
    assert found["exit_code"] == 1  # nothing fails, and not everything passes
    text = in_one_line(ask("expect", store).output)
    assert (
        "expectation none cannot be judged, which is not a pass: no run is chosen by where" in text
    )
    assert (
        "expectation single cannot be judged, which is not a pass: 5 of one run, nothing to compare"
        in text
    )


def test_groups_with_pending_and_failed_runs_are_not_judged_and_counted(toy: Made) -> None:
    expectations = {"spread": SPREAD, "each": {"expect": "M_loss > -1"}, "stays": STAYS}
    store = toy(
        lambda e0, i0: e0,
        lambda config: config.dynamics.e0 == 0.2 and config.dynamics.i0 == 0.1,
        expect=expectations,
    )
    assert counts(checked(store)["spread"]) == ("pass", 4, 0, {"failed": 1}, 0)
    assert counts(checked(store)["stays"]) == ("pass", 1, 0, {"failed": 1}, 0)
    assert checked(store)["exit_code"] == 1
    assert "│ stays │ pass │ 1 groups │ 0 │ 1 with failed runs │" in in_one_line(
        ask("expect", store).output
    )
    forget_block(store, 0)
    found = checked(store)
    e0 = zarr.open_group(store, mode="r")["e0"][:2]
    assert counts(found["spread"]) == (
        "pass",
        4 - len({*e0}),
        0,
        {"failed": 1, "pending": len({*e0})},
        0,
    )
    assert counts(found["each"]) == ("pass", 7, 0, {"failed": 1, "pending": 2}, 0)
    for block in range(1, 5):
        forget_block(store, block)
    assert counts(checked(store)["each"]) == (
        "cannot be judged",
        0,
        0,
        {"pending": 10},
        0,
    )
    assert "expectation each cannot be judged, which is not a pass: 10 pending" in in_one_line(
        ask("expect", store).output
    )


def test_a_condition_on_results_does_not_drop_runs_that_have_none_yet(toy: Made) -> None:
    expectations = {
        "by result": {**SPREAD, "where": "M_loss >= 0"},
        "by key": {**SPREAD, "where": "i0 > 0"},
        "on purpose": {**SPREAD, "where": "status == 'done'"},
    }
    store = toy(lambda e0, i0: e0, expect=expectations)
    forget_block(store, 0)
    found = checked(store)
    assert found["by result"]["not_judged"] == found["by key"]["not_judged"] != {}
    assert found["on purpose"]["not_judged"] == {}


def test_a_run_without_a_value_is_judged_only_where_the_expectation_says_what_that_means(
    toy: Made,
) -> None:
    expectations = {
        "low": {"expect": "M_loss < 2"},
        "known": {"expect": "M_loss < 2", "where": "isfinite(M_loss)"},
        "all there": {"expect": "isfinite(M_loss)"},
        "stays": STAYS,
    }
    store = toy(lambda e0, i0: e0 if i0 < 0.5 else float("nan"), expect=expectations)
    found = checked(store)
    assert counts(found["low"]) == ("pass", 5, 0, {"without a value": 5}, 0)
    assert counts(found["known"]) == ("pass", 5, 0, {}, 0)
    assert counts(found["all there"]) == ("FAIL", 10, 5, {}, 0)
    assert counts(found["stays"]) == ("pass", 1, 0, {"without a value": 1}, 0)
    assert (
        "expectation low: say what a run without a value means with isfinite(...)"
        in ask("expect", store).output
    )


def test_a_run_of_several_cases_counts_in_each_of_their_groups(toy: Made) -> None:
    variants = {"a": {}, "b": {}, "c": {"dynamics.i0": 0.1}}
    expectations = {
        "by variant": STAYS,
        "same": {"over": "variant", "expect": "largest(M_loss) == smallest(M_loss)"},
    }
    store = toy(
        lambda e0, i0: (e0 >= 0.5) * (1.0 - i0 * (e0 == 1.0)),
        variants=variants,
        expect=expectations,
    )
    assert zarr.open_group(store, mode="r")["status"].shape == (10,)
    found = checked(store)
    # i0 = 0.1 of a and b, and both of c
    assert counts(found["by variant"]) == ("FAIL", 6, 4, {}, 0)
    assert counts(found["same"]) == ("FAIL", 10, 1, {}, 0)
    assert found["same"]["worst"]["at"]["i0"] == 0.01


def test_a_run_ends_with_the_verdicts_and_an_exit_code_of_their_own(
    toy: Made, tmp_path: Path
) -> None:
    store = toy(lambda e0, i0: e0, expect={"low": {"expect": "M_loss < 0.9"}, "stays": STAYS})
    for words in (("run", tmp_path / "small.yaml", "--store", store), ("resume", store)):
        done = ask(*words, "--workers", 0)
        assert done.exit_code == CHECK_FAILED, done.output
        text = in_one_line(done.output)
        assert "│ low │ FAIL │ 10 runs │ 2 │ - │" in text
        assert "│ stays │ pass │ 2 groups │ 0 │ - │" in text
        assert "expectation low fails in 2 of 10 runs: expected M_loss < 0.9" in text
        assert (
            "worst: e0 = 0.5, i0 = 0.01: M_loss = 1 (run"
            f" {zarr.open_group(store, mode='r')['e0'][:].tolist().index(0.5)}, " in text
        )
        assert f"sweep card {store}" in text


def test_failed_runs_and_failed_expectations_have_their_own_code(toy: Made, tmp_path: Path) -> None:
    store = toy(
        lambda e0, i0: e0,
        lambda config: config.dynamics.e0 == 0.1,
        expect={"low": {"expect": "M_loss < 0.9"}},
    )
    assert ask("resume", store, "--workers", 0).exit_code == CHECK_FAILED
    sweep_file(
        tmp_path, **{**TINY, "block": 2, "axes": AXES, "expect": {"low": {"expect": "M_loss < 2"}}}
    )
    assert ask("run", tmp_path / "small.yaml", "--store", store, "--workers", 0).exit_code == 1


def test_other_expectations_neither_change_nor_refuse_a_store(toy: Made, tmp_path: Path) -> None:
    store = toy(lambda e0, i0: e0, expect={"low": {"expect": "M_loss < 0.9"}})
    kept = Path(shutil.copytree(store, tmp_path / "kept.zarr"))
    run_here(
        sweep_file(tmp_path, **{**TINY, "block": 2, "axes": AXES, "expect": {"other": STAYS}}),
        store,
    )
    run_here(sweep_file(tmp_path, **{**TINY, "block": 2, "axes": AXES}), store)
    assert_same_bits(store, kept)
    # its record has them as they were when it was made
    assert {*checked(store)} == {"exit_code", "low"}
    changed = {
        **TINY,
        "block": 2,
        "axes": {**AXES, "dynamics.i0": [0.02]},
        "expect": {"other": STAYS},
    }
    with pytest.raises(PlanChangedError) as refused:
        run_here(sweep_file(tmp_path, **changed), store)
    assert "dynamics.i0" in str(refused.value)
    assert "sweep file.expect" not in str(refused.value)


def test_expectations_of_another_file_are_asked_of_a_store_that_has_none(
    toy: Made, tmp_path: Path
) -> None:
    store = toy(lambda e0, i0: e0)
    none = ask("expect", store)
    assert none.exit_code == 2
    assert (
        "there are no expectations; write some (see sweep expect --help) and give their file with"
        " --file" in none.output
    )
    (tmp_path / "later.yaml").write_text(
        "expect: {low: {expect: 'M_loss < 0.9'}}\n", encoding="utf-8"
    )
    assert counts(checked(store, "--file", tmp_path / "later.yaml")["low"]) == (
        "FAIL",
        10,
        2,
        {},
        0,
    )


def test_who_watches_gets_the_same_exit_code(toy: Made) -> None:
    store = toy(lambda e0, i0: e0, expect={"low": {"expect": "M_loss < 0.9"}})
    Beat(id="x", beat=1, state=FINISHED, exit_code=0).write(locate(store))
    done = ask("watch", store)
    assert done.exit_code == CHECK_FAILED, done.output
    assert "expectation low fails in 2 of 10 runs" in done.output


@pytest.mark.parametrize(
    ("expectation", "message"),
    [
        (
            {"expect": "M_los > 1"},
            r"expect\.mine\.expect: there is no M_los; did you mean M_loss\?",
        ),
        ({"expect": "M_loss >"}, r"expect\.mine: syntax error"),
        ({"expect": "M_loss = 1"}, "to compare write =="),
        ({"expect": "M_loss"}, r"expect\.mine\.expect: this is a number, not a condition"),
        ({"expect": "status == 'dne'"}, "'dne' is none of pending, done, failed"),
        ({"expect": "M_loss > 1 and __import__('os')"}, "the functions are"),
        ({"expect": "True"}, "names no result and no parameter, so that it tests nothing"),
        ({"expect": "Sigma > 1"}, "there is no Sigma; did you mean Sigma_0"),  # a series
        (
            {"expect": "largest(M_loss) < 1"},
            r"expect\.mine: largest asks for a group: give over, or along",
        ),
        (
            {"expect": "earlier(M_loss > 1)", "over": "T0"},
            "earlier asks for an order: give along instead of over",
        ),
        (
            {"expect": "earlier(M_loss)", "along": "T0"},
            "a condition.* is needed here, this is a number",
        ),
        ({"expect": "lagest(M_loss) < largest(T0)", "over": "T0"}, "did you mean largest"),
        ({"expect": "largest(M_loss, 1) < 1", "over": "T0"}, "largest takes one argument"),
        (
            {"expect": "M_loss > 1", "over": "T0"},
            "expect asks nothing of a group: use largest, .* or drop over and along",
        ),
        (
            {"expect": "sum(M_loss) > 1", "over": "T"},
            (
                r"over = T: there is no axis T; did you mean T0\? \(the axes are called T0, ring,"
                r" variant\)"
            ),
        ),
        (
            {"expect": "sum(M_loss) > 1", "over": "radiation.T0"},
            r"there is no axis radiation\.T0; did you mean T0",
        ),
        ({"expect": "sum(M_loss) > 1", "over": ["ring", "Q"]}, "over = Q: there is no axis Q"),
        ({"expect": "sum(M_loss) > 1", "over": []}, "must name one axis or more, each once"),
        (
            {"expect": "sum(M_loss) > 1", "over": ["T0", "T0"]},
            "must name one axis or more, each once",
        ),
        (
            {"expect": "sum(M_loss) > 1", "over": "T0", "along": "ring"},
            "over and along both make groups; give one of them",
        ),
        (
            {"expect": "earlier(M_loss > 1)", "along": "variant"},
            "along = variant: its values are no numbers.*use over",
        ),
        (
            {"expect": "M_loss > 1", "where": "T00 > 1"},
            r"expect\.mine\.where: there is no T00; did you mean T0\?",
        ),
        (
            {"expect": "M_loss > 1", "where": "largest(T0) > 1"},
            r"expect\.mine\.where: the functions are abs",
        ),
        (
            {"expect": "M_loss > 1", "were": "T0 > 1"},
            r"expect\.mine: were = 'T0 > 1': there is no such key; did you mean where",
        ),
        ({}, r"expect\.mine: expect is missing"),
        (
            "M_loss > 1",
            (
                r"expect\.mine = 'M_loss > 1': must be keys with values, such as \{expect: M_loss"
                r" > 0\}"
            ),
        ),
    ],
)
def test_what_is_wrong_with_an_expectation_is_said_before_anything_runs(
    plan: Callable[..., Plan], expectation: Any, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        plan(
            axes=T0_AND_RINGS,
            variants={"a": {}, "b": {"dynamics.e0": 0.3}},
            expect={"mine": expectation, "good": {"expect": "M_loss >= 0"}},
        )


def test_all_that_is_wrong_is_said_at_once(plan: Callable[..., Plan]) -> None:
    with pytest.raises(ConfigError) as refused:
        plan(
            axes=T0_AND_RINGS,
            expect={
                "one": {"expect": "M_los > 1"},
                "two": {"expect": "t9 > 1"},
                "three": {"expect": "t99 > 1"},
            },
        )
    assert len(refused.value.problems) == 2
    with pytest.raises(
        ConfigError, match=r"expect = \['M_loss > 1'\]: must be names with conditions"
    ):
        plan(axes=T0_AND_RINGS, expect=["M_loss > 1"])


def test_names_of_parts_that_only_some_stores_have_are_known_where_they_are(
    plan: Callable[..., Plan],
) -> None:
    expectations = {"energy": {"expect": "E_collisions >= 0"}}
    assert plan(
        axes=T0_AND_RINGS,
        set={"numerics.t_end_years": 0.02, "energy.enabled": True},
        expect=expectations,
    )
    with pytest.raises(ConfigError, match="there is no E_collisions"):
        plan(axes=T0_AND_RINGS, expect=expectations)


def test_names_that_a_plan_knows_are_those_of_its_store(
    plan: Callable[..., Plan], finished: Path
) -> None:
    from sweep.planning.expected_results import expected_results
    from sweep.results.judged_columns import Results
    from sweep.store.store import Store

    made = plan(axes=T0_AND_RINGS)
    expected = expected_results(made.sweep, made.runs.values, made.coordinates, made.parts)
    stored = Results.of(Store.open(finished))
    assert {*expected.cases} == {*stored.cases}
    assert {*expected.parameters} >= {*stored.parameters} - {"ring"}
    kinds = {name: values.dtype.kind for name, values in expected.cases.items()}
    numbers = {"i": "f", "u": "f"}
    assert {name: numbers.get(kind, kind) for name, kind in kinds.items()} == {
        name: numbers.get(values.dtype.kind, values.dtype.kind)
        for name, values in stored.cases.items()
    }


def test_a_plan_shows_what_will_be_judged(tmp_path: Path) -> None:
    file = sweep_file(
        tmp_path,
        axes=T0_AND_RINGS,
        expect={
            "stays": {
                "along": "T0",
                "expect": "M_loss == largest_so_far(M_loss)",
                "where": "ring > 0",
            }
        },
    )
    done = ask("plan", file)
    assert done.exit_code == 0, done.output
    assert (
        "evaluated at the end: stays: M_loss == largest_so_far(M_loss), along T0, where ring > 0"
        in done.output
    )


def test_real_runs_meet_what_the_model_conserves_and_do_not_fall_with_temperature(
    finished: Path, tmp_path: Path
) -> None:
    expectations = {
        "closes": {"expect": "abs(ledger_error) < 1e-12"},
        "grows": {"along": "T0", "expect": "M_loss >= 0.99 * largest_so_far(M_loss)"},
        "inner rings lose more": {
            "along": "ring",
            "expect": (
                "M_loss / (r_out_RM**2 - r_in_RM**2) == smallest_so_far(M_loss / (r_out_RM**2 -"
                " r_in_RM**2))"
            ),
        },
    }
    (tmp_path / "expectations.yaml").write_text(
        json.dumps({"expect": expectations}), encoding="utf-8"
    )
    found = checked(finished, "--file", tmp_path / "expectations.yaml")
    assert [counts(found[name]) for name in expectations] == [
        ("pass", 6, 0, {}, 0),
        ("pass", 3, 0, {}, 0),
        ("pass", 2, 0, {}, 0),
    ]


@pytest.mark.parametrize(
    "expect",
    [
        "not (M_loss_sublimation / M_loss_sublimation > 0.5)",
        "not log(-M_loss) > 0",
        "M_loss_sublimation / M_loss_sublimation > 0.5",
    ],
)
def test_a_comparison_with_a_number_that_does_not_exist_is_no_verdict(
    finished: Path, expect: str
) -> None:
    (judged,) = judge(
        parse_expectations({"a": {"expect": expect}})[0],
        Results.of(Store.open(finished)),
        "here",
    )
    assert (judged.verdict, judged.failing, dict(judged.not_judged)) == (
        "cannot be judged",
        0,
        {"without a value": 6},
    )


def test_a_number_that_does_not_exist_is_judged_where_isfinite_asks_for_it(finished: Path) -> None:
    expect = (
        "not isfinite(M_loss_sublimation / M_loss_sublimation) or M_loss_sublimation /"
        " M_loss_sublimation > 0.5"
    )
    (judged,) = judge(
        parse_expectations({"a": {"expect": expect}})[0],
        Results.of(Store.open(finished)),
        "here",
    )
    assert (judged.verdict, judged.judged) == ("pass", 6)
