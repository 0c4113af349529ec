# What a developer can do here. `make help` lists it; CI and the README call the same targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= $(shell command -v python3.11 || command -v python3)
UV_VERSION := 0.13.8
# What the locks must run on: the Python of Debian 12, where a newcomer may well begin.
OLDEST_PYTHON := 3.11.2
BIN := .venv/bin
# Nothing of the caller's Airflow or AWS reaches a test or a demo.
export PYTHONPATH := $(CURDIR)
unexport AIRFLOW_HOME AIRFLOW_CONFIG AWS_PROFILE AWS_ENDPOINT_URL

.PHONY: help
help:  ## list the targets
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

.PHONY: setup
setup: .venv/.ready  ## make .venv/ with the locked dependencies

.venv/.ready: requirements.lock
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if v == (3, 11) else f"expected Python 3.11, found {v[0]}.{v[1]} at {sys.executable}: install python3.11 or say make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(BIN)/uv pip sync --quiet --python $(BIN)/python requirements.lock
	@touch $@

.PHONY: clients
clients: .venv-clients/.ready  ## make .venv-clients/ with the SageMaker SDK and the AWS command line, for the tests

.venv-clients/.ready: requirements-clients.lock requirements-aio.lock | setup
	$(PYTHON) -m venv .venv-clients
	$(BIN)/uv pip sync --quiet --python .venv-clients/bin/python requirements-clients.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --require-hashes -r requirements-aio.lock --target .venv-clients/aio
	@touch $@

.PHONY: demo
demo: setup  ## a way to retrain, end to end, on real Airflow and the embedded AWS: TRAINER= PIPELINE=
	@TRAINER="$(TRAINER)" PIPELINE="$(PIPELINE)" $(BIN)/python -m scripts.demo

.PHONY: up
up: setup  ## Airflow's UI on 127.0.0.1:8080 on the embedded AWS, until Ctrl-C
	@$(BIN)/python -m scripts.up

.PHONY: aws
aws: setup  ## the embedded AWS alone on 127.0.0.1:4566, until Ctrl-C
	@exec $(BIN)/python -m include.local_aws --port 4566 --data .local/aws

.PHONY: env
env: setup  ## write .env with random secrets for docker compose
	@$(BIN)/python -m scripts.make_env

.PHONY: compose-native
compose-native: setup  ## docker-compose.yaml as processes of this machine, without docker (root)
	@$(BIN)/python -m scripts.compose_native

.PHONY: check
check: setup  ## lint, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy plugins/automl_retraining plugins/automl_retraining_plugin.py include scripts dags

.PHONY: test
test: setup clients  ## every test, acceptance tests included
	@$(BIN)/python -m scripts.browser
	$(BIN)/python -m pytest -n 2 --dist loadfile

.PHONY: test-unit
test-unit: setup  ## the quick tests: no server, no Airflow database
	$(BIN)/python -m pytest -n 2 --dist loadscope -m "not acceptance and not local_aws"

.PHONY: chaos
chaos: setup  ## kill a component at a random moment, round after round, and count what went wrong: ROUNDS= SEED=
	PYTHONPATH=$(CURDIR):$(CURDIR)/plugins $(BIN)/python -m tests.chaos --rounds $(or $(ROUNDS),100) --seed $(or $(SEED),7)

.PHONY: screenshots
screenshots: setup  ## make docs/ui-*.png anew from real runs (minutes)
	$(BIN)/python -m scripts.screenshots

.PHONY: bench-split
bench-split: setup  ## seconds and memory of the split beside pandas
	$(BIN)/python -m benchmarks.bench_split

.PHONY: bench-gate
bench-gate: setup  ## rows a second and memory of the gate beside scipy's bootstrap: ROWS=
	$(BIN)/python -m benchmarks.bench_gate $(if $(ROWS),--rows $(ROWS))

.PHONY: bench-gate-quality
bench-gate-quality: setup  ## false promotions, coverage and power of the gate, into docs/gate-evidence.md: TABLES= SEED= (12 minutes)
	$(BIN)/python -m benchmarks.bench_gate_quality --tables $(or $(TABLES),1000) --seed $(or $(SEED),1) --into docs/gate-evidence.md

