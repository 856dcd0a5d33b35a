# Every command of the project; `make` alone lists them. CI runs `make test`.
.DEFAULT_GOAL := help
.PHONY: help run demo stop clean status setup test check static fmt format lint types imports \
	unit contract integration conformance e2e fuzz soak golden lock settings images-check bench-transport
.NOTPARALLEL:

BIN := .venv/bin
LOCAL := $(BIN)/python -m deploy.local
PYTEST := $(BIN)/pytest
# Each process has servers of its own and takes one file after another, the long ones first.
PARALLEL := -n 2 --dist loadfile --no-loadscope-reorder
COMPILE := uv pip compile pyproject.toml --custom-compile-command "make lock" --python-version 3.11 \
	--universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --quiet
CODE := api worker shared deploy tests

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- the local stack

run: setup ## start everything, show the main job, stay up until Ctrl-C
	@$(LOCAL) run

demo: setup ## the same, checked: exits 0 when every claim holds, then stops
	@$(LOCAL) demo

stop: ## end what a run started, also after a crash
	@if [ -x $(BIN)/python ]; then $(LOCAL) stop; else echo "nothing is running"; fi

status: ## what runs, with its pids and ports
	@if [ -x $(BIN)/python ]; then $(LOCAL) status; else echo "nothing is running"; fi

clean: ## stop, then delete the stack's data (.local); the environment (.venv) stays
	@if [ -x $(BIN)/python ]; then $(LOCAL) clean; else echo "nothing to delete"; fi

setup: ## make .venv and install what is missing; quick when nothing is
	@deploy/local/bootstrap.sh

# --- checks and tests

test: static ## everything CI runs: static checks, then all tests, in two processes
	$(PYTEST) $(PARALLEL) tests/e2e tests/integration tests/fuzz tests/conformance tests/contract tests/soak tests/unit

check: static ## quick checks for every commit: static, unit, contract
	$(PYTEST) tests/unit tests/contract

static: format lint types imports images-check

format: setup
	$(BIN)/ruff format --check $(CODE)

lint: setup ## ruff
	$(BIN)/ruff check $(CODE)

types: setup ## mypy, strict
	$(BIN)/mypy

imports: setup ## who may import whom (import-linter)
	$(BIN)/lint-imports

fmt: setup ## format, and fix what ruff can fix
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

unit: setup ## pure tests, no sockets
	$(PYTEST) tests/unit

contract: setup ## every provider adapter against its simulator
	$(PYTEST) tests/contract

integration: setup ## storage and queue against real servers
	$(PYTEST) tests/integration

conformance: setup ## both seed documents, statement by statement, with pass marks
	$(PYTEST) tests/conformance --statements

e2e: setup ## both services as processes, HTTP in, simulators out
	$(PYTEST) tests/e2e

soak: setup ## 100,000 pushes with faults over all adapters: memory, descriptors and tasks stay flat
	SOAK_PUSHES=$${SOAK_PUSHES:-100000} $(PYTEST) tests/soak -s

bench-transport: setup ## CPU per push, ours beside aioapns, httpx and pywebpush (needs nginx)
	$(BIN)/python -m tests.bench.transport --json .local/bench/transport.json

fuzz: setup ## ten times as many generated requests as `make test` sends
	FUZZ_TIMES=20 $(PYTEST) tests/fuzz

images-check: setup ## docker-compose.yml against its public schema
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml

golden: setup ## write the golden files of the providers' payloads anew
	GOLDEN=write $(PYTEST) -q tests/unit/shared/providers/test_golden.py

settings: setup ## print the table of settings for the README
	@$(BIN)/python -m deploy.settings_table

# --- dependencies

lock: ## write deploy/locks anew from pyproject.toml (needs uv)
	@command -v uv >/dev/null || { echo "uv is missing: pip install uv"; exit 1; }
	$(COMPILE) -o deploy/locks/runtime.txt
	$(COMPILE) --all-extras -o deploy/locks/dev.txt
