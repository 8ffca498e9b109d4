"""What is wrong with a YAML file: which line, what it says, and what to write instead."""

import re
from collections.abc import Mapping

from yaml import Mark, MarkedYAMLError

from .physics.textfile import with_line

#: What cannot stand in a file: control codes, halves of letters in another encoding, and ends of
#: lines that are none in YAML 1.2, and some in libyaml.
_UNREADABLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]",
)

_MISSING_BLANK = r"[ -]*(?P<key>[A-Za-z_][\w.]*):(?P<value>[^\s:/]\S*)"
_BLANK_ADVICE = "a blank is missing after the colon; write {key}: {value}"
_TWO_COLONS = r".*\S:\s.*\S:(?:\s|$)"

#: Mistakes that a line shows by itself, whatever the parser says of it.
_MISTAKES_IN_LINES = (
    (
        r"[ -]*\t\s*[^\s#]",
        "a tab stands where the line is indented; YAML takes only blanks there",
    ),
    (_MISSING_BLANK, _BLANK_ADVICE),
    (
        r".*(?:^\s*|[:,-]\s+|[{\[]\s*)(?P<sign>[@`%])",
        "no text begins with {sign} in YAML; put it in quotes",
    ),
)
#: What is left open when the parser stops, by what it says that it was doing.
_LEFT_OPEN = {
    "flow sequence": "the bracket [ is not closed, or a comma is missing; write [1, 2]",
    "flow mapping": "the brace { is not closed, or a comma is missing; write {key: 1, other: 2}",
    "quoted scalar": "the quote is not closed; write it behind the text, too",
}
#: What the parser says that leaves no question.
_CLEAR_MESSAGES = {
    "escape character": "a backslash begins a code in double quotes; take single quotes",
    "incompatible": "the file is read as YAML 1.2; drop this line",
    "comment or line break": "> and | begin a text of several lines; put the text in quotes",
}
#: What else the parser says, and what it means to those who write.
_OTHER_MESSAGES = {
    "two colons": "there are two colons in the line; put a text with a colon in quotes",
    "mapping values": "the line is indented more than the one above it; align them",
    "sequence entries": "a list begins behind a colon; write it in brackets",
    "expected ':'": "there is no colon in the line; write key: value",
    "<document start>": "the line is indented less than the first one; align them",
    "node content": "a value is missing, or a bracket is closed that was never opened",
    "expected key": "the line is indented otherwise than those above it, or goes on behind a value",
    "'-' indicator": "the line belongs to a list and has no dash, or is indented otherwise",
    "alphabetic": "* and & have meanings of their own in YAML; put the text in quotes",
}


class YamlProblem(Exception):
    """One thing that is wrong with a YAML text.

    Parameters
    ----------
    problem : str
        What is wrong, and the cure.
    line : int
        Number of the line that it is in, from 1.
    """

    def __init__(self, problem: str, line: int) -> None:
        super().__init__(problem)
        self.problem = problem
        self.line = line

    def with_line(self, text: str) -> str:
        """Return the problem with its line of ``text``, the whole document."""
        return with_line(self.problem, self.line, text.split("\n")[self.line - 1])


def unreadable_character(text: str) -> YamlProblem | None:
    """Return the first character of a text that no YAML file can hold as a problem, else None."""
    found = _UNREADABLE.search(text)
    if found is None:
        return None
    line = text.count("\n", 0, found.start()) + 1
    return YamlProblem(f"the character {found[0]!r} cannot stand in a YAML file; remove it", line)


def parser_problem(error: MarkedYAMLError, text: str) -> YamlProblem:
    """Return what the parser complains of in words that help whoever wrote the text.

    Parameters
    ----------
    error : MarkedYAMLError
        Of the parser.
    text : str
        The document; its lines between where the parser was and where it stopped are looked at.

    Returns
    -------
    YamlProblem
        With the line to be mended.
    """
    lines = text.rstrip().split("\n")
    message = str(error.problem)
    context = str(error.context)
    stop = _line_number(error.problem_mark, lines) or 1
    begin = _line_number(error.context_mark, lines) or max(1, stop - 1)
    clear = _meaning(_CLEAR_MESSAGES, message)
    if clear:
        return YamlProblem(clear, stop)
    unclosed = _meaning(_LEFT_OPEN, context)
    if unclosed:
        return YamlProblem(unclosed, begin)
    for number in range(begin, stop + 1):
        for pattern, meaning in _MISTAKES_IN_LINES:
            found = re.match(pattern, lines[number - 1])
            if found:
                return YamlProblem(meaning.format(**found.groupdict()), number)
    if "mapping values" in message and re.match(_TWO_COLONS, lines[stop - 1]):
        message = "two colons"
    meaning = _meaning(_OTHER_MESSAGES, message) or f"cannot be read as YAML: {message}"
    return YamlProblem(meaning, stop)


def _meaning(meanings: Mapping[str, str], message: str) -> str:
    return next((meaning for part, meaning in meanings.items() if part in message), "")


def _line_number(mark: Mark | None, lines: list[str]) -> int:
    """Return the number of a mark's line, 0 for no mark; the end of a text is in its last line."""
    return min(mark.line + 1, len(lines)) if mark else 0


def missing_blank_advice(value: object) -> str:
    """Return what to write in place of a text that was meant as a key and its value; else empty."""
    found = re.match(_MISSING_BLANK, value) if isinstance(value, str) else None
    return _BLANK_ADVICE.format(**found.groupdict()) if found else ""
