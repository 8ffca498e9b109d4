"""Stores written meanwhile, hostile or very large; the server's address; Dask's dashboard."""

import os
import re
import signal
import subprocess
import threading
import urllib.request
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hands import (
    HALF,
    PATIENCE,
    VIEWS,
    Open,
    button,
    click,
    contents,
    drawn,
    saved_rows,
    turn_to,
    wait_until_there,
)
from playwright.sync_api import Browser, Dialog, expect
from small_sweeps import MELT, SCRIPTS, command, in_one_line, run_here
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect

import sweep
from marsdisk.config import load_config
from sweep.browse.dashboard import dashboard_page
from sweep.store.coroutines import run_coroutine
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
        page.get_by_text("10 done, 0 failed, 2 pending of 12 runs; running, or interrupted")
    ).to_be_visible()
    pending = np.array(drawn(page, "cells")["value"][0], dtype=float)
    button(page, "Runs").click()
    expect(page.get_by_text("12 of 12 runs.")).to_be_visible()
    button(page, "Map").click()
    run_here(file, store)
    expect(page.get_by_text("12 done, 0 failed, 0 pending of 12 runs; finished")).to_be_visible()
    expect(page.get_by_text("6 cells, all done.")).to_be_visible()
    value = np.array(drawn(page, "cells")["value"][0], dtype=float)
    assert np.isfinite(value).all()
    finished = np.isfinite(pending)
    assert (value[finished] == pending[finished]).all()


def test_a_table_made_before_anything_failed_has_the_errors_that_come(
    failing: tuple[Path, Callable[[], None]], open_page: Open
) -> None:
    store, go_on = failing
    page = open_page(store)
    wait_until_there(page, "runs")
    expect(page.get_by_label("columns")).to_be_attached()
    expect(page.get_by_label("columns")).not_to_be_visible()
    go_on()
    expect(page.get_by_text("10 done, 2 failed, 0 pending of 12 runs; finished")).to_be_visible()
    button(page, "Runs").click()
    expect(page.locator(".slick-header-column", has_text="error")).to_be_visible()
    expect(page.get_by_label("columns")).to_have_value(re.compile("stop_reason, error$"))


def test_hostile_text_is_shown_as_text(hostile: Path, open_page: Open) -> None:
    page = open_page(hostile, HALF)
    questions: list[str] = []

    def refuse(dialog: Dialog) -> None:
        questions.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", refuse)
    title = "Bokeh.documents[0].get_model_by_name('cells').title.text"
    first = page.evaluate(title)
    page.get_by_label("variant").select_option(index=1)
    page.wait_for_function(f"first => {title} != first", arg=first)
    expect(page.get_by_text("4 cells: 1 failed.")).to_be_visible()
    for view in (*VIEWS, "Map"):
        turn_to(page, view)
    page.get_by_label("chosen runs").fill(
        str(int(np.flatnonzero(sweep.open_store(hostile).status.values == 2)[0]))
    )
    page.get_by_label("chosen runs").press("Enter")
    error = page.locator(".error")
    expect(error).to_contain_text("<script>alert(2)</script>")
    words = error.inner_text()
    assert len(words) <= 601
    assert "\\u202e" in words
    button(page, "Run").click()
    expect(page.get_by_text("Parameters that differ")).to_be_visible()
    assert page.locator("img, script[src='x'], bdi b").count() == 0
    click(page, "cells", 0.5, 0.5)
    expect(page.get_by_text("ended after")).to_be_visible()
    assert questions == []


@pytest.mark.thorough
def test_very_many_runs_are_looked_at_without_waiting_for_all_of_them(
    large: Path, open_page: Open
) -> None:
    page = open_page(large)
    dataset = sweep.open_store(large)
    expect(page.get_by_text("99484 done, 516 failed, 0 pending of 100000 runs")).to_be_visible()
    expect(page.get_by_text("5000 cells")).to_be_visible()
    value = np.array(drawn(page, "cells")["value"][0], dtype=float).reshape(20, 250)
    wanted = dataset.sweep.grid().M_loss.isel(mu_orbit10pct=9).values.T
    assert np.allclose(value, wanted / 1e-12, rtol=1e-14, atol=0.0, equal_nan=True)
    assert sum(drawn(page, "cells", 1)["w"]) == np.isnan(wanted).sum()
    click(page, "cells", 0.5, 0.5)
    expect(page.get_by_text("run 9", exact=True)).to_be_visible()
    page.get_by_label("only runs where").fill("status == 'failed'")
    page.get_by_label("only runs where").press("Enter")
    expect(page.get_by_text("516 pass the filter")).to_be_visible()
    button(page, "Runs").click()
    expect(page.get_by_text("516 of 100000 runs. The first 500 are shown")).to_be_visible()
    assert len(saved_rows(page)) == 516
    button(page, "Parallel").click()
    expect(page.get_by_text("516 runs. 516 runs without M_loss, dashed.")).to_be_visible()


