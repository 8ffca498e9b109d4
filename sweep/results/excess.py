"""How far runs are beyond a condition, to find the worst of those that do not meet it."""

import ast
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..spec.expressions import FUNCTIONS, Evaluation, Expression
from ..spec.groups import Floats, Groups
from .columns import WORDS


class Excess:
    """How far each row is beyond a condition (above 0) or within it (below 0).

    These are the quantitative semantics of Fainekos & Pappas (2009). For a comparison it is the
    difference of both sides over the larger of them; ``and`` takes the worst, ``or`` the best,
    ``not`` the negative.

    Parameters
    ----------
    condition : Expression
        The condition.
    rows : mapping
        Columns by name, each of shape (rows,).
    groups : Groups
        The group of each row.
    """

    def __init__(
        self, condition: Expression, rows: Mapping[str, NDArray[Any]], groups: Groups
    ) -> None:
        self.groups = groups
        self.text = condition.text
        self.size = groups.number.size
        functions = {**FUNCTIONS, **groups.functions}
        self.evaluation = Evaluation(condition, rows, WORDS, functions)
        self.compared: dict[str, Any] = {}  #: numbers that were compared, by their text

    def of(self, node: ast.AST) -> Floats:
        """Return how far each row is beyond a part of the condition, (rows,)."""
        match node:
            case ast.BoolOp(op=op, values=parts):
                combine = np.maximum if isinstance(op, ast.And) else np.minimum
                return self._over_rows(combine.reduce([self.of(part) for part in parts]))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return -self.of(operand)
            case ast.Call(func=ast.Name(id="earlier"), args=[condition]):
                return self.groups.smallest_earlier(self.of(condition), 1.0)
            case ast.Compare(ops=ops) if all(type(op) in _BEYOND for op in ops):
                parts = [node.left, *node.comparators]
                sides = [self.evaluation.of(part) for part in parts]
                if all(side.kind == "number" for side in sides):
                    return self._of_comparison(ops, parts, [side.values for side in sides])
        return self._over_rows(np.where(self.evaluation.of(node).values, -1.0, 1.0))

    def _of_comparison(
        self, ops: Sequence[ast.cmpop], parts: Sequence[ast.expr], sides: Sequence[Any]
    ) -> Floats:
        for part, values in zip(parts, sides, strict=True):
            if not isinstance(part, ast.Constant):
                self.compared[str(ast.get_source_segment(self.text, part))] = values
        excesses = []
        for op, (left, right) in zip(ops, itertools.pairwise(sides), strict=True):
            excesses.append(_BEYOND[type(op)](_relative_difference(left, right)))
        return self._over_rows(np.maximum.reduce(excesses))

    def _over_rows(self, values: Any) -> Floats:
        return np.broadcast_to(values, self.size).astype(float)


#: How far a comparison is missed, from the relative difference of its sides.
_BEYOND: Mapping[type[ast.cmpop], Callable[[Any], Any]] = {
    ast.Lt: np.positive,
    ast.LtE: np.positive,
    ast.Gt: np.negative,
    ast.GtE: np.negative,
    ast.Eq: np.abs,
}


def _relative_difference(left: Any, right: Any) -> Any:
    scale = np.maximum(np.abs(left), np.abs(right))
    return np.where(left == right, 0.0, (left - right) / np.where(scale > 0.0, scale, 1.0))
