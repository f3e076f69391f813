# Petrel: `make demo` shows it, `make test` checks it. Both work in a clean clone, with no other step.

BUN := .tools/bin/bun
.DEFAULT_GOAL := help
.PHONY: help demo test lint format binary bench eval tools clean kafka demo-kafka tck

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## an incident in recorded telemetry, found and explained
	@deploy/bootstrap.sh nats-server prometheus
	@$(BUN) cli/main.ts demo

test: ## every test; the last line counts them
	@deploy/bootstrap.sh nats-server prometheus
	@$(BUN) deploy/run-tests.ts

lint: ## types, format, lint
	@deploy/bootstrap.sh
	@$(BUN) run --bun tsc --noEmit -p .
	@$(BUN) run --bun biome check .
	@$(BUN) run --bun oxlint --type-aware .

format: ## write the format and what the linter can mend
	@deploy/bootstrap.sh
	@$(BUN) run --bun biome check --write .
	@$(BUN) run --bun oxlint --type-aware --fix .

binary: ## dist/petrel, one file without dependencies
	@deploy/bootstrap.sh
	@$(BUN) deploy/binary.ts

bench: ## what it costs: throughput, latency, memory
	@deploy/bootstrap.sh nats-server prometheus
	@$(BUN) bench/main.ts

tools: ## fetch bun, the dependencies, nats-server and Prometheus into .tools/
	@deploy/bootstrap.sh nats-server prometheus

clean: ## remove what was built and fetched
	rm -rf dist node_modules .tools

eval kafka demo-kafka tck:
	@echo "error NOT_BUILT_YET: make $@ is not built yet" >&2; exit 2
