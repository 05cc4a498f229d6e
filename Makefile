# make run    opens the window        make lint   checks style, types and import directions
# make test   runs the tests          make bench  measures this machine beside llama.cpp
# Each makes its own .venv and installs what it needs.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
NATIVE := $(shell find native -type f)

# llama-cpp-python is compiled from source: some minutes, once.
LLAMA_CMAKE_ARGS := -DCMAKE_PROJECT_llama.cpp_INCLUDE=$(CURDIR)/packaging/llama-cpp.cmake \
	-DLLAMA_OPENSSL=OFF -DLLAVA_BUILD=OFF

.PHONY: run test test-slow lint bench sanitize clean

run: $(VENV)/built
	$(BIN)/sfumato

test: $(VENV)/built
	$(BIN)/pytest

test-slow: $(VENV)/built
	$(BIN)/pytest -m slow --timeout 1800

lint: $(VENV)/built
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/clang-format --dry-run -Werror $$(git ls-files 'native/*.h' 'native/*.cpp' 'native/*.cu' 'native/*.cuh')

bench: $(VENV)/built
	$(BIN)/python tests/bench/bench_step.py

$(VENV)/dependencies: pyproject.toml packaging/llama-cpp.cmake
	packaging/linux/system-packages.sh
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	CMAKE_ARGS="$(LLAMA_CMAKE_ARGS)" $(BIN)/pip install --quiet "llama-cpp-python>=0.3.16,<0.4"
	$(BIN)/pip install --quiet "scikit-build-core>=0.11,<2" "nanobind>=2.4,<4" "cmake>=3.25,<5" "ninja>=1.11,<2"
	touch $@

$(VENV)/built: $(VENV)/dependencies $(NATIVE)
	$(BIN)/pip install --quiet --no-build-isolation --editable ".[dev]"
	touch $@

# Address and undefined-behaviour checks over the native tests, with an emulated card and emulated tiles.
sanitize: $(VENV)/built
	$(BIN)/cmake -S native -B build/sanitize -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo \
		-DSFUMATO_SANITIZE=ON -DSFUMATO_CUDA=EMULATE -DSFUMATO_EMULATE_AMX=ON \
		-DPython_EXECUTABLE=$(CURDIR)/$(BIN)/python -DCMAKE_MAKE_PROGRAM=$(CURDIR)/$(BIN)/ninja
	$(BIN)/cmake --build build/sanitize
	LD_PRELOAD="$$($(CXX) -print-file-name=libasan.so) $$($(CXX) -print-file-name=libubsan.so)" \
		ASAN_OPTIONS=detect_leaks=0 SFUMATO_NATIVE_LIBRARY=$$(ls build/sanitize/_native*.so) \
		$(BIN)/pytest tests/native -p no:cacheprovider --timeout 1200

clean:
	rm -rf build $(VENV)
