"""Figure of a sensitivity analysis: indices with their intervals, and how they settle with n."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from marsdisk.io.out_file import OutFile

from ..common.errors import StoreError
from ..common.optional import extra
from ..results.outcomes import Outcomes
from ..results.sensitivity import Answer

#: Colours that colour-blind readers can tell apart.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#000000")
LINE_STYLES = ("-", "--", ":")
MAX_GROUPS = 6
WIDTH_INCHES = 10.0
BAR_HEIGHT = 0.8  #: of the bars of one parameter together, as a share of their distance


def draw(answers: Sequence[Answer], outcomes: Outcomes, out: OutFile) -> None:
    """Draw a row of two panels for each group of cases.

    Parameters
    ----------
    answers : sequence of Answer
        The analysis of each group.
    outcomes : Outcomes
        The outcomes that were analysed.
    out : OutFile
        File to write the figure to.

    Raises
    ------
    StoreError
        There are too many groups.
    OutputError
        The figure cannot be written.
    """
    if len(answers) > MAX_GROUPS:
        raise StoreError(
            f"--out: a figure has room for {MAX_GROUPS} groups, not for {len(answers)}; fix some"
            " axes in a separate sweep"
        )
    extra("matplotlib", "plot", "--out").use("Agg")
    pyplot = extra("matplotlib.pyplot", "plot", "--out")
    row_height = max(2.4, 0.9 + 0.42 * max(len(answer.names) for answer in answers))
    figure, panels = pyplot.subplots(
        len(answers),
        2,
        figsize=(WIDTH_INCHES, row_height * len(answers)),
        layout="constrained",
        squeeze=False,
    )
    for answer, (left, right) in zip(answers, panels, strict=True):
        _draw_bars(left, answer, outcomes)
        _draw_convergence(right, answer)
    try:
        with out.writing() as file:
            figure.savefig(file, format=out.format, dpi=110)
    finally:
        pyplot.close(figure)


def _draw_bars(axes: Any, answer: Answer, outcomes: Outcomes) -> None:
    """Draw a bar for each index of each parameter, the largest parameter on top."""
    final = answer.final
    indices = [name for name in answer.measure.columns if f"{name}_conf" in final.of]
    if answer.method == "morris":
        indices.append("sigma")
    order = np.argsort(final.of[answer.measure.main])
    height = BAR_HEIGHT / len(indices)
    for i, name in enumerate(indices):
        offset = height * ((len(indices) - 1) / 2.0 - i)
        half_width = final.of.get(f"{name}_conf")
        axes.barh(
            np.arange(order.size) + offset,
            final.of[name][order],
            height,
            xerr=None if half_width is None else half_width[order],
            color=COLOURS[i],
            label=name,
            capsize=2.0,
        )
    axes.set_yticks(np.arange(order.size), [answer.names[i] for i in order])
    axes.axvline(0.0, color="0.6", lw=0.8)
    unit = ""
    if answer.method == "morris" and not outcomes.log and outcomes.unit != "1":
        unit = f" [{outcomes.unit}]"
    group = "".join(f", {name} = {label}" for name, label in answer.at.items())
    axes.set(xlabel=f"index{unit} with its 95 % interval", title=f"{outcomes.words}{group}")
    axes.legend(loc="lower right")


def _draw_convergence(axes: Any, answer: Answer) -> None:
    """Draw the main index of each parameter over the size of the sample."""
    main = answer.measure.main
    n = np.array([step.n for step in answer.steps])
    for i, name in enumerate(answer.names):
        values = [float(step.of[main][i]) for step in answer.steps]
        half_widths = [float(step.of[f"{main}_conf"][i]) for step in answer.steps]
        # points are moved sideways, so that equal values do not hide each other
        shift = 2.0 ** (0.05 * (i - 0.5 * (len(answer.names) - 1)))
        axes.errorbar(
            n * shift,
            values,
            half_widths,
            marker="o",
            ms=3.0,
            capsize=2.0,
            label=name,
            color=COLOURS[i % len(COLOURS)],
            ls=LINE_STYLES[i // len(COLOURS) % len(LINE_STYLES)],
        )
    axes.set_xscale("log", base=2)
    axes.set_xticks(n, [str(k) for k in n])
    settled = "enough" if answer.settled else "not enough"
    axes.set(xlabel=answer.measure.units, ylabel=main, title=f"{answer.method}: n was {settled}")
    axes.legend(fontsize="small", loc="upper left", bbox_to_anchor=(1.0, 1.0))
