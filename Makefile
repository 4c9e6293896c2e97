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

browser: # for the tests of the pages, which are skipped where it cannot be had
	@command -v chromium >/dev/null && command -v chromedriver >/dev/null || { \
	  test "$$(id -u)" = 0 && export DEBIAN_FRONTEND=noninteractive && timeout 300 apt-get update --quiet=2 && \
	  timeout 300 apt-get install --quiet=2 --yes --no-install-recommends chromium chromium-driver; } >/dev/null 2>&1 || \
	  echo "chromium and chromedriver are not here and cannot be installed: the tests of the pages will be skipped"

test: .venv/.test browser ## run the whole test suite
	$(BIN)/python -m pytest

bench: .venv/.test ## measure speed, accuracy and the rewards; tables go to benchmarks/results
	$(BIN)/python -m benchmarks

clean: ## remove the environment, runs and caches
	rm -rf .venv runs build dist .pytest_cache .hypothesis benchmarks/results
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help book browser test bench clean
