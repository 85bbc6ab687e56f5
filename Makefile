# Every target is one line of a shell script in dev/; `make` alone lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
SCRIPTS := dev/audit dev/bench dev/stack dev/run dev/demo dev/test dev/tools dev/lint dev/k8s dev/measure-run dev/check-bare dev/lib.sh
CARGO_DENY := 0.20.2

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: ## the whole mesh with a demo show on sale, in front until Ctrl-C
	@dev/run

.PHONY: demo
demo: ## one purchase told step by step, then 5,000 people in a waiting room
	@dev/demo

.PHONY: audit
audit: ## whether anything in the databases of the mesh contradicts anything else
	@dev/audit

.PHONY: build
build: ## all binaries
	cargo build --workspace --bins

.PHONY: test
test: ## every test of every crate, against private servers
	@dev/test

.PHONY: bench
bench: ## figures beside limits of the same machine, kept in bench/; ARGS: names, --short (builds with --release: about 5 minutes)
	@dev/bench $(ARGS)

.PHONY: lint
lint: ## format, clippy, rustdoc, protos, scripts, manifests; warnings are errors
	@dev/lint $(SCRIPTS)

.PHONY: fmt
fmt: ## format the code
	cargo fmt --all

.PHONY: deny
deny: ## licences, sources and banned crates (installs cargo-deny when missing: about 3.5 minutes)
	@cargo deny --version >/dev/null 2>&1 || cargo install --locked cargo-deny@$(CARGO_DENY)
	cargo deny check bans licenses sources

.PHONY: up
up: ## start the private servers and leave them running
	@dev/stack up

.PHONY: down
down: ## stop the private servers; their data stays
	@dev/stack down

.PHONY: clean
clean: ## stop the servers and delete .run with their data; the build (target/) stays
	@dev/stack clean --name dev && dev/stack clean --name test
	rm -rf .run

.PHONY: measure-run
measure-run: ## five starts of the mesh: median and longest time until ready
	@dev/measure-run

.PHONY: check-bare
check-bare: ## make run on a bare Debian 12 (chroot), and beside strangers on the standard ports
	@dev/check-bare $(or $(OUT),.run/check-bare.txt)
