"""The plan: cases validated before anything starts, named by content, ordered for the caches."""

import itertools
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_sweeps import CONFIGS, T0_AND_RINGS, run_here, sweep_file

from marsdisk.common.errors import ConfigError
from marsdisk.config import load_config
from marsdisk.config.sections import Output
from sweep.planning.create_store import create
from sweep.planning.plan import Plan, default_block, make_plan, run_id
from sweep.spec.file import load_sweep
from sweep.store.store import Store

Planner = Callable[..., Plan]
T0 = {"temperature.T0": [3000.0, 4000.0]}


def ids(plan: Plan) -> set[str]:
    return {case.run_id for case in plan.cases}


def test_ids_do_not_depend_on_the_order_of_axes_or_of_values(plan: Planner) -> None:
    planned = plan(axes={**T0, "material.rho": [3000.0, 3270.0]})
    turned = plan(axes={"material.rho": [3270.0, 3000.0], "temperature.T0": [4000.0, 3000.0]})
    assert len(ids(planned)) == 4
    assert ids(planned) == ids(turned)


def test_ids_do_not_depend_on_how_a_value_is_set(plan: Planner) -> None:
    ways = [
        {"axes": T0},
        {"axes": {"temperature.T0": {"linspace": [3000, 4000, 2]}}},
        {"zip": [T0]},
        {
            "variants": {
                "cold": {"temperature.T0": 3000},
                "hot": {"temperature": {"law": "slab", "T0": 4000.0}},
            }
        },
        {"axes": {"temperature": [{"law": "slab", "T0": T} for T in (3000, 4000)]}},
    ]
    assert len({frozenset(ids(plan(**way))) for way in ways}) == 1


def test_ids_do_not_depend_on_where_the_base_and_its_tables_lie(tmp_path: Path) -> None:
    ids_by_place = []
    for folder in (tmp_path / "a", tmp_path / "b" / "deeper"):
        folder.mkdir(parents=True)
        (folder / "cooling.csv").write_text("time,T_M\n0,3000\n1e9,2000\n", encoding="utf-8")
        shutil.copy(CONFIGS / "mars_0d_melt_simple.yaml", folder)
        law = {"temperature": {"law": "table", "path": str(folder / "cooling.csv")}}
        file = sweep_file(
            folder,
            base="mars_0d_melt_simple.yaml",
            set={"numerics.t_end_years": 0.02, **law},
            axes={"dynamics.e0": [0.1, 0.5]},
        )
        ids_by_place.append(ids(make_plan(load_sweep(file))))
    assert ids_by_place[0] == ids_by_place[1]


def test_an_id_changes_with_the_content_of_a_table(tmp_path: Path) -> None:
    table = tmp_path / "cooling.csv"
    names = set()
    for hottest in (3000, 3001):
        table.write_text(f"time,T_M\n0,{hottest}\n1e9,2000\n", encoding="utf-8")
        names.add(
            run_id(
                load_config(
                    CONFIGS / "mars_0d_melt_simple.yaml",
                    {"temperature": {"law": "table", "path": str(table)}},
                )
            )
        )
    assert len(names) == 2


def test_the_id_of_a_case_is_that_of_its_configuration(plan: Planner) -> None:
    case, *_ = plan(axes=T0).cases
    config = load_config(
        CONFIGS / "mars_0d_melt_simple.yaml",
        {"numerics.t_end_years": 0.02, "output": {"samples": 8, "snapshots": 2}, **case.overrides},
    )
    assert case.run_id == run_id(config)


@pytest.mark.parametrize(
    "axes",
    [
        {**T0, "material.rho": [3000.0, 3270.0], "ring": {"rings": [1.0, 2.7, 3]}},
        {"optical_depth.tau0_target": [0.5, 1.0], "collisions.alpha_frag": [3.0, 3.5, 4.0], **T0},
        {"dynamics.e0": [0.1, 0.5], **T0, "qstar.scale": [1.0, 5.0]},
        {**T0, "sizes.n_bins": [20, 30]},
    ],
)
def test_cases_with_equal_cache_keys_stand_together(plan: Planner, axes: dict[str, Any]) -> None:
    planned = plan(axes=axes)
    identities = [case.identity for case in planned.cases]
    groups = [identity for identity, _ in itertools.groupby(identities)]
    assert len(groups) == len(set(groups)) == len(planned.runs.identities)
    assert len(planned.runs.identities) < len(planned.cases)


