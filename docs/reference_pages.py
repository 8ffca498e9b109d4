"""Make the reference of sweep files and of results from the program.

``python docs/reference_pages.py`` writes docs/sweep_file.md, docs/results.md, and
configs/sweep.schema.json.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from make_tables import escaped

from sweep.report.sweep_file import reference_lines
from sweep.spec.reference import json_schema
from sweep.store import layout

ROOT = Path(__file__).parents[1]
COMMAND = "python docs/reference_pages.py"

SWEEP_FILE = f"""# The sweep file

*Made by `{COMMAND}`; `sweep reference` prints the tables.*

A sweep file is a YAML file with these sections. `sweep init` writes one to start from. Keys that
axes and overrides set are those of a configuration, with dots: `temperature.T0`.
[model.md](model.md#defaults) lists them, and `marsdisk show CONFIG --all`
prints them. A section of the configuration that is given whole, such as `set: {{temperature:
{{...}}}}`, replaces the whole section of the base; `sweep plan` names the keys that fall back to
their defaults. Numbers are in the unit of their key and are written without it.

In results, a parameter is called by the last word of its key, `T0`. Where two keys have the same
last word, it is called by both parts, such as `material_rho`. Commands, conditions, and Python
take either name: `--where 'temperature.T0 > 3500'` and `--where 'T0 > 3500'` are the same.

Editors with a YAML language server complete and check a sweep file by its schema, if its first
line names it. The sweeps in `configs/sweeps` do so, and `sweep schema > sweep.schema.json`
writes it:

    # yaml-language-server: $schema=sweep.schema.json

"""

RESULTS = f"""# Results

*Made by `{COMMAND}` from the arrays that a store has.*

Each array has its unit and its meaning as attributes, `units` and `long_name`. All are along
`run`; *dimensions* are those besides. Some are there only where a part of the model that fills
them is switched on. Figures and tables show results in units that suit their values, and
conditions, exported files, and Python use those below.

"""


def results_lines() -> Iterator[str]:
    """Yield a table of all arrays that results are in."""
    yield "| name | symbol | unit | dimensions | meaning |"
    yield "|---|---|---|---|---|"
    variables = layout.variables(shared_grid=False, parts=layout.OPTIONAL)
    for variable in sorted(variables, key=lambda variable: variable.name.lower()):
        symbol = layout.SYMBOLS.get(variable.name, "")
        unit = str(variable.attributes.get("units", "1")).removeprefix("1")
        meaning = escaped(str(variable.attributes["long_name"]))
        cells = [
            f"`{variable.name}`",
            f"${symbol}$" if symbol else "",
            unit,
            ", ".join(variable.dims),
            meaning,
        ]
        yield f"| {' | '.join(cells)} |"


def pages() -> dict[Path, str]:
    """Return the content of each file that is made."""
    schema = json.dumps(json_schema(), indent=1)
    return {
        ROOT / "docs" / "sweep_file.md": SWEEP_FILE + "\n".join(reference_lines()),
        ROOT / "docs" / "results.md": RESULTS + "\n".join(results_lines()) + "\n",
        ROOT / "configs" / "sweep.schema.json": f"{schema}\n",
    }


if __name__ == "__main__":
    for path, content in pages().items():
        path.write_text(content, encoding="utf-8")
