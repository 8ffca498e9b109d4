"""CSV tables that users write: what is read, and what messages say about the rest."""

from pathlib import Path

import numpy as np
import pytest

from marsdisk.physics.csv_table import read_csv_table


def written(folder: Path, content: str) -> Path:
    file = folder / "given.csv"
    file.write_text(content, encoding="utf-8")
    return file


def test_comments_empty_lines_spaces_and_byte_order_marks_are_skipped(tmp_path: Path) -> None:
    found = read_csv_table(written(tmp_path, "\ufeff# from a spreadsheet\n\n x , y\n1, 2e3\n  # between\n-3,4\n"))
    assert (found.header, found.lines) == (("x", "y"), (4, 6))
    assert np.array_equal(found.values, [[1.0, 2000.0], [-3.0, 4.0]])
    assert found.column("y").tolist() == [2000.0, 4.0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "no data"),
        ("x,y\n", "no data"),
        ("x,x\n1,2\n", "line 1: the header x,x has a name twice"),
        ("x,y\n1,2,3\n", "line 2: 3 cells where the header has 2"),
        ("x,y\n1,2\n3,\n", "line 3, column y: is empty"),
        ("x,y\n1,two\n", "line 2, column y: 'two' is not a number"),
        ("x,y\nnan,1\n", "line 2, column x: nan is not finite"),
        ("x,y\n1,inf\n", "line 2, column y: inf is not finite"),
    ],
)
def test_files_that_are_no_table_are_refused_by_line(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"given.csv.*{message}"):
        read_csv_table(written(tmp_path, content))


def test_a_file_that_cannot_be_read_is_named_in_words(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nothing\.csv cannot be read: No such file or directory$"):
        read_csv_table(tmp_path / "nothing.csv")
    (tmp_path / "given.csv").write_bytes(b"x,y\n1,\xff\n")
    with pytest.raises(ValueError, match=r"given\.csv cannot be read: it is not UTF-8 text$"):
        read_csv_table(tmp_path / "given.csv")


def test_columns_are_checked_by_line(tmp_path: Path) -> None:
    found = read_csv_table(written(tmp_path, "x,y\n1,5\n# note\n2,5\n2,-1\n"))
    with pytest.raises(ValueError, match="no column 'z'; the columns are x, y"):
        found.column("z")
    with pytest.raises(ValueError, match="line 5: x = 2 after 2"):
        found.increasing("x")
    with pytest.raises(ValueError, match="line 5: y = -1 must be at least 0"):
        found.not_below("y", 0.0)
    with pytest.raises(ValueError, match="line 2: x = 1 must be above 1"):
        found.not_below("x", 1.0, exclusive=True)
    assert found.not_below("x", 1.0).tolist() == [1.0, 2.0, 2.0]
