"""Where the numbers come from: versions, host, tables, and the sweep file as it was given."""

import html
from typing import TYPE_CHECKING, Any

from marsdisk.yamlfile import yaml_text

from ..tables import text
from . import csvtext
from .style import downloads, stack, text_block
from .texts import cut, escaped, table

if TYPE_CHECKING:
    from .app import Page

LONGEST = 20_000  # characters of the sweep file


class OriginView:
    """The record that the store keeps."""

    def __init__(self, page: "Page") -> None:
        self.page, self.data = page, page.data
        self.text = text_block(name="origin")
        self.root = stack(self.text, downloads(page, [], self._csv))

    def update(self) -> None:
        """Write it down."""
        given: Any = self.data.group.attrs["sweep"]
        record: Any = self.data.group.attrs["provenance"]
        tables = [
            [escaped(name, 80), escaped(digest, 80)]
            for name, digest in record.get("tables", {}).items()
        ]
        parts = [
            "<h2>Made by</h2>"
            + table(
                [],
                [[escaped(key), escaped(value, 400)] for key, value in self._facts()],
                numbers_from=9,
            )
            + "<br>",
            "<h2>Tables</h2>"
            + (
                table(["table", "digest"], tables, numbers_from=9)
                if tables
                else "<p class='faint'>None.</p>"
            )
            + "<br>",
            "<h2>Sweep file</h2>" + _code(given.get("content")),
            *(
                ["<h2>Command line</h2>" + _code(given["command_line"])]
                if given.get("command_line")
                else []
            ),
            "<details><summary>Base configuration</summary>"
            + _code(self.data.group.attrs.get("base_config"))
            + "</details>",
        ]
        self.text.text = f"<div class='wide'>{''.join(parts)}</div>"

    def _facts(self) -> list[tuple[str, str]]:
        record: Any = self.data.group.attrs["provenance"]
        dirty = " (with changes that are not committed)" if record.get("git_dirty") else ""
        facts = {
            "store": self.data.place,
            "model version": record.get("model_version"),
            "git commit": (
                f"{record['git_commit']}{dirty}"
                if record.get("git_commit")
                else "none: installed from no checkout"
            ),
            "created": record.get("created"),
            "host": record.get("host"),
            "platform": record.get("platform"),
            "python": record.get("python"),
            "packages": ", ".join(
                f"{name} {version}" for name, version in record.get("packages", {}).items()
            ),
            "plan": self.data.group.attrs["plan_digest"],
            "runs in a block": self.data.group.attrs["block_size"],
        }
        return [(key, str(value)) for key, value in facts.items() if value is not None]

    def mark(self) -> None:
        """Nothing here shows single runs."""

    def _csv(self) -> tuple[str, str]:
        keys, values = zip(*self._facts(), strict=True)
        return (
            csvtext.table({"what": keys, "value": values}),
            f"{self.page.file_name}-provenance.csv",
        )


def _code(content: Any) -> str:
    lines = yaml_text(content, default_flow_style=None, width=100).splitlines()
    return f"<code>{html.escape(cut(chr(10).join(text(cut(line, 400)) for line in lines), LONGEST))}</code><br>"
