"""Stores from anybody: commands end soon, with one of their exit codes, and print only text."""

import json
import os
import pickle
import re
import resource
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from small_sweeps import sweep_file

import sweep
from marsdisk.common.errors import ConfigError
from marsdisk.common.text import printable
from sweep.cli import main
from sweep.common.errors import StoreError
from sweep.spec.file import load_sweep
from sweep.store import layout, schema
from sweep.store.description import MAX_RUNS, Description
from sweep.store.store import Store

Change = Callable[[Path], object]
EXPECTATIONS = Path(__file__).parents[2] / "data" / "expectations.yaml"
COMMANDS = [
    ["status"],
    ["expect", "--file", str(EXPECTATIONS)],
    ["status", "--json"],
    ["show"],
    ["show", "--cache"],
    ["show", "--columns", "run_id,error"],
    ["card", "0"],
    ["doctor", "--deep"],
    ["resume"],
]
OBEYED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


@pytest.fixture
def store(tmp_path: Path, finished: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "s.zarr"))


def outcome(store: Path, words: list[str]) -> tuple[int, str]:
    """Return exit code and output of a command in this process, on one worker.

    It must not report a defect of the program.
    """
    verb, *options = words
    if verb == "resume":
        options = [*options, "--workers", "0"]
    done = CliRunner().invoke(main, [verb, str(store), *options])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert "defect of the program" not in done.output
    assert "Traceback" not in done.output
    assert not OBEYED.search(done.output)
    return done.exit_code, done.output


def described(array: str, **changes: Any) -> Change:
    def write(store: Path) -> None:
        file = store / array / "zarr.json"
        file.write_text(
            json.dumps({**json.loads(file.read_text(encoding="utf-8")), **changes}),
            encoding="utf-8",
        )

    return write


def attributes(**changes: Any) -> Change:
    return lambda store: described(
        "",
        attributes={
            **json.loads((store / "zarr.json").read_text(encoding="utf-8"))["attributes"],
            **changes,
        },
    )(store)


def text(content: str, *parts: str) -> Change:
    return lambda store: store.joinpath(*parts).write_text(content, encoding="utf-8")


def set_base(store: Path, sections: dict[str, Any]) -> None:
    given = json.loads((store / "zarr.json").read_text(encoding="utf-8"))["attributes"]["sweep"]
    attributes(sweep={**given, "base": {**given["base"], **sections}})(store)


def regular(*shape: int) -> dict[str, Any]:
    return {"name": "regular", "configuration": {"chunk_shape": list(shape)}}


def in_format_2(store: Path) -> None:
    """Write an array of format 2 whose filter loads pickled objects."""
    for path in (store / "zarr.json", store / "error" / "zarr.json"):
        path.unlink()
    (store / ".zgroup").write_text('{"zarr_format": 2}', encoding="utf-8")
    (store / ".zattrs").write_text(json.dumps({"schema_version": 1}), encoding="utf-8")
    description = {
        "zarr_format": 2,
        "shape": [1],
        "chunks": [1],
        "dtype": "|O",
        "compressor": None,
        "fill_value": None,
        "order": "C",
    }
    (store / "error" / ".zarray").write_text(
        json.dumps({**description, "filters": [{"id": "pickle"}]}), encoding="utf-8"
    )
    (store / "error" / "0").write_bytes(pickle.dumps(Touch(str(store / "code_has_run"))))


