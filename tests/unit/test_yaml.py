"""YAML 1.2 in files and on the command line: what is read, and what is refused and how."""

import json
import math
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from marsdisk.cli.options import override_text, parse_override
from marsdisk.common.errors import ConfigError
from marsdisk.config.yaml_file import parse_yaml, read_yaml_mapping, yaml_text
from marsdisk.config.yaml_reader import MAX_DEPTH, MAX_PATH, MAX_REPEATED, read_document
from marsdisk.io.csv_table import read_csv_table

FINITE = st.floats(allow_nan=False, allow_infinity=False)


def bits(number: float) -> bytes:
    assert isinstance(number, float)
    return struct.pack("<d", number)


def read(folder: Path, text: str) -> Any:
    """Return the value of the only key ``a`` of a file."""
    file = folder / "given.yaml"
    file.write_text(text, encoding="utf-8")
    return read_yaml_mapping(file)["a"]


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_yaml(text, "given.yaml")
    (problem,) = caught.value.problems
    return problem


WHOLE = {
    "0": 0,
    "10": 10,
    "010": 10,
    "-010": -10,
    "+1": 1,
    "0o17": 15,
    "0x1F": 31,
    "08": 8,
    "-0": 0,
}
DECIMAL = {
    **{"1e-7": 1e-7, "1E-7": 1e-7, "1.e3": 1000.0, ".5": 0.5, ".5e3": 500.0, "-.5E+2": -50.0},
    **{"01.50": 1.5, "+1.0": 1.0, "1e3": 1000.0, "0e-999": 0.0, "5e-324": 5e-324},
    **{".inf": math.inf, "+.Inf": math.inf, "-.INF": -math.inf},
}
WORDS = {
    "true": True,
    "True": True,
    "FALSE": False,
    "null": None,
    "Null": None,
    "~": None,
    "": None,
}
#: Numbers, dates and booleans in YAML 1.1, or in the eyes of a loader; texts in YAML 1.2.
TEXTS = (
    *("1:30", "01:30:00", "190:20:30.15", "2024-01-20", "2024-01-20T10:00:00Z", "2001-1-1 1:1:1"),
    *("1_000", "4_500.0", "0b11", "0o18", "0xZZ", "1e", "e3", ".", "+", "1.2.3", "1e3.5"),
    *(
        "yes",
        "no",
        "on",
        "off",
        "Yes",
        "OFF",
        "y",
        "n",
        "tRUE",
        "none",
        "nan",
        "inf",
        "+.nan",
        "=",
        "١٢",
    ),
)


@pytest.mark.parametrize(
    ("text", "value"), [*(WHOLE | DECIMAL | WORDS).items(), *((t, t) for t in TEXTS)]
)
def test_a_text_without_quotes_means_what_yaml_1_2_says(
    text: str, value: object, tmp_path: Path
) -> None:
    read_back = [
        parse_override(f"a={text}")[1],
        read(tmp_path, f"a: {text}\n"),
        read(tmp_path, f"a: {text}"),
    ]
    read_back += [read(tmp_path, f"{{a: {text} }}"), *read(tmp_path, f"a:\n- {text}\n")]
    assert [(type(one), one) for one in read_back] == [(type(value), value)] * 5


def test_not_a_number_is_written_with_a_point() -> None:
    assert all(math.isnan(parse_yaml(text, "")) for text in (".nan", ".NaN", ".NAN"))


@pytest.mark.parametrize("text", [*WHOLE, *DECIMAL, *WORDS, *TEXTS])
def test_whatever_is_in_quotes_is_a_text(text: str) -> None:
    assert parse_yaml(f"['{text}', \"{text}\", !!str '{text}', ! '{text}']", "") == [text] * 4


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1e400", "1e400 is too large; numbers end at 1.8e308"),
        ("-1e309", "-1e309 is too large"),
        ("1" + 320 * "0", "is too large"),
        ("0x" + 300 * "f", "is too large"),
        ("1e-400", "1e-400 is too small; numbers begin at 5e-324, so write 0"),
        ("-0.0001e-330", "is too small"),
        (5000 * "9", "has 5000 characters; a number has 1000 at most"),
        ("0." + 5000 * "3", "has 5002 characters; a number has 1000 at most"),
    ],
)
def test_a_number_that_cannot_be_held_is_refused(text: str, words: str, tmp_path: Path) -> None:
    assert words in refusal(f"a: {text}\n")
    with pytest.raises(ConfigError) as caught:
        parse_override(f"a={text}")
    assert words in str(caught.value)
    if not text.startswith("0x"):
        table = tmp_path / "given.csv"
        table.write_text(f"x,y\n1,{text}\n", encoding="utf-8")
        with pytest.raises(ValueError, match=r"given\.csv, line 2, column y") as refused:
            read_csv_table(table)
        assert words in str(refused.value)


