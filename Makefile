# `make demo` and `make test` need Python 3.11 or newer and make, nothing else.

PYTHON ?= $(firstword $(foreach name,python3.11 python3.12 python3.13 python3.14 python3 python,\
  $(shell $(name) -c 'import sys; sys.version_info >= (3, 11) and print("$(name)")' 2>/dev/null)))

VENV := .venv
BIN := $(VENV)/bin
# What is imported is compiled then; compiling every module of every library takes two minutes.
PIP := PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt \
  PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip install --quiet --no-compile
PINNED := pyproject.toml constraints.txt
# Two threads that wait for each other by spinning are slower than one on shared cores.
CALM := OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE
WORKERS ?= 2
PYTEST ?=
COG := $(BIN)/cog -I docs --verbosity=1
GENERATED := docs/plugins.md $(wildcard docs/reference/*.md)

.PHONY: demo test test-exhaustive downstream lint format docs site clean
.DELETE_ON_ERROR:

demo: $(VENV)/base.stamp  ## Rank the packaged models on the packaged data, offline.
	$(BIN)/zoo recommend --demo --offline

test: lint  ## Check everything.
	$(CALM) $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(PYTEST)

test-exhaustive: $(VENV)/test.stamp  ## Rarer architectures, which take twenty minutes more.
	$(CALM) $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m exhaustive $(PYTEST)

lint: $(VENV)/test.stamp  ## Style, types, import rules.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(COG) --check $(GENERATED)

docs: $(VENV)/test.stamp  ## Bring the generated parts of the documentation up to date.
	$(COG) -r README.md $(GENERATED)
	$(BIN)/python docs/generate.py

site: $(VENV)/test.stamp  ## The documentation as a web site: build/docs/index.html.
	$(BIN)/python -m sphinx -W --keep-going --quiet docs build/docs

downstream: $(VENV)/test.stamp  ## Other people's plugins against the wheel of this tree, in a fresh environment.
	$(BIN)/python examples/downstream.py

format: $(VENV)/test.stamp  ## Let ruff lay out every file.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## Remove what the other targets made.
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(VENV)/bin/python:
	@$(or $(PYTHON),false) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "Zoo needs Python 3.11 or newer. Install it, or name it: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/base.stamp: $(PINNED) | $(VENV)/bin/python
	@echo "Installing into $(VENV): two minutes or so, once."
	$(PIP) -e .
	@touch $@

$(VENV)/test.stamp: $(PINNED) | $(VENV)/bin/python
	@echo "Installing into $(VENV): two minutes or so, once."
	$(PIP) -e '.[test]'
	@touch $@ $(VENV)/base.stamp
