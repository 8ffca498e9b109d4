"""Figures of how the code reads: ``python -m tests.house_figures [FOLDER] [--markdown]``.

Counts are followed by counts per 1000 non-blank lines. FOLDER is the checkout to read, by default
the one that holds this script. Whether the code reads well is for a reader to judge.
"""

import argparse
import ast
import io
import tokenize
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tests.imports import arrows_of, knots_of, upward, within

ROOT = Path(__file__).parents[1]
PACKAGES = ("marsdisk", "sweep")
#: Names of the tables of layers in tests/unit/test_house_rules.py.
LAYER_TABLES = {"marsdisk": "MODEL_LAYERS", "sweep": "LAYERS"}
MAX_COLUMNS = 100
MAX_FUNCTION_LINES = 60
VAGUE_NAMES = {
    *("of", "one", "other", "found", "there", "here"),
    *("held", "at", "told", "known", "given"),
}
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
#: Tokens that are no part of a statement.
LAYOUT = {
    tokenize.COMMENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
    tokenize.INDENT,
    tokenize.NEWLINE,
    tokenize.NL,
}
#: Since Python 3.12 f-strings are several tokens; they count as one everywhere.
FSTRING_START = getattr(tokenize, "FSTRING_START", None)
FSTRING_END = getattr(tokenize, "FSTRING_END", None)

Table = list[list[str]]


def nested(tree: ast.AST, kinds: tuple[type[ast.AST], ...]) -> int:
    """Count nodes of some kinds that stand inside another node of these kinds."""
    inner = set()
    for node in ast.walk(tree):
        if isinstance(node, kinds):
            inner |= {id(part) for part in ast.walk(node) if isinstance(part, kinds)} - {id(node)}
    return len(inner)


def identifiers(node: ast.AST) -> list[str]:
    """List the identifiers that a node holds itself, without those of its parts."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name):
            return [name]
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return [name]
        case ast.ClassDef(name=name) | ast.ExceptHandler(name=str(name)):
            return [name]
        case ast.keyword(arg=str(name)):
            return [name]
    return []


def foreign_names(tree: ast.AST) -> set[str]:
    """Return the names that a file takes from libraries, such as ``given`` of Hypothesis."""
    names = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom):
            continue
        is_ours = node.level > 0 or within(node.module or "", *PACKAGES, "tests")
        if not is_ours:
            names |= {alias.asname or alias.name for alias in node.names}
    return names


def vague_names(tree: ast.AST) -> int:
    """Count the identifiers that are pronouns, prepositions, or the like."""
    vague = VAGUE_NAMES - foreign_names(tree)
    return sum(name in vague for node in ast.walk(tree) for name in identifiers(node))


def is_tuple_assignment(node: ast.AST) -> bool:
    """Tell whether a node assigns several values to several names."""
    if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Tuple):
        return False
    return any(isinstance(target, ast.Tuple) for target in node.targets)


def function_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count the lines of a function without its decorators and its docstring."""
    lines = last_line(function) - function.lineno + 1
    if ast.get_docstring(function) is not None:
        docstring = function.body[0]
        lines -= last_line(docstring) - docstring.lineno + 1
    return lines


def last_line(node: ast.stmt) -> int:
    """Return the number of a statement's last line."""
    assert node.end_lineno is not None
    return node.end_lineno


def tokens(text: str) -> int:
    """Count the tokens of statements."""
    count = 0
    depth = 0  # of f-strings in f-strings
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == FSTRING_START:
            depth += 1
        elif token.type == FSTRING_END:
            depth -= 1
            count += depth == 0
        elif depth == 0 and token.type not in LAYOUT:
            count += 1
    return count


