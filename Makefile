# Everything a developer or a visitor needs; `make` alone lists it.
VENV   ?= .venv
PYTHON ?= python3
RUN     = $(VENV)/bin/python -m
DATA   ?= demo-data
PORT   ?= 8050
SPEED  ?= 60
ARGS   ?=

.DEFAULT_GOAL := help
.PHONY: help install install-dev demo lint check test bench clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/.installed  ## the virtual environment with everything the system needs

install-dev: $(VENV)/.installed-dev  ## … and what the tests and checks need

demo: $(VENV)/.installed  ## the whole system with a demo centre, until Ctrl-C (PORT=, SPEED=, DATA=, ARGS=)
	@exec $(RUN) mingjing demo --data "$(DATA)" --port $(PORT) --speed $(SPEED) $(ARGS)

lint: $(VENV)/.installed-dev  ## format, lint, types, import arrows
	$(RUN) ruff format --check .
	$(RUN) ruff check .
	$(RUN) mypy
	$(VENV)/bin/lint-imports

check: lint  ## … and the fast tests
	$(RUN) pytest -q -m "not slow and not process and not browser and not kafka"

test: $(VENV)/.installed-dev  ## every test (about a quarter of an hour on 2 cores)
	$(RUN) pytest -q $(ARGS)

bench: $(VENV)/.installed-dev  ## every figure in one run: benchmarks/results/figures.json and .html (ARGS=--quick)
	$(RUN) benchmarks $(ARGS)

clean:  ## remove the environment, caches and the demo's data
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis demo-data
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# -- the environment: made once, filled again only when pyproject.toml changes ---------------------------------------

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Mingjing needs Python 3.11 or newer as '$(PYTHON)' (Debian 12, Ubuntu 24.04: apt install python3 python3-venv);" \
	       "another one: make PYTHON=python3.12 …" >&2; exit 1; }
	@echo "making the virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV) >/dev/null 2>&1 \
	  || { rm -rf $(VENV); $(PYTHON) -m virtualenv --quiet $(VENV) >/dev/null 2>&1; } \
	  || { rm -rf $(VENV); [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
	       && echo "installing Debian's python3-venv, without which Python makes no virtual environment" \
	       && { apt-get install -q -y python3-venv >/dev/null 2>&1 \
	            || { apt-get update -q >/dev/null && apt-get install -q -y python3-venv >/dev/null; }; } \
	       && $(PYTHON) -m venv $(VENV) >/dev/null; } \
	  || { rm -rf $(VENV); \
	       echo "'$(PYTHON) -m venv' does not work here; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }

$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	@echo "installing what Mingjing needs (once; a few minutes on a slow line)"
	@$(RUN) pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(VENV)/bin/python
	@$(RUN) pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@ $(VENV)/.installed
