.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
RECORD := $(CURDIR)/runs/dependability

help: ## what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

.venv/.book: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[vae]'
	touch $@

.venv/.test: .venv/.book
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[cluster,vae,test]'
	touch $@

book: .venv/.book ## run the notebooks on the phantom and render the book to runs/default/html/index.html
	$(BIN)/bfo run --out runs/default

test: .venv/.test ## run the whole test suite
	$(BIN)/python -m pytest

lint: .venv/.test ## check types and style
	$(BIN)/ruff check
	$(BIN)/mypy

coverage: .venv/.test ## run the whole test suite, and fail where it takes less than 90 % of the branches
	rm -f .coverage .coverage.*
	BFO_RECORD=$(RECORD) COVERAGE_FILE=$(CURDIR)/.coverage $(BIN)/coverage run -m pytest
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

mutants: .venv/.test ## put small faults into rewards and walls, and fail where no test notices
	BFO_RECORD=$(RECORD) OMP_NUM_THREADS=1 $(BIN)/python -m tests.mutants

dependability: .venv/.test ## measure all that the book's page on dependability shows (an hour)
	rm -rf $(RECORD)
	$(MAKE) coverage mutants
	$(BIN)/coverage json --quiet -o $(RECORD)/coverage.json
	$(BIN)/python -m tests.dependability $(RECORD)

bench: .venv/.test ## measure speed, accuracy and the rewards; tables go to benchmarks/results
	$(BIN)/python -m benchmarks

clean: ## remove the environment, runs and caches
	rm -rf .venv runs build dist .pytest_cache .hypothesis .mypy_cache .ruff_cache .coverage .coverage.* benchmarks/results
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help book test lint coverage mutants dependability bench clean
