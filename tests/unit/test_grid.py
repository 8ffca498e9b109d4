"""The size grid and the versions that name its content."""

import numpy as np
import pytest

from marsdisk.physics.grid import bin_of, content_version, grain_mass, make_grid


@pytest.mark.parametrize(
    ("s_lo", "s_hi", "n"),
    [(1e-7, 3.0, 40), (1e-9, 1e3, 2), (1.0423461e-6, 3.0, 12), (1e-6, 2e-6, 1000)],
)
def test_edges_are_equally_spaced_in_log_and_centres_are_their_means(
    s_lo: float, s_hi: float, n: int
) -> None:
    grid = make_grid(s_lo, s_hi, n)
    assert (grid.edges.size, grid.sizes.size, grid.widths.size) == (n + 1, n, n)
    assert grid.edges[[0, -1]] == pytest.approx([s_lo, s_hi], rel=1e-14)
    assert np.diff(np.log(grid.edges)) == pytest.approx(np.log(s_hi / s_lo) / n, rel=1e-9)
    assert grid.sizes**2 == pytest.approx(grid.edges[1:] * grid.edges[:-1], rel=1e-14)


@pytest.mark.parametrize(
    ("s_lo", "s_hi"),
    [(0.0, 1.0), (-1.0, 1.0), (1.0, 1.0), (2.0, 1.0), (1.0, float("inf")), (float("nan"), 1.0)],
)
def test_sizes_that_make_no_grid_are_refused(s_lo: float, s_hi: float) -> None:
    with pytest.raises(ValueError, match="0 < s_lo < s_hi"):
        make_grid(s_lo, s_hi, 10)


def test_arrays_of_a_grid_are_read_only() -> None:
    grid = make_grid(1e-7, 3.0, 10)
    for array in (grid.edges, grid.sizes):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1.0


def test_equal_grids_have_equal_versions_and_others_do_not() -> None:
    grid = make_grid(1e-7, 3.0, 40)
    equal_grid = make_grid(1e-7, 3.0, 40)
    assert (grid.sizes_version, grid.edges_version) == (
        equal_grid.sizes_version,
        equal_grid.edges_version,
    )
    others = [
        make_grid(1.0000001e-7, 3.0, 40),
        make_grid(1e-7, 3.0000001, 40),
        make_grid(1e-7, 3.0, 41),
    ]
    assert len({grid.sizes_version, *(other_grid.sizes_version for other_grid in others)}) == 4
    assert len({grid.edges_version, *(other_grid.edges_version for other_grid in others)}) == 4


def test_the_version_is_that_of_the_content() -> None:
    array = np.array([1.0, 2.0, 3.0])
    assert (
        content_version(array)
        == content_version(array[::-1][::-1])
        == content_version(np.array([[1.0, 2.0, 3.0]]))
    )
    assert content_version(array) == content_version(np.array([1, 2, 3]))
    assert content_version(array) != content_version(np.nextafter(array, 4.0))
    assert content_version(array) != content_version(array[::-1])
    assert 0 <= content_version(array) < 2**64
    assert content_version(np.array([1.0]), 2.0) != content_version(np.array([1.0]), 2.5)


def test_the_version_is_the_same_on_every_machine() -> None:
    assert content_version(np.array([1.0, 2.0])) == 3152963099835191745


def test_a_size_on_an_edge_belongs_to_the_bin_above() -> None:
    edges = np.array([1.0, 2.0, 4.0, 8.0])
    assert bin_of(edges, np.array([1.0, 1.9, 2.0, 4.0, 7.9])).tolist() == [0, 0, 1, 2, 2]


def test_sizes_beyond_the_grid_belong_to_its_ends() -> None:
    edges = np.array([1.0, 2.0, 4.0, 8.0])
    assert bin_of(edges, np.array([0.1, 8.0, 100.0])).tolist() == [0, 2, 2]
    assert int(bin_of(edges, 3.0)) == 1


def test_a_grain_is_a_sphere() -> None:
    assert grain_mass(np.array([1.0, 2.0]), 3000.0) == pytest.approx(
        [4000.0 * np.pi, 32000.0 * np.pi], rel=1e-15
    )
