# What can be done here. `make` alone lists it.

# Gates work on the whole workspace; PKGS="-p offhook-units" narrows them.
PKGS ?= --workspace
# Passed on by run, demo, bench, score.
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help run demo test bench score setup fmt fmt-check clippy doc boundaries unit-tests test-long test-more test-arm64 build-arm64 check-gates

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-12s %s\n", $$1, $$2 }'

run: setup ## start it on this machine alone, with the sample configuration; says how to call it
	cargo run --locked --release -p offhook -- run --config config/offhook.toml --guide \
		--set sip.listen=127.0.0.1:5060 $(ARGS)

demo: setup ## calls to it over four bad networks, to be listened to and measured
	cargo run --locked --release -p offhook -- demo $(ARGS)

test: setup ## install what is missing, then every gate and every test
	@scripts/step "formatting" $(MAKE) --no-print-directory fmt-check
	@scripts/step "clippy" $(MAKE) --no-print-directory clippy
	@scripts/step "documentation" $(MAKE) --no-print-directory doc
	@scripts/step "boundaries" $(MAKE) --no-print-directory boundaries
	@scripts/step "tests" $(MAKE) --no-print-directory unit-tests

bench: setup ## benchmarks, and what calls cost (scripts/load); not part of test
	@scripts/bench-engine
	cargo bench --locked --workspace --bench '*' $(ARGS)
	@scripts/load

score: setup ## delay and quality on thirteen bad networks, as a table; takes minutes (ARGS=--help)
	@scripts/score $(ARGS)

setup: ## install what `make test` needs; nothing when it is all there
	@scripts/setup

fmt: ## format the code
	cargo fmt --all

fmt-check: ## gate: is the code formatted?
	cargo fmt --all --check

clippy: ## gate: lints are errors
	cargo clippy --locked $(PKGS) --all-targets -- -D warnings

doc: ## gate: documentation without a warning
	RUSTDOCFLAGS="-D warnings" cargo doc --locked $(PKGS) --no-deps --document-private-items

boundaries: ## gate: who may depend on whom, which words may stand where
	@scripts/check-boundaries

test-long: setup ## the tests that `make test` leaves out for their length; under a minute where it is quick
	@scripts/step "long tests" scripts/run-tests $(PKGS) -- --ignored

test-more: ## frameworks that speak with the services, against the lab; large: about 1 GB from PyPI on first use
	@scripts/step "the lab against livekit and pipecat" scripts/sdk-check --more

unit-tests: ## all tests, counted for each crate
	@scripts/run-tests $(PKGS)

build-arm64: ## the workspace for 64-bit ARM, with Debian's tool chain
	@scripts/arm64 build

test-arm64: ## the same as the tests build it, then the engine's tests under qemu
	@scripts/arm64 test

check-gates: ## plant a fault for each gate in a copy of the tree and see it go red
	@scripts/check-gates
