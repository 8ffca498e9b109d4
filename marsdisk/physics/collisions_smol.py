"""All inputs of the collision operator of one run, looked up in a cache where the caller gives one.

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

MIN_SPEED = 1e-12  # m/s; grains at rest still need a Q_D*


class Lookup(Protocol):
    """A cache of arrays by kind and key."""

    def lookup(self, kind: str, key: Mapping[str, Hashable], build: Callable[[], T]) -> T:
        """Return the array for ``key``; if there is none, call ``build`` and keep its result.

        Parameters
        ----------
        kind : str
            Kind of the array.
        key : mapping
            All that an array of this kind depends on.
        build : callable
            Makes the array.
        """
        ...


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
    if cache is None:
        return build()
    return cache.lookup(kind, key, build)


def pair_workspace(
    sizes: Array, masses: Array, rho: float, *, cache: Lookup | None = None, sizes_version: int
) -> PairWorkspace:
    """Return arrays of all pairs of grains.

    Parameters
    ----------
    sizes : (n,) array
        Radii [m].
    masses : (n,) array
        Masses of one grain [kg].
    rho : float
        Density [kg/m3].
    cache : Lookup, optional
        Where to look the arrays up.
    sizes_version : int
        Content version of ``sizes``.
    """

    def build() -> PairWorkspace:
        rows, columns = np.broadcast_arrays(masses[:, None], masses[None, :])
        m1 = np.ascontiguousarray(rows)
        m2 = np.ascontiguousarray(columns)
        return PairWorkspace(
            size_ref=np.maximum.outer(sizes, sizes),
            m1=m1,
            m2=m2,
            m_tot=m1 + m2,
            valid_pair=(m1 > 0.0) & (m2 > 0.0),
            area=pair_areas(sizes),
        )

    return _cached(cache, "pair_workspace", {"sizes_version": sizes_version, "rho": rho}, build)


def gain_workspace(
    masses: Array, rho: float, *, cache: Lookup | None = None, sizes_version: int
) -> GainWorkspace:
    """Return the masses [kg] that turn event rates into number rates.

    Parameters
    ----------
    masses : (n,) array
        Masses of one grain [kg].
    rho : float
        Density [kg/m3].
    cache : Lookup, optional
        Where to look them up.
    sizes_version : int
        Content version of the sizes.
    """
    return _cached(
        cache,
        "gain_workspace",
        {"sizes_version": sizes_version, "rho": rho},
        lambda: gain_workspace_of(masses),
    )


def _fragment_tensor(  # noqa: PLR0913 - a signature fixed by design
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
    """Return the outcome of every pair of bins.

    Parameters
    ----------
    sizes, masses : (n,) array
        Radii [m] and masses [kg] of the grains.
    edges : (n+1,) array
        Edges of the bins [m].
    v_rel : float or (n, n) array
        Relative speed [m/s], of each pair or common to all; a matrix is never cached.
    rho : float
        Density [kg/m3].
    alpha_frag : float, optional
        Exponent of the fragments' mass law dM/ds ~ s^-alpha_frag.
    law : QStarLaw
        Disruption threshold.
    cache : Lookup, optional
        Where to look the parts up.
    sizes_version, edges_version : int, optional
        Content versions, computed from the arrays if not given.
    """
    if sizes_version is None:
        sizes_version = content_version(sizes)
    if edges_version is None:
        edges_version = content_version(edges)
    scalar = not isinstance(v_rel, np.ndarray) or v_rel.ndim == 0
    speed: Array | float
    speed = max(float(v_rel), MIN_SPEED) if scalar else np.maximum(v_rel, MIN_SPEED)
    pairs_key: dict[str, Hashable] = {"sizes_version": sizes_version, "rho": rho}
    if not isinstance(speed, np.ndarray):
        pairs_key |= {"v_rel": speed, "qstar_signature": law.signature}

    def build() -> FragmentTensor:
        pairs = pair_workspace(sizes, masses, rho, cache=cache, sizes_version=sizes_version)

        def threshold() -> Array:
            return compute_q_d_star_array(pairs.size_ref, rho, speed / 1e3, law)

        q_star = _cached(cache, "qstar_matrix", pairs_key, threshold) if scalar else threshold()
        weights_key = {"edges_version": edges_version, "alpha_frag": alpha_frag}
        weights = _cached(
            cache, "weights_table", weights_key, lambda: fragment_weights(edges, alpha_frag)
        )
        unbound = unbound_fraction(reduced_specific_energy(pairs.m1, pairs.m2, speed) / q_star)
        k_lr = remnant_bins(edges, pairs.m_tot, unbound, rho)
        read_only(unbound)
        read_only(k_lr)
        return FragmentTensor(unbound, k_lr, weights)

    if not scalar:
        return build()
    key = {**pairs_key, "edges_version": edges_version, "alpha_frag": alpha_frag}
    return _cached(cache, "fragment_tensor", key, build)


def supply_weights(
    injection: Injection, grid: SizeGrid, masses: Array, rho: float, *, cache: Lookup | None = None
) -> Array:
    """Return the share of the supplied mass per bin, (n,), which the supply rate scales.

    See :func:`~marsdisk.physics.supply.injection_shares`.

    Parameters
    ----------
    injection : Injection
        Into which bins the supply goes.
    grid : SizeGrid
        Bins of grain radius.
    masses : (n,) array
        Masses of one grain [kg].
    rho : float
        Density [kg/m3].
    cache : Lookup, optional
        Where to look the shares up.

    Raises
    ------
    ValueError
        The injection finds no bin for the supply, or its mode is unknown.
    """
    mode = injection.mode
    start = injection.initial_shares
    initial_version = 0
    if mode == "initial_psd" and start is not None:
        initial_version = content_version(start)
    key = {
        "mode": mode,
        "sizes_version": grid.sizes_version,
        "edges_version": grid.edges_version,
        "rho": rho,
        "s_min_eff": injection.s_min_eff,
        "s_inj_min": injection.s_inj_min,
        "s_inj_max": injection.s_inj_max,
        "q": injection.q,
        "initial_version": initial_version,
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
    """Return the number source F_k [1/(m2 s)], (n,), with sum_k m_k F_k = ``rate``.

    Parameters
    ----------
    rate : float
        Supplied mass [kg/(m2 s)]; the source is zero where it is not positive.
    grid : SizeGrid
        Bins of grain radius.
    masses : (n,) array
        Masses of one grain [kg].
    rho : float
        Density [kg/m3].
    injection : Injection
        Into which bins the supply goes.
    cache : Lookup, optional
        Where to look the shares up.

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
    dt_eff: float  #: s, the step actually taken
    mass_error: float  #: relative
    rates: StepRates  #: mass moved, by kind
    t_coll: float  #: s, shortest gross collision time of any bin; infinite without collisions


