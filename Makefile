# Works with GNU make 3.81 and later. `make` alone says what there is to make.
#
# PYTHON=python3.12  builds .venv with that interpreter (3.11, 3.12 or 3.13)
# ENV=prod           runs with configs/prod.yml, where a target runs the pipeline
# ARGS='...'         is added to the command of a target that runs the pipeline or tests, and of lock
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
CLUSTER := .venv/.cluster
AUDIT := .venv/.audit
CODE := src scripts tests benchmarks docs audit profiles
RUN = $(BIN)/clustering run
OPTIONS = $(if $(ENV),--env $(ENV)) $(ARGS)
PYTEST = $(BIN)/python -m pytest

# Some shells export ENV, the name of their start-up file; here it counts on make's command line alone.
ifneq ($(origin ENV),command line)
ENV :=
endif

# For run-memory-optimized: the job, and what DuckDB may take before it spills to disk.
JOB := full_pipeline_job
MEMORY_LIMIT := 256MB
# For sweep: one parameter and its values, and how many experiments run at a time.
SWEEP := internal.cluster_stores.max_clusters=range(4,7)
JOBS := 2
# For changelog: the version that is released.
VERSION = $(shell $(BIN)/python -m hatchling version)
# For test-faults: how many faults of each kind, how many signals to runs and to each other command, how many connections that
# fail for each server, and which ones.
FAULTS := 10000
KILLS := 300
TROUBLES := 50
SEED := 1
# For test-soak: how many runs, and how many lie between two clean ones that the project is compared with.
RUNS := 300
EVERY := 25
# For docs-server.
PORT := 8000
# For bench: small (minutes) or full (hours), and where the figures go.
BENCH := small
RESULTS := benchmarks/bench/results.json

# Set up again where an interpreter is asked for, where .venv was copied or moved here, and where a set-up was cut off.
ifdef PYTHON
$(PIPELINE) $(DEV): always
endif
ifneq ($(shell cat .venv/.home 2>/dev/null)$(wildcard .venv/.installing),$(CURDIR))
$(PIPELINE) $(DEV): always
endif

.PHONY: help
help: ## say what there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-28s %s\n", $$1, $$2 }' Makefile

.PHONY: install cluster update lock version
install: $(PIPELINE) ## set up .venv with what the pipeline needs; other targets do so by themselves

cluster: $(CLUSTER) ## and what running on Slurm or Kubernetes needs (envs/cluster.txt)

update: ## write the locks anew with newer versions, and install them
	sh scripts/setup.sh lock --upgrade
	sh scripts/setup.sh dev

lock: ## write envs/*.txt and envs/stages.yaml from envs/*.in (ARGS=--upgrade for newer versions)
	sh scripts/setup.sh lock $(ARGS)

version: $(PIPELINE) ## say which version this is
	@$(BIN)/clustering --version

# The pipeline, whole and in parts; each part makes what it needs of those before it.
.PHONY: run run-full full-pipeline
run: $(PIPELINE) ## run the whole pipeline, setting up .venv first where needed
	$(RUN) full_pipeline_job $(OPTIONS)

run-full: run ## the same

full-pipeline: run ## the same; ENV=prod takes configs/prod.yml

.PHONY: run-internal-preprocessing run-internal-ml run-external-preprocessing run-external-ml run-merging
run-internal-preprocessing: $(PIPELINE) ## raw sales to shares of need states
	$(RUN) internal_preprocessing_job $(OPTIONS)

run-internal-ml: $(PIPELINE) ## clusters and profiles of each category
	$(RUN) internal_ml_job $(OPTIONS)

run-external-preprocessing: $(PIPELINE) ## raw external data to store features
	$(RUN) external_preprocessing_job $(OPTIONS)

run-external-ml: $(PIPELINE) ## clusters and profile by external data
	$(RUN) external_ml_job $(OPTIONS)

run-merging: $(PIPELINE) ## segments of every category, ledger and metrics
	$(RUN) merging_job $(OPTIONS)

.PHONY: run-memory-optimized minimal sweep
run-memory-optimized: $(PIPELINE) ## one stage at a time, in little memory (JOB=merging_job MEMORY_LIMIT=256MB)
	SNAKEMAKE_PROFILE="$(CURDIR)/profiles/memory-optimized" CLUSTERING_MEMORY_LIMIT=$(MEMORY_LIMIT) \
		$(RUN) $(JOB) --cores 1 $(OPTIONS)

minimal: $(PIPELINE) ## run a small demo in a temporary folder
	$(BIN)/clustering minimal $(ARGS)

sweep: $(PIPELINE) ## one experiment for each value of a parameter (SWEEP='merging.min_cluster_size=10,20' JOBS=2)
	$(BIN)/dvc exp run --queue -S '$(SWEEP)' $(ARGS)
	$(BIN)/dvc exp run --run-all --jobs $(JOBS)
	$(BIN)/dvc exp show

