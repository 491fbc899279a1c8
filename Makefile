# Umbra. `make help` lists the verbs. Products go to build/ (BUILD=DIR changes it). V=1 shows commands.
BUILD ?= build
PREFIX ?= /usr/local
DESTDIR ?=
SECONDS ?= 600
BATTERY := $(basename $(notdir $(wildcard tests/integration/9*.py)))
export PATH := /usr/lib/ccache:/usr/sbin:/sbin:$(PATH)

.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

include scripts/build.mk
include scripts/test.mk
include scripts/fuzz.mk
include scripts/sanitize.mk

.PHONY: all help bpf user demo test test-unit test-bpf test-integration test-kubernetes test-fresh test-long sanitize fuzz bench lint \
	format check vmlinux install install-deps image clean

all: $(BUILD)/umbra ## build build/umbra (needs `make install-deps` once)

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' Makefile

install-deps: ## install every package that building and testing needs (apt, root)
	scripts/install-deps all

bpf: $(BUILD)/bpf/umbra_tc.bpf.o ## build the BPF object alone
user: $(BUILD)/umbra ## build the program

demo: ## install what is needed, build, mirror real traffic in namespaces, show it (root)
	scripts/install-deps demo
	$(MAKE) --no-print-directory all
	scripts/demo

test: ## install what is needed, build, run all tests (root)
	scripts/install-deps all
	$(MAKE) --no-print-directory -j$$(nproc) all $(TEST_BINARIES)
	$(MAKE) --no-print-directory check
	scripts/run-tests $(BUILD)

test-unit: $(UNIT_TESTS) ## unit tests only
	scripts/run-tests $(BUILD) unit

test-bpf: $(BPF_TESTS) ## BPF packet tables (root)
	scripts/run-tests $(BUILD) bpf

test-integration: $(BUILD)/umbra $(INSTRUMENTS) ## real servers and clients in namespaces (root)
	scripts/run-tests $(BUILD) integration

test-kubernetes: $(BUILD)/umbra ## against an API server: UMBRA_TEST_KUBECONFIG or UMBRA_TEST_KUBE_ASSETS (root)
	scripts/run-tests $(BUILD) kubernetes

fuzz: ## search for inputs that break the parsers, SECONDS=600 per target (clang)
	scripts/fuzz $(BUILD) $(SECONDS)

sanitize: $(BUILD)/umbra ## ASan, UBSan, TSan, failing allocations; the whole agent (root, clang)
	scripts/sanitize $(BUILD) --whole

test-long: $(BUILD)/umbra $(INSTRUMENTS) $(DIFFERENTIAL_TESTS) $(BPF_TESTS) ## the long tests: hours (root)
	UMBRA_SUITE_LIMIT=7200 UMBRA_BATTERY=long scripts/run-tests $(BUILD) bpf
	UMBRA_SUITE_LIMIT=14400 UMBRA_BATTERY=long scripts/run-tests $(BUILD) integration $(BATTERY)
	UMBRA_SUITE_LIMIT=7200 UMBRA_DIFFERENTIAL_SCRIPTS=$${UMBRA_DIFFERENTIAL_SCRIPTS:-1000000} \
		UMBRA_DIFFERENTIAL_SEED=$${UMBRA_DIFFERENTIAL_SEED:-$$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')} \
		scripts/run-tests $(BUILD) differential

test-fresh: ## make demo and make test in a debootstrapped Debian 12 (root)
	scripts/test-fresh

bench: $(BUILD)/umbra $(BENCH_BINARIES) ## speed, as ratios against baselines of the same run (root)
	scripts/bench $(BUILD)

lint: ## clang-format and clang-tidy
	scripts/lint $(BUILD)

format: ## rewrite sources in the project's format
	scripts/lint --fix

check: $(BUILD)/bpf/umbra_tc.bpf.o ## layering of includes, sizes of files and functions, map names
	scripts/check_layers
	scripts/check_size
	scripts/gen_crds --check
	scripts/check_maps $(BUILD)/bpf/umbra_tc.bpf.o

vmlinux: ## write vmlinux/vmlinux_ARCH.h from the running kernel's BTF
	scripts/gen_vmlinux

install: $(BUILD)/umbra ## install the program, systemd unit and completion under $(DESTDIR)$(PREFIX)
	scripts/install "$(BUILD)" "$(DESTDIR)" "$(PREFIX)"

image: ## the agent's image as an OCI archive, by buildah (root)
	scripts/install-deps kubernetes
	scripts/image $(BUILD)

clean: ## remove build/
	rm -rf $(BUILD)
