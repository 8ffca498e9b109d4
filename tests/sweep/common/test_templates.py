"""HTML from templates escapes what it is given, and misses what it is not given."""

from pathlib import Path

import pytest
from jinja2 import UndefinedError
from markupsafe import Markup

import sweep
from marsdisk.common.templates import environment, rendered

PACKAGES = sorted(
    {
        ".".join(file.relative_to(Path(sweep.__file__).parents[1]).parts[:-2])
        for file in Path(sweep.__file__).parent.rglob("templates/*.html")
    }
)
HOSTILE = "<script>alert('x')</script>\" & '"


def test_texts_are_escaped_and_html_is_not() -> None:
    page = rendered(
        environment("sweep.results"),
        "dataset",
        title=HOSTILE,
        counts=[Markup("<b>1</b>")],
        parameters=[[HOSTILE]],
        arrays=[],
    )
    assert "<script" not in page
    assert page.count("&lt;script&gt;") == 2
    assert "<div><b>1</b></div>" in page
    assert isinstance(page, Markup)


def test_a_name_that_is_not_given_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="title"):
        rendered(environment("sweep.results"), "dataset", counts=[], parameters=[], arrays=[])


@pytest.mark.parametrize("package", PACKAGES)
def test_no_template_switches_escaping_off(package: str) -> None:
    templates = environment(package)
    for name in templates.list_templates():
        assert templates.loader is not None
        source, _, _ = templates.loader.get_source(templates, name)
        assert "safe" not in source
        assert "autoescape" not in source
