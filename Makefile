# Every target does its own set-up; Python 3.11 or newer and make are enough.
#   make demo       a complete WonderNest database on a server of your own, in one go
#   make test       the tests, one PostgreSQL major
#   make help       everything else

# The first that runs and is new enough; or say which: make PYTHON=/opt/python3.12/bin/python3 test
PYTHON ?= $(shell for each in python3 python3.13 python3.12 python3.11; do \
	"$$each" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo "$$each" && break; done)
JOBS ?= 2
UV ?= uv

BIN := .venv/bin

# The PostgreSQL that came with the lock file, so that nothing depends on what the host has.
export WNADMIN_PG_PROVIDER ?= wheel

.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) \
	| while IFS='|' read -r target what; do printf '  make %-13s %s\n' "$$target" "$$what"; done

.PHONY: venv
venv: ## make .venv from the lock file; nothing to do while it is current
	@test -n "$(PYTHON)" || { echo "wnadmin needs Python 3.11 or newer and found none." \
		"Install one, or name it: make PYTHON=/path/to/python3 $(MAKECMDGOALS)" >&2; exit 1; }
	@"$(PYTHON)" tools/make_venv.py

# --- use ---------------------------------------------------------------------------------------------

.PHONY: demo
demo: venv ## server, database, proof, sample data and a tour
	$(BIN)/wnadmin demo

# --- prove -------------------------------------------------------------------------------------------

.PHONY: test
test: venv ## the tests, one PostgreSQL major; TESTS=tests/unit narrows them
	$(BIN)/python -m pytest -n $(JOBS) -m "not more" $(TESTS)

.PHONY: test-more
test-more: venv servers peers ## the long tests: the other majors, kill -9, long hypothesis runs
	$(BIN)/python -m pytest -n $(JOBS) -m more $(TESTS)
	HYPOTHESIS_PROFILE=long $(BIN)/python -m pytest -n $(JOBS) -m "hypothesis and not more" $(TESTS)

.PHONY: lint
lint: venv ## style of Python and SQL: ruff, sqlfluff, squawk
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python tools/lint_sql.py

.PHONY: format
format: venv ## put the Python into the style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: types
types: venv ## mypy, strict, on sources, tests and tools
	$(BIN)/mypy

.PHONY: contracts
contracts: venv ## who may import whom
	$(BIN)/lint-imports

.PHONY: bench
bench: venv peers ## each promise about speed beside its peer, as a table
	$(BIN)/python -m benchmarks

.PHONY: bench-world
bench-world: venv ## build the million-children world once, in .worlds
	$(BIN)/python -m benchmarks.world

# --- make what is generated --------------------------------------------------------------------------

.PHONY: docs
docs: venv ## docs/cli.md from the parser, the generated part of sql/schema_design.md from the catalog
	$(BIN)/python tools/make_docs.py
	$(BIN)/python tools/make_schema_design.py

.PHONY: v001
v001: venv ## sql/migration/V001__initial_schema.sql, from files 01 to 07
	$(BIN)/python tools/make_v001.py

.PHONY: expected
expected: venv ## sql/expected.json, from a fresh server
	$(BIN)/python tools/make_expected.py

.PHONY: grants
grants: venv ## the list of readable columns in sql/07, from sql/manifest.toml
	$(BIN)/python tools/make_grants.py

.PHONY: build
build: venv ## sdist and wheel, in dist
	rm -rf dist
	$(BIN)/python -m build --no-isolation --outdir dist

.PHONY: servers
servers: venv ## PostgreSQL 15 to 18 for the long tests, in .servers
	$(BIN)/python tools/fetch_servers.py

.PHONY: peers
peers: ## check_postgres, check_pgactivity, pgBackRest and Barman, where apt-get can bring what is missing
	@{ command -v check_postgres && test -x /usr/lib/nagios/plugins/check_pgactivity; } >/dev/null \
	|| .ci/packages check-postgres check-pgactivity
	@{ command -v pgbackrest && command -v barman; } >/dev/null || .ci/packages pgbackrest barman

.PHONY: lock
lock: ## requirements.lock, from pyproject.toml; the only target that needs uv
	@command -v $(UV) >/dev/null || { echo "make lock needs uv: https://docs.astral.sh/uv/" >&2; exit 1; }
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --all-extras --group dev \
		--no-emit-index-url --custom-compile-command "make lock" --output-file requirements.lock pyproject.toml

.PHONY: clean
clean: ## remove everything that make made, but no database server's data
	rm -rf .venv .venv.lock .servers build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
