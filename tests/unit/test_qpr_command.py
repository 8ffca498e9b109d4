"""``marsdisk qpr`` and its two files; test_files_of_the_user.py has what holds for every --out."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

import marsdisk.qpr.build
from marsdisk.cli import main
from marsdisk.io.efficiency_tables import read_qext_table, read_qpr_table
from marsdisk.physics.grid import Array
from marsdisk.qpr.mie import Efficiencies

MINE = b"mine, and not to be lost\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the working folder, with a file of optical constants and instant Mie sums."""
    folder = tmp_path / "here"
    folder.mkdir()
    rows = "wavelength_um,n,k\n1,1.5,0.1\n1.01,1.6,0.1\n"
    (tmp_path / "nk.csv").write_text(rows, encoding="utf-8")
    monkeypatch.chdir(folder)

    def compute(constants: object, s: Array, T: Array, progress: object = None) -> Efficiencies:
        return Efficiencies(np.ones((T.size, s.size)), np.full((T.size, s.size), 2.0))

    monkeypatch.setattr(marsdisk.qpr.build, "compute_planck_means", compute)
    return folder


def run(*words: str) -> Result:
    done = CliRunner().invoke(main, ["qpr", "../nk.csv", *words])
    assert done.exit_code == 0, done.output
    return done


def refused(*words: str) -> str:
    done = CliRunner().invoke(main, ["qpr", "../nk.csv", *words])
    assert done.exit_code == 2, done.output
    return " ".join(done.stderr.split())


def assert_both_are_whole(out: str, ext: str) -> None:
    np.testing.assert_array_equal(read_qpr_table(out).Q, 1.0)
    np.testing.assert_array_equal(read_qext_table(ext).Q, 2.0)


def test_one_command_writes_both_tables(folder: Path) -> None:
    done = run("--out", "p.csv", "--ext", "e.csv")
    assert_both_are_whole("p.csv", "e.csv")
    for name, quantity in {"p.csv": "<Q_pr>", "e.csv": "<Q_ext>"}.items():
        lines = (folder / name).read_text(encoding="utf-8").splitlines()
        assert lines[0].startswith(f"# {quantity}(s, T): Planck mean")
        assert "# made by: marsdisk qpr nk.csv --out p.csv --ext e.csv" in lines
        assert f"{name}: {quantity}, 102 temperatures, 181 sizes, digest " in done.stdout
    assert "--ext" not in done.stdout


def test_extinction_that_is_not_kept_is_told_before_the_sums(folder: Path) -> None:
    said = run("--out", "p.csv").stdout
    assert said.index("is not written; add --ext FILE") < said.index("p.csv: <Q_pr>")
    assert [path.name for path in folder.iterdir()] == ["p.csv"]


@pytest.mark.parametrize(("there", "option"), [("p.csv", "--out"), ("e.csv", "--ext")])
def test_neither_is_written_where_one_is_there(folder: Path, there: str, option: str) -> None:
    (folder / there).write_bytes(MINE)
    said = refused("--out", "p.csv", "--ext", "e.csv")
    assert f"{there} already exists; choose another name with {option}, or overwrite it" in said
    assert [path.name for path in folder.iterdir()] == [there]
    assert (folder / there).read_bytes() == MINE
    run("--out", "p.csv", "--ext", "e.csv", "--force")
    assert_both_are_whole("p.csv", "e.csv")


@pytest.mark.parametrize(
    ("out", "ext"),
    [("a.csv", "a.csv"), ("a.csv", "./a.csv"), ("link.csv", "a.csv"), ("-", "-")],
)
def test_both_tables_into_one_file_are_refused(folder: Path, out: str, ext: str) -> None:
    (folder / "link.csv").symlink_to("a.csv")
    assert "give each table a file of its own" in refused("--out", out, "--ext", ext, "--force")
    assert [path.name for path in folder.iterdir()] == ["link.csv"]


def test_either_table_can_be_printed(folder: Path) -> None:
    done = run("--out", "p.csv", "--ext", "-")
    assert done.stdout_bytes.startswith(b"# <Q_ext>")
    assert b"digest" not in done.stdout_bytes
    assert "standard output: <Q_ext>" in done.stderr
    done = run("--out", "-", "--ext", "e.csv")
    assert done.stdout_bytes.startswith(b"# <Q_pr>")
    assert b"digest" not in done.stdout_bytes
    assert_both_are_whole("p.csv", "e.csv")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no/e.csv", "No such file or directory; choose another path with --ext"),
        ("", "--ext '': is not the name of a file"),
        ("e.npz", "e.npz: has the ending of npz, not of csv"),
    ],
)
def test_a_bad_name_of_the_second_file_is_refused(folder: Path, name: str, message: str) -> None:
    assert message in refused("--out", "p.csv", "--ext", name)
    assert list(folder.iterdir()) == []