.PHONY: bench-endpoint
bench-endpoint: setup  ## requests a second of the embedded endpoints, also through five updates
	$(BIN)/python -m benchmarks.bench_endpoint

.PHONY: bench-ui
bench-ui: setup  ## what the pages inside Airflow wait for, with 500 runs: RUNS= CANDIDATES=
	AIRFLOW_HOME=$(CURDIR)/.local/bench-airflow PYTHONPATH=$(CURDIR):$(CURDIR)/plugins $(BIN)/python -m benchmarks.bench_ui $(if $(RUNS),--runs $(RUNS)) $(if $(CANDIDATES),--candidates $(CANDIDATES))

.PHONY: bench-dags
bench-dags: setup  ## processor seconds to parse the DAG files, beside a DAG of stock operators: PIPELINES=
	$(BIN)/python -m benchmarks.bench_dags --pipelines $(or $(PIPELINES),200)

.PHONY: load
load: setup  ## many pipelines started at the same minute on real Airflow: PIPELINES=
	$(BIN)/python -m benchmarks.load --pipelines $(or $(PIPELINES),50)

.PHONY: fuzz
fuzz: setup  ## names, answers, YAML and CSV that nobody thought of: EXAMPLES= SEED=
	FUZZ_EXAMPLES=$(or $(EXAMPLES),2000) $(BIN)/python -m pytest tests/fuzz --hypothesis-seed=$(or $(SEED),7)

.PHONY: bench-waiting
bench-waiting: setup clients  ## waiting for 1 to 1,000 jobs beside the stock triggers: JOBS= SEED= (30 minutes)
	$(BIN)/python -m benchmarks.bench_waiting $(if $(JOBS),--jobs $(JOBS)) $(if $(SEED),--seed $(SEED))

.PHONY: bench-search
bench-search: setup  ## the embedded Autopilot beside FLAML, same folds and budget (16 minutes)
	$(BIN)/python -m benchmarks.bench_search

.PHONY: bench-jobs
bench-jobs: setup  ## what a job of the embedded AWS costs beyond its own work
	$(BIN)/python -m benchmarks.bench_jobs

.PHONY: bench-s3
bench-s3: setup  ## rates and memory of the embedded S3 with a large object: MEGABYTES=
	$(BIN)/python -m benchmarks.bench_s3 --megabytes $(or $(MEGABYTES),2048)

.PHONY: kill-aws
kill-aws: setup  ## kill -9 the embedded AWS at random moments: ROUNDS= SEED=
	KILL_ROUNDS=$(or $(ROUNDS),50) KILL_SEED=$(or $(SEED),7) $(BIN)/python -m pytest tests/local_aws/test_kill.py

.PHONY: bench-tuning
bench-tuning: setup  ## seconds of twenty small trainings under a tuning job
	$(BIN)/python -m benchmarks.bench_tuning

.PHONY: images
images: clients  ## write the table of AWS's image URIs from the SageMaker SDK
	.venv-clients/bin/python -m scripts.image_table

.PHONY: lock
lock: setup  ## renew the locks from the requirements files
	$(BIN)/uv pip compile --quiet --python $(BIN)/python --python-version $(OLDEST_PYTHON) --generate-hashes --no-header --no-annotate requirements-dev.txt -o requirements.lock
	$(BIN)/uv pip compile --quiet --python $(BIN)/python --python-version $(OLDEST_PYTHON) --generate-hashes --no-header --no-annotate requirements-clients.txt -o requirements-clients.lock
	$(BIN)/uv pip compile --quiet --no-deps --python $(BIN)/python --python-version $(OLDEST_PYTHON) --generate-hashes --no-header --no-annotate requirements-aio.txt -o requirements-aio.lock

.PHONY: clean
clean:  ## remove .local/ and the caches; .venv/ stays
	rm -rf .local .pytest_cache .mypy_cache .ruff_cache .hypothesis