@given(number=FINITE)
def test_a_float_as_python_writes_it_has_the_same_bits_when_read(
    number: float, tmp_path: Path
) -> None:
    table = tmp_path / "given.csv"
    table.write_text(f'x,"y"\n{number!r},"{number!r}"\n', encoding="utf-8")
    found = read_csv_table(table)
    read_back = [
        read(tmp_path, f"a: {number!r}\n"),
        read(tmp_path, f"{{a: {number!r}}}"),
        read(tmp_path, yaml_text({"a": number})),
        yaml.safe_load(yaml_text({"a": number}))["a"],
        parse_override(f"a={number!r}")[1],
        float(found.column("x")[0]),
        float(found.column("y")[0]),
    ]
    assert [bits(one) for one in read_back] == [bits(number)] * 7


@given(number=st.integers(-(10**300), 10**300))
def test_a_whole_number_is_the_same_when_read(number: int, tmp_path: Path) -> None:
    read_back = [
        read(tmp_path, f"a: {number}\n"),
        read(tmp_path, yaml_text({"a": number})),
        parse_override(f"a={number}")[1],
    ]
    assert [(type(one), one) for one in read_back] == [(int, number)] * 3


CONTENT = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | FINITE
    | st.text()
    | st.sampled_from([*WHOLE, *DECIMAL, *TEXTS, "<<"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(min_size=1), inner, max_size=3)
    ),
    max_leaves=10,
)


@example(content={"\x85": None, "a": "\u2028 \u2029"}, flow=True)
@given(content=CONTENT, flow=st.sampled_from([True, False, None]))
def test_content_that_is_written_as_yaml_is_the_same_when_read(
    content: Any, flow: bool | None
) -> None:
    text = yaml_text(content, default_flow_style=flow)
    assert json.dumps(parse_yaml(text, "")) == json.dumps(content)


@given(content=CONTENT)
def test_a_value_that_is_written_for_the_command_line_is_the_same_when_read(content: Any) -> None:
    key, value = parse_override(override_text("a.b", content))
    assert (key, json.dumps(value)) == ("a.b", json.dumps(content))


@given(text=st.text() | st.sampled_from([*WHOLE, *DECIMAL, *WORDS, *TEXTS]))
def test_a_text_is_written_so_that_yaml_1_1_reads_it_as_a_text_too(text: str) -> None:
    assert yaml.safe_load(yaml_text({"a": [text]})) == {"a": [text]}


@given(
    text=st.text(
        st.sampled_from("ab01.:,-+#&*!|>'\"%@`{}[]?<= \n\t\\~_é\x00\ufeff\u2028"), max_size=40
    )
)
def test_any_text_is_plain_content_or_refused_in_words(text: str) -> None:
    try:
        content = parse_yaml(text, "given.yaml")
    except ConfigError as error:
        (problem,) = error.problems
        assert "line" in problem or "\n" not in text
        return
    assert json.loads(json.dumps(content)) == content or "nan" in text.lower()


def test_keys_are_the_texts_that_are_written() -> None:
    assert parse_yaml("{1: a, 01: b, true: c, 2024-01-20: d, 1e3: e, ~: f}", "") == dict(
        zip(["1", "01", "true", "2024-01-20", "1e3", "~"], "abcdef", strict=True),
    )


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("b: {<<: *a, y: 3}", {"x": 1, "y": 3}),
        ("b: {y: 3, <<: *a}", {"x": 1, "y": 3}),
        ("b: {<<: [*a, {x: 9, z: 4}]}", {"x": 1, "y": 2, "z": 4}),
        ("b: {<<: [{x: 9, z: 4}, *a]}", {"x": 9, "y": 2, "z": 4}),
        ("b:\n  <<: *a\n  z:\n    <<: *a\n", {"x": 1, "y": 2, "z": {"x": 1, "y": 2}}),
        ("b: {'<<': 1}", {"<<": 1}),
    ],
)
def test_merge_keys_take_what_is_not_given(text: str, content: dict[str, Any]) -> None:
    assert parse_yaml(f"a: &a {{x: 1, y: 2}}\n{text}\n", "")["b"] == content


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("b: {<<: *a, <<: *a}", "<< is given twice; write <<: [*first, *second]"),
        ("b: {<<: 3}", "<< takes keys of a section; write <<: *name, or [*first, *second]"),
        ("b: {<<: [*a, 3]}", "<< takes keys of a section"),
        (
            "b: {<<: *c}",
            "there is no value called c; put *c in quotes, or write &c before what it repeats",
        ),
    ],
)
def test_a_merge_key_that_cannot_be_followed_says_what_to_write(text: str, words: str) -> None:
    assert words in refusal(f"a: &a {{x: 1, y: 2}}\n{text}\n")