.PHONY: dev
dev: $(PIPELINE) ## show segments, runs and data on http://localhost:3000 (ARGS='--port 3001'; without --allow-run: clustering ui)
	$(BIN)/clustering ui --allow-run $(OPTIONS)

# Checks.
.PHONY: format lint type-check check-all
format: $(DEV) ## lay the code out, and mend what can be mended without thought
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)
	$(BIN)/snakefmt Snakefile rules

lint: $(DEV) ## check style and the workflow
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/snakemake --lint

type-check: $(DEV) ## check types, with mypy and basedpyright
	$(BIN)/mypy
	$(BIN)/basedpyright

check-all: test lint type-check docs ## all that a change must pass

.PHONY: test test-unit test-integration pipeline-test test-slow test-fuzz test-faults test-slurm test-soak
test: $(DEV) $(AUDIT) ## run the tests, but for the slow ones
	$(PYTEST) -m 'not slow' -n 2 --dist worksteal $(ARGS)

test-unit: $(DEV) ## run the tests of single stages and modules
	$(PYTEST) tests/unit -m 'not slow' -n 2 --dist worksteal $(ARGS)

test-integration: $(DEV) ## run the tests that start the command or a runner
	$(PYTEST) -m 'integration and not slow' -n 2 $(ARGS)

pipeline-test: $(DEV) ## compare what Snakefile and dvc.yaml say, stage by stage
	$(PYTEST) tests/pipeline -m 'not slow' $(ARGS)

test-slow: $(DEV) ## run the slow tests
	$(PYTEST) -m slow $(ARGS)

test-fuzz: $(DEV) ## draw over 10,000 configurations and tables, and count them (make test draws a fortieth of them)
	HYPOTHESIS_PROFILE=full $(PYTEST) tests/fuzz tests/bad_input -n 2 --dist worksteal $(ARGS)

test-faults: $(DEV) ## plant 10,000 faults of each kind in stages and files (make test plants a few for seconds; SEED=2)
	FAULTS=$(FAULTS) KILLS=$(KILLS) TROUBLES=$(TROUBLES) FAULT_SECONDS=7200 SEED=$(SEED) $(PYTEST) tests/faults -n 2 -rP $(ARGS)

test-slurm: $(DEV) $(CLUSTER) ## run the pipeline on a Slurm of two nodes, kill one of them, and compare bytes (root of Debian or Ubuntu)
	sh tests/slurm/run.sh $(ARGS)

test-soak: $(DEV) ## change a small project and run it, 300 times (RUNS=300 EVERY=25 SEED=1): hours
	RUNS=$(RUNS) EVERY=$(EVERY) SEED=$(SEED) $(PYTEST) tests/soak -s $(ARGS)

.PHONY: bench
bench: $(DEV) ## measure this pipeline beside its peers, and write docs/benchmarks.md (BENCH=full ARGS='--only pass')
	$(BIN)/python benchmarks/bench/run_bench.py --size $(BENCH) --results $(RESULTS) $(ARGS)
	$(BIN)/python benchmarks/bench/write_page.py --results $(RESULTS)

# Documentation and packages.
.PHONY: docs docs-server schemas build sbom audit changelog
docs: $(DEV) ## write the documentation to docs/build/html/index.html
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going --fresh-env -b html -d docs/build/doctrees docs docs/build/html

docs-server: docs ## and serve it on http://localhost:8000 (PORT=8000)
	$(BIN)/python -m http.server --bind 127.0.0.1 --directory docs/build/html $(PORT)

schemas: $(DEV) ## write configs/schema/*.json from the models of both configuration files
	$(BIN)/python docs/write_schemas.py

changelog: $(DEV) ## put the changes of changes/ into CHANGELOG.md (VERSION=0.2.0)
	$(BIN)/towncrier build --yes --version "$(VERSION)"

build: $(DEV) ## build the source distribution and the wheel, in dist/: the same bytes from the same files
	$(BIN)/python -m hatchling build

sbom: $(AUDIT) ## write what the pipeline is made of to dist/sbom.cdx.json, in CycloneDX
	$(BIN)/python audit/sbom.py dist/sbom.cdx.json

audit: $(AUDIT) $(CLUSTER) ## hashes, licences and known holes of all locks; 2: not all could be looked at (ARGS=--offline, ARGS=--list)
	$(BIN)/python audit/audit.py $(ARGS)

.PHONY: clean
clean: ## remove what the pipeline made; data/raw and the committed reports stay
	rm -rf data/internal data/external data/merging reports/figures logs .snakemake docs/build docs/generated dist

# setup.sh does one at a time, also under make -j.
$(PIPELINE): envs/pipeline.txt pyproject.toml scripts/setup.sh
	@sh scripts/setup.sh pipeline

$(DEV): envs/dev.txt pyproject.toml scripts/setup.sh
	@sh scripts/setup.sh dev

$(CLUSTER): $(PIPELINE) envs/cluster.txt
	@sh scripts/setup.sh cluster

$(AUDIT): $(DEV) envs/audit.txt
	@sh scripts/setup.sh audit

.PHONY: always
always:
