"""Tables of <Q_pr> and <Q_ext>: reading, refusing, interpolating."""

import dataclasses
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from marsdisk.io.efficiency_tables import (
    SHIPPED,
    read_qext_table,
    read_qpr_table,
    shipped_qext_table,
    shipped_qpr_table,
)
from marsdisk.physics.qpr_table import QextTable, QprTable, look_up, outside_table

S = np.array([1e-7, 1e-6, 1e-5])
T = np.array([1000.0, 2000.0])
Q = np.array([[0.1, 0.5, 1.0], [0.2, 0.9, 1.1]])

WIDE = "# a comment\n\ns_m\\T_K,1000,2000\n1e-7,0.1,0.2\n1e-6,0.5,0.9\n1e-5,1.0,1.1\n"
LONG = (
    "T_M,s,Q_pr\n"
    "1000,1e-7,0.1\n"
    "1000,1e-6,0.5\n"
    "1000,1e-5,1.0\n"
    "2000,1e-7,0.2\n"
    "2000,1e-6,0.9\n"
    "2000,1e-5,1.1\n"
)


#: sha256 that stores have kept since there was only this quantity.
SHIPPED_DIGEST = "15a908bd0fc2d007b85fedc8375ba2e347bfb2841d5e78417f6e80a4a24605f9"

WIDE_EXT = WIDE.replace("s_m", "Q_ext:s_m")
LONG_EXT = LONG.replace("Q_pr", "Q_ext")


@pytest.fixture
def table() -> QprTable:
    return QprTable(np.log(S), T, Q, "small")


def write(folder: Path, text: str) -> Path:
    path = folder / "table.csv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("text", [WIDE, LONG], ids=["wide", "long"])
def test_reads_both_layouts(tmp_path: Path, text: str, table: QprTable) -> None:
    read = read_qpr_table(write(tmp_path, text))
    np.testing.assert_array_equal(read.log_s, np.log(S))
    np.testing.assert_array_equal(read.T, T)
    np.testing.assert_array_equal(read.Q, Q)
    assert read.name == "table"
    assert read == table
    assert hash(read) == hash(table)


@pytest.mark.parametrize("text", [WIDE_EXT, LONG_EXT], ids=["wide", "long"])
def test_reads_both_layouts_of_extinction(tmp_path: Path, text: str) -> None:
    read = read_qext_table(write(tmp_path, text))
    np.testing.assert_array_equal(read.log_s, np.log(S))
    np.testing.assert_array_equal(read.T, T)
    np.testing.assert_array_equal(read.Q, Q)
    assert (read.quantity, read.name) == ("Q_ext", "table")
    assert read == QextTable(np.log(S), T, Q, "small")
    np.testing.assert_array_equal(look_up(read, S, T[:, None]), Q)
    assert outside_table(read, 1.0, 1500.0)


@pytest.mark.parametrize("text", [WIDE_EXT, LONG_EXT], ids=["wide", "long"])
def test_extinction_is_no_radiation_pressure(tmp_path: Path, text: str) -> None:
    message = r"table\.csv, line \d: a table of <Q_ext>, where one of <Q_pr> is needed"
    with pytest.raises(ValueError, match=message):
        read_qpr_table(write(tmp_path, text))


@pytest.mark.parametrize("text", [WIDE, LONG], ids=["wide", "long"])
def test_radiation_pressure_is_no_extinction(tmp_path: Path, text: str) -> None:
    message = r"table\.csv, line \d: a table of <Q_pr>, where one of <Q_ext> is needed"
    with pytest.raises(ValueError, match=message):
        read_qext_table(write(tmp_path, text))


def test_a_long_table_of_both_has_each_in_its_column(tmp_path: Path) -> None:
    head, *rows = LONG.splitlines()
    lines = [f"{head},Q_ext", *(f"{row},{i}" for i, row in enumerate(rows, start=3))]
    path = write(tmp_path, "\n".join(lines))
    np.testing.assert_array_equal(read_qpr_table(path).Q, Q)
    np.testing.assert_array_equal(read_qext_table(path).Q, [[3, 4, 5], [6, 7, 8]])


def test_the_same_numbers_are_not_the_same_table_for_another_quantity(table: QprTable) -> None:
    extinction = QextTable(table.log_s, table.T, table.Q, table.name)
    assert extinction != table
    assert extinction.digest != table.digest
    again = pickle.loads(pickle.dumps(extinction))
    assert (type(again), again) == (QextTable, extinction)
    with pytest.raises(ValueError, match=r"Q_ext table 'small': every Q must be finite"):
        QextTable(table.log_s, table.T, -table.Q, table.name)


