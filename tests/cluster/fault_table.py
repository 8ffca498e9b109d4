"""The table of ``make faults``: a row for each fault, collected wherever its test ran."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest
from small_sweeps import in_one_line

from tests.benchmarks.page import put_between_markers

#: Of a report: it carries the row from a process of pytest-xdist to the one that writes the table.
PROPERTY = "fault"
NOT_TRIED = "not tried: "


@dataclass
class Outcome:
    """Row of the table."""

    fault: str
    ended: str = ""
    said: str = ""
    again: str = ""
    verdict: str = "FAILED"


#: Where the fixture ``fault`` leaves what a test has seen.
OUTCOME = pytest.StashKey[Outcome]()


def title_of(item: pytest.Item) -> str:
    """Return the title of the fault in a test's marker; empty for tests without a row."""
    marker = item.get_closest_marker("faults")
    if marker is None or not marker.args:
        return ""
    callspec = getattr(item, "callspec", None)
    return str(marker.args[0]).format(**(callspec.params if callspec else {}))


def add_row(item: pytest.Item, report: pytest.TestReport) -> None:
    """Let a report carry the row of its test's fault, if it says how that ended."""
    title = title_of(item)
    if title and (report.when == "call" or not report.passed):
        outcome = item.stash.get(OUTCOME, Outcome(title))
        outcome.verdict = _verdict(report)
        report.user_properties.append((PROPERTY, asdict(outcome)))


def _verdict(report: pytest.TestReport) -> str:
    if report.passed:
        return "passed"
    if report.skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
        return NOT_TRIED + reason.removeprefix("Skipped: ")
    return "FAILED"


def _severity(outcome: Outcome) -> int:
    if outcome.verdict.startswith(NOT_TRIED):
        return 1
    return 0 if outcome.verdict == "passed" else 2


class FaultTable:
    """Plugin that collects rows, prints the table, and writes it into a page.

    Parameters
    ----------
    page : where the table goes if every fault that was tried is survived; None for nowhere
    """

    def __init__(self, page: Path | None) -> None:
        self.page = page
        self.rows: dict[str, Outcome] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the rows of a report; of several with one title, the first of the worst."""
        for name, values in report.user_properties:
            if name != PROPERTY:
                continue
            new = Outcome(**values)
            row = self.rows.get(new.fault)
            if row is None or _severity(new) > _severity(row):
                self.rows[new.fault] = new

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the table."""
        if self.rows:
            terminalreporter.section("faults and outcomes")
            terminalreporter.write_line(as_table(self.rows.values()))

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """Write the page if all went well and every fault was tried.

        What a smaller machine leaves out stays.
        """
        if self.page is None or exitstatus != pytest.ExitCode.OK:
            return
        passed = [outcome.verdict == "passed" for outcome in self.rows.values()]
        if passed and all(passed):
            lines = as_table(self.rows.values()).splitlines()
            put_between_markers("faults", "make faults", lines, self.page)


def as_table(outcomes: Iterable[Outcome]) -> str:
    """Format the rows as Markdown, sorted by the faults' titles."""
    lines = [
        "| fault | exit code | what is said | the same command again | |",
        "|---|---|---|---|---|",
    ]
    for outcome in sorted(outcomes, key=lambda outcome: outcome.fault):
        lines.append(in_one_line(f"| {' | '.join(asdict(outcome).values())} |"))
    return "\n".join(lines)
