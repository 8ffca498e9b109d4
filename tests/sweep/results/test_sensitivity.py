"""Sensitivity of functions with known indices, through sweep file, blocks, store and command."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from small_sweeps import run_here, sweep_file
from toy_model import (
    BOUNDS,
    G_COEFFICIENTS,
    ISHIGAMI,
    TINY,
    g_indices,
    install,
    ishigami,
    sobol_g,
    uniform,
)

import sweep.cli.commands
from marsdisk.config import RunConfig
from sweep.cli.sensitivity import verdict
from sweep.planning.plan import make_plan
from sweep.results.outcomes import Outcomes, outcomes
from sweep.results.sensitivity import Answer, Indices, answers
from sweep.running.session import create
from sweep.spec.file import load_sweep
from sweep.store.store import Store

E0 = "dynamics.e0"


def ask(store: Path, *words: str, verb: str = "sensitivity") -> Result:
    return CliRunner().invoke(sweep.cli.commands.main, [verb, str(store), *words])


def json_of(store: Path, *words: str, verb: str = "sensitivity") -> dict[str, Any]:
    done = ask(store, *words, "--json", verb=verb)
    assert done.exit_code == 0, done.output
    return json.loads(done.output)


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Run a sweep over a toy model of the first keys of a design, and return its store."""

    def run(
        count: int,
        model: Any = ishigami,
        fails: Callable[[RunConfig], bool] = lambda config: False,
        name: str = "toy",
        **changes: Any,
    ) -> Path:
        install(monkeypatch, model, list(BOUNDS)[:count], fails)
        run_here(sweep_file(tmp_path, f"{name}.yaml", **TINY, **changes), tmp_path / f"{name}.zarr")
        return tmp_path / f"{name}.zarr"

    return run


def assert_within_intervals(group: dict[str, Any], exact: dict[str, Any]) -> None:
    for name, values in exact.items():
        indices = np.array(group["indices"][name])
        half = np.array(group["indices"][f"{name}_conf"])
        assert (np.abs(indices - values) <= half + 0.01).all(), (name, indices, half, values)


def test_saltelli_gives_the_published_indices_of_ishigami(toy: Callable[..., Path]) -> None:
    (group,) = json_of(toy(3, design={"method": "saltelli", "n": 512, "axes": uniform(3)}))[
        "groups"
    ]
    assert group["parameters"] == ["e0", "i0", "scale"]
    assert_within_intervals(group, ISHIGAMI)
    assert max(group["indices"]["ST_conf"]) < 0.15
    assert [step["n"] for step in group["convergence"]] == [32, 64, 128, 256, 512]
    errors = [np.abs(np.array(step["ST"]) - ISHIGAMI["ST"]).max() for step in group["convergence"]]
    assert errors[-1] < 0.05 < errors[0]


def test_saltelli_gives_the_exact_indices_of_sobol_g(toy: Callable[..., Path]) -> None:
    (group,) = json_of(
        toy(6, sobol_g, design={"method": "saltelli", "n": 256, "axes": uniform(6)})
    )["groups"]
    assert_within_intervals(group, g_indices())
    assert np.argsort(group["indices"]["ST"])[::-1][:4].tolist() == [0, 1, 2, 3]


def test_fast_gives_the_published_indices_of_ishigami(toy: Callable[..., Path]) -> None:
    (group,) = json_of(
        toy(3, design={"method": "fast", "n": 257, "curves": 2, "axes": uniform(3)})
    )["groups"]
    # the bias of the method itself (Saltelli et al. 1999)
    for name, tolerance in (("S1", 0.03), ("ST", 0.05)):
        assert group["indices"][name] == pytest.approx(ISHIGAMI[name], abs=tolerance)


def test_morris_finds_effects_of_a_line_exactly_and_tells_curvature_from_none(
    toy: Callable[..., Path],
) -> None:
    def line(u: np.ndarray[Any, Any]) -> float:
        return float(3.0 * u[0] - 2.0 * u[1] + (u[2] - 0.5) ** 2)

    (group,) = json_of(toy(4, line, design={"method": "morris", "n": 16, "axes": uniform(4)}))[
        "groups"
    ]
    index = group["indices"]
    assert index["mu"][:2] == pytest.approx([3.0, -2.0], rel=1e-9)
    assert index["mu_star"][:2] == pytest.approx([3.0, 2.0], rel=1e-9)
    assert index["sigma"][:2] == pytest.approx([0.0, 0.0], abs=1e-8)
    assert index["sigma"][2] > abs(index["mu"][2])
    assert [index[name][3] for name in ("mu_star", "mu", "sigma")] == [0.0, 0.0, 0.0]