def test_long_rows_and_columns_in_any_order(tmp_path: Path, table: QprTable) -> None:
    head, *rows = LONG.splitlines()
    lines = [",".join(reversed(line.split(","))) for line in [head, *reversed(rows)]]
    assert read_qpr_table(write(tmp_path, "\r\n".join(lines)), name="x") == table


def test_byte_order_mark_is_no_part_of_the_header(tmp_path: Path, table: QprTable) -> None:
    assert read_qpr_table(write(tmp_path, "\ufeff" + LONG)) == table


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# nothing\n", "no data"),
        ("a,b\n1,2\n", "line 1: unknown header 'a,b'; .* or a long one with T_M,s,Q_pr"),
        ("T_M,s,Q_abs\n1000,1e-7,1\n", "line 1: unknown header 'T_M,s,Q_abs'"),
        (WIDE.replace("0.5,0.9", "0.5"), "line 5: 2 cells where the header has 3"),
        (WIDE.replace("0.5,0.9", "0.5,"), "line 5, column 2000: is empty"),
        (WIDE.replace("0.9", "nan"), "line 5, column 2000: nan is not finite"),
        (WIDE.replace("0.9", "inf"), "line 5, column 2000: inf is not finite"),
        (WIDE.replace("0.9", "0"), "line 5: 2000 = 0 must be above 0"),
        (WIDE.replace("0.9", "-0.9"), "line 5: 2000 = -0.9 must be above 0"),
        (WIDE.replace("0.9", "x"), "line 5, column 2000: 'x' is not a number"),
        (WIDE.replace("1e-6", "-1e-6"), r"line 5: s_m\\T_K = -1e-06 must be above 0"),
        (WIDE.replace("1e-6", "1e-7"), "line 5: sizes must increase strictly"),
        (
            WIDE.replace("1000,2000", "2000,1000"),
            "line 3, column 1000: temperatures must increase strictly",
        ),
        ("s_m\\T_K,1000\n1e-7,1\n1e-6,1\n", "1 temperatures; .* at least 2"),
        ("s_m\\T_K,1000,2000\n1e-7,1,1\n", "1 sizes; .* at least 2"),
        (
            LONG.replace("2000,1e-6,0.9\n", ""),
            r"no row for T_M=2000.0, s=1e-06 \(1 of 6 cells missing\)",
        ),
        (LONG + "1000,1e-6,0.7\n", "line 8: cell T_M=1000, s=1e-06 was given in line 3"),
        (LONG.replace("0.9", ""), "line 6, column Q_pr: is empty"),
        (LONG.replace("0.9", "nan"), "line 6, column Q_pr: nan is not finite"),
        (LONG.replace("2000,1e-6", "0,1e-6"), "line 6: T_M = 0 must be above 0"),
        (LONG.replace(",0.9", ""), "line 6: 2 cells where the header has 3"),
        ("T_M,s,Q_pr\n1000,1e-6,1\n2000,1e-6,1\n", "1 sizes; .* at least 2"),
        ("T_M,s,Q_pr\n1000,1e-6,1\n1000,1e-7,1\n", "1 temperatures; .* at least 2"),
    ],
)
def test_malformed_file_is_refused_with_file_and_place(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        read_qpr_table(write(tmp_path, text))
    assert "table.csv" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"log_s": np.log(S[:1])}, "log_s has shape"),
        ({"log_s": np.log(S[::-1])}, "log_s must be finite and strictly increasing"),
        ({"T": np.array([1000.0, np.nan])}, "T must be finite"),
        ({"T": np.array([-1.0, 1.0])}, "T must be positive"),
        ({"Q": Q.T}, "expected"),
        ({"Q": -Q}, "finite and positive"),
        ({"digest": "0" * 64}, "is not that of its arrays"),
    ],
)
def test_bad_arrays_are_refused(table: QprTable, change: dict[str, object], message: str) -> None:
    values = {"log_s": table.log_s, "T": T, "Q": Q, "name": "small"} | change
    with pytest.raises(ValueError, match=message):
        QprTable(**values)  # type: ignore[arg-type]


def test_table_is_read_only_and_independent_of_its_input() -> None:
    values = Q.copy()
    table = QprTable(np.log(S), T, values, "small")
    values[:] = 9.0
    np.testing.assert_array_equal(table.Q, Q)
    for array in (table.log_s, table.T, table.Q):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        table.name = "other"  # type: ignore[misc]


def test_pickled_table_is_the_same_and_read_only(table: QprTable) -> None:
    again = pickle.loads(pickle.dumps(table))
    assert again == table
    assert again.name == table.name
    assert not again.Q.flags.writeable


