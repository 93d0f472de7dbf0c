# The words people type. `make demo` and `make test` need a bare Debian 12 and root, nothing else.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
RUN := PATH="$(CURDIR)/$(VENV)/bin:/usr/sbin:/sbin:$$PATH" PYTHONPATH="$(CURDIR)"
LAB := $(RUN) python -m lab
READY := $(VENV)/.ready

.PHONY: help
help:
	@echo 'make demo      everything from nothing: the lab, site.yml, a question from a laptop, a second run'
	@echo 'make test      everything that checks the project, from nothing, but for the long tests of the lab'
	@echo 'make test-all  those too'
	@echo 'make lab       bring the simulated LAN up; then . .venv/bin/activate and:'
	@echo '                 ansible-playbook playbooks/expose.yml -e scope=lan, ansible-playbook site.yml'
	@echo 'make lab-down  take it down      make lab-status  what is up'

.PHONY: demo
demo: | linux
	@$(MAKE) --no-print-directory environment
	@$(RUN) scripts/demo

.PHONY: test
test: | linux
	@$(MAKE) --no-print-directory environment
	@$(RUN) scripts/test

# Also the long tests of the lab: for a release, or a change of what they test.
.PHONY: test-all
test-all: | linux
	@$(MAKE) --no-print-directory environment
	@$(RUN) scripts/test all

# What launchctl does, asked of the double here and of the real one on a Mac.
.PHONY: contract
contract:
	@if [ "$$(uname -s)" = Linux ]; then $(MAKE) --no-print-directory environment; fi
	@$(RUN) python3 -m pytest tests/contract -q -rs

.PHONY: lab
lab: | linux
	@$(MAKE) --no-print-directory environment
	@$(LAB) up

.PHONY: lab-down
lab-down: | linux
	@$(LAB) down

.PHONY: lab-status
lab-status: | linux
	@$(LAB) status

.PHONY: environment
environment: packages $(READY)

# Debian packages: asked for only when a program is missing, so a second run needs no network.
.PHONY: packages
packages:
	@scripts/packages

$(READY): requirements.lock scripts/environment
	@scripts/environment $(VENV)
	@touch $@

# Run after a change of pyproject.toml.
.PHONY: lock
lock:
	@$(RUN) uv pip compile -q --generate-hashes --no-emit-index-url --no-header --universal \
	    --python-version 3.11 --group dev pyproject.toml -o requirements.lock

.PHONY: linux
linux:
	@[ "$$(uname -s)" = Linux ] || { \
	    echo 'The lab simulates Macs with Linux namespaces, so it needs Linux. To provision real Macs from here:'; \
	    echo '  cp -r inventories/example inventories/home'; \
	    echo '  ansible-playbook -i inventories/home playbooks/expose.yml -e scope=lan'; \
	    echo '  ansible-playbook -i inventories/home site.yml'; exit 1; }
	@[ "$$(id -u)" = 0 ] || { echo 'The lab makes network namespaces and mounts: run this as root.'; exit 1; }
