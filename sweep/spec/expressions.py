"""Conditions and formulas over columns, such as ``T0 > 3500 and status == "failed"``.

They have Python's grammar, of which only what is listed here is understood, and are not evaluated
by Python: attributes, calls of methods, indexing and assignment do not exist. (pandas.query calls
methods, numexpr evaluates code made from the text, asteval and simpleeval take one row at a time.)
"""

import ast
import copy
import functools
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marsdisk.common.errors import MarsDiskError

from ..common.floats import equal
from ..common.text import did_you_mean

#: Characters of an expression.
MAX_LENGTH = 1000
#: Names, numbers, texts and operators of an expression.
MAX_PARTS = 200


@dataclass(frozen=True)
class Function:
    """A function that an expression may call."""

    call: Callable[..., Any]  #: takes arrays over the runs, or single values
    several: bool = False  #: takes two arguments or more, folded from the left; else one
    takes: str = "number"  #: kind of its arguments
    gives: str = "number"  #: kind of its value


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


def _is_less(left: Any, right: Any) -> Any:
    return np.less(left, right) & ~equal(left, right)


def _is_at_most(left: Any, right: Any) -> Any:
    return np.less(left, right) | equal(left, right)


#: Of any two numbers but NaN, one is less, or they are the same to 12 digits.
_COMPARISONS_OF_NUMBERS: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: _is_less,
    ast.LtE: _is_at_most,
    ast.Gt: lambda left, right: _is_less(right, left),
    ast.GtE: lambda left, right: _is_at_most(right, left),
    ast.Eq: equal,
    ast.NotEq: lambda left, right: ~equal(left, right),
}
_COMPARISONS: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_HINTS: Mapping[type[ast.AST], str] = {
    ast.BitAnd: "& is not allowed; write and",
    ast.BitOr: "| is not allowed; write or",
    ast.Invert: "~ is not allowed; write not",
    ast.BitXor: "^ is not allowed; a power is written **",
    ast.FloorDiv: "// is not allowed; write /",
    ast.Attribute: "'.' is only allowed in the key of a parameter, such as temperature.T0",
    ast.Subscript: "[...] after a name is not allowed",
    ast.NamedExpr: ":= is not allowed; to compare write ==",
    ast.IfExp: "if is not allowed; write and, or",
}


class ExpressionError(MarsDiskError, ValueError):
    """An expression that is not valid; the message shows where."""


class Labels(tuple[str, ...]):
    """All words of a column in which a run may have several, separated by blanks."""

    __slots__ = ()


@dataclass(frozen=True)
class _Value:
    kind: str  #: number, truth, text or labels
    values: Any  #: an array over the runs, or a single value
    words: tuple[str, ...] = ()  #: all texts that a column can have, where these are known


