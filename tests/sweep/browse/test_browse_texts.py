"""How the page writes numbers, axes, texts and tables."""

import csv
import io
import math

import numpy as np
import pytest

from sweep.browse.parts import csv_text
from sweep.browse.parts.html import escaped, plain, shown
from sweep.browse.parts.scales import Scale, number


@pytest.mark.parametrize(
    ("value", "words"),
    [
        *(
            (0.0, "0"),
            (0.5, "0.5"),
            (4000.0, "4000"),
            (-273.2, "−273.2"),
            (2.882e-9, "2.882×10⁻⁹"),
            (1e-9, "10⁻⁹"),
            (1.5e12, "1.5×10¹²"),
        ),
        *((9.9999e-5, "10⁻⁴"), (999999.0, "10⁶"), (math.nan, "–"), (math.inf, "inf")),
    ],
)
def test_numbers_are_written_as_people_write_them(value: float, words: str) -> None:
    assert number(value) == words


@pytest.mark.parametrize(
    ("values", "log"),
    [
        ([1.0, 9.0], False),
        ([1.0, 11.0], True),
        ([0.0, 1.0, 100.0], True),
        ([-1.0, 1.0, 100.0], False),
        ([math.nan, 3.0], False),
        ([], False),
    ],
)
def test_a_scale_is_logarithmic_where_positive_values_span_more_than_a_decade(
    values: list[float], log: bool
) -> None:
    scale = Scale.of(np.array(values))
    assert scale.log is log
    low, high = scale.ends()
    assert low < high
    positions = scale.positions_of(np.array(values))
    assert ((low - 1e-12 <= positions) & (positions <= high + 1e-12))[np.isfinite(positions)].all()
    assert np.isfinite(positions).sum() == sum(
        value > 0.0 if log else math.isfinite(value) for value in values
    )


@pytest.mark.parametrize("max_ticks", [3, 4, 7])
@pytest.mark.parametrize(
    ("low", "high"),
    [
        (0.014, 0.095),
        (1.0, 2.0),
        (2.8e-9, 4.6e-9),
        (0.1, 1000.0),
        (1e-30, 1e3),
        (3.0, 40.0),
        (-5.0, 5.0),
        (7.0, 7.0),
    ],
)
def test_ticks_are_a_few_round_numbers_inside_the_axis(
    low: float, high: float, max_ticks: int
) -> None:
    scale = Scale.of(np.array([low, high]))
    first, last = scale.ends()
    ticks = scale.ticks(max_ticks)
    assert 1 <= len(ticks) <= max_ticks
    assert all(first - 1e-6 <= position <= last + 1e-6 for position, _ in ticks)
    assert len({words for _, words in ticks}) == len(ticks)
    assert max_ticks < 4 or len(ticks) >= 2


def test_texts_act_on_nothing() -> None:
    assert escaped("<b>&") == "<bdi>&lt;b&gt;&amp;</bdi>"
    assert shown("\u202eabc\n\x1b[2J") == "\\u202eabc\\x0a\\x1b[2J"
    assert shown("x" * 100, 10) == "x" * 9 + "…"
    assert "$$" not in plain("$$x^2$$")
    assert "\\(" not in plain("\\(x\\)")
    assert plain("$$x$$").replace("\u2060", "") == "$$x$$"


def test_a_table_keeps_numbers_in_full_and_disarms_formulas() -> None:
    numbers = [0.1 + 0.2, math.nan]
    out = csv_text.table({"M_loss [M_Mars]": numbers, "variant": ["=1+1", 'a "b",\nc']})
    head, first, second = csv.reader(io.StringIO(out))
    assert head == ["M_loss [M_Mars]", "variant"]
    assert float(first[0]) == numbers[0]
    assert first[1] == "'=1+1"
    assert second == ["", 'a "b",\nc']
