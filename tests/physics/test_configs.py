"""The shipped configurations: each runs, is what it says, and stands in the generated list."""

import runpy
from collections.abc import Callable
from pathlib import Path

import pytest

from marsdisk.config import RunConfig
from marsdisk.result import StopReason
from marsdisk.zero_d import run_zero_d

ROOT = Path(__file__).parents[2]
NAMES = sorted(
    path.stem.removeprefix("mars_0d_") for path in (ROOT / "configs").glob("mars_0d_*.yaml")
)


def test_all_of_them_are_there() -> None:
    assert set(NAMES) == {
        "baseline",
        "melt",
        "melt_simple",
        "fiducial",
        "gas_rich",
        "high_temp",
        "no_sinks",
        "collisions_only",
        "sublimation_only",
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_configuration_runs_and_closes_its_ledger(
    shipped: Callable[..., RunConfig], name: str
) -> None:
    result = run_zero_d(shipped(name))
    assert result.ledger_error <= 1e-12
    assert result.stop_reason in {
        StopReason.T_END_YEARS,
        StopReason.OPTICAL_DEPTH,
        StopReason.BLOWOUT_BELOW_GRID,
    }
    assert result.gated_time == 0.0, (
        "grains are solid: it is their own temperature that counts, not that of Mars"
    )


@pytest.mark.parametrize(
    ("name", "acts"),
    [
        ("no_sinks", ()),
        ("fiducial", ("M_loss_sublimation",)),
        ("gas_rich", ("M_loss_sublimation", "M_loss_other")),
        ("melt", ("M_loss_blowout", "M_loss_sublimation")),
        ("melt_simple", ("M_loss_blowout",)),
    ],
)
def test_what_acts_is_what_its_name_says(
    shipped: Callable[..., RunConfig], name: str, acts: tuple[str, ...]
) -> None:
    result = run_zero_d(shipped(name))
    lost = {
        channel
        for channel in ("M_loss_blowout", "M_loss_sublimation", "M_loss_other")
        if getattr(result, channel) > 0.0
    }
    assert lost == set(acts)


def test_collisions_only_moves_mass_to_small_grains_and_loses_none(
    shipped: Callable[..., RunConfig],
) -> None:
    result = run_zero_d(shipped("collisions_only"))
    assert result.M_loss == result.M_supplied == 0.0
    assert result.Sigma_final == pytest.approx(result.Sigma_0, rel=1e-12)
    assert result.tau_max > 2.0


def test_sublimation_only_loses_dust_to_vapour_alone(shipped: Callable[..., RunConfig]) -> None:
    result = run_zero_d(shipped("sublimation_only"))
    assert result.M_loss == result.M_loss_sublimation > 0.0
    assert result.M_supplied == 0.0


def test_the_list_of_configurations_is_the_one_its_command_makes() -> None:
    assert (ROOT / "configs" / "README.md").read_text(encoding="utf-8") == runpy.run_path(
        str(ROOT / "docs" / "configs.py")
    )["text"]()