class Expression:
    """A condition or formula that was parsed and is harmless.

    Names are columns; ``and or not``, ``== != < <= > >=`` (also in chains), ``in (...)``, ``+ - * /
    ** %``, numbers, texts in quotes, True, False and :data:`FUNCTIONS` have their usual meaning,
    for each run. Comparisons with NaN are false. Numbers are doubles, so that no value can grow
    beyond its column, and are equal if 12 significant digits of them are: of ``<``, ``==`` and
    ``>`` just one holds, and ``<=`` and ``>=`` hold for equal numbers.

    Parameters
    ----------
    text : str
        At most :data:`MAX_LENGTH` characters and :data:`MAX_PARTS` parts.

    Raises
    ------
    ExpressionError
        It is not an expression of this language.

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
            raise ExpressionError(f"{self.text!r}: it has an invisible character; remove it")
        if not self.text:
            raise ExpressionError("the expression is empty; write, for example, T0 > 3500")
        try:
            self.tree = _WithDottedNames().visit(ast.parse(self.text, mode="eval")).body
        except SyntaxError as error:
            column = (error.offset or len(self.text) + 1) - 1
            hint = "see the example in --help"
            if self.text[column : column + 1] == "=":
                hint = "to compare write =="
            raise self._error(f"syntax error; {hint}", column) from error
        except (ValueError, MemoryError, RecursionError) as error:
            # brackets nested too deep, a number of thousands of digits
            raise ExpressionError(
                f"{self.text[:40]!r}... is too deeply nested; write it with fewer brackets"
            ) from error
        parts = sum(1 for _ in ast.walk(self.tree))
        if parts > 2 * MAX_PARTS:  # the tree has operators and contexts in addition
            raise ExpressionError(
                f"the expression has more than {MAX_PARTS} names, numbers, texts and operators;"
                " write a shorter one"
            )

    @property
    def names(self) -> list[str]:
        """Columns that it needs, in the order of the text."""
        nodes = list(ast.walk(self.tree))
        functions = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
        names = [node for node in nodes if isinstance(node, ast.Name) and id(node) not in functions]
        names.sort(key=lambda node: node.col_offset)
        return list(dict.fromkeys(node.id for node in names))

    def renamed(self, names: Mapping[str, str]) -> "Expression":
        """Return the expression with other names of columns.

        Parameters
        ----------
        names : mapping of str to str
            New names by those in the expression; names that it lacks stay.
        """
        changed = copy.copy(self)
        changed.tree = _Renamed(names).visit(copy.deepcopy(self.tree))
        return changed

    @property
    def calls(self) -> list[str]:
        """Functions that it uses."""
        calls = [node for node in ast.walk(self.tree) if isinstance(node, ast.Call)]
        return [call.func.id for call in calls if isinstance(call.func, ast.Name)]

    def condition(
        self,
        columns: Mapping[str, NDArray[Any]],
        words: Mapping[str, Iterable[str]] | None = None,
        functions: Mapping[str, Function] = FUNCTIONS,
    ) -> NDArray[np.bool_]:
        """Return where it holds; the expression must be a condition.

        Parameters
        ----------
        columns : mapping
            Arrays of one length by name, each read only when named.
        words : mapping, optional
            All texts that a column can have, by its name. To compare the column with another text
            is an error, rather than a condition that never holds.
        functions : mapping
            All functions that it may call.

        Returns
        -------
        (rows,) array of bool
            False where a number that is compared is NaN.

        Raises
        ------
        ExpressionError
            It is not a condition, or names columns or functions that do not exist.
        """
        return self.judged(columns, words, functions)[0]

    def judged(
        self,
        columns: Mapping[str, NDArray[Any]],
        words: Mapping[str, Iterable[str]] | None,
        functions: Mapping[str, Function],
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return where it holds, and where that is unknown since a compared number is NaN.

        Parameters
        ----------
        columns, words, functions
            As :meth:`condition` takes them.

        Returns
        -------
        holds, unknown : (rows,) arrays of bool

        Raises
        ------
        ExpressionError
            It is not a condition, or names columns or functions that do not exist.
        """
        value, evaluation = self._evaluate(columns, words, functions)
        if value.kind == "labels":
            advice = f"write '{value.words[0]}' in {self.names[0]}"
            raise self._error(f"these are several words, not a condition; {advice}", 0)
        if value.kind != "truth":
            name = self.names[0] if self.names else "T0"
            advice = f"compare it, as in {name} > 1, in quotes on a command line"
            raise self._error(f"this is a {value.kind}, not a condition; {advice}", 0)
        holds = self._over_runs(value.values, columns).astype(bool)
        unknown = self._over_runs(evaluation.unknown, columns).astype(bool)
        return holds, unknown

    def number(self, columns: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
        """Return its value, (rows,); ExpressionError where it is not a number."""
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

    def _error(self, problem: str, column: int) -> ExpressionError:
        begin = max(0, column - 50)
        line = self.text[begin : begin + 100]
        mark = " " * (column - begin) + "^"
        return ExpressionError(f"{problem}\n    {line}\n    {mark} position {column + 1}")

    def error_at(self, node: ast.AST, problem: str) -> ExpressionError:
        """Return an error that points at a part of the text."""
        offset = getattr(node, "col_offset", 0)
        return self._error(problem, len(self.text.encode()[:offset].decode(errors="ignore")))


class _WithDottedNames(ast.NodeTransformer):
    """Makes one name of a dotted key, which Python takes for attributes."""

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        """Return a name in place of the attribute of a name."""
        owner = self.visit(node.value)
        if isinstance(owner, ast.Name):
            return ast.copy_location(ast.Name(f"{owner.id}.{node.attr}", node.ctx), node)
        return node


class _Renamed(ast.NodeTransformer):
    """Gives names of an expression other names."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names

    def visit_Name(self, node: ast.Name) -> ast.Name:
        """Return the name with its new text."""
        return ast.copy_location(ast.Name(self._names.get(node.id, node.id), node.ctx), node)


class Evaluation:
    """One pass over the tree of an expression, with a method for each kind of node."""

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
        """Return the value of a part of the expression; errors point at ``where``."""
        methods: Mapping[type[ast.AST], Callable[[Any], _Value]] = {
            ast.Constant: self._constant,
            ast.Name: self._name,
            ast.BoolOp: self._all_or_any,
            ast.UnaryOp: self._unary,
            ast.BinOp: self._arithmetic,
            ast.Compare: self._comparison,
            ast.Call: self._call,
        }
        if type(node) in methods:
            return methods[type(node)](node)
        problem = _HINTS.get(
            type(node),
            "this is not allowed here; use names, numbers, texts, and, or, not and comparisons",
        )
        raise self.error(where or node, problem)

    def _values(self, node: ast.AST, kind: str) -> Any:
        """Return the values of a part of the expression, which must be of a kind."""
        value = self.of(node)
        if value.kind != kind:
            kinds = {
                "number": "a number",
                "truth": "a condition, such as T0 > 3500,",
                "text": "a text",
            }
            raise self.error(node, f"{kinds[kind]} is needed here, this is a {value.kind}")
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
            raise self._unknown_name(node)
        values = self.columns[node.id]
        if values.dtype.kind in "UTO":
            words = self.words.get(node.id, ())
            kind = "labels" if isinstance(words, Labels) else "text"
            return _Value(kind, values, tuple(words))
        if values.dtype.kind == "b":
            return _Value("truth", values)
        return _Value("number", values.astype(float))

    def _unknown_name(self, node: ast.Name) -> ExpressionError:
        hint = did_you_mean(node.id, self.columns)
        if any(node.id in words for words in self.words.values()):
            hint = f"; for the text write '{node.id}'"
        names = ", ".join(self.columns)
        return self.error(node, f"there is no {node.id}{hint} (known: {names})")

    def _all_or_any(self, node: ast.BoolOp) -> _Value:
        combine = np.logical_and if isinstance(node.op, ast.And) else np.logical_or
        conditions = [self._values(part, "truth") for part in node.values]
        return _Value("truth", functools.reduce(combine, conditions))

    def _unary(self, node: ast.UnaryOp) -> _Value:
        if isinstance(node.op, ast.Not):
            return _Value("truth", np.logical_not(self._values(node.operand, "truth")))
        if isinstance(node.op, ast.Invert):
            return self.of(node.op, node)
        values = self._values(node.operand, "number")
        if isinstance(node.op, ast.USub):
            values = np.negative(values)
        return _Value("number", values)

    def _arithmetic(self, node: ast.BinOp) -> _Value:
        if type(node.op) not in _ARITHMETIC:
            return self.of(node.op, node)
        left = self._values(node.left, "number")
        right = self._values(node.right, "number")
        return _Value("number", _ARITHMETIC[type(node.op)](left, right))

    def _comparison(self, node: ast.Compare) -> _Value:
        holds: Any = True
        left_node = node.left
        left = self.of(node.left)
        for op, right_node in zip(node.ops, node.comparators, strict=True):
            if isinstance(op, ast.In | ast.NotIn):
                is_in = self._is_in(left, left_node, right_node)
                if isinstance(op, ast.NotIn):
                    is_in = np.logical_not(is_in)
                return _Value("truth", np.logical_and(holds, is_in))
            right = self.of(right_node)
            node_of_error = left_node if right.words else right_node
            holds = np.logical_and(holds, self._compared(op, left, right, node_of_error))
            left_node = right_node
            left = right
        return _Value("truth", holds)

    def _is_in(self, left: _Value, left_node: ast.AST, right_node: ast.AST) -> Any:
        """Return where a value is in a list, or a label in a column of labels."""
        if isinstance(right_node, ast.Name):
            return self._has_label(left, left_node, right_node)
        if not isinstance(right_node, ast.Tuple | ast.List) or not right_node.elts:
            raise self._no_list(right_node)
        is_in: Any = False
        for part in right_node.elts:
            is_in = np.logical_or(is_in, self._compared(ast.Eq(), left, self.of(part), part))
        return is_in

    def _no_list(self, node: ast.AST) -> ExpressionError:
        return self.error(node, "after in comes a list, as in status in ('done', 'failed')")

    def _has_label(self, label: _Value, label_node: ast.AST, column_node: ast.Name) -> Any:
        """Return where a column of labels has a label among its own."""
        column = self.of(column_node)
        if column.kind != "labels":
            raise self._no_list(column_node)
        if not isinstance(label.values, str) or label.values not in column.words:
            raise self.error(label_node, f"this is none of {', '.join(map(repr, column.words))}")
        has_label = [label.values in labels.split() for labels in column.values.tolist()]
        return np.array(has_label, dtype=bool)

    def _compared(self, op: ast.cmpop, left: _Value, right: _Value, node: ast.AST) -> Any:
        """Return where a comparison holds; errors point at ``node``."""
        if type(op) not in _COMPARISONS_OF_NUMBERS:
            raise self.error(node, "is is not allowed; write ==")
        if "labels" in {left.kind, right.kind}:
            return self._compared_labels(op, left, right, node)
        if left.kind != right.kind:
            hint = "; a number has no quotes" if "text" in {left.kind, right.kind} else ""
            problem = f"a {left.kind} cannot be compared with a {right.kind}"
            raise self.error(node, f"{problem}{hint}")
        if left.kind != "number" and not isinstance(op, ast.Eq | ast.NotEq):
            raise self.error(node, f"a {left.kind} has no order; write == or !=")
        self._refuse_impossible_text(left, right.values, node)
        self._refuse_impossible_text(right, left.values, node)
        if left.kind == "number":
            self.unknown = self.unknown | np.isnan(left.values) | np.isnan(right.values)
            return _COMPARISONS_OF_NUMBERS[type(op)](left.values, right.values)
        return _COMPARISONS[type(op)](left.values, right.values)

    def _refuse_impossible_text(self, column: _Value, text: Any, node: ast.AST) -> None:
        """Raise ExpressionError where a column is compared with a text that it never has."""
        if column.words and isinstance(text, str) and text not in column.words:
            raise self.error(node, f"{text!r} is none of {', '.join(column.words)}")

    def _compared_labels(self, op: ast.cmpop, left: _Value, right: _Value, node: ast.AST) -> Any:
        """Return where a run has no labels, or has some; other comparisons are refused."""
        texts = (str(left.values), str(right.values))
        if not isinstance(op, ast.Eq | ast.NotEq) or "" not in texts:
            label = (left.words or right.words)[0]
            raise self.error(
                node,
                f"these are several words; write '{label}' in NAME, or NAME == '' for none of them",
            )
        return _COMPARISONS[type(op)](left.values, right.values)

    def _call(self, node: ast.Call) -> _Value:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name not in self.functions:
            hint = did_you_mean(name, self.functions)
            raise self.error(node, f"the functions are {', '.join(self.functions)}{hint}")
        function = self.functions[name]
        if node.keywords or any(isinstance(argument, ast.Starred) for argument in node.args):
            raise self.error(node, f"{name} takes plain arguments")
        if function.several and len(node.args) < 2:
            raise self.error(node, f"{name} takes two arguments or more")
        if not function.several and len(node.args) != 1:
            raise self.error(node, f"{name} takes one argument")
        arguments = [self._values(argument, function.takes) for argument in node.args]
        if function.several:
            return _Value(function.gives, functools.reduce(function.call, arguments))
        return _Value(function.gives, function.call(*arguments))
