"""Picture of ARCHITECTURE.md, from the imports: ``python -m docs.architecture`` draws it anew."""

from pathlib import Path

import matplotlib as mpl

mpl.use("svg")
mpl.rcParams["svg.hashsalt"] = "marsdisk"

from matplotlib import pyplot as plt  # noqa: E402
from matplotlib.axes import Axes  # noqa: E402
from matplotlib.patches import FancyBboxPatch  # noqa: E402

from tests.house_figures import read_layers  # noqa: E402
from tests.imports import arrows_of, reachable  # noqa: E402

ROOT = Path(__file__).parents[1]
OUT = ROOT / "docs" / "architecture.svg"
BOX_HEIGHT = 0.56  # of the distance between two layers
MIDDLE = 3.0  # x of the middle column
MODEL = "marsdisk"
PROGRAM = "__main__"  # not drawn: python -m sweep is the cli

Arrow = tuple[str, str]
Point = tuple[float, float]


def package_of(module: str) -> str:
    """Return the package of ``sweep`` that a module lies in."""
    return module.split(".")[1]


def package_imports() -> set[Arrow]:
    """Return which package imports which; all of them import the model."""
    arrows = set()
    for start, end in arrows_of(ROOT, "sweep"):
        if package_of(start) == PROGRAM:
            continue
        arrows.add((package_of(start), package_of(end)))
        arrows.add((package_of(start), MODEL))
    return {(start, end) for start, end in arrows if start != end}


def without_shortcuts(arrows: set[Arrow]) -> set[Arrow]:
    """Return the arrows that a chain of others does not imply."""
    kept = set()
    for start, end in arrows:
        others = {middle for begin, middle in arrows if begin == start and middle != end}
        if not any(end in reachable(middle, arrows) for middle in others):
            kept.add((start, end))
    return kept


def count_modules(package: str) -> int:
    """Count the modules of a package."""
    folder = ROOT / "sweep" / package if package != MODEL else ROOT / MODEL
    return sum(file.name != "__init__.py" for file in folder.rglob("*.py"))


def place_boxes() -> dict[str, Point]:
    """Return the middle of each package's box, the lowest layer at the bottom."""
    middles = {MODEL: (MIDDLE, 0.0)}
    layers = [packages for packages in read_layers(ROOT).values() if packages != [PROGRAM]]
    for height, packages in enumerate(layers, start=1):
        for column, package in enumerate(packages):
            offset = 2.0 * (column - 0.5 * (len(packages) - 1))
            middles[package] = (MIDDLE + offset, float(height))
    return middles


def draw_box(axes: Axes, package: str, middle: Point) -> None:
    """Draw a package with the number of its modules."""
    x, y = middle
    corner = (x - 0.75, y - 0.5 * BOX_HEIGHT)
    axes.add_patch(
        FancyBboxPatch(
            corner, 1.5, BOX_HEIGHT, boxstyle="round,pad=0.03", facecolor="white", edgecolor="0.2"
        )
    )
    axes.text(x, y + 0.08, package, ha="center", va="center", fontsize=10)
    words = f"{count_modules(package)} modules"
    axes.text(x, y - 0.16, words, ha="center", va="center", fontsize=7, color="0.35")


def draw() -> None:
    """Draw the boxes, and an arrow for each import that a chain of others does not imply."""
    middles = place_boxes()
    figure, axes = plt.subplots(figsize=(6.5, 7.5))
    for start, end in sorted(without_shortcuts(package_imports())):
        (x, y), (x_end, y_end) = middles[start], middles[end]
        axes.annotate(
            "",
            xy=(x_end, y_end + 0.5 * BOX_HEIGHT),
            xytext=(x, y - 0.5 * BOX_HEIGHT),
            arrowprops={"arrowstyle": "-|>", "color": "0.3"},
            zorder=0,
        )
    for package, middle in middles.items():
        draw_box(axes, package, middle)
    axes.set_xlim(0.0, 2.0 * MIDDLE)
    axes.set_ylim(-0.6, max(y for _, y in middles.values()) + 0.6)
    axes.set_axis_off()
    figure.savefig(OUT, bbox_inches="tight", metadata={"Date": None})


if __name__ == "__main__":
    draw()