def test_what_an_alias_repeats_is_a_copy() -> None:
    content = parse_yaml("a: &a {x: [1]}\nb: *a\nc: [*a, *a]\n", "")
    content["a"]["x"].append(2)
    assert content == {"a": {"x": [1, 2]}, "b": {"x": [1]}, "c": [{"x": [1]}, {"x": [1]}]}


def doubled(levels: int, kind: str) -> str:
    """Return lines each of which repeats the one before nine times."""
    wrap = {"list": "[{}]", "mapping": "{{{}}}", "merge": "{{x: [{}]}}"}[kind]
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x]"]
    for level in range(1, levels):
        names = [f"*a{level - 1}"] * 9
        if kind == "mapping":
            names = [f"k{i}: {name}" for i, name in enumerate(names)]
        lines.append(f"a{level}: &a{level} {wrap.format(','.join(names))}")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("kind", ["list", "mapping", "merge"])
@pytest.mark.parametrize("levels", [8, 40])
def test_aliases_that_would_fill_the_memory_are_refused(kind: str, levels: int) -> None:
    assert refusal(doubled(levels, kind)).startswith(
        f"aliases repeat more than {MAX_REPEATED} values; write axes\n      line "
    )


def test_as_many_aliases_as_a_sweep_may_need_are_read() -> None:
    content = parse_yaml("a: &a {x: 1}\nb: [" + ",".join(["*a"] * (MAX_REPEATED // 2)) + "]\n", "")
    assert len(content["b"]) == MAX_REPEATED // 2


DEEP: dict[str, Callable[[int], str]] = {
    "brackets": lambda n: "a: " + "[" * (n - 1) + "]" * (n - 1),
    "braces": lambda n: "{a: " * n + "}" * n,
    "dashes": lambda n: "a:\n  " + "- " * (n - 1) + "1\n",
    "indented keys": lambda n: "".join("  " * i + "a:\n" for i in range(n)),
    "aliases": lambda n: "a: &a [[1]]\n" + f"b: {'[' * (n - 3)}*a{']' * (n - 3)}\n",
}


@pytest.mark.parametrize("form", DEEP)
def test_values_may_stand_in_each_other_to_a_limit(form: str) -> None:
    parse_yaml(DEEP[form](MAX_DEPTH) + "\n", "")
    for levels in (MAX_DEPTH + 1, 30 * MAX_DEPTH):
        assert refusal(DEEP[form](levels) + "\n").startswith(
            f"there are more than {MAX_DEPTH} levels of brackets; take fewer"
        )


def test_lines_of_keys_fill_no_memory() -> None:
    key = 100_000 * "k"
    _, lines = read_document(
        f"? {key}\n: [{20_000 * '1,'}]\nb: {{{900 * 'c'}: {{{900 * 'd'}: [1, 2]}}}}\n"
    )
    assert sum(map(len, lines)) < 3 * MAX_PATH
    assert lines == {"b": 3, f"b.{900 * 'c'}": 3}


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [*a]",
        "a: &a {b: *a}",
        "a: &a {<<: *a}",
        "a: &a\n  b: &b [*b]\n",
        "a: &a [1, [{c: *a}]]",
    ],
)
def test_a_value_that_holds_itself_is_refused(text: str) -> None:
    assert "holds itself; write out what *" in refusal(text)


@pytest.mark.parametrize(
    "tag",
    [
        "!!python/object:os.system",
        "!!binary",
        "!!set",
        "!!timestamp",
        "!!omap",
        "!mine",
        "!!python/tuple",
    ],
)
@pytest.mark.parametrize("value", ["x", "[x]", "{x: 1}"])
def test_a_tag_is_refused(tag: str, value: str) -> None:
    assert f"the tag {tag} means nothing here; drop it" in refusal(f"a: {tag} {value}")


def test_the_tags_of_yaml_1_2_mean_what_they_say() -> None:
    text = "[!!str 010, !!int 010, !!float 3, !!bool true, !!null ~, !!seq [1], !!map {a: 1}, ! 5]"
    assert parse_yaml(text, "") == ["010", 10, 3.0, True, None, [1], {"a": 1}, "5"]
    assert type(parse_yaml("!!float 3", "")) is float
    assert "'1.5' is no int; drop the tag !!int" in refusal("!!int 1.5")
