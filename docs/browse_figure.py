"""Take the picture of a sweep's page, docs/browse.png: ``python docs/browse_figure.py STORE``.

STORE holds configs/sweeps/temperature_supply.yaml; a chromium is needed.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect, sync_playwright

PICTURE = Path(__file__).parent / "browse.png"
_PLACE = """([x, y]) => {
  const view = Bokeh.index.find_one(Bokeh.documents[0].get_model_by_name("cells"))
  const box = view.el.getBoundingClientRect()
  return [box.x + view.frame.x_scale.compute(x), box.y + view.frame.y_scale.compute(y)]
}"""


def choose(page: Page) -> None:
    """Show the mass loss over ring and temperature, with the runs of one ring chosen."""
    page.get_by_label("across").select_option(label="ring")
    page.get_by_label("upwards").select_option(label="T0 [K]")
    expect(page.get_by_text("96 cells, all done.")).to_be_visible()
    for i in range(3):
        page.keyboard.down("Shift")
        page.mouse.click(*page.evaluate(_PLACE, [14.5, i + 0.5]))
        page.keyboard.up("Shift")
        expect(page.get_by_text("ended after")).to_have_count(i + 1)
    page.mouse.click(1300, 20)
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
        page = browser.new_page(viewport={"width": 1366, "height": 768}, device_scale_factor=1.5)
        page.goto(address[0])
        choose(page)
        page.screenshot(path=PICTURE)
        browser.close()
        server.terminate()


if __name__ == "__main__":
    main(sys.argv[1])