def count_file(text: str) -> Counter[str]:
    """Count everything in a source."""
    tree = ast.parse(text)
    nodes = list(ast.walk(tree))
    functions = [node for node in nodes if isinstance(node, FUNCTIONS)]
    lines = text.splitlines()
    return Counter(
        {
            "modules": 1,
            "non-blank lines": sum(bool(line.strip()) for line in lines),
            f"lines over {MAX_COLUMNS} columns": sum(len(line) > MAX_COLUMNS for line in lines),
            "conditional expressions": sum(isinstance(node, ast.IfExp) for node in nodes),
            "nested conditional expressions": nested(tree, (ast.IfExp,)),
            "comprehensions": sum(isinstance(node, COMPREHENSIONS) for node in nodes),
            "nested comprehensions": nested(tree, COMPREHENSIONS),
            "tuple assignments": sum(is_tuple_assignment(node) for node in nodes),
            "vague names": vague_names(tree),
            "Any": sum("Any" in identifiers(node) for node in nodes),
            "functions": len(functions),
            f"functions over {MAX_FUNCTION_LINES} lines": sum(
                function_lines(function) > MAX_FUNCTION_LINES for function in functions
            ),
            "tokens": tokens(text),
        }
    )


def count_files(files: Iterable[Path]) -> Counter[str]:
    """Count everything in some sources."""
    total: Counter[str] = Counter()
    for file in files:
        total.update(count_file(file.read_text(encoding="utf-8")))
    return total


def read_layers(root: Path, package: str = "sweep") -> dict[str, list[str]]:
    """Read the layers of a package in a checkout, as its modules may have other names than ours.

    They are empty where the checkout has no such table.
    """
    rules = root / "tests" / "unit" / "test_house_rules.py"
    for node in ast.parse(rules.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == LAYER_TABLES[package]:
            expression = compile(ast.Expression(node.value), str(rules), "eval")
            layers: dict[str, list[str]] = eval(expression, {"__builtins__": {}})
            return layers
    return {}


def folder_table(root: Path) -> Table:
    """Tabulate the modules of each folder."""
    counts: Counter[str] = Counter()
    for name in (*PACKAGES, "tests"):
        for file in (root / name).rglob("*.py"):
            counts[file.parent.relative_to(root).as_posix()] += 1
    return [["folder", "modules"], *([name, str(counts[name])] for name in sorted(counts))]


def import_table(root: Path) -> Table:
    """Tabulate knots and upward imports of each package."""
    rows = [["package", "knots", "modules in knots", "imports upwards"]]
    for package in PACKAGES:
        arrows = arrows_of(root, package)
        sizes = sorted((len(knot) for knot in knots_of(arrows)), reverse=True)
        # the model has no table of layers
        layers = read_layers(root, package)
        upwards = str(len(upward(arrows, layers))) if layers else "-"
        rows.append([package, str(len(sizes)), " + ".join(map(str, sizes)) or "-", upwards])
    return rows


def figure_table(totals: Mapping[str, Counter[str]]) -> Table:
    """Tabulate counts and counts per 1000 non-blank lines, a column for each total."""
    rows = [["figure (per 1000 lines)", *totals]]
    quantities = list(dict.fromkeys(name for total in totals.values() for name in total))
    for quantity in quantities:
        row = [quantity]
        for total in totals.values():
            rate = 1000.0 * total[quantity] / max(1, total["non-blank lines"])
            row.append(f"{total[quantity]} ({rate:.1f})")
        rows.append(row)
    return rows


def total_by_part(root: Path) -> dict[str, Counter[str]]:
    """Count in each package, in both, in the tests, and in all of them."""
    counts = {name: count_files((root / name).rglob("*.py")) for name in (*PACKAGES, "tests")}
    both: Counter[str] = Counter()
    for package in PACKAGES:
        both.update(counts[package])
    total = both.copy()
    total.update(counts["tests"])
    packages = {package: counts[package] for package in PACKAGES}
    return {**packages, "both": both, "tests": counts["tests"], "both and tests": total}


def as_text(table: Table) -> str:
    """Align the columns of a table."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = []
    for first, *cells in table:
        padded = [cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True)]
        lines.append("  ".join([first.ljust(widths[0]), *padded]))
    return "\n".join(lines)


def as_markdown(table: Table) -> str:
    """Format a table as Markdown."""
    head, *rows = table
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *rows))


def main(arguments: Sequence[str] | None = None) -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(prog="python -m tests.house_figures", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT, help="checkout to read")
    parser.add_argument("--markdown", action="store_true", help="print tables as Markdown")
    options = parser.parse_args(arguments)
    root = options.folder.resolve()
    formatted = as_markdown if options.markdown else as_text
    tables = [figure_table(total_by_part(root)), import_table(root), folder_table(root)]
    print("\n\n".join(map(formatted, tables)))


if __name__ == "__main__":
    main()