def step_collisions(  # noqa: PLR0913 - all inputs of a step; most are keyword-only
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
    """Make one classic step of the whole disk: collisions, sinks, and supply.

    See :func:`~marsdisk.physics.smol.step_imex_bdf1_C3`.

    Parameters
    ----------
    N : (n,) array
        Grains per area [1/m2], not modified.
    sizes, masses : (n,) array
        Radii [m] and masses [kg] of the grains.
    edges : (n+1,) array
        Edges of the bins [m].
    rho : float
        Density [kg/m3].
    H : float or (n,) array
        Scale height [m].
    v_rel : float or (n, n) array
        Relative speed [m/s], of each pair or common to all; a matrix is never cached.
    dt : float
        Longest step [s].
    law : QStarLaw
        Disruption threshold.
    alpha_frag : float, optional
        Exponent of the fragments' mass law dM/ds ~ s^-alpha_frag.
    S, S_external_k, S_sublimation_k : (n,) array, optional
        Sinks [1/s] by blow-out, by anything else, and by sublimation.
    supply_rate : float, optional
        Supplied mass [kg/(m2 s)].
    injection : Injection, optional
        Into which bins the supply goes; by default into the smallest.
    mass_tol : float, optional
        Largest mass error.
    safety : float, optional
        Longest step in units of the shortest collision time.
    cache : Lookup, optional
        Where to look the arrays up.
    sizes_version, edges_version : int, optional
        Content versions, computed from the arrays if not given.
    workspace : ImexWorkspace, optional
        Buffers to use.

    Returns
    -------
    CollisionStep

    Raises
    ------
    ValueError
        Wrong shapes, or inputs outside their range.
    ArithmeticError
        No step keeps numbers positive and the mass error in bounds.
    """
    if sizes_version is None:
        sizes_version = content_version(sizes)
    if edges_version is None:
        edges_version = content_version(edges)
    work = workspace
    if work is None:
        work = ImexWorkspace.for_bins(sizes.size)
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
    t_coll = math.inf
    if rates.fastest_loss > 0.0:
        t_coll = 1.0 / rates.fastest_loss
    return CollisionStep(N_new, dt_eff, mass_error, rates, t_coll)
