"""CSV tables that users write: what is read, and what messages say about the rest."""

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from marsdisk.io.csv_table import read_csv_table
from marsdisk.io.efficiency_tables import read_qext_table, read_qpr_table
from marsdisk.io.law_tables import read_phi_table, read_supply_table, read_vapour_table
from marsdisk.qpr.optical_constants import read_optical_constants


def written(folder: Path, content: str) -> Path:
    file = folder / "given.csv"
    file.write_text(content, encoding="utf-8")
    return file


def test_comments_empty_lines_spaces_and_byte_order_marks_are_skipped(tmp_path: Path) -> None:
    table = read_csv_table(
        written(tmp_path, "\ufeff# from a spreadsheet\n\n x , y\n1, 2e3\n  # between\n-3,4\n")
    )
    assert (table.header, table.lines) == (("x", "y"), (4, 6))
    assert np.array_equal(table.column("x"), [1.0, -3.0])
    assert table.column("y").tolist() == [2000.0, 4.0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "no data"),
        ("x,y\n", "no data"),
        ("x,x\n1,2\n", "line 1: the header x,x has a name twice"),
        ("x,y\n1,2,3\n", "line 2: 3 cells where the header has 2"),
        ("x,y\n1,2\n3,\n", "line 3, column y: is empty"),
        ("x,y\n1,two\n", "line 2, column y: 'two' is not a number"),
        (
            "x,y\n1,1_000\n",
            "line 2, column y: '1_000' is not a number; write 1000 without underscores",
        ),
        (
            'x,y\n1,"0,5"\n',
            "line 2, column y: '0,5' is not a number; write 0.5 with a decimal point",
        ),
        (
            "x,y\n1,1.5D-3\n",
            "line 2, column y: '1.5D-3' is not a number; write 1.5e-3 with e before the exponent",
        ),
        ("x,y\n1,\u0661\n", "line 2, column y: '\u0661' is not a number"),
        ("x,y\n1,0,5\n", "line 2: 3 cells where the header has 2; write decimals after a point"),
        (
            "x;y\n1,5;2\n",
            (
                "line 1: the columns are separated by ';'; use commas, and write decimals after a"
                " point"
            ),
        ),
        ("x\ty\n1\t2\n", "line 1: the columns are separated by '.t'; use commas"),
        (
            'x,y\n1,"2\n3"\n',
            "line 2: the quotes in '1,\"2' do not pair; put a whole cell in quotes, or none of it",
        ),
        ('x,y\n1,"2"3\n', "line 2: the quotes in .* do not pair"),
        ("x,y\n1," + 300 * "9" + "x\n", "line 2, column y: '9{96}[.]{3} is not a number"),
        ("x,y\nnan,1\n", "line 2, column x: nan is not finite"),
        ("x,y\n1,inf\n", "line 2, column y: inf is not finite"),
    ],
)
def test_files_that_are_no_table_are_refused_by_line(
    tmp_path: Path, content: str, message: str
) -> None:
    with pytest.raises(ValueError, match=f"given.csv.*{message}"):
        read_csv_table(written(tmp_path, content))


def test_a_file_that_cannot_be_read_is_named_in_words(tmp_path: Path) -> None:
    with pytest.raises(
        FileNotFoundError, match=r"nothing\.csv cannot be read: No such file or directory$"
    ):
        read_csv_table(tmp_path / "nothing.csv")
    (tmp_path / "given.csv").write_bytes(b"x,y\n1,\xff\n")
    latin = (
        r"given\.csv cannot be read: line 2 is not UTF-8: its letter 'ÿ' is in Latin-1; save the"
        r" file as UTF-8\n      line 2: 1,ÿ$"
    )
    with pytest.raises(ValueError, match=latin):
        read_csv_table(tmp_path / "given.csv")


