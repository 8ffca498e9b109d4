"""Numbers on axes and colour bars."""

import math

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from ..results.quantity import PLAIN_NUMBERS

POINTS_PER_INCH = 72.0
#: Decades of a scale up to which numbers between powers of ten are labelled, too.
MAX_DECADES_LABELLED_WITHIN = 2.0
#: These numbers.
LABELS_WITHIN_DECADE = (1.0, 2.0, 5.0)


def spans_few_decades(low: float, high: float) -> bool:
    """Return whether a scale has too few powers of ten to be read by them alone."""
    return math.log10(high / low) <= MAX_DECADES_LABELLED_WITHIN


def within_decades() -> LogLocator:
    """Return the places of labels on a scale of few decades."""
    return LogLocator(subs=LABELS_WITHIN_DECADE)


def numbers_of_one_digit() -> FuncFormatter:
    """Return labels such as 20 and 2 x 10^15."""
    return FuncFormatter(lambda value, _: _in_mathtext(value))


def label_few_decades(ax: Axes) -> None:
    """Label the logarithmic axes of a panel so that two numbers on each of them can be read."""
    for axis, limits in ((ax.xaxis, ax.get_xlim()), (ax.yaxis, ax.get_ylim())):
        if axis.get_scale() == "log" and spans_few_decades(*limits):
            axis.set_major_locator(within_decades())
            axis.set_major_formatter(numbers_of_one_digit())
            axis.set_minor_formatter(NullFormatter())


def _in_mathtext(value: float) -> str:
    """Return a number of one digit as Matplotlib typesets it."""
    lowest_plain, highest_plain = PLAIN_NUMBERS
    if lowest_plain <= value <= highest_plain:
        return f"{value:g}"
    digit, exponent = f"{value:.0e}".split("e")
    power = f"10^{{{int(exponent)}}}"
    return f"${power}$" if digit == "1" else rf"${digit}\times{power}$"
