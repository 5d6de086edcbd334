# robovalue_ros: everything starts here. `make help` lists the targets.
SHELL := /bin/bash
PYTHON ?= python3
VENV ?= .venv
TORCH_INDEX ?=
DEMO_OUT ?= demo_output
PIP_INSTALL = $(VENV)/bin/python -m pip install -q $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) -c constraints.txt
BIN := $(VENV)/bin
export MUJOCO_GL ?= egl

APT_RENDER := libegl1 libegl-mesa0 libgles2 libgl1 libgl1-mesa-dri libglib2.0-0
APT_VENV := python3-venv
APT_BROWSER := chromium

.PHONY: help demo test hardening test-gpu lint bench bench-value bench-segment bench-plans system system-test venv dev clean
help:
	@echo "make demo    record, convert and look at episodes of the embedded simulator"
	@echo "make test    run the whole test suite"
	@echo "make hardening   fuzzing, kills and long episodes, at length: half an hour"
	@echo "make test-gpu   the tests that need a CUDA device"
	@echo "make lint    ruff and mypy"
	@echo "make bench   print the benchmark tables and write docs/benchmarks.md"
	@echo "make bench-value   write docs/value_study.md: an hour, goes on after an interruption"
	@echo "make bench-segment   write docs/segment_study.md: half an hour, goes on after an interruption"
	@echo "make bench-plans   write docs/plan_study.md: a quarter of an hour, goes on after an interruption"
	@echo "make clean   remove .venv and everything built"

demo: venv
	@$(BIN)/python examples/demo.py --out $(DEMO_OUT)

test: dev system-test
	@$(BIN)/python -m pytest -n 2 --dist worksteal

hardening: dev system-test
	@$(BIN)/python -m pytest -n 2 --dist worksteal -m 'thorough or at_length' --thorough

test-gpu: dev
	@$(BIN)/python -m pytest -m gpu

lint: dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: dev
	@OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks --write

bench-value: dev
	@OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.value_study --write

bench-segment: dev
	@OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.segment_study --write

bench-plans: dev
	@OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.plan_study --write

# The libraries that rendering needs: installed when we are root, else named in one line.
system:
	@missing=""; \
	ldconfig -p | grep -q 'libEGL\.so\.1' || missing="$(APT_RENDER)"; \
	ldconfig -p | grep -q 'libGL\.so\.1' || missing="$(APT_RENDER)"; \
	ldconfig -p | grep -q 'libgthread-2\.0' || missing="$(APT_RENDER)"; \
	[ -e /usr/lib/$$(uname -m)-linux-gnu/libEGL_mesa.so.0 ] || ldconfig -p | grep -q libEGL_nvidia || missing="$(APT_RENDER)"; \
	$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || missing="$$missing $(APT_VENV)"; \
	$(call install_missing)

system-test: system
	@missing=""; \
	command -v chromium >/dev/null || missing="$(APT_BROWSER)"; \
	$(call install_missing)

define install_missing
	if [ -n "$$missing" ]; then \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "installing $$missing"; \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	  else \
	    echo "system packages are missing; run: sudo apt-get install $$missing"; \
	  fi; \
	fi
endef

venv: system $(VENV)/.core
dev: system $(VENV)/.dev

$(VENV)/bin/python:
	@echo "creating $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -q -U pip "setuptools<80" wheel

$(VENV)/.core: setup.py constraints.txt | $(VENV)/bin/python
	@echo "installing robovalue_ros (a few minutes the first time)"
	@$(PIP_INSTALL) -e .
	@touch $@

$(VENV)/.dev: setup.py constraints.txt | $(VENV)/bin/python
	@echo "installing robovalue_ros with its development tools (a few minutes the first time)"
	@$(PIP_INSTALL) -e '.[dev]'
	@touch $@ $(VENV)/.core

clean:
	rm -rf $(VENV) build install log *.egg-info $(DEMO_OUT)