def test_columns_are_checked_by_line(tmp_path: Path) -> None:
    table = read_csv_table(written(tmp_path, "x,y\n1,5\n# note\n2,5\n2,-1\n"))
    with pytest.raises(ValueError, match="no column 'z'; the columns are x, y"):
        table.column("z")
    with pytest.raises(ValueError, match="line 5: x = 2 after 2"):
        table.increasing("x")
    with pytest.raises(ValueError, match="line 5: y = -1 must be at least 0"):
        table.not_below("y", 0.0)
    with pytest.raises(ValueError, match="line 2: x = 1 must be above 1"):
        table.not_below("x", 1.0, exclusive=True)
    assert table.not_below("x", 1.0).tolist() == [1.0, 2.0, 2.0]


def test_a_mark_of_comments_in_quotes_is_a_name(tmp_path: Path) -> None:
    table = read_csv_table(written(tmp_path, '# "one quote\n"#","a, b"\n"1", "2"\n'))
    assert table.header == ("#", "a, b")
    assert table.column("a, b").tolist() == [2.0]


#: Everything that reads a table, as the arrays that come of it, with a table for it.
READERS: dict[str, tuple[Callable[[Path], list[Any]], str]] = {
    "any": (lambda file: [read_csv_table(file).column(name) for name in "xy"], "x,y\n1,5\n2,6\n"),
    "Q_pr, wide": (
        lambda file: arrays(read_qpr_table(file), "log_s T Q"),
        "s_m\\T_K,1000,2000\n1e-7,1,2\n1e-6,5,6\n",
    ),
    "Q_ext, wide": (
        lambda file: arrays(read_qext_table(file), "log_s T Q"),
        "Q_ext:s_m\\T_K,1000,2000\n1e-7,1,2\n1e-6,5,6\n",
    ),
    "Q_pr, long": (
        lambda file: arrays(read_qpr_table(file), "log_s T Q"),
        "T_M,s,Q_pr\n1000,1,1\n1000,2,2\n2000,1,3\n2000,2,5\n",
    ),
    "Phi": (lambda file: arrays(read_phi_table(file), "tau phi"), "tau,phi\n1,0.4\n5,0.2\n"),
    "vapour": (lambda file: [*read_vapour_table(file)], "T,P_sat\n1000,5\n2000,6\n"),
    "supply": (lambda file: [*read_supply_table(file, 1.0)], "t,rate\n1,5\n2,6\n"),
    "optical constants": (
        lambda file: arrays(read_optical_constants(file)[0], "wavelength n k"),
        "axis,wavelength_um,n,k\na,1,5,0\na,2,5,1\n",
    ),
}


def arrays(read: Any, names: str) -> list[Any]:
    return [getattr(read, name) for name in names.split()]


def in_quotes(table: str) -> str:
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows(csv.reader(io.StringIO(table)))
    return text.getvalue()


@pytest.mark.parametrize("kind", READERS)
def test_every_table_is_read_in_quotes_too(kind: str, tmp_path: Path) -> None:
    read, table = READERS[kind]
    quoted = in_quotes(table)
    spellings = [
        table,
        quoted,
        "\ufeff# c\n\n" + table,
        table.replace("\n", "\r\n"),
        table.replace(",", " , "),
        quoted.replace(",", ", "),
    ]
    tables = []
    for spelling in spellings:
        arrays = read(written(tmp_path, spelling))
        tables.append([array.tobytes() for array in arrays])
    assert tables == [tables[0]] * len(spellings)


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("0,5", "write 0.5 with a decimal point"),
        ("5_0", "write 50 without underscores"),
        ("5 K", "write the number alone, in the unit that is asked for"),
    ],
)
@pytest.mark.parametrize("kind", READERS)
def test_every_table_says_how_a_number_is_written(
    kind: str, cell: str, words: str, tmp_path: Path
) -> None:
    read, table = READERS[kind]
    before, after = re.split("(?<![.0-9])5(?![.0-9])", table, maxsplit=1)
    line = before.count("\n") + 1
    with pytest.raises(
        ValueError, match=f"given.csv, line {line}, column .*: '{cell}' is not a number; {words}"
    ):
        read(written(tmp_path, f'{before}"{cell}"{after}'))
