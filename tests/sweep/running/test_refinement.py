"""``refine:``: rounds of points where a result bends, rises or crosses a level; interruptions."""

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from small_sweeps import (
    assert_same_bits,
    command,
    forget_block,
    in_one_line,
    run_command,
    run_here,
    sweep_file,
)
from toy_model import BOUNDS, TINY, install, uniform

import sweep.running.session
from marsdisk.common.errors import ConfigError
from sweep.common.errors import Interrupted, PlanChangedError, StoreError, TooManyFailures
from sweep.planning.plan import Plan, make_plan
from sweep.report.preview import Preview
from sweep.results.triangulation import STEPS, next_points
from sweep.running.progress import Allowance
from sweep.running.session import sweep_of_store
from sweep.spec.file import Sweep, load_sweep
from sweep.store import doctor, layout, writer
from sweep.store.store import Store

KEYS = list(uniform(2))
REFINE: dict[str, Any] = {
    "target": "M_loss",
    "loss": "curvature",
    "axes": uniform(2),
    "start": 3,
    "per_round": 8,
    "max_runs": 45,
}
#: A real one: M_loss of a hot and a cool Mars, with an edge between.
REAL: dict[str, Any] = {
    "set": {
        "numerics.t_end_years": 0.01,
        "sizes.n_bins": 10,
        "temperature.law": "constant",
        "optical_depth.tau_stop": None,
    },
    "output": {"samples": 4, "snapshots": 2},
    "block": 4,
    "refine": {
        "target": "M_loss",
        "loss": "gradient",
        "axes": {
            "temperature.T0": {"uniform": [1500.0, 3500.0]},
            "supply.mu_orbit10pct": {"loguniform": [0.1, 10.0]},
        },
        "start": 3,
        "per_round": 6,
        "max_runs": 25,
    },
}


#: For many points at the price of few rounds.
LONG: dict[str, Any] = {"per_round": 16, "max_runs": 120}


def toy(folder: Path, name: str = "toy", **changes: Any) -> Path:
    return sweep_file(
        folder, f"{name}.yaml", **{**TINY, "block": 8, "refine": {**REFINE, **changes}}
    )


def places(store: Path) -> np.ndarray[Any, Any]:
    """Return the points of the toy in the unit square, (cases, keys), in their order."""
    group = Store.open(store)
    runs = group.column("case_run")
    assert group.column("case_point").tolist() == list(range(runs.size))
    coordinates = [
        (group.column(key.split(".")[-1])[runs] - low) / (high - low)
        for key, (low, high) in BOUNDS.items()
        if key in KEYS
    ]
    return np.column_stack(coordinates)


def rounds(store: Path) -> list[int]:
    group = Store.open(store)
    rounds_of_cases: list[int] = group.column("round")[group.column("case_run")].tolist()
    return rounds_of_cases


def ridge(u: np.ndarray[Any, Any]) -> float:
    return float(np.abs(u[0] + 0.4 * u[1] - 0.73))


