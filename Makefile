# What can be done here. `make up` starts Plenum, `make test` passes all tests on a fresh machine and installs what it
# needs for that; the rest is for those who work on Plenum. `make help` lists it.

GO       ?= go
PKGS     := ./...
TOOLS    := $(CURDIR)/.cache/tools
LINT     := $(TOOLS)/golangci-lint
FUZZTIME ?= 10m
SDKS     ?= python node go

.PHONY: help up test deps check build vet lint unit sdk management kms agents corpus chart surface cases bench fuzz fmt docs clean

help: ## list what can be done
	@sed -n 's/^\([a-z]*\):.*## /\1|/p' $(firstword $(MAKEFILE_LIST)) | awk -F'|' '{ printf "  make %-10s %s\n", $$1, $$2 }'

up: ## start Plenum on its defaults: nothing to configure
	$(GO) run ./cmd/plenum up

test: deps check sdk management kms agents ## pass all tests, and install what they need
	@echo "all tests passed"

deps: ## install what the tests need of the system
	@SDKS="$(SDKS)" ./.ci/deps

check: build vet lint unit ## all that concerns the Go code: linters, tests with the race detector

build: ## compile everything
	@echo "== build"
	@$(GO) build $(PKGS)

vet: ## go vet
	@echo "== vet"
	@$(GO) vet $(PKGS)

lint: $(LINT) ## formatting and linters, as .golangci.yml has them
	@echo "== lint"
	@bad="$$(gofmt -l .)"; test -z "$$bad" || { echo "gofmt would change:" $$bad >&2; exit 1; }
	@$(LINT) run || { echo "make fmt formats; .golangci.yml says what each linter is for" >&2; exit 1; }

# The tools are a module of their own, so that what they depend on is not what Plenum depends on.
$(LINT): tools/go.mod tools/go.sum
	@echo "== tools (once; a minute or two)"
	@mkdir -p $(TOOLS)
	@GOBIN=$(TOOLS) GOFLAGS= $(GO) -C tools install tool
	@touch $(LINT)

unit: ## the tests, with the race detector
	@echo "== tests"
	@GORACE=atexit_sleep_ms=10 $(GO) test -race -timeout 15m $(PKGS)

sdk: ## the official SDKs against the running program; SDKS="python go" for some of them
	@echo "== SDKs"
	@bash test/sdk/run.sh $(SDKS)
	@echo "== the README's programs"
	@bash test/readme/run.sh $(SDKS)

management: ## the management API against its own OpenAPI document; EXAMPLES=200 for more of it
	@echo "== management API"
	@case " $(SDKS) " in *" python "*) bash test/management/run.sh ;; *) echo "left out: it needs Python" ;; esac

kms: ## master keys at AWS's key management service, as moto's server has it
	@echo "== key management service"
	@case " $(SDKS) " in *" python "*) bash test/kms/run.sh ;; *) echo "left out: it needs Python" ;; esac

agents: ## real agents (Claude Code, Codex, ...) doing a task on another vendor's model; AGENTS="codex-on-claude" for some
	@echo "== agents"
	@case " $(SDKS) " in *" node "*) bash test/agents/run.sh $(AGENTS) ;; *) echo "left out: they need Node" ;; esac

# Helm is built here alone, and not with the other tools: it takes minutes.
$(TOOLS)/helm:
	@GOBIN=$(TOOLS) GOFLAGS= $(GO) install helm.sh/helm/v3/cmd/helm@v3.22.0

chart: $(TOOLS)/helm ## the chart for Kubernetes, checked with Helm
	@$(TOOLS)/helm lint --strict deploy/helm/plenum
	@$(TOOLS)/helm template x deploy/helm/plenum --set autoscaling.enabled=true --set ingress.enabled=true >/dev/null
	@! $(TOOLS)/helm template x deploy/helm/plenum --set replcias=3 >/dev/null 2>&1 || { echo "a value that does not exist is taken" >&2; exit 1; }

surface: ## every operation of the vendors' descriptions that PLENUM_SPECS names, at the door; writes docs/surface.md
	$(GO) test ./test/surface -update -count=1

corpus: ## all of the recorded traffic that PLENUM_CORPUS names, through every dialect; writes docs/corpus.md
	$(GO) test ./test/corpus -update -count=1 -v -run TestCorpus

cases: ## which known faults of gateways have a test that is named after them
	@$(GO) test ./internal/archtest -run TestCasesAreCounted -count=1 -v | sed -n 's/^ *[a-z_]*\.go:[0-9]*: //p'

bench: ## speed beside nginx and beside no gateway, in one run
	@command -v nginx >/dev/null || echo "nginx is not there, so there will be no ratios: apt-get install nginx-light" >&2
	$(GO) run ./bench

fuzz: ## every fuzz target for FUZZTIME, ten minutes if not said
	@$(GO) list $(PKGS) | while read -r pkg; do \
		$(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' | while read -r f; do \
			echo "== $$pkg $$f"; \
			$(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) $$pkg </dev/null || exit 1; \
		done || exit 1; \
	done

fmt: $(LINT) ## format the Go code
	@$(LINT) fmt

docs: ## write the pages that are made from the code
	$(GO) test ./config ./all ./test/matrix -update -count=1

clean: ## remove what was built and fetched here
	rm -rf .cache bin plenum
