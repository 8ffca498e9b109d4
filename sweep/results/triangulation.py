"""Where to evaluate a function next: the simplices between its points, and a loss of each.

The losses are those of python-adaptive (Nijholt et al. 2019, doi:10.5281/zenodo.1182437), for all
simplices at once. Its learners are not used, because their choices depend on the order in which
points are asked for and answered; here they depend on the points and values alone.
"""

import heapq
import math
from collections.abc import Mapping
from itertools import combinations
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..common.optional import extra
from ..spec.refinement import STEPS

Floats = NDArray[np.float64]
Loss = Literal["curvature", "gradient", "contour"]
#: Weight of the size of a simplex, which counts where the function is flat or has no value.
EXPLORATION: Mapping[Loss, float] = {"curvature": 0.05, "gradient": 1.0, "contour": 0.01}
#: Significant digits of a loss that count; equal losses differ by round-off beyond them.
LOSS_DIGITS = 9


def simplices(points: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the Delaunay triangulation of points.

    Parameters
    ----------
    points : (points, D) array
        In the unit cube.

    Returns
    -------
    (simplices, D + 1) array of int
        Indices of the points of each simplex.
    (simplices, D + 1) array of int
        Its neighbour opposite each of these points, -1 for none.
    """
    if points.shape[1] > 1:
        triangulation = extra("scipy.spatial", "design", "refine").Delaunay(points)
        corners = triangulation.simplices.astype(np.int64)
        return corners, triangulation.neighbors.astype(np.int64)
    order = np.argsort(points[:, 0])
    interval = np.arange(order.size - 1)
    corners = np.column_stack([order[:-1], order[1:]])
    return corners, np.column_stack([np.append(interval[1:], -1), interval - 1])


def _losses(
    points: Floats,
    values: Floats,
    loss: Loss,
    corners: NDArray[np.int64],
    neighbours: NDArray[np.int64],
) -> Floats:
    """Return the loss of each simplex.

    A simplex with a corner without a value counts with its size alone.
    """
    d = points.shape[1]
    edges = points[corners[:, 1:]] - points[corners[:, :1]]
    size = np.abs(np.linalg.det(edges)) / math.factorial(d)
    size_loss: Floats = EXPLORATION[loss] * size ** _power(loss, d)
    values_at_corners = values[corners]
    has_values = np.isfinite(values_at_corners).all(axis=1)
    if loss == "contour":
        reaches_below = values_at_corners.min(axis=1) <= 0.0
        reaches_above = values_at_corners.max(axis=1) >= 0.0
        return np.where(has_values & reaches_below & reaches_above, size, size_loss)
    scaled = values / (np.nanmax(values) - np.nanmin(values) or 1.0)
    # the function's graph has one dimension more
    graph = np.column_stack([points, scaled])
    graph_edges = graph[corners[:, 1:]] - graph[corners[:, :1]]
    if loss == "gradient":
        gram = graph_edges @ graph_edges.transpose(0, 2, 1)
        area = np.sqrt(np.abs(np.linalg.det(gram))) / math.factorial(d)
        return np.where(has_values, area, size_loss)
    count = corners.shape[0]
    volume = np.zeros(count)
    faces = np.zeros(count)
    # the volume between the graph's simplex and the vertex beyond each of its faces; zero on a
    # plane
    for k in range(d + 1):
        neighbour = neighbours[:, k]
        corner_beyond = np.argmax(neighbours[neighbour] == np.arange(count)[:, None], axis=1)
        vertex = corners[neighbour, corner_beyond]
        use = has_values & (neighbour >= 0) & np.isfinite(scaled[vertex])
        edge = graph[vertex[use]] - graph[corners[use, 0]]
        all_edges = np.concatenate([graph_edges[use], edge[:, None]], axis=1)
        volume[use] += np.abs(np.linalg.det(all_edges)) / math.factorial(d + 1)
        faces[use] += 1.0
    return volume / np.maximum(faces, 1.0) + size_loss


def _power(loss: Loss, d: int) -> float:
    """Return the power of a simplex's size that its loss scales with, for a smooth function."""
    return (d + 2) / d if loss == "curvature" else 1.0


def next_points(
    points: NDArray[np.int64], values: Floats, loss: Loss, count: int
) -> tuple[list[list[int]], float]:
    """Return the next points at which to evaluate a function, and the largest loss.

    The simplex with the largest loss is halved across its longest edge, again and again; the loss
    of a half is that of the whole, scaled with its size.

    Parameters
    ----------
    points : (n, D) array of int
        In steps of 1/:data:`STEPS`, the cube's corners among them.
    values : (n,) array
        NaN where there is none; for ``contour``, less the level.
    loss : {"curvature", "gradient", "contour"}
        What makes a simplex worth refining.
    count : int
        Maximum number of new points.

    Returns
    -------
    list of list of int
        The new points, in the same steps.
    float
        The largest loss of a simplex of the given points.
    """
    # points on one sphere have several triangulations: the order must not decide which it is
    order = np.lexsort(points.T)
    points = points[order]
    values = values[order]
    unit_points = points / STEPS
    corners, neighbours = simplices(unit_points)
    losses = _losses(unit_points, values, loss, corners, neighbours)
    half = 0.5 ** _power(loss, points.shape[1])
    existing = {*map(tuple, points.tolist())}
    new_points = list[list[int]]()
    vertices = points[corners].tolist()
    heap = [
        _heap_entry(loss_of_simplex, simplex)
        for loss_of_simplex, simplex in zip(losses.tolist(), vertices, strict=True)
    ]
    heapq.heapify(heap)
    while heap and len(new_points) < count:
        negative_loss, (i, j), simplex = heapq.heappop(heap)
        middle = [(a + b) // 2 for a, b in zip(simplex[i], simplex[j], strict=True)]
        if middle in (simplex[i], simplex[j]):  # no grid point lies between them
            continue
        if tuple(middle) not in existing:
            existing.add(tuple(middle))
            new_points.append(middle)
        for end in (i, j):
            half_simplex = [*simplex[:end], middle, *simplex[end + 1 :]]
            heapq.heappush(heap, _heap_entry(-negative_loss * half, half_simplex))
    return new_points, float(losses.max())


def _heap_entry(loss: float, simplex: list[list[int]]) -> tuple[float, tuple[int, int], Any]:
    """Return an entry that sorts by the largest loss, then by position.

    The order does not depend on that of the triangulation.
    """
    simplex = sorted(simplex)
    longest = max(
        combinations(range(len(simplex)), 2),
        key=lambda pair: (math.dist(simplex[pair[0]], simplex[pair[1]]), pair),
    )
    return -float(f"{loss:.{LOSS_DIGITS}g}"), longest, simplex
