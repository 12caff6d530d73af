# Start with `make demo` and `make test`. Both install what they need.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
ENGINE ?= docker
UV := .uv/bin/uv
ENVIRONMENTS := $(addsuffix /requirements.txt,local/emulator model_tools/importing/legacy containers/worker containers/model)
RUN := .venv/bin
# Without cached bytecode, each start of the CDK takes seconds longer.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo test test-slow test-faults test-iam test-images bench check check-all images synth quotas pin-images deploy smoke cost destroy lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: .venv/ready node_modules/ready .dropscore/environments/ready build/demo/model.tar.gz ## install everything below this folder and train the demo model

demo: setup ## score the demo file on the embedded cloud and show the scores
	@$(RUN)/dropscore local run build/demo/sample.csv --out build/demo/scores.csv
	@echo "The first of the scores in build/demo/scores.csv:" && head -n 5 build/demo/scores.csv

test: setup .dropscore/environments/checkers ## run all tests: unit, contract, stacks, end to end
	@$(RUN)/pytest -n auto --dist loadgroup $(ARGS)

test-slow: setup ## run tests that take minutes, such as a million rows end to end
	@$(RUN)/pytest -m slow $(ARGS)

test-faults: setup ## break every promise on purpose: faults, kills, schedules, properties, mutants and a gigabyte (about 45 minutes)
	@$(RUN)/pytest -n 3 -m "slow or not slow" tests/faults $(ARGS)
	@$(RUN)/pytest -m "slow or not slow" tests/e2e/test_big_file.py $(ARGS)
	@DROPSCORE_EXAMPLES=10000 $(RUN)/pytest $(addprefix tests/unit/dropscore/,files/test_requests.py files/test_shard_bounds.py jobs/test_plan.py files/test_layout.py scoring/test_render.py files/test_gunzip.py files/test_dialect.py files/test_values.py files/test_matching.py scoring/test_replies.py scoring/test_bad_row_search.py) -n 2 $(ARGS)
	@DROPSCORE_FILES=20000 DROPSCORE_CLOUD_FILES=100 $(RUN)/pytest -n 2 --dist loadgroup tests/differential $(ARGS)
	@$(RUN)/python -m tools.mutations

test-iam: setup ## remove every permission of every role, one at a time, and verify that something fails (about 8 minutes)
	@$(RUN)/pytest -m "slow or not slow" tests/e2e/privilege $(ARGS)

check: setup .dropscore/environments/checkers ## check format, lint, types, imports and lock files; check templates and policies with every checker
	$(RUN)/ruff format --check .
	$(RUN)/ruff check .
	$(RUN)/mypy
	$(RUN)/lint-imports
	$(RUN)/python -m tools.locks --check
	$(RUN)/python -m tools.checks

check-all: setup .dropscore/environments/checkers ## run the checkers for every combination of settings (docs/checks.md)
	$(RUN)/python -m tools.checks --all

images: ## build both container images (ENGINE=docker)
	$(ENGINE) build -t dropscore-model containers/model
	$(ENGINE) build -t dropscore-worker -f containers/worker/Dockerfile .

test-images: setup images ## build both images and test them, alone and in jobs of the embedded cloud
	DROPSCORE_MODEL_IMAGE=dropscore-model DROPSCORE_WORKER_IMAGE=dropscore-worker DROPSCORE_ENGINE="$(ENGINE)" $(RUN)/pytest tests/images

bench: setup ## measure the model server and its rivals (installs the rivals first)
	@$(RUN)/python -m bench.serving $(ARGS)

synth: setup ## write the CloudFormation templates to cdk.out, checked by cdk-nag
	npx cdk synth --quiet

quotas: setup ## check that the account has the quotas that dropscore.toml needs
	@$(RUN)/python -m tools.quotas

pin-images: setup ## write the digests of the base images into the Dockerfiles (needs Docker and a connection)
	@$(RUN)/python -m tools.pin_images

deploy: setup ## check quotas (skip with QUOTAS=ignore), publish, check the images, then deploy to your account
	$(if $(filter ignore,$(QUOTAS)),,@$(RUN)/python -m tools.quotas)
	npx cdk synth --quiet
	npx cdk publish-assets --all --app cdk.out --unstable=publish-assets
	@$(RUN)/python -m tools.manifests
	npx cdk deploy --all --app cdk.out

smoke: setup ## verify a deployment in its account: ENV=dev, and MODEL=, SAMPLE=, LARGE=1, PROFILE=, REGION=
	@$(RUN)/python -m tools.smoke $(if $(ENV),--env $(ENV)) $(if $(MODEL),--model $(MODEL)) $(if $(SAMPLE),--sample $(SAMPLE)) \
	  $(if $(PROFILE),--profile $(PROFILE)) $(if $(REGION),--region $(REGION)) $(if $(LARGE),--large) $(ARGS)

cost: setup ## compute the cost of a deployment from the templates; writes docs/cost.md and the README's table
	@$(RUN)/python -m tools.cost $(ARGS)

destroy: setup ## delete the stacks and, unless deploy.retain_data is true, all data in storage
	npx cdk destroy Scoring Hosting
	$(RUN)/python -m tools.empty
	npx cdk destroy --all

lock: .venv/ready ## update every lock file and exported requirements file
	$(UV) lock --upgrade
	$(RUN)/python -m tools.locks
	npm install --package-lock-only --legacy-peer-deps --silent --prefix tools/checks/environments/guard

clean: ## delete everything that these targets have created
	rm -rf .venv .uv node_modules build cdk.out .dropscore

$(UV): bootstrap.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14) and "Dropscore needs Python 3.11, 3.12 or 3.13: make PYTHON=python3.12 …")'
	@echo "setting up: uv" >&2
	@$(PYTHON) -m venv .uv
	@.uv/bin/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r bootstrap.txt
	@touch $@

.venv/ready: pyproject.toml uv.lock | $(UV)
	@echo "setting up: Python packages (.venv)" >&2
	@$(UV) sync --quiet --locked --python $(PYTHON)
	@touch $@

node_modules/ready: package-lock.json
	@echo "setting up: the CDK's command line (node_modules)" >&2
	@npm ci --silent
	@touch $@

.dropscore/environments/ready: .venv/ready $(ENVIRONMENTS)
	@echo "setting up: what the emulator, the functions and the containers run in (.dropscore)" >&2
	@$(RUN)/python -m model_tools.environments $(ENVIRONMENTS)
	@touch $@

.dropscore/environments/checkers: .dropscore/environments/ready $(wildcard tools/checks/environments/*/*.txt tools/checks/environments/*/*.json)
	@echo "setting up: the checkers of templates, policies and code (.dropscore)" >&2
	@$(RUN)/python -m tools.checks.programs
	@touch $@

build/demo/model.tar.gz: .venv/ready training/demo.py training/data.py model_tools/artifact.py
	@echo "setting up: the demo model (build/demo)" >&2
	@$(RUN)/python -m training.demo
