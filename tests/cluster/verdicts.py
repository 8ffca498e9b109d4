"""Verdict on each fault by its title, for the table of ``make faults``, of tests that write down no more than that."""

VERDICTS: dict[str, str] = {}
