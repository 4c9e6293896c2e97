.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
SHARED := --numprocesses 2 --dist loadfile --no-loadscope-reorder # two processes, each a file of tests at a time
SMOKE := bfo_utils/__init__.py $(addprefix tests/,columns/test_detection.py io/test_calibration.py \
  lattice/test_building.py rewards segmentation simulation test_packaging.py)
RECORD := $(CURDIR)/runs/dependability

help: ## what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

.venv/.book: pyproject.toml constraints.txt
	@echo "setting up .venv: some 6 GB, which takes a few minutes"
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[book,data,vae]'
	touch $@

.venv/.test: .venv/.book
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[book,cluster,data,export,genetic,vae,test]'
	touch $@

book: .venv/.book ## run the notebooks on the phantom and render the book to runs/default/html/index.html
	$(BIN)/bfo run --out runs/default

browser: # for the tests of the pages, which are skipped where it cannot be had
	@command -v chromium >/dev/null && command -v chromedriver >/dev/null || { \
	  test "$$(id -u)" = 0 && export DEBIAN_FRONTEND=noninteractive && timeout 300 apt-get update --quiet=2 && \
	  timeout 300 apt-get install --quiet=2 --yes --no-install-recommends chromium chromium-driver; } >/dev/null 2>&1 || \
	  echo "chromium and chromedriver are not here and cannot be installed: the tests of the pages will be skipped"

pictures: .venv/.book ## draw the pictures of the book's first pages anew, to book/images
	$(BIN)/python -c "from bfo_utils.figures import CONCEPTS, save_figure; [save_figure(draw(), f'book/images/{name}.png') for name, draw in CONCEPTS.items()]"

test: .venv/.test browser ## run the whole test suite
	$(BIN)/python -m pytest $(SHARED)

lint: .venv/.test ## check types and style
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

quick: lint ## check types and style, then a smoke set of the tests: some 60 s on two cores
	$(BIN)/python -m pytest $(SHARED) -m 'not slow' $(SMOKE)

coverage: .venv/.test ## run the whole test suite, and fail where it takes less than 90 % of the branches
	rm -f .coverage .coverage.*
	BFO_RECORD=$(RECORD) COVERAGE_FILE=$(CURDIR)/.coverage $(BIN)/coverage run -m pytest $(SHARED)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

mutants: .venv/.test ## put small faults into rewards and walls, and fail where no test notices
	BFO_RECORD=$(RECORD) OMP_NUM_THREADS=1 $(BIN)/python -m tests.mutants

dependability: .venv/.test ## measure all that the book's page on dependability shows (an hour or more)
	rm -rf $(RECORD)
	$(MAKE) coverage mutants
	rm $(RECORD)/faults.jsonl # of three kills each
	BFO_RECORD=$(RECORD) $(MAKE) faults
	$(BIN)/coverage json --quiet -o $(RECORD)/coverage.json
	$(BIN)/python -m tests.dependability $(RECORD)

faults: .venv/.test ## kill every command at 30 moments, fill disks, run two at once: longer than make test does
	BFO_KILLS=$${BFO_KILLS:-30} $(BIN)/python -m pytest tests/test_faults.py

bench: .venv/.test ## measure speed, accuracy and the rewards; tables go to benchmarks/results
	$(BIN)/python -m benchmarks

clean: ## remove the environment, runs and caches
	rm -rf .venv runs build dist .pytest_cache .hypothesis .mypy_cache .ruff_cache .coverage .coverage.* benchmarks/results
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help book browser test lint quick coverage mutants faults dependability bench clean
