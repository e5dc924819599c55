# What a developer runs. Everything that is installed lands in target/tools (scripts/tools.sh).
#   make tools | build | test | lint | demo [ARGS=--check] | bench [ARGS=--paced] | bench-micro [ARGS=jwt] | bench-scale | bench-soak | bench-loadtest | flamegraph
SHELL := bash
CARGO ?= cargo
PROFILE ?= release
ARGS ?=

.PHONY: build test lint demo bench bench-micro bench-scale bench-soak bench-loadtest flamegraph tools

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

# What the server costs: benches/README.md.
bench:
	$(CARGO) bench --locked --bench hotpath -- $(ARGS)

bench-micro:
	$(CARGO) bench --locked --bench micro -- $(ARGS)

bench-scale:
	$(CARGO) bench --locked --bench scale -- $(ARGS)

bench-soak:
	$(CARGO) bench --locked --bench soak -- $(ARGS)

bench-loadtest:
	benches/loadtest.sh $(ARGS)

flamegraph:
	benches/flamegraph.sh

tools:
	scripts/tools.sh $(ARGS)
