"""A bad configuration is refused, naming the key, its value, and what is allowed or meant."""

import re
from typing import Any

import pytest

from marsdisk.common.errors import ConfigError
from marsdisk.config import RunConfig, build_config, merge
from marsdisk.config.keys import config_keys
from marsdisk.config.legacy_keys import LEFT_OUT, RENAMED

GOOD: dict[str, Any] = {
    "disk": {"r_in_RM": 1.0, "r_out_RM": 2.7},
    "sizes": {"s_min": 1e-7, "s_max": 3.0},
    "temperature": {"law": "slab", "T0": 4000.0},
    "numerics": {"t_end_years": 2.0},
}


def problems(overrides: dict[str, Any]) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        build_config(merge(GOOD, overrides))
    return caught.value.problems


def test_a_good_configuration_is_built() -> None:
    config = build_config(GOOD)
    assert isinstance(config, RunConfig)
    assert config.sizes.n_bins == 40
    assert config.material.rho == 3000.0


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("disk.r_in_RM", -1.0, "[1, 100] R_M"),
        ("disk.r_out_RM", float("inf"), "[1, 100] R_M"),
        ("material.rho", 1e5, "[1000, 5000] kg m-3"),
        ("material.rho", "3270", "[1000, 5000] kg m-3"),
        ("material.rho", True, "[1000, 5000] kg m-3"),
        ("material.rho", None, "[1000, 5000] kg m-3"),
        ("sizes.s_min", 0.0, "(0, 1000] m"),
        ("sizes.n_bins", 1, "a whole number in [2, 1000]"),
        ("sizes.n_bins", 40.5, "a whole number in [2, 1000]"),
        ("temperature.T0", 999.0, "[1000, 6500] K"),
        ("dynamics.e0", 1.0, "[0, 1)"),
        ("dynamics.e0", float("nan"), "[0, 1)"),
        ("dynamics.v_rel", "ohtsuki", "dispersion, pericenter"),
        ("temperature.law", "hyodo", "constant, slab, linear, table"),
        ("psd.floor", "fixed", "none, blowout"),
        ("psd.floor", None, "none, blowout"),
        ("sublimation.method", "hkl", "none, sink, advection"),
        ("supply.injection", "all", "min_bin, powerlaw_bins, initial_psd"),
        ("supply.mode", "tables", "none, const, powerlaw, table, piecewise"),
        ("collisions.enabled", "off", "true or false"),
        ("collisions.enabled", 0, "true or false"),
        ("collisions.fragment_law", "size", "mass, number"),
        ("blowout.chi", 3.0, "a number in [0.5, 2] or auto"),
        ("blowout.chi", "Auto", "a number in [0.5, 2] or auto"),
        ("radiation.Q_pr", 0.2, "a number in [0.5, 1.5], forsterite"),
        ("radiation.Q_pr", None, "a number in [0.5, 1.5], forsterite"),
        ("optical_depth.opacity", "mie", "geometric, planck"),
        ("optical_depth.Q_ext", 2.0, "forsterite (the shipped table), or the path of a"),
        ("qstar.table", "granite", "forsterite, basalt, or rows"),
        ("qstar.table", 3.0, "forsterite, basalt, or rows"),
        ("optical_depth.tau_stop", -2.0, "(0, inf)"),
        ("supply.const_rate", 1e7, "[0, 1e+06] kg m-2 s-1"),
        ("supply.temperature.scale", 1e-300, "[1e-06, 1e+06]"),
        ("supply.temperature.T_ref", 1.0, "[100, 100000] K"),
        ("supply.temperature.cap", 1e300, "[1e-06, 1e+06]"),
        ("supply.temperature.floor", 1e300, "[0, 1e+06]"),
        ("numerics.rtol", 1.0, "[1e-12, 0.1]"),
        ("numerics.scheme", "euler", "rosenbrock"),
        ("output.samples", 1, "[2, 100000]"),
    ],
)
def test_a_bad_value_is_named_with_what_is_allowed(key: str, value: Any, allowed: str) -> None:
    (line,) = problems({key: value})
    assert line.startswith(f"{key} = {value!r}: must be ")
    assert allowed in line


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("disk.r_in_rm", "disk.r_in_RM"),
        ("numerics.t_end_year", "numerics.t_end_years"),
        ("temperature.T_0", "temperature.T0"),
        ("material.T0", "temperature.T0"),
        ("initial.melt_psd.f_fin", "initial.melt_psd.f_fine"),
        ("collision", "collisions"),
        ("radiation.TM_K", "temperature.T0"),
        ("chi_blow", "blowout.chi"),
        ("dynamics.v_rel_mode", "dynamics.v_rel"),
        ("numerics.dt_init", "output.samples"),
        ("psd.alpha_frag", "collisions.alpha_frag"),
    ],
)
def test_an_unknown_key_is_refused_with_the_name_that_was_meant(key: str, meant: str) -> None:
    base = {}
    if key.startswith("initial"):
        base = {"initial": {"s0_mode": "melt_lognormal_mixture", "melt_psd": {}}}
    (line,) = problems({**base, key: 1.0})
    assert line.startswith(f"{key} = 1.0: there is no such key; ")
    assert meant in line.split("; ")[1].replace("?", "").split()


def test_a_section_that_there_is_not_is_called_one() -> None:
    (line,) = problems({"sizess": {"n_bins": 20}})
    assert line.startswith("sizess: there is no such section")


