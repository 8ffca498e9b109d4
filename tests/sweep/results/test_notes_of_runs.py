"""Caveats of a run are stored with its result, and every view words them the same."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from small_sweeps import MIXED, as_of_schema, base_in, run_command, run_here, sweep_file

import sweep
from marsdisk.notes import SENTENCES, Note
from marsdisk.zero_d import run_zero_d
from sweep import plots
from sweep.browse.answers import answer
from sweep.browse.study import Study
from sweep.cli import main
from sweep.common.errors import NotesWarning
from sweep.results.notes import UNRECORDED, Notes
from sweep.results.rerun import RecordedRuns
from sweep.store import doctor, layout
from sweep.store.store import Store

EARLY = SENTENCES[Note.STOPPED_EARLY]


def output_of(*arguments: object) -> str:
    done = CliRunner().invoke(main, [*map(str, arguments)], env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    return done.output


def flags_of(store: Path) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return the notes of each run, 0 where it is not done."""
    group = Store.open(store)
    return np.where(group.column("status") == layout.DONE, group.column(layout.NOTES), 0)


def test_the_notes_of_a_store_are_those_of_its_runs(mixed: Path) -> None:
    group = Store.open(mixed)
    recorded = RecordedRuns.of(group)
    done = np.flatnonzero(group.column("status") == layout.DONE)
    alone = [int(run_zero_d(recorded.config(run)).notes) for run in done.tolist()]
    assert flags_of(mixed)[done].tolist() == alone
    assert Note.STOPPED_EARLY in [Note.STOPPED_EARLY & Note(flags) for flags in alone]
    counts = Notes.of(group).counts
    for note in Note:
        assert counts.get(note, 0) == sum(note in Note(flags) for flags in alone)
    assert all(counts.values())


def test_masks_and_meanings_of_the_array_follow_the_cf_conventions(mixed: Path) -> None:
    attributes = sweep.open_store(mixed).notes.attrs
    assert attributes["flag_masks"] == [int(note) for note in Note]
    assert attributes["flag_meanings"].split() == [str(note.name).lower() for note in Note]


@pytest.mark.parametrize(
    "view",
    [
        ("show", "STORE"),
        ("card", "STORE", "RUN"),
        ("export", "STORE", "--to", "csv", "--out", "OUT.csv"),
        ("summary", "STORE", "--target", "M_loss"),
        ("plot", "STORE", "heatmap", "--x", "T0", "--y", "variant", "--out", "OUT.svg"),
        ("plot", "STORE", "series", "--run", "RUN", "--out", "OUT.svg"),
        ("plot", "STORE", "psd", "--run", "RUN", "--out", "OUT.svg"),
        (
            "plot",
            "STORE",
            "radial",
            "--where",
            "variant == 'early' and T0 == 5000",
            "--out",
            "OUT.svg",
        ),
        ("plot", "STORE", "sensitivity", "--out", "OUT.svg"),
        ("export", "STORE", "--to", "netcdf", "--out", "OUT.nc"),
        ("compare", "STORE", "STORE"),
        ("status", "STORE"),
    ],
    ids=lambda view: " ".join(view[:3:2]),
)
def test_every_command_tells_them(mixed: Path, tmp_path: Path, view: tuple[str, ...]) -> None:
    early = int(np.flatnonzero(flags_of(mixed) & Note.STOPPED_EARLY)[0])
    names = {
        "STORE": str(mixed),
        "RUN": str(early),
        "OUT.csv": str(tmp_path / "o.csv"),
        "OUT.svg": str(tmp_path / "o.svg"),
        "OUT.nc": str(tmp_path / "o.nc"),
    }
    output = output_of(*(names.get(word, word) for word in view))
    assert ("stopped early" if view[0] == "compare" else EARLY) in output
    if (tmp_path / "o.svg").exists():
        assert "stopped early" in (tmp_path / "o.svg").read_text(encoding="utf-8")


def test_the_end_of_a_sweep_tells_them(tmp_path: Path) -> None:
    variants = {"whole": {}, "short": {"numerics.mass_loss_rate_stop_Mmars_s": 1e-18}}
    file = sweep_file(tmp_path, base=base_in(tmp_path), axes=MIXED["axes"], variants=variants)
    done = run_command(
        "sweep", "run", file, "--store", tmp_path / "s.zarr", "--workers", 0, cwd=tmp_path
    )
    assert re.search(rf"note: 6 of 12 runs \(loss_rate 6\): {EARLY}", " ".join(done.stdout.split()))


def test_who_watches_a_sweep_is_told_them_at_its_end(mixed: Path, tmp_path: Path) -> None:
    variants = {"whole": {}, "short": {"numerics.mass_loss_rate_stop_Mmars_s": 1e-18}}
    file = sweep_file(tmp_path, base=base_in(tmp_path), axes=MIXED["axes"], variants=variants)
    run_here(file, tmp_path / "s.zarr")
    assert EARLY in " ".join(output_of("watch", tmp_path / "s.zarr").split())


def test_the_status_of_a_sweep_counts_them_for_programs(mixed: Path) -> None:
    counts = json.loads(output_of("status", mixed, "--json"))["notes"]
    assert counts == {
        note.label: count for note, count in Notes.of(Store.open(mixed)).counts.items()
    }


