"""The ledger closes with sinks that empty a bin many times over within a step.

Where it cannot, the message names the process and a remedy that works.
"""

import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import pytest

from marsdisk.common.errors import SolverError
from marsdisk.config import RunConfig
from marsdisk.run.ledger import cures
from marsdisk.zero_d import run_zero_d

Shipped = Callable[..., RunConfig]
EDGES = np.linspace(1.0, 2.7, 33).tolist()
#: Collisions, supply, and sublimation begin when the grains are solid, into a step that has grown
#: for months.
GATED = {
    "optical_depth": {"tau_stop": None},
    "numerics": {"t_end_until_temperature_K": 2000.0},
    "phase": {"enabled": True, "T_condense": 2162.0, "T_vaporize": 2163.0, "q_abs": 0.4},
}
#: Rings that were told apart from the others by their ledgers, which the thorough tests look at,
#: too.
RINGS = (0, 1, 3, 6, 12, 17)


@pytest.mark.parametrize("T0", [4000.0, 4500.0, 5000.0, 5500.0, 6000.0])
@pytest.mark.parametrize("method", ["none", "sink", "advection"])
@pytest.mark.parametrize(
    "rings",
    [pytest.param(RINGS, id="some"), pytest.param(range(32), id="all", marks=pytest.mark.thorough)],
)
def test_the_ledger_closes_after_a_gate_has_opened(
    shipped: Shipped, rings: tuple[int, ...], method: str, T0: float
) -> None:
    for ring in rings:
        place = {"r_in_RM": EDGES[ring], "r_out_RM": EDGES[ring + 1]}
        changes = {**GATED, "disk": place, "sublimation": {"method": method}, "temperature.T0": T0}
        assert run_zero_d(shipped("melt_simple", changes)).ledger_error <= 1e-12, f"ring {ring}"


HOT = {
    **GATED,
    "disk": {"r_in_RM": 1.05313, "r_out_RM": 1.10625},
    "temperature.T0": 4500.0,
    "sublimation": {"method": "advection"},
}
FLAT = {"psd.floor": "blowout", "optical_depth": {}}
THICK = {"optical_depth": {"tau_stop": None}}
OPEN = {
    "sublimation": (
        "melt_simple",
        {**HOT, "numerics.atol": 1e-6},
        "sublimation would empty a bin",
        "lower numerics.atol from 1e-06 to",
    ),
    "sublimation, very loose": (
        "melt_simple",
        {**HOT, "numerics.atol": 1e-4},
        "sublimation would empty a bin",
        "lower numerics.atol from 0.0001 to",
    ),
    "collisions": (
        "melt_simple",
        {**FLAT, "dynamics.i0": 1e-15},
        "collisions would empty a bin",
        "raise dynamics.i0 from 1e-15 to",
    ),
    "collisions, less flat": (
        "melt_simple",
        {**FLAT, "dynamics.i0": 1e-13},
        "collisions would empty a bin",
        "raise dynamics.i0 from 1e-13 to",
    ),
    "collisions, fixed height": (
        "melt_simple",
        {**FLAT, "dynamics": {"e0": 0.5, "kernel_H_mode": "fixed", "H_fixed_over_a": 1e-15}},
        "collisions would empty a bin",
        "raise dynamics.H_fixed_over_a from 1e-15 to",
    ),
    "collisions, damped": (
        "melt_simple",
        {**FLAT, "dynamics": {"e0": 0.5, "i0": 1e-13, "damping": {"e_eq": 0.4}}},
        "collisions would empty a bin",
        "raise dynamics.i0 from 1e-13 to",
    ),
    "collisions, a thick disk": (
        "high_temp",
        {**THICK, "collisions.fragment_law": "number", "temperature.T0": 2260.0},
        "collisions would empty a bin",
        "lower numerics.rtol from 0.001 to 1e-08",
    ),
    "collisions, no sinks": (
        "no_sinks",
        {**THICK, "qstar.scale": 4.15, "temperature.T0": 2080.0},
        "collisions would empty a bin",
        "lower numerics.rtol from 0.001 to 1e-08",
    ),
}


@pytest.mark.parametrize(("base", "changes", "process", "cure"), OPEN.values(), ids=OPEN)
def test_a_ledger_that_does_not_close_names_the_process_and_a_cure(
    shipped: Shipped, base: str, changes: dict[str, Any], process: str, cure: str
) -> None:
    changes, message = first_that_does_not_close(shipped, base, changes)
    assert process in message
    assert cure in message
    advice = re.search(r"((?:numerics|dynamics)\.\w+) from \S+ to (\S+)$", message)
    assert advice is not None
    run_zero_d(shipped(base, {**changes, advice[1]: float(advice[2])}))


def first_that_does_not_close(
    shipped: Shipped, base: str, changes: dict[str, Any]
) -> tuple[dict[str, Any], str]:
    """Return the first of some runs alike whose ledger does not close, and its message.

    A single one may close on another processor, where round-off differs.
    """
    T0 = shipped(base, changes).temperature.T0
    for by in range(0, 2000, 100):
        tried = {**changes, "temperature.T0": T0 + by}
        with suppress(SolverError):
            run_zero_d(shipped(base, tried))
            continue
        break
    with pytest.raises(SolverError, match="mass is not conserved") as caught:
        run_zero_d(shipped(base, tried))
    return tried, str(caught.value)


def words(config: RunConfig, process: str, error: float) -> list[str]:
    return [cure.words for cure in cures(config, process, error)]


def test_a_cure_beyond_what_a_key_takes_is_not_given(shipped: Shipped) -> None:
    assert (
        words(
            shipped("melt_simple", {"dynamics.i0": 1.0, "numerics.rtol": 1e-12}), "collisions", 1.0
        )
        == []
    )
    assert (
        words(
            shipped("melt_simple", {"numerics.atol": 1e-20, "numerics.rtol": 1e-12}),
            "sublimation",
            1e-9,
        )
        == []
    )
    gentle = shipped("melt_simple", {"numerics.atol": 1e-19, "numerics.rtol": 1e-11})
    assert words(gentle, "gas drag", 1e-9) == [
        "lower numerics.atol from 1e-19 to 1e-20",
        "lower numerics.rtol from 1e-11 to 1e-12",
    ]


def test_where_no_cure_was_found_none_is_named(
    shipped: Shipped, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("marsdisk.run.ledger.cures", lambda *about: iter(()))
    with pytest.raises(
        SolverError, match="neither lower tolerances nor a thicker disk were found to cure it"
    ):
        run_zero_d(shipped("melt_simple", {**FLAT, "dynamics.i0": 1e-13}))
