# Needs: python3 (3.11 or newer) with venv, and make. Everything else is installed into $(VENV).
VENV ?= .venv
PY   ?= python3
BIN   = $(VENV)/bin
export UV_PYTHON_DOWNLOADS = never

JOBS ?= logical
PYTEST = $(BIN)/python -m pytest -q -n $(JOBS) --dist loadfile --no-loadscope-reorder
PY313 := $(shell .ci/python-3.13)
# What may differ between versions of Python: bits, imports, warnings, how processes are started.
DEPENDS_ON_PYTHON := tests/unit tests/golden tests/cache tests/sweep/test_same_bits.py tests/cluster/test_scheduler.py

.PHONY: sweep test test-3.13 thorough load faults mutants audit lint bench rivals precision constraints setup clean

sweep: setup ## run the temperature-supply sweep on all cores
	$(BIN)/sweep run configs/sweeps/temperature_supply.yaml

test: setup ## run the tests; some of them with ARGS="tests/sweep -k extend"
	$(PYTEST) -m "not faults and not thorough" $(ARGS)

test-3.13: ## the tests that depend on the version of Python, on 3.13
	$(if $(PY313),$(MAKE) test VENV=.venv-3.13 PY=$(PY313) ARGS="$(DEPENDS_ON_PYTHON)",@echo "note: there is no Python 3.13 here")

thorough: setup ## what make test has more cheaply, too: all references and more examples, on Python 3.13 as well (half an hour)
	$(PYTEST) -m "not faults" --hypothesis-profile=thorough $(ARGS)
	$(if $(PY313),$(MAKE) thorough VENV=.venv-3.13 PY=$(PY313) PY313=)

load: setup ## run the tests twice beside eight busy loops, eight files at a time
	$(BIN)/python -m tests.busy_loops 8 -- sh -c '$(MAKE) test JOBS=8 && $(MAKE) test JOBS=8'

faults: setup ## disturb sweeps in every way they have to survive; the table of outcomes goes into docs/faults.md (some minutes)
	$(PYTEST) -m faults tests/cluster --faults-page docs/faults.md $(ARGS)

mutants: setup ## flip 60 places of the sources, one at a time; some test must notice each (an hour); ARGS="--help" for more
	$(BIN)/python -m tests.mutants $(ARGS)

audit: setup ## ask for known vulnerabilities of the pinned versions
	$(BIN)/python .ci/audit

lint: setup ## format, style and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: setup ## measure speed; figures for this machine
	$(BIN)/python -m tests.benchmarks $(if $(README),--readme)

rivals: setup ## the same runs with joblib, multiprocessing, dask.delayed, xyzpy and pipefunc; into docs/performance.md (some minutes)
	$(BIN)/uv pip install -q --python $(BIN)/python -c constraints.txt --group rivals
	$(BIN)/python -m tests.benchmarks.rivals --write

precision: setup ## time against error, ours and SciPy's; put into docs/model.md (some minutes)
	$(BIN)/python docs/precision.py --write

constraints: setup ## renew the pinned versions
	$(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --all-extras --group dev --group rivals --upgrade \
		--strip-extras --no-annotate --no-header --no-emit-index-url --no-emit-package marsdisk -q -o constraints.txt

setup: $(VENV)/.ok
$(VENV)/.ok: pyproject.toml constraints.txt
	$(PY) -m venv $(VENV)
	$(BIN)/pip install -q "uv$$(sed -n 's/^uv//p' constraints.txt)"
	$(BIN)/uv pip install -q --compile-bytecode --python $(BIN)/python -c constraints.txt -e ".[qpr,plot,export,design,remote,browse,hpc,k8s]" --group dev
	touch $@

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
