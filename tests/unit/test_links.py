"""Relative links of all documents lead somewhere, and web addresses are ones to check."""

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "docker").glob("*.md")]
LINK = re.compile(r"\]\(([^)\s]+)\)")
WEB = re.compile(r"\]\((\w+://[^)\s]+)\)")


def anchors(page: Path) -> set[str]:
    """Return the anchors of the headings of a page, as GitHub and MyST make them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(page: Path) -> list[str]:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    return [link for link in LINK.findall(text) if "://" not in link]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page: Path) -> None:
    lost = []
    for link in links(page):
        file, _, anchor = link.partition("#")
        target = page.parent / file if file else page
        is_there = target.exists()
        if is_there and anchor and target.suffix == ".md":
            is_there = anchor in anchors(target)
        if not is_there:
            lost.append(link)
    assert lost == []


def test_every_page_of_the_site_is_in_its_table_of_contents() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    pages = {path.stem for path in (ROOT / "docs").glob("*.md")} | {"tutorial"}
    listed = set(re.findall(r"^([a-z_]+)$", index, re.MULTILINE))
    assert pages - {"index"} == listed


def test_make_linkcheck_asks_for_every_web_address() -> None:
    """It sees the pages of the site only, so other documents have no address that these lack."""
    settings = runpy.run_path(str(ROOT / "docs" / "conf.py"))
    addresses = {page: set(WEB.findall(page.read_text(encoding="utf-8"))) for page in PAGES}
    of_the_site = set().union(*(addresses[page] for page in PAGES if page.parent.name == "docs"))
    assert of_the_site
    assert set().union(*addresses.values()) == of_the_site
    assert all(address.startswith("https://") for address in of_the_site)
    for pattern in settings["linkcheck_ignore"]:
        assert not any(re.match(pattern, address) for address in of_the_site)
        assert re.match(pattern, "http://127.0.0.1:5006/")
