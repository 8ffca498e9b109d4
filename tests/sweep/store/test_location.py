"""Where stores may be: paths and URLs, what is refused, and the notes beside a store."""

import os
import pickle
import threading
from pathlib import Path
from typing import Any

import obstore
import pytest
from small_sweeps import T0_AND_RINGS, assert_same_bits, command, run_here, sweep_file

import sweep
from sweep.common.errors import StoreError
from sweep.store.driving import driving
from sweep.store.folder import Folder
from sweep.store.locate import locate
from sweep.store.location import Location
from sweep.store.object_store import MAKING, Objects
from sweep.store.store import Store


@pytest.mark.parametrize(
    ("given", "kind", "name", "text"),
    [
        ("results/x.zarr", Folder, "x.zarr", "results/x.zarr"),
        (Path("results") / "x.zarr", Folder, "x.zarr", "results/x.zarr"),
        ("s3:x.zarr", Folder, "s3:x.zarr", "s3:x.zarr"),
        ("file:///data/x.zarr", Folder, "x.zarr", "/data/x.zarr"),
        ("s3://bucket/a/x.zarr/", Objects, "x.zarr", "s3://bucket/a/x.zarr"),
        ("gs://bucket/x.zarr", Objects, "x.zarr", "gs://bucket/x.zarr"),
        ("memory://x.zarr", Objects, "x.zarr", "memory://x.zarr"),
        ("memory:///x.zarr", Objects, "x.zarr", "memory://x.zarr"),
        (
            "abfss://container@account.dfs.core.windows.net/x.zarr",
            Objects,
            "x.zarr",
            "abfss://container@account.dfs.core.windows.net/x.zarr",
        ),
    ],
)
def test_a_place_is_a_path_or_a_url_and_goes_to_workers_as_it_was_typed(
    given: str | Path, kind: type, name: str, text: str
) -> None:
    location = locate(given)
    assert (type(location), location.name, str(location)) == (kind, name, text)
    assert pickle.loads(pickle.dumps(location)) == location == locate(location)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            "s3://key:hunter2@bucket/x.zarr",
            r"s3://\*\*\*@bucket/x\.zarr: a URL with credentials would be printed and logged",
        ),
        ("s3://hunter2@bucket/x.zarr", "a URL with credentials"),
        ("abfs://c:hunter2@account/x.zarr", "a URL with credentials"),
        ("s3://bucket/x.zarr?X-Amz-Signature=hunter2", r"takes no \? or #"),
        ("ftp://key:hunter2@host/x.zarr", "credentials"),
        ("http://host/x.zarr", "there is no http:// store; give a path or one of s3://"),
        (
            "s3://bucket",
            "is not a name for a store; give a bucket and a name in it, such as s3:",
        ),
        ("s3:///x.zarr", "is not a name for a store"),
        ("s3://bucket/a/../../x.zarr", r"has an empty part, \. or \.\."),
        ("s3://bucket//x.zarr", "has an empty part"),
        (Path("s3://bucket/x.zarr"), "a URL has lost a slash by becoming a Path; give it as text"),
    ],
)
def test_what_is_no_place_is_refused_without_showing_a_password(
    given: str | Path, words: str
) -> None:
    with pytest.raises(StoreError, match=words) as caught:
        locate(given)
    assert "hunter2" not in str(caught.value)


@pytest.fixture(params=["folder", "memory"])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> Location:
    return locate(
        tmp_path / "x.zarr" if request.param == "folder" else f"memory://{tmp_path.name}/x.zarr"
    )


