"""Every module can be imported, and none uses what Python or a library will drop."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import marsdisk
from tests.imports import module_name

ROOT = Path(marsdisk.__file__).parents[1]
FILES = [
    path.relative_to(ROOT) for name in ("marsdisk", "sweep") for path in (ROOT / name).rglob("*.py")
]
MODULES = sorted(module_name(file) for file in FILES if file.stem != "__main__")

#: Imports modules, and prints which of them raise an error or have a warning of our own lines.
IMPORT = """
import importlib, json, sys, warnings
warnings.filterwarnings("error", category=DeprecationWarning, module=r"(marsdisk|sweep)(\\.|$)")
errors = {}
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except Exception as error:
        errors[name] = repr(error)
print(json.dumps(errors))
"""


@pytest.fixture(scope="module")
def errors() -> dict[str, str]:
    """Return the errors of each module, imported in a process that had imported none of them."""
    words = [sys.executable, "-c", IMPORT, *MODULES]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=600, check=True)
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize("name", MODULES)
def test_a_module_is_imported_without_warnings_of_its_own(
    errors: dict[str, str], name: str
) -> None:
    assert errors.get(name, "") == ""
