"""Every command with --out, writing to everything that a name can stand for."""

import os
import re
import shutil
import stat
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from small_sweeps import MELT, SCRIPTS, in_one_line, run_here, sweep_file
from toy_model import BOUNDS, TINY, install, uniform

import marsdisk.cli
import marsdisk.qpr.build
import sweep.cli.commands
from marsdisk.io.out_file import OutFile, OutputError, plain_name
from marsdisk.physics.grid import Array
from marsdisk.qpr.mie import Efficiencies


@dataclass(frozen=True)
class Writer:
    """A command that writes a file."""

    program: str
    words: str  #: but for --out; FINISHED, TOY and CONSTANTS stand for paths
    ending: str
    begins: bytes  #: what its files begin with
    other: str  #: an ending of another format


SMALL_RUN = (
    f"run {MELT} --set numerics.t_end_years=0.001 --set output.samples=2 --set output.snapshots=2"
)
WRITERS = {
    "export csv": Writer("sweep", "export FINISHED --to csv", ".csv", b"run,", ".parquet"),
    "export parquet": Writer("sweep", "export FINISHED --to parquet", ".parquet", b"PAR1", ".nc"),
    "export netcdf": Writer("sweep", "export FINISHED --to netcdf", ".nc", b"\x89HDF", ".csv"),
    "plot": Writer("sweep", "plot FINISHED psd", ".png", b"\x89PNG", ".csv"),
    "card": Writer("sweep", "card FINISHED 3", ".md", b"# Run 3", ".pdf"),
    "sensitivity": Writer("sweep", "sensitivity TOY", ".png", b"\x89PNG", ".csv"),
    "run npz": Writer("marsdisk", SMALL_RUN, ".npz", b"PK", ".parquet"),
    "run csv": Writer("marsdisk", SMALL_RUN, ".csv", b"t [s],", ".png"),
    "qpr": Writer("marsdisk", "qpr CONSTANTS", ".csv", b"# <Q_pr>", ".npz"),
}
PRINTED = {**WRITERS, "run npz": WRITERS["run csv"]}  # what a name without an ending stands for
PROGRAMS = {"sweep": sweep.cli.commands.main, "marsdisk": marsdisk.cli.main}
MINE = b"mine, and not to be lost\n"


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the store of a design that sweep sensitivity can analyse."""
    folder = tmp_path_factory.mktemp("toy")
    design = {"method": "saltelli", "n": 16, "axes": uniform(2)}
    with pytest.MonkeyPatch.context() as patch:
        install(patch, lambda u: float(u[0]), list(BOUNDS)[:2])
        run_here(sweep_file(folder, **TINY, design=design), folder / "toy.zarr")
    return folder / "toy.zarr"


@pytest.fixture
def paths(finished: Path, toy: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    constants = tmp_path_factory.mktemp("constants") / "nk.csv"
    constants.write_text("wavelength_um,n,k\n1,1.5,0.1\n1.01,1.6,0.1\n", encoding="utf-8")
    return {"FINISHED": str(finished), "TOY": str(toy), "CONSTANTS": str(constants)}


@pytest.fixture(params=WRITERS)
def writer(request: pytest.FixtureRequest) -> Writer:
    return WRITERS[request.param]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return the working folder, in which only the files that a test names may be left."""
    monkeypatch.chdir(tmp_path)

    def fast(constants: object, s: Array, T: Array, progress: object = None) -> Efficiencies:
        return Efficiencies(np.ones((T.size, s.size)), np.full((T.size, s.size), 2.0))

    monkeypatch.setattr(marsdisk.qpr.build, "compute_planck_means", fast)  # Mie sums take long
    yield tmp_path
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".partial")] == []


def words_of(writer: Writer, paths: dict[str, str]) -> list[str]:
    return [paths.get(word, word) for word in writer.words.split()]


@pytest.fixture
def ask(paths: dict[str, str], folder: Path) -> "Ask":
    return Ask(paths)


@dataclass(frozen=True)
class Ask:
    """A function that runs a command in this process."""

    paths: dict[str, str]

    def __call__(self, writer: Writer, *words: str) -> Result:
        done = CliRunner().invoke(PROGRAMS[writer.program], [*words_of(writer, self.paths), *words])
        assert "defect of the program" not in done.output, done.output
        return done

    def refused(self, writer: Writer, *words: str) -> str:
        done = self(writer, *words)
        assert done.exit_code == 2, done.output
        return in_one_line(done.stderr)

    def accepted(self, writer: Writer, *words: str) -> Result:
        done = self(writer, *words)
        assert done.exit_code == 0, done.output
        return done


