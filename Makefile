# Two commands for a fresh machine: `make demo` and `make test`. Each sets itself up.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
MANIFEST := dbt_project/target/manifest.json
ARGS ?=

.PHONY: help setup demo evaluate simulate chaos real dev test lint lint-python lint-sql docs clean

help: ## Show the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(STAMP) $(MANIFEST) ## Make .venv with the command .venv/bin/tallyman

# uv when it is there (seconds), else pip; both install exactly the lock, which is complete: pip could
# not check the hashes of what an extra brings in.
$(STAMP): requirements.lock pyproject.toml
	@echo "Setting up .venv (once)"
	@if command -v uv >/dev/null 2>&1; then \
		{ test -x $(BIN)/python || uv venv -q --python $(PYTHON) .venv; } && \
		uv pip install -q --python $(BIN)/python --no-deps -r requirements.lock && \
		uv pip install -q --python $(BIN)/python --no-deps -e .; \
	else \
		{ test -x $(BIN)/python || $(PYTHON) -m venv .venv; } && \
		$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps -r requirements.lock && \
		$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps -e .; \
	fi
	@touch $@

# Parsing costs about ten seconds, so it is done here once and not in every pass.
$(MANIFEST): $(STAMP) $(shell find dbt_project -name '*.sql' -o -name '*.yml' -o -name '*.csv' 2>/dev/null | grep -v -e /target/ -e /logs/)
	@echo "Parsing the dbt project (once)"
	@$(BIN)/tallyman prepare

demo: setup ## The whole loop against the pretend distributor, with its score
	@$(BIN)/tallyman demo $(ARGS)

evaluate: setup ## Many pretend worlds scored against their truth (ARGS="--seeds 10 --page")
	@$(BIN)/tallyman evaluate $(ARGS)

simulate: setup ## The correction engine on virtual time among faults (ARGS="--seeds 20000 --mutants --page")
	@$(BIN)/tallyman simulate $(ARGS)

chaos: setup ## Its real processes, killed on a failing network (ARGS="--first-seed 100 --page")
	@$(BIN)/python tests/chaos/run_chaos.py $(ARGS)

real: setup ## The whole loop against real systems (needs Node.js 20), broken by hand
	@$(BIN)/tallyman real $(ARGS)

dev: setup ## Pretend distributor plus the Dagster UI, schedule and sensors on
	@$(BIN)/tallyman dev $(ARGS)

test: setup ## The tests; CI adds those of .ci/run
	@$(BIN)/python -m pytest $(ARGS)

lint: setup ## Style, types, import directions, SQL
	@$(MAKE) -s -j2 lint-python lint-sql

# Side by side: the types take one core, and the SQL as long as all else.
lint-python:
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/lint-imports
	@$(BIN)/mypy

lint-sql:
	@$(BIN)/sqlfluff lint dbt_project/models dbt_project/macros --processes 2

docs: setup ## Regenerate docs/data-dictionary.md from the contracts and the dbt project
	@$(BIN)/tallyman prepare --dictionary

clean: ## Remove all state of the demo (not .venv)
	@for file in systems.toml secrets.env warehouse.duckdb operations.sqlite; do \
		if [ -e ".tallyman/$$file" ] && \
			! head -n 1 .tallyman/systems.toml 2>/dev/null | grep -q '^# The pretend distributor'; then \
			echo ".tallyman is an installation of its own: remove it by hand if you mean to" >&2; \
			exit 1; \
		fi; \
	done
	@rm -rf .tallyman dbt_project/target dbt_project/logs
