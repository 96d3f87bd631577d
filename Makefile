# What can be done here. `make test` passes all tests on a fresh machine and installs what it needs;
# the rest is for those who work on Plenum.

GO     ?= go
CACHE  := $(CURDIR)/.cache
PKGS   := ./...

.PHONY: up test check unit sdk lint fuzz bench fmt clean deps

# Runs Plenum on embedded defaults.
up:
	$(GO) run ./cmd/plenum up

# Everything that must pass: formatting and vet, the tests with the race detector, the official SDKs.
test: deps check unit sdk

# What the tests need of the system: PostgreSQL, Node and Python's venv, from the system's packages.
deps:
	./.ci/deps

check:
	@bad=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$bad" ] || { echo "not gofmt-ed: $$bad"; exit 1; }
	$(GO) build $(PKGS)
	$(GO) vet $(PKGS)

unit:
	$(GO) test -race -timeout 20m $(PKGS)

sdk:
	bash test/sdk/run.sh

lint:
	$(GO) tool -modfile=tools/go.mod golangci-lint run

# Ten minutes for each fuzz target; FUZZTIME=30s for a quick look.
FUZZTIME ?= 10m
fuzz:
	@for pkg in $$($(GO) list $(PKGS)); do \
		for f in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
			echo "== $$pkg $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) $$pkg || exit 1; \
		done; \
	done

# Speed beside nginx and nothing at all, in one run.
bench:
	$(GO) run ./bench

fmt:
	gofmt -w $$(git ls-files '*.go')

clean:
	rm -rf $(CACHE) bin