class Touch:
    """An object that makes a file when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.path,)


DECLARED = [
    ("huge run", described("status", shape=[10**15])),
    (
        "huge everything",
        lambda s: [described(p.parent.name, shape=[10**12])(s) for p in s.glob("*/zarr.json")],
    ),
    ("huge chunk", described("M_loss", chunk_grid=regular(10**12))),
    ("many chunks", described("status", shape=[10**8], chunk_grid=regular(1))),
    ("huge inner", described("N", shape=[6, 2, 10**9], chunk_grid=regular(2, 2, 10**9))),
    ("negative", described("status", shape=[-6])),
    ("no number", described("status", shape=[True])),
    ("fraction", described("status", shape=[6.0])),
    ("no dimension", described("status", shape=[], chunk_grid=regular(), dimension_names=[])),
    ("no chunks", described("status", chunk_grid=regular(0))),
    ("object type", described("error", data_type="object")),
    (
        "type with parts",
        described("error", data_type={"name": "structured", "configuration": {"fields": []}}),
    ),
    (
        "pickle codec",
        described("error", codecs=[{"name": "numcodecs.pickle", "configuration": {}}]),
    ),
    ("no codecs", described("error", codecs=[])),
    (
        "codec settings",
        described(
            "N",
            codecs=[
                {"name": "bytes", "configuration": {"endian": "little"}},
                {"name": "blosc", "configuration": {"cname": []}},
            ],
        ),
    ),
    (
        "big endian",
        described("M_loss", codecs=[{"name": "bytes", "configuration": {"endian": "big"}}]),
    ),
    ("fill value", described("M_loss", fill_value={"a": []})),
    ("fill text", described("status", fill_value="x" * 1000)),
    ("units", described("T0", attributes={"units": {"a": 1}})),
    ("attributes no mapping", described("T0", attributes=[1])),
    ("sweep no mapping", attributes(sweep=["x"])),
    (
        "sweep of nothing",
        attributes(sweep={"content": {}, "base": {}, "command_line": {}, "base_path": ""}),
    ),
    (
        "refined points of text",
        attributes(
            sweep={
                "content": {},
                "base": {},
                "command_line": {},
                "base_path": "",
                "refined": [["x"]],
            }
        ),
    ),
    (
        "sweep of too much",
        attributes(
            sweep={
                "content": {
                    "name": "x",
                    "base": "x",
                    "axes": {"temperature.T0": {"linspace": [1, 2, 10**15]}},
                },
                "base": {},
                "command_line": {},
                "base_path": "",
            }
        ),
    ),
    (
        "sweep of too many",
        attributes(
            sweep={
                "content": {
                    "name": "x",
                    "base": "x",
                    "axes": {f"a{i}": {"linspace": [1, 2, 10**5]} for i in range(9)},
                },
                "base": {},
                "command_line": {},
                "base_path": "",
            }
        ),
    ),
    ("block of nothing", attributes(block_size=0)),
    ("block no number", attributes(block_size="2")),
    ("huge block", attributes(block_size=10**30)),
    ("axes no list", attributes(axes={"T0": 1})),
    ("axes of nothing", attributes(axes=["nothing"])),
    ("axes of lists", attributes(axes=[["T0"]])),
    ("coordinates of nothing", attributes(coordinates="run_id nothing")),
    ("coordinates outside", attributes(coordinates="run_id ../../etc/passwd")),
    ("coordinate of another kind", attributes(coordinates="run_id block in_product t")),
    ("provenance", attributes(provenance="here")),
    ("schema", attributes(schema_version=[1])),
    ("schema far away", attributes(schema_version=10**400)),
    ("deep attribute", attributes(title=json.loads("[" * 60 + "]" * 60))),
    ("a device for a table", lambda s: set_base(s, {"shielding": {"path": "/dev/zero"}})),
    ("a device for Q_pr", lambda s: set_base(s, {"radiation": {"Q_pr": "/dev/zero"}})),
    ("deep", text('{"a":' * 100_000 + "1" + "}" * 100_000, "zarr.json")),
    ("deep array", text("[" * 100_000, "M_loss", "zarr.json")),
    ("no text", lambda s: (s / "zarr.json").write_bytes(b"\xff\xfe")),
    (
        "a pipe for a description",
        lambda s: ((s / "M_loss" / "zarr.json").unlink(), os.mkfifo(s / "M_loss" / "zarr.json")),
    ),
    ("a pipe for the group", lambda s: ((s / "zarr.json").unlink(), os.mkfifo(s / "zarr.json"))),
    (
        "a pipe for a chunk",
        lambda s: ((s / "status" / "c" / "0").unlink(), os.mkfifo(s / "status" / "c" / "0")),
    ),
    (
        "a pipe for names",
        lambda s: ((s / "run_id" / "c" / "0").unlink(), os.mkfifo(s / "run_id" / "c" / "0")),
    ),
    (
        "a link for an array",
        lambda s: (
            (s / "M_loss").rename(s.parent / "elsewhere"),
            (s / "M_loss").symlink_to(s.parent / "elsewhere"),
        ),
    ),
    (
        "a link for chunks",
        lambda s: (shutil.rmtree(s / "status" / "c"), (s / "status" / "c").symlink_to("/dev")),
    ),
    ("a hole of a terabyte", lambda s: os.truncate(s / "status" / "c" / "0", 2**40)),
    ("a terabyte of description", lambda s: os.truncate(s / "M_loss" / "zarr.json", 2**40)),
    (
        "unknown states",
        lambda s: zarr.open_array(s / "status", mode="r+").__setitem__(slice(None), 200),
    ),
    (
        "unknown reasons",
        lambda s: zarr.open_array(s / "stop_reason", mode="r+").__setitem__(slice(None), 200),
    ),
    ("format 2", in_format_2),
    ("a group for an array", described("M_loss", node_type="group")),
]


@pytest.mark.parametrize(
    "change", [case[1] for case in DECLARED], ids=[case[0] for case in DECLARED]
)
def test_whatever_a_store_declares_every_command_ends_with_a_message(
    store: Path, finished: Path, change: Change
) -> None:
    change(store)
    for words in [*COMMANDS, ["compare", str(finished)]]:
        code, output = outcome(store, words)
        assert code in {0, 1, 2, 3}
        assert output
    assert not (store / "code_has_run").exists()


ESCAPES = "\x1b]0;owned\x07\x1b[2J\x9b31m<script>alert(1)</script>[bold red]\u202egnp.exe"


def escaped_texts(store: Path) -> None:
    for name in ("error", "worker", "run_id"):
        array = zarr.open_array(store / name, mode="r+")
        array[...] = np.array([f"{i}{ESCAPES}" for i in range(6)], dtype=np.dtypes.StringDType())
    zarr.open_array(store / "status", mode="r+")[...] = 2


NAMED = [
    ("texts", escaped_texts),
    ("unit", described("T0", attributes={"units": ESCAPES, "long_name": ESCAPES})),
    ("title", attributes(title=ESCAPES)),
    ("array", lambda s: shutil.copytree(s / "M_loss", s / f"a{ESCAPES.replace('/', '')}")),
    ("file", lambda s: (s / f"a{ESCAPES.replace('/', '')}").write_text("x")),
    ("dimension", described("T0", dimension_names=[ESCAPES])),
    ("type", described("T0", data_type=ESCAPES)),
    ("version", attributes(provenance={"model_version": ESCAPES, "tables": {ESCAPES: ESCAPES}})),
    ("plan", attributes(plan_digest=ESCAPES)),
    ("axis", attributes(axes=[ESCAPES])),
    (
        "note",
        lambda s: (s.parent / ".s.zarr.driver").write_text(
            json.dumps({"pid": ESCAPES, "host": ESCAPES, "since": ESCAPES})
        ),
    ),
]


@pytest.mark.filterwarnings("error")  # a warning is printed with what it names
@pytest.mark.parametrize("change", [case[1] for case in NAMED], ids=[case[0] for case in NAMED])
def test_nothing_in_a_store_moves_the_terminal(store: Path, change: Change) -> None:
    change(store)
    for words in COMMANDS:
        outcome(store, words)


def test_texts_are_shown_with_what_a_terminal_would_obey_written_out(store: Path) -> None:
    escaped_texts(store)
    _, output = outcome(store, ["show", "--columns", "error"])
    assert (
        r"0\x1b]0;owned\x07\x1b[2J\x9b31m<script>alert(1)</script>[bold red]\u202egnp.exe" in output
    )


@given(st.text())
def test_printable_text_holds_nothing_that_is_obeyed_and_is_left_alone_where_there_is_nothing(
    words: str,
) -> None:
    shown = printable(words)
    assert not OBEYED.search(shown)
    assert (
        shown == words
        or OBEYED.search(words)
        or re.search(r"[\u061c\u202a-\u202e\ud800-\udfff]", words)
    )


def bomb(store: Path, name: str) -> None:
    """Write a chunk of a few bytes that declares to unpack to very many."""
    if name == "T0":
        content = b"\x28\xb5\x2f\xfd" + bytes([0xE0]) + struct.pack("<Q", 2**37) + b"\x01\x00\x00"
        codecs = [
            {"name": "bytes", "configuration": {"endian": "little"}},
            {"name": "zstd", "configuration": {"level": 0, "checksum": False}},
        ]
        chunk = store / name / "c" / "0"
    elif name == "run_id":
        content = struct.pack("<I", 2**28)
        codecs = [{"name": "vlen-utf8"}]
        chunk = store / name / "c" / "0"
    else:
        whole = (store / name / "c" / "0" / "0").read_bytes()[:-4]
        content = whole[:4] + struct.pack("<I", 2**31 - 100) + whole[8:]
        codecs = [
            {"name": "bytes", "configuration": {"endian": "little"}},
            {
                "name": "blosc",
                "configuration": {
                    "cname": "lz4",
                    "clevel": 5,
                    "shuffle": "shuffle",
                    "typesize": 8,
                    "blocksize": 0,
                },
            },
        ]
        chunk = store / name / "c" / "0" / "0"
    described(name, codecs=codecs)(store)
    chunk.write_bytes(content)


@pytest.mark.parametrize("name", ["T0", "run_id", "cache_hits"])
def test_a_chunk_that_unpacks_to_very_much_is_refused_before_it_is_unpacked(
    store: Path, name: str
) -> None:
    bomb(store, name)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for read in (Store.column, lambda store, name: store.rows(name, 0)):
        with pytest.raises(StoreError, match=rf"{name} is damaged: .*{name}/c/.* cannot be read"):
            read(Store.open(store), name)
    with pytest.raises(
        StoreError, match=rf"{name}/c/.* cannot be read: .*sweep doctor {re.escape(str(store))}"
    ):
        sweep.open_store(store)[name].load()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000  # kB
    assert outcome(store, ["doctor"])[0] == 1


@pytest.mark.parametrize(
    "packed_by",
    [("bytes", "zstd", "zstd"), ("bytes", "crc32c", "zstd"), ("bytes", "zstd", "crc32c", "crc32c")],
)
def test_an_array_is_packed_once(store: Path, packed_by: tuple[str, ...]) -> None:
    codecs = [{"name": name} for name in packed_by]
    described("T0", codecs=codecs)(store)
    with pytest.raises(StoreError, match="packed in a way that this program does not use"):
        Store.open(store)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=5)
    | st.sampled_from(["run", "regular", "bytes", "float64", "/"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(max_size=5) | st.sampled_from(["name", "configuration", "chunk_shape"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@given(
    key=st.sampled_from(
        [
            "shape",
            "data_type",
            "chunk_grid",
            "chunk_key_encoding",
            "fill_value",
            "codecs",
            "attributes",
            "dimension_names",
            "zarr_format",
            "node_type",
            "storage_transformers",
        ]
    ),
    value=JSON,
    name=st.sampled_from(["M_loss", "N", "error", "T0"]),
)
def test_any_value_in_a_description_gives_an_array_or_a_refusal(
    finished: Path, key: str, value: Any, name: str
) -> None:
    description = json.loads((finished / name / "zarr.json").read_text(encoding="utf-8"))
    try:
        spec = schema.read_array(name, json.dumps({**description, key: value}).encode())
    except ValueError:
        return
    assert spec.shape[0] <= MAX_RUNS
    assert spec.chunk_bytes <= schema.MAX_CHUNK_BYTES


@given(key=st.sampled_from([*Description.model_fields]), value=JSON)
def test_any_value_of_an_attribute_gives_a_group_or_a_refusal(
    finished: Path, key: str, value: Any
) -> None:
    description = json.loads((finished / "zarr.json").read_text(encoding="utf-8"))
    try:
        read = Description.read(
            json.dumps(
                {**description, "attributes": {**description["attributes"], key: value}}
            ).encode()
        )
    except ValueError:
        return
    assert read.recorded[key] == value


@pytest.mark.parametrize("name", ["../outside", "/etc/outside", "a/b", "..", "", "a\n", "x\x1b[2J"])
def test_no_name_in_a_sweep_file_leads_out_of_the_store(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError):
        load_sweep(sweep_file(tmp_path, name=name, axes={"temperature.T0": [3000.0, 4000.0]}))
    for axis in ({name: {"rings": [1.0, 2.0, 2]}}, {f"temperature.{name}": [1.0, 2.0]}):
        done = CliRunner().invoke(
            main,
            [
                "run",
                str(sweep_file(tmp_path, axes=axis)),
                "--workers",
                "0",
                "--store",
                str(tmp_path / "s.zarr"),
            ],
        )
        assert done.exit_code == 2
        assert not OBEYED.search(done.output)
    assert {path.name for path in tmp_path.iterdir()} == {"small.yaml"}


@pytest.mark.parametrize(
    "expectations",
    [
        {f"a{ESCAPES}": {"expect": "M_loss < 0"}},
        {"a": {"expect": f"M_loss < 0 {ESCAPES}"}},
        {"a": {"expect": f"run_id == '[bold]{ESCAPES}'"}},
        {"a": {"along": ESCAPES, "expect": "earlier(M_loss < 0)"}},
        {ESCAPES: ESCAPES},
        {"a": {ESCAPES: 1}},
        {"a": {"expect": "(" * 400 + "M_loss" + ")" * 400}},
        {"a": {"over": "T0", "expect": "[bold] < largest(M_loss)"}},
        [1],
        7,
        {"a": None},
        {"a": {"expect": "run_id == 'x'"}},
    ],
)
def test_a_record_from_anybody_ends_with_a_message_that_is_only_text(
    finished: Path, tmp_path: Path, expectations: Any
) -> None:
    store = Path(shutil.copytree(finished, tmp_path / "s.zarr"))
    run_ids = zarr.open_array(store / "run_id", mode="r+")
    run_ids[...] = np.array([f"{i}{ESCAPES}" for i in range(6)], dtype=np.dtypes.StringDType())
    given = json.loads((store / "zarr.json").read_text(encoding="utf-8"))["attributes"]["sweep"]
    attributes(sweep={**given, "content": {**given["content"], "expect": expectations}})(store)
    for words in (["expect"], ["expect", "--json"]):
        code, output = outcome(store, words)
        assert code in {2, 3}
        assert output
    assert layout.DONE in zarr.open_group(store, mode="r")["status"][:]
