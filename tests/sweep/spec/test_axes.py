"""Every kind of axis becomes points with labels, or is refused in words that say what to do."""

import itertools
from typing import Any

import pytest

from marsdisk.physics.orbit import annulus_area
from sweep.common.floats import same
from sweep.spec.axes import parse_axis, short_names, variant_axis, zip_axis
from sweep.spec.distributions import parse_marginal


@pytest.mark.parametrize(
    ("given", "values"),
    [
        ([1.0, 3.0, 2.0], [1.0, 3.0, 2.0]),
        ({"values": [5, 4]}, [5, 4]),
        ({"linspace": [0.0, 1.0, 5]}, [0.0, 0.25, 0.5, 0.75, 1.0]),
        ({"linspace": [3.0, 1.0, 3]}, [3.0, 2.0, 1.0]),
        ({"linspace": [2, 7, 1]}, [2.0]),
        ({"geomspace": [0.1, 10.0, 3]}, [0.1, 1.0, 10.0]),
        (["none", "const"], ["none", "const"]),
        ([None, 3.0], [None, 3.0]),
        ([True, False], [True, False]),
    ],
)
def test_an_axis_sets_its_key_to_each_value_in_the_given_order(
    given: Any, values: list[Any]
) -> None:
    axis = parse_axis("section.key", given)
    assert [point["section.key"] for point in axis.points] == pytest.approx(values)
    assert list(axis.labels) == pytest.approx(values)
    assert axis.keys == ("section.key",)


@pytest.mark.parametrize(("kind", "n"), [("linspace", 7), ("geomspace", 7), ("geomspace", 50)])
def test_a_spaced_axis_begins_and_ends_exactly_where_asked(kind: str, n: int) -> None:
    labels = parse_axis("k", {kind: [0.1, 10.0, n]}).labels
    assert (labels[0], labels[-1], len(labels)) == (0.1, 10.0, n)
    assert all(type(label) is float for label in labels)


@pytest.mark.parametrize(
    ("r_in", "r_out", "n"), [(1.0, 2.7, 1), (1.0, 2.7, 32), (2.2, 2.7, 7), (1, 3, 4)]
)
def test_rings_touch_and_their_areas_sum_to_the_disk(r_in: float, r_out: float, n: int) -> None:
    axis = parse_axis("ring", {"rings": [r_in, r_out, n]})
    edges = [(point["disk.r_in_RM"], point["disk.r_out_RM"]) for point in axis.points]
    assert axis.labels == tuple(range(n))
    assert (edges[0][0], edges[-1][1]) == (r_in, r_out)
    assert all(inner[1] == outer[0] for inner, outer in itertools.pairwise(edges))
    widths = [high - low for low, high in edges]
    assert widths == pytest.approx([(r_out - r_in) / n] * n, rel=1e-9)
    assert sum(annulus_area(low, high) for low, high in edges) == pytest.approx(
        annulus_area(r_in, r_out), rel=1e-13
    )


def test_keys_that_are_zipped_move_together() -> None:
    axis = zip_axis({"material.rho": [3000.0, 3270.0], "qstar.scale": [1.0, 5.574]})
    assert axis.points == (
        {"material.rho": 3000.0, "qstar.scale": 1.0},
        {"material.rho": 3270.0, "qstar.scale": 5.574},
    )
    assert (axis.name, axis.labels) == ("material.rho", (3000.0, 3270.0))


