"""How far a run is beyond what a condition asks for, to find the worst of those that do not meet it."""

import ast
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .expressions import FUNCTIONS, Evaluation, Expression
from .groups import Floats, Groups
from .views import WORDS


class Excess:
    """How far each row is beyond what is expected (above 0) or within (below 0): the quantitative semantics of Fainekos & Pappas (2009).

    Of a comparison it is the difference of both sides over the larger of them; ``and`` takes the
    worst, ``or`` the best, ``not`` turns it.
    """

    def __init__(
        self, expect: Expression, rows: Mapping[str, NDArray[Any]], groups: Groups
    ) -> None:
        self.groups, self.text, self.size = groups, expect.text, groups.number.size
        self.evaluation = Evaluation(expect, rows, WORDS, {**FUNCTIONS, **groups.functions})
        self.compared: dict[str, Any] = {}  #: numbers by their text

    def of(self, node: ast.AST) -> Floats:
        """(rows,) of a condition."""
        match node:
            case ast.BoolOp(op=op, values=parts):
                return self._over_rows(
                    (np.maximum if isinstance(op, ast.And) else np.minimum).reduce(
                        [self.of(part) for part in parts]
                    )
                )
            case ast.UnaryOp(op=ast.Not(), operand=inner):
                return -self.of(inner)
            case ast.Call(func=ast.Name(id="earlier"), args=[inner]):
                return self.groups.smallest_earlier(self.of(inner), 1.0)
            case ast.Compare(left=first, ops=ops, comparators=others) if all(
                type(op) in _BEYOND for op in ops
            ):
                sides = [self.evaluation.of(side) for side in (first, *others)]
                if all(side.kind == "number" for side in sides):
                    for part, side in zip((first, *others), sides, strict=True):
                        if not isinstance(part, ast.Constant):
                            self.compared[str(ast.get_source_segment(self.text, part))] = (
                                side.values
                            )
                    pairs = zip(ops, sides, sides[1:], strict=False)
                    return self._over_rows(
                        np.maximum.reduce(
                            [_BEYOND[type(op)](_relative(a.values, b.values)) for op, a, b in pairs]
                        )
                    )
        return self._over_rows(np.where(self.evaluation.of(node).values, -1.0, 1.0))

    def _over_rows(self, values: Any) -> Floats:
        return np.broadcast_to(values, self.size).astype(float)


_BEYOND: Mapping[type[ast.cmpop], Callable[[Any], Any]] = {
    ast.Lt: np.positive,
    ast.LtE: np.positive,
    ast.Gt: np.negative,
    ast.GtE: np.negative,
    ast.Eq: np.abs,
}


def _relative(left: Any, right: Any) -> Any:
    scale = np.maximum(np.abs(left), np.abs(right))
    return np.where(left == right, 0.0, (left - right) / np.where(scale > 0.0, scale, 1.0))
