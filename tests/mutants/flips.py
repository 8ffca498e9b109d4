"""Places of a source where one expression can be flipped, and a seeded draw of some of them."""

import ast
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

OPERATORS: dict[type[ast.AST], tuple[str, str]] = {
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"),
    ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "/"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "*"),
    ast.Mod: ("%", "*"),
    ast.Pow: ("**", "*"),
    ast.And: ("and", "or"),
    ast.Or: ("or", "and"),
}
#: Parts of nodes that are types, or whose positions are wrong (f-strings before Python 3.12).
LEFT_OUT: dict[type[ast.AST], tuple[str, ...]] = {
    ast.arg: ("annotation",),
    ast.AnnAssign: ("annotation",),
    ast.FunctionDef: ("returns",),
    ast.JoinedStr: ("values",),
}


@dataclass(frozen=True)
class Flip:
    """One change of a file: the bytes from ``start`` to ``end`` become ``after``."""

    file: str  #: relative to the checkout
    start: int
    end: int
    after: str
    source: bytes

    @property
    def mutated(self) -> bytes:
        return self.source[: self.start] + self.after.encode() + self.source[self.end :]

    @property
    def number(self) -> int:
        return self.source.count(b"\n", 0, self.start) + 1

    @property
    def place(self) -> str:
        return f"{self.file}:{self.number}"

    @property
    def line(self) -> str:
        return self.source.splitlines()[self.number - 1].decode().strip()

    @property
    def flipped_line(self) -> str:
        return self.mutated.splitlines()[self.number - 1].decode().strip()

    def __str__(self) -> str:
        what = f"{self.source[self.start : self.end].decode()} -> {self.after}"
        return f"{self.place}: {what}\n  - {self.line}\n  + {self.flipped_line}"


def flips(root: Path, file: str) -> list[Flip]:
    """Every flip of a file, in the order of its lines."""
    source = (root / file).read_bytes()
    begins = [0]
    for line in source.splitlines(keepends=True):
        begins.append(begins[-1] + len(line))

    def begin(node: ast.expr) -> int:
        return begins[node.lineno - 1] + node.col_offset

    def end(node: ast.expr) -> int:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return begins[node.end_lineno - 1] + node.end_col_offset

    def operator_flips(operator: ast.AST, left: ast.expr, right: ast.expr) -> Iterator[Flip]:
        """Flips of an operator, which stands between its operands with brackets and spaces."""
        before, after = OPERATORS.get(type(operator), ("", ""))
        between = source[end(left) : begin(right)].decode()
        if before and "#" not in between:
            start = end(left) + between.index(before)
            yield Flip(file, start, start + len(before), after, source)

    def node_flips(node: ast.AST) -> Iterator[Flip]:
        if isinstance(node, ast.Compare):
            operands = [node.left, *node.comparators]
            for operator, left, right in zip(node.ops, operands, operands[1:], strict=False):
                yield from operator_flips(operator, left, right)
        elif isinstance(node, ast.BoolOp):
            for left, right in zip(node.values, node.values[1:], strict=False):
                yield from operator_flips(node.op, left, right)
        elif isinstance(node, ast.BinOp):
            yield from operator_flips(node.op, node.left, node.right)
        elif isinstance(node, ast.If | ast.IfExp):
            test = source[begin(node.test) : end(node.test)].decode()
            if test != "TYPE_CHECKING":
                yield Flip(file, begin(node.test), end(node.test), f"not ({test})", source)
        elif isinstance(node, ast.Constant) and (after := other_constant(node.value)):
            yield Flip(file, begin(node), end(node), after, source)

    every = [flip for node in running_nodes(ast.parse(source)) for flip in node_flips(node)]
    return sorted(every, key=lambda flip: (flip.start, flip.end))


def running_nodes(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    left_out = LEFT_OUT.get(type(node), ())
    for name, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and name not in left_out:
                yield from running_nodes(child)


def other_constant(value: object) -> str:
    """The other truth, a whole number more, or a tenth more of any other number."""
    if isinstance(value, bool):
        return str(not value)
    if isinstance(value, int):
        return str(value + 1)
    if isinstance(value, float):
        return repr(1.1 * value or 1.0)
    return ""


def draw(root: Path, files: Sequence[str], count: int, seed: int) -> list[Flip]:
    """Draw flips, one of each module before any has a second; many places come sooner than few.

    Every module has a generator of its own, so that an edit of one leaves the flips of others.
    """
    turns: list[tuple[float, Flip]] = []
    for file in files:
        generator = random.Random(f"{seed} {file}")
        places = flips(root, file)
        priority = generator.random() ** (1 / max(1, len(places)))
        chosen = generator.sample(places, min(count, len(places)))
        turns += [(number - priority, flip) for number, flip in enumerate(chosen)]
    return [flip for _, flip in sorted(turns, key=lambda turn: turn[0])[:count]]
