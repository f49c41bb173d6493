# Works with GNU make 3.81 and later. `make` alone says what there is to make.
#
# PYTHON=python3.12  builds .venv with that interpreter (3.11, 3.12 or 3.13)
# ARGS='...'         is added to the command of run, test, test-slow and lock
.DEFAULT_GOAL := help
.SUFFIXES:
.DELETE_ON_ERROR:

# The runners start `python`, and must find this project's.  Recipes still name .venv/bin: make 3.81 looks a recipe's
# program up in the PATH that make itself was given.
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export VIRTUAL_ENV := $(CURDIR)/.venv

BIN := .venv/bin
PIPELINE := .venv/.pipeline
DEV := .venv/.dev
CODE := src scripts tests benchmarks

# Set up again where an interpreter is asked for, where .venv was copied or moved here, and where a set-up was cut off.
ifdef PYTHON
$(PIPELINE) $(DEV): always
endif
ifneq ($(shell cat .venv/.home 2>/dev/null)$(wildcard .venv/.installing),$(CURDIR))
$(PIPELINE) $(DEV): always
endif

.PHONY: help
help: ## say what there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile

.PHONY: run run-full
run: $(PIPELINE) ## run the whole pipeline, setting up .venv first where needed
	$(BIN)/clustering run full_pipeline_job $(ARGS)

run-full: run ## the same

.PHONY: test test-slow
test: $(DEV) ## run the tests, but for the slow ones
	$(BIN)/python -m pytest -m 'not slow' -n 2 $(ARGS)

test-slow: $(DEV) ## run the slow tests
	$(BIN)/python -m pytest -m slow $(ARGS)

.PHONY: lint format
lint: $(DEV) ## check style, types and the workflow
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile
	$(BIN)/snakemake --lint

format: $(DEV) ## lay the code out, and mend what can be mended without thought
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)
	$(BIN)/snakefmt Snakefile

.PHONY: lock
lock: ## write envs/*.txt and envs/stages.yaml from envs/*.in (ARGS=--upgrade for newer versions)
	sh scripts/setup.sh lock $(ARGS)

.PHONY: clean
clean: ## remove what the pipeline made; data/raw and the committed reports stay
	rm -rf data/internal data/external data/merging reports/figures logs .snakemake

# setup.sh does one at a time, also under make -j.
$(PIPELINE): envs/pipeline.txt pyproject.toml scripts/setup.sh
	@sh scripts/setup.sh pipeline

$(DEV): envs/dev.txt pyproject.toml scripts/setup.sh
	@sh scripts/setup.sh dev

.PHONY: always
always:
