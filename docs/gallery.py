"""Draw the figures of docs/gallery.md: ``python docs/gallery.py STORE``.

STORE is the result of ``sweep run builtin:temperature_supply``.
"""

import sys
from pathlib import Path

from sweep import plots
from sweep.common.command import Command

DOCS = Path(__file__).parent
FOLDER = DOCS / "figures" / "gallery"
STORE = "results/temperature_supply.zarr"
HEAD = f"""# Gallery

*Made by `python docs/gallery.py {STORE}`, from the store of
`sweep run builtin:temperature_supply`.*

Each figure stands above the command that draws it. With `--style paper`, any of them has the width
of a column, 300 dpi, and symbols on its axes.
"""
#: Kind and options of each figure, and what it shows.
FIGURES = (
    (
        "heatmap",
        {"x": "mu_orbit10pct", "y": "T0", "over": "tau0_target"},
        "The mass lost by the whole disk over two parameters, with a panel for each value of a"
        " third",
    ),
    ("heatmap", {"name": "t99", "x": "T0", "y": "ring"}, "When each ring loses its mass"),
    (
        "series",
        {"name": "M_loss_cum", "where": "tau0_target == 1"},
        "The mass lost over time, a curve for each disk",
    ),
    ("series", {"name": "s_blow", "where": "ring == 0"}, "The blow-out size while Mars cools"),
    (
        "series",
        {
            "over": "ring",
            "unit": "kg/yr",
            "style": "paper",
            "where": "T0 == 4000 and tau0_target == 1 and mu_orbit10pct == 1",
        },
        "What each ring of a disk loses, for a paper",
    ),
    ("psd", {"run": "17"}, "The size distribution of a run at its snapshots"),
    (
        "radial",
        {"name": "tau_los", "where": "T0 == 4000 and tau0_target == 1 and mu_orbit10pct == 1"},
        "The optical depth of all rings of a disk over time",
    ),
    ("sensitivity", {}, "The effect of each axis alone on the mass lost"),
    ("sensitivity", {"style": "paper"}, "The same figure for a paper"),
    ("cache", {}, "Which arrays the runs shared"),
)


def draw_all(store: str) -> list[str]:
    """Draw all figures, and return the lines of the page."""
    lines = [HEAD]
    FOLDER.mkdir(parents=True, exist_ok=True)
    for number, (kind, options, title) in enumerate(FIGURES):
        figure = plots.draw(store, kind, **options)
        file = FOLDER / f"{number}-{kind}.png"
        plots.save(figure, file, style=str(options.get("style", "screen")))
        command = Command.sweep("plot", STORE, kind, **options)
        lines += [
            f"## {title}",
            "",
            f"![{title}]({file.relative_to(DOCS)})",
            "",
            f"    {command}",
            "",
        ]
    return lines


if __name__ == "__main__":
    page = "\n".join(draw_all(sys.argv[1]))
    (DOCS / "gallery.md").write_text(page, encoding="utf-8")