def test_the_parts_that_are_slow_to_rebuild_change_least_often(plan: Planner) -> None:
    planned = plan(
        axes={
            "ring": {"rings": [1.0, 2.7, 3]},
            "collisions.alpha_frag": [3.0, 4.0],
            "material.rho": [3000.0, 3270.0],
            "sizes.n_bins": [20, 30],
        }
    )
    for part in range(len(planned.cases[0].identity)):
        prefixes = [case.identity[: part + 1] for case in planned.cases]
        groups = [prefix for prefix, _ in itertools.groupby(prefixes)]
        assert len(groups) == len(set(groups))


def test_the_order_of_the_file_holds_among_cases_with_equal_cache_keys(plan: Planner) -> None:
    values = [
        tuple(case.overrides.values())
        for case in plan(axes={**T0, "optical_depth.tau0_target": [1.0, 0.5]}).cases
    ]
    assert values == [(3000.0, 1.0), (3000.0, 0.5), (4000.0, 1.0), (4000.0, 0.5)]


def test_a_case_that_coincides_with_another_is_counted_and_run_once(plan: Planner) -> None:
    planned = plan(
        axes=T0,
        variants={"plain": {}, "same": {"dynamics.i0": 0.05}},
        include=[{"temperature.T0": 3000}, {"temperature.T0": 5000.0}],
    )
    assert len(planned.cases) == 3
    assert planned.duplicates == 3


@pytest.mark.parametrize(("block", "sizes"), [(1, [1] * 6), (4, [4, 2]), (6, [6]), (100, [6])])
def test_blocks_cover_all_runs_once(plan: Planner, block: int, sizes: list[int]) -> None:
    blocks = plan(axes=T0_AND_RINGS, block=block).blocks
    assert [len(b.rows) for b in blocks] == sizes
    assert [b.index for b in blocks] == list(range(len(sizes)))
    assert [row for b in blocks for row in b.rows] == list(range(6))


@pytest.mark.parametrize("cases", [1, 15, 16, 63, 64, 65, 1000, 2048, 2049, 10**6])
def test_the_default_block_is_neither_tiny_nor_huge(cases: int) -> None:
    assert 16 <= default_block(cases, 40, Output()) <= 1024
    assert cases < 64 or cases / default_block(cases, 40, Output()) > 3


def test_blocks_of_large_results_are_small_enough_for_memory() -> None:
    assert default_block(1000, 40, Output(samples=20_000, snapshots=5_000)) < 40
    assert default_block(1000, 1000, Output(samples=100_000, snapshots=10_000)) == 1


def test_a_plan_is_named_by_its_cases_and_blocks_not_by_the_cache(plan: Planner) -> None:
    first = plan(axes=T0).digest
    assert (
        plan(axes=T0, cache={"scope": "run"}).digest
        == plan(axes=T0, cache={"enabled": False}).digest
        == first
    )
    others = [
        plan(axes=T0, block=1),
        plan(axes={"temperature.T0": [3000.0, 4001.0]}),
        plan(axes=T0, output={"samples": 9, "snapshots": 2}),
    ]
    assert len({first, *(other.digest for other in others)}) == 4


def test_grids_that_differ_are_noticed(plan: Planner) -> None:
    assert plan(axes=T0).shared_grid
    planned = plan(axes={"sizes.n_bins": [20, 30]})
    assert not planned.shared_grid
    assert planned.bins == 30


def test_an_exclusion_that_matches_nothing_is_noted(plan: Planner) -> None:
    (note,) = plan(axes=T0, exclude=[{"temperature.T0": 3500.0}]).warnings
    assert note == "exclude[0] matches no case: {'temperature.T0': 3500.0}"


def test_an_exclusion_that_matches_to_round_off_is_not_called_idle(plan: Planner) -> None:
    planned = plan(
        axes={"dynamics.e0": {"linspace": [0.1, 0.5, 5]}}, exclude=[{"dynamics.e0": 0.3}]
    )
    assert len(planned.cases) == 4
    assert planned.warnings == ()


