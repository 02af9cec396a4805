# make run    sets everything up and shows sample calls enriched
# make test   sets everything up and passes lint, types and tests
PYTHON ?= python3
BIN := .venv/bin

.PHONY: run test lint generate golden bench clean

run: .venv/installed
	$(BIN)/sipsense --stats examples/calls.jsonl

test: .venv/dev lint
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest --cov --cov-fail-under=100

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python scripts/generate.py --check

# What is made from catalog, profiles and the command line: builtin.json, tables in the README, man page, completion.
generate: .venv/dev
	$(BIN)/python scripts/generate.py

# Expected output of tests/cases: look at the diff before you commit it.
golden: .venv/dev
	$(BIN)/python scripts/golden.py

bench: .venv/dev
	$(BIN)/python benchmarks/run.py

.venv/installed: pyproject.toml scripts/setup.sh
	PYTHON="$(PYTHON)" scripts/setup.sh '.[zstd]'
	touch $@

.venv/dev: pyproject.toml scripts/setup.sh
	PYTHON="$(PYTHON)" scripts/setup.sh '.[dev]'
	touch .venv/installed $@

clean:
	rm -rf .venv build dist
