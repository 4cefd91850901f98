# Sets up .venv, builds the C modules in place, and runs things there.  Needs make, a C compiler and
# Python 3.11 or later; the first run downloads packages.  `make PYTHON=python3.13 ...` picks another.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
SAN := .cache/sanitize
PIP := -m pip --disable-pip-version-check --no-input install -q
TESTS ?= tests
PYTEST_FLAGS ?= -q

# What a Debian machine may lack, said in one sentence each, before pip says it in a hundred.
define PREFLIGHT
import pathlib, shutil, sys, sysconfig
def need(found, what):
    if not found: sys.exit("error: " + what)
try:
    import ensurepip, venv
except ImportError:
    need(False, "this Python cannot make virtual environments: apt install python3-venv")
need(shutil.which("cc") or shutil.which("gcc"), "no C compiler: apt install gcc")
header = pathlib.Path(sysconfig.get_path("include"), "Python.h")
need(header.exists(), f"{header} is missing: apt install python3-dev")
endef
export PREFLIGHT

.PHONY: help demo test test-slow test-python test-server lint warnings format sanitize bench bench-quick build clean

help:
	@echo "make demo      200,000 spans into an embedded ClickHouse, and what became of them"
	@echo "make test      the test suite (TESTS=tests/test_x.py, PYTEST_FLAGS=-x)"
	@echo "make lint      ruff and mypy;  make format  lets ruff rewrite"
	@echo "make sanitize  the suite against a build with ASan and UBSan"
	@echo "make fuzz      decoders and type parser with clang's fuzzer (FUZZ_SECONDS=60, FUZZ=decode)"
	@echo "make bench     benchmarks beside the peers, into docs/benchmarks.md;  make bench-quick  in two minutes"
	@echo "make instructions  instructions per row beside those recorded (valgrind);  make instructions-record"
	@echo "make clean     removes everything made here"

demo: $(VENV)/.demo build
	$(BIN)/python benchmarks/demo.py

test: $(VENV)/.dev build
	$(BIN)/python $(PYTEST) $(WORKERS) -m "not slow" $(TESTS)

test-slow: $(VENV)/.dev build
	$(BIN)/python $(PYTEST) $(WORKERS) -m slow $(TESTS)

# Without the C modules: what a machine without a compiler runs.
test-python: $(VENV)/.dev build
	ROWBINARY_IMPL=python $(BIN)/python $(PYTEST) $(WORKERS) -m "not slow and not faults" $(TESTS)

# What a server (ROWBINARY_TEST_URL=http://user:password@host:8123/database) can show, beside the servers that
# the tests start themselves: ClickHouse 18.16 of Debian, where it is installed, and the embedded engine.
test-server: $(VENV)/.dev build
	@test -n "$$ROWBINARY_TEST_URL" || { echo "error: ROWBINARY_TEST_URL is not set"; exit 1; }
	$(BIN)/python $(PYTEST) -m "not slow" tests/test_client.py tests/test_client_errors.py

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Rebuilds the C modules; a compiler warning is an error.
warnings: | $(VENV)/.made
	ROWBINARY_WERROR=1 $(BIN)/python setup.py -q build_ext --inplace --force

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Beside the peers; writes docs/benchmarks.md and docs/benchmarks.svg.
bench: $(VENV)/.bench build
	$(BIN)/python $(PYTEST) --page --benchmark-timer=time.process_time --benchmark-columns=median,min,max benchmarks

# A fifth of the rows, three rounds, few inserts over HTTP; prints ratios and goals, writes nothing.
bench-quick: $(VENV)/.bench build
	$(BIN)/python $(PYTEST) --quick --benchmark-disable benchmarks

# Fails where the encoder needs more than is recorded in benchmarks/instructions.json.
.PHONY: instructions instructions-record
instructions: $(VENV)/.dev build
	$(BIN)/python benchmarks/instructions.py --check

instructions-record: $(VENV)/.dev build
	$(BIN)/python benchmarks/instructions.py --record

PYTEST = -m pytest $(PYTEST_FLAGS)

# All tests take two processes, file by file: those that talk to servers wait for most of their time.  In order:
# pytest-xdist would leave files of few tests to the end, and some of these take a minute.
WORKERS = $(if $(filter tests,$(TESTS)),-n 2 --dist loadfile --no-loadscope-reorder)

# --- environments -------------------------------------------------------------------------------

build: | $(VENV)/.made
	@$(BIN)/python setup.py -q build_ext --inplace

