"""Report of the doctor: a table for people, JSON for programs."""

from typing import Any

from rich.table import Table

from ..common.text import listed
from ..store.doctor import Diagnosis, Finding


def findings_table(diagnosis: Diagnosis) -> Table:
    """Return a table with a row for each finding: what it is, what it means, what to type."""
    table = Table(show_lines=True)
    for head in ("found", "in", "what it means", "what to do"):
        table.add_column(head, overflow="fold")
    for finding in diagnosis.findings:
        table.add_row(finding.kind, listed(finding.names), finding.meaning, _cure(finding))
    return table


def _cure(finding: Finding) -> str:
    if not finding.repaired:
        return finding.cure
    if not finding.blocks:
        return f"done: {finding.repair}"
    return f"done: {finding.repair}; now {finding.cure.rpartition('then ')[2]}"


def findings_json(diagnosis: Diagnosis, store: str) -> dict[str, Any]:
    """Return the findings for JSON, with the names of all arrays or blocks they are about."""
    findings = [
        {
            "names": [*finding.names],
            "kind": finding.kind,
            "meaning": finding.meaning,
            "cure": finding.cure,
            "repair": finding.repair,
            "repaired": finding.repaired,
        }
        for finding in diagnosis.findings
    ]
    return {
        "store": store,
        "clean": diagnosis.is_clean,
        "driver": diagnosis.driver,
        "findings": findings,
    }
