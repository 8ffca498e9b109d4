"""Names of stores: links, relative paths, and names that are too long."""

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from small_sweeps import (
    T0_AND_RINGS,
    assert_same_bits,
    command,
    forget_block,
    in_one_line,
    run_here,
    sweep_file,
)

import sweep
import sweep.cli.commands
from sweep.cli.options import LocationParameter
from sweep.common.errors import StoreError
from sweep.store import doctor
from sweep.store.driving import driving
from sweep.store.folder import Folder
from sweep.store.locate import locate
from sweep.store.naming import NOTE_BYTES
from sweep.store.store import Store

SOURCES = Path(sweep.__file__).parent
#: Every command that takes the location of a store, with what else it needs and the exit code that
#: it ends with for a finished one.
COMMANDS: dict[str, tuple[list[str], int]] = {
    "cancel": (["STORE"], 2),
    "card": (["STORE", "2"], 0),
    "expect": (["STORE"], 2),
    "compare": (["STORE", "STORE"], 0),
    "doctor": (["STORE"], 0),
    "export": (["STORE", "--to", "csv", "--out", "-"], 0),
    "plot": (["STORE", "psd", "--out", "/dev/null"], 0),
    "resume": (["STORE", "--workers", "0"], 0),
    "run": (["FILE", "--store", "STORE", "--workers", "0"], 0),
    "sensitivity": (["STORE"], 2),
    "show": (["STORE"], 0),
    "status": (["STORE", "--json"], 0),
    "summary": (["STORE"], 0),
    "watch": (["STORE"], 0),
}
APART = {"browse", "submit", "plan"}  # which need a server, or a cluster, or measure a time


