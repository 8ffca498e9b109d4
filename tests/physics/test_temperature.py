"""Cooling laws that no golden number covers: tables, constants, slopes, first times."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from marsdisk.config import RunConfig
from marsdisk.physics.constants import DAY, YEAR
from marsdisk.physics.temperature import (
    TemperatureLaw,
    constant,
    first_time_at_or_below,
    linear,
    lowest_and_highest,
    slab,
    table,
    temperature_and_slope,
)
from marsdisk.zero_d import run_zero_d

NODES = table(np.array([3e6, 1e6, 2e6]), np.array([2500.0, 3000.0, 2000.0]))


@pytest.mark.parametrize(
    ("t", "T", "slope"),
    [
        (0.0, 3000.0, 0.0),
        (1e6, 3000.0, -1e-3),
        (1.25e6, 2750.0, -1e-3),
        (2e6, 2000.0, 5e-4),
        (2.5e6, 2250.0, 5e-4),
        (3e6, 2500.0, 0.0),
        (9e9, 2500.0, 0.0),
    ],
)
def test_a_table_is_sorted_linear_between_nodes_and_held_beyond(
    t: float, T: float, slope: float
) -> None:
    assert temperature_and_slope(NODES, t) == pytest.approx((T, slope), rel=1e-12)


@pytest.mark.parametrize(
    ("T", "t"), [(3000.0, 0.0), (2750.0, 1.25e6), (2000.0, 2e6), (1999.0, None)]
)
def test_the_first_time_in_a_table(T: float, t: float | None) -> None:
    assert first_time_at_or_below(NODES, T) == (None if t is None else pytest.approx(t, rel=1e-12))


def test_repeated_times_and_short_or_bad_tables() -> None:
    assert table(np.array([0.0, 1.0, 1.0]), np.array([3000.0, 2000.0, 2000.0])).times.size == 2
    for times, values in (
        ([1.0, 1.0], [2.0, 2.0]),
        ([1.0], [2.0]),
        ([0.0, 1.0], [2.0, np.nan]),
        ([0.0, np.inf], [2.0, 3.0]),
    ):
        with pytest.raises(ValueError, match="at least two"):
            table(np.array(times), np.array(values))


@pytest.mark.parametrize("times", [[0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
def test_a_table_with_two_temperatures_at_one_time_is_refused(times: list[float]) -> None:
    with pytest.raises(
        ValueError, match=r"at time 1 s it has the temperatures .* K; keep one of them"
    ):
        table(np.array(times), np.array([3000.0, 2500.0, 2000.0]))


@pytest.mark.parametrize(
    "law",
    [slab(4000.0), linear(4000.0), NODES, constant(3000.0)],
    ids=["slab", "linear", "table", "constant"],
)
def test_the_slope_is_the_derivative(law: TemperatureLaw) -> None:
    t = 1.3e6
    h = 1e3
    up, down = (temperature_and_slope(law, t + x)[0] for x in (h, -h))
    assert temperature_and_slope(law, t)[1] == pytest.approx(
        (up - down) / (2.0 * h), rel=1e-6, abs=1e-15
    )


def test_extremes_look_at_every_node() -> None:
    assert lowest_and_highest(NODES, 5e6) == pytest.approx((2000.0, 3000.0), rel=1e-15)
    assert lowest_and_highest(NODES, 1.5e6) == pytest.approx((2500.0, 3000.0), rel=1e-15)
    assert first_time_at_or_below(constant(3000.0), 2000.0) is None


@pytest.mark.parametrize(("unit", "seconds"), [("s", 1.0), ("day", DAY), ("yr", YEAR)])
def test_a_run_reads_its_temperatures_from_a_file(
    shipped: Callable[..., RunConfig], tmp_path: Path, unit: str, seconds: float
) -> None:
    file = tmp_path / "cooling.csv"
    file.write_text(
        f"flag, T_K, time_{unit}\n1, 4000, 0\n1, 3000, {1e6 / seconds!r}\n0, 2800,"
        f" {3e6 / seconds!r}\n",
        encoding="utf-8",
    )
    law = {
        "law": "table",
        "path": str(file),
        "time_column": f"time_{unit}",
        "temperature_column": "T_K",
        "time_unit": unit,
    }
    result = run_zero_d(
        shipped(
            "melt_simple", {"temperature": law, "numerics": {"t_end_until_temperature_K": 2900.0}}
        )
    )
    assert result.t_end == pytest.approx(2e6, rel=1e-12)
    expected = np.interp(result.t, [0.0, 1e6, 3e6], [4000.0, 3000.0, 2800.0])
    assert np.all(np.abs(result.T_M / expected - 1.0) <= 1e-12)
