"""Each note is set by what it is about, and by nothing that is sound."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import brentq

from marsdisk.config import RunConfig
from marsdisk.notes import SENTENCES, Note
from marsdisk.physics.grid import make_grid
from marsdisk.physics.psd import melt_lognormal_mixture, share_within
from marsdisk.zero_d import run_zero_d

Shipped = Callable[..., RunConfig]
#: A disk that nothing is to be said against: one size of 1 mm in orbits that clear Mars, thin,
#: unfed, for a few orbits.
SOUND: dict[str, Any] = {
    "disk": {"r_in_RM": 2.2, "r_out_RM": 2.3},
    "initial": {"s0_mode": "upper"},
    "sizes": {"s_min": 1e-6, "s_max": 1e-2, "n_bins": 40},
    "dynamics": {"e0": 0.5, "i0": 0.05},
    "optical_depth": {"tau0_target": 1e-3, "tau_stop": None},
    "temperature": {"law": "constant", "T0": 3000.0},
    "sublimation": {"method": "advection"},
    "qstar": {"table": "forsterite", "scale": 0.1},
    "supply": {"mode": "none"},
    "numerics": {"t_end_orbits": 3.0},
}
WARM = {"enabled": True, "T_condense": 900.0, "T_vaporize": 1000.0}
MELT = {
    "s0_mode": "melt_lognormal_mixture",
    "melt_psd": {"f_fine": 0.5, "s_fine": 1e-5, "s_meter": 1e-4, "width_dex": 0.2, "s_cut": 1e-6},
}
#: What has to be changed for each note, and which notes come with it.
DOUBTFUL: dict[Note, tuple[dict[str, Any], Note]] = {
    Note.LOSS_RATE_NEVER_ABOVE_STOP: (
        {"numerics": {"t_end_orbits": 3.0, "mass_loss_rate_stop_Mmars_s": 1.0}},
        Note(0),
    ),
    Note.S_BLOW_NEVER_ABOVE_SMIN: (
        {
            "numerics": {"t_end_orbits": 3.0, "stop_on_blowout_below_smin": True},
            "sizes.s_min": 1e-5,
        },
        Note.NOTHING_UNBOUND | Note.S_BLOW_BELOW_GRID,
    ),
    Note.STOPPED_EARLY: (
        {
            "supply": {"mode": "const", "mu_orbit10pct": 1.0},
            "optical_depth": {"tau0_target": 1e-3, "tau_stop": 2e-3},
        },
        Note.ENDED_WITHIN_AN_ORBIT,
    ),
    Note.ENDED_WITHIN_AN_ORBIT: ({"numerics": {"t_end_orbits": 0.5}}, Note(0)),
    Note.OPAQUE_WHILE_BLOWN_OUT: (
        {"optical_depth": {"tau0_target": 5.0, "tau_stop": None}},
        Note(0),
    ),
    Note.MOSTLY_SUPPLIED: ({"supply": {"mode": "const", "mu_orbit10pct": 1.0}}, Note(0)),
    Note.ORBITS_CROSS_MARS: ({"dynamics": {"e0": 0.6, "i0": 0.05}}, Note(0)),
    Note.SUBLIMATION_LEFT_OUT: (
        {"sublimation": {"method": "none"}, "temperature": {"law": "constant", "T0": 6000.0}},
        Note(0),
    ),
    Note.NOTHING_UNBOUND: ({"sizes.s_min": 1e-5}, Note.S_BLOW_BELOW_GRID),
    Note.NEVER_SOLID: ({"phase": WARM}, Note(0)),
    Note.MELT_TRUNCATED: (
        {"initial": {**MELT, "melt_psd": {**MELT["melt_psd"], "s_meter": 1e-2}}},
        Note(0),
    ),
    Note.NOTHING_BREAKS: ({"qstar": {"table": "forsterite", "scale": 10.0}}, Note(0)),
    Note.COARSE_GRID: ({"sizes.n_bins": 15}, Note(0)),
    Note.BEYOND_QPR_TABLE: ({"radiation.Q_pr": "TABLE"}, Note(0)),
    Note.TABLE_ENDS_FIRST: ({"temperature": {"law": "table", "path": "COOLING"}}, Note(0)),
    Note.S_BLOW_BELOW_GRID: ({"sizes.s_min": 1e-5}, Note.NOTHING_UNBOUND),
}


@pytest.fixture
def paths(tmp_path: Path) -> dict[str, str]:
    """Write tables of <Q_pr> for cooler Mars only, and of a temperature for a moment only."""
    texts = {
        "TABLE": "T_M,s,Q_pr\n1000,1e-8,1.0\n1000,1e-2,1.0\n1500,1e-8,1.0\n1500,1e-2,1.0\n",
        "COOLING": "time,T_M\n0,3000\n100,2999\n",
    }
    for name, text in texts.items():
        (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
    return {name: str(tmp_path / f"{name}.csv") for name in texts}


def with_paths(value: Any, paths: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: with_paths(inner, paths) for key, inner in value.items()}
    return paths.get(value, value) if isinstance(value, str) else value


def test_a_sound_run_has_no_note(shipped: Shipped) -> None:
    result = run_zero_d(shipped("melt_simple", SOUND))
    assert result.notes == Note(0)
    assert result.M_loss_blowout > 0.0


@pytest.mark.parametrize("note", DOUBTFUL)
def test_a_doubt_sets_its_note_and_no_other(
    shipped: Shipped, note: Note, paths: dict[str, str]
) -> None:
    changes, side_effects = DOUBTFUL[note]
    result = run_zero_d(shipped("melt_simple", {**SOUND, **with_paths(changes, paths)}))
    assert result.notes == note | side_effects
    assert SENTENCES[note] in result.notes.sentences


@pytest.mark.parametrize(("share", "is_noted"), [(0.0099, False), (0.0101, True)])
def test_a_melt_may_lose_one_percent_of_a_component(
    shipped: Shipped, share: float, is_noted: bool
) -> None:
    dex = MELT["melt_psd"]["width_dex"]
    s_max = shipped("melt_simple", SOUND).sizes.s_max

    def excess(log_s: float) -> float:
        return 1.0 - share - share_within(1e-6, s_max, 10.0**log_s, dex)

    s_meter = 10.0 ** brentq(excess, -5.0, np.log10(s_max))
    melt = {**MELT["melt_psd"], "s_meter": s_meter}
    result = run_zero_d(shipped("melt_simple", {**SOUND, "initial": {**MELT, "melt_psd": melt}}))
    assert (Note.MELT_TRUNCATED in result.notes) == is_noted


def test_repaired_bins_are_noted(shipped: Shipped) -> None:
    loose = {
        "optical_depth": {"tau_stop": None},
        "numerics": {"t_end_until_temperature_K": 2000.0, "atol": 1e-6},
    }
    result = run_zero_d(shipped("melt_simple", loose))
    assert result.bins_repaired > 0
    assert Note.ROUND_OFF_REPAIRED in result.notes
    assert result.clamped == result.bins_repaired + result.steps_beyond_qpr


def test_every_note_has_a_sentence_a_bit_and_a_test() -> None:
    assert set(SENTENCES) == set(Note) == {*DOUBTFUL, Note.ROUND_OFF_REPAIRED}
    assert [note.value for note in Note] == [1 << bit for bit in range(len(Note))]
    assert len(set(SENTENCES.values())) == len(Note)


@pytest.mark.parametrize(("centre", "width"), [(1e-5, 0.2), (1e-3, 0.3), (3e-2, 0.5)])
@pytest.mark.parametrize(("low", "high"), [(1e-6, 1e-1), (1e-4, 1e-2), (1e-3, 1e-3 * (1 + 1e-9))])
def test_the_share_of_a_component_of_the_melt_is_what_a_wide_fine_grid_puts_there(
    low: float, high: float, centre: float, width: float
) -> None:
    grid = make_grid(1e-12, 1e6, 18_000)
    mass = melt_lognormal_mixture(grid, 0.0, centre, centre, width, 1e-12)
    inside = (grid.sizes > low) & (grid.sizes < high)
    assert share_within(low, high, centre, width) == pytest.approx(
        float(np.sum(mass[inside])), abs=2e-3
    )
