# One command each; `make help` says what they do. Needs Python 3.11 or newer and make, nothing else.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
STAMP := .venv/.built
WORKERS ?= 2
CHAOS_RUNS ?= 5
SOAK_S ?= 1800

# The first of these that is new enough; `make PYTHON=/path/to/python3 setup` decides otherwise.
ifndef PYTHON
PYTHON := $(shell for python in python3 python3.13 python3.12 python3.11; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$python" && break; done)
endif

.PHONY: help setup run test services servicesdown integration chaos soak check fmt simulate bench evaluation lock images clean

help: ## List every command with one sentence
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

setup: $(STAMP) ## Build .venv with every pinned library and .venv/bin/hotbasket
	@:

$(STAMP): requirements-dev.lock setup.cfg pyproject.toml
	@if [ -z "$(PYTHON)" ]; then \
		echo "hotbasket needs Python 3.11 or newer; python3 is $$(python3 -V 2>&1 || true). Install one, or name it: make PYTHON=/path/to/python3 setup" >&2; \
		exit 1; \
	fi
	@if ! "$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then \
		echo "hotbasket needs Python 3.11 or newer; $(PYTHON) is $$("$(PYTHON)" -V 2>&1)." >&2; \
		exit 1; \
	fi
	@if ! "$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null; then \
		echo "$(PYTHON) has no venv module. On Debian and Ubuntu: apt-get install python3-venv" >&2; \
		exit 1; \
	fi
	@if ! $(BIN)/python -c 'import pip' 2>/dev/null; then \
		echo "1/3 creating .venv with $$("$(PYTHON)" -V)"; \
		"$(PYTHON)" -m venv --clear .venv; \
	else \
		echo "1/3 .venv is there"; \
	fi
	@echo "2/3 installing $$(grep -c '^[a-z0-9].*==' requirements-dev.lock) pinned libraries (a minute or two the first time)"
	@$(BIN)/python -m pip install --disable-pip-version-check --no-input --progress-bar off \
		--require-hashes -r requirements-dev.lock \
		| awk '/^Collecting/ {n++; if (n % 20 == 0) {print "    " n " fetched"; fflush()}} \
			/^Installing collected/ {print "    unpacking"; fflush()}'
	@echo "3/3 linking this checkout into .venv"
	@PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input \
		--no-deps --no-build-isolation --editable .
	@touch $(STAMP)
	@echo "ready: make run, make test, or $(BIN)/hotbasket --help"

run: setup ## Start the whole system with the demo shop, data in ./data
	@$(BIN)/hotbasket run --demo --data ./data

# What needs servers is no part of it: it stands in these two folders and in the contracts' production family.
test: setup ## Run every test that needs no servers: unit, property, contract, simulation, packaging, browser where Chromium is
	@$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder \
		$(if $(CI),-m "not extended") --ignore tests/integration --ignore tests/chaos/servers tests

services: setup ## Start Kafka, Cassandra and Postgres on loopback and print where they are; needs Java 17, Maven, Postgres
	@$(BIN)/python -m tests.services start

servicesdown: setup ## Stop the servers that `make services` started
	@$(BIN)/python -m tests.services stop

# Servers that run already, or that HOTBASKET_KAFKA, _SCYLLA and _POSTGRES point at, are used and left running.
integration: setup ## Hold the production adapters to their contracts on real servers, and run the cold half on real Spark
	@$(BIN)/python -m tests.services run -- \
		$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder \
		$(if $(CI),-m "not extended") tests/contract tests/integration

# It starts servers of its own: they are broken. Outside of CI the table of what it cost is written.
chaos: setup ## Kill, pause, cut, slow and fill real servers under load; CHAOS_RUNS=1 once, 5 times by default
	@CHAOS_RUNS=$(CHAOS_RUNS) CHAOS_REPORT=$(if $(CI),,docs/reliability.md) \
		$(BIN)/python -m pytest -s tests/chaos/servers

soak: setup ## Half an hour of load and faults on real servers: nothing lost, memory flat, no log flood; SOAK_S=600 for less
	@SOAK_S=$(SOAK_S) CHAOS_RUNS=1 CHAOS_EVENTS_PER_S=50 $(BIN)/python -m pytest -s tests/chaos/servers/test_soak.py

check: setup ## Hold the code to its rules: ruff, mypy, import-linter
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --config setup.cfg

fmt: setup ## Format the code and mend what ruff can mend
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

simulate: setup ## Replay one simulated run: make simulate SEED=42
	@PYTHONHASHSEED=0 $(BIN)/python -m tests.simulation $(SEED)

bench: setup ## Measure, print, and write docs/benchmarks.md; some sections only: make bench ONLY="erasure night"
	@$(BIN)/python -m tests.bench $(if $(ONLY),--only $(ONLY))

evaluation: setup ## Judge models and rules on the real baskets beside the checkout, and write docs/evaluation.md
	@OMP_NUM_THREADS=1 $(BIN)/python -m tests.evaluation

COMPILE = PYTHONWARNINGS=ignore CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile --quiet --no-config --generate-hashes --strip-extras \
	--allow-unsafe --no-emit-options --no-emit-index-url --no-emit-trusted-host --no-emit-find-links $(if $(UPGRADE),--upgrade)

lock: setup ## Pin every library with its hashes from setup.cfg; UPGRADE=1 takes the newest
	@$(COMPILE) --output-file requirements.lock setup.cfg
	@$(COMPILE) --extra batch --extra kafka --extra postgres --extra scylla --extra dev --constraint requirements.lock --output-file requirements-dev.lock setup.cfg
	@$(COMPILE) --extra dashboards --extra kafka --extra postgres --extra scylla --extra warehouse --build-deps-for wheel \
		--constraint requirements-dev.lock --output-file requirements-live.lock setup.cfg
	@$(COMPILE) --extra batch --extra postgres --extra scylla --build-deps-for wheel \
		--constraint requirements-dev.lock --output-file requirements-batch.lock setup.cfg

images: ## Build the container images hotbasket-live and hotbasket-batch with Docker or Podman
	@engine=$$(command -v docker || command -v podman) || { \
		echo "images are built by Docker or Podman, and neither is here: install one of them" >&2; exit 1; }; \
	version=$$(sed -n 's/^version = //p' setup.cfg); \
	for image in live batch; do \
		"$$engine" build --file deploy/images/$$image.Dockerfile --tag hotbasket-$$image:$$version .; \
	done

clean: ## Stop the servers and remove what the other commands built; ./data stays
	@[ ! -f .services/state.json ] || [ ! -x $(BIN)/python ] || $(BIN)/python -m tests.services stop
	@rm -rf .services .venv build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache tests/output
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
