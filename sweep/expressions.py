"""Conditions and formulas over columns of numbers, such as ``T0 > 3500 and status == "failed"``, without eval.

Python's grammar, of which only what is listed here is understood: no attribute, call of a method,
index or assignment exists in it. (pandas.query calls methods, numexpr evaluates code that it has
made from the text, asteval and simpleeval work on one row at a time.)
"""

import ast
import difflib
import functools
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marsdisk.errors import MarsDiskError

# characters; names, numbers, texts and operators
MAX_LENGTH = 1000
MAX_PARTS = 200


@dataclass(frozen=True)
class Function:
    """What an expression may call."""

    call: Callable[..., Any]  #: of arrays over the runs, or of one value each
    several: bool = False  #: two arguments or more, folded from the left; else one
    takes: str = "number"  #: kind of its arguments
    gives: str = "number"


FUNCTIONS: Mapping[str, Function] = {
    "abs": Function(np.abs),
    "sqrt": Function(np.sqrt),
    "exp": Function(np.exp),
    "log": Function(np.log),
    "log10": Function(np.log10),
    "isfinite": Function(np.isfinite, gives="truth"),
    "min": Function(np.minimum, several=True),
    "max": Function(np.maximum, several=True),
}
_ARITHMETIC: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Pow: np.float_power,
    ast.Mod: np.remainder,
}
_COMPARISONS: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_HINTS: Mapping[type[ast.AST], str] = {
    ast.BitAnd: "& is not known; write and",
    ast.BitOr: "| is not known; write or",
    ast.Invert: "~ is not known; write not",
    ast.BitXor: "^ is not known; a power is written **",
    ast.FloorDiv: "// is not known; write /",
    ast.Attribute: "a point after a name is not known; names have none",
    ast.Subscript: "[...] after a name is not known",
    ast.NamedExpr: ":= is not known; to compare write ==",
    ast.IfExp: "if is not known; write and, or",
}


class ExpressionError(MarsDiskError, ValueError):
    """A condition or formula that cannot be understood; says where in the text."""


class Labels(tuple[str, ...]):
    """All the words that a column can have, of which one run may have several, with blanks between them."""

    __slots__ = ()


@dataclass(frozen=True)
class _Value:
    kind: str  #: number, truth, text or labels
    values: Any  #: an array over the runs, or one value
    words: tuple[str, ...] = ()  #: all that a column of text can be, where that is known