OWN_KEYS = config_keys(RunConfig)


@pytest.mark.parametrize("name", [*RENAMED, *LEFT_OUT])
def test_a_key_of_an_earlier_program_is_refused_with_what_became_of_it(name: str) -> None:
    for key in (name, f"dynamics.{name}"):
        (line,) = problems({key: 1.0})
        assert line.startswith(f"{key} = 1.0: there is no such key; it ")
        assert ("it is now " if name in RENAMED else "it was left out: ") in line


@pytest.mark.parametrize("replacement", RENAMED.values())
def test_what_took_the_place_of_a_key_is_there(replacement: str) -> None:
    key = re.match(r"[a-z_]+\.\w+|[a-z_]+\.\*", replacement)
    assert key is not None
    assert any(own.startswith(key[0].rstrip("*")) for own in OWN_KEYS), replacement


def test_no_key_of_ours_is_called_old() -> None:
    assert not {own.split(".")[-1] for own in OWN_KEYS} & {*RENAMED, *LEFT_OUT}


def test_a_key_of_another_cooling_law_is_not_taken_for_an_unrelated_one() -> None:
    (line,) = problems({"temperature": {"law": "constant", "T0": 3000.0, "depth": 1e5}})
    assert line.startswith("temperature.depth = 100000.0: there is no such key")
    assert "temperature.path" not in line


@pytest.mark.parametrize(
    ("missing", "line"),
    [
        (
            "disk.r_in_RM",
            "disk.r_in_RM is missing: give a number in [1, 100] R_M (inner edge, not inside Mars)",
        ),
        ("temperature.T0", "temperature.T0 is missing: give a number in [1000, 6500] K"),
        (
            "temperature.law",
            "temperature.law is missing: give one of constant, slab, linear, table",
        ),
    ],
)
def test_a_missing_key_is_named_with_what_to_give(missing: str, line: str) -> None:
    section, name = missing.split(".")
    incomplete = {key: value for key, value in GOOD[section].items() if key != name}
    assert problems({section: incomplete})[0].startswith(line)


@pytest.mark.parametrize("section", ["disk", "sizes", "temperature", "numerics"])
@pytest.mark.parametrize("value", [None, 3.0, "slab"])
def test_a_section_must_hold_keys(section: str, value: Any) -> None:
    assert problems({section: value}) == [f"{section} = {value!r}: must be a section with keys"]


@pytest.mark.parametrize(
    ("overrides", "section", "advice"),
    [
        ({"disk.r_in_RM": 3.0}, "disk", "r_in_RM = 3 is outside r_out_RM = 2.7"),
        ({"sizes.s_min": 5.0}, "sizes", "s_min = 5 m must be below s_max = 3 m"),
        (
            {"numerics": {}},
            "numerics",
            "give t_end_years, t_end_orbits or t_end_until_temperature_K",
        ),
        ({"dynamics": {"e0": 0.1, "e_profile": "mars_pericenter"}}, "dynamics", "drop e0"),
        ({"dynamics": {"kernel_H_mode": "fixed"}}, "dynamics", "H_fixed_over_a"),
        (
            {"supply": {"mode": "none", "mu_orbit10pct": 1.0}},
            "supply",
            "drop it or set mode: const",
        ),
        ({"supply": {"mu_orbit10pct": 1.0, "epsilon_mix": 1.0}}, "supply", "epsilon_mix"),
        ({"supply": {"mu_orbit10pct": 1.0, "const_rate": 1.0}}, "supply", "give one"),
        ({"supply": {"injection": "min_bin", "q": 3.0}}, "supply", "powerlaw_bins"),
        ({"optical_depth": {"tau0_target": 1.0, "tau_stop": 0.5}}, "optical_depth", "stop at once"),
        ({"optical_depth.Q_ext": "forsterite"}, "optical_depth", "drop it or set opacity: planck"),
        ({"initial": {"melt_psd": {}}}, "initial", "s0_mode: melt_lognormal_mixture"),
        ({"qstar.table": [[1.0, 2.0]]}, "qstar", "five numbers"),
        ({"qstar.table": [[3.0, -1.0, 0.4, 0.3, 1.3]]}, "qstar", "must be positive"),
        ({"qstar.units": "si"}, "qstar", "drop units"),
        ({"output.snapshots": 200}, "output", "at most as many"),
    ],
)
def test_keys_that_contradict_each_other_are_refused(
    overrides: dict[str, Any], section: str, advice: str
) -> None:
    (line,) = problems(overrides)
    assert line.startswith(f"{section}: ")
    assert advice in line


def test_all_problems_are_listed_together() -> None:
    bad = {
        "disk.r_in_RM": -1.0,
        "material.rho": 1e5,
        "sizes.n_bins": "many",
        "psd.floor": "fixed",
        "flux": 1,
        "temperature.law": "hyodo",
    }
    lines = problems(bad)
    assert len(lines) == len(bad)
    assert {line.split(" = ")[0] for line in lines} == set(bad)


def test_the_text_of_the_error_holds_the_file_and_every_line() -> None:
    with pytest.raises(ConfigError, match=r"where\.yaml") as caught:
        build_config(merge(GOOD, {"material.rho": 1.0, "disk.r_in_RM": 0.0}), "where.yaml")
    assert str(caught.value).splitlines() == [
        "where.yaml:",
        *(f"  {line}" for line in caught.value.problems),
    ]