def test_morris_ranks_a_choice_by_its_place_in_the_list(toy: Callable[..., Path]) -> None:
    axes = {**uniform(2), "dynamics.v_rel": {"choice": ["dispersion", "pericenter"]}}
    (group,) = json_of(
        toy(2, lambda u: float(u[0]), design={"method": "morris", "n": 8, "axes": axes})
    )["groups"]
    assert group["indices"]["mu_star"] == pytest.approx([1.0, 0.0, 0.0], abs=1e-9)


@pytest.mark.parametrize(
    "changes",
    [
        {"sample": {"method": "sobol", "n": 512, "axes": uniform(3)}},
        {"axes": {key: {"linspace": [*BOUNDS[key], 8]} for key in list(BOUNDS)[:3]}},
    ],
)
def test_a_sample_and_a_grid_are_asked_by_pawn(
    toy: Callable[..., Path], changes: dict[str, Any]
) -> None:
    (group,) = json_of(toy(3, lambda u: float(2.0 * u[0] + u[1]), **changes))["groups"]
    index = dict(zip(group["parameters"], group["indices"]["PAWN"], strict=True))
    assert index["e0"] > 0.3 > index["i0"] > 1.2 * index["(a parameter without effect)"]
    assert index["scale"] < 1.2 * index["(a parameter without effect)"]


def test_every_label_of_the_other_axes_is_asked_on_its_own(toy: Callable[..., Path]) -> None:
    axes = {"temperature.T0": [3000.0, 4000.0]}
    groups = json_of(toy(3, axes=axes, design={"method": "saltelli", "n": 32, "axes": uniform(3)}))[
        "groups"
    ]
    assert [group["at"] for group in groups] == [{"T0": 3000.0}, {"T0": 4000.0}]
    assert groups[0]["indices"] == groups[1]["indices"]


def test_masses_of_rings_are_added_up_to_the_disk(toy: Callable[..., Path]) -> None:
    rings = {"ring": {"rings": [1.0, 2.7, 2]}}
    store = toy(
        2,
        lambda u: float(u[0] + 1.0),
        axes=rings,
        design={"method": "saltelli", "n": 16, "axes": uniform(2)},
    )
    group = Store.open(store)
    of_disk = outcomes(group, "M_loss")
    of_ring = outcomes(group, "t99")
    assert (of_disk.axes, of_disk.value.size, of_disk.words) == (
        ("point",),
        16 * 4,
        "M_loss of the whole disk [M_Mars]",
    )
    assert (of_ring.axes, of_ring.value.size) == (("ring", "point"), 2 * 16 * 4)
    e0 = of_disk.columns["e0"]
    assert of_disk.value == pytest.approx(2.0 * (1.0 + (e0 - 0.1) / 0.4))


def test_a_block_with_a_failed_run_is_left_out_whole_and_the_rest_is_the_same(
    toy: Callable[..., Path],
) -> None:
    design = {"method": "saltelli", "n": 128, "axes": uniform(3)}
    whole = answers_of(toy(3, design=design, name="whole"))[1][0]
    store = toy(3, design=design, name="torn", fails=lambda config: config.dynamics.e0 > 0.48)
    _, (torn,) = answers_of(store, allowed=0.2)
    failed = Store.open(store).counts().failed
    assert 0 < torn.dropped <= failed == torn.missing["failed"]
    assert torn.final.n == 128 - torn.dropped
    assert not np.array_equal(torn.final.of["ST"], whole.final.of["ST"])
    assert torn.final.of["ST"] == pytest.approx(whole.final.of["ST"], abs=0.3)
    assert (
        f"{torn.dropped} blocks left out because one of their runs has no result"
        in ask(store, "--left-out", "0.2").output
    )
    refused = ask(store)
    assert refused.exit_code == 2
    assert (
        f"{torn.dropped} of 128 blocks have a run that is no result ({failed} failed)"
        in refused.output
    )
    assert (
        ask(store, "--left-out", refused.output.split("--left-out ")[1].split()[0]).exit_code == 0
    )