def test_a_new_file_stands_alone_and_complete(ask: Ask, writer: Writer, folder: Path) -> None:
    done = ask.accepted(writer, "--out", f"new{writer.ending}")
    assert [path.name for path in folder.iterdir()] == [f"new{writer.ending}"]
    assert (folder / f"new{writer.ending}").read_bytes().startswith(writer.begins)
    assert f"new{writer.ending}" in done.stdout


def test_a_file_that_is_there_is_written_over_with_force_only(
    ask: Ask, writer: Writer, folder: Path
) -> None:
    existing = folder / f"there{writer.ending}"
    existing.write_bytes(MINE)
    existing.chmod(0o640)
    message = ask.refused(writer, "--out", existing.name)
    assert (
        f"{existing.name} already exists; choose another name with --out, or overwrite it with"
        " --force" in message
    )
    assert existing.read_bytes() == MINE
    ask.accepted(writer, "--out", existing.name, "--force")
    assert existing.read_bytes().startswith(writer.begins)
    assert stat.S_IMODE(existing.stat().st_mode) == 0o640
    assert [path.name for path in folder.iterdir()] == [existing.name]


IN_A_STORE = {
    "a description": "s.zarr/zarr.json",
    "a chunk": "s.zarr/M_loss/c/0",
    "a new file": "s.zarr/new",
    "a new file of an array": "s.zarr/M_loss/new",
    "a link into it": "link",
    "its lock": ".s.zarr.lock",
    "a note of a driver that is starting": ".s.zarr.driver.0123456789.partial",
}


@pytest.mark.parametrize("name", IN_A_STORE.values(), ids=IN_A_STORE)
def test_no_file_of_a_store_or_of_its_notes_is_written_over(
    ask: Ask, finished: Path, folder: Path, name: str
) -> None:
    shutil.copytree(finished, folder / "s.zarr")
    (folder / "link").symlink_to(folder / "s.zarr" / "M_loss" / "c" / "0")
    (folder / ".s.zarr.lock").write_bytes(MINE)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    message = ask.refused(WRITERS["card"], "--out", name, "--force")
    is_of_other_format = "has the ending of json" in message
    assert is_of_other_format or (
        f"{name} belongs to the store {folder / 's.zarr'}, which it would damage; choose another"
        " path with --out" in message
    )
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_hidden_file_of_another_name_beside_a_store_is_written(
    ask: Ask, finished: Path, folder: Path
) -> None:
    shutil.copytree(finished, folder / "s.zarr")
    ask.accepted(WRITERS["card"], "--out", ".mine.md")


def test_a_link_is_followed_and_stays_one(ask: Ask, writer: Writer, folder: Path) -> None:
    target = folder / "elsewhere" / "target"
    link = folder / f"link{writer.ending}"
    target.parent.mkdir()
    target.write_bytes(MINE)
    link.symlink_to(Path("elsewhere") / "target")
    assert "already exists" in ask.refused(writer, "--out", link.name)
    assert target.read_bytes() == MINE
    ask.accepted(writer, "--out", link.name, "--force")
    assert link.is_symlink()
    assert target.read_bytes().startswith(writer.begins)
    target.unlink()
    ask.accepted(writer, "--out", link.name)
    assert link.is_symlink()
    assert target.read_bytes().startswith(writer.begins)
    assert [path.name for path in target.parent.iterdir()] == ["target"]


def test_a_pipe_is_written_into_and_stays_one(ask: Ask, writer: Writer, folder: Path) -> None:
    pipe = folder / f"pipe{writer.ending}"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    ask.accepted(writer, "--out", pipe.name)
    reader.join()
    assert stat.S_ISFIFO(pipe.lstat().st_mode)
    assert read[0].startswith(writer.begins)
    assert len(read[0]) > 10 * len(writer.begins)


