# `make` alone says what there is. Works with GNU make 3.81 and later.
PYTHON ?= python3
VENV := .venv/bin
# Who kills make kills what it started, too.
SANDBOX := exec $(VENV)/python -m sandbox.die_with_parent --signal TERM -- $(VENV)/python -m sandbox
COMPILE := PATH="$$PATH:$(VENV)" uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url \
	--no-header pyproject.toml

.PHONY: help run test check lint lint-in-services faults bench shoppers demo screenshot requirements messages clean python ports run-packages packages chromium nginx
.NOTPARALLEL:

help:
	@echo 'make run           the shop at http://127.0.0.1:8000/ with all it needs, until Ctrl-C'
	@echo 'make test          every test; ARGS="-k webhook" for some'
	@echo 'make check         ruff, mypy, import-linter and Django checks, then every test'
	@echo 'make lint          the same without the tests'
	@echo 'make faults        an hour and more of kills, cuts and wrong clocks, and a report; ARGS="--short --worlds 1 --seed 7 --no-mutants" for a minute of it'
	@echo 'make bench         how fast it is, side by side with others'
	@echo 'make shoppers      people who buy at the shop that make run runs; ARGS="--per-minute 60" for more'
	@echo 'make demo          the same gently, so that the dashboard is alive'
	@echo 'make screenshot    the pictures in README, of the shop that make run runs'
	@echo 'make requirements  write requirements*.txt anew; ARGS=--upgrade for newer packages'
	@echo 'make messages      gather and compile the translations in locale/'
	@echo 'make clean         remove what make made, the data in .data included'

run: python ports run-packages
	@$(SANDBOX) run

test: packages chromium nginx
	@$(SANDBOX) services -- $(VENV)/python -m pytest $(ARGS)

# The tests come last, so that their summary is what one sees.
check: lint test

lint: packages
	$(VENV)/python -m ruff check .
	$(VENV)/python -m ruff format --check .
	$(VENV)/lint-imports
	@$(SANDBOX) services -- $(MAKE) --no-print-directory lint-in-services

lint-in-services:
	$(VENV)/python -m mypy .
	$(VENV)/python manage.py makemigrations --check --dry-run
	PUBLIC_URL=https://shop.example $(VENV)/python manage.py check --deploy --fail-level WARNING

faults: packages nginx
	@$(VENV)/python -m tests.faults $(ARGS)

bench: packages
	@$(SANDBOX) services --durable -- $(VENV)/python -m bench $(ARGS)

shoppers: python run-packages
	@$(SANDBOX) shoppers $(ARGS)

demo: python run-packages
	@$(SANDBOX) demo $(ARGS)

screenshot: packages chromium
	@$(VENV)/python -m sandbox.screenshots $(ARGS)

requirements: packages
	$(COMPILE) $(ARGS) --group dev -o requirements-dev.txt
	$(COMPILE) $(ARGS) --group sandbox -o requirements-sandbox.txt
	$(COMPILE) $(ARGS) -o requirements.txt

messages: packages
	@$(VENV)/python -m sandbox.messages $(ARGS)

clean:
	@! test -L .data/postgres || rm -rf "$$(readlink .data/postgres)"  # root's database may lie elsewhere
	rm -rf .venv .data staticfiles .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

python:
	@command -v $(PYTHON) >/dev/null || { echo 'There is no $(PYTHON): install Python 3.11 or newer, or name it: make PYTHON=/path/to/python3 run' >&2; exit 1; }

ports: python
	@$(PYTHON) -m sandbox.ports

run-packages: python
	@$(PYTHON) -m sandbox.install sandbox

packages: python
	@$(PYTHON) -m sandbox.install dev

chromium: packages
	@$(VENV)/python -m sandbox chromium

nginx: packages
	@$(SANDBOX) nginx
