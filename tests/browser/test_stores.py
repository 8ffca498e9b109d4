"""Stores that are written meanwhile, hostile, or very large; servers that go; Dask's dashboard."""

import os
import re
import signal
import subprocess
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hands import PATIENCE, VIEWS, Open, chosen, click, only_where, settled, turn_to
from playwright.sync_api import Browser, Dialog, expect
from small_sweeps import MELT, SCRIPTS, command, in_one_line, run_here

import sweep
from marsdisk.config import load_config
from sweep.browse.dashboard import dashboard_page
from sweep.store.fence import Fence
from sweep.workers.block import BlockTask
from sweep.workers.dashboard import results_page
from sweep.workers.start import workers_from
from sweep.workers.watchdog import Limits
from tests.benchmarks import browsing


def test_a_store_that_is_still_written_shows_what_is_committed_and_then_the_rest(
    half: tuple[Path, Path], open_page: Open
) -> None:
    file, store = half
    page = open_page(store)
    expect(
        page.get_by_text("10 done, 0 failed, 2 pending of 12 runs; not finished")
    ).to_be_visible()
    address = page.url
    run_here(file, store)
    expect(page.get_by_text("12 done, 0 failed, 0 pending of 12 runs; finished")).to_be_visible()
    expect(page.locator(".middle").get_by_text(re.compile("pending"))).to_have_count(0)
    settled(page)
    assert page.url == address


def test_failures_that_come_later_get_their_badge(
    failing: tuple[Path, Callable[[], None]], open_page: Open
) -> None:
    store, go_on = failing
    page = open_page(store)
    expect(page.locator("summary", has_text="failed")).to_have_count(0)
    go_on()
    expect(page.locator("summary", has_text="2 failed")).to_be_visible()


def test_a_page_goes_on_when_its_server_does(rings: Path, tmp_path: Path, open_page: Open) -> None:
    @contextmanager
    def server(port: str) -> Iterator["subprocess.Popen[str]"]:
        words = [str(SCRIPTS / "sweep"), "browse", str(rings), "--no-open", "--port", port]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as process:
            try:
                yield process
            finally:
                process.kill()

    with server("0") as first:
        assert first.stdout is not None
        address = re.search(r"http://\S+:(\d+)/", first.stdout.readline())
        assert address
        page = open_page(address[0])
        click(page, 1, 1)
        runs = chosen(page)
    expect(page.get_by_role("alert")).to_contain_text("the server does not answer")
    with server(address[1]):
        expect(page.get_by_role("alert")).to_be_hidden()
        assert chosen(page) == runs
        turn_to(page, "Runs")
        expect(page.get_by_text("12 of 12 runs.")).to_be_visible()
    # what the browser says of a server that is gone is no complaint about the page
    page.goto("about:blank")


def test_hostile_text_is_shown_as_text(hostile: Path, open_page: Open) -> None:
    page = open_page(hostile)
    questions: list[str] = []

    def refuse(dialog: Dialog) -> None:
        questions.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", refuse)
    for view in (*VIEWS, "Overview"):
        turn_to(page, view)
    failed = int(np.flatnonzero(sweep.open_store(hostile).status.values == 2)[0])
    page.goto(f"{page.url.partition('#')[0]}#runs={failed}&part=numbers")
    page.reload()
    settled(page)
    error = page.locator(".details .error").first
    expect(error).to_contain_text("<script>alert(2)</script>")
    words = error.inner_text()
    assert len(words) <= 601
    assert "\\u202e" in words
    assert page.locator("img, script[src='x'], bdi b").count() == 0
    click(page, 0, 0)
    assert questions == []


@pytest.mark.thorough
def test_very_many_runs_are_looked_at(large: Path, open_page: Open) -> None:
    page = open_page(large)
    expect(page.get_by_text("99484 done, 516 failed, 0 pending of 100000 runs")).to_be_visible()
    only_where(page, "status == 'failed'")
    turn_to(page, "Runs")
    expect(page.get_by_text("516 of 100000 runs.")).to_be_visible()
    turn_to(page, "Parallel")
    expect(page.get_by_text("516 lines.")).to_be_visible()


@pytest.mark.thorough
def test_every_deed_of_the_benchmark_is_done_on_a_large_store(
    large: Path, serve: Callable[..., str], chromium: Browser
) -> None:
    seconds = browsing.visit(chromium, serve(large), rest=0.0, patience=PATIENCE)
    assert len(seconds) == 1 + len(browsing.DEEDS)


def test_the_command_says_where_the_page_is_and_ends_quietly(rings: Path, tmp_path: Path) -> None:
    with subprocess.Popen(
        [str(SCRIPTS / "sweep"), "browse", str(rings), "--no-open"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        address = re.fullmatch(
            rf"{re.escape(str(rings))} is shown at (http://127\.0\.0\.1:(\d+)/); stop with"
            r" Ctrl-C\n",
            line,
        )
        assert address
        body = urllib.request.urlopen(address[1], timeout=PATIENCE).read().decode()
        refused = command("sweep", "browse", rings, "--no-open", "--port", address[2], cwd=tmp_path)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out, err) == (0, "", "")
    assert "./static/main.js" in body
    assert re.findall(r"(?:src|href)=[\"'](?:https?:)?//", body) == []
    assert (refused.returncode, refused.stdout) == (2, "")
    reason = f"127.0.0.1:{address[2]} cannot be listened on: Address already in use"
    assert f"{reason}; give another --port, or none" in in_one_line(refused.stderr)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["none.zarr", "--no-open"], "there is no store of a sweep here"),
        (["a.zarr", "b.zarr", "c.zarr"], "3 stores are given, and 2 can be compared"),
        (["a.zarr", "b.zarr", "--save", "x.html"], "--save takes one store"),
        (["{store}", "--save", "x.pdf"], "html"),
    ],
)
def test_bad_input_is_refused_before_anything_is_served(
    rings: Path, tmp_path: Path, words: list[str], problem: str
) -> None:
    words = [str(rings) if word == "{store}" else word for word in words]
    done = command("sweep", "browse", *words, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert problem in in_one_line(done.stderr)


def test_without_plotly_the_error_names_the_extra(tmp_path: Path, rings: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.util as u\nfound = u.find_spec\n"
        "u.find_spec = lambda name, *rest: None if name == 'plotly' else found(name, *rest)\n",
        encoding="utf-8",
    )
    paths = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = command("sweep", "browse", rings, "--no-open", cwd=tmp_path, PYTHONPATH=paths)
    assert done.returncode == 2
    assert "pip install 'marsdisk[browse]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_page_is_on_the_dashboard_of_dask_while_workers_live(
    rings: Path, open_page: Open
) -> None:
    base = load_config(MELT).model_dump()
    task = BlockTask(str(rings), 0, (0,), base, ({},), "task", True, 1, Fence("", ""))
    said: list[str] = []
    with workers_from(
        1,
        task,
        1,
        limits=Limits.from_config(),
        say=said.append,
        stop=threading.Event(),
        dashboard_page=dashboard_page,
    ) as cluster:
        address = results_page(str(cluster.client.dashboard_link))
        assert f"results so far {address}" in " ".join(said)
        page = open_page(address)
        expect(
            page.get_by_text("12 done, 0 failed, 0 pending of 12 runs; finished")
        ).to_be_visible()
        click(page, 1, 1)
        page.goto("about:blank")
