# Needs: python3 (3.11 or newer) with venv, and make. Everything else is installed into $(VENV).
VENV ?= .venv
PY   ?= python3
BIN   = $(VENV)/bin
export UV_PYTHON_DOWNLOADS = never

JOBS ?= logical
PYTEST = $(BIN)/python -m pytest -q -n $(JOBS) --dist loadfile --no-loadscope-reorder
PY313 := $(shell .ci/python 3.13)
# What may differ between versions of Python: bits, imports, warnings, how processes are started.
DEPENDS_ON_PYTHON := tests/golden tests/cache tests/unit/test_imports.py tests/unit/test_traces_of_importing.py \
	tests/unit/test_jit.py tests/sweep/test_same_bits.py tests/sweep/interface tests/sweep/results/test_xarray_verbs.py \
	tests/cluster/test_scheduler.py::test_a_running_scheduler_gives_the_same_bits_and_a_late_worker_that_differs_is_not_used \
	tests/sweep/store/test_names_of_stores.py::test_what_means_something_in_a_url_is_a_letter_in_a_path

.PHONY: sweep test test-3.13 thorough load faults mutants wheel audit lint bench rivals precision validation docs linkcheck constraints setup clean

sweep: setup ## run the temperature-supply sweep on all cores
	$(BIN)/sweep run configs/sweeps/temperature_supply.yaml

# TIMES=1 puts what the tests took into docs/testing.md.
WRITE_TIMES = $(if $(TIMES),--write-times "make $@")

test: setup ## every check in its cheapest form; some of them with ARGS="tests/sweep -k extend"
	$(PYTEST) -m "not faults and not thorough" $(WRITE_TIMES) $(ARGS)

test-3.13: ## the tests that depend on the Python version again on 3.13
	$(if $(PY313),$(MAKE) test VENV=.venv-3.13 PY=$(PY313) TIMES= ARGS="$(DEPENDS_ON_PYTHON)",@echo "note: there is no Python 3.13 here")

thorough: setup ## also what make test has more cheaply: all references, more examples; on 3.13, too
	$(PYTEST) -m "not faults" --hypothesis-profile=thorough $(WRITE_TIMES) $(ARGS)
	$(if $(PY313),$(MAKE) thorough VENV=.venv-3.13 PY=$(PY313) PY313= TIMES=)

load: setup ## run the tests twice, eight files at a time, while eight busy loops run
	$(BIN)/python -m tests.busy_loops 8 -- sh -c '$(MAKE) test JOBS=8 TIMES= && $(MAKE) test JOBS=8 TIMES='

# What is a matter of moments is repeated so often.
ROUNDS ?= 2

faults: setup ## disturb sweeps in every way they have to survive; the table of outcomes goes into docs/faults.md
	$(PYTEST) -m faults tests/cluster --rounds $(ROUNDS) $(if $(ARGS),$(ARGS),--faults-page docs/faults.md)

mutants: setup ## flip 60 places of the sources, one at a time; some test must notice each; ARGS="--help" for more
	$(BIN)/python -m tests.mutants $(ARGS)

wheel: setup ## build the wheel and try it in an empty environment of every Python here (a minute or two for each)
	$(BIN)/python .ci/wheel

audit: setup ## ask for known vulnerabilities of the pinned versions
	$(BIN)/python .ci/audit

docs: setup ## build the site into docs/_build/html; the tutorial is run for it
	$(BIN)/python -m sphinx -b html -W --keep-going -q docs docs/_build/html

linkcheck: setup ## ask whether the web addresses in the documents still work; needs the network
	$(BIN)/python -m sphinx -b linkcheck -q -D nb_execution_mode=off docs docs/_build/linkcheck

lint: setup ## format, style and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: setup ## measure speed; figures for this machine, with WRITE=1 into docs/performance.md
	$(BIN)/python -m tests.benchmarks $(if $(WRITE),--write)

rivals: setup ## the same runs with joblib, multiprocessing, dask.delayed, xyzpy and pipefunc; into docs/performance.md (some minutes)
	$(BIN)/uv pip install -q --python $(BIN)/python -c constraints.txt --group rivals
	$(BIN)/python -m tests.benchmarks.rivals --write

validation: setup ## the model against the literature; put into docs/validation.md, with its figures
	$(BIN)/python -m tests.validation --write

precision: setup ## time against error, ours and SciPy's; put into docs/model.md (some minutes)
	$(BIN)/python docs/precision.py --write
	$(BIN)/python -m tests.physics.error_control --write

constraints: setup ## renew the pinned versions
	$(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --all-extras --group dev --group docs --group rivals --upgrade \
		--strip-extras --no-annotate --no-header --no-emit-index-url --no-emit-package marsdisk -q -o constraints.txt

setup: $(VENV)/.ok
$(VENV)/.ok: pyproject.toml constraints.txt
	@echo "installing marsdisk, all its extras, and the tools of its tests into $(VENV): once, 2 GB, a minute or more"
	$(PY) -m venv $(VENV)
	$(BIN)/pip install -q "uv$$(sed -n 's/^uv//p' constraints.txt)"
	$(BIN)/uv pip install -q --compile-bytecode --python $(BIN)/python -c constraints.txt -e ".[qpr,plot,export,design,remote,browse,hpc,k8s]" --group dev --group docs
	touch $@

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
