PYTHON ?= python3
BIN := .venv/bin
export MLFLOW_DISABLE_TELEMETRY := true
export TF_CPP_MIN_LOG_LEVEL := 3
# With it, every process would compile TensorFlow, Keras and MLflow again: three times as long to import.
unexport PYTHONDONTWRITEBYTECODE
# Whole files, as a file's tests share servers and models; a few processes, as each has TensorFlow in it.
PARALLEL := --numprocesses auto --maxprocesses 4 --dist loadfile
# Requirements beside those of setup.py, such as VERSIONS="tensorflow==2.20.0 mlflow==3.17.2"; of a new .venv only.
VERSIONS ?=
CHECK := $(BIN)/check-jsonschema --quiet --builtin-schema vendor.

.PHONY: help demo demo-ui test test-fast test-lowest zoo faults load fuzz audit lint lint-scripts lint-github package release-check docs docs-pictures situations generated bench clean

help:  ## List the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: .venv/demo  ## Interpret an ImageNet classifier on six photographs, and print how to open the results in the MLflow UI
	@$(BIN)/python -m examples.demo

demo-ui: .venv/demo  ## View the results of the demo in MLflow's UI
	@$(BIN)/python -m examples.demo ui

test: .venv/dev  ## Run all tests
	$(BIN)/python -m pytest $(PARALLEL)

test-fast: .venv/dev  ## Run the fast tests: all except those that need a browser or take many seconds
	$(BIN)/python -m pytest $(PARALLEL) -m "not slow"

test-lowest: .venv/dev  ## Run the fast tests with the earliest supported versions, in a separate environment
	$(BIN)/python -m uv venv --quiet --clear --seed --python $(BIN)/python build/lowest
	$(BIN)/python -m uv pip install --quiet --compile-bytecode --python build/lowest/bin/python --resolution lowest-direct -e '.[demo,dev]'
	build/lowest/bin/python -m pytest $(PARALLEL) -m "not slow"

fuzz: .venv/fuzz  ## Fuzz the loaders of images, arrays and class names for one minute each
	@for target in pictures arrays classes; do \
	  mkdir -p .venv/fuzzing/$$target && \
	  $(BIN)/python -m tests.fuzz.loaders $$target .venv/fuzzing/$$target tests/fuzz/corpus/$$target \
	    -max_total_time=$(or $(SECONDS_EACH),60) -max_len=4096 -rss_limit_mb=3000 -timeout=60 \
	    -artifact_prefix=.venv/fuzzing/crash-$$target- -verbosity=1 || exit 1; \
	done

audit: .venv/audit  ## Check the installed packages for known vulnerabilities; needs an internet connection
	$(BIN)/python -m pip_audit --skip-editable

zoo: .venv/dev  ## Test every method on every architecture of keras.applications; takes an hour or more
	nice $(BIN)/python -m tests.zoo

faults: .venv/dev  ## Log to servers that fail in many ways, and print a table of the faults and what was lost
	$(BIN)/python -m pytest tests/faults

load: .venv/dev  ## Measure 20,000 images, eight threads that log to one server, and 200 calls in one process; takes some minutes
	nice $(BIN)/python -m benchmarks.load

lint: .venv/dev lint-scripts lint-github  ## Check style and types, and the pages' scripts if npm is installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Who changes no script needs no npm; CI checks them for all.
lint-scripts:
	@if command -v npm >/dev/null; then \
	  $(MAKE) --silent --no-print-directory node_modules/installed && npm run --silent check; \
	elif [ "$$CI" = true ]; then \
	  echo "npm is not installed, and CI needs it to check the pages' scripts" >&2; exit 1; \
	else \
	  echo "The pages' scripts were not checked, as npm is not installed"; \
	fi

# Against the schemas that come with check-jsonschema: nothing is downloaded.
lint-github: .venv/dev
	@$(CHECK)github-workflows .github/workflows/*.yml
	@$(CHECK)github-issue-forms $(filter-out %/config.yml,$(wildcard .github/ISSUE_TEMPLATE/*.yml))
	@$(CHECK)github-issue-config .github/ISSUE_TEMPLATE/config.yml
	@$(CHECK)dependabot .github/dependabot.yml
	@$(CHECK)citation-file-format CITATION.cff

package: .venv/dev  ## Build the wheel and the sdist, and test each in an empty environment
	.ci/package

release-check: .venv/dev  ## Check that the tag TAG can be released from the repository at the URL FROM
	$(BIN)/python -m docs.release $(TAG) $(FROM)

# Formulas need KaTeX from npm; without npm they are shown as TeX.
docs: .venv/docs  ## Build the documentation site; open build/site/index.html
	@if command -v npm >/dev/null; then $(MAKE) --silent --no-print-directory node_modules/installed; fi
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --strict

generated: .venv/dev  ## Generate MLproject, the type stubs, and the tables and reference of the docs
	$(BIN)/python -m docs.generate

bench: .venv/bench  ## Repeat the measurements of the docs; takes about two hours
	nice $(BIN)/python -m benchmarks $(ONLY)

docs-pictures: .venv/dev  ## Redraw the images of README and docs; needs Chromium
	$(BIN)/python -m docs.pictures

situations: .venv/dev  ## Make screenshots of pages and figures in many situations, to look at
	$(BIN)/python -m tests.situations

clean:  ## Remove .venv, node_modules, build and the folder of the demo
	rm -rf .venv node_modules demo build *.egg-info

# uv installs in seconds what takes pip minutes; where it can't be had, pip does it.
.venv/%: setup.py
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv || true
	@$(BIN)/python -m uv pip install --quiet --compile-bytecode --python $(BIN)/python -e '.[$(extras)]' $(VERSIONS) || $(BIN)/python -m pip install --quiet -e '.[$(extras)]' $(VERSIONS)
	@touch $@

node_modules/installed: package.json package-lock.json
	@npm ci --loglevel error --ignore-scripts --no-audit --no-fund
	@touch $@

.venv/demo: extras := demo
.venv/dev: extras := demo,dev
.venv/docs: extras := docs
.venv/bench: extras := demo,bench
.venv/fuzz: extras := demo,dev,fuzz
.venv/audit: extras := demo,dev,audit