@pytest.fixture
def folder(tmp_path: Path, finished: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a working folder with a link to a store elsewhere, as on another disk."""
    (tmp_path / "scratch").mkdir()
    (tmp_path / "here").mkdir()
    shutil.copytree(finished, tmp_path / "scratch" / "x.zarr")
    shutil.copy(finished.with_name("small.yaml"), tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


def typed(name: str, store: str) -> tuple[int, str, str]:
    words = [{"STORE": store, "FILE": "small.yaml"}.get(word, word) for word in COMMANDS[name][0]]
    done = CliRunner().invoke(sweep.cli.commands.main, [name, *words])
    assert "defect of the program" not in done.output, done.output

    def without_name(text: str) -> str:
        # in a command, a name with a space is quoted
        return text.replace(store, "STORE").replace("'STORE'", "STORE")

    return done.exit_code, without_name(done.stdout), without_name(done.stderr)


def takes_a_store(option: click.Command) -> bool:
    takes = any(isinstance(parameter.type, LocationParameter) for parameter in option.params)
    return takes and not option.hidden


def test_every_command_that_takes_a_store_is_tried_here() -> None:
    commands = {
        name for name, option in sweep.cli.commands.main.commands.items() if takes_a_store(option)
    }
    assert commands == {*COMMANDS} | APART


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("link", ["x.zarr", "another name"])
def test_a_store_behind_a_link_is_that_store(folder: Path, name: str, link: str) -> None:
    (folder / link).symlink_to(Path("..") / "scratch" / "x.zarr")
    direct = typed(name, "../scratch/x.zarr")
    assert direct[0] == COMMANDS[name][1]
    assert typed(name, link) == direct
    assert typed(name, f"./{link}/") == direct
    assert sorted(path.name for path in folder.iterdir()) == sorted(["small.yaml", link])
    assert (folder / link).is_symlink()


@pytest.mark.parametrize("name", COMMANDS)
def test_a_link_that_leads_nowhere_is_named_with_where_it_leads(folder: Path, name: str) -> None:
    (folder / "x.zarr").symlink_to("/not/mounted/x.zarr")
    code, output, message = typed(name, "x.zarr")
    assert (code, output) == (2, "")
    assert "STORE: is a symbolic link to /not/mounted/STORE, where there is nothing" in message
    assert sorted(path.name for path in folder.iterdir()) == ["small.yaml", "x.zarr"]


def test_two_names_are_not_two_drivers(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "x.zarr").symlink_to(folder.parent / "scratch" / "x.zarr")
    (folder / "twice").symlink_to("x.zarr")
    target = folder.parent / "scratch" / "x.zarr"
    names: list[str | Path] = [
        "x.zarr",
        "twice",
        target,
        target / "T0" / "..",
        target / "status" / ".." / ".",
    ]
    for driven_name in names:
        with driving(driven_name):
            for second_name in names:
                with pytest.raises(StoreError, match="is driving this sweep"), driving(second_name):
                    pass
            names_in_folder = [".x.zarr.driver", ".x.zarr.lock", "x.zarr"]
            assert sorted(path.name for path in target.parent.iterdir()) == names_in_folder
    monkeypatch.chdir(target)
    with driving("."), pytest.raises(StoreError, match="is driving this sweep"), driving(target):
        pass


def test_workers_write_into_the_store_behind_a_link(folder: Path, finished: Path) -> None:
    target = folder.parent / "scratch" / "new.zarr"
    target.mkdir()
    (folder / "results").mkdir()
    (folder / "results" / "small.zarr").symlink_to(target)
    target.rmdir()
    done = command("sweep", "run", "small.yaml", "--workers", 1, cwd=folder)
    assert done.returncode == 2
    assert "where there is nothing" in done.stderr
    run_here(folder / "small.yaml", target)
    shutil.rmtree(target / "status" / "c")
    done = command("sweep", "run", "small.yaml", "--workers", 1, cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert [path.name for path in (folder / "results").iterdir()] == ["small.zarr"]
    assert_same_bits(target, finished)


def test_links_inside_a_store_are_not_followed(folder: Path) -> None:
    store = folder.parent / "scratch" / "x.zarr"
    for name in ("zarr.json", "M_loss/zarr.json"):
        (store / name).rename(store.parent / "elsewhere")
        (store / name).symlink_to(store.parent / "elsewhere")
        with pytest.raises(StoreError):
            sweep.open_store(store)
        (store / name).unlink()
        (store.parent / "elsewhere").rename(store / name)
    sweep.open_store(store)


def test_a_store_may_be_called_by_where_one_stands(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = folder.parent / "scratch" / "x.zarr"
    for working_folder, name in (
        (store, "."),
        (store / "T0", ".."),
        (store.parent, "x.zarr/T0/.."),
    ):
        monkeypatch.chdir(working_folder)
        assert CliRunner().invoke(sweep.cli.commands.main, ["status", name]).exit_code == 0
        assert (
            CliRunner()
            .invoke(sweep.cli.commands.main, ["resume", name, "--workers", "0"])
            .exit_code
            == 0
        )
    assert [path.name for path in store.parent.iterdir() if path.name != "x.zarr"] == []
    assert sorted(path.name for path in (store / "T0").iterdir()) == ["c", "zarr.json"]


@pytest.mark.parametrize("name", ["x" * 156, "x" * 236, "x" * 250, "ü" * 78])
@pytest.mark.parametrize(
    "begin", [lambda name: [f"--store={name}"], lambda name: [f"--store=new/{name}"]]
)
def test_a_name_that_leaves_no_room_for_notes_is_refused_before_anything_starts(
    folder: Path, name: str, begin: Callable[[str], list[str]]
) -> None:
    done = CliRunner().invoke(
        sweep.cli.commands.main, ["run", "small.yaml", *begin(name), "--workers", "0"]
    )
    assert done.exit_code == 2
    assert (
        "the name of a store may have 155 bytes here, since notes next to it have longer"
        f" names, and this has {len(name.encode())}" in done.stderr
    )
    assert [path.name for path in folder.iterdir()] == ["small.yaml"]


def test_the_longest_name_leaves_room_for_the_longest_note(folder: Path) -> None:
    limit = os.pathconf(folder, "PC_NAME_MAX") - NOTE_BYTES
    store = folder / ("x" * limit)
    run_here(folder / "small.yaml", store)
    assert Store.open(store).counts().done == 6
    location = locate(store)
    longest = f"probe-{'0' * 32}-{'f' * 12}"
    location.note_write(longest, b"")
    assert location.note_read(longest) == b""


def test_a_store_that_was_given_too_long_a_name_can_still_be_read(folder: Path) -> None:
    long = "x" * 250
    (folder.parent / "scratch" / "x.zarr").rename(folder / long)
    for verb, *options in (["status"], ["show"], ["doctor"], ["card", "0"]):
        done = CliRunner().invoke(sweep.cli.commands.main, [verb, long, *options])
        assert done.exit_code == 0, done.output
    assert (
        "File name too long"
        in CliRunner().invoke(sweep.cli.commands.main, ["resume", long, "--workers", "0"]).stderr
    )


def test_a_store_whose_name_leaves_room_for_its_lock_alone_is_resumed(
    folder: Path, finished: Path
) -> None:
    store = (folder.parent / "scratch" / "x.zarr").rename(folder / ("x" * 200))
    forget_block(store, 1)
    done = CliRunner().invoke(sweep.cli.commands.main, ["resume", store.name, "--workers", "0"])
    assert done.exit_code == 0, done.output
    assert_same_bits(store, finished)


@pytest.mark.parametrize("location", ["/proc/x.zarr", "/proc/new/x.zarr"])
def test_a_place_where_nothing_can_be_made_is_said_once(folder: Path, location: str) -> None:
    done = CliRunner().invoke(
        sweep.cli.commands.main, ["run", "small.yaml", "--store", location, "--workers", "0"]
    )
    assert done.exit_code == 2
    assert in_one_line(done.stderr).count("choose another location with --store") == 1


def test_nobody_is_told_to_move_away_what_may_be_good() -> None:
    advice = re.compile(r"move (it|them|that|the old one) away")
    root = SOURCES.parent
    sources = [*SOURCES.rglob("*.py"), *(root / "marsdisk").rglob("*.py")]
    documents = [root / "README.md", *(root / "docs").glob("*.md")]
    texts = {path.name: path.read_text(encoding="utf-8") for path in [*sources, *documents]}
    assert [name for name, text in texts.items() if advice.search(text)] == []


def test_a_folder_of_somebody_else_is_refused_and_left_alone(folder: Path) -> None:
    (folder / "thesis").mkdir()
    (folder / "thesis" / "chapter.tex").write_text("mine", encoding="utf-8")
    with pytest.raises(StoreError, match="nothing was changed; choose another --store"):
        run_here(sweep_file(folder, "again.yaml", axes=T0_AND_RINGS), folder / "thesis")
    assert (folder / "thesis" / "chapter.tex").read_text(encoding="utf-8") == "mine"


def test_a_link_is_followed_once(folder: Path) -> None:
    (folder / "x.zarr").symlink_to(folder.parent / "scratch" / "x.zarr")
    location = locate("x.zarr")
    (folder / "x.zarr").unlink()
    (folder / "x.zarr").symlink_to(folder)
    assert isinstance(location, Folder)
    assert location.path == folder.parent / "scratch" / "x.zarr"
    assert str(location) == "x.zarr"


def refusal_to_make(name: str) -> str:
    """Return the message on a sweep into a new store of this name; no store is made."""
    sweep_file(Path(), axes=T0_AND_RINGS)
    done = CliRunner().invoke(
        sweep.cli.commands.main, ["run", "small.yaml", "--store", name, "--workers", "0"]
    )
    assert done.exit_code == 2
    assert not Path(name).exists()
    return in_one_line(done.stderr)


@pytest.mark.parametrize("name", ["s.zarr/inner.zarr", "s.zarr/M_loss/c/new.zarr", "link/new.zarr"])
def test_no_store_is_made_within_another(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    shutil.copytree(finished, tmp_path / "s.zarr")
    (tmp_path / "link").symlink_to("s.zarr")
    monkeypatch.chdir(tmp_path)
    assert (
        f"{name}: lies in the store {tmp_path / 's.zarr'}; choose another location with --store"
        in refusal_to_make(name)
    )


@pytest.mark.parametrize(
    "name", [".s.zarr.making-mine", ".a.zarr.lock", ".hidden.zarr", "results/.x"]
)
def test_no_store_is_made_under_the_name_of_a_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert (
        f"{name}: names that begin with a point are those of notes next to a store"
        in refusal_to_make(name)
    )


def test_a_group_of_others_may_hold_stores(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "zarr.json").write_text(
        '{"zarr_format": 3, "node_type": "group", "attributes": {}}', encoding="utf-8"
    )
    sweep_file(tmp_path, axes=T0_AND_RINGS)
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(
        sweep.cli.commands.main, ["run", "small.yaml", "--store", "s.zarr", "--workers", "0"]
    )
    assert done.exit_code == 0, done.output
    assert_same_bits(tmp_path / "s.zarr", finished)


@pytest.mark.parametrize("name", ["a #1.zarr", "a?b.zarr", "50%25.zarr", "a:b.zarr", "a//b.zarr"])
def test_what_means_something_in_a_url_is_a_letter_in_a_path(
    tmp_path: Path, finished: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Some versions of Zarr take a path for a URL, and leave out what follows a ``#``."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(finished, name)
    assert_same_bits(name, finished)
    for store in (name, str(tmp_path / name), tmp_path / name):
        assert sweep.open_store(store).M_loss.equals(sweep.open_store(finished).M_loss)
    doctor.repair(name)
    run_here(finished.with_name("small.yaml"), Path(name))
