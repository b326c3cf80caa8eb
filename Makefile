# The paper-trading platform and its monitoring, on this machine. Needs Python >= 3.11, Go >= 1.26 and make.
#
#   make up            everything, in the foreground: sets up what is missing, says when it is ready; Ctrl-C stops it
#                      (settings: environment variables, such as REPLAY_START=2020-03-06 make up;
#                      usual ports taken: make up ARGS=--free-ports)
#   make setup         only the set-up: .venv, the Go programs (6 to 11 minutes the first time); quick when nothing is to do
#   make test          every check: format, lint, types, contracts, unit, integration, configuration, rules
#   make clean-data    removes what was stored: orders, metrics, pages, logs
#   make replay-check  replays the crash of 2020 and holds the pages against an independent computation
#   make lint          format, lint, types, contracts
#   make format        formats the Python files
#   make lock          writes requirements.lock anew from pyproject.toml
#
# Another Python than python3: make setup PYTHON=python3.12

PYTHON = python3
ARGS =
VENV = .venv/bin

.PHONY: help setup up test clean-data replay-check lint format lock

help:
	@sed -n 's/^# \{0,1\}//p' Makefile

setup:
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 or newer is needed, and there is no $(PYTHON) on the PATH: install it, or name one, as in: make setup PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m infra.setup.python_environment
	@$(VENV)/python -m infra.setup

up: setup
	@$(VENV)/python -m infra.local up $(ARGS)

test: setup lint
	$(VENV)/pytest

clean-data:
	@if test -x $(VENV)/python; then $(VENV)/python -m infra.local clean-data $(ARGS); else echo "There is nothing to remove: nothing was set up here."; fi

replay-check: setup
	@$(VENV)/python -m tests.drills.replay_check

lint: setup
	$(VENV)/ruff format --check
	$(VENV)/ruff check
	$(VENV)/mypy
	$(VENV)/lint-imports

format: setup
	$(VENV)/ruff format
	$(VENV)/ruff check --fix

lock: setup
	$(VENV)/uv pip compile -q --prerelease=if-necessary-or-explicit --universal --generate-hashes --no-annotate --no-header pyproject.toml --group platform --group local --group dev -o requirements.lock
