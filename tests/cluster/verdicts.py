"""Verdicts on faults, for the table of ``make faults``."""

import pytest

#: By the title of each fault, of tests that write down no more than that.
VERDICTS: dict[str, str] = {}


def verdict(report: pytest.TestReport) -> str:
    """What a test's report says of its fault."""
    reason = report.longrepr[2].removeprefix("Skipped: ") if report.skipped and isinstance(report.longrepr, tuple) else ""
    return "passed" if report.passed else f"not tried: {reason}" if report.skipped else "FAILED"
