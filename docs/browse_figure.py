"""Take the picture of a sweep's page, docs/browse.png: ``python docs/browse_figure.py STORE``.

STORE holds configs/sweeps/temperature_supply.yaml; a chromium is needed.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

PICTURE = Path(__file__).parent / "browse.png"


def choose(page: Page) -> None:
    """Show the study as it opens, with the runs of two cells beside each other."""
    page.locator("body[data-ready=yes]").wait_for(state="attached")
    plot = page.locator(".middle .plot").bounding_box()
    if plot is None:
        raise RuntimeError("there is no map")
    page.mouse.click(plot["x"] + 0.22 * plot["width"], plot["y"] + 0.2 * plot["height"])
    page.keyboard.down("Shift")
    page.mouse.click(plot["x"] + 0.42 * plot["width"], plot["y"] + 0.75 * plot["height"])
    page.keyboard.up("Shift")
    page.mouse.move(5, 5)
    page.wait_for_timeout(1500)  # until the last figure is drawn


def main(store: str) -> None:
    """Serve the page of ``store``, and take its picture."""
    command = [sys.executable, "-m", "sweep", "browse", store, "--no-open"]
    server_process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603
    with sync_playwright() as playwright, server_process as server:
        lines: Any = server.stdout
        address = re.search(r"http://\S+/", lines.readline())
        if address is None:
            raise RuntimeError("sweep browse names no address")
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-background-networking"],
        )
        page = browser.new_page(viewport={"width": 1440, "height": 900}, device_scale_factor=1.5)
        page.goto(address[0])
        choose(page)
        page.screenshot(path=PICTURE)
        browser.close()
        server.terminate()


if __name__ == "__main__":
    main(sys.argv[1])