$(VENV)/.made:
	@test -n "$(PYTHON)" || { echo "error: Python 3.11 or later is needed: apt install python3"; exit 1; }
	@$(PYTHON) -c "$$PREFLIGHT"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python $(PIP) "setuptools>=77" "cffi>=2.0" wheel
	@touch $@

# The package itself is installed without its C modules: `build` makes them, in place.
$(VENV)/.demo: pyproject.toml | $(VENV)/.made
	ROWBINARY_NO_EXTENSIONS=1 $(BIN)/python $(PIP) --no-build-isolation -e ".[chdb,cli]"
	@touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/.made
	ROWBINARY_NO_EXTENSIONS=1 $(BIN)/python $(PIP) --no-build-isolation -e ".[dev]"
	@touch $@ $(VENV)/.demo

$(VENV)/.bench: pyproject.toml | $(VENV)/.made
	ROWBINARY_NO_EXTENSIONS=1 $(BIN)/python $(PIP) --no-build-isolation -e ".[bench]"
	@touch $@ $(VENV)/.dev $(VENV)/.demo

# --- sanitizers ---------------------------------------------------------------------------------

# A build of its own, installed as a wheel; without the embedded engine, which ASan cannot host, so
# tests that need it skip.  `pytest` rather than `python -m pytest`: the latter would put this
# directory, with the ordinary build, before the installed package.
SANITIZED = LD_PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libubsan.so)" \
	PYTHONMALLOC=malloc ROWBINARY_TESTED=c ROWBINARY_REQUIRE_SERVERS=0 \
	ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1

sanitize: $(SAN)/.made
	ROWBINARY_SANITIZE=1 $(SAN)/bin/python $(PIP) --no-build-isolation --no-deps --force-reinstall .
	$(SANITIZED) $(SAN)/bin/pytest $(PYTEST_FLAGS) $(WORKERS) -m "not slow and not faults" $(TESTS)

$(SAN)/.made: pyproject.toml
	@$(PYTHON) -c "$$PREFLIGHT"
	$(PYTHON) -m venv $(SAN)
	$(SAN)/bin/python $(PIP) "setuptools>=77" "cffi>=2.0" wheel
	ROWBINARY_NO_EXTENSIONS=1 $(SAN)/bin/python $(PIP) --no-build-isolation ".[test]"
	@touch $@

# --- fuzzing ------------------------------------------------------------------------------------

# tests/fuzz has the targets, and says more.  A build of its own, by clang, for atheris (libFuzzer in Python),
# which brings the runtime of the sanitizers.  `-P`: the installed package, as above.
FUZZ ?= decode types
FUZZ_SECONDS ?= 60
FUZZER := .cache/fuzz
FUZZED = LD_PRELOAD="$$($(FUZZER)/bin/python -c 'import atheris; print(atheris.path())')/asan_with_fuzzer.so" \
	PYTHONMALLOC=malloc PYTHONPATH=tests UBSAN_OPTIONS=print_stacktrace=1 \
	ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1:quarantine_size_mb=32 $(FUZZER)/bin/python -P -m fuzz

.PHONY: fuzz fuzz-build fuzz-corpus
fuzz: fuzz-build
	@for target in $(FUZZ); do $(FUZZED) $$target --seconds $(FUZZ_SECONDS) $(FUZZ_FLAGS) || exit 1; done

# The corpus anew: seeds and what was found since, in the fewest inputs.
fuzz-corpus: $(VENV)/.dev build fuzz-build
	rm -rf $(FUZZER)/seeds
	PYTHONPATH=tests $(BIN)/python -P -m fuzz.make_corpus $(FUZZER)/seeds
	@for target in $(FUZZ); do $(FUZZED) $$target --merge $(FUZZER)/seeds/$$target || exit 1; done

fuzz-build: $(FUZZER)/.made
	CC=clang ROWBINARY_FUZZ=1 $(FUZZER)/bin/python $(PIP) --no-build-isolation --no-deps --force-reinstall .

$(FUZZER)/.made: pyproject.toml
	@command -v clang >/dev/null || { echo "error: no clang: apt install clang libclang-rt-14-dev"; exit 1; }
	@$(PYTHON) -c "$$PREFLIGHT"
	$(PYTHON) -m venv $(FUZZER)
	$(FUZZER)/bin/python $(PIP) "setuptools>=77" "cffi>=2.0" wheel tzdata "atheris>=3"
	ROWBINARY_NO_EXTENSIONS=1 $(FUZZER)/bin/python $(PIP) --no-build-isolation .
	@touch $@

clean:
	rm -rf $(VENV) .cache build dist demo *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find rowbinary tests benchmarks csrc -name __pycache__ -prune -exec rm -rf {} +
	rm -f rowbinary/*.so