def test_a_table_marks_the_runs_that_have_them(mixed: Path) -> None:
    lines = output_of("show", mixed, "--rows", "99").splitlines()
    marked = {int(line.split()[1]) for line in lines if line[:1] == "│" and line.split()[2] == "*"}
    assert marked == {*np.flatnonzero(flags_of(mixed)).tolist()}


def test_the_total_of_a_disk_says_when_its_rings_ended(mixed: Path) -> None:
    dataset = sweep.open_store(mixed)
    total = dataset.sweep.disk_total()
    t_end = dataset.sweep.grid().t_end
    is_whole = np.isfinite(total.M_loss.values)
    for name, end in (("t_end_first", t_end.min("ring")), ("t_end_last", t_end.max("ring"))):
        assert total[name].attrs["units"] == "s"
        assert total[name].values[is_whole].tolist() == end.values[is_whole].tolist()


def test_the_json_of_a_question_has_them(mixed: Path) -> None:
    content = json.loads(output_of("summary", mixed, "--target", "M_loss", "--json"))
    assert any(line.endswith(EARLY) for line in content["notes"])


def test_the_page_tells_them(mixed: Path) -> None:
    moment = Study.of(mixed).moment
    head = answer(moment, "head", {})
    assert "with notes" in head["html"]
    assert EARLY in head["html"]
    early = int(np.flatnonzero(flags_of(mixed) & Note.STOPPED_EARLY)[0])
    assert EARLY in answer(moment, "about", {"runs": str(early)})["html"]
    assert EARLY in answer(moment, "trust", {})["html"]


def test_python_tells_them(mixed: Path) -> None:
    dataset = sweep.open_store(mixed)
    table = dataset.sweep.notes()
    assert (
        table.loc["stopped_early", "runs"]
        == int(((flags_of(mixed) & Note.STOPPED_EARLY) != 0).sum())
        > 0
    )
    assert table.loc["stopped_early", "meaning"] == EARLY
    assert EARLY in repr(dataset.sweep)
    whole = dataset.isel(run=np.flatnonzero((dataset.notes.values & Note.STOPPED_EARLY) == 0))
    assert "stopped_early" not in whole.sweep.notes().index


def test_a_disk_has_the_notes_of_its_rings(mixed: Path) -> None:
    dataset = sweep.open_store(mixed)
    total = dataset.sweep.disk_total()
    grid = dataset.sweep.grid().notes
    assert total.notes.dims == tuple(dim for dim in grid.dims if dim != "ring")
    assert (total.notes == (grid.isel(ring=0) | grid.isel(ring=1))).all()


def test_runs_are_chosen_by_their_notes(mixed: Path) -> None:
    flags = flags_of(mixed)
    shown = output_of("show", mixed, "--where", "'stopped_early' in notes", "--columns", "notes")
    assert f"{int(((flags & Note.STOPPED_EARLY) != 0).sum())} of {flags.size} runs" in shown
    assert "stopped_early" in shown
    shown = output_of("show", mixed, "--where", "notes == ''")
    is_done = Store.open(mixed).column("status") == layout.DONE
    assert f"{int((flags[is_done] == 0).sum())} of" in shown


def test_notes_of_single_runs_and_of_a_grid_are_told(mixed: Path) -> None:
    dataset = sweep.open_store(mixed)
    assert "note: " in repr(dataset.sweep.grid().sweep)
    assert "status: " in repr(dataset.isel(run=[0]).sweep)


@pytest.mark.parametrize("name", ["notes", "status", "stop_reason"])
def test_flags_are_no_numbers_to_draw(mixed: Path, name: str) -> None:
    done = CliRunner().invoke(
        main, ["plot", str(mixed), "heatmap", "--name", name, "--x", "T0", "--y", "variant"]
    )
    assert (done.exit_code, done.exception is None or isinstance(done.exception, SystemExit)) == (
        2,
        True,
    )
    assert f"'{name}' is no number per run of the store" in done.output


def test_no_run_that_is_not_done_is_said_to_be_sound(mixed: Path) -> None:
    group = Store.open(mixed)
    done = int((group.column("status") == layout.DONE).sum())
    assert Notes.of(group).flags.size == done < group.column("status").size


@pytest.mark.parametrize("schema", [1, 2])
def test_an_older_store_says_that_it_kept_none(mixed: Path, tmp_path: Path, schema: int) -> None:
    store = tmp_path / "old.zarr"
    shutil.copytree(mixed, store)
    early = int(((flags_of(store) & Note.STOPPED_EARLY) != 0).sum())
    as_of_schema(store, schema)
    now, before = (doctor.examine(location, deep=True).findings for location in (store, mixed))
    assert [(finding.kind, finding.names) for finding in now] == [
        (finding.kind, finding.names) for finding in before
    ]
    lines = Notes.of(Store.open(store)).lines
    assert lines[-1] == UNRECORDED
    assert any(line.startswith(f"{early} of") and line.endswith(EARLY) for line in lines)
    assert UNRECORDED in output_of("show", store)
    assert "clamped" in output_of("export", store, "--to", "csv", "--out", "-").splitlines()[0]
    assert UNRECORDED in repr(sweep.open_store(store).sweep)
    with pytest.warns(NotesWarning, match="kept no notes"):
        sweep.open_store(store).sweep.notes()
    figure = plots.draw(store, "heatmap", x="T0", y="variant")
    assert "notes not recorded" in figure.get_suptitle()
