PYTHON ?= python3
BIN := .venv/bin
export MLFLOW_DISABLE_TELEMETRY := true
export TF_CPP_MIN_LOG_LEVEL := 3

.PHONY: help demo test test-fast zoo lint bench mlproject docs-pictures clean

help:  ## Show what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: .venv/demo  ## Interpret a real classifier on real photographs; ends with how to see them in MLflow's UI
	@$(BIN)/python -m examples.demo

test: .venv/dev  ## Run every test
	$(BIN)/python -m pytest

test-fast: .venv/dev  ## Run the tests that take seconds
	$(BIN)/python -m pytest -m "not slow"

zoo: .venv/dev  ## Run every architecture of keras.applications through every method; takes an hour or more
	nice $(BIN)/python -m tests.zoo

lint: .venv/dev  ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/bench  ## Measure against the bare forward pass and other libraries
	$(BIN)/python -m benchmarks.gradcam

mlproject: .venv/dev  ## Write MLproject from the methods' signatures
	$(BIN)/python -m mlflow_interp.mlproject > MLproject

docs-pictures: .venv/dev  ## Make the pictures of README and docs anew
	$(BIN)/python -m docs.pictures

clean:  ## Remove the environment and everything made by the demo
	rm -rf .venv demo build *.egg-info

# uv installs in seconds what takes pip minutes; where it can't be had, pip does it.
.venv/%: setup.py
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv || true
	@$(BIN)/python -m uv pip install --quiet --python $(BIN)/python -e '.[$(extras)]' || $(BIN)/python -m pip install --quiet -e '.[$(extras)]'
	@touch $@

.venv/demo: extras := demo
.venv/dev: extras := demo,dev
.venv/bench: extras := demo,bench
