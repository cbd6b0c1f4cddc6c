# make demo trains on digits, make test runs every check. Both make their environment first, and need Python 3.11, a C compiler
# and pip. The demo's holds torch, scikit-learn, matplotlib and tqdm; the tests add the rest to it. Where no GPU is used, a torch
# without CUDA is smaller: TORCH="torch --index-url https://download.pytorch.org/whl/cpu"
PYTHON ?= python3
VENV ?= .venv
TORCH ?= torch
INSTALL := $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
BIN := $(VENV)/bin

.PHONY: demo ready test versions triton cerebras prove prove-part fuzz bench docs check format clean

demo: $(VENV)/demo-ready
	$(BIN)/python -m tracelr train examples/digits.yaml --restart

ready: $(VENV)/ready

test: $(VENV)/ready check
	$(BIN)/python -m pytest -q -m "not slow and not triton" -n auto --dist loadfile

# Triton is 640 MB: the tests that need it are a command of their own.
triton: $(VENV)/triton-ready
	$(BIN)/python -m pytest -q -m triton

# In Cerebras' own framework, which pins torch 2.4: an environment of its own, of 5.7 GB.
CEREBRAS := .venv-cerebras
cerebras: $(CEREBRAS)/ready
	PYTHONPATH=$(CURDIR)/src $(CEREBRAS)/bin/python -m pytest -q -m cerebras tests/cerebras

prove: $(VENV)/ready
	$(BIN)/python -m pytest -q -m slow

# The tests that depend on torch, with other releases of it: make versions V="2.6.0 2.8.0". Each takes 6 GB while it runs.
versions: $(VENV)/ready
	PYTHONPATH=src:tests $(BIN)/python tests/support/versions.py $(V)

# What the quick tests do for some rows or optimizers, or for several at once, done for each: the part of `prove` for every push.
PART := the_other_way or compile_alone or on_every_target or one_graph_no_breaks or needs_no_other or no_flag or \
        exported_step or plain_pytorch or a_flag_changes or any_formula or hosts_half or a_batch_graph or \
        no_pass_changes or headers_are_clean or on_four or cpp_program or published_setting or \
        code_for_torch or any_number_of_schedules or resume_at_any_step or nothing[3- or a_long_sum_are_shown or \
        never_end_or_never_begin or pickles_that_build or killed_half_way or bytes_depend_on or kill_at_a_random or \
        schedule_gives_the_same_bytes or nvcc_compiles or two_hash_seeds or test_export or test_compile or \
        (compiled_package and sequential_nested)

prove-part: $(VENV)/ready
	$(BIN)/python -m pytest -q -m slow -k "($(PART)) and not random_tree" -n auto --dist worksteal

# Ten minutes of coverage-guided inputs for load and from_dict, and ten for the command line.
fuzz: $(VENV)/ready
	PYTHONHASHSEED=0 PYTHONPATH=src:tests $(BIN)/python tests/hostile/fuzz/fuzz_load.py 600
	PYTHONHASHSEED=0 PYTHONPATH=src:tests $(BIN)/python tests/hostile/fuzz/fuzz_commands.py 600

# The site, into docs/_build/html.
docs: $(VENV)/ready
	$(BIN)/sphinx-build -W --keep-going -n -q docs docs/_build/html

# Every figure of benchmarks/README.md, measured here.
bench: $(VENV)/ready
	$(BIN)/python benchmarks/page.py

check: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --strict examples/*.py tests/typed/*.py
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/python docs/programs.py docs/_build/programs
	$(BIN)/pyright --pythonpath $(BIN)/python docs/_build/programs/*.py

format: $(VENV)/ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(VENV)/demo-ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) $(TORCH)
	$(INSTALL) -e '.[demo]'
	touch $@

$(VENV)/ready: $(VENV)/demo-ready
	$(INSTALL) -e '.[dev]'
	touch $@

$(VENV)/triton-ready: $(VENV)/ready
	$(INSTALL) -e '.[triton]'
	touch $@

$(CEREBRAS)/ready: Makefile
	$(PYTHON) -m venv $(CEREBRAS)
	$(CEREBRAS)/bin/python -m pip install --quiet --disable-pip-version-check cerebras-pytorch==2.10.0 pytest mpmath hypothesis pyyaml
	chmod +x $(CEREBRAS)/lib/python3*/site-packages/cerebras/pytorch/lib/torch-cirh-opt
	touch $@

clean:
	rm -rf $(VENV) $(CEREBRAS) build dist src/*.egg-info .mypy_cache .ruff_cache .pytest_cache runs docs/_build