def test_a_sweep_whose_every_case_is_excluded_is_refused(plan: Planner) -> None:
    with pytest.raises(
        ConfigError, match=r"sweep small:\n  every case is excluded; nothing is left to run"
    ):
        plan(axes=T0, exclude=[{"temperature.T0": 3000.0}, {"temperature.T0": 4000.0}])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"axes": {"temperature.T_0": [3000.0]}},
            r"temperature\.T_0 = 3000\.0: there is no such key; did you mean temperature\.T0\?",
        ),
        (
            {"axes": {"T0": [3000.0]}},
            r"T0 = 3000\.0: there is no such key; did you mean temperature\.T0\?",
        ),
        (
            {"axes": {"temperature.T0": [300.0]}},
            r"temperature\.T0 = 300\.0: must be a number in \[1000, 6500\] K",
        ),
        ({"axes": {"temperature.T0": ["hot"]}}, r"temperature\.T0 = 'hot': must be a number"),
        ({"axes": T0, "set": {"numerics": {}}}, "numerics: nothing ends the run"),
        (
            {"axes": T0, "output": {"samples": 1}},
            r"output\.samples = 1: must be a whole number in \[2, 100000\]",
        ),
        (
            {"axes": T0, "set": {"numerics": {"t_end_until_temperature_K": 3500.0}}},
            (
                "Mars starts at 3000 K, not above it, and does not cool to it later; lower it or"
                " raise T0"
            ),
        ),
        (
            {"variants": {"a": {}, "b": {"numerics.max_step": 3}}},
            "numerics.max_step = 3: there is no such key; did you mean numerics.max_steps",
        ),
        ({"axes": T0, "include": [{"dynamics.e": 0.5}]}, "dynamics.e = 0.5: there is no such key"),
    ],
)
def test_a_case_that_cannot_run_is_named_with_what_to_do(
    plan: Planner, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        plan(**changes)
    assert caught.value.where == "sweep small has cases that cannot run; nothing was started"


def test_all_cases_that_cannot_run_are_listed_with_counts_and_the_first_of_each(
    plan: Planner,
) -> None:
    with pytest.raises(ConfigError) as caught:
        plan(
            axes={"temperature.T0": [300.0, 3000.0, 9000.0], "dynamics.e0": [0.1, 1.5]},
            include=[{"dynamics.i": 0.1}],
        )
    (problem,) = [
        line for line in caught.value.problems if line.startswith("temperature.T0 = 300.0")
    ]
    cases = "[2 cases, first: temperature.T0 = 300.0, dynamics.e0 = 0.1]"
    assert problem.startswith(
        f"temperature.T0 = 300.0: must be a number in [1000, 6500] K  {cases}\n      line 1: "
    )
    assert any(
        "temperature.T0 = 9000.0" in line and "[2 cases, " in line for line in caught.value.problems
    )
    assert any(
        "dynamics.e0 = 1.5" in line
        and "[3 cases, first: temperature.T0 = 300.0, dynamics.e0 = 1.5]" in line
        for line in caught.value.problems
    )
    assert any(
        "dynamics.i = 0.1" in line and "[1 case, first: dynamics.i = 0.1]" in line
        for line in caught.value.problems
    )
    assert len(caught.value.problems) == 4


def test_a_small_sweep_has_blocks_for_all_workers_and_a_store_keeps_them(tmp_path: Path) -> None:
    file = sweep_file(
        tmp_path, axes={"temperature.T0": {"linspace": [3000.0, 4000.0, 80]}}, block=None
    )
    sweep = load_sweep(file)
    # of 16 runs at least
    assert [len(make_plan(sweep, workers).blocks) for workers in (0, 2, 4, 100)] == [4, 4, 5, 5]
    create(make_plan(sweep, 4), tmp_path / "s.zarr")
    plan = run_here(file, tmp_path / "s.zarr")
    assert [len(block.rows) for block in plan.blocks] == [16] * 5
    assert Store.open(tmp_path / "s.zarr").counts().blocks_committed == 5


@pytest.mark.parametrize(
    "changes",
    [
        {"one_at_a_time": {"T0": [3000.0]}},
        {"axes": {"temperature.T0": [3000.0]}, "include": [{"T0": 5000.0}]},
        {"variants": {"a": {}, "b": {"T0": 3.0}}},
    ],
)
def test_a_misspelt_key_is_named_wherever_it_stands(plan: Planner, changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"T0 = .*there is no such key"):
        plan(**changes)
