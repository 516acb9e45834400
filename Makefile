# Every target sets up .venv by itself; that takes minutes the first time and nothing afterwards.
#   make demo     a picture with the bundled weights        make test       the test suite
#   make app      the web page                              make test-slow  the tests that are kept out of it
#   make bench    speed and size on this machine            make lint       style and import contracts
#   make test-app the web page in a real browser            make recipes    a few steps of every training recipe
# PYTHON=python3.12 make setup takes another Python (3.10 or later).

PYTHON ?= python3
PROMPT ?= a painting of a starry night sky
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
USE_READY := .venv/.use-ready
DEV_READY := .venv/.dev-ready

.PHONY: setup demo app test test-slow test-app bench recipes lint
.DELETE_ON_ERROR:

setup: $(DEV_READY)

demo: $(USE_READY)
	@$(BIN)/clipguide generate "$(PROMPT)"

app: $(USE_READY)
	@$(BIN)/clipguide app

test: $(DEV_READY)
	$(BIN)/python -m pytest -m "not slow"

test-slow: $(DEV_READY)
	$(BIN)/python -m pytest -m slow

# Debian's Chromium, driven by Playwright; the pictures of docs/app come from this run.
test-app: $(DEV_READY)
	@command -v chromium >/dev/null || [ "$$(id -u)" != 0 ] || \
	  (apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core)
	@command -v chromium >/dev/null || (echo "there is no chromium; apt-get install chromium"; exit 1)
	$(INSTALL) --editable ".[app,browser,safety]"
	$(BIN)/python -m pytest tests/browser

bench: $(DEV_READY)
	$(BIN)/python -m benchmarks

# All of pretrain/recipes at the smallest scale, in runs/recipes; what takes long is fetching and reading the sources.
recipes: $(DEV_READY)
	rm -rf runs/recipes
	PROFILE=try pretrain/recipes/all.sh runs/recipes

lint: $(DEV_READY)
	$(BIN)/ruff check .
	$(BIN)/lint-imports

$(BIN)/python:
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 10) and 'clipguide needs Python 3.10 or later; make PYTHON=python3.11 takes another')"
	$(PYTHON) -m venv .venv

$(USE_READY): pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing into .venv (minutes the first time)"
	$(INSTALL) --editable ".[app]"
	@touch $@

$(DEV_READY): pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing into .venv with all that development needs (minutes the first time)"
	$(INSTALL) --editable ".[app,dev,mesh,pretrain]"
	@touch $(USE_READY) $@
