# Everything that a developer runs. Each target makes what it needs first, from nothing but Python 3.11 or newer,
# and, where a broker is involved, Java 17 and Maven.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: audit bench help install demo test lint format docs site sbom supply kafka kafka-jars chaos fuzz tools train pin clean

PYTHON ?= $(shell command -v python3.11 || command -v python3)
UV_VERSION := 0.13.9
BIN := .venv/bin
# Quix Streams and faust-streaming want other versions than we do.
PEERS := .cache/peers
UV := $(BIN)/uv
PIN := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--custom-compile-command 'make pin' $(UPGRADE)
SBOM := --output-format JSON --output-reproducible --spec-version 1.6 --mc-type application
# More arguments for the command of a target: `make test ARGS='-k lanes -x'`.
ARGS ?=
# Of `make chaos`: without SEED each run has one that nobody chose.
N ?= 100000
OUT ?= .cache/chaos
SEED ?=
FAULTS ?=
INPUTS ?= 2000
CONFIG ?= config/train/finrisk.toml
PROCESSES ?= 1

help: ## List the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

install: .venv/.installed ## Make .venv with everything pinned in requirements/dev.txt

.venv/.installed: requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("riskstream needs Python 3.11 or newer; set PYTHON=…") if sys.version_info < (3, 11) else 0'
	@$(BIN)/python -c '' 2>/dev/null || { echo 'Making .venv …'; $(PYTHON) -m venv --clear .venv; }
	@$(UV) --version 2>/dev/null | grep -qF 'uv $(UV_VERSION)' || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@echo 'Installing requirements/dev.txt …'
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements/dev.txt
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

demo: install ## Run the daemon on its embedded broker with a packaged feed; ends by itself
	$(BIN)/riskstream demo $(ARGS)

test: install kafka-jars tools ## Run every test, those that need a real Kafka too
	RISKSTREAM_TEST_BROKER=required $(BIN)/pytest $(ARGS)

lint: install ## Check style, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: install ## Format, and mend what can be mended by itself
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: install ## Write what is made from the code: the references of settings, metrics and commands
	$(BIN)/python -m dev.references

site: install ## Build the pages as a site in .cache/site; a broken link is an error
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements/docs.txt
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

kafka: install kafka-jars ## Run one local Kafka broker until Ctrl-C
	$(BIN)/python dev/kafka/serve.py $(ARGS)

kafka-jars: install
	@$(BIN)/python dev/kafka/serve.py --fetch-only

tools: install ## Bring helm, prometheus and more into .cache for the tests of deploy/
	@$(BIN)/python dev/tools.py

chaos: install kafka-jars ## N documents through 3 pods on 3 brokers under faults; SEED, OUT, FAULTS may be given
	$(BIN)/python -m tests.chaos.run --documents $(N) --out $(OUT) $(if $(SEED),--seed $(SEED)) $(if $(FAULTS),--faults $(FAULTS))

fuzz: install ## INPUTS (2000) damaged documents, rules, watchlists, requests and models of each kind, in 12 GiB of memory; never the same
	ulimit -v 12582912; RISKSTREAM_FUZZ=$(INPUTS) OPENBLAS_NUM_THREADS=1 $(BIN)/pytest tests/fuzz -q -p no:cacheprovider --timeout 7200 $(ARGS)

train: install ## Fine-tune as CONFIG says (config/train/finrisk.toml); PROCESSES=2 shares it among two processes
	$(if $(filter-out 1,$(PROCESSES)),$(BIN)/torchrun --standalone --nproc-per-node $(PROCESSES) -m riskstream,$(BIN)/riskstream) \
		train --config $(CONFIG) $(ARGS)

bench: install kafka-jars ## Measure against what people would use instead; within ten minutes (ARGS=scoring for one bench)
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements/bench.txt
	@$(PEERS)/bin/python -c '' 2>/dev/null || $(UV) venv --quiet --python $(BIN)/python $(PEERS)
	@$(UV) pip install --quiet --python $(PEERS)/bin/python --require-hashes -r requirements/peers.txt
	$(BIN)/python -m bench $(ARGS)

supply: install
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements/supply.txt

sbom: supply ## Write what the images are made of, as CycloneDX, into .cache/sbom
	@mkdir -p .cache/sbom
	$(UV) venv --quiet --clear --python $(BIN)/python .cache/sbom/cpu
	$(UV) pip install --quiet --python .cache/sbom/cpu/bin/python --require-hashes -r requirements/run.txt
	$(BIN)/cyclonedx-py environment .cache/sbom/cpu --pyproject pyproject.toml $(SBOM) --output-file .cache/sbom/riskstream-cpu.cdx.json
	$(BIN)/cyclonedx-py requirements requirements/cuda.txt --pyproject pyproject.toml $(SBOM) --output-file .cache/sbom/riskstream-cuda.cdx.json

audit: supply ## Ask a vulnerability service about every pin of both images; it must be reachable (ARGS='-s osv')
	$(BIN)/pip-audit --strict --disable-pip --require-hashes -r requirements/run.txt -r requirements/cuda.txt $(ARGS)

pin: install ## Pin again after pyproject.toml changed; `make pin UPGRADE=--upgrade` takes newer versions
	$(PIN) --extra dev pyproject.toml --output-file requirements/dev.txt
	$(PIN) --extra tracing --extra signing --constraint requirements/dev.txt pyproject.toml --output-file requirements/run.txt
	$(PIN) --extra train --extra tracing --extra signing --constraint requirements/dev.txt pyproject.toml --output-file requirements/cuda.txt
	$(PIN) --extra bench --constraint requirements/dev.txt pyproject.toml --output-file requirements/bench.txt
	$(PIN) --extra docs --constraint requirements/dev.txt pyproject.toml --output-file requirements/docs.txt
	$(PIN) --extra peers pyproject.toml --output-file requirements/peers.txt
	$(PIN) --extra supply --constraint requirements/dev.txt pyproject.toml --output-file requirements/supply.txt

clean: ## Remove .venv and every cache
	rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
