# Needs Go and make; `make demo` and `make test` install the rest (scripts/setup.sh).

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# The version is that of the tag the tree stands at; between tags the program's own default holds.
VERSION ?= $(shell git describe --tags --exact-match --match 'v*' 2>/dev/null | sed 's/^v//')
LDFLAGS := -s -w $(if $(VERSION),-X main.version=$(VERSION))

TOOLS := $(CURDIR)/.cache/bin
LINT_VERSION := v2.13.2
LINT := $(TOOLS)/golangci-lint-$(LINT_VERSION)

# Runs a command beside one private Postgres for all test binaries.
WITH_POSTGRES := go run ./internal/testdb
# Most of a test's time is waiting for pages to come to rest, so more run at once
# than there are cores.
TEST_FLAGS ?= -parallel 4
# The longest first, so that nothing waits for it at the end.
PACKAGES := ./farm ./cmd/tabfarm ./...

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## install what is missing, build, and see tabfarm work
	@scripts/setup.sh browser postgres
	@$(MAKE) build
	@bin/tabfarm demo

.PHONY: build
build: ## bin/tabfarm
	@go build -trimpath -ldflags '$(LDFLAGS)' -o bin/tabfarm ./cmd/tabfarm

.PHONY: test
test: ## install what is missing and run all tests
	@scripts/setup.sh browser postgres node
	go vet ./...
	$(WITH_POSTGRES) go test -timeout 15m $(TEST_FLAGS) $(PACKAGES)

.PHONY: test-race
test-race: ## the same with the race detector
	@scripts/setup.sh browser postgres node cc
	CGO_ENABLED=1 $(WITH_POSTGRES) go test -race -timeout 20m $(TEST_FLAGS) $(PACKAGES)

.PHONY: soak
soak: ## minutes: workers that are killed over 2,000 pages, a machine that is cut off, the slowest pages
	@scripts/setup.sh browser postgres network node
	TABFARM_SOAK=1 $(WITH_POSTGRES) go test -count 1 -timeout 30m -run 'TestProgram/(soak|network)' -v ./cmd/tabfarm
	TABFARM_SOAK=1 $(WITH_POSTGRES) go test -count 1 -timeout 10m -run 'TestLookOfRealLibraries/(tabulator|muigrid)' ./farm

# Of each target; what CI gives them is in .ci/run.
FUZZTIME ?= 10s
.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZTIME (10s); only those of FUZZ, if given
	@scripts/setup.sh browser
	@scripts/fuzz.sh $(FUZZTIME) $(FUZZ)

.PHONY: compare-pandas
compare-pandas: ## the same documents read by tabfarm and by pandas.read_html
	@scripts/setup.sh browser pandas
	@go run ./bench/pandas -o bench/results/pandas.md

# Flags for ./bench/speed; `go run ./bench/speed -h` lists them.
BENCH ?=
.PHONY: bench
bench: ## about an hour: tabfarm and other drivers of browsers on the same pages
	@scripts/setup.sh browser postgres node
	@go run ./bench/speed -readme README.md $(BENCH)

.PHONY: bench-queue
bench-queue: ## plan, claim and visit as fast as the queue can
	@scripts/setup.sh postgres
	@TABFARM_BENCH_QUEUE=bench/results/queue.md $(WITH_POSTGRES) go test ./bench/queue -count 1 -v -timeout 60m

.PHONY: bench-upsert
bench-upsert: ## rows a second into a table, against COPY and pgx.Batch
	@scripts/setup.sh postgres
	@go run ./bench/upsert -o bench/results

.PHONY: bench-growth
bench-growth: ## 5,000 pages through one farm: what grows with their number
	@scripts/setup.sh browser postgres node
	@go run ./bench/growth -o bench/results

.PHONY: lint
lint: $(LINT) ## golangci-lint, with the rules of .golangci.yml
	$(LINT) run --allow-parallel-runners ./...

.PHONY: fmt
fmt: $(LINT) ## format all Go files
	$(LINT) fmt ./...

.PHONY: clean
clean: ## remove what was built here; databases and recipes stay
	rm -rf bin .cache

# Built from source once: minutes on two cores. The name holds the version, so
# that a new pin is a new build.
$(LINT):
	@mkdir -p $(TOOLS)
	@echo "building golangci-lint $(LINT_VERSION), once"
	@GOBIN=$(TOOLS) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)
	@mv $(TOOLS)/golangci-lint $@
