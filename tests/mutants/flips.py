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
    """Change of a file: the bytes from ``start`` to ``end`` become ``after``."""

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
        change = f"{self.source[self.start : self.end].decode()} -> {self.after}"
        return f"{self.place}: {change}\n  - {self.line}\n  + {self.flipped_line}"


class Source:
    """A file, and the flips of its expressions."""

    def __init__(self, root: Path, file: str) -> None:
        self.file = file
        self.text = (root / file).read_bytes()
        self._begins = [0]  #: of its lines
        for line in self.text.splitlines(keepends=True):
            self._begins.append(self._begins[-1] + len(line))

    def begin(self, node: ast.expr) -> int:
        return self._begins[node.lineno - 1] + node.col_offset

    def end(self, node: ast.expr) -> int:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self._begins[node.end_lineno - 1] + node.end_col_offset

    def between(self, start: int, end: int) -> str:
        return self.text[start:end].decode()

    def flip(self, start: int, end: int, after: str) -> Flip:
        return Flip(self.file, start, end, after, self.text)

    def operator_flips(self, operator: ast.AST, left: ast.expr, right: ast.expr) -> Iterator[Flip]:
        """Yield the flip of an operator, which stands between its operands, brackets and spaces."""
        before, after = OPERATORS.get(type(operator), ("", ""))
        between = self.between(self.end(left), self.begin(right))
        if before and "#" not in between:
            start = self.end(left) + between.index(before)
            yield self.flip(start, start + len(before), after)

    def node_flips(self, node: ast.AST) -> Iterator[Flip]:
        """Yield the flips of a node, without those of its parts."""
        if isinstance(node, ast.Compare):
            operands = [node.left, *node.comparators]
            for operator, left, right in zip(node.ops, operands, operands[1:], strict=False):
                yield from self.operator_flips(operator, left, right)
        elif isinstance(node, ast.BoolOp):
            for left, right in zip(node.values, node.values[1:], strict=False):
                yield from self.operator_flips(node.op, left, right)
        elif isinstance(node, ast.BinOp):
            yield from self.operator_flips(node.op, node.left, node.right)
        elif isinstance(node, ast.If | ast.IfExp):
            begin = self.begin(node.test)
            end = self.end(node.test)
            test = self.between(begin, end)
            if test != "TYPE_CHECKING":
                yield self.flip(begin, end, f"not ({test})")
        elif isinstance(node, ast.Constant) and (after := other_constant(node.value)):
            yield self.flip(self.begin(node), self.end(node), after)


def flips(root: Path, file: str) -> list[Flip]:
    """List every flip of a file, in the order of its lines."""
    source = Source(root, file)
    unsorted: list[Flip] = []
    for node in running_nodes(ast.parse(source.text)):
        unsorted += source.node_flips(node)
    return sorted(unsorted, key=lambda flip: (flip.start, flip.end))


def running_nodes(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    left_out = LEFT_OUT.get(type(node), ())
    for name, value in ast.iter_fields(node):
        children = value if isinstance(value, list) else [value]
        for child in children:
            if isinstance(child, ast.AST) and name not in left_out:
                yield from running_nodes(child)


def other_constant(value: object) -> str:
    """Return the opposite truth, a whole number plus one, or a tenth more of any other number."""
    if isinstance(value, bool):
        return str(not value)
    if isinstance(value, int):
        return str(value + 1)
    if isinstance(value, float):
        return repr(1.1 * value or 1.0)
    return ""


def draw(root: Path, files: Sequence[str], count: int, seed: int) -> list[Flip]:
    """Draw flips, one of each module before any has a second, long modules sooner than short ones.

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
