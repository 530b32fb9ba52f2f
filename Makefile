# Every target sets itself up: a Python >= 3.11 on PATH is all it needs. PYTHON=... names another interpreter.
# ARGS=... is handed to the program that a target runs, e.g. make test ARGS="tests/test_project.py -k import".

.DEFAULT_GOAL := help
.PHONY: help demo test test-float32 bench lint types format clean venv-md venv-dev

RUN := .venv/bin/python
PYTEST := $(RUN) -m pytest -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder
ARGS ?=
# Another project's packages must not be found before those of .venv.
unexport PYTHONPATH PYTHONHOME
export PYTHON

help:  ## list the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' Makefile

demo: venv-md  ## molecular dynamics of a metal, from a perfect crystal to an equilibrated one
	$(RUN) -m jaxpot.demo $(ARGS)

test: venv-dev  ## all tests, in float64
	$(PYTEST) $(ARGS)

test-float32: venv-dev  ## the same tests with JAX's default precision
	JAXPOT_TEST_FLOAT32=1 $(PYTEST) $(ARGS)

bench: venv-dev  ## benchmarks beside LAMMPS and jax-md
	$(RUN) -m benchmarks $(ARGS)

lint: venv-dev  ## ruff
	$(RUN) -m ruff check $(ARGS) .

types: venv-dev  ## mypy
	$(RUN) -m mypy $(ARGS)

format: venv-dev  ## let ruff mend and format the files named in ARGS
	$(RUN) -m ruff check --fix $(ARGS)
	$(RUN) -m ruff format $(ARGS)

clean:  ## remove what the other targets made
	rm -rf .venv .cache .pytest_cache .ruff_cache .hypothesis

venv-md:
	@tools/venv.sh md

venv-dev:
	@tools/venv.sh dev
