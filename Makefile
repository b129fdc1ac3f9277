# nook: the few commands that people type.  The build itself is meson's (meson.build), the tests are tests/run's.
#
#   sudo make demo     install what the build needs, build, run a first container, show what was isolated
#   sudo make check    install what the tests need, build, run every test; the last line is "N passed, N failed"
#
#   make build         leaves nook, nook-oci, nook-shim and libnook.so in build/, where they run uninstalled
#   make check-fast    the unit tests: seconds, no root
#   make check T=word  only the tests whose names contain the word
#   make bench         what starting a container costs, beside its peers
#   make deps fmt lint install clean

.PHONY: all bench build deps demo check check-fast fmt lint install clean

all: build

deps:
	@tools/deps build test lint

build:
	@tools/deps build
	@CC=$${CC:-gcc} tools/build build

demo: build
	@tools/demo build

check:
	@tools/deps build test
	@tests/run $(if $(T),-k '$(T)')

check-fast: build
	@tests/run --fast $(if $(T),-k '$(T)')

bench: build
	@tools/deps bench
	@bench/start

fmt:
	@tools/deps lint
	@find src include tests -name '*.[ch]' -exec clang-format -i {} +

lint:
	@tools/deps build lint
	@tools/lint

install: build
	@meson install -C build --no-rebuild

clean:
	rm -rf build build-*
