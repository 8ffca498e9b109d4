"""Where a function that is known at points of the unit cube is to be looked at next: the simplices between the points, and a loss of each.

The losses are those of python-adaptive (Nijholt et al. 2019, doi:10.5281/zenodo.1182437), for all
simplices at once. Its learners are not used, because what they choose depends on the order in which
they were asked and told; here it depends on the points and values alone.
"""

import heapq
import math
from collections.abc import Mapping
from itertools import combinations
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .extras import extra

Floats = NDArray[np.float64]
Loss = Literal["curvature", "gradient", "contour"]
# of each axis, on which all points lie: none are closer, and halves of distances are exact
STEPS = 2**20
# of a simplex where nothing happens
EXPLORATION: Mapping[Loss, float] = {"curvature": 0.05, "gradient": 1.0, "contour": 0.01}
DIGITS = 9  # of a loss that count: beyond them, equal ones differ by round-off


def simplices(points: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(simplices, D + 1) each: the points of each simplex of the Delaunay triangulation, and its neighbour opposite each of them, -1 for none."""
    if points.shape[1] > 1:
        found = extra("scipy.spatial", "design", "refine").Delaunay(points)
        return found.simplices.astype(np.int64), found.neighbors.astype(np.int64)
    order = np.argsort(points[:, 0])
    k = np.arange(order.size - 1)
    return np.column_stack([order[:-1], order[1:]]), np.column_stack([np.append(k[1:], -1), k - 1])


def _losses(
    points: Floats,
    values: Floats,
    loss: Loss,
    corners: NDArray[np.int64],
    neighbours: NDArray[np.int64],
) -> Floats:
    """(simplices,) Loss of each; one that touches a point without a value counts with its size alone, as where nothing happens."""
    count = corners.shape[0]
    d = points.shape[1]
    edges = points[corners[:, 1:]] - points[corners[:, :1]]
    size = np.abs(np.linalg.det(edges)) / math.factorial(d)
    explored: Floats = EXPLORATION[loss] * size ** _power(loss, d)
    known = np.isfinite(values[corners]).all(axis=1)
    if loss == "contour":
        crossed = (
            known & (values[corners].min(axis=1) <= 0.0) & (values[corners].max(axis=1) >= 0.0)
        )
        return np.where(crossed, size, explored)
    scaled = values / (np.nanmax(values) - np.nanmin(values) or 1.0)
    graph = np.column_stack([points, scaled])  # the function's graph, one dimension up
    steep = graph[corners[:, 1:]] - graph[corners[:, :1]]
    if loss == "gradient":
        areas = np.sqrt(np.abs(np.linalg.det(steep @ steep.transpose(0, 2, 1)))) / math.factorial(d)
        return np.where(known, areas, explored)
    bend = np.zeros(count)
    beside = np.zeros(count)
    # the volume between the graph's simplex and the vertex beyond each of its faces: none on a
    # plane
    for k in range(d + 1):
        there = neighbours[:, k]
        vertex = corners[there, np.argmax(neighbours[there] == np.arange(count)[:, None], axis=1)]
        use = known & (there >= 0) & np.isfinite(scaled[vertex])
        beyond = graph[vertex[use]] - graph[corners[use, 0]]
        bend[use] += np.abs(
            np.linalg.det(np.concatenate([steep[use], beyond[:, None]], axis=1))
        ) / math.factorial(d + 1)
        beside[use] += 1.0
    return bend / np.maximum(beside, 1.0) + explored


def _power(loss: Loss, d: int) -> float:
    """How a loss goes with the size of its simplex, where the function is smooth."""
    return (d + 2) / d if loss == "curvature" else 1.0


def next_points(
    points: NDArray[np.int64], values: Floats, loss: Loss, count: int
) -> tuple[list[list[int]], float]:
    """The points to look at next, at most ``count``, and the largest loss.

    The simplex with the largest loss is halved across its longest edge, again and again, a half
    counting with what its size leaves of the loss.

    Parameters
    ----------
    points : (n, D) in steps of 1/:data:`STEPS`, the cube's corners among them
    values : (n,), NaN where there is none; for ``contour`` less the level
    """
    order = np.lexsort(points.T)  # points on one sphere have several triangulations
    points = points[order]
    values = values[order]
    at = points / STEPS
    corners, neighbours = simplices(at)
    losses = _losses(at, values, loss, corners, neighbours)
    share = 0.5 ** _power(loss, points.shape[1])
    known = {*map(tuple, points.tolist())}
    new = list[list[int]]()
    heap = [
        _entry(float(one), at_corners)
        for one, at_corners in zip(losses, points[corners].tolist(), strict=True)
    ]
    heapq.heapify(heap)
    while heap and len(new) < count:
        largest, (i, j), simplex = heapq.heappop(heap)
        middle = [(a + b) // 2 for a, b in zip(simplex[i], simplex[j], strict=True)]
        if middle in (simplex[i], simplex[j]):  # nothing lies between them
            continue
        if tuple(middle) not in known:
            known.add(tuple(middle))
            new.append(middle)
        for corner in (i, j):
            heapq.heappush(
                heap,
                _entry(
                    -largest * share,
                    [middle if k == corner else vertex for k, vertex in enumerate(simplex)],
                ),
            )
    return new, float(losses.max())


def _entry(loss: float, simplex: list[list[int]]) -> tuple[float, tuple[int, int], Any]:
    """What the heap sorts: largest loss first, then by the place, whatever order the triangulation has."""
    simplex = sorted(simplex)
    longest = max(
        combinations(range(len(simplex)), 2),
        key=lambda pair: (math.dist(simplex[pair[0]], simplex[pair[1]]), pair),
    )
    return -float(f"{loss:.{DIGITS}g}"), longest, simplex
