# The paper-trading platform and its monitoring, on this machine. Needs Python >= 3.11, Go >= 1.26 and make.
#
#   make up            everything, in the foreground: sets up what is missing, says when it is ready; Ctrl-C stops it
#                      (settings: environment variables, such as REPLAY_START=2020-03-06 make up;
#                      usual ports taken: make up ARGS=--free-ports)
#   make setup         only the set-up: .venv, the Go programs (6 to 11 minutes the first time, then quick), and Chromium for the
#                      tests: on Debian, as root, it is installed; elsewhere it says how to get it
#   make check         format, lint, types, contracts, and the tests that start no server: two minutes, needs only Python
#   make logs          follows the logs of everything that runs, or of one service: make logs SERVICE=execution_gateway
#   make coverage      the same tests, and which lines they run: twice as long, and in no other target
#   make test          what make check and make pythons run, and the tests that start servers, without the longest drills
#   make pythons       only the tests that start no server, on each other Python of this machine
#   make drill         all drills: breaks real things and waits for the pages; one of them: make drill NAME=quiet
#   make trip          trips the circuit breaker when the gateway hangs: make trip REASON='it hangs' BY=me
#   make silence       silences alerts for a drill or a deployment: make silence MATCH=job=orchestrator FOR=10m REASON='we deploy' BY=me
#                      without MATCH it lists what is silenced
#   make bench         what a record, a scrape, a request and an exit cost beside other libraries, what an order, a tick and a reader cost,
#                      also with a million filled orders, what measuring adds to a call of PostgreSQL or Redis, how long the
#                      queries of each dashboard take, and how long it takes in a browser: some 30 minutes
#   make clean-data    removes what was stored: orders, metrics, pages, logs
#   make replay-check  replays the crash of 2020 and compares the pages with an independent computation
#   make format        formats the Python files
#   make dashboards    writes the dashboards again from infra/grafana
#   make viewer        makes the viewer's pages again from infra/viewer/web; needs Node >= 20 and npm, as nothing else here does
#   make screenshots   makes the pictures in docs/images again, from a replay of March 2020: some three minutes
#   make lock          writes requirements.lock again from pyproject.toml
#
# Another Python than python3: make setup PYTHON=python3.12

PYTHON = python3
ARGS =
SERVICE ?=
VENV = .venv/bin
# What opens a browser needs a processor of its own, so two of these run at a time. Other tests with servers mostly wait.
BROWSER = tests/infra/viewer tests/test_browser.py tests/test_guide.py

.PHONY: help venv programs setup up logs static check coverage pythons test drill trip silence bench clean-data replay-check format dashboards viewer screenshots lock
.NOTPARALLEL: # prerequisites run in the order written, even with -j

help:
	@sed -n 's/^# \{0,1\}//p' Makefile

venv:
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 or newer is needed, and there is no $(PYTHON) on the PATH: install it, or name one, as in: make setup PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m infra.setup.python_environment

programs: venv
	@$(VENV)/python -m infra.setup

setup: programs
	@$(VENV)/python -m infra.setup.browser

up: programs
	@$(VENV)/python -m infra.local up $(ARGS)

logs:
	@if test -x $(VENV)/python; then exec $(VENV)/python -m infra.local logs $(ARGS) $(SERVICE); else echo "There are no logs: nothing was set up here."; fi

static: venv
	$(VENV)/ruff format --check
	$(VENV)/ruff check
	$(VENV)/mypy
	$(VENV)/lint-imports

check: static
	$(VENV)/pytest -m "not server" -n auto --dist worksteal

coverage: venv
	@rm -rf .local/coverage
	$(VENV)/coverage run -m pytest -m "not server" -n auto --dist worksteal
	@$(VENV)/coverage combine -q
	$(VENV)/coverage report

pythons: venv
	@$(VENV)/python -m infra.setup.pythons

test: setup check pythons
	$(VENV)/pytest -m "server and not drill" -n 4 --dist loadfile $(addprefix --ignore ,tests/drills $(BROWSER))
	$(VENV)/pytest -m "server and not drill" -n 2 --dist loadfile $(BROWSER)
	$(VENV)/pytest -m "server and not drill" tests/drills

drill: setup
	$(VENV)/pytest tests/drills$(if $(NAME), -k $(NAME))

trip:
	@$(VENV)/python -m infra.local trip $(ARGS) --reason '$(REASON)' --by '$(BY)'

silence:
	@$(VENV)/python -m infra.local silence $(ARGS) --for '$(or $(FOR),1h)' --reason '$(REASON)' --by '$(BY)' $(MATCH)

bench: setup
	@$(VENV)/python -m tests.benchmarks.records
	@$(VENV)/python -m tests.benchmarks.stall
	@$(VENV)/python -m tests.benchmarks.exits
	@$(VENV)/python -m tests.benchmarks.requests
	@$(VENV)/python -m tests.benchmarks.desk
	@$(VENV)/python -m tests.benchmarks.clients
	@$(VENV)/python -m tests.benchmarks.dashboards
	@$(VENV)/python -m tests.benchmarks.viewer

clean-data:
	@if test -x $(VENV)/python; then $(VENV)/python -m infra.local clean-data $(ARGS); else echo "There is nothing to remove: nothing was set up here."; fi

replay-check: programs
	@$(VENV)/python -m tests.drills.replay_check

format: venv
	$(VENV)/ruff format
	$(VENV)/ruff check --fix

dashboards: venv
	@$(VENV)/python -m infra.grafana

viewer: venv
	@command -v npm >/dev/null || { echo "Node 20 or newer with npm is needed to make the viewer's pages, and there is no npm on the PATH. Nothing else needs it." >&2; exit 1; }
	cd infra/viewer/web && { test node_modules/.package-lock.json -nt package-lock.json || npm ci --no-audit --no-fund; }
	cd infra/viewer/web && npm run check && npm run build
	@$(VENV)/python -m infra.viewer.stamp

screenshots: setup
	@$(VENV)/python -m tests.screenshots

lock: venv
	$(VENV)/uv pip compile -q --prerelease=if-necessary-or-explicit --universal --generate-hashes --no-annotate --no-header pyproject.toml --all-extras --group platform --group local --group dev -o requirements.lock
