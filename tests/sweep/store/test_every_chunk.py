"""Every chunk of a committed block is a file; the doctor and all readers notice a missing one."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import zarr
from click.testing import CliRunner
from small_sweeps import MIXED, T0_AND_RINGS, as_of_schema, assert_same_bits, run_here, sweep_file

import sweep
from sweep.cli import main
from sweep.common.errors import StoreError
from sweep.store import chunks, doctor, layout, schema
from sweep.store.locate import locate
from sweep.store.store import Store, read_descriptions

SWEEPS = {
    "rings": {"axes": T0_AND_RINGS},
    "failed, stopped, checked": MIXED,
    "damping, energy": {
        "axes": {"temperature.T0": [3000.0, 4000.0]},
        "set": {"numerics.t_end_years": 0.001},
        "variants": {
            "plain": {},
            "damped": {"dynamics.damping": {"e_eq": 0.1}},
            "summed": {"energy.enabled": True},
        },
    },
    "design": {
        "sample": {
            "method": "sobol",
            "n": 4,
            "seed": 1,
            "axes": {"dynamics.i0": {"loguniform": [0.005, 0.1]}},
        },
        "set": {"numerics.t_end_years": 0.001},
    },
}


#: What the others have as well.
COVERED = ("rings", "design")


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(name, marks=pytest.mark.thorough if name in COVERED else ()) for name in SWEEPS
    ],
)
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a finished store, with its sweep file in the same folder; read only."""
    folder = tmp_path_factory.mktemp("whole")
    run_here(sweep_file(folder, **SWEEPS[request.param]), folder / "s.zarr")
    return folder / "s.zarr"


def keys_of_chunks(store: Path) -> dict[str, list[str]]:
    """Return the keys of the files with chunks, by array."""
    location = locate(store)
    attributes, described = read_descriptions(location)
    arrays, _ = schema.read_arrays(described, attributes)
    files = chunks.files_of(location, arrays)
    return {
        name: [chunk.key for chunk in chunks_of_array]
        for name, chunks_of_array in files.chunks.items()
    }


def test_every_array_has_all_its_chunks(whole: Path) -> None:
    location = locate(whole)
    attributes, described = read_descriptions(location)
    arrays, _ = schema.read_arrays(described, attributes)
    files = chunks.files_of(location, arrays)
    assert {name: chunks.absent(spec, files.chunks[name]) for name, spec in arrays.items()} == {
        name: [] for name in arrays
    }


def test_whatever_chunk_is_gone_the_doctor_misses_it_and_readers_refuse_it(
    whole: Path, tmp_path: Path
) -> None:
    store = Path(shutil.copytree(whole, tmp_path / "s.zarr"))
    keys_by_array = keys_of_chunks(whole)
    assert len(keys_by_array) > 40
    for name, keys in keys_by_array.items():
        for key in (keys[0], keys[-1]):
            with absent(store / key):
                assert_missed(store, name)
    assert doctor.examine(store).is_clean


@contextlib.contextmanager
def absent(file: Path) -> Iterator[None]:
    """Hide a file for a while."""
    content = file.read_bytes()
    file.unlink()
    yield
    file.write_bytes(content)


def assert_missed(store: Path, name: str) -> None:
    """Assert that a missing chunk of an array is noticed.

    A block whose chunk of ``status`` is missing counts as not committed.
    """
    findings = doctor.examine(store).findings
    assert findings, name
    if name == "status":
        return
    assert any(
        name in f"{finding.names} {finding.meaning}" or finding.blocks for finding in findings
    ), name
    with pytest.raises(StoreError, match=rf"{name}.* missing; see what can be done: sweep doctor"):
        sweep.open_store(store)
    lost = rf"{name} is damaged: {name}/c/\d+( is| and \d+ more are) missing"
    with pytest.raises(StoreError, match=lost):
        Store.open(store).column(name)


