# Two commands for a newcomer: `make demo` and `make test`. Everything they need they install into .venv and .venv-test.

PYTHON ?= python3
DEMO_INDEX := demo-index
QUESTION := 西安交大由哪几个学校合并的

.PHONY: demo test check lint types layers clean

demo: .venv/.ready  ## index the bundled documents and answer a question with and without reranking
	.venv/bin/secondpass index examples/documents --index $(DEMO_INDEX)
	.venv/bin/secondpass compare "$(QUESTION)" --index $(DEMO_INDEX)

test: .venv-test/.ready  ## check style, types and layers, and run all tests
	$(MAKE) --no-print-directory check
	.venv-test/bin/python -m pytest $(PYTEST_ARGS)

check: lint types layers

lint: .venv-test/.ready
	.venv-test/bin/ruff check .
	.venv-test/bin/ruff format --check .

types: .venv-test/.ready
	.venv-test/bin/mypy

layers: .venv-test/.ready
	.venv-test/bin/lint-imports

.venv/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

.venv-test/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv-test
	.venv-test/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,amx,mteb,onnx,openvino,torch,train]'
	touch $@

clean:
	rm -rf .venv .venv-test demo-index build dist
