"""Everything that the collision operator of one run is made of, each part looked up in a cache where the caller gives one.

The arrays depend on few inputs, and those are their keys. Content versions that a caller does not
give are computed here.
"""

import math
from collections.abc import Callable, Hashable, Mapping
from typing import NamedTuple, Protocol, TypeVar

import numpy as np

from .collide import compute_collision_kernel_C1, pair_areas
from .fragments import (
    FragmentTensor,
    fragment_weights,
    reduced_specific_energy,
    remnant_bins,
    unbound_fraction,
)
from .grid import Array, SizeGrid, content_version, read_only
from .qstar import QStarLaw, compute_q_d_star_array
from .smol import GainWorkspace, ImexWorkspace, StepRates, gain_workspace_of, step_imex_bdf1_C3
from .supply import Injection, injection_shares

T = TypeVar("T")

SLOWEST_SPEED = 1e-12  # m/s; grains at rest still need a Q_D*


class Lookup(Protocol):
    """What is asked of a cache."""

    def lookup(self, kind: str, key: Mapping[str, Hashable], build: Callable[[], T]) -> T: ...


class PairWorkspace(NamedTuple):
    """Size-dependent arrays of all pairs, (n, n) each."""

    size_ref: Array  #: m, the larger of the two radii, at which Q_D* is taken
    m1: Array  #: kg
    m2: Array  #: kg
    m_tot: Array  #: kg
    valid_pair: np.ndarray  #: both masses positive
    area: Array  #: m2, pi (s_i + s_j)^2


def _cached(
    cache: Lookup | None, kind: str, key: Mapping[str, Hashable], build: Callable[[], T]
) -> T:
    return build() if cache is None else cache.lookup(kind, key, build)


def pair_workspace(
    sizes: Array, masses: Array, rho: float, *, cache: Lookup | None = None, sizes_version: int
) -> PairWorkspace:
    """Pair arrays of grains of radius ``sizes`` [m] and mass ``masses`` [kg], density ``rho`` [kg/m3]."""

    def build() -> PairWorkspace:
        m1, m2 = (
            np.ascontiguousarray(m) for m in np.broadcast_arrays(masses[:, None], masses[None, :])
        )
        return PairWorkspace(
            np.maximum.outer(sizes, sizes),
            m1,
            m2,
            m1 + m2,
            (m1 > 0.0) & (m2 > 0.0),
            pair_areas(sizes),
        )

    return _cached(cache, "pair_workspace", {"sizes_version": sizes_version, "rho": rho}, build)


def gain_workspace(
    masses: Array, rho: float, *, cache: Lookup | None = None, sizes_version: int
) -> GainWorkspace:
    """Masses [kg] that turn event rates into number rates."""
    return _cached(
        cache,
        "gain_workspace",
        {"sizes_version": sizes_version, "rho": rho},
        lambda: gain_workspace_of(masses),
    )


def _fragment_tensor(
    sizes: Array,
    masses: Array,
    edges: Array,
    v_rel: Array | float,
    rho: float,
    alpha_frag: float = 3.5,
    *,
    law: QStarLaw,
    cache: Lookup | None = None,
    sizes_version: int | None = None,
    edges_version: int | None = None,
) -> FragmentTensor:
    """Outcome of every pair of bins as a :class:`~marsdisk.physics.fragments.FragmentTensor`.

    Parameters
    ----------
    sizes, masses : (n,) m and kg
    edges : (n+1,) m
    v_rel : m/s, one speed for all pairs, or (n, n); a matrix is never cached
    rho : kg/m3
    alpha_frag : exponent of the fragments' mass law dM/ds ~ s^-alpha_frag
    """
    sizes_version = content_version(sizes) if sizes_version is None else sizes_version
    edges_version = content_version(edges) if edges_version is None else edges_version
    scalar = not isinstance(v_rel, np.ndarray) or v_rel.ndim == 0
    speed: Array | float = (
        max(float(v_rel), SLOWEST_SPEED) if scalar else np.maximum(v_rel, SLOWEST_SPEED)
    )
    of_pairs: dict[str, Hashable] = {"sizes_version": sizes_version, "rho": rho}
    if not isinstance(speed, np.ndarray):
        of_pairs |= {"v_rel": speed, "qstar_signature": law.signature}

    def build() -> FragmentTensor:
        pairs = pair_workspace(sizes, masses, rho, cache=cache, sizes_version=sizes_version)

        def threshold() -> Array:
            return compute_q_d_star_array(pairs.size_ref, rho, speed / 1e3, law)

        q_star = _cached(cache, "qstar_matrix", of_pairs, threshold) if scalar else threshold()
        weights_key = {"edges_version": edges_version, "alpha_frag": alpha_frag}
        weights = _cached(
            cache, "weights_table", weights_key, lambda: fragment_weights(edges, alpha_frag)
        )
        unbound = unbound_fraction(reduced_specific_energy(pairs.m1, pairs.m2, speed) / q_star)
        k_lr = remnant_bins(edges, pairs.m_tot, unbound, rho)
        read_only(unbound), read_only(k_lr)
        return FragmentTensor(unbound, k_lr, weights)

    if not scalar:
        return build()
    key = {**of_pairs, "edges_version": edges_version, "alpha_frag": alpha_frag}
    return _cached(cache, "fragment_tensor", key, build)


