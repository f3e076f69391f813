# Petrel: `make demo` shows it, `make test` checks it. Both work in a clean clone, with no other step.

BUN := .tools/bin/bun
.DEFAULT_GOAL := help
.PHONY: help demo test lint format binary bench eval tools clean kafka demo-kafka tck chaos-audit chaos-tasks chaos-alarms

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## an incident in recorded telemetry, found and explained
	@deploy/bootstrap.sh nats-server prometheus
	@$(BUN) cli/main.ts demo

demo-kafka: ## the demo with the bridge on: a consumer's view in Kafka, and a proof; needs Java 17
	@deploy/bootstrap.sh nats-server prometheus kafka
	@$(BUN) cli/main.ts demo --kafka

test: ## every test; the last line counts them
	@deploy/bootstrap.sh nats-server prometheus --optional alertmanager kafka apicurio
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

bench: ## what it costs: throughput, latency, memory (ARGS="bridge verify --rounds 3")
	@deploy/bootstrap.sh nats-server prometheus --optional kafka
	@$(BUN) bench/main.ts $(ARGS)

chaos-audit: ## the audit's promises under kill -9 (ARGS="--seed 1 --bridges 2"); needs Java 17
	@deploy/bootstrap.sh nats-server kafka
	@$(BUN) tests/chaos/main.ts $(ARGS)

chaos-tasks: ## the promises of durable tasks under faults (ARGS="--seed 1 --runs 200")
	@deploy/bootstrap.sh nats-server
	@$(BUN) tests/chaos/tasks/main.ts $(ARGS)

chaos-alarms: ## an alarm told whoever dies between verdict and delivery (ARGS="--seed 1 --runs 200")
	@deploy/bootstrap.sh nats-server
	@$(BUN) tests/chaos/alarms/main.ts $(ARGS)

tck: ## the A2A conformance kit against our gateway (TCK=DIR, a checkout of it); needs Python 3.11
	@test -n "$(TCK)" || { echo "error USAGE: make tck needs TCK=DIR, a checkout of a2aproject/a2a-tck" >&2; exit 2; }
	@deploy/bootstrap.sh nats-server
	@$(BUN) tests/tck/main.ts "$(TCK)" $(ARGS)

kafka: ## a Kafka broker on 127.0.0.1:9092 (PORT=...), until Ctrl-C; needs Java 17
	@deploy/bootstrap.sh
	@$(BUN) deploy/run-kafka.ts $(PORT)

tools: ## fetch bun, the dependencies, nats-server, Prometheus, Alertmanager, Kafka and a schema registry into .tools/
	@deploy/bootstrap.sh nats-server prometheus --optional alertmanager kafka apicurio

clean: ## remove what was built and fetched
	rm -rf dist node_modules .tools

eval: ## the public benchmarks, ours beside the published figures: make eval DATA=DIR [ARGS=--json]
	@test -n "$(DATA)" || { echo "error USAGE: make eval needs DATA=DIR, a folder with the data of any suite (docs/evidence.md)" >&2; exit 2; }
	@deploy/bootstrap.sh nats-server prometheus
	@$(BUN) cli/main.ts eval all --data "$(DATA)" $(ARGS)
