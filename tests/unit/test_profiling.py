"""``marsdisk profile``: what it measures, and how it says it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from marsdisk.cli import main
from marsdisk.profiling import FUNCTIONS

CONFIG = str(Path(__file__).parents[2] / "configs" / "mars_0d_baseline.yaml")


def test_for_programs_it_prints_seconds_by_function_and_the_counters() -> None:
    done = CliRunner().invoke(main, ["profile", CONFIG, "--steps", "200", "--json", "--set", "sizes.n_bins=20"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.output)
    assert set(found["cached"]) == set(found["uncached"]) == set(FUNCTIONS)
    assert found["cached"]["compute_q_d_star_array"] == 0.0 < found["uncached"]["compute_q_d_star_array"]
    assert all(
        found[name]["step_collisions"] > found[name]["step_imex_bdf1_C3"] > found[name]["_gain_tensor"] > 0.0 for name in ("cached", "uncached")
    )
    tensor = found["cache"]["fragment_tensor"]
    assert (tensor["hits"], tensor["misses"], tensor["rebuilds"], tensor["refused"]) == (200, 0, 0, 0)
    assert tensor["bytes"] == 3 * 8 * 20**2


def test_for_people_it_prints_a_table_with_ratios() -> None:
    done = CliRunner().invoke(main, ["profile", CONFIG, "--steps", "50", "--set", "sizes.n_bins=10"])
    assert done.exit_code == 0, done.output
    assert "50 classic steps under cProfile" in done.output
    for word in (*FUNCTIONS, "cache on [ms]", "cache off [ms]", "off/on", "a step without the profiler", "fragment_tensor 50/50"):
        assert word in done.output


@pytest.mark.parametrize("steps", ["0", "-3", "many"])
def test_a_number_of_steps_that_is_none_is_refused(steps: str) -> None:
    assert CliRunner().invoke(main, ["profile", CONFIG, "--steps", steps]).exit_code == 2
