# make run    sets everything up and shows sample calls enriched
# make test   sets everything up and passes lint, types and tests
PYTHON ?= python3
# What is used to develop stays out of the environment that a user gets: it would make the command start more slowly.
BIN := .venv/bin
DEV := .venv-dev/bin

.PHONY: run test lint generate golden bench clean

run: .venv/installed
	$(BIN)/sipsense --stats examples/calls.jsonl

test: .venv-dev/installed lint
	PATH="$(CURDIR)/$(DEV):$$PATH" $(DEV)/python -m pytest --cov --cov-fail-under=100

lint: .venv-dev/installed
	$(DEV)/ruff check .
	$(DEV)/ruff format --check .
	$(DEV)/mypy
	$(DEV)/python scripts/generate.py --check
	$(DEV)/python scripts/grafana --check

# What is made from catalog, profiles and the command line: builtin.json, tables in the documents, man page, completion,
# dashboards, alerts.
generate: .venv-dev/installed
	$(DEV)/python scripts/generate.py
	$(DEV)/python scripts/grafana

# Expected output of tests/cases: look at the diff before you commit it.
golden: .venv-dev/installed
	$(DEV)/python scripts/golden.py

# In the environment of a user: what is only there for tests makes every start slower.
bench: .venv/installed
	$(BIN)/python benchmarks/run.py

.venv/installed: pyproject.toml scripts/setup.sh
	PYTHON="$(PYTHON)" scripts/setup.sh .venv '.[zstd]'
	touch $@

.venv-dev/installed: pyproject.toml scripts/setup.sh
	PYTHON="$(PYTHON)" scripts/setup.sh .venv-dev '.[dev]'
	touch $@

clean:
	rm -rf .venv .venv-dev build dist