def test_digest_follows_the_numbers_not_the_name_or_the_last_bit_of_log(table: QprTable) -> None:
    assert QprTable(table.log_s, T, Q, "other").digest == table.digest
    assert QprTable(np.nextafter(table.log_s, 0.0), T, Q, "small").digest == table.digest
    assert QprTable(table.log_s, T, np.nextafter(Q, 0.0), "small").digest != table.digest
    assert QprTable(table.log_s + 1e-9, T, Q, "small").digest != table.digest
    assert len(table.digest) == 64


def test_nodes_are_exact(table: QprTable) -> None:
    np.testing.assert_array_equal(look_up(table, S, T[:, None]), Q)


def test_linear_in_log_of_size_and_in_temperature(table: QprTable) -> None:
    assert look_up(table, np.sqrt(1e-7 * 1e-6), 1000.0) == pytest.approx(0.3, rel=1e-12)
    assert look_up(table, 1e-6, 1250.0) == pytest.approx(0.6, rel=1e-12)
    middle = 0.25 * (0.5 + 1.0 + 0.9 + 1.1)
    assert look_up(table, np.sqrt(1e-6 * 1e-5), 1500.0) == pytest.approx(middle, rel=1e-12)


def test_clamps_to_the_edges_and_says_where(table: QprTable) -> None:
    s = np.array([1e-9, 1e-7, 1e-5, 1.0])
    temperature = np.array([[10.0], [1000.0], [2000.0], [9000.0]])
    edge = np.array([[0.1, 0.1, 1.0, 1.0]] * 2 + [[0.2, 0.2, 1.1, 1.1]] * 2)
    np.testing.assert_array_equal(look_up(table, s, temperature), edge)
    expected = np.array(
        [[True] * 4, [True, False, False, True], [True, False, False, True], [True] * 4]
    )
    np.testing.assert_array_equal(outside_table(table, s, temperature), expected)


def test_shapes_follow_broadcasting(table: QprTable) -> None:
    assert np.ndim(look_up(table, 1e-6, 1500.0)) == 0
    assert np.shape(look_up(table, np.full(5, 1e-6), 1500.0)) == (5,)
    assert np.shape(look_up(table, np.full((3, 1), 1e-6), np.full(4, 1500.0))) == (3, 4)
    assert np.shape(look_up(table, np.empty(0), 1500.0)) == (0,)


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
def test_impossible_sizes_and_temperatures_are_refused(table: QprTable, bad: float) -> None:
    with pytest.raises(ValueError, match="size s"):
        look_up(table, np.array([1e-6, bad]), 1500.0)
    with pytest.raises(ValueError, match="temperature T"):
        look_up(table, 1e-6, bad)
    with pytest.raises(ValueError, match="temperature T"):
        outside_table(table, 1e-6, bad)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_tables_cover_the_model_and_are_read_once(name: str) -> None:
    table = shipped_qpr_table(name)
    assert table is shipped_qpr_table(name)
    assert table.name == name
    assert not outside_table(table, [1e-8, 3.0], [[300.0], [6500.0]]).any()
    np.testing.assert_allclose(look_up(table, 3.0, table.T), 1.0, atol=2e-3)
    assert table.Q.min() > 0.0
    assert table.Q.max() < 2.0


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_extinction_has_the_grid_of_radiation_pressure(name: str) -> None:
    extinction = shipped_qext_table(name)
    pressure = shipped_qpr_table(name)
    assert extinction is shipped_qext_table(name)
    assert extinction.name == name
    np.testing.assert_array_equal(extinction.log_s, pressure.log_s)
    np.testing.assert_array_equal(extinction.T, pressure.T)


def test_the_digest_that_stores_have_recorded_is_still_that_of_the_shipped_table() -> None:
    assert shipped_qpr_table("forsterite").digest == SHIPPED_DIGEST


@pytest.mark.parametrize(
    ("read_shipped", "quantity"),
    [(shipped_qpr_table, "Q_pr"), (shipped_qext_table, "Q_ext")],
)
def test_unknown_shipped_table_names_the_known_ones(
    read_shipped: Callable[[str], object],
    quantity: str,
) -> None:
    message = rf"no shipped {quantity} table 'olivine'; choose one of \['forsterite'\]"
    with pytest.raises(ValueError, match=message):
        read_shipped("olivine")


def test_long_file_with_full_precision_sizes_round_trips(tmp_path: Path) -> None:
    s = np.geomspace(1e-6, 3.0, 40)
    rows = [
        f"{t!r},{float(size)!r},{1 + i + j / 64}"
        for i, t in enumerate((300, 900))
        for j, size in enumerate(s)
    ]
    read = read_qpr_table(write(tmp_path, "\n".join(["T_M,s,Q_pr", *rows])))
    np.testing.assert_array_equal(read.log_s, np.log(s))
    np.testing.assert_array_equal(read.Q, 1.0 + np.arange(2)[:, None] + np.arange(40) / 64)
