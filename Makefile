# tern in a few words. Everything below build/ is made; nothing else is touched.
#   make        build/tern, build/libtern.so, build/libtern.a
#   make run    install what is missing, build, tell a story with the bundled model
#   make test   the same set-up, then every test, again under the sanitizers
#   make deps   only install what is missing
CMAKE_FLAGS ?=

all: build/CMakeCache.txt
	@cmake --build build -j $$(nproc)

build/CMakeCache.txt:
	@cmake -S . -B build $(CMAKE_FLAGS)

deps:
	@tools/deps.sh

clean:
	rm -rf build

.PHONY: all deps clean