def answers_of(store: Path, allowed: float = 0.05) -> tuple[Outcomes, list[Answer]]:
    group = Store.open(store)
    cases = outcomes(group, "M_loss")
    return cases, answers(group, cases, method=None, allowed=allowed)


def test_a_continued_design_answers_on_the_way_what_the_smaller_one_answers_at_its_end(
    toy: Callable[..., Path],
) -> None:
    small, large = (
        answers_of(
            toy(3, design={"method": "saltelli", "n": n, "axes": uniform(3)}, name=f"of_{n}")
        )[1][0]
        for n in (16, 32)
    )
    (step,) = (step for step in large.steps if step.n == 16)
    assert {name: values.tolist() for name, values in step.of.items()} == {
        name: values.tolist() for name, values in small.final.of.items()
    }


def test_a_sweep_that_has_not_run_yet_says_so(tmp_path: Path) -> None:
    file = sweep_file(tmp_path, **TINY, design={"method": "saltelli", "n": 16, "axes": uniform(2)})
    create(make_plan(load_sweep(file)), tmp_path / "new.zarr")
    done = ask(tmp_path / "new.zarr")
    assert done.exit_code == 2
    assert "16 of 16 blocks have a run that is no result (64 pending)" in done.output
    assert "finish the sweep (sweep resume)" in done.output


def test_an_excluded_point_is_no_result_either(toy: Callable[..., Path]) -> None:
    store = toy(
        2,
        lambda u: float(u[0]),
        design={"method": "saltelli", "n": 16, "axes": uniform(2)},
        exclude=[{"point": 5}],
    )
    assert "1 of 16 blocks have a run that is no result (1 excluded)" in ask(store).output
    assert json_of(store, "--left-out", "0.1")["groups"][0]["missing"] == {"excluded": 1}


@pytest.mark.parametrize(
    "design", [{"method": "morris", "n": 24}, {"method": "fast", "n": 65, "curves": 8}]
)
def test_other_designs_leave_out_their_blocks_too(
    toy: Callable[..., Path], design: dict[str, Any]
) -> None:
    store = toy(
        3,
        design={**design, "axes": uniform(3)},
        fails=lambda config: 0.30 < config.dynamics.e0 < 0.302 or config.dynamics.e0 == 0.1,
    )
    _, (answer,) = answers_of(store, allowed=0.95)
    assert answer.dropped > 0
    assert np.isfinite(answer.final.of[answer.measure.main]).all()


def test_a_target_that_a_logarithm_cannot_take_is_left_out_openly(toy: Callable[..., Path]) -> None:
    store = toy(
        2, lambda u: float(u[0] - 0.02), design={"method": "saltelli", "n": 64, "axes": uniform(2)}
    )
    done = ask(store, "--log10", "--left-out", "0.2")
    assert done.exit_code == 0
    assert "cases without a finite value: left out, no value is substituted" in done.output
    assert "--log10 needs M_loss above 0" in done.output


def test_the_same_store_gives_the_same_numbers(toy: Callable[..., Path]) -> None:
    store = toy(
        2, lambda u: float(u[0] * u[1]), design={"method": "saltelli", "n": 32, "axes": uniform(2)}
    )
    for words in ([], ["--method", "pawn"]):
        assert json_of(store, *words) == json_of(store, *words)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--target", "M_los"],
            (
                "--target M_los: is no result with one number per run; there are M_available,"
                " M_loss, M_loss_blowout"
            ),
        ),
        (["--target", "Sigma"], "--target Sigma: is no result"),
        (
            ["--method", "morris"],
            "the store has a design of method saltelli; use --method pawn, which takes any runs",
        ),
        (["--target", "M_supplied"], "in all runs: nothing varies"),
        (
            ["--out", "nowhere/fig.png"],
            "nowhere/fig.png cannot be written: No such file or directory",
        ),
    ],
)
def test_a_question_that_cannot_be_answered_says_why(
    toy: Callable[..., Path], words: list[str], message: str
) -> None:
    done = ask(
        toy(2, lambda u: float(u[0]), design={"method": "saltelli", "n": 16, "axes": uniform(2)}),
        *words,
    )
    assert (done.exit_code, "Traceback" in done.output) == (2, False)
    assert message in done.output


