# limakit: two commands. Everything else is in README.md.
PYTHON ?= python3
TORCH ?= torch==2.13.0
VENV := .venv
BIN := $(VENV)/bin
# Uncompiled: pip would compile 20,000 modules on one core.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile

.PHONY: quickstart test check setup lock clean

quickstart: setup
	$(BIN)/limakit quickstart

test: setup
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

setup: $(VENV)/.ready

# The lock first, hashes required; then torch by version alone (its CPU and CUDA builds differ); then limakit itself.
$(VENV)/.ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(PIP) --no-deps --require-hashes -r requirements.lock
	$(PIP) $(TORCH)
	$(PIP) --no-deps --no-build-isolation -e .
	$(BIN)/python -m compileall -qq -j 0 $(VENV)/lib >/dev/null || true  # some packages hold templates that are no modules
	touch $@

lock:
	PATH="$(CURDIR)/$(BIN):$$PATH" tools/lock.sh

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis
