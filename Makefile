# make demo            update a simulated four-server cluster with Airflow, start to end (KEEP=1 leaves the UI up, FAULT=help lists faults)
# make test            lint, types, layers and every test, the end-to-end run included
# make lint            ruff, mypy and the layer contracts only
# make schema          regenerate the JSON schema of the fleet file
# make requirements    recompile requirements.txt from pyproject.toml (needs uv)
# make clean           remove what make made: .venv, .airflow, .demo and the logs of the tests

PORT ?= 8080
SIMULATOR_PORT ?= 15985
SPEED ?= 300
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo test lint schema requirements clean

find_python = $(firstword $(foreach p,$(PYTHON) python3.13 python3.12 python3.11 python3 python,\
	$(shell $(p) -c 'import sys; (3, 11) <= sys.version_info[:2] < (3, 14) and print("$(p)")' 2>/dev/null)))
stamp := .venv/.installed-$(firstword $(shell cksum requirements.txt))

help:
	@sed -n '/^# make /s/^# //p' $(firstword $(MAKEFILE_LIST))

$(stamp): requirements.txt
	@python="$(find_python)"; \
	if [ -z "$$python" ]; then \
	  echo "No Python 3.11, 3.12 or 3.13 was found on the PATH. Install one, or name it: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)" >&2; exit 2; fi; \
	rm -rf .venv; \
	if command -v uv >/dev/null 2>&1; then \
	  echo "Installing the pinned requirements into .venv with uv ..."; \
	  uv venv --quiet --python "$$python" .venv && uv pip install --quiet --python .venv/bin/python -r requirements.txt; \
	else \
	  echo "Installing the pinned requirements into .venv with pip (a minute or two) ..."; \
	  "$$python" -m venv .venv && .venv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.txt; \
	fi && touch $@

demo: $(stamp)
	@exec .venv/bin/python -m include.demo --port "$(PORT)" --simulator-port "$(SIMULATOR_PORT)" --speed "$(SPEED)" \
	  $(if $(KEEP),--keep) $(if $(FAULT),--fault "$(FAULT)") $(if $(SEED),--seed "$(SEED)")

lint: $(stamp)
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

# The random runs and those of every fault only compute: at the lowest priority they take what the others leave. Linux shares the
# processor between sessions first and counts niceness inside of each, so theirs is told to stand back as a whole. Tests that stand
# alone run in two halves beside each other; the end-to-end runs, which must not wait for long, come after them.
test: $(stamp) lint
ifdef PYTEST_ARGS
	.venv/bin/python -m pytest $(PYTEST_ARGS)
else
	@echo "2,000 random runs and every fault in the background, and two halves of the tests beside each other (results come as they end) ..."
	@setsid bash -c 'echo 19 2>/dev/null > /proc/$$$$/autogroup; exec nice -n 19 .venv/bin/python -m pytest tests/chaos tests/faults' \
	  > .random-runs.log 2>&1 & random=$$!; \
	.venv/bin/python -m pytest tests/hci/steps > .steps.log 2>&1 & steps=$$!; \
	trap 'kill -- -$$random $$steps $$others 2>/dev/null' EXIT; \
	.venv/bin/python -m pytest --ignore tests/hci/steps --ignore tests/end_to_end --ignore tests/chaos --ignore tests/faults; \
	rest=$$?; wait $$steps; first=$$?; cat .steps.log; \
	echo "End-to-end runs, which mostly wait: two sets beside each other ..."; \
	.venv/bin/python -m pytest tests/end_to_end/feature tests/end_to_end/kinds > .end-to-end.log 2>&1 & others=$$!; \
	.venv/bin/python -m pytest tests/end_to_end --ignore tests/end_to_end/feature --ignore tests/end_to_end/kinds; ends=$$?; \
	wait $$others; later=$$?; cat .end-to-end.log; \
	wait $$random; randoms=$$?; trap - EXIT; cat .random-runs.log; \
	exit $$(( rest != 0 ? rest : first != 0 ? first : ends != 0 ? ends : later != 0 ? later : randoms ))
endif

schema: $(stamp)
	.venv/bin/python -m include.hci.settings.schema

requirements:
	uv pip compile --quiet --universal --python-version 3.11 --no-annotate --custom-compile-command "make requirements" \
	  pyproject.toml --output-file requirements.txt

clean:
	rm -rf .venv .airflow .demo .random-runs.log .steps.log .end-to-end.log
