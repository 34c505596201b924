# MiniCRM: everything a developer types. `make` alone lists it.
.DEFAULT_GOAL := help
.PHONY: help doctor build test lint format demo up down status bench bench-bulk bench-rules bench-idle bench-import fuzz-rules \
	fuzz-rules-json fuzz-api check-client chaos chaos-selftest docs examples clean

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  make demo LEADS=file.csv ORDERS=file.csv      your own customers;  KEEP=1 leaves the stack running"
	@echo "  make up SEND_WORKERS=4 EXPANDERS=2 AGGREGATORS=2 INGEST_WORKERS=2 GATEWAYS=2      replicas"
	@echo "  RULES_SEED=… make fuzz-rules      repeats a run"
	@echo "  MONGODB_URI, KAFKA_BROKERS, KAFKA_HOME in the environment choose the servers"

doctor: ## install what this machine lacks
	@scripts/doctor.sh

build: ## build everything, tests included
	@scripts/doctor.sh --quiet
	swift build --build-tests

test: ## run every test (sets itself up); ARGS='--filter X' for some
	@scripts/test.sh $(ARGS)

lint: ## formatting, imports, scripts, compose file
	@scripts/lint.sh

format: ## format the Swift sources in place
	swift format --in-place --parallel --recursive Package.swift Sources Tests

demo: ## a whole campaign, from CSV to receipts, on one machine
	@scripts/stack.sh demo --leads "$(or $(LEADS),examples/leads.csv)" --orders "$(or $(ORDERS),examples/orders.csv)"

up: ## start the stack and leave it running (.stack/env tells clients where)
	@scripts/stack.sh up --detach

down: ## stop what `make up` started
	@scripts/stack.sh down

status: ## what runs, and whether it is ready
	@scripts/stack.sh status

bench: ## measure end to end; ARGS='...' for the benchmark
	@scripts/bench.sh $(ARGS)

bench-rules: ## measure rules: evaluator, translator, counts; N leads in the database (1000000)
	@scripts/bench.sh rules $(ARGS)

bench-bulk: ## measure bulk requests by themselves, in turns with a raw insert; ARGS='--leads N --rounds N'
	@scripts/bench.sh bulk $(ARGS)

bench-idle: ## measure the gateway beside idle connections: N of them (5000)
	@scripts/bench.sh idle --connections $(or $(N),5000) $(ARGS)

bench-import: ## measure an import of N rows (1000000): rows/s against a raw insert, and the gateway's memory
	@scripts/bench.sh import --rows $(or $(N),1000000) $(ARGS)

fuzz-rules: ## random rules over random leads, evaluator against MongoDB: N cases (1000000)
	@scripts/fuzz-rules.sh database $(or $(N),1000000)

fuzz-rules-json: ## anything as rule, query and lead: SECONDS of it (600)
	@scripts/fuzz-rules.sh json $(or $(SECONDS),600)

fuzz-api: ## requests made up from the API's description, every answer checked: N requests (20000); SEED=…
	@scripts/fuzz-api.sh $(or $(N),20000)

check-client: ## the main job with a client that is generated from the API's description
	@scripts/check-client.sh

chaos: ## kill everything, lose nobody; SEED=… ROUNDS=… SCENARIO=… (docs/chaos.md); ARGS='...' for the harness
	@scripts/chaos.sh --results chaos/results $(if $(SEED),--seed $(SEED)) $(if $(ROUNDS),--rounds $(ROUNDS)) \
	  $(foreach scenario,$(SCENARIO),--scenario $(scenario)) $(ARGS)

chaos-selftest: ## the chaos harness itself: it must find each of five seeded faults
	@scripts/chaos.sh --selftest $(if $(SEED),--seed $(SEED))

docs: ## write docs/configuration.md and .env.example from the declared settings
	@scripts/doctor.sh --quiet
	swift build --product devstack
	@mkdir -p docs
	.build/debug/devstack settings markdown > docs/configuration.md
	.build/debug/devstack settings env > .env.example

examples: ## make examples/*.csv anew
	@python3 scripts/make-examples.py

clean: ## remove build products; servers and their data stay
	swift package clean