@pytest.mark.thorough
def test_every_deed_of_the_benchmark_is_done_on_a_large_store(
    large: Path, serve: Callable[[Path], str], chromium: Browser
) -> None:
    seconds = browsing.visit(chromium, serve(large), rest=0.0, patience=PATIENCE)
    assert len(seconds) == 1 + len(browsing.DEEDS)


def test_looking_changes_nothing(rings: Path, open_page: Open) -> None:
    before = contents(rings)
    page = open_page(rings)
    for view in (*VIEWS, "Map"):
        turn_to(page, view)
    expect(page.get_by_text("4 cells, all done.")).to_be_visible()
    click(page, "cells", 0.5, 0.5)
    expect(page.get_by_text("ended after")).to_be_visible()
    assert contents(rings) == before


def test_pages_of_other_hosts_cannot_connect(rings: Path, serve: Callable[[Path], str]) -> None:
    url = serve(rings)
    port = url.rstrip("/").rpartition(":")[2]

    async def connect(origin: str) -> int:
        try:
            connection = await websocket_connect(
                HTTPRequest(f"ws://127.0.0.1:{port}/ws", headers={"Origin": origin})
            )
        except HTTPClientError as error:
            return error.code
        connection.close()
        return 101

    def answer(origin: str) -> int:
        return run_coroutine(connect(origin))

    assert answer(f"http://evil.example:{port}") == 403
    assert answer(f"http://127.0.0.1:{int(port) + 1}") == 403


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
    assert re.findall(r"src=[\"']\S+\.js", body) != []
    assert re.findall(r"(?:src|href)=[\"'](?:https?:)?//", body) == []
    assert (refused.returncode, refused.stdout) == (2, "")
    reason = f"127.0.0.1:{address[2]} cannot be listened on: Address already in use"
    assert f"{reason}; give another --port, or none" in in_one_line(refused.stderr)


def test_what_is_no_store_is_refused_before_anything_is_served(tmp_path: Path) -> None:
    done = command("sweep", "browse", tmp_path / "none.zarr", "--no-open", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "there is no store of a sweep here" in done.stderr


def test_without_bokeh_the_error_names_the_extra(tmp_path: Path, rings: Path) -> None:
    (tmp_path / "bokeh.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'bokeh'\", name='bokeh')", encoding="utf-8"
    )
    done = command(
        "sweep",
        "browse",
        rings,
        "--no-open",
        cwd=tmp_path,
        PYTHONPATH=os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]),
    )
    assert done.returncode == 2
    assert "pip install 'marsdisk[browse]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_page_is_on_the_dashboard_of_dask_while_workers_live(
    rings: Path, open_page: Open
) -> None:
    task = BlockTask(
        str(rings), 0, (0,), load_config(MELT).model_dump(), ({},), "task", True, 1, Fence("", "")
    )
    with workers_from(
        1,
        task,
        1,
        limits=Limits.from_config(),
        say=print,
        stop=threading.Event(),
        dashboard_page=dashboard_page,
    ) as cluster:
        client = cluster.client
        hint = results_page(client.dashboard_link)
        assert re.fullmatch(r", results so far http://127\.0\.0\.1:\d+/sweep", hint)
        page = open_page(hint.split()[-1])
        expect(
            page.get_by_text("12 done, 0 failed, 0 pending of 12 runs; finished")
        ).to_be_visible()
        click(page, "cells", 0.5, 0.5)
        expect(page.get_by_text("ended after")).to_be_visible()
        page.goto("about:blank")
    assert results_page(client.dashboard_link or "") == ""
