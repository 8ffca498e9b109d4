"""A sweep file to begin with, and the reference of its keys as tables."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.table import Table

from marsdisk.config import RunConfig
from marsdisk.config.keys import config_keys, metadata
from marsdisk.config.yaml_file import yaml_text

from ..common.command import Command
from ..spec.axes import RING
from ..spec.reference import ReferenceTable, reference
from ..spec.sections import SweepSpec

DEFAULT_BASE = "builtin:mars_0d_melt"
DEFAULT_AXES: Mapping[str, Any] = {
    "temperature.T0": [3000, 4000, 5000],
    "supply.mu_orbit10pct": {"geomspace": [0.1, 10, 3]},
    "ring": {"rings": [1.0, 2.7, 8]},
}
#: Sections that a new file has as comments, each with an example.
EXAMPLES: Mapping[str, str] = {
    "zip": "[{material.rho: [3000, 3270], qstar.scale: [1.0, 5.574]}]",
    "variants": "{as_is: {}, no_blowout: {blowout.enabled: false}}",
    "include": "[{temperature.T0: 6000}]",
    "one_at_a_time": "{dynamics.e0: [0.1, 0.3]}",
    "sample": "{method: sobol, n: 64, axes: {dynamics.i0: {loguniform: [0.005, 0.1]}}}",
    "output": "{samples: 64, spacing: log, snapshots: 8}",
    "accuracy": "{fraction: 0.05}",
    "expect": "{loses mass: {expect: M_loss >= 0}}",
    "time_limit": "600",
    "block": "64",
}
SCHEMA_FILE = "sweep.schema.json"
T_END = "numerics.t_end_years"


def new_sweep_file(name: str, base: str, axes: Mapping[str, Any], file: Path) -> str:
    """Return a commented sweep file.

    Parameters
    ----------
    name : str
        Name of the sweep.
    base : str
        Configuration that all cases start from.
    axes : mapping
        Points of each axis by its key; empty for a few that show how it is done.
    file : Path
        Where it is to be written, for the commands in its comments.

    Returns
    -------
    str
        YAML that ``sweep run`` takes as it is.
    """
    axes = axes or DEFAULT_AXES
    lines = [
        f"# yaml-language-server: $schema={SCHEMA_FILE}",
        "# Write here, as a question, what the sweep is to answer; sweep list shows it.",
        f"# Check it: {Command.sweep('plan', file)}. All keys: sweep reference. For completion in"
        f" editors: sweep schema > {SCHEMA_FILE}",
        _assignment("name", name),
        f"{_assignment('base', base)} # {_meaning('base')}",
    ]
    if T_END not in axes:
        lines.append("set: # overrides for all cases")
        lines.append(f"  {T_END}: 1.0 # {_words_of_key(T_END)}")
    lines.append("axes: # the cases are the product of these")
    for key, points in axes.items():
        lines.append(f"  {_assignment(key, points)} # {_words_of_key(key)}")
    lines += ["", "# More, to be uncommented:"]
    for section, example in EXAMPLES.items():
        lines.append(f"# {section}: {example} # {_meaning(section)}")
    return "\n".join(lines) + "\n"


def _assignment(key: str, value: Any) -> str:
    """Return ``key: value`` in one line of YAML."""
    line = yaml_text({key: value}, default_flow_style=True, width=float("inf")).strip()
    return line.removeprefix("{").removesuffix("}")


def _meaning(section: str) -> str:
    return SweepSpec.model_fields[section].description or ""


def _words_of_key(key: str) -> str:
    """Return meaning and unit of a key of the configuration, or of an axis of rings."""
    field = config_keys(RunConfig).get(key)
    if field is None:
        return f"sets {' and '.join(RING)}: rings of equal width between two radii [Mars radii]"
    unit = metadata(field, "unit")
    return f"{field.description}{f' [{unit}]' if unit else ''}"


def reference_tables() -> Iterator[Table]:
    """Yield the keys of a sweep file as tables for a terminal."""
    for part in reference():
        table = Table(title=part.title, title_justify="left", box=None, pad_edge=False)
        for head in _heads(part):
            table.add_column(head, overflow="fold")
        for row in part.rows:
            table.add_row(*_cells(part, row))
        yield table


def reference_lines() -> Iterator[str]:
    """Yield the keys of a sweep file as tables in Markdown."""
    for part in reference():
        heads = _heads(part)
        yield f"## {part.title}"
        yield ""
        yield f"| {' | '.join(heads)} |"
        yield f"|{' --- |' * len(heads)}"
        for row in part.rows:
            name, *others = _cells(part, row)
            cells = [f"`{name}`", *(cell.replace("|", r"\|") for cell in others)]
            yield f"| {' | '.join(cells)} |"
        yield ""


def _heads(part: ReferenceTable) -> tuple[str, ...]:
    if any(row.takes for row in part.rows):
        return ("key", "takes", "default", "meaning")
    return ("form", "meaning")


def _cells(part: ReferenceTable, row: Any) -> tuple[str, ...]:
    if len(_heads(part)) > 2:
        return (row.name, row.takes, row.default, row.meaning)
    return (row.name, row.meaning)
