.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin

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

faults: .venv/.test ## kill every command at 30 moments, fill disks, run two at once: longer than make test does
	BFO_KILLS=$${BFO_KILLS:-30} $(BIN)/python -m pytest tests/test_faults.py

bench: .venv/.test ## measure speed, accuracy and the rewards; tables go to benchmarks/results
	$(BIN)/python -m benchmarks

clean: ## remove the environment, runs and caches
	rm -rf .venv runs build dist .pytest_cache .hypothesis benchmarks/results
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help book test faults bench clean
