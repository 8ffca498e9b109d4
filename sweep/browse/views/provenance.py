"""The view of the provenance: versions, host, tables, and the sweep file."""

from typing import TYPE_CHECKING, Any

from marsdisk.config.yaml_file import yaml_text

from ...common.text import text
from ..parts import csv_text
from ..parts.html import cut, escaped, rendered
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
        digests = description.provenance.tables.items()
        command_line = description.sweep.command_line
        self.text.text = rendered(
            "provenance",
            facts=[[escaped(key), escaped(value, 400)] for key, value in self._facts()],
            digests=[[escaped(name, 80), escaped(digest, 80)] for name, digest in digests],
            sweep_file=_lines(description.sweep.content),
            command_line=_lines(command_line) if command_line else "",
            base=_lines(description.base_config),
        )

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


def _lines(content: Any) -> str:
    """Return a section of the record as YAML, cut to what a person would read."""
    lines = yaml_text(content, default_flow_style=None, width=100).splitlines()
    printable = "\n".join(text(cut(line, MAX_LINE_CHARACTERS)) for line in lines)
    return cut(printable, MAX_FILE_CHARACTERS)
