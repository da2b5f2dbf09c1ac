# Everything from a bare clone: each target makes its environment, installs, runs.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
STAMP := $(VENV)/.installed

.PHONY: demo demo-prey games football test quick exhaustive lint coverage site
.PHONY: release-check clean
.DEFAULT_GOAL := help

help:
	@echo "make demo       QMIX fails and CW-QMIX, OW-QMIX succeed on the paper's payoff; a figure"
	@echo "make demo-prey  the same on a small predator-prey (QMIX and CW-QMIX, 3 seeds)"
	@echo "make games      success rates of all algorithms over the named payoff games"
	@echo "make football   builds Google Research Football, on Debian or Ubuntu (about 15 minutes)"
	@echo "make test       the tests;  make quick: those of about a minute"
	@echo "make lint       ruff and mypy;  make coverage: the tests, and the lines they reach"
	@echo "make exhaustive what takes longer: more hosts and payoffs, a search, the GPU benchmark"
	@echo "make site       the documentation as a site with search, in build/site"
	@echo "make release-check  builds the archives, checks them, runs the wheel on its own"

# PyTorch first, so that nothing else pulls another build of it: the newest that was tried,
# and the last ones that there are for Python 3.9 and 3.8.
TORCH := "torch==2.13.0; python_version >= '3.10'" \
         "torch==2.8.0; python_version == '3.9'" "torch==2.4.1; python_version == '3.8'"
$(STAMP): setup.py pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install -q --disable-pip-version-check $(TORCH)
	$(RUN) -m pip install -q --disable-pip-version-check -e ".[test]"
	touch $(STAMP)

demo: $(STAMP)
	$(RUN) -m wqmix demo

demo-prey: $(STAMP)
	$(RUN) -m wqmix demo --game predator_prey

games: $(STAMP)
	$(RUN) -m wqmix demo --game all

football: $(STAMP)
	tools/build_football.sh $(VENV)

# What tests alone need: the statistics, and a real host from PyPI, whose own
# requirements are old and wide.
ZOO := gymnasium lbforaging rich opencv-python-headless seaborn scikit-learn
$(VENV)/.tests: $(STAMP)
	$(RUN) -m pip install -q --disable-pip-version-check --no-deps "pymarlzooplus==1.1.0"
	$(RUN) -m pip install -q --disable-pip-version-check -e ".[analysis,tune]" $(ZOO)
	touch $@

test: $(STAMP) $(VENV)/.tests
	OMP_NUM_THREADS=1 $(RUN) -m pytest -n 2 --dist loadgroup

quick: $(STAMP)
	OMP_NUM_THREADS=1 $(RUN) -m pytest -n 2 --dist loadgroup -m "not slow and not exhaustive"

exhaustive: $(STAMP) $(VENV)/.tests
	OMP_NUM_THREADS=1 $(RUN) -m pytest -n 2 --dist loadgroup -m exhaustive

LINT := ruff mypy types-PyYAML types-tqdm
lint: $(STAMP) $(VENV)/.tests
	$(RUN) -m pip install -q --disable-pip-version-check $(LINT)
	$(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check .
	MYPY=$(VENV)/bin/mypy tools/check_types.sh

# Subprocesses count too (pyproject.toml); it fails under the share that is kept there.
COVERAGE := COVERAGE_FILE=$(CURDIR)/build/coverage OMP_NUM_THREADS=1 $(RUN) -m coverage
coverage: $(STAMP) $(VENV)/.tests
	$(RUN) -m pip install -q --disable-pip-version-check "coverage>=7.10"
	mkdir -p build && $(COVERAGE) erase
	$(COVERAGE) run -m pytest -n 2 --dist loadgroup $(TESTS)
	$(COVERAGE) combine -q
	$(COVERAGE) report

site: $(STAMP)
	$(RUN) -m pip install -q --disable-pip-version-check -e ".[docs]"
	tools/build_site.sh $(RUN)

release-check:
	PYTHON=$(PYTHON) tools/check_release.sh $(TORCH)

clean:
	rm -rf $(VENV) build dist *.egg-info
