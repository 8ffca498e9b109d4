"""Problems of a YAML file: the line, what is wrong with it, and what to write instead."""

import re
from collections.abc import Mapping

from yaml import Mark, MarkedYAMLError

from ..common.text import with_line

#: Characters that no file may contain: control codes, halves of surrogate pairs, and ends of lines
#: of libyaml that are none in YAML 1.2.
_UNREADABLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]",
)

_MISSING_BLANK = r"[ -]*(?P<key>[A-Za-z_][\w.]*):(?P<value>[^\s:/]\S*)"
_BLANK_ADVICE = "a blank is missing after the colon; write {key}: {value}"
_TWO_COLONS = r".*\S:\s.*\S:(?:\s|$)"

#: Mistakes that show in a line, whatever the parser says about it: a pattern and its explanation.
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
#: Explanations of what is not closed, by words in the context of the parser's error.
_UNCLOSED = {
    "flow sequence": "the bracket [ is not closed, or a comma is missing; write [1, 2]",
    "flow mapping": "the brace { is not closed, or a comma is missing; write {key: 1, other: 2}",
    "quoted scalar": "the quote is not closed; write it after the text, too",
}
#: Explanations by words in unambiguous messages of the parser.
_CLEAR_MESSAGES = {
    "escape character": "a backslash begins a code in double quotes; take single quotes",
    "incompatible": "the file is read as YAML 1.2; drop this line",
    "comment or line break": "> and | begin a text of several lines; put the text in quotes",
}
#: Explanations by words in other messages of the parser, for lines that show no mistake.
_AMBIGUOUS_MESSAGES = {
    "two colons": "there are two colons in the line; put a text with a colon in quotes",
    "mapping values": "the line is indented more than the one above it; align them",
    "sequence entries": "a list begins after a colon; write it in brackets",
    "expected ':'": "there is no colon in the line; write key: value",
    "<document start>": "the line is indented less than the first one; align them",
    "node content": "a value is missing, or a bracket is closed that was never opened",
    "expected key": (
        "the line is indented differently from those above it, or continues after a value"
    ),
    "'-' indicator": "the line belongs to a list and has no dash, or is indented differently",
    "alphabetic": "* and & have meanings of their own in YAML; put the text in quotes",
}


class YamlError(Exception):
    """A problem of a YAML text.

    Parameters
    ----------
    problem : str
        What is wrong, and the cure.
    line : int
        Number of its line, from 1.
    """

    def __init__(self, problem: str, line: int) -> None:
        super().__init__(problem)
        self.problem = problem
        self.line = line

    def with_line(self, text: str) -> str:
        """Return the problem with its line of ``text``, the whole document."""
        return with_line(self.problem, self.line, text.split("\n")[self.line - 1])


def refuse_unreadable_characters(text: str) -> None:
    """Refuse a text with a character that no YAML file may contain.

    Raises
    ------
    YamlError
        About the first of them.
    """
    character = _UNREADABLE.search(text)
    if character is not None:
        line = text.count("\n", 0, character.start()) + 1
        problem = f"the character {character[0]!r} cannot stand in a YAML file; remove it"
        raise YamlError(problem, line)


def explain_parser_error(error: MarkedYAMLError, text: str) -> YamlError:
    """Return an error of the parser in words that help whoever wrote the text.

    Parameters
    ----------
    error : MarkedYAMLError
        The error of the parser.
    text : str
        The document; its lines from the context of the error to where the parser stopped are
        searched for mistakes.

    Returns
    -------
    YamlError
        With the line that needs to be corrected.
    """
    lines = text.rstrip().split("\n")
    message = str(error.problem)
    context = str(error.context)
    stop = _line_number(error.problem_mark, lines) or 1
    begin = _line_number(error.context_mark, lines) or max(1, stop - 1)
    clear = _explanation(_CLEAR_MESSAGES, message)
    if clear:
        return YamlError(clear, stop)
    unclosed = _explanation(_UNCLOSED, context)
    if unclosed:
        return YamlError(unclosed, begin)
    for number in range(begin, stop + 1):
        for pattern, explanation in _MISTAKES_IN_LINES:
            mistake = re.match(pattern, lines[number - 1])
            if mistake:
                return YamlError(explanation.format(**mistake.groupdict()), number)
    if "mapping values" in message and re.match(_TWO_COLONS, lines[stop - 1]):
        message = "two colons"
    explanation = _explanation(_AMBIGUOUS_MESSAGES, message)
    return YamlError(explanation or f"cannot be read as YAML: {message}", stop)


def _explanation(explanations: Mapping[str, str], message: str) -> str:
    """Return the explanation of the first words that a message contains; empty for none."""
    for words, explanation in explanations.items():
        if words in message:
            return explanation
    return ""


def _line_number(mark: Mark | None, lines: list[str]) -> int:
    """Return the number of a mark's line, or 0; the end of a text counts to its last line."""
    if mark is None:
        return 0
    return min(mark.line + 1, len(lines))


def missing_blank_advice(value: object) -> str:
    """Return advice on a text that was meant as a key and its value; empty for any other value."""
    if not isinstance(value, str):
        return ""
    match = re.match(_MISSING_BLANK, value)
    if match is None:
        return ""
    return _BLANK_ADVICE.format(**match.groupdict())
