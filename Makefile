# `make` lists what there is. Everything runs in .venv, which the first target that needs it creates and fills.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.ONESHELL:
MAKEFLAGS += --no-builtin-rules

BIN := .venv/bin
STAMP := .venv/.installed
# tried in this order: CPU builds of torch lie ready for 3.11 on the developers' machines; `make PYTHON=…` overrides
PYTHONS := $(or $(PYTHON),python3.11 python3 python3.12 python3.13)
# keeps freed memory in the process: without it a network's buffers are given back and page-faulted in at every layer
MALLOC := MALLOC_MMAP_THRESHOLD_=1073741824 MALLOC_TRIM_THRESHOLD_=8589934592 MALLOC_TOP_PAD_=268435456

# what Qt loads from the system at run time, which pip does not bring, as library=package of Debian and Ubuntu
QT_LIBRARIES := libEGL.so.1=libegl1 libGL.so.1=libgl1 libdbus-1.so.3=libdbus-1-3 libfontconfig.so.1=libfontconfig1 \
	libglib-2.0.so.0=libglib2.0-0 libxcb-cursor.so.0=libxcb-cursor0 libxcb-icccm.so.4=libxcb-icccm4 \
	libxcb-keysyms.so.1=libxcb-keysyms1 libxcb-shape.so.0=libxcb-shape0 libxcb-xkb.so.1=libxcb-xkb1 \
	libxkbcommon-x11.so.0=libxkbcommon-x11-0
# a screen that is none, for the tests of the windows, as program=package
VIRTUAL_SCREEN := Xvfb=xvfb xauth=xauth

.PHONY: help
help: ## this list
	@sed -nE 's/^([a-z]+):[^#]*## (.*)/  make \1\t\2/p' Makefile | expand -t 14

.PHONY: demo
demo: $(if $(DISPLAY)$(WAYLAND_DISPLAY),windows) $(STAMP) ## fine-tune on a shipped scan and compare the reconstructions, into demo-output/
	@$(MALLOC) $(BIN)/mritransfer demo --out demo-output

.PHONY: test
test: PROGRAMS := $(VIRTUAL_SCREEN)
test: windows lint ## what CI runs: lint, then all tests
	@$(BIN)/python -m pytest -q

.PHONY: lint
lint: $(STAMP) ## ruff, mypy, and who imports whom
	@$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

.PHONY: bench
bench: PROGRAMS := $(VIRTUAL_SCREEN)
bench: windows $(STAMP) ## all of benchmarks/, on an otherwise idle machine
	@shopt -s nullglob
	for script in benchmarks/*.py; do
		echo "== $$script"
		$(MALLOC) $(if $(DISPLAY)$(WAYLAND_DISPLAY),,xvfb-run -a -s "-screen 0 1920x1080x24") $(BIN)/python "$$script"
	done

.PHONY: windows
windows:
	@[[ $$(uname) == Linux ]] || exit 0
	missing=()
	for pair in $(PROGRAMS); do
		command -v "$${pair%=*}" > /dev/null || missing+=("$${pair#*=}")
	done
	# where there is no list of libraries (not every Linux keeps one), Qt itself will tell
	libraries=$$(PATH=$$PATH:/usr/sbin:/sbin ldconfig -p 2> /dev/null || true)
	for pair in $(QT_LIBRARIES); do
		[[ -z $$libraries || $$libraries == *"$${pair%=*} "* ]] || missing+=("$${pair#*=}")
	done
	if (( $${#missing[@]} == 0 )); then
		exit 0
	fi
	if [[ $$(id -u) != 0 ]] || ! command -v apt-get > /dev/null \
		|| ! { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y install "$${missing[@]}" > /dev/null; }
	then
		echo "Windows need system packages that are missing: install them (on Debian and Ubuntu: sudo apt-get install $${missing[*]}) and run make again." >&2
		exit 1
	fi

.PHONY: clean
clean: ## remove what tools and builds left behind; keeps .venv and demo-output/
	@rm -rf build dist *.egg-info .coverage .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find napari_mritransfer tests scripts benchmarks -name __pycache__ -prune -exec rm -rf {} +

$(STAMP): setup.cfg pyproject.toml constraints.txt
	@usable='import pip, sys; sys.exit(sys.version_info < (3, 11))'
	if ! $(BIN)/python -c "$$usable" 2> /dev/null; then
		python=
		for candidate in $(PYTHONS); do
			if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null; then
				python=$$candidate
				break
			fi
		done
		if [[ -z $$python ]]; then
			echo "No Python 3.11 or newer was found (tried: $(PYTHONS)): install one, or name it with make PYTHON=/path/to/python." >&2
			exit 1
		fi
		# Debian and Ubuntu keep the part of Python that fills a new environment in a package of its own
		if ! "$$python" -c 'import ensurepip, venv' 2> /dev/null; then
			package=$$("$$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
			if [[ $$(id -u) != 0 ]] || ! command -v apt-get > /dev/null \
				|| ! { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y install "$$package" > /dev/null; }
			then
				echo "$$python cannot create virtual environments: install its venv module (on Debian and Ubuntu: sudo apt-get install $$package) and run make again." >&2
				exit 1
			fi
		fi
		echo "Creating .venv with $$("$$python" --version)"
		"$$python" -m venv --clear .venv
	fi
	export PIP_DISABLE_PIP_VERSION_CHECK=1
	# torch alone and first, so that no resolver that sees the other packages trades the CPU build for another one
	echo "Installing $$(grep ^torch== constraints.txt) (some minutes the first time)"
	$(BIN)/python -m pip install -qq --constraint constraints.txt torch
	echo "Installing napari-mritransfer, napari and the tools"
	$(BIN)/python -m pip install -qq --constraint constraints.txt --editable '.[all,dev]'
	touch $@
