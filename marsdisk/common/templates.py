"""HTML from templates, in which each value is escaped unless it is HTML itself."""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup


@functools.cache
def environment(package: str, /, **filters: Callable[..., object]) -> "Environment":
    """Return the templates in the folder ``templates`` of a package.

    Parameters
    ----------
    package : str
        Full name of the package.
    **filters : callable
        Filters of the templates by name.

    Returns
    -------
    jinja2.Environment
        A name that is not given to a template is an error, not an empty text.
    """
    # not at the top: opening a data set would take 50 ms longer
    from jinja2 import Environment, PackageLoader, StrictUndefined

    templates = Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= filters
    return templates


def rendered(templates: "Environment", name: str, /, **values: object) -> "Markup":
    """Return HTML from a template.

    Parameters
    ----------
    templates : jinja2.Environment
        As of :func:`environment`.
    name : str
        Of the template, without its ending.
    **values : object
        What the template names.

    Returns
    -------
    markupsafe.Markup
        Other templates take it as it is.
    """
    from markupsafe import Markup

    # the template has escaped what it was given
    return Markup(templates.get_template(f"{name}.html").render(values))  # noqa: S704
