"""Which parameters change a result, and by how much: what fits the way the runs were chosen."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..spec.axes import ONE_AT_A_TIME
from ..spec.designs import POINT, DesignSpec, given_design
from .columns import coded
from .effects import Effect, effects
from .outcomes import GOOD, Outcomes, left_out_lines, outcomes, refuse_gathered
from .selection import Selection
from .sensitivity import DUMMY, answers

#: Effects that the sentence names.
MAX_EFFECTS_NAMED = 4
BASE = "base"
#: Parts of a parameter's range that are compared to rank parameters.
PARTS_OF_RANGE = 10


@dataclass(frozen=True)
class Bar:
    """What one parameter does.

    Attributes
    ----------
    name : str
        The parameter.
    low, high : float
        The range of the result in its unit, or of the index with its interval.
    middle : float
        The index itself, or the result of the base; NaN where there is none.
    words : str
        The same in words.
    """

    name: str
    low: float
    high: float
    middle: float
    words: str


@dataclass(frozen=True)
class Matters:
    """What each parameter does to a result, the strongest first.

    Attributes
    ----------
    kind : str
        ``effect`` of a parameter in the unit of the result, or the name of an index.
    meaning : str
        What the bars are.
    bars : sequence of Bar
        One for each parameter.
    sentence : str
        The strongest effects, for people.
    remarks : sequence of str
        What is to be kept in mind.
    """

    kind: str
    meaning: str
    bars: Sequence[Bar]
    sentence: str
    remarks: Sequence[str] = field(default=())

    @classmethod
    def of(cls, selection: Selection, name: str, *, single_rings: bool = False) -> "Matters":
        """Return what the parameters do to a result.

        Of a grid, these are medians at the values of each axis; of changes of one key at a time,
        the results of the changes; of a design, its indices; and of a sample, PAWN.

        Parameters
        ----------
        selection : Selection
            The runs.
        name : str
            The result.
        single_rings : bool
            Whether rings are cases of their own, also where the result adds up over them.

        Raises
        ------
        StoreError
            There are too few runs, or too many without a result.
        """
        refuse_gathered(selection.store, name)
        results = outcomes(selection.store, name, selection=selection, single_rings=single_rings)
        if ONE_AT_A_TIME in results.axes:
            return cls._of_changes(results)
        if POINT in results.axes or not results.axes:
            return cls._of_points(selection, results)
        return cls._of_axes(results)

    @classmethod
    def _of_axes(cls, results: Outcomes) -> "Matters":
        ranked = effects(results)
        bars = [Bar(each.axis, each.lowest, each.highest, np.nan, each.words) for each in ranked]
        meaning = "medians at the values of each axis, over the same cases of all others"
        return cls("effect", meaning, bars, _sentence(results, ranked), left_out_lines(results))

    @classmethod
    def _of_changes(cls, results: Outcomes) -> "Matters":
        """Return the results of changes of one key, from the base and back."""
        labels = np.array(results.labels[ONE_AT_A_TIME].tolist(), dtype=object)
        is_good = results.state == GOOD
        base = results.value[is_good & (labels == BASE)]
        middle = float(base[0]) if base.size else np.nan
        values_of: dict[str, list[float]] = {}
        for label, value in zip(labels[is_good], results.value[is_good], strict=True):
            if label != BASE:
                key = str(label).partition(" = ")[0]
                values_of.setdefault(key, [middle] if base.size else []).append(float(value))
        ranked = sorted(
            (
                Effect(key, min(values), max(values), results.unit)
                for key, values in values_of.items()
            ),
            key=lambda effect: effect.size,
            reverse=True,
        )
        bars = [Bar(each.axis, each.lowest, each.highest, middle, each.words) for each in ranked]
        meaning = "changes of one key, from the base"
        return cls("effect", meaning, bars, _sentence(results, ranked), left_out_lines(results))

    @classmethod
    def _of_points(cls, selection: Selection, results: Outcomes) -> "Matters":
        """Return indices of drawn points: those of the design, or else PAWN."""
        design = given_design(selection.store.description.sweep.content)
        is_design = isinstance(design, DesignSpec)
        method = None if is_design and not selection.condition else "pawn"
        remarks = left_out_lines(results)
        groups = answers(selection.store, results, method=method, allowed=1.0)
        answer = groups[0]
        if len(groups) > 1:
            at = ", ".join(f"{axis} = {label}" for axis, label in answer.at.items())
            remarks.append(f"at {at}; sweep sensitivity has the others")
        if not answer.settled:
            remarks.append("there are too few runs for these indices to be settled")
        main = answer.measure.main
        index = answer.final.of[main]
        half = answer.final.of[f"{main}_conf"]
        # indices of Morris are changes of the result, others are shares of its variance
        has_unit = answer.measure.relative and results.unit != "1"
        unit = f" {results.unit}" if has_unit else ""
        bars = []
        for i in np.argsort(-index):
            words = f"{index[i]:.3g} ± {half[i]:.2g}{unit}"
            low, high = float(index[i] - half[i]), float(index[i] + half[i])
            bars.append(Bar(answer.names[i], low, high, float(index[i]), words))
        strong = [bar for bar in bars if bar.name != DUMMY][:MAX_EFFECTS_NAMED]
        listed = ", ".join(f"{bar.name} {bar.middle:.2g}{unit}" for bar in strong)
        sentence = f"{main} of {results.target_in_words}: {listed}."
        return cls(main, answer.measure.columns[main], bars, sentence, [*remarks, *answer.notes])


def _sentence(results: Outcomes, ranked: Sequence[Effect]) -> str:
    """Return the effects as a sentence, such as ``mu changes M_loss 10-fold, T0 1.6-fold``."""
    known = [effect for effect in ranked if effect.is_known]
    if not known:
        return ""
    first, *others = known[:MAX_EFFECTS_NAMED]
    size = first.words.removeprefix(f"{first.axis} ")
    words = [f"{first.axis} changes {results.target_in_words} {size}"]
    words += [effect.words for effect in others]
    hidden = len(known) - MAX_EFFECTS_NAMED
    if hidden > 0:
        words.append(f"{hidden} more by less")
    return f"{', '.join(words)}."


def strongest_parameters(selection: Selection, name: str) -> list[str]:
    """Return the parameters that change a result, the strongest first; none where it is not known.

    Parameters
    ----------
    selection : Selection
        The runs.
    name : str
        The result.
    """
    store = selection.store
    results = outcomes(store, name, selection=selection)
    if results.axes and POINT not in results.axes and ONE_AT_A_TIME not in results.axes:
        return [effect.axis for effect in effects(results)]
    is_good = results.state == GOOD
    if not is_good.any():
        return []
    order = np.argsort(np.argsort(results.value[is_good], kind="stable")).astype(np.float64)
    strength = {
        key: _strength(coded(column[is_good])[1], order) for key, column in results.columns.items()
    }
    return sorted(strength, key=lambda key: -strength[key])


def _strength(codes: NDArray[np.int64], order: NDArray[np.float64]) -> float:
    """Return how much the medians of a result's ranks differ between parts of a parameter's range.

    It ranks parameters as their indices do, in a thousandth of the time.
    """
    parts = min(PARTS_OF_RANGE, int(codes.max()) + 1)
    by_value = np.argsort(codes, kind="stable")
    medians = [float(np.median(order[part])) for part in np.array_split(by_value, parts)]
    return float(np.ptp(medians))
