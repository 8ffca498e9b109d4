"""Functions with known sensitivity indices, in place of the integration of a disk.

Plan, blocks, store and commands are the real ones.
"""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from small_sweeps import MELT

import sweep.workers.block
from marsdisk.common.errors import MarsDiskError
from marsdisk.config import RunConfig, load_config
from marsdisk.result import RunResult
from marsdisk.zero_d import run_zero_d

#: Keys for which any value within these bounds is valid.
BOUNDS = {
    "dynamics.e0": (0.1, 0.5),
    "dynamics.i0": (0.01, 0.1),
    "qstar.scale": (1.0, 2.0),
    "material.rho": (3000.0, 3300.0),
    "optical_depth.tau0_target": (0.5, 1.5),
    "collisions.alpha_frag": (3.0, 4.0),
}
TINY: dict[str, Any] = {
    "set": {"numerics.t_end_years": 1e-4, "sizes.n_bins": 4, "optical_depth.tau_stop": None},
    "output": {"samples": 2, "snapshots": 2},
    "block": 256,
}
Model = Callable[[np.ndarray[Any, Any]], float]


def uniform(count: int) -> dict[str, Any]:
    """Return the axes of a design over the first ``count`` keys."""
    return {key: {"uniform": list(BOUNDS[key])} for key in list(BOUNDS)[:count]}


def ishigami(u: np.ndarray[Any, Any]) -> float:
    """Return the function of Ishigami & Homma (1990) with a = 7, b = 0.1, over the unit cube."""
    x = np.pi * (2.0 * u - 1.0)
    return float(np.sin(x[0]) + 7.0 * np.sin(x[1]) ** 2 + 0.1 * x[2] ** 4 * np.sin(x[0]))


# exact, Saltelli et al. (2008), table 4.4
ISHIGAMI = {"S1": (0.3139, 0.4424, 0.0), "ST": (0.5576, 0.4424, 0.2437)}

G_COEFFICIENTS = np.array([0.0, 1.0, 4.5, 9.0, 99.0, 99.0])


def sobol_g(u: np.ndarray[Any, Any]) -> float:
    """Return the function of Sobol' (1993), whose indices follow from its coefficients."""
    return float(np.prod((np.abs(4.0 * u - 2.0) + G_COEFFICIENTS) / (1.0 + G_COEFFICIENTS)))


def g_indices() -> dict[str, Any]:
    """Return the exact indices of :func:`sobol_g` (Saltelli et al. 2010, eq. 33-35)."""
    first_order = 1.0 / (3.0 * (1.0 + G_COEFFICIENTS) ** 2)
    total = np.prod(1.0 + first_order) - 1.0
    with_others = first_order * np.prod(1.0 + first_order) / (1.0 + first_order)
    return {"S1": first_order / total, "ST": with_others / total}


def install(
    monkeypatch: pytest.MonkeyPatch,
    model: Model,
    keys: list[str],
    fails: Callable[[RunConfig], bool] = lambda config: False,
) -> None:
    """Let workers of this process return ``model`` of ``keys`` as M_loss.

    Runs for which ``fails`` holds raise an error.
    """
    import dataclasses

    template = run_zero_d(
        load_config(
            MELT,
            {
                "numerics.t_end_years": 1e-4,
                "sizes.n_bins": 4,
                "output": {"samples": 2, "snapshots": 2},
            },
        )
    )

    def result(config: RunConfig) -> RunResult:
        if fails(config):
            raise MarsDiskError("the toy is broken here")
        values = [getattr(getattr(config, key.split(".")[0]), key.split(".")[1]) for key in keys]
        u = np.array(
            [
                (x - BOUNDS[key][0]) / (BOUNDS[key][1] - BOUNDS[key][0])
                for x, key in zip(values, keys, strict=True)
            ]
        )
        return dataclasses.replace(template, config=config, M_loss=model(u))

    monkeypatch.setattr(
        sweep.workers.block,
        "prepare",
        lambda config, cache, memory=None: SimpleNamespace(
            config=config, alarm=np.zeros(1, np.int64)
        ),
    )
    monkeypatch.setattr(sweep.workers.block, "solve", lambda run: run.config)
    monkeypatch.setattr(sweep.workers.block, "finish", result)
