# Every target sets up what it needs: a fresh machine needs git, make and python3 (3.11 or newer).
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
SOURCES := pairstream streaming models trainer monitoring tests benchmarks
BENCHES := bench-mining bench-log bench-pipeline bench-step

.DEFAULT_GOAL := help
.PHONY: help setup demo test fmt lint types layers bench $(BENCHES) lock clean

help:
	@echo "make demo    mine pairs, pretrain, score; writes runs/demo/report.html"
	@echo "             (VIDEO=path-or-URL takes your video instead of rendered rooms)"
	@echo "make test    the test suite"
	@echo "make fmt     format;  make lint types layers  check style, types and import layers"
	@echo "make bench   measure this machine; bench-mining, bench-log, bench-pipeline, bench-step alone"

setup: $(INSTALLED)

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Pairstream needs Python 3.11 or newer; name one with: make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip sync --quiet --python $(BIN)/python requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

demo: $(INSTALLED)
	$(BIN)/pairstream demo $(if $(VIDEO),--video "$(VIDEO)")

test: $(INSTALLED)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist worksteal

fmt: $(INSTALLED)
	$(BIN)/ruff check --quiet --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

lint: $(INSTALLED)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)

types: $(INSTALLED)
	$(BIN)/mypy

layers: $(INSTALLED)
	$(BIN)/lint-imports

bench: $(BENCHES)

$(BENCHES): bench-%: $(INSTALLED)
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.$* $(OPTIONS)

lock:
	$(BIN)/uv pip compile --quiet pyproject.toml --universal --all-extras --python-version 3.11 \
		--no-emit-index-url --no-annotate --no-header --upgrade --output-file requirements.lock

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
