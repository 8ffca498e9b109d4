"""Settings of the site: ``make docs`` builds it into docs/_build."""

from marsdisk import __version__

project = "marsdisk and sweep"
author = "the authors of marsdisk"
version = release = __version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "numpydoc"]
exclude_patterns = ["_build"]
templates_path = ["_templates"]
html_theme = "pydata_sphinx_theme"
html_title = project
html_theme_options = {"navigation_with_keys": True, "show_prev_next": False}

myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 4
myst_fence_as_directive = ["math"]
# files of the project that are no page: sources, tests, configurations; a test looks whether they
# exist
suppress_warnings = ["myst.xref_missing"]

nb_execution_mode = "cache"
nb_execution_in_temp = True  # it writes a store and figures
nb_execution_timeout = 600  # s, of a cell that compiles the kernels
nb_execution_raise_on_error = True

autosummary_generate = True
autodoc_typehints = "none"  # numpydoc sections say them
numpydoc_show_class_members = False

# make linkcheck asks each web address in the pages; pages of a program on this machine are no such
linkcheck_ignore = [r"https?://(127\.0\.0\.1|localhost)\b"]
linkcheck_timeout = 20  # s
linkcheck_retries = 2
