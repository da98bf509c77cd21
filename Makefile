# Two commands do all: `make run` and `make test`. Each sets up what it needs.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PROFILE ?= cpu
ARGS ?=
# Two processes that share the test files; ARGS="-n 0" is one, as a debugger wants it.
TEST_WORKERS := -n 2 --dist loadfile --no-loadscope-reorder
# Tests marked slow start platforms, kill them and run whole pipelines; SLOW=1 has them too.
SLOW ?=

export DO_NOT_TRACK := true
export MLFLOW_DISABLE_TELEMETRY := true
export PREFECT_SERVER_ANALYTICS_ENABLED := false
export TOKENIZERS_PARALLELISM := false

.PHONY: run smoke platform test lint format docs setup clean clean-artifacts help

help:
	@echo 'make run [PROFILE=cpu|smoke|gpu] [CENSUS=folder] [ARGS="key=value ..."]   the whole job'
	@echo 'make platform [DB=postgres]                                            servers and workers'
	@echo 'make test [SLOW=1]                                                     tests; with the slow ones'
	@echo 'make docs                                                              the site, into site/'
	@echo 'make lint | format | setup | clean | clean-artifacts'

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "naics-embed needs Python 3.11 or newer; name one with PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt 'torch==2.13.0'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[train,platform,dask,docs,dev]'
	@touch $(STAMP)

run: $(STAMP)
	$(BIN)/naics-embed run --profile $(PROFILE) $(if $(CENSUS),data.source=folder 'data.folder=$(CENSUS)') $(ARGS)

smoke: PROFILE := smoke
smoke: run

# DB=postgres keeps both servers' data in PostgreSQL: our own, or POSTGRES=user:password@host:port.
platform: $(STAMP)
	$(BIN)/python -m flows.local_platform up --db $(or $(DB),sqlite) $(ARGS)

test: $(STAMP)
	$(BIN)/python -m pytest $(TEST_WORKERS) $(if $(SLOW),,-m 'not slow') $(ARGS)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(STAMP)
	NO_MKDOCS_2_WARNING=true $(BIN)/python -m mkdocs build --strict

clean:
	rm -rf $(VENV) .prefect .platform .pytest_cache .ruff_cache .mypy_cache .hypothesis dist build site
	@[ ! -d artifacts ] || echo 'artifacts is kept: trained tables, metrics and runs. make clean-artifacts removes it.'

# What took hours: only after a question, or with YES=1.
clean-artifacts:
	@[ "$(YES)" = 1 ] || { printf 'Remove artifacts, with all trained tables, metrics and runs? Type yes: '; read answer; [ "$$answer" = yes ]; } || { echo 'artifacts is kept'; exit 1; }
	rm -rf artifacts
