"""What the page prepares before anybody asks for it; tests/browser has the tests in a browser."""

import shutil
from pathlib import Path

import pytest

pytest.importorskip("bokeh")
from bokeh.document import Document
from small_sweeps import run_here, sweep_file

from sweep.browse.details.chosen import PARTS
from sweep.browse.page import VIEWS, Page, data_of

LOOKS = 20  # more than there are things to make


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store of four runs; read only."""
    folder = tmp_path_factory.mktemp("four")
    run_here(
        sweep_file(
            folder,
            axes={"temperature.T0": [3000.0, 4000.0], "optical_depth.tau0_target": [0.5, 1.0]},
        ),
        folder / "four.zarr",
    )
    return folder / "four.zarr"


def pass_a_second(page: Page) -> None:
    """Let the server do what it does every second."""
    (every_second,) = page.document.session_callbacks
    every_second.callback()


def things(page: Page) -> list[str]:
    return [*page.details.parts, *page.views]


def test_one_thing_is_made_at_a_time_and_only_when_nothing_was_done(store: Path) -> None:
    page = Page(Document(), data_of(store))
    pass_a_second(page)
    assert things(page) == ["Map"]
    for parts in (["Series"], ["Series", "Sizes"], ["Series", "Sizes", "Run"]):
        pass_a_second(page)
        assert list(page.details.parts) == parts
    page.choose([2])
    deeds = (
        lambda: page.pages.update(active=1),
        lambda: page.details.choice.update(active=1),
        lambda: page.details.parts["Sizes"].slider.update(value=1),
        lambda: page.details.parts["Sizes"].per.update(value="number"),
        lambda: page.filter.update(value="T0 > 3500"),
    )
    for deed in deeds:
        deed()
        before = things(page)
        pass_a_second(page)
        assert things(page) == before
    for _ in range(LOOKS):
        pass_a_second(page)
    assert set(things(page)) == {*PARTS, *VIEWS}


def test_views_that_nobody_sees_follow_the_filter(store: Path) -> None:
    page = Page(Document(), data_of(store))
    for condition, count in (("", 4), ("T0 > 3500", 2)):
        page.filter.value = condition
        for _ in range(LOOKS):
            pass_a_second(page)
        assert f"{count} of 4 runs." in page.views["Runs"].note.text
        assert f"{count} runs." in page.views["Parallel"].note.text
        assert f"Sums over {count} finished runs." in page.views["Cache"].text.text
    assert [name for name, view in page.views.items() if view.root.visible] == ["Map"]


def test_a_filter_stays_when_the_store_goes_on(store: Path, tmp_path: Path) -> None:
    growing = Path(shutil.copytree(store, tmp_path / "growing.zarr"))
    commit = growing / "status" / "c" / "0"
    content = commit.read_bytes()
    commit.unlink()
    page = Page(Document(), data_of(growing))
    page.filter.value = "T0 > 3500"
    assert page.runs.tolist() == [2, 3]
    commit.write_bytes(content)
    # makes the next check for changes due; the page has no clock that could be set
    page._next_look = 0.0  # noqa: SLF001
    pass_a_second(page)
    assert page.data.finished
    assert page.runs.tolist() == [2, 3]


def test_what_cannot_be_made_keeps_nothing_else_from_being_made(
    store: Path, tmp_path: Path
) -> None:
    damaged = Path(shutil.copytree(store, tmp_path / "damaged.zarr"))
    for chunk in (damaged / "M_loss" / "c").rglob("*"):
        if chunk.is_file():
            chunk.write_bytes(b"no chunk")
    page = Page(Document(), data_of(damaged))
    assert "M_loss is damaged" in page.problem.text
    for _ in range(LOOKS):
        pass_a_second(page)
    assert "Made by" in page.views["Provenance"].text.text
    assert "Sums over 4 finished runs." in page.views["Cache"].text.text
    page.pages.active = list(VIEWS).index("Cache")
    assert not page.alert.visible
    page.pages.active = list(VIEWS).index("Runs")
    assert page.alert.visible
    assert [name for name, view in page.views.items() if view.root.visible] == ["Runs"]