def test_variants_are_points_with_names_and_may_set_nothing() -> None:
    axis = variant_axis({"plain": {}, "dry": {"supply.mode": "none", "supply.mu_orbit10pct": None}})
    assert (axis.name, axis.labels) == ("variant", ("plain", "dry"))
    assert axis.points[0] == {}
    assert axis.keys == ("supply.mode", "supply.mu_orbit10pct")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([], "is empty; give at least one value or drop the axis"),
        ({"values": []}, "is empty"),
        ([3.0, 4.0, 3.0], "has the value 3.0 twice; drop one"),
        ([3000, 3000.0], "has the value 3000.0 twice"),
        ({"linspace": [1.0, 1.0, 3]}, "has the value 1.0 twice"),
        (3000.0, "a list of values, {values: .*got 3000.0"),
        ("3000", "a list of values"),
        (None, "a list of values"),
        ({}, r"got the keys \(none\)"),
        ({"linspace": [0, 1, 3], "values": [1]}, "got the keys linspace, values"),
        ({"powspace": [0, 1, 3]}, "there is no kind of axis 'powspace'; must be .*geomspace"),
        ({"linspace": [0.0, 1.0]}, r"linspace takes \[first, last, n\] .*got \[0.0, 1.0\]"),
        ({"linspace": [0.0, 1.0, 2.5]}, "whole number n >= 1"),
        ({"linspace": [0.0, 1.0, 0]}, "whole number n >= 1"),
        ({"linspace": [-1.7e308, 1.7e308, 3]}, "too far apart for floating-point numbers"),
        ({"rings": [-1.7e308, 1.7e308, 3]}, "too far apart for floating-point numbers"),
        ({"linspace": [0.0, 1.0, True]}, "whole number n >= 1"),
        ({"linspace": ["0", 1.0, 3]}, "takes"),
        ({"linspace": 3}, "takes"),
        ({"geomspace": [0.0, 1.0, 3]}, "geomspace needs positive ends"),
        ({"geomspace": [-1.0, 1.0, 3]}, "geomspace needs positive ends"),
        ({"rings": [2.7, 1.0, 3]}, "rings needs 0 < r_in < r_out .*got"),
        ({"rings": [0.0, 1.0, 3]}, "rings needs 0 < r_in"),
        ({"rings": [1.0, 2.7, 0]}, r"rings .*n >= 1, got \[1.0, 2.7, 0\]"),
        ({"rings": [1.0, 2.7]}, r"rings takes \[first, last, n\]"),
        ({"rings": [1.0, "2.7", 3]}, r"rings takes \[first, last, n\]"),
        ({"rings": [1.0, 2.7, True]}, "whole number"),
    ],
)
def test_a_bad_axis_says_what_it_must_be(given: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_axis("k", given)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"a": [1, 2], "b": [1, 2, 3]}, "equally long, got 2 for a, 3 for b"),
        ({"a": []}, "must be keys with lists of values"),
        ({"a": 3}, "must be keys with lists of values"),
        ({}, "must be keys with lists of values"),
    ],
)
def test_a_bad_zip_says_what_it_must_be(given: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        zip_axis(given)


def test_a_variant_that_is_no_set_of_overrides_is_named() -> None:
    with pytest.raises(ValueError, match=r"hot must be a set of overrides .*got 3000"):
        variant_axis({"plain": {}, "hot": 3000})


@pytest.mark.parametrize(
    ("keys", "names"),
    [
        (["temperature.T0", "material.rho"], ["T0", "rho"]),
        (["temperature.rho", "material.rho"], ["temperature_rho", "material_rho"]),
        (["initial.melt_psd.f_fine", "psd.f_fine"], ["melt_psd_f_fine", "psd_f_fine"]),
        (["flat"], ["flat"]),
        # v_rel is a series of runs whose orbits are damped
        (["dynamics.v_rel", "dynamics.e0"], ["dynamics_v_rel", "e0"]),
    ],
)
def test_a_key_is_known_by_its_last_word_and_more_where_two_clash(
    keys: list[str], names: list[str]
) -> None:
    assert list(short_names(keys).values()) == names


@pytest.mark.parametrize(
    ("a", "b", "equal"),
    [(3000, 3000.0, True), (0.1 + 0.2, 0.3, True), ("a", "a", True), (None, 0.0, False)],
)
def test_numbers_are_the_same_to_round_off(a: Any, b: Any, equal: bool) -> None:
    assert same(a, b) is equal


BEYOND = 10**400


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"linspace": [3000, BEYOND, 3]}, "takes .first, last, n."),
        ({"linspace": [3000, float("inf"), 3]}, "takes .first, last, n."),
        ({"geomspace": [float("nan"), 1.0, 3]}, "takes .first, last, n."),
        ({"rings": [1, 2, 3]}, "rings set disk.r_in_RM and disk.r_out_RM, not temperature.T0"),
    ],
)
def test_what_no_key_can_be_is_refused(given: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_axis("temperature.T0", given)


@pytest.mark.parametrize(
    "given", [{"uniform": [3000, BEYOND]}, {"integers": [1, BEYOND]}, {"normal": [BEYOND, 1]}]
)
def test_numbers_beyond_double_are_no_distribution(given: Any) -> None:
    with pytest.raises(ValueError, match="numbers in brackets"):
        parse_marginal(given)