def test_notes_are_kept_beside_the_store_and_one_of_many_makes_a_new_one(
    location: Location,
) -> None:
    assert location.note_read("lock") is None
    is_new = []
    threads = [
        threading.Thread(target=lambda i=i: is_new.append(location.note_create("lock", b"%d" % i)))
        for i in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(is_new) == [False] * 7 + [True]
    location.note_write("lock", b"other")
    assert (
        location.note_read("lock"),
        location.leftovers(),
        list(location.listing()) if location.exists() else [],
    ) == (b"other", [".x.zarr.lock"], [])
    location.note_delete("lock")
    location.note_delete("lock")
    assert location.note_read("lock") is None


def test_a_store_in_memory_has_the_bits_of_one_in_a_folder(tmp_path: Path, finished: Path) -> None:
    store = f"memory://{tmp_path.name}.zarr"
    file = sweep_file(tmp_path, axes=T0_AND_RINGS)
    run_here(file, store)
    assert Store.open(store).counts().done == 6
    assert_same_bits(store, finished)
    assert sweep.open_store(store).sweep.grid().M_loss.shape == (2, 3)
    with pytest.raises(
        StoreError, match="workers cannot see into this process's memory; use 0 workers"
    ):
        run_here(file, store, workers=1)


def test_in_an_object_store_a_block_is_committed_after_all_its_arrays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []
    put_normally = obstore.put_async

    async def put(store: object, key: str, content: bytes, **options: Any) -> object:
        written.append(key)
        return await put_normally(store, key, content, **options)

    monkeypatch.setattr(obstore, "put_async", put)
    run_here(sweep_file(tmp_path, axes=T0_AND_RINGS), f"memory://{tmp_path.name}.zarr")
    for block in range(3):
        of_block = [key for key in written if key.endswith(f"/c/{block}") or f"/c/{block}/" in key]
        assert len(of_block) > 30
        assert of_block[-1] == f"status/c/{block}"


def test_a_making_that_was_broken_off_is_no_store_and_the_next_one_clears_it(
    tmp_path: Path,
) -> None:
    location = locate(f"memory://{tmp_path.name}.zarr")
    assert isinstance(location, Objects)
    location.note_create(MAKING, b"")
    # what a making leaves that was killed before the group's own description
    for key in ("status/zarr.json", "status/c/0"):
        obstore.put(location.inside, key, b"\x01\x01")
    assert not location.exists()
    run_here(sweep_file(tmp_path, axes=T0_AND_RINGS), str(location))
    assert Store.open(location).counts().done == 6
    assert location.note_read(MAKING) is None


def test_what_is_there_already_is_no_store_to_be_written_over(tmp_path: Path) -> None:
    location = locate(f"memory://{tmp_path.name}.zarr")
    obstore.put(location.inside, "thesis.tex", b"mine")
    with pytest.raises(StoreError, match="is not a store of a sweep"):
        run_here(sweep_file(tmp_path, axes=T0_AND_RINGS), str(location))
    assert [key for key, _ in location.listing()] == ["thesis.tex"]


def test_files_that_get_their_names_while_a_folder_is_listed_are_passed_over(
    tmp_path: Path,
) -> None:
    for i in range(3):
        (tmp_path / f"{i}.partial").touch()
    listing = locate(tmp_path).listing()
    first, _ = next(listing)
    for i in range(3):
        (tmp_path / f"{i}.partial").rename(tmp_path / f"{i}")
    assert first.endswith(".partial")
    assert list(listing) == []


def test_a_missing_client_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "obstore.py").write_text("raise ImportError", encoding="utf-8")
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = command("sweep", "status", "s3://bucket/x.zarr", cwd=tmp_path, PYTHONPATH=path)
    assert done.returncode == 2
    assert (
        "stores beyond a folder need the package obstore; pip install 'marsdisk[remote]'"
        in done.stderr
    )


def test_a_refusal_names_the_driver_even_while_drivers_come_and_go(tmp_path: Path) -> None:
    store = tmp_path / "s.zarr"
    stop = threading.Event()

    def come_and_go() -> None:
        while not stop.is_set():
            try:
                with driving(store):
                    pass
            except StoreError:
                pass

    driver_thread = threading.Thread(target=come_and_go)
    driver_thread.start()
    refusals = []
    try:
        for _ in range(200):
            try:
                with driving(store):
                    pass
            except StoreError as error:
                refusals.append(str(error))
    finally:
        stop.set()
        driver_thread.join()
    assert [text for text in refusals if "is driving this sweep; wait for it" not in text] == []
