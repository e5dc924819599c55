# What a developer runs. Everything that is installed lands in target/tools (scripts/tools.sh).
#   make build | test | lint | demo [ARGS=--check] | bench
SHELL := bash
CARGO ?= cargo
PROFILE ?= release
ARGS ?=

.PHONY: build test lint demo bench tools

build:
	$(CARGO) build --locked --profile $(PROFILE)

# The real counterparts, then every test: unit, integration with Envoy, documentation.
test:
	scripts/tools.sh all
	$(CARGO) test --locked $(ARGS)

lint:
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	@if command -v cargo-deny >/dev/null; then $(CARGO) deny --locked check; else echo "cargo-deny is not installed: skipped"; fi

# Envoy, the server, a small identity provider and a small LLM provider on this machine.
demo:
	scripts/tools.sh envoy
	$(CARGO) run --locked --quiet --profile $(PROFILE) -- demo $(ARGS)

bench:
	$(CARGO) bench --locked --bench hotpath -- $(ARGS)

tools:
	scripts/tools.sh $(ARGS)
