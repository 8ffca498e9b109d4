"""The benchmarks run and report, on work too small for their figures to mean anything.

``make test`` takes only those tests that run no benchmark; that all of them can be imported is seen
there, too.
"""

import re
from pathlib import Path

import pytest

from tests.benchmarks import (
    bins,
    flushing,
    many,
    overhead,
    page,
    rivals,
    simulated_cluster,
    startup,
    storage,
)

DOCS = Path(__file__).parents[2] / "docs"


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.mark.thorough
def test_many_runs_are_all_done_and_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many, "SAMPLE", 10)
    rows = dict(many.rows(16))
    assert re.fullmatch(
        r"\d+ s, \d+ runs per second",
        rows["sweep run of 16 runs, 2 workers, from typing to the end"],
    )
    assert re.fullmatch(r"\d+ files, [\d.]+ GB, [\d.]+ kB per run", rows["files, bytes"])


@pytest.mark.thorough
def test_parts_of_a_run_add_up_to_what_it_costs(tmp_path: Path) -> None:
    milliseconds = {
        part.partition(": ")[2] or part: float(figure.split()[0])
        for part, figure in overhead.parts_of_a_run(tmp_path)
    }
    whole = milliseconds.pop("all but the integrator")
    milliseconds.pop("integrator and its dense output")
    assert sum(milliseconds.values()) == pytest.approx(whole, abs=0.004)


@pytest.mark.thorough
def test_the_block_of_a_dead_worker_runs_on_another(tmp_path: Path) -> None:
    ((_, figure),) = overhead.blocks_of_a_dead_worker(tmp_path)
    assert re.fullmatch(r"[\d.]+ s", figure)


@pytest.mark.thorough
def test_bins_start_up_and_storage_have_a_row_for_each_case() -> None:
    assert [cells(line)[0] for line in bins.lines((8, 16), 0.01, 1)[2:4]] == ["8", "16"]
    assert len(startup.lines(1, (0,))) > 4
    default_codec = storage.CODECS[0]
    packed = storage.LAYOUTS[-1]
    lines = storage.lines(36, 1, (default_codec,), (default_codec, packed))
    assert [
        cells(line)[0]
        for line in lines
        if line.startswith("| ") and "layout" not in line and "---" not in line
    ] == [
        default_codec.title,
        default_codec.title,
        packed.title,
    ]


@pytest.mark.thorough
def test_a_block_is_committed_flushed_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flushing, "RUNS", 18)
    lines = flushing.lines(2)
    assert [cells(line)[0] for line in lines[-3:]] == list(flushing.WAYS)
    assert all(float(cells(line)[1]) > 0.0 for line in lines[-3:])


@pytest.mark.thorough
def test_rivals_do_the_same_runs_and_those_not_installed_are_named() -> None:
    lines = rivals.tool_lines(1, 1, ("ours", "pool"))
    assert lines[0].startswith("18 runs")
    assert [cells(line)[0] for line in lines[-2:]] == [
        "**sweep run**",
        "multiprocessing.Pool, one npz per run",
    ]
    tool = rivals.TOOLS["pool"]._replace(package="no_such_package", title="Nobody's tool")
    nobody = {"nobody": tool}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rivals, "TOOLS", rivals.TOOLS | nobody)
        assert "Not installed and left out: Nobody's tool." in rivals.tool_lines(
            1, 1, ("ours", "nobody")
        )


@pytest.mark.thorough
def test_a_simulated_cluster_does_all_blocks() -> None:
    row = cells(simulated_cluster.lines(((3, 0.01),), 0.1)[-1])
    assert row[:2] == ["3", "0.01"]
    assert float(row[4]) > 0.0


@pytest.mark.parametrize("name", ["performance.md", "scale.md", "stores.md"])
def test_pages_hold_a_table_at_every_place_for_one(name: str) -> None:
    places = re.findall(
        r"<!-- ([^:\n]+): python -m (tests\.benchmarks\.\w+).*? -->\n(.*?)<!-- end -->",
        (DOCS / name).read_text(encoding="utf-8"),
        re.DOTALL,
    )
    assert places
    for title, module, lines in places:
        assert module == f"tests.benchmarks.{title.split()[0]}"
        assert "| --- |" in lines
        assert re.search(r"cores of .+, load average .+ \d{4}-\d\d-\d\d", lines)


def test_a_table_that_has_no_place_on_its_page_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = tmp_path / "page.md"
    empty.write_text("# Nothing\n", encoding="utf-8")
    monkeypatch.setattr("sys.argv", ["x", "--write"])
    with pytest.raises(ValueError, match="no markers for the table bins"):
        page.publish("bins", empty, lambda: ["| a |"])
