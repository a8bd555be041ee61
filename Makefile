# Everything a newcomer needs is `make demo` and `make test`; each prepares its own virtual environment.
PYTHON ?= python3
PORT ?= 8000
GALLERY ?=
DEMO_VENV := .venv-demo
VENV := .venv
BIN := $(VENV)/bin
BENCH_VENV := .venv-bench
ALTERNATIVES_VENV := .venv-alternatives
AUDIT_VENV := .venv-audit
# Not --quiet, which would keep the warnings from --strict.
SITE := NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --config-file docs/site/mkdocs.yml
ONLY ?=
MISSING ?=
MINUTES ?= 20
DATA ?=

.PHONY: demo test test-slow soak check docs bench audit clean help

help: ## Show these commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: $(DEMO_VENV)/.installed ## Start the service with the shipped model; GALLERY=folder PORT=8000
	@$(DEMO_VENV)/bin/python -m demo up --port $(PORT) $(if $(GALLERY),--gallery "$(GALLERY)")

test: $(VENV)/.installed ## Run the tests, as many at a time as there are cores; those in a browser by themselves
	OMP_NUM_THREADS=1 $(BIN)/pytest -n auto --dist worksteal --ignore tests/page
	OMP_NUM_THREADS=1 $(BIN)/pytest -n auto --dist worksteal tests/page

test-slow: $(VENV)/.installed ## Run the slow tests too: minutes, and real photos and weights where FEELALIKE_TEST_DATA and _WEIGHTS name them
	$(BIN)/pytest -m "slow or not slow"

soak: $(VENV)/.installed ## Everything at once against a real service, with kill -9, for MINUTES=20; nothing may be lost or grow
	PYTHONPATH=.:tests $(BIN)/python tests/soak.py --minutes $(MINUTES)

check: $(VENV)/.installed ## Lint, types, import contracts, Dockerfile, documentation
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/hadolint Dockerfile
	$(SITE)

docs: $(VENV)/.installed ## Build the documentation as a site, build/site/index.html; every link is checked
	$(SITE)

bench: $(BENCH_VENV)/.installed $(ALTERNATIVES_VENV)/.installed ## Measure, on a quiet machine, and write docs/benchmarks.md; ONLY=predictor, MISSING=1 goes on, DATA=photos
	$(BENCH_VENV)/bin/python -m benchmarks $(addprefix --only ,$(ONLY)) $(if $(MISSING),--missing) $(if $(DATA),--data "$(DATA)")

audit: $(AUDIT_VENV)/.installed ## Look the images' pinned packages up among known vulnerabilities; needs the network
	$(AUDIT_VENV)/bin/pip-audit --strict --no-deps --disable-pip -r requirements/cpu.txt -r requirements/gpu.txt -r requirements/train.txt

clean: ## Remove environments, caches and the demo's files
	rm -rf $(VENV) $(DEMO_VENV) $(BENCH_VENV) $(ALTERNATIVES_VENV) $(AUDIT_VENV) .demo build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(DEMO_VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(DEMO_VENV)
	$(DEMO_VENV)/bin/python -m pip install --quiet --upgrade pip
	$(DEMO_VENV)/bin/python -m pip install --quiet -e ".[cpu]"
	@touch $@

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -e ".[cpu,training,experiments,int8,client,parquet]" --group dev
	@touch $@

$(BENCH_VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(BENCH_VENV)
	$(BENCH_VENV)/bin/python -m pip install --quiet --upgrade pip
	$(BENCH_VENV)/bin/python -m pip install --quiet -e ".[cpu,training,experiments,int8,client,parquet]" --group bench
	@touch $@

$(ALTERNATIVES_VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(ALTERNATIVES_VENV)
	$(ALTERNATIVES_VENV)/bin/python -m pip install --quiet --upgrade pip
	$(ALTERNATIVES_VENV)/bin/python -m pip install --quiet -e ".[cpu]" --group alternatives
	@touch $@

$(AUDIT_VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(AUDIT_VENV)
	$(AUDIT_VENV)/bin/python -m pip install --quiet --upgrade pip
	$(AUDIT_VENV)/bin/python -m pip install --quiet --group audit
	@touch $@
