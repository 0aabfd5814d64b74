# make demo      generate the default project, install it, run it, show its log file
# make test      run all tests, about 9 minutes on 2 cores; ARGS="-k email" for a part of them
# make stress    kill processes at random, for minutes; STRESS=20 for longer
# make lint      run ruff, mypy, and the checks of workflows and metadata
# make examples  regenerate examples/
# make pictures  regenerate docs/*.svg
# make bench     run the benchmarks, results into docs/; ARGS="a b" for a part of them
# make clean     delete the results of all other targets
#
# Requires Python 3.11 or later with its venv module, and a network or a mirror for pip. Paths are
# relative and tools are run as `python -m`, so that the folder may contain spaces and may be moved.
PYTHON ?= python3
VENV := .venv/bin/python
INSTALL := -m pip install --quiet --disable-pip-version-check
DEMO := build/demo
EXAMPLE := examples/my-service
WORKFLOWS := .github/workflows/ci.yml $(EXAMPLE)/.github/workflows/ci.yml

.PHONY: demo test stress lint examples pictures bench clean
.DELETE_ON_ERROR:

demo: .venv/demo.done
	rm -rf $(DEMO)
	$(VENV) -m cookiecutter --default-config --no-input --output-dir $(DEMO) .
	$(VENV) -m venv $(DEMO)/venv
	$(DEMO)/venv/bin/python $(INSTALL) $(DEMO)/my-service
	@printf '\n--- my-service, on the console ---\n'
	@cd $(DEMO) && venv/bin/my-service
	@printf '\n--- the log file, $(DEMO)/logs/my-service.log: the same records, and DEBUG ---\n'
	@cat $(DEMO)/logs/my-service.log

test: .venv/test.done
	@echo 'All tests take about 9 minutes on 2 cores; for a part of them: make test ARGS="-k email"'
	$(VENV) -m pytest -n 2 --dist worksteal $(ARGS)

stress: .venv/test.done
	STRESS=$${STRESS:-8} $(VENV) -m pytest -s --timeout 3600 tests/queue/test_kills.py $(ARGS)

lint: .venv/test.done
	$(VENV) -m ruff check .
	$(VENV) -m ruff format --check .
	$(VENV) -m ruff check $(EXAMPLE)
	$(VENV) -m ruff format --check $(EXAMPLE)
	cd $(EXAMPLE) && ../../$(VENV) -m mypy --cache-dir ../../.mypy_cache
	$(VENV) -m validate_pyproject pyproject.toml $(EXAMPLE)/pyproject.toml
	$(VENV) -m check_jsonschema --builtin-schema vendor.github-workflows $(WORKFLOWS)
	.venv/bin/zizmor --offline --quiet --pedantic $(WORKFLOWS)

examples: .venv/demo.done
	rm -rf examples
	$(VENV) -m cookiecutter --default-config --no-input --output-dir examples .

pictures: .venv/test.done
	$(VENV) docs/pictures.py

bench: .venv/bench.done
	$(VENV) -m benchmarks $(ARGS)

clean:
	rm -rf .venv build .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The groups are defined in pyproject.toml. The pip of a new venv may be too old to support groups.
.venv/%.done: .venv/made pyproject.toml
	@echo 'Installing the packages of the group $* into .venv, which can take some minutes'
	$(VENV) $(INSTALL) --group $*
	@touch $@

.venv/made:
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo 'make: $(PYTHON) is not Python 3.11 or later; name one that is: make PYTHON=python3.12' >&2; exit 1; }
	"$(PYTHON)" -m venv --clear .venv
	$(VENV) $(INSTALL) --upgrade 'pip>=25.1'
	@touch $@
