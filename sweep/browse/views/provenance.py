"""The view of the provenance: versions, host, tables, and the sweep file."""

import html
from typing import TYPE_CHECKING, Any

from marsdisk.config.yaml_file import yaml_text

from ...common.text import text
from ..parts import csv_text
from ..parts.html import cut, escaped, table
from ..parts.style import downloads, stack, text_block

if TYPE_CHECKING:
    from ..host import Host

MAX_FILE_CHARACTERS = 20_000
MAX_LINE_CHARACTERS = 400


class OriginView:
    """The provenance that is recorded in the store."""

    def __init__(self, page: "Host") -> None:
        self.page = page
        self.data = page.data
        self.text = text_block(name="origin")
        self.root = stack(self.text, downloads(page, [], self._csv))

    def update(self) -> None:
        """Show the record."""
        description = self.data.store.description
        facts = [[escaped(key), escaped(value, 400)] for key, value in self._facts()]
        digests = [
            [escaped(name, 80), escaped(digest, 80)]
            for name, digest in description.provenance.tables.items()
        ]
        tables = "<p class='faint'>None.</p>"
        if digests:
            tables = table(["table", "digest"], digests, numbers_from=9)
        parts = [
            f"<h2>Made by</h2>{table([], facts, numbers_from=9)}<br>",
            f"<h2>Tables</h2>{tables}<br>",
            f"<h2>Sweep file</h2>{_code(description.sweep.content)}",
        ]
        if description.sweep.command_line:
            parts.append(f"<h2>Command line</h2>{_code(description.sweep.command_line)}")
        base = _code(description.base_config)
        parts.append(f"<details><summary>Base configuration</summary>{base}</details>")
        self.text.text = f"<div class='wide'>{''.join(parts)}</div>"

    def _facts(self) -> list[tuple[str, str]]:
        store = self.data.store
        record = store.description.provenance
        commit = record.git_commit or "none: not installed from a checkout"
        if record.git_commit and record.git_dirty:
            commit = f"{commit} (with uncommitted changes)"
        packages = [f"{name} {version}" for name, version in record.packages.items()]
        facts = {
            "store": str(store),
            "model version": record.model_version,
            "git commit": commit,
            "created": record.created,
            "host": record.host,
            "platform": record.platform,
            "python": record.python,
            "packages": ", ".join(packages),
            "plan": store.description.plan_digest,
            "runs in a block": str(store.block_size),
        }
        return [(key, value) for key, value in facts.items() if value]

    def mark(self) -> None:
        """Do nothing: this view shows no single runs."""

    def _csv(self) -> tuple[str, str]:
        keys, values = zip(*self._facts(), strict=True)
        return (
            csv_text.table({"what": keys, "value": values}),
            f"{self.page.file_name}-provenance.csv",
        )


def _code(content: Any) -> str:
    """Return HTML of a section of the record as YAML."""
    lines = yaml_text(content, default_flow_style=None, width=100).splitlines()
    printable = "\n".join(text(cut(line, MAX_LINE_CHARACTERS)) for line in lines)
    return f"<code>{html.escape(cut(printable, MAX_FILE_CHARACTERS))}</code><br>"