def test_lost_chunks_are_computed_again_to_the_same_bits(whole: Path, tmp_path: Path) -> None:
    store = tmp_path / "s.zarr"
    shutil.copytree(whole, store)
    for name, keys in keys_of_chunks(store).items():
        if layout.is_by_block(name) and name != "s":
            (store / keys[0]).unlink()
    done = CliRunner().invoke(main, ["doctor", str(store), "--repair"])
    assert done.exit_code == 1
    shutil.copy(whole.parent / "small.yaml", tmp_path / "small.yaml")
    run_here(tmp_path / "small.yaml", store)
    assert_same_bits(store, whole)
    assert doctor.examine(store, deep=True).is_clean


def test_arrays_that_an_extension_brings_have_chunks_for_the_blocks_that_were_there(
    tmp_path: Path,
) -> None:
    axes = {"temperature.T0": [3000.0, 4000.0]}
    short = {"numerics.t_end_years": 0.001}
    run_here(
        sweep_file(tmp_path, axes=axes, set=short, variants={"plain": {}}), tmp_path / "s.zarr"
    )
    both = {"plain": {}, "summed": {"energy.enabled": True}}
    run_here(
        sweep_file(tmp_path, axes=axes, set=short, variants=both),
        tmp_path / "s.zarr",
        extending=True,
    )
    assert doctor.examine(tmp_path / "s.zarr", deep=True).is_clean
    summed = sweep.open_store(tmp_path / "s.zarr").E_collisions.values
    assert np.isfinite(summed).tolist() == [False, False, True, True]


def test_coordinates_that_were_never_written_are_no_values(whole: Path) -> None:
    group = zarr.open_group(whole, mode="r")
    for name in str(group.attrs["coordinates"]).split():
        array = group[name]
        assert isinstance(array, zarr.Array)
        kind = array.dtype.kind
        if kind == "f":
            assert np.isnan(array.fill_value), name
        elif kind == "i":
            assert array.fill_value == np.iinfo(array.dtype).min, name


def test_stores_of_the_first_schema_are_read_and_lack_what_they_never_wrote(
    whole: Path, tmp_path: Path
) -> None:
    store = tmp_path / "s.zarr"
    shutil.copytree(whole, store)
    as_of_schema(store, 1)
    (store / keys_of_chunks(store)["cache_refused"][0]).unlink()
    assert doctor.examine(store).is_clean
    assert (sweep.open_store(store).cache_refused.values == 0).all()


def commit_after_the_first_listing(
    patch: pytest.MonkeyPatch,
    location: Path,
    whole: Path,
    modules: tuple[ModuleType, ...],
) -> None:
    """Let a driver commit all blocks as soon as files have been listed once."""
    files_of_chunks = chunks.files_of
    listed: list[str] = []

    def list_files(*arguments: Any, **options: Any) -> chunks.Files:
        listing = files_of_chunks(*arguments, **options)
        listed.append("")
        if len(listed) == 1:
            shutil.copytree(whole, location, dirs_exist_ok=True)
        return listing

    for module in modules:
        patch.setattr(module, "files_of", list_files)


@pytest.fixture
def begun(whole: Path, tmp_path: Path) -> Path:
    """Return the same store before any of its blocks was run."""
    store = tmp_path / "s.zarr"
    shutil.copytree(whole, store)
    for variable in layout.variables(shared_grid=False, parts=layout.OPTIONAL):
        chunks_of = store / variable.name / "c"
        if chunks_of.exists() and layout.is_by_block(variable.name):
            shutil.rmtree(chunks_of)
    return store


def test_blocks_that_are_committed_while_a_reader_looks_are_not_lost(
    whole: Path,
    begun: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        commit_after_the_first_listing(patch, begun, whole, (chunks,))
        column = Store.open(begun).column("M_loss")
    assert column.shape == Store.open(whole).column("M_loss").shape


def test_blocks_that_are_committed_while_the_doctor_looks_are_not_lost(
    whole: Path,
    begun: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        commit_after_the_first_listing(patch, begun, whole, (doctor,))
        kinds = [finding.kind for finding in doctor.examine(begun).findings]
    assert "lost chunks" not in kinds
    assert doctor.examine(begun).findings == []
