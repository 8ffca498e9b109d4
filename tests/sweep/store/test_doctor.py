"""The doctor finds damage and repairs it without loss; the sweep then ends with the same bits."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from click.testing import CliRunner
from small_sweeps import T0_AND_RINGS, assert_same_bits, run_here, sweep_file

from sweep import open_store
from sweep.cli import main
from sweep.common.errors import StoreError
from sweep.planning.plan import make_plan
from sweep.report.doctor import findings_json
from sweep.results.export import Extract
from sweep.running.session import create, sweep_of_store
from sweep.spec.file import load_sweep
from sweep.store.doctor import Diagnosis, examine, repair
from sweep.store.driving import driving
from sweep.store.store import Store

Damage = Callable[[Path], object]


@pytest.fixture
def store(tmp_path: Path, finished: Path) -> Path:
    """Return a copy of the finished store, to be damaged: 6 runs in 3 blocks."""
    shutil.copy(finished.parent / "small.yaml", tmp_path)
    return Path(shutil.copytree(finished, tmp_path / "s.zarr"))


def kinds(diagnosis: Diagnosis) -> list[str]:
    return [finding.kind for finding in diagnosis.findings]


def truncate(*parts: str, to: int = 9) -> Damage:
    return lambda store: os.truncate(store.joinpath(*parts), to)


def garble(*parts: str) -> Damage:
    def one_bit(store: Path) -> None:
        file = store.joinpath(*parts)
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 0x10
        file.write_bytes(content)

    return one_bit


def remove(*parts: str) -> Damage:
    def remove_part(store: Path) -> None:
        path = store.joinpath(*parts)
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()

    return remove_part


def no_plain_file(kind: str, *parts: str) -> Damage:
    """Put something else in place of a chunk."""
    make = {
        "a link": lambda path: path.symlink_to("/dev/zero"),
        "a link to another": lambda path: path.symlink_to("1"),
        "a pipe": os.mkfifo,
        "a folder": Path.mkdir,
    }[kind]

    def replace(store: Path) -> None:
        chunk = store.joinpath(*(parts or ("M_loss", "c", "0")))
        chunk.unlink()
        make(chunk)

    return replace


def put(*parts: str) -> Damage:
    def make(store: Path) -> None:
        store.joinpath(*parts).parent.mkdir(parents=True, exist_ok=True)
        store.joinpath(*parts).write_bytes(b"x")

    return make


def edit(array: str, **changes: Any) -> Damage:
    def write(store: Path) -> None:
        file = store / array / "zarr.json"
        file.write_text(
            json.dumps({**json.loads(file.read_text(encoding="utf-8")), **changes}),
            encoding="utf-8",
        )

    return write


def attribute(store: Path, change: Callable[[dict[str, Any]], object]) -> None:
    described = json.loads((store / "zarr.json").read_text(encoding="utf-8"))
    change(described["attributes"])
    (store / "zarr.json").write_text(json.dumps(described), encoding="utf-8")


def status(block: int, value: int) -> Damage:
    return lambda store: zarr.open_array(store / "status", mode="r+").__setitem__(
        slice(2 * block, 2 * block + 2), value
    )


def half_pending(store: Path) -> None:
    zarr.open_array(store / "status", mode="r+")[3] = 0


def test_a_finished_store_is_clean_and_nothing_is_changed(store: Path) -> None:
    before = {path: path.read_bytes() for path in store.parent.rglob("*") if path.is_file()}
    for deep in (False, True):
        assert (examine(store, deep=deep), repair(store, deep=deep)) == (
            Diagnosis([], None),
            Diagnosis([], None),
        )
    assert {path: path.read_bytes() for path in store.parent.rglob("*") if path.is_file()} == before


LOST = [
    ("truncated packed chunk", truncate("N", "c", "1", "0", "0"), "unreadable blocks", ("1",)),
    ("truncated to nothing", truncate("N", "c", "1", "0", "0", to=0), "unreadable blocks", ("1",)),
    ("truncated plain chunk", truncate("M_loss", "c", "0"), "unreadable blocks", ("0",)),
    ("truncated texts", truncate("worker", "c", "2"), "unreadable blocks", ("2",)),
    ("truncated commit record", truncate("status", "c", "2", to=3), "unreadable blocks", ("2",)),
    ("removed chunk", remove("Sigma", "c", "2"), "lost chunks", ("2",)),
    ("unknown status", status(1, 77), "unknown states", ("1",)),
    ("a link for a chunk", no_plain_file("a link"), "unreadable blocks", ("0",)),
    ("a link to another chunk", no_plain_file("a link to another"), "unreadable blocks", ("0",)),
    ("a pipe for a chunk", no_plain_file("a pipe"), "unreadable blocks", ("0",)),
    ("a folder for a chunk", no_plain_file("a folder"), "unreadable blocks", ("0",)),
    (
        "a folder for a chunk of two dimensions",
        no_plain_file("a folder", "t", "c", "0", "0"),
        "unreadable blocks",
        ("0",),
    ),
]


@pytest.mark.parametrize(
    ("damage", "kind", "blocks"), [case[1:] for case in LOST], ids=[case[0] for case in LOST]
)
def test_results_that_cannot_be_read_become_pending_and_are_computed_again(
    store: Path, finished: Path, damage: Damage, kind: str, blocks: tuple[str, ...]
) -> None:
    damage(store)
    diagnosis = examine(store)
    assert [(finding.kind, finding.names) for finding in diagnosis.findings] == [(kind, blocks)]
    assert diagnosis.findings[0].cure == f"sweep doctor {store} --repair, then sweep resume {store}"
    repaired = repair(store)
    assert (repaired.findings[0].repaired, repaired.is_clean) == (True, False)
    assert kinds(examine(store)) == ["torn blocks"]
    run_here(store.parent / "small.yaml", store)
    assert_same_bits(store, finished)
    assert examine(store, deep=True) == Diagnosis([], None)


def test_a_description_of_another_array_is_no_description(store: Path) -> None:
    shutil.copy(store / "M_loss" / "zarr.json", store / "t_end" / "zarr.json")
    (finding,) = examine(store).findings
    assert (finding.kind, finding.names) == ("damaged arrays", ("t_end is in M_Mars, not in s",))
    with pytest.raises(StoreError, match="t_end is in M_Mars, not in s"):
        open_store(store)


UNREAD_M_LOSS = r"M_loss (is damaged|cannot be read)"


@pytest.mark.parametrize("kind", ["a link", "a link to another", "a pipe", "a folder"])
def test_what_is_no_plain_file_is_not_read_as_a_chunk(store: Path, kind: str) -> None:
    no_plain_file(kind)(store)
    with pytest.raises(
        StoreError, match=r"M_loss/c/0 is not a regular file; see what can be done: sweep doctor"
    ):
        open_store(store)
    with pytest.raises(StoreError, match=UNREAD_M_LOSS):
        Store.open(store).column("M_loss")
    with pytest.raises(StoreError, match=UNREAD_M_LOSS):
        list(Extract.of(Store.open(store), columns=["M_loss"]).parts())


def test_a_folder_with_something_in_it_is_not_removed_for_a_chunk(
    store: Path, finished: Path
) -> None:
    no_plain_file("a folder")(store)
    kept = store / "M_loss" / "c" / "0" / "mine.txt"
    kept.write_text("mine", encoding="utf-8")
    assert kinds(repair(store)) == ["foreign files", "lost chunks"]
    with pytest.raises(
        StoreError,
        match=r"M_loss/c/0 is a folder where a file of the store belongs.* move it elsewhere",
    ):
        run_here(store.parent / "small.yaml", store)
    kept.rename(store.parent / "mine.txt")
    run_here(store.parent / "small.yaml", store)
    assert_same_bits(store, finished)


def link_above(store: Path, folder: str, to: str) -> Path:
    """Put a link in place of a folder of chunks."""
    shutil.rmtree(store / folder)
    (store / folder).symlink_to(to)
    return store / folder


@pytest.mark.parametrize(
    ("folder", "to"),
    [
        ("M_loss/c", "../M_supplied/c"),
        ("Sigma/c/0", "../../M_out_dot/c/0"),
        ("Sigma/c", "../../mine"),
        ("N/c/1/0", "../../../../mine"),
    ],
)
def test_a_link_above_a_chunk_is_neither_followed_by_readers_nor_by_writers(
    store: Path, folder: str, to: str
) -> None:
    users_folder = store.parent / "mine"
    users_folder.mkdir()
    (users_folder / "0").write_bytes(b"mine")
    link = link_above(store, folder, to)
    name = folder.partition("/")[0]
    group = Store.open(store)
    with pytest.raises(StoreError, match=rf"{name}.* (is a link or a file|is missing)"):
        group.rows(name, np.arange(6))
    (store / "status" / "c" / "0").unlink()
    (store / "status" / "c" / "1").unlink()
    with pytest.raises(StoreError, match="is a link or a file where a folder of the store belongs"):
        run_here(store.parent / "small.yaml", store)
    assert link.is_symlink()
    assert {path.name: path.read_bytes() for path in users_folder.iterdir()} == {"0": b"mine"}


@pytest.mark.parametrize(
    "make", [lambda path: path.write_bytes(b"mine"), os.mkfifo], ids=["file", "pipe"]
)
def test_a_file_in_place_of_a_folder_is_named(
    store: Path, finished: Path, make: Callable[[Path], object]
) -> None:
    shutil.rmtree(store / "M_loss" / "c")
    make(store / "M_loss" / "c")
    repair(store)
    with pytest.raises(
        StoreError,
        match=(
            r"M_loss/c is a link or a file where a folder of the store belongs.*Put a plain folder"
            r" in its place"
        ),
    ):
        run_here(store.parent / "small.yaml", store)
    (store / "M_loss" / "c").unlink()
    run_here(store.parent / "small.yaml", store)
    assert_same_bits(store, finished)


def test_a_folder_that_no_driver_leaves_is_no_stale_note(store: Path, finished: Path) -> None:
    users_folder = store.with_name(f".{store.name}.making-mine")
    shutil.copytree(finished, users_folder)
    repair(store)
    assert_same_bits(users_folder, finished)


@pytest.mark.parametrize(
    "name", ["N/c/3", "M_loss/c/99", "status/c/99", "T0/c/7", "mine", "M_loss/zarr.json.d"]
)
def test_an_empty_folder_that_is_in_the_way_of_no_chunk_is_nothing(store: Path, name: str) -> None:
    (store / name).mkdir()
    open_store(store)
    assert examine(store, deep=True) == Diagnosis([], None)


GARBLED = [
    ("N", "c", "1", "0", "0"),
    ("M_loss", "c", "1"),
    ("status", "c", "1"),
    ("t", "c", "1", "0"),
    ("worker", "c", "1"),
]


@pytest.mark.parametrize("parts", GARBLED, ids=[parts[0] for parts in GARBLED])
def test_a_single_wrong_bit_in_any_chunk_is_found_by_a_deep_look(
    store: Path, finished: Path, parts: tuple[str, ...]
) -> None:
    garble(*parts)(store)
    with pytest.raises(StoreError, match=f"{parts[0]} is damaged"):
        Store.open(store).column(parts[0])
    assert kinds(examine(store, deep=True)) == ["unreadable blocks"]
    repair(store, deep=True)
    run_here(store.parent / "small.yaml", store)
    assert_same_bits(store, finished)


UNREAD = [
    ("unfinished write", put("M_loss", "c", "0.0123456789abcdef.partial"), "unfinished files"),
    (
        "unfinished write of a description",
        put("M_loss", "zarr.json.0123.partial"),
        "unfinished files",
    ),
    ("chunk beyond the end", put("M_loss", "c", "3"), "chunks beyond the end"),
    ("chunk beyond an inner end", put("N", "c", "0", "1", "0"), "chunks beyond the end"),
    (
        "half-made store",
        lambda s: put(f".{s.name}.making-999999", "status", "zarr.json")(s.parent),
        "stale notes",
    ),
    ("note of a killed driver", lambda s: put(f".{s.name}.driver")(s.parent), "stale notes"),
    ("lock of a killed driver", lambda s: put(f".{s.name}.lock")(s.parent), "stale notes"),
]


@pytest.mark.parametrize(
    ("damage", "kind"), [case[1:] for case in UNREAD], ids=[case[0] for case in UNREAD]
)
def test_what_nobody_reads_is_removed(
    store: Path, finished: Path, damage: Damage, kind: str
) -> None:
    before = set(store.parent.rglob("*"))
    damage(store)
    assert kinds(examine(store)) == [kind]
    repaired = repair(store)
    assert (repaired.is_clean, examine(store)) == (True, Diagnosis([], None))
    assert {path for path in store.parent.rglob("*") if path.is_file()} == {
        path for path in before if path.is_file()
    }
    assert_same_bits(store, finished)


LEFT = [
    ("torn", half_pending, "torn blocks"),
    ("foreign file", put("thesis.tex"), "foreign files"),
    ("missing array", remove("M_loss"), "damaged arrays"),
    (
        "garbled description",
        lambda s: (s / "M_loss" / "zarr.json").write_text("{"),
        "damaged arrays",
    ),
    ("another type", edit("steps", data_type="float64"), "damaged arrays"),
    ("other dimensions", edit("t", dimension_names=["run", "bin"]), "damaged arrays"),
    ("another length", edit("tau_max", shape=[5]), "arrays of different length"),
    ("coordinate", truncate("T0", "c", "0"), "unreadable coordinates"),
    (
        "run_ids",
        lambda s: zarr.open_array(s / "run_id", mode="r+").__setitem__(0, ""),
        "run_ids that name nothing",
    ),
    (
        "code",
        lambda s: attribute(s, lambda a: a["provenance"].update(model_version="0.0.1+abc")),
        "another version of the model",
    ),
    (
        "table",
        lambda s: attribute(
            s, lambda a: a["provenance"]["tables"].update({"radiation.Q_pr = forsterite": "0" * 64})
        ),
        "changed tables",
    ),
    (
        "no table",
        lambda s: attribute(
            s, lambda a: a["provenance"]["tables"].update({"shielding.path = gone.csv": "0" * 64})
        ),
        "missing tables",
    ),
]


@pytest.mark.parametrize(
    ("damage", "kind"), [case[1:] for case in LEFT], ids=[case[0] for case in LEFT]
)
def test_what_cannot_be_repaired_is_left_as_it_is_and_named_with_what_to_do(
    store: Path, damage: Damage, kind: str
) -> None:
    damage(store)
    before = {path: path.read_bytes() for path in store.rglob("*") if path.is_file()}
    diagnosis = examine(store)
    assert kinds(diagnosis) == [kind]
    assert diagnosis.findings[0].names
    assert diagnosis.findings[0].cure
    assert kinds(repair(store)) == [kind]
    assert {path: path.read_bytes() for path in store.rglob("*") if path.is_file()} == before


def test_a_store_that_was_only_begun_has_pending_blocks(tmp_path: Path) -> None:
    create(make_plan(load_sweep(sweep_file(tmp_path, axes=T0_AND_RINGS))), tmp_path / "s.zarr")
    (finding,) = examine(tmp_path / "s.zarr").findings
    assert (finding.kind, finding.names, finding.cure) == (
        "pending blocks",
        ("0-2",),
        f"sweep resume {tmp_path / 's.zarr'}",
    )


def test_while_somebody_drives_nothing_is_repaired_and_his_work_is_no_finding(store: Path) -> None:
    half_pending(store)
    with driving(store):
        diagnosis = examine(store)
        assert diagnosis.driver is not None
        assert diagnosis.driver.startswith(f"process {os.getpid()} on ")
        assert diagnosis.findings == []
        with pytest.raises(StoreError, match="is driving this sweep"):
            repair(store)
    assert kinds(examine(store)) == ["torn blocks"]


def test_the_command_shows_what_was_found_and_its_exit_code_tells(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sweep(verb: str, *options: str) -> tuple[int, str]:
        done = CliRunner().invoke(main, [verb, "s.zarr", *options])
        return done.exit_code, done.output

    monkeypatch.chdir(store.parent)
    assert sweep("doctor") == (0, "s.zarr: nothing is wrong\n")
    truncate("N", "c", "1", "0", "0")(store)
    put("M_loss", "c", "3")(store)
    code, shown = sweep("doctor")
    assert code == 1
    assert "sweep doctor s.zarr --repair, then sweep resume s.zarr" in shown
    code, shown = sweep("doctor", "--json")
    assert (code, json.loads(shown)) == (1, findings_json(examine("s.zarr"), "s.zarr"))
    code, shown = sweep("doctor", "--repair")
    assert code == 1
    assert "done: marked as pending; now sweep resume s.zarr" in shown
    assert sweep("resume", "--workers", "0")[0] == 0
    assert sweep("doctor", "--deep")[0] == 0
    (store / "zarr.json").write_text("garbage", encoding="utf-8")
    assert sweep("doctor", "--repair")[0] == 2
    # the last driver's, for those who watch
    assert [path.name for path in store.parent.glob(".s.zarr*")] == [".s.zarr.heartbeat"]


def test_a_store_without_checksums_is_examined_too(store: Path, finished: Path) -> None:
    """Earlier versions wrote such stores."""
    for name in ("M_loss", "N", "worker", "status"):
        values = zarr.open_array(store / name, mode="r")
        metadata = values.metadata
        content = values[...]
        shutil.rmtree(store / name)
        zarr.create_array(
            store / name,
            shape=metadata.shape,
            chunks=values.chunks,
            dtype=values.dtype,
            compressors=zarr.codecs.BloscCodec(cname="lz4") if name == "N" else None,
            fill_value=metadata.fill_value,
            dimension_names=metadata.dimension_names,
            attributes=metadata.attributes,
        )[...] = content
    assert examine(store, deep=True) == Diagnosis([], None)
    truncate("N", "c", "1", "0", "0")(store)
    assert kinds(examine(store)) == ["unreadable blocks"]
    repair(store)
    run_here(store.parent / "small.yaml", store)
    assert_same_bits(store, finished)
    assert np.all(Store.open(store).column("status") == 1)
    assert sweep_of_store(store).spec.name == "small"
