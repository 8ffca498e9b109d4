"""The page as a document: with its scripts beside it, or with all of them inside."""

import base64
import functools
import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from markupsafe import Markup

from ..common.errors import StoreError
from .html import cut, rendered

STATIC = Path(str(files(__package__))) / "static"
STYLE = "page.css"
MAX_TITLE_CHARACTERS = 60


def modules() -> list[str]:
    """Return the names of the page's scripts."""
    return sorted(path.stem for path in STATIC.glob("*.js"))


@functools.cache
def plotly_script() -> bytes:
    """Return the library that draws, as Plotly's package has it.

    Raises
    ------
    StoreError
        It is not installed.
    """
    # finding it imports nothing, which would take as long as the whole page
    spec = find_spec("plotly")
    if spec is None or not spec.submodule_search_locations:
        problem = "sweep browse needs Plotly, which is not installed"
        raise StoreError(f"{problem}: pip install 'marsdisk[browse]'")
    folder = Path(next(iter(spec.submodule_search_locations)))
    return (folder / "package_data" / "plotly.min.js").read_bytes()


def served_page(titles: Sequence[str]) -> str:
    """Return the page with its scripts beside it.

    Parameters
    ----------
    titles : sequence of str
        Of the study, or of two that are compared.
    """
    imports = {f"page/{name}": f"./static/{name}.js" for name in modules()}
    return rendered(
        "page",
        title=_title(titles),
        studies=len(titles),
        imports=_json({"imports": imports}),
        style="",
        plotly="",
        answers="",
    )


def saved_page(titles: Sequence[str], answers: Mapping[str, Any]) -> str:
    """Return the page as one file that needs no server.

    Parameters
    ----------
    titles : sequence of str
        Of the study.
    answers : mapping of str
        By what the page asks for, such as ``0/cases?name=M_loss``.
    """
    imports = {}
    for name in modules():
        content = base64.b64encode((STATIC / f"{name}.js").read_bytes()).decode("ascii")
        imports[f"page/{name}"] = f"data:text/javascript;base64,{content}"
    return rendered(
        "page",
        title=_title(titles),
        studies=len(titles),
        imports=_json({"imports": imports}),
        style=Markup((STATIC / STYLE).read_text(encoding="utf-8")),  # noqa: S704 # our own file
        plotly=_script(plotly_script().decode("utf-8")),
        answers=_json(answers),
    )


def _title(titles: Sequence[str]) -> str:
    return cut(" and ".join(titles), MAX_TITLE_CHARACTERS)


def _script(code: str) -> Markup:
    """Return a script that ends no element of HTML that it is in."""
    return Markup(code.replace("</script", "<\\/script").replace("<!--", "<\\!--"))  # noqa: S704


def _json(content: Any) -> Markup:
    """Return JSON that ends no element of HTML that it is in."""
    text = json.dumps(content, allow_nan=False).replace("<", "\\u003c")
    return Markup(text)  # noqa: S704 # there is no < in it