class Expression:
    """A condition or formula, parsed and found harmless.

    Names are columns; ``and or not``, ``== != < <= > >=`` (chains too), ``in (...)``, ``+ - * / **
    %``, numbers, texts in quotes, True, False and :data:`FUNCTIONS` have their usual meaning, one
    run at a time. Comparisons with NaN are false. Numbers are doubles, so that nothing can grow
    beyond its column.

    Parameters
    ----------
    text : at most :data:`MAX_LENGTH` characters and :data:`MAX_PARTS` parts

    Raises
    ------
    ExpressionError
        It is no expression of this language.

    Examples
    --------
    >>> columns = {"T0": np.array([3000.0, 4000.0]), "status": np.array(["done", "failed"])}
    >>> Expression("T0 > 3500 and status == 'failed'").condition(columns)
    array([False,  True])
    """

    def __init__(self, text: str) -> None:
        self.text = " ".join(text.split("\n")).strip()
        if len(self.text) > MAX_LENGTH:
            raise ExpressionError(
                f"the expression has {len(self.text)} characters; {MAX_LENGTH} are allowed"
            )
        if not self.text.isprintable():
            raise ExpressionError(
                f"{self.text!r}: there is a character in it that cannot be seen; remove it"
            )
        if not self.text:
            raise ExpressionError("the expression is empty; write, for example, T0 > 3500")
        try:
            self.tree = ast.parse(self.text, mode="eval").body
        except SyntaxError as error:
            at = (error.offset or len(self.text) + 1) - 1
            hint = (
                "; to compare write =="
                if self.text[at : at + 1] == "="
                else "; see the example in --help"
            )
            raise self._error(f"this cannot be understood{hint}", at) from error
        except (ValueError, MemoryError, RecursionError) as error:
            # brackets nested too deep, a number of thousands of digits
            raise ExpressionError(
                f"{self.text[:40]!r}... is too deeply nested; write it with fewer brackets"
            ) from error
        parts = sum(1 for _ in ast.walk(self.tree))
        if parts > 2 * MAX_PARTS:  # with the operators and contexts that the tree holds beside them
            raise ExpressionError(
                f"the expression has more than {MAX_PARTS} names, numbers, texts and operators;"
                " write a shorter one"
            )

    @property
    def names(self) -> list[str]:
        """Columns that it needs, in the order of the text."""
        functions = {id(node.func) for node in ast.walk(self.tree) if isinstance(node, ast.Call)}
        found = [
            node
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Name) and id(node) not in functions
        ]
        return list(
            dict.fromkeys(node.id for node in sorted(found, key=lambda node: node.col_offset))
        )

    @property
    def calls(self) -> list[str]:
        """Functions that it uses."""
        return [
            node.func.id
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        ]

    def condition(
        self,
        columns: Mapping[str, NDArray[Any]],
        words: Mapping[str, Iterable[str]] | None = None,
        functions: Mapping[str, Function] = FUNCTIONS,
    ) -> NDArray[np.bool_]:
        """True where it holds; the expression must be a condition.

        Parameters
        ----------
        columns : arrays of one length, each read only when named
        words : all that a column of text can be; another text compared with it is an error, not a condition that never holds
        functions : all that it may call
        """
        return self.judged(columns, words, functions)[0]

    def judged(
        self,
        columns: Mapping[str, NDArray[Any]],
        words: Mapping[str, Iterable[str]] | None,
        functions: Mapping[str, Function],
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """As :meth:`condition`, and where a number that was compared is none (NaN), so that the answer means nothing."""
        value, evaluation = self._evaluate(columns, words, functions)
        if value.kind != "truth":
            if value.kind == "labels":
                raise self._error(
                    f"these are several words, not a condition; write '{value.words[0]}' in"
                    f" {self.names[0]}",
                    0,
                )
            raise self._error(
                f"this is a {value.kind}, not a condition; compare it, as in"
                f" {self.names[0] if self.names else 'T0'} > 1",
                0,
            )
        holds, unknown = (
            self._over_runs(of, columns).astype(bool) for of in (value.values, evaluation.unknown)
        )
        return holds, unknown

    def number(self, columns: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
        """Its value; the expression must be a formula for a number."""
        value, _ = self._evaluate(columns, None, FUNCTIONS)
        if value.kind != "number":
            raise self._error(f"this is a {value.kind}, not a number", 0)
        return self._over_runs(value.values, columns).astype(float)

    def _over_runs(self, values: Any, columns: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
        return np.array(np.broadcast_to(values, np.shape(columns[next(iter(columns))])))

    def _evaluate(
        self,
        columns: Mapping[str, NDArray[Any]],
        words: Mapping[str, Iterable[str]] | None,
        functions: Mapping[str, Function],
    ) -> "tuple[_Value, Evaluation]":
        evaluation = Evaluation(self, columns, words or {}, functions)
        with np.errstate(all="ignore"):
            return evaluation.of(self.tree), evaluation

    def _error(self, what: str, column: int) -> ExpressionError:
        before = max(0, column - 50)
        return ExpressionError(
            f"{what}\n    {self.text[before : before + 100]}\n    {' ' * (column - before)}^"
            f" position {column + 1}"
        )

    def error_at(self, node: ast.AST, what: str) -> ExpressionError:
        """An error that points at a part of the text."""
        offset = getattr(node, "col_offset", 0)
        return self._error(what, len(self.text.encode()[:offset].decode(errors="ignore")))


class Evaluation:
    """One pass over the tree of an expression; a method for each kind of node that there is."""

    def __init__(
        self,
        expression: Expression,
        columns: Mapping[str, NDArray[Any]],
        words: Mapping[str, Iterable[str]],
        functions: Mapping[str, Function],
    ) -> None:
        self.error = expression.error_at
        self.columns = columns
        self.words = words
        self.functions = functions
        self.unknown: Any = False  #: where a number that was compared is NaN

    def of(self, node: ast.AST, where: ast.AST | None = None) -> _Value:
        known: Mapping[type[ast.AST], Callable[[Any], _Value]] = {
            ast.Constant: self._constant,
            ast.Name: self._name,
            ast.BoolOp: self._all_or_any,
            ast.UnaryOp: self._unary,
            ast.BinOp: self._arithmetic,
            ast.Compare: self._comparison,
            ast.Call: self._call,
        }
        if type(node) not in known:
            raise self.error(
                where or node,
                _HINTS.get(
                    type(node),
                    "this is not known here; there are names, numbers, texts, and, or, not and"
                    " comparisons",
                ),
            )
        return known[type(node)](node)

    def _as(self, kind: str, node: ast.AST) -> Any:
        value = self.of(node)
        if value.kind != kind:
            wanted = {
                "number": "a number",
                "truth": "a condition, such as T0 > 3500,",
                "text": "a text",
            }[kind]
            raise self.error(node, f"{wanted} is needed here, this is a {value.kind}")
        return value.values

    def _constant(self, node: ast.Constant) -> _Value:
        if isinstance(node.value, bool):
            return _Value("truth", node.value)
        if isinstance(node.value, int | float):
            try:
                return _Value("number", float(node.value))
            except OverflowError as error:
                raise self.error(node, "this number is too large") from error
        if isinstance(node.value, str):
            return _Value("text", node.value)
        raise self.error(node, "this is no number, text, True or False")

    def _name(self, node: ast.Name) -> _Value:
        if node.id not in self.columns:
            near = difflib.get_close_matches(node.id, self.columns, n=1)
            text = next(
                (
                    f"; for the text write '{node.id}'"
                    for words in self.words.values()
                    if node.id in words
                ),
                "",
            )
            mean = f"; did you mean {near[0]}?" if near and not text else ""
            raise self.error(
                node, f"there is no {node.id}{text}{mean} (known: {', '.join(self.columns)})"
            )
        values = self.columns[node.id]
        if values.dtype.kind in "UTO":
            words = self.words.get(node.id, ())
            return _Value("labels" if isinstance(words, Labels) else "text", values, tuple(words))
        return (
            _Value("truth", values)
            if values.dtype.kind == "b"
            else _Value("number", values.astype(float))
        )

    def _all_or_any(self, node: ast.BoolOp) -> _Value:
        combine = np.logical_and if isinstance(node.op, ast.And) else np.logical_or
        first, *others = (self._as("truth", part) for part in node.values)
        for other in others:
            first = combine(first, other)
        return _Value("truth", first)

    def _unary(self, node: ast.UnaryOp) -> _Value:
        if isinstance(node.op, ast.Not):
            return _Value("truth", np.logical_not(self._as("truth", node.operand)))
        if isinstance(node.op, ast.Invert):
            return self.of(node.op, node)
        value = self._as("number", node.operand)
        return _Value("number", np.negative(value) if isinstance(node.op, ast.USub) else value)

    def _arithmetic(self, node: ast.BinOp) -> _Value:
        if type(node.op) not in _ARITHMETIC:
            return self.of(node.op, node)
        return _Value(
            "number",
            _ARITHMETIC[type(node.op)](
                self._as("number", node.left), self._as("number", node.right)
            ),
        )

    def _comparison(self, node: ast.Compare) -> _Value:
        holds: Any = True
        left_node = node.left
        left = self.of(node.left)
        for op, right_node in zip(node.ops, node.comparators, strict=True):
            if isinstance(op, ast.In | ast.NotIn):
                if isinstance(right_node, ast.Name):
                    has_label = self._has_label(left, left_node, right_node)
                    return _Value(
                        "truth", np.logical_and(holds, has_label ^ isinstance(op, ast.NotIn))
                    )
                if not isinstance(right_node, ast.Tuple | ast.List) or not right_node.elts:
                    raise self.error(
                        right_node, "after in comes a list, as in status in ('done', 'failed')"
                    )
                one_of: Any = False
                for part in right_node.elts:
                    one_of = np.logical_or(
                        one_of, self._compared(ast.Eq(), left, self.of(part), part)
                    )
                return _Value(
                    "truth",
                    np.logical_and(
                        holds, np.logical_not(one_of) if isinstance(op, ast.NotIn) else one_of
                    ),
                )
            right = self.of(right_node)
            holds = np.logical_and(
                holds,
                self._compared(op, left, right, right_node if right.words == () else left_node),
            )
            left_node = right_node
            left = right
        return _Value("truth", holds)

    def _has_label(self, label: _Value, label_node: ast.AST, column_node: ast.Name) -> Any:
        """Where a column of labels has a label among its own."""
        column = self.of(column_node)
        if column.kind != "labels":
            raise self.error(
                column_node, "after in comes a list, as in status in ('done', 'failed')"
            )
        if not isinstance(label.values, str) or label.values not in column.words:
            raise self.error(label_node, f"this is none of {', '.join(map(repr, column.words))}")
        has_label = [label.values in labels.split() for labels in column.values.tolist()]
        return np.array(has_label, dtype=bool)

    def _compared(self, op: ast.cmpop, left: _Value, right: _Value, node: ast.AST) -> Any:
        if type(op) not in _COMPARISONS:
            raise self.error(node, "is is not known; write ==")
        if "labels" in {left.kind, right.kind}:
            return self._compared_labels(op, left, right, node)
        if left.kind != right.kind:
            raise self.error(
                node,
                f"a {left.kind} cannot be compared with a {right.kind}"
                + ("; a number has no quotes" if "text" in {left.kind, right.kind} else ""),
            )
        if left.kind != "number" and not isinstance(op, ast.Eq | ast.NotEq):
            raise self.error(node, f"a {left.kind} has no order; write == or !=")
        for one, other in ((left, right), (right, left)):
            if one.words and isinstance(other.values, str) and other.values not in one.words:
                raise self.error(node, f"{other.values!r} is none of {', '.join(one.words)}")
        if left.kind == "number":
            self.unknown = self.unknown | np.isnan(left.values) | np.isnan(right.values)
        return _COMPARISONS[type(op)](left.values, right.values)

    def _compared_labels(self, op: ast.cmpop, left: _Value, right: _Value, node: ast.AST) -> Any:
        """Labels are looked for with in; they are compared only with having none."""
        if not isinstance(op, ast.Eq | ast.NotEq) or "" not in (
            str(left.values),
            str(right.values),
        ):
            label = (left.words or right.words)[0]
            raise self.error(
                node,
                f"these are several words; write '{label}' in NAME, or NAME == '' for none of them",
            )
        return _COMPARISONS[type(op)](left.values, right.values)

    def _call(self, node: ast.Call) -> _Value:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name not in self.functions:
            near = difflib.get_close_matches(name, self.functions, n=1)
            raise self.error(
                node,
                f"the functions are {', '.join(self.functions)}"
                + (f"; did you mean {near[0]}?" if near else ""),
            )
        function = self.functions[name]
        if node.keywords or any(isinstance(argument, ast.Starred) for argument in node.args):
            raise self.error(node, f"{name} takes plain arguments")
        if not (len(node.args) >= 2 if function.several else len(node.args) == 1):
            raise self.error(
                node,
                f"{name} takes {'two arguments or more' if function.several else 'one argument'}",
            )
        arguments = [self._as(function.takes, argument) for argument in node.args]
        values = (
            functools.reduce(function.call, arguments)
            if function.several
            else function.call(*arguments)
        )
        return _Value(function.gives, values)
