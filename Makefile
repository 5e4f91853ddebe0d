# Headroom: the steps of development, one target each. CI runs `make test` and nothing else (.ci/run).
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
# The steps of a target run in their order: a linter and a test that wait for the same build gain nothing side by side.
.NOTPARALLEL:
.DEFAULT_GOAL := help

tools := slo-engine/tests/tools
# Arguments for the program behind `demo`, `bench` and `test-cluster`: make demo ARGS=--once
ARGS ?=
# Where cargo puts what it builds; found without python3, because the demo needs cargo alone.
target = $$(cargo metadata --locked --no-deps --format-version 1 | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')

.PHONY: help demo test lint ci-pieces test-cluster test-prometheus3 bench bench-prometheus3 schemathesis generate check-generated unit fmt setup build clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# The client of search clusters compiles for long: without a cluster the demo does without it.
demo: ## watch a service burn its budget and a deploy be refused; ARGS=--once stops at the end of the story
	cargo build --locked --package slo-engine $(if $(HEADROOM_DEMO_ELASTIC),,--no-default-features)
	cargo build --locked --package budget-gate --package shop-catalog --package shop-load
	@exec "$(target)/debug/slo-engine" demo $(ARGS)

test: ## everything CI checks: lint, generated files, all tests, the demo once; installs what is missing
	@bash $(tools)/setup.sh
	@$(MAKE) --no-print-directory lint check-generated unit
	@$(MAKE) --no-print-directory build
	@bash $(tools)/demo.sh

lint: ## format, clippy, docs, dependencies, house rules
	@bash $(tools)/setup.sh lint
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --package slo-core --package budget-gate --lib --no-deps --locked
	cargo deny --locked check bans licenses sources
	bash $(tools)/house.sh

unit: ## the tests alone, with real servers
	@bash $(tools)/setup.sh servers
	@bash $(tools)/setup.sh search
	cargo test --workspace --locked
	cargo test --package budget-gate --no-default-features --locked

ci-pieces: ## check and run the ready-made pieces for CI systems; needs Go, Node, Java and Python
	@bash budget-gate/ci/check.sh

test-cluster: ## let a real Kubernetes control plane ask the gate; needs Go; the first run builds it for 15 to 20 minutes
	@bash $(tools)/setup.sh cluster
	cargo build --package slo-engine --package budget-gate --locked
	@exec python3 -B slo-engine/tests/cluster/run.py "$(target)/debug/slo-engine" $(ARGS)

test-prometheus3: ## run the engine's tests over Prometheus 3 in the place of Debian's 2.42; needs Go
	@bash $(tools)/setup.sh prometheus3
	@bash $(tools)/setup.sh search
	PATH="$$(bash $(tools)/prometheus3.sh bin):$$PATH" cargo test --package slo-engine --locked

bench: ## run the benchmark program, optimised; ARGS passes its flags on
	@bash $(tools)/setup.sh servers
	@bash $(tools)/setup.sh search
	cargo build --workspace --bins --release --locked
	@exec "$(target)/release/headroom-bench" $(ARGS)

bench-prometheus3: ## run the benchmark program over Prometheus 3 in the place of Debian's 2.42; needs Go
	@bash $(tools)/setup.sh prometheus3
	@PATH="$$(bash $(tools)/prometheus3.sh bin):$$PATH" $(MAKE) --no-print-directory bench

schemathesis: build ## ask the server all that its description allows, and fail on an answer that it does not describe
	@bash $(tools)/schemathesis.sh $(ARGS)

generate: ## rewrite the committed files that the program generates
	@bash $(tools)/generate.sh

check-generated: ## fail when a generated file is out of date
	@bash $(tools)/generate.sh --check

fmt: ## format all Rust code
	cargo fmt --all

setup: ## install what the checks and tests need and this machine lacks
	@bash $(tools)/setup.sh

build: ## compile all programs, unoptimised
	cargo build --workspace --bins --locked

clean: ## remove everything built
	cargo clean