def test_a_device_is_written_into_and_stays_one(ask: Ask, writer: Writer, folder: Path) -> None:
    ask.accepted(writer, "--out", "/dev/null")
    (folder / "null").symlink_to("/dev/null")
    ask.accepted(writer, "--out", "null")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    assert "/dev/full cannot be written: No space left on device" in ask.refused(
        writer, "--out", "/dev/full"
    )


@pytest.mark.parametrize("name", PRINTED)
def test_a_dash_prints_the_file_and_says_the_rest_elsewhere(
    ask: Ask, folder: Path, name: str
) -> None:
    printed = PRINTED[name]
    typed = WRITERS[name]
    done = ask.accepted(typed, "--out", "-")
    assert done.stdout_bytes.startswith(printed.begins)
    assert "standard output" in done.stderr
    assert list(folder.iterdir()) == []
    if typed.program == "sweep":
        ask.accepted(typed, "--out", f"file{typed.ending}")
        assert done.stdout_bytes == (folder / f"file{typed.ending}").read_bytes()


def test_a_folder_is_no_file(ask: Ask, writer: Writer, folder: Path) -> None:
    (folder / f"f{writer.ending}").mkdir()
    assert f"f{writer.ending} is a folder; give a file in it, such as" in ask.refused(
        writer, "--out", f"f{writer.ending}"
    )
    (folder / "old").mkdir()
    assert "old is a folder; give a file in it, such as" in ask.refused(writer, "--out", "old")
    assert "new/ is the name of a folder" in ask.refused(writer, "--out", "new/")
    assert list((folder / "old").iterdir()) == []
    assert list((folder / f"f{writer.ending}").iterdir()) == []


def test_a_folder_that_is_not_there_is_named(ask: Ask, writer: Writer, folder: Path) -> None:
    message = ask.refused(writer, "--out", f"no/file{writer.ending}")
    assert (
        f"no/file{writer.ending} cannot be written: No such file or directory; choose another path"
        " with --out" in message
    )
    assert "is not the name of a file" in ask.refused(writer, "--out", "")
    assert list(folder.iterdir()) == []


def test_an_ending_of_another_format_is_refused(ask: Ask, writer: Writer, folder: Path) -> None:
    message = ask.refused(writer, "--out", f"file{writer.other}")
    assert "has the ending of" in message or "must end in" in message
    assert "must end in" in message or f"let it end in {writer.ending}" in message
    assert list(folder.iterdir()) == []


def test_a_name_that_the_command_chooses_is_not_written_over_either(ask: Ask, folder: Path) -> None:
    for name, default in {
        "export csv": "small.csv",
        "export parquet": "small.parquet",
        "export netcdf": "small.nc",
        "plot": "small-psd.png",
    }.items():
        ask.accepted(WRITERS[name])
        assert f"{default} already exists" in ask.refused(WRITERS[name])
        ask.accepted(WRITERS[name], "--force")
        assert (folder / default).read_bytes().startswith(WRITERS[name].begins)


def as_process(
    writer: Writer, paths: dict[str, str], out: str, **options: object
) -> "subprocess.CompletedProcess[bytes]":
    words = [str(SCRIPTS / writer.program), *words_of(writer, paths), "--out", out]
    return subprocess.run(words, stderr=subprocess.PIPE, check=False, timeout=300, **options)  # type: ignore[call-overload, no-any-return]


@pytest.mark.parametrize(
    "out", ["-", "/dev/stdout", pytest.param("/dev/fd/1", marks=pytest.mark.thorough)]
)
@pytest.mark.parametrize(
    "name", ["export netcdf", pytest.param("card", marks=pytest.mark.thorough)]
)
def test_standard_output_under_any_name_gets_the_file_and_nothing_else(
    paths: dict[str, str], folder: Path, name: str, out: str
) -> None:
    done = as_process(WRITERS[name], paths, out, stdout=subprocess.PIPE)
    assert (done.returncode, list(folder.iterdir())) == (0, [])
    assert done.stdout.startswith(WRITERS[name].begins)
    assert b"written to" in done.stderr
    with (folder / "redirected").open("wb") as file:
        file.write(MINE)
        file.flush()
        done = as_process(WRITERS[name], paths, out, stdout=file)
    assert done.returncode == 0
    content = (folder / "redirected").read_bytes()
    assert content.startswith(MINE + WRITERS[name].begins)
    assert b"written to" not in content


