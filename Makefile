# TokenIM. `make run` starts the whole platform on this machine, `make test` runs everything needed to trust a change.
# Both install what they need, pinned, into .tools/ and .local/; nothing else on the machine is touched.

PORT ?= 8080
DATA ?= .local/data
FUNCTION ?= Resume
FOR ?= 10000x
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

DYNOXIDE_VERSION := 1.2.1
SAM_VERSION := 1.170.0
WEBSOCKETS_VERSION := 15.0.1

OS := $(shell uname -s | tr A-Z a-z)
ARCH := $(shell uname -m | sed 's/x86_64/x64/; s/aarch64/arm64/')
DYNOXIDE := .tools/node_modules/@dynoxide/$(OS)-$(ARCH)/dynoxide
# What pip installs is stamped with its version, so that a new version is installed and an old one is not installed again.
PYTHON := .tools/python/websockets-$(WEBSOCKETS_VERSION)
SAM := .tools/sam/aws-sam-cli-$(SAM_VERSION)
MINISTACK := .tools/ministack/installed

help: ## Show the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

run: tools ## Start the whole platform (PORT=8080 DATA=.local/data)
	@mkdir -p .local
	go build -o .local/runner ./local
	exec .local/runner -port $(PORT) -data $(DATA)

test: tools $(PYTHON) $(SAM) $(MINISTACK) ## Run every test
	@bash tests/all.sh

deploy-local: tools $(SAM) $(MINISTACK) ## Deploy template.yaml to an AWS emulator on this machine (DEPLOY_PORT=4610)
	@bash local/deploy/deploy.sh

undeploy-local: ## Stop that emulator and remove its state
	@bash local/deploy/undeploy.sh

test-deployed: deploy-local $(PYTHON) ## Run acceptance and conformance against the local deployment
	@bash local/deploy/test.sh

test-sam: tools $(SAM) ## Run events/ and the HTTP API in Lambda's containers (TOKENIM_START_DOCKER=1, TOKENIM_REQUIRE_DOCKER=1)
	@bash local/deploy/sam-local.sh

bench: tools ## Measure the budgets, latency and throughput
	@go run ./tests/bench

docs: ## Write the documents that are made from the code
	go test ./tests/architecture -count=1 -update

bootstrap-key: ## Make the first app and API key on AWS (STACK=tokenim ORIGINS=https://…)
	@output() { aws cloudformation describe-stacks --stack-name "$${STACK:-tokenim}" --query "Stacks[0].Outputs[?OutputKey=='$$1'].OutputValue" --output text; }
	table=$$(output KeysTableName)
	records=$$(output RecordsTableName)
	eval "$$(aws configure export-credentials --format env)"
	AWS_REGION="$${AWS_REGION:-$$(aws configure get region)}" go run ./local/bootstrapkey -table "$$table" -records "$$records" -origins "$(ORIGINS)"

audit-verify: ## Verify the audit records (STACK=tokenim LOG=app_… for one log, HEADS=heads.json to find a rollback)
	@table=$$(aws cloudformation describe-stacks --stack-name "$${STACK:-tokenim}" --query "Stacks[0].Outputs[?OutputKey=='RecordsTableName'].OutputValue" --output text)
	eval "$$(aws configure export-credentials --format env)"
	AWS_REGION="$${AWS_REGION:-$$(aws configure get region)}" go run ./local/auditverify -table "$$table" -log "$(LOG)" -heads "$(HEADS)"

drill: tools ## Rehearse the loss and the restore of all tables
	@go run ./local/drill

second-engine: go-version ## Run the store suites on DynamoDB Local (Java, Maven, Linux)
	@bash tests/second-engine.sh

fuzz: go-version ## Fuzz every parser with 10,000 inputs (FOR=1m for so long each)
	@bash tests/fuzz.sh $(FOR)

targets: tools $(PYTHON) $(SAM) $(MINISTACK) ## Run every suite on every target and write docs/targets.md
	@bash tests/targets.sh

redrive: ## Run background work that failed for good again, from the dead letters (FUNCTION=Resume STACK=tokenim)
	@output() { aws cloudformation describe-stacks --stack-name "$${STACK:-tokenim}" --query "Stacks[0].Outputs[?OutputKey=='$$1'].OutputValue" --output text; }
	queue=$$(output $(FUNCTION)DeadLettersUrl) function=$$(output $(FUNCTION)FunctionName)
	eval "$$(aws configure export-credentials --format env)"
	AWS_REGION="$${AWS_REGION:-$$(aws configure get region)}" go run ./local/redrive -queue "$$queue" -function "$$function"

lint: go-version ## Run the linters (pinned, into .tools/)
	@bash tests/lint/lint.sh

sam-build: go-version $(SAM) ## Build every function as a deployment does, and report the sizes
	@bash tests/sam-build.sh

clean: undeploy-local ## Remove what the targets made, the local data included
	rm -rf .local .tools .aws-sam

tools: go-version $(DYNOXIDE)

go-version:
	@command -v go >/dev/null || { echo "TokenIM needs Go 1.26 or later (https://go.dev/dl): 'go' was not found." >&2; exit 1; }
	go version | grep -qE 'go1\.(2[6-9]|[3-9][0-9])' || { echo "TokenIM needs Go 1.26 or later; this is $$(go version)." >&2; exit 1; }

$(DYNOXIDE): Makefile
	@command -v npm >/dev/null || { echo "TokenIM needs npm (Node.js 18 or later) to install its DynamoDB engine: 'npm' was not found." >&2; exit 1; }
	echo "Installing the DynamoDB engine (dynoxide $(DYNOXIDE_VERSION)) into .tools/ ..."
	npm install --silent --no-save --no-package-lock --no-audit --no-fund --prefix .tools @dynoxide/$(OS)-$(ARCH)@$(DYNOXIDE_VERSION)
	touch $@

$(PYTHON):
	@echo "Installing the acceptance scripts' Python package (websockets $(WEBSOCKETS_VERSION)) into .tools/ ..."
	python3 -m venv .tools/python || { echo "TokenIM's tests need Python 3.10 or later with venv (Debian: python3-venv)." >&2; exit 1; }
	.tools/python/bin/pip install --quiet --disable-pip-version-check websockets==$(WEBSOCKETS_VERSION)
	touch $@

$(SAM):
	@echo "Installing SAM CLI $(SAM_VERSION) into .tools/ ..."
	python3 -m venv .tools/sam || { echo "TokenIM's tests need Python 3.10 or later with venv (Debian: python3-venv)." >&2; exit 1; }
	.tools/sam/bin/pip install --quiet --disable-pip-version-check aws-sam-cli==$(SAM_VERSION)
	touch $@

$(MINISTACK): local/deploy/requirements.txt
	@echo "Installing the AWS emulator (ministack) into .tools/ ..."
	python3 -m venv .tools/ministack || { echo "TokenIM's tests need Python 3.10 or later with venv (Debian: python3-venv)." >&2; exit 1; }
	.tools/ministack/bin/pip install --quiet --disable-pip-version-check -r local/deploy/requirements.txt
	touch $@

.PHONY: help run test deploy-local undeploy-local test-deployed test-sam drill second-engine targets redrive lint sam-build bench docs bootstrap-key audit-verify clean tools go-version
