"""The picture of a sensitivity analysis: indices with their intervals, and how they settled with n."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from marsdisk.outfile import OutFile

from .errors import StoreError
from .extras import extra
from .outcomes import Outcomes
from .sensitivity import Answer

# told apart by colour-blind readers
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#000000")
LINES = ("-", "--", ":")
GROUPS_MAX = 6


def draw(answers: Sequence[Answer], found: Outcomes, out: OutFile) -> None:
    """Draw a row of two panels for each group.

    Raises
    ------
    StoreError
        Too many groups.
    OutputError
        The picture cannot be written.
    """
    if len(answers) > GROUPS_MAX:
        raise StoreError(
            f"--out: {len(answers)} groups do not fit into one picture, {GROUPS_MAX} do; fix some"
            " axes in a sweep of their own"
        )
    extra("matplotlib", "plot", "--out").use("Agg")
    pyplot = extra("matplotlib.pyplot", "plot", "--out")
    height = max(2.4, 0.9 + 0.42 * max(len(answer.names) for answer in answers))
    figure, panels = pyplot.subplots(
        len(answers), 2, figsize=(10.0, height * len(answers)), layout="constrained", squeeze=False
    )
    for answer, (left, right) in zip(answers, panels, strict=True):
        _bars(left, answer, found)
        _settling(right, answer)
    try:
        with out.writing() as file:
            figure.savefig(file, format=out.format, dpi=110)
    finally:
        pyplot.close(figure)


def _bars(axes: Any, answer: Answer, found: Outcomes) -> None:
    measure = answer.measure
    final = answer.final
    shown = [name for name in measure.columns if f"{name}_conf" in final.of] + (
        ["sigma"] if answer.method == "morris" else []
    )
    order = np.argsort(final.of[measure.main])
    height = 0.8 / len(shown)
    for i, name in enumerate(shown):
        at = np.arange(order.size) + height * ((len(shown) - 1) / 2.0 - i)
        half = final.of.get(f"{name}_conf")
        axes.barh(
            at,
            final.of[name][order],
            height,
            xerr=None if half is None else half[order],
            color=COLOURS[i],
            label=name,
            capsize=2.0,
        )
    axes.set_yticks(np.arange(order.size), [answer.names[i] for i in order])
    axes.axvline(0.0, color="0.6", lw=0.8)
    unit = (
        f" [{found.unit}]"
        if answer.method == "morris" and not found.log and found.unit != "1"
        else ""
    )
    axes.set(
        xlabel=f"index{unit}, with its interval of 95 %",
        title=f"{found.words}{''.join(f', {k} = {v}' for k, v in answer.at.items())}",
    )
    axes.legend(loc="lower right")


def _settling(axes: Any, answer: Answer) -> None:
    main = answer.measure.main
    n = np.array([step.n for step in answer.steps])
    for i, name in enumerate(answer.names):
        values = [float(step.of[main][i]) for step in answer.steps]
        half = [float(step.of[f"{main}_conf"][i]) for step in answer.steps]
        # so that equal values are both seen
        beside = 2.0 ** (0.05 * (i - 0.5 * (len(answer.names) - 1)))
        style = {"color": COLOURS[i % len(COLOURS)], "ls": LINES[i // len(COLOURS) % len(LINES)]}
        axes.errorbar(
            n * beside, values, half, marker="o", ms=3.0, capsize=2.0, label=name, **style
        )
    axes.set_xscale("log", base=2)
    axes.set_xticks(n, [str(k) for k in n])
    settled = "enough" if answer.settled else "not enough"
    axes.set(xlabel=answer.measure.units, ylabel=main, title=f"{answer.method}: n was {settled}")
    axes.legend(fontsize="small", loc="upper left", bbox_to_anchor=(1.0, 1.0))