@pytest.mark.parametrize(
    "name", ["export csv", pytest.param("export parquet", marks=pytest.mark.thorough)]
)
def test_output_that_nobody_reads_to_its_end_is_no_success(
    paths: dict[str, str], folder: Path, name: str
) -> None:
    ends = os.pipe()
    os.close(ends[0])
    done = as_process(WRITERS[name], paths, "-", stdout=ends[1])
    os.close(ends[1])
    assert done.returncode == 2
    assert (
        done.stderr
        == b"error: standard output cannot be written to its end: nobody reads it any more\n"
    )
    with open("/dev/full", "wb") as full:
        done = as_process(WRITERS[name], paths, "-", stdout=full)
    assert done.returncode == 2
    assert b"standard output cannot be written: No space left on device" in done.stderr


def test_another_descriptor_that_is_a_file_is_written_on_at_its_end(folder: Path) -> None:
    log = folder / "log"
    log.write_bytes(MINE)
    with (
        log.open("ab") as file,
        OutFile.from_name(f"/dev/fd/{file.fileno()}", ["csv"]).writing() as out,
    ):
        out.write(b"a,b\n")
    assert log.read_bytes() == MINE + b"a,b\n"


def test_a_file_that_comes_to_be_there_while_it_is_computed_stays(folder: Path) -> None:
    out = OutFile.from_name("late.csv", ["csv"])

    def compute() -> None:
        with out.writing() as file:
            file.write(b"a,b\n")
            (folder / "late.csv").write_bytes(MINE)

    with pytest.raises(OutputError, match=r"late\.csv already exists"):
        compute()
    assert (folder / "late.csv").read_bytes() == MINE


@pytest.mark.parametrize("format", ["csv", "npz"])
def test_a_computation_that_fails_leaves_what_was_there(folder: Path, format: str) -> None:
    existing = folder / f"there.{format}"
    existing.write_bytes(MINE)

    def compute() -> None:
        with OutFile.from_name(existing, [format], force=True).writing() as file:
            file.write(b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        compute()
    assert existing.read_bytes() == MINE
    assert [path.name for path in folder.iterdir()] == [existing.name]


@pytest.fixture
def of_root() -> Iterator[Path]:
    """Return a folder that everybody may read."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@contextmanager
def as_nobody() -> Iterator[None]:
    os.setresuid(65534, 65534, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


@pytest.mark.skipif(os.geteuid() != 0, reason="takes another user")
def test_what_may_not_be_written_is_named_before_anything_is_computed(of_root: Path) -> None:
    (of_root / "there.csv").write_bytes(MINE)
    for name in ("new.csv", "there.csv"):
        message = f"{name} cannot be written: Permission denied; choose another path with --out"
        with as_nobody(), pytest.raises(OutputError, match=re.escape(message)):
            OutFile.from_name(of_root / name, ["csv"], force=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="takes another user")
def test_a_file_in_a_folder_where_none_can_be_made_is_written_as_a_whole(of_root: Path) -> None:
    existing = of_root / "there.csv"
    existing.write_bytes(MINE)
    existing.chmod(0o666)

    def compute(*, fails: bool) -> None:
        with OutFile.from_name(existing, ["csv"], force=True).writing() as file:
            file.write(b"a,b\n")
            if fails:
                raise ZeroDivisionError

    with as_nobody(), pytest.raises(ZeroDivisionError):
        compute(fails=True)
    assert existing.read_bytes() == MINE
    with as_nobody():
        compute(fails=False)
    assert existing.read_bytes() == b"a,b\n"


def test_links_that_lead_round_in_a_circle_are_said(folder: Path) -> None:
    (folder / "a.csv").symlink_to("b.csv")
    (folder / "b.csv").symlink_to("a.csv")
    with pytest.raises(
        OutputError, match=r"a\.csv cannot be written: Too many levels of symbolic links"
    ):
        OutFile.from_name("a.csv", ["csv"])


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("my sweep", "my-sweep"),
        ("../../etc/x", "etc-x"),
        ("-", "sweep"),
        ("", "sweep"),
        (".hidden", "hidden"),
        ("x" * 500, "x" * 100),
    ],
)
def test_a_name_from_a_store_of_somebody_else_is_one_of_this_folder(text: str, plain: str) -> None:
    assert plain_name(text) == plain