def test_a_store_without_a_design_names_what_is_missing(finished: Path) -> None:
    assert (
        "the store has no design for it; use --method pawn"
        in ask(finished, "--method", "saltelli").output
    )
    assert (
        "2 runs are too few for the distributions that PAWN compares; 80 are needed"
        in ask(finished).output
    )


def test_the_table_ranks_tells_whether_n_was_enough_and_draws(
    toy: Callable[..., Path], tmp_path: Path
) -> None:
    store = toy(6, sobol_g, design={"method": "saltelli", "n": 16, "axes": uniform(6)})
    done = ask(store, "--out", str(tmp_path / "fig.png"))
    lines = done.output.splitlines()
    assert lines[0] == "M_loss [M_Mars]: saltelli, 16 blocks"
    ranks = [line.split("│")[1].strip() for line in lines if line.startswith("│")]
    assert ranks[:2] == ["e0", "i0"]
    assert "n was NOT enough: change since half the blocks" in done.output
    assert "double design.n and run the sweep with --extend" in done.output
    assert (tmp_path / "fig.png").stat().st_size > 10_000


def test_the_verdict_follows_the_intervals_and_the_change() -> None:
    def answer(half: float, change: float) -> Answer:
        steps = tuple(
            Indices(n, {"ST": np.array([st]), "ST_conf": np.array([half])})
            for n, st in ((8, 0.5), (16, 0.5 + change))
        )
        return Answer({}, "saltelli", ["a"], steps[-1], steps, 0, {})

    assert [answer(*given).settled for given in ((0.04, 0.04), (0.06, 0.0), (0.0, -0.06))] == [
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("method", "main", "words"),
    [
        ("morris", "mu_star", "interval +- 0.1 of the largest (limit"),
        ("saltelli", "ST", "interval +- 0.2 (limit"),
    ],
)
def test_an_interval_is_told_relative_to_the_largest_index_where_indices_have_a_unit(
    method: str,
    main: str,
    words: str,
) -> None:
    columns = {main: np.array([2.0]), f"{main}_conf": np.array([0.2]), "S1": np.array([0.5])}
    final = Indices(8, columns)
    *_, line = verdict(Answer({}, method, ["a"], final, (final,), 0, {}))
    assert words in line


assert len(G_COEFFICIENTS) == len(BOUNDS)


def test_keys_that_move_together_are_one_parameter(toy: Callable[..., Path]) -> None:
    e0, i0, scale = list(BOUNDS)[:3]
    together = {key: np.linspace(*BOUNDS[key], 10).tolist() for key in (e0, i0)}
    axes = {scale: {"linspace": [*BOUNDS[scale], 10]}}
    store = toy(3, lambda u: float(u[0] + u[2]), axes=axes, zip=[together])
    (group,) = json_of(store)["groups"]
    assert sorted(group["parameters"]) == ["(a parameter without effect)", "e0 with i0", "scale"]
    assert group["notes"] == []


def test_a_product_with_holes_says_that_its_parameters_depend_on_each_other(
    toy: Callable[..., Path],
) -> None:
    e0, i0 = list(BOUNDS)[:2]
    axes = {key: {"linspace": [*BOUNDS[key], 12]} for key in (e0, i0)}
    store = toy(
        2, lambda u: float(u[0]), axes=axes, exclude=[{e0: BOUNDS[e0][0], i0: BOUNDS[i0][0]}]
    )
    (group,) = json_of(store)["groups"]
    assert group["notes"][0].startswith("1 case of the product excluded")
    assert "note: 1 case of the product excluded" in ask(store).output


def test_quantiles_of_a_grid_have_no_intervals(toy: Callable[..., Path]) -> None:
    axes = {key: {"linspace": [*BOUNDS[key], 12]} for key in list(BOUNDS)[:2]}
    grid = toy(2, lambda u: float(u[0]), axes=axes)
    assert "interval" not in ask(grid, verb="summary").output
    sample = {"method": "random", "n": 144, "axes": uniform(2)}
    drawn = toy(2, lambda u: float(u[0]), name="drawn", sample=sample)
    assert "with 95 % intervals" in ask(drawn, verb="summary").output
