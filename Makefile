# Regression Tracker: `make demo` shows it, `make check` checks a change, `make test` runs every test. See CONTRIBUTING.md.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
PORT ?= 8050
PLOTLY_JS := assets/vendor/plotly-basic.min.js
BIOME := npx --yes @biomejs/biome@2.6.8
# Bytecode is kept even where the environment says otherwise: each process that a test starts would compile everything again.
PYTEST := env -u PYTHONDONTWRITEBYTECODE $(BIN)/pytest --numprocesses auto --dist worksteal
SLOW := browser or slow or process or postgres or corpus

.PHONY: install demo dev check lint lint-js format typecheck test test-fast test-js browser docs clean

install: .venv/.installed

.venv/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; $$($(PYTHON) --version) was found. Set PYTHON=/path/to/python3.11."; exit 1; }
	@$(PYTHON) -m venv .venv || { echo "Making .venv failed. On Debian: apt-get install python3-venv"; exit 1; }
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@$(MAKE) --no-print-directory vendor
	@touch $@

# The browser needs a fourth of plotly.js. Where npm is there it is fetched; where not, the whole bundle of the plotly
# package is served, and everything works the same.
.PHONY: vendor
vendor:
	@if command -v npm >/dev/null 2>&1; then \
	  version=$$($(BIN)/python -c 'import plotly.offline as o; print(o.get_plotlyjs_version())'); \
	  folder=$$(mktemp -d) && (cd $$folder && npm pack --silent plotly.js-basic-dist-min@$$version >/dev/null 2>&1 && tar xzf *.tgz) \
	    && mkdir -p assets/vendor && cp $$folder/package/plotly-basic.min.js $(PLOTLY_JS) \
	    || echo "plotly's partial bundle could not be fetched: the whole one is served instead"; rm -rf $$folder; \
	fi

demo: install
	$(BIN)/regtracker demo --port $(PORT)

# The demo, with a web process that reloads when a file of the project changes.
dev: install
	$(BIN)/regtracker demo --port $(PORT) --dev

# What a change must pass before it is committed.
check: lint typecheck test-js test-fast

# Debian's Chromium and its driver, where the machine has none.
browser:
	@command -v chromium >/dev/null 2>&1 && command -v chromedriver >/dev/null 2>&1 && exit 0; \
	if command -v apt-get >/dev/null 2>&1; then \
	  sudo=$$([ $$(id -u) = 0 ] || echo sudo); \
	  $$sudo apt-get update -qq && $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium chromium-driver >/dev/null; \
	else command -v chromedriver >/dev/null 2>&1 || { echo "The browser tests need Chromium and chromedriver on the PATH."; exit 1; }; fi

test: install browser test-js
	$(PYTEST)

# No browser, no PostgreSQL, no long process: at most a minute on 2 cores.
test-fast: install
	$(PYTEST) --numprocesses logical -m "not ($(SLOW))"

# The pure parts of the scripts, where Node.js is.
test-js:
	@if command -v node >/dev/null 2>&1; then node --test tests/unit/assets/; \
	else echo "Node.js is not installed: the tests of the scripts were left out"; fi

lint: install lint-js
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

lint-js:
	@if $(BIOME) --version >/dev/null 2>&1; then $(BIOME) ci; \
	elif [ "$$CI" = true ]; then echo "biome could not be started with npx"; exit 1; \
	else echo "biome could not be started with npx: JavaScript and CSS were not linted"; fi

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	@if $(BIOME) --version >/dev/null 2>&1; then $(BIOME) check --write; fi

typecheck: install
	$(BIN)/mypy

# The pages that are written by commands.
docs: install
	$(BIN)/python tools/cli_reference.py
	$(BIN)/python tools/api_reference.py
	$(BIN)/python tools/real_reporters.py docs

clean:
	rm -rf .venv var assets/vendor .pytest_cache .ruff_cache .mypy_cache .hypothesis
