# Preavviso. `make help` lists what can be asked.
SHELL := /bin/bash
.DEFAULT_GOAL := help

# Tests that need a decoder or validator fail, instead of being skipped, when it is missing.
export PREAVVISO_TEST_REQUIRE ?= decoders
# The machine may have fewer cores than packages; a test that hangs ends by itself.
TEST_FLAGS ?= -race -timeout 8m
FUZZTIME ?= 30s

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: decoders assets ## one whole shift: service and simulator in one process, in under a minute
	go run ./cmd/preavviso demo

.PHONY: run
run: decoders assets ## the service with the simulator beside it, on loopback, until Ctrl-C
	go run ./cmd/preavviso demo --stay

.PHONY: test
test: setup ## every test, with the race detector
	go vet ./...
	go test $(TEST_FLAGS) ./...

.PHONY: check
check: setup ## what a commit must pass besides the tests: format, vet, staticcheck, generated files
	@out=$$(gofmt -l cmd internal pdf api wsdl firmware-api); test -z "$$out" || { echo "gofmt: $$out"; exit 1; }
	go vet ./...
	go mod verify
	go tool -modfile=internal/tools/go.mod staticcheck -checks inherit,-ST1005 ./... # ST1005: QR and IUV begin errors
	go generate ./...
	git diff --exit-code -- wsdl api firmware-api internal/docs/PARITY.md

.PHONY: bench
bench: setup ## speed and memory, each figure beside its raw baseline
	go test -run '^$$' -bench . -benchmem ./internal/store/boltstore ./pdf ./internal/symbol ./internal/escpos ./internal/ppay ./internal/app ./internal/backoffice ./api

.PHONY: fuzz
fuzz: setup ## every fuzz target for FUZZTIME each
	internal/tools/fuzz.sh $(FUZZTIME)

.PHONY: soak
soak: setup ## the long tests: many more kills and seeds
	PREAVVISO_TEST_SOAK=1 go test -race -timeout 60m -count 1 ./internal/app ./internal/demo ./internal/dispatch ./pdf ./cmd/palmare

.PHONY: docs
docs: setup ## pictures of every print into internal/docs/prints, of every page into internal/docs/pages
	PREAVVISO_DOCS=$(CURDIR)/internal/docs/prints go test -count 1 -run '^TestPrints$$' ./cmd/preavviso
	mkdir -p internal/docs/pages
	PREAVVISO_DOCS_PAGES=$(CURDIR)/internal/docs/pages go test -count 1 -run '^TestPages$$' ./internal/backoffice

.PHONY: setup
setup: packages assets provider

.PHONY: packages decoders
packages: ## Debian packages: decoders, validators, foreign SOAP stacks, a C compiler
	@internal/tools/packages.sh all
decoders:
	@internal/tools/packages.sh decoders

.PHONY: assets
assets: internal/assets/dist/.fetched ## fonts, styles and scripts, from npm

internal/assets/dist/.fetched: internal/assets/package-lock.json internal/assets/fetch.sh
	internal/assets/fetch.sh
	@touch $@

# The OpenID Connect provider that the tests sign in with.
PROVIDER := internal/backoffice/testdata/idp
.PHONY: provider
provider: $(PROVIDER)/node_modules/.fetched
$(PROVIDER)/node_modules/.fetched: $(PROVIDER)/package-lock.json
	npm --prefix $(PROVIDER) ci --ignore-scripts --omit=optional --no-audit --no-fund --loglevel=error
	@touch $@

.PHONY: clean
clean: ## what was fetched or built
	rm -rf bin out internal/assets/node_modules $(PROVIDER)/node_modules
	find internal/assets/dist -type f ! -name .gitkeep -delete