def run_until(file: Path, store: Path, round: int) -> None:
    """Run up to the end of the round before, and stop as a signal between two rounds does."""
    true = sweep.running.session.next_round
    calls = iter(range(1, 100))

    def next_round(*arguments: Any) -> Any:
        if next(calls) == round:
            raise Interrupted
        return true(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sweep.running.session, "next_round", next_round)
        with pytest.raises(Interrupted):
            run_here(file, store)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the store of REAL, run without interruption; read only."""
    folder = tmp_path_factory.mktemp("undisturbed")
    run_here(sweep_file(folder, **REAL), folder / "s.zarr")
    return folder / "s.zarr"


Refined = tuple[Plan, Path]


@pytest.fixture(scope="module")
def ridged(tmp_path_factory: pytest.TempPathFactory) -> Refined:
    """Return plan and store of the toy over a ridge, run to its end; read only."""
    folder = tmp_path_factory.mktemp("ridged")
    with pytest.MonkeyPatch.context() as patch:
        install(patch, ridge, KEYS)
        return run_here(toy(folder), folder / "s.zarr"), folder / "s.zarr"


def test_rounds_are_added_until_exactly_max_runs_and_each_run_knows_its_round(
    ridged: Refined,
) -> None:
    plan, store = ridged
    assert rounds(store) == [0] * 9 + [1] * 8 + [2] * 8 + [3] * 8 + [4] * 8 + [5] * 4
    assert len(plan.cases) == Store.open(store).counts().done == 45
    assert not Store.open(store).counts().is_open
    assert doctor.examine(store).findings == []


def test_curvature_gathers_points_at_a_ridge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, ridge, KEYS)
    run_here(toy(tmp_path, **LONG), tmp_path / "s.zarr")
    near = np.abs(places(tmp_path / "s.zarr") @ [1.0, 0.4] - 0.73) < 0.1
    assert near[-60:].mean() > 3 * 0.2  # of the square, it is a fifth


@pytest.mark.parametrize("log", [False, pytest.param(True, marks=pytest.mark.thorough)])
def test_contour_gathers_points_where_the_level_is_crossed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: bool
) -> None:
    install(
        monkeypatch,
        lambda u: 10.0 ** (6.0 * (u[0] ** 2 + u[1] ** 2)) if log else u[0] ** 2 + u[1] ** 2,
        KEYS,
    )
    run_here(
        toy(tmp_path, loss="contour", level=10.0**3.6 if log else 0.6, log=log, **LONG),
        tmp_path / "s.zarr",
    )
    away = np.abs(np.hypot(*places(tmp_path / "s.zarr").T) - 0.6**0.5)
    assert np.median(away[-60:]) < 0.02
    assert np.median(away[:9]) > 0.2


def test_one_axis_closes_in_on_a_level_by_halves() -> None:
    points = np.array([[0], [STEPS]])
    for _ in range(12):
        new, _ = next_points(points, points[:, 0] / STEPS - 0.3, "contour", 1)
        points = np.vstack([points, new])
    assert np.abs(points / STEPS - 0.3).min() < 2.0**-10


@pytest.mark.parametrize("loss", ["curvature", "gradient", "contour"])
@pytest.mark.parametrize("d", [1, 2, 3])
def test_the_next_points_are_those_of_the_values_in_whatever_order_they_are_given(
    loss: Any, d: int
) -> None:
    random = np.random.default_rng(5)
    corners = np.array(np.meshgrid(*[[0, STEPS]] * d)).reshape(d, -1).T
    points = np.vstack([corners, random.integers(1, STEPS, (30, d))])
    values = np.tanh(9.0 * (points.sum(axis=1) / STEPS / d - 0.4))
    shuffled = random.permutation(len(points))
    new, largest = next_points(points, values, loss, 20)
    new_of_shuffled, largest_of_shuffled = next_points(points[shuffled], values[shuffled], loss, 20)
    assert sorted(new) == sorted(new_of_shuffled)
    assert largest == pytest.approx(largest_of_shuffled, rel=1e-12)
    assert len({tuple(point) for point in [*new, *points.tolist()]}) == 20 + len(points)


def test_a_refined_run_is_the_run_of_any_other_sweep_with_that_configuration(
    tmp_path: Path, undisturbed: Path
) -> None:
    group = Store.open(undisturbed)
    ids, T0, mu = (group.column(name).tolist() for name in ("run_id", "T0", "mu_orbit10pct"))
    alone = {key: value for key, value in REAL.items() if key != "refine"}
    file = sweep_file(
        tmp_path,
        "alone.yaml",
        **alone,
        include=[{"temperature.T0": T0[-1], "supply.mu_orbit10pct": mu[-1]}],
    )
    assert make_plan(load_sweep(file)).cases[0].run_id == ids[-1]


@pytest.mark.parametrize("round", [1, 2, 3, 4])
def test_interrupted_after_any_round_it_ends_with_the_same_bits(
    tmp_path: Path, undisturbed: Path, round: int
) -> None:
    file = sweep_file(tmp_path, **REAL)
    store = tmp_path / "s.zarr"
    run_until(file, store, round)
    assert Store.open(store).counts().done == [9, 15, 21, 25][round - 1]
    assert Store.open(store).counts().is_open
    run_here(file, store)
    assert_same_bits(store, undisturbed)


def test_interrupted_within_a_round_and_resumed_from_the_store_it_ends_with_the_same_bits(
    tmp_path: Path, undisturbed: Path
) -> None:
    file = sweep_file(tmp_path, **REAL)
    store = tmp_path / "s.zarr"
    run_until(file, store, 3)
    blocks = Store.open(store).committed_blocks().size
    forget_block(store, blocks - 1)
    assert Store.open(store).counts().pending > 0
    done = command("sweep", "resume", store, "--workers", "0", cwd=tmp_path)  # another process
    assert (done.returncode, done.stderr) == (0, "")
    assert_same_bits(store, undisturbed)


def test_a_round_that_was_broken_off_while_the_store_grew_is_begun_again(
    tmp_path: Path, undisturbed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = sweep_file(tmp_path, **REAL)
    store = tmp_path / "s.zarr"

    def killed(*arguments: Any) -> None:
        raise Interrupted

    with monkeypatch.context() as patch:
        # arrays have grown, and the attributes do not say so yet
        patch.setattr(writer, "mark_unused", killed)
        with pytest.raises(Interrupted):
            run_here(file, store)
    assert "different length" in doctor.examine(store).findings[0].kind
    run_here(file, store)
    assert_same_bits(store, undisturbed)


def test_two_workers_choose_the_points_of_one_process(tmp_path: Path, undisturbed: Path) -> None:
    run_here(sweep_file(tmp_path, **REAL), tmp_path / "two.zarr", workers=2)
    assert_same_bits(undisturbed, tmp_path / "two.zarr")
    assert rounds(undisturbed) == rounds(tmp_path / "two.zarr")


@pytest.mark.thorough
def test_a_larger_max_runs_keeps_all_points_and_ends_as_if_it_had_been_so_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ridged: Refined
) -> None:
    install(monkeypatch, ridge, KEYS)
    shutil.copytree(ridged[1], tmp_path / "s.zarr")
    longer = toy(tmp_path, "longer", max_runs=70)
    with pytest.raises(
        PlanChangedError,
        match=(
            r"(?s)sweep file\.refine\.max_runs: the store has 45, now it is 70\n--extend keeps all"
        ),
    ):
        run_here(longer, tmp_path / "s.zarr")
    run_here(longer, tmp_path / "s.zarr", extending=True)  # the last round had been cut short
    run_here(longer, tmp_path / "at_once.zarr")
    assert_same_bits(tmp_path / "s.zarr", tmp_path / "at_once.zarr")
    assert places(tmp_path / "s.zarr").tolist() == places(tmp_path / "at_once.zarr").tolist()


@pytest.mark.parametrize(
    "changes", [{"loss": "gradient"}, {"per_round": 9}, {"max_runs": 30}, {"axes": uniform(1)}]
)
def test_a_store_of_another_refinement_is_refused_with_what_differs(
    tmp_path: Path, ridged: Refined, changes: dict[str, Any]
) -> None:
    shutil.copytree(ridged[1], tmp_path / "s.zarr")
    for extending in (False, True):
        with pytest.raises(
            PlanChangedError,
            match=rf"nothing was changed:\s+sweep file\.refine\.{next(iter(changes))}",
        ):
            run_here(toy(tmp_path, "other", **changes), tmp_path / "s.zarr", extending=extending)
    assert Store.open(tmp_path / "s.zarr").counts().runs == 45


def test_a_goal_ends_it_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, ridge, KEYS)
    output = io.StringIO()
    sweep.running.session.run_sweep(
        load_sweep(toy(tmp_path, goal=0.01)),
        tmp_path / "s.zarr",
        workers=0,
        console=Console(file=output, width=200),
    )
    assert 9 < Store.open(tmp_path / "s.zarr").counts().runs < 45
    assert not Store.open(tmp_path / "s.zarr").counts().is_open
    assert "goal 0.01 is reached" in output.getvalue()


@pytest.mark.thorough
def test_failed_runs_are_counted_and_draw_no_more_points_than_flat_land(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # a quarter of the square
    install(monkeypatch, ridge, KEYS, fails=lambda config: config.dynamics.e0 < 0.2)
    output = io.StringIO()
    sweep.running.session.run_sweep(
        load_sweep(toy(tmp_path, **LONG)),
        tmp_path / "s.zarr",
        workers=0,
        console=Console(file=output, width=200),
    )
    failed = Store.open(tmp_path / "s.zarr").counts().failed
    assert Store.open(tmp_path / "s.zarr").counts().done == 120 - failed
    assert 3 <= failed < 20
    assert f"{failed} points have no value, and next to them only size counts" in output.getvalue()


def test_failed_runs_that_are_cured_tell_the_rounds_that_follow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, ridge, KEYS, fails=lambda config: config.dynamics.e0 < 0.2)
    file = toy(tmp_path)
    store = tmp_path / "s.zarr"
    with pytest.raises(TooManyFailures):
        run_here(file, store, allowed=Allowance("2"))
    assert Store.open(store).counts().is_open
    install(monkeypatch, ridge, KEYS)
    run_here(file, store, retry_failed=True)
    assert (Store.open(store).counts().done, Store.open(store).counts().is_open) == (45, False)


@pytest.mark.thorough
def test_a_round_that_was_cut_short_goes_on_with_other_points_where_cured_runs_tell_of_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, ridge, KEYS, fails=lambda config: config.dynamics.e0 < 0.2)
    run_here(toy(tmp_path, max_runs=21), tmp_path / "s.zarr")
    install(monkeypatch, ridge, KEYS)
    run_here(toy(tmp_path, "longer"), tmp_path / "s.zarr", retry_failed=True, extending=True)
    assert (
        len({*map(tuple, places(tmp_path / "s.zarr").tolist())})
        == Store.open(tmp_path / "s.zarr").counts().done
        == 45
    )
    assert rounds(tmp_path / "s.zarr") == [0] * 9 + [1] * 8 + [2] * 8 + [3] * 8 + [4] * 8 + [5] * 4


def test_no_value_at_all_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, lambda u: 0.0, KEYS)
    with pytest.raises(
        StoreError,
        match="0 of 9 points have a finite log10 of M_loss, too few to refine; see sweep show",
    ):
        run_here(toy(tmp_path, log=True), tmp_path / "s.zarr")


def test_a_point_that_cannot_run_is_named_and_what_is_committed_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, ridge, KEYS)

    def refused(sweep: Sweep) -> None:
        raise ConfigError(["dynamics.e0 = 0.2: is not what the others allow"], "sweep")

    monkeypatch.setattr("sweep.running.refinement_rounds.make_plan", refused)
    with pytest.raises(
        ConfigError,
        match=(
            r"(?s)the next round has cases that cannot run; what is committed stays; narrow"
            r" refine\.axes.*e0 = 0\.2"
        ),
    ):
        run_here(toy(tmp_path), tmp_path / "s.zarr")
    assert Store.open(tmp_path / "s.zarr").counts().done == 9


def test_a_level_that_is_never_crossed_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, ridge, KEYS)
    output = io.StringIO()
    file = toy(tmp_path, loss="contour", level=7.0, max_runs=25)
    sweep.running.session.run_sweep(
        load_sweep(file), tmp_path / "s.zarr", workers=0, console=Console(file=output, width=200)
    )
    assert output.getvalue().count("M_loss crosses 7 nowhere yet") == 3


def test_over_rings_the_whole_disks_mass_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ridged: Refined
) -> None:
    install(monkeypatch, ridge, KEYS)
    file = sweep_file(
        tmp_path,
        "rings.yaml",
        **{
            **TINY,
            "axes": {"ring": {"rings": [1.0, 2.7, 2]}},
            "refine": {**REFINE, "max_runs": 51},
        },
    )
    run_here(file, tmp_path / "two.zarr")
    assert Store.open(tmp_path / "two.zarr").counts().runs == 50  # whole disks
    points = Store.open(tmp_path / "two.zarr").column("case_point")
    assert np.bincount(points).tolist() == [2] * 25
    new_over_rings, new_of_disks = (
        sweep_of_store(store).axes[-1].points for store in (ridged[1], tmp_path / "two.zarr")
    )
    assert new_over_rings[:25] == new_of_disks  # twice the mass is as bent


def test_status_tells_of_rounds_to_come_and_resume_goes_on(tmp_path: Path) -> None:
    file = sweep_file(tmp_path, **REAL)
    store = tmp_path / "s.zarr"
    run_until(file, store, 2)
    status = run_command("sweep", "status", store, cwd=tmp_path)
    assert "15 done, 0 failed, 0 pending of 15 runs" in status.stdout
    assert "the refinement is not finished: more rounds follow" in status.stdout
    assert f"resume with: sweep resume {store}" in status.stdout
    assert (
        json.loads(run_command("sweep", "status", store, "--json", cwd=tmp_path).stdout)["refining"]
        is True
    )
    watched = run_command("sweep", "watch", store, cwd=tmp_path)
    assert (watched.returncode, "resume with: sweep resume" in watched.stdout) == (130, True)
    done = run_command("sweep", "resume", store, "--workers", "0", cwd=tmp_path)
    assert "after round 3: 25 runs, largest loss" in done.stdout
    assert "refinement" not in run_command("sweep", "status", store, cwd=tmp_path).stdout


def test_plan_tells_of_all_runs_there_may_be(load: Callable[..., Sweep]) -> None:
    plan = make_plan(load(**{**TINY, "refine": REFINE}))
    lines = list(Preview.of(plan, print).lines())
    assert lines[0].startswith(
        "axis point: 9 points, more in rounds of 8 where M_loss bends most: dynamics.e0 uniform 0.1"
        " to 0.5"
    )
    assert lines[1:3] == [
        "9 runs in 1 block of up to 256",
        "more in rounds, up to 45 runs; what follows is of all of them",
    ]


@pytest.mark.parametrize("question", ["summary", "sensitivity"])
def test_shares_and_quantiles_over_gathered_points_are_refused(
    tmp_path: Path, ridged: Refined, question: str
) -> None:
    done = run_command("sweep", question, ridged[1], cwd=tmp_path)
    assert done.returncode == 2
    assert (
        "quantiles of M_loss over them mean nothing; run a sweep with sample: or design:"
        in in_one_line(done.stderr)
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"target": None}, "refine.target"),
        (
            {"target": "M_lost"},
            (
                "refine.target: 'M_lost' is no result with one number per run; there are"
                " M_available, M_loss,"
            ),
        ),
        (
            {"target": "wall_time"},
            "refine.target: 'wall_time' is no result with one number per run",
        ),
        ({"loss": "steepness"}, "refine.loss = 'steepness': must be"),
        (
            {"loss": "contour"},
            "refine.level is missing: loss contour gathers points where the target crosses it",
        ),
        ({"level": 0.1}, "refine.level belongs to loss contour, not curvature; drop it"),
        ({"loss": "contour", "level": 0.0, "log": True}, "refine.level = 0 has no logarithm"),
        (
            {"axes": {"dynamics.e1": {"uniform": [0.1, 0.5]}}},
            "refine.axes.dynamics.e1: there is no such key; did you mean dynamics.e0?",
        ),
        (
            {"axes": {"dynamics.e0": {"normal": [0.3, 0.1]}}},
            "refine.axes.dynamics.e0: must be {uniform: [a, b]} or {loguniform: [a, b]}",
        ),
        (
            {"axes": {"dynamics.e0": {"uniform": [0.5, 0.1]}}},
            "refine.axes.dynamics.e0: uniform: [0.5, 0.1] is empty",
        ),
        ({"axes": {}}, "refine.axes has 0 keys; give one, two or three"),
        ({"axes": uniform(4)}, "refine.axes has 4 keys; give one, two or three"),
        (
            {"max_runs": 8},
            (
                "refine.max_runs = 8 is less than the first round takes, 9 runs; raise it, or lower"
                " refine.start"
            ),
        ),
        ({"start": 1}, "refine.start = 1: must be"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_do(
    load: Callable[..., Sweep], changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        load(refine={**REFINE, **changes})
    assert words in str(raised.value)


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        (
            {"axes": {"dynamics.i0": [0.1, 0.2]}},
            "refine stands alone, or with one axis of rings, but there is axes.dynamics.i0",
        ),
        ({"variants": {"as_is": {}}}, "but there is variants; make a sweep file for each"),
        ({"include": [{"dynamics.i0": 0.1}]}, "but there is include"),
        (
            {"axes": {"ring": {"rings": [1.0, 2.7, 2]}}, "refine": {**REFINE, "target": "t99"}},
            "t99 does not add up over the rings of axes.ring",
        ),
        (
            {"axes": {"ring": {"rings": [1.0, 2.7, 6]}}},
            "refine.max_runs = 45 is less than the first round takes, 54 runs",
        ),
        (
            {"set": {"dynamics.e0": 0.3}},
            "set.dynamics.e0 = 0.3 would be overridden by the axis refine in every case",
        ),
    ],
)
def test_what_stands_beside_it_and_cannot_is_said(
    load: Callable[..., Sweep], sections: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        load(**{"refine": REFINE, **sections})
    assert words in str(raised.value)


@pytest.mark.thorough
def test_a_round_whose_points_are_runs_that_exist_is_followed_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, lambda u: float(u[0]), KEYS[:1])
    narrow = {"dynamics.e0": {"uniform": [0.3, 0.300000000008]}}  # of 9 numbers in 12 digits
    file = toy(tmp_path, loss="gradient", axes=narrow, per_round=5, max_runs=30)
    run_here(file, tmp_path / "s.zarr")
    group = Store.open(tmp_path / "s.zarr")
    assert not Store.open(tmp_path / "s.zarr").counts().is_open
    assert group.column("case_point").size == 30
    of_points = group.column("run_id")[group.column("case_run")]
    assert Store.open(tmp_path / "s.zarr").counts().done == np.unique(of_points).size == 9
    assert max(rounds(tmp_path / "s.zarr")) == 2  # and there are 6


@pytest.mark.thorough
def test_the_share_that_is_checked_is_the_same_however_the_rounds_came_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def checked(name: str, *limits: int) -> list[str]:
        for i, runs in enumerate(limits):
            refine = {**REAL["refine"], "max_runs": runs}
            run_here(
                sweep_file(tmp_path, **{**REAL, "refine": refine, "accuracy": {"fraction": 0.2}}),
                tmp_path / name,
                extending=i > 0,
            )
        group = Store.open(tmp_path / name)
        return sorted(group.column("run_id")[~np.isnan(group.column("err_time")[:, 0])].tolist())

    at_once = checked("at_once.zarr", 25)
    assert 1 <= len(at_once) <= 12
    assert checked("in_two.zarr", 15, 25) == at_once


def test_a_repair_keeps_rows_that_hold_no_run(tmp_path: Path, undisturbed: Path) -> None:
    store = tmp_path / "s.zarr"
    shutil.copytree(undisturbed, store)
    group = Store.open(store)
    unused = np.flatnonzero(group.column("status") == layout.UNUSED)
    assert unused.size
    block = int(unused[0]) // group.block_size
    (store / "status" / "c" / str(block)).unlink()
    assert [
        finding.kind for finding in doctor.examine(store).findings if "run_id" in finding.kind
    ] == []
    (store / "M_loss" / "c" / str(block)).write_bytes(b"xx")
    doctor.repair(store)
    assert (Store.open(store).column("status") == layout.UNUSED).sum() == unused.size