def supply_weights(
    injection: Injection, grid: SizeGrid, masses: Array, rho: float, *, cache: Lookup | None = None
) -> Array:
    """Share of the supplied mass per bin (see :func:`~marsdisk.physics.supply.injection_shares`); only the rate scales it."""
    mode = injection.mode
    start = injection.initial_shares
    key = {
        "mode": mode,
        "sizes_version": grid.sizes_version,
        "edges_version": grid.edges_version,
        "rho": rho,
        "s_min_eff": injection.s_min_eff,
        "s_inj_min": injection.s_inj_min,
        "s_inj_max": injection.s_inj_max,
        "q": injection.q,
        "initial_version": (
            content_version(start) if mode == "initial_psd" and start is not None else 0
        ),
    }
    return _cached(cache, "supply_weights", key, lambda: injection_shares(injection, grid, masses))


def supply_mass_rate_to_number_source(
    rate: float,
    grid: SizeGrid,
    *,
    masses: Array,
    rho: float,
    injection: Injection,
    cache: Lookup | None = None,
) -> Array:
    """Number source F_k [1/(m2 s)], shape (n,), with sum_k m_k F_k = ``rate`` [kg/(m2 s)]; zeros where that is not positive.

    Raises
    ------
    ValueError
        The injection finds no bin for the supply, or its mode is unknown.
    """
    if rate <= 0.0:
        return np.zeros(masses.size)
    source: Array = rate * supply_weights(injection, grid, masses, rho, cache=cache)
    source /= masses
    return source


class CollisionStep(NamedTuple):
    """Outcome of one classic step."""

    N_new: Array  #: (n,) 1/m2
    dt_eff: float  #: s, the step really taken
    mass_error: float  #: relative
    rates: StepRates  #: what moved, of each kind
    t_coll: float  #: s, shortest gross collision time of any bin; infinite without collisions


def step_collisions(
    N: Array,
    sizes: Array,
    *,
    masses: Array,
    edges: Array,
    rho: float,
    H: Array | float,
    v_rel: Array | float,
    dt: float,
    law: QStarLaw,
    alpha_frag: float = 3.5,
    S: Array | None = None,
    S_external_k: Array | None = None,
    S_sublimation_k: Array | None = None,
    supply_rate: float = 0.0,
    injection: Injection | None = None,
    mass_tol: float = 5e-3,
    safety: float = 0.1,
    cache: Lookup | None = None,
    sizes_version: int | None = None,
    edges_version: int | None = None,
    workspace: ImexWorkspace | None = None,
) -> CollisionStep:
    """One classic step of the whole disk: collisions, sinks and supply (see :func:`~marsdisk.physics.smol.step_imex_bdf1_C3`).

    Parameters
    ----------
    N : (n,) 1/m2, left as it is
    sizes, masses : (n,) m and kg
    edges : (n+1,) m
    rho : kg/m3
    H : m, scale height, one or (n,)
    v_rel : m/s, one speed for all pairs, or (n, n); a matrix is never cached
    dt : s, longest step
    alpha_frag : exponent of the fragments' mass law dM/ds ~ s^-alpha_frag
    S, S_external_k, S_sublimation_k : (n,) 1/s, sinks of blow-out, of anything else, of sublimation; None is none
    supply_rate : kg/(m2 s), put into bins by ``injection``, by default into the smallest
    mass_tol, safety : largest mass error; longest step in units of the shortest collision time
    sizes_version, edges_version : content versions, made from the arrays where none are given
    workspace : what the step is made in

    Raises
    ------
    ValueError
        Wrong shapes, or inputs outside their range.
    ArithmeticError
        No step keeps numbers positive and the mass error in bounds.
    """
    sizes_version = content_version(sizes) if sizes_version is None else sizes_version
    edges_version = content_version(edges) if edges_version is None else edges_version
    work = ImexWorkspace.for_bins(sizes.size) if workspace is None else workspace
    area = pair_workspace(sizes, masses, rho, cache=cache, sizes_version=sizes_version).area
    tensor = _fragment_tensor(
        sizes,
        masses,
        edges,
        v_rel,
        rho,
        alpha_frag,
        law=law,
        cache=cache,
        sizes_version=sizes_version,
        edges_version=edges_version,
    )
    source = None
    if not supply_rate <= 0.0:
        grid = SizeGrid(edges, sizes, sizes_version, edges_version)
        source = supply_mass_rate_to_number_source(
            supply_rate,
            grid,
            masses=masses,
            rho=rho,
            injection=injection or Injection(),
            cache=cache,
        )
    N_new, dt_eff, mass_error = step_imex_bdf1_C3(
        N,
        compute_collision_kernel_C1(N, sizes, H, v_rel, area=area, workspace=work.kernel),
        tensor,
        S,
        masses,
        max(supply_rate, 0.0),
        dt,
        source_k=source,
        S_external_k=S_external_k,
        S_sublimation_k=S_sublimation_k,
        extra_mass_loss_rate=None,
        mass_tol=mass_tol,
        safety=safety,
        workspace=work,
        gain_workspace=gain_workspace(masses, rho, cache=cache, sizes_version=sizes_version),
    )
    rates = work.step_rates()
    return CollisionStep(
        N_new,
        dt_eff,
        mass_error,
        rates,
        1.0 / rates.fastest_loss if rates.fastest_loss > 0.0 else math.inf,
    )
