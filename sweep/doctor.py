"""What the doctor says: a table for people, JSON for programs."""

from collections.abc import Sequence
from typing import Any

from rich.table import Table

from .store.repair import Diagnosis, Finding

NAMES_SHOWN = 5


def findings_table(diagnosis: Diagnosis) -> Table:
    """A row for each finding: what, what it means, what to type."""
    table = Table(show_lines=True)
    for head in ("found", "in", "what it means", "what to do"):
        table.add_column(head, overflow="fold")
    for finding in diagnosis.findings:
        table.add_row(finding.kind, _some(finding.names), finding.meaning, _cure(finding))
    return table


def _cure(finding: Finding) -> str:
    if not finding.repaired:
        return finding.cure
    return f"done: {finding.repair}" + (
        f"; now {finding.cure.rpartition('then ')[2]}" if finding.blocks else ""
    )


def _some(names: Sequence[str]) -> str:
    more = len(names) - NAMES_SHOWN
    return ", ".join(names[:NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")


def findings_json(diagnosis: Diagnosis, store: str) -> dict[str, Any]:
    """The same with all names."""
    keys = ("kind", "meaning", "cure", "repair", "repaired")
    found = [
        {"names": [*finding.names], **{key: getattr(finding, key) for key in keys}}
        for finding in diagnosis.findings
    ]
    return {
        "store": store,
        "clean": diagnosis.is_clean,
        "driver": diagnosis.driver,
        "findings": found,
    }
