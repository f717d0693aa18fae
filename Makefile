# The only entry point: people and CI call the same targets. The work is done by the scripts in scripts/.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo up down services services-down env test test-long test-services test-up test-demo test-readme test-faults test-newcomer test-browser bench dist test-dist check-deploy render-deploy image test-image sbom lint clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## the whole way of a booking, from a request over HTTP to the signed and verified delivery
	@scripts/preflight.sh build curl rabbitmq postgresql
	@scripts/with-services.sh --need rabbitmq --need postgresql --beside scripts/build.sh demo -- scripts/demo.sh

up: ## broker, database, console and dispatcher, left running to be tried (DEMO=1: with a small booking day; RELEASE=1: the release build)
	@scripts/preflight.sh build rabbitmq postgresql
	@scripts/up.sh up

down: ## stop what `make up` started
	@scripts/up.sh down

services: ## start RabbitMQ and PostgreSQL, on ports of this checkout's own, and leave them running
	@scripts/preflight.sh rabbitmq postgresql
	@scripts/services.sh up

services-down: ## stop them; their data stays
	@scripts/services.sh down

env: ## print the lines that export their addresses: eval "$(make env)"
	@scripts/services.sh env

test: ## build and run all tests but those of test-long (ARGS='…' goes to cargo test, and chooses from all)
	@scripts/preflight.sh build rabbitmq postgresql
	@scripts/test.sh $(ARGS)

test-long: ## the scenarios that take longest
	@scripts/preflight.sh build rabbitmq postgresql
	@scripts/test.sh --long

test-services: ## test the scripts that run the services, and those that look for what they need
	@scripts/test-preflight.sh
	@scripts/test-services.sh

test-up: ## run `make up` and `make down`, and hold them to what they claim
	@scripts/preflight.sh build rabbitmq postgresql
	@scripts/test-up.sh

test-faults: ## the fault suite: each row a fault, what it lost, doubled and how long it took (ARGS='…' chooses; QUICK=1: in small)
	@scripts/preflight.sh build rabbitmq postgresql
	@scripts/test-faults.sh $(ARGS)

test-newcomer: ## `make demo` and `make test` in a bare Debian that holds only what the README asks for (as root; half an hour)
	@scripts/test-newcomer.sh

test-demo: ## run the demo, and hold it to what it claims: counts, width, Ctrl-C
	@scripts/preflight.sh build curl rabbitmq postgresql
	@scripts/test-demo.sh

test-browser: ## the dashboard in a real browser, with pictures of every page in target/screenshots/
	@scripts/preflight.sh build rabbitmq postgresql
	@scripts/test-browser.sh

bench: ## the benchmark beside the smallest programs that could do the work (SCENARIO=name: one; QUICK=1: in small)
	@scripts/preflight.sh build rabbitmq postgresql
	@scripts/bench.sh

test-readme: ## run every command of the README in a fresh clone, and compare what it prints
	@scripts/preflight.sh build curl git rabbitmq postgresql
	@scripts/test-readme.sh

dist: ## a tarball and a .deb with the programs, their manual, completions and units, in target/dist/
	@scripts/preflight.sh build
	@scripts/dist.sh

test-dist: ## install that .deb in a bare Debian, and deliver an event as its unit would (as root; QUICK=1: of the debug build)
	@scripts/test-dist.sh

check-deploy: ## the Helm chart, the plain manifests, the Dockerfile and docker-compose.yml, held to schemas and policies
	@scripts/check-deploy.sh
	@scripts/check-rules.sh

render-deploy: ## make deploy/k8s, and the chart's copies of rules and dashboards, anew
	@scripts/tools.sh deploy
	@.local/tools-deploy/bin/python scripts/deploy/render.py

image: ## the images of the Dockerfile: with Docker or Podman, else as root with buildah, over bases made here
	@scripts/image.sh

test-image: ## build them, and deliver an event out of them: uid 65532, a read-only root, no shell (QUICK=1: of the debug build)
	@scripts/test-image.sh

sbom: ## what each program is made of, as CycloneDX, in target/sbom/
	@scripts/tools.sh deploy
	@.local/tools-deploy/bin/python scripts/sbom.py

lint: ## formatting, clippy, docs, borders between the crates, licences, shell scripts
	@scripts/preflight.sh build
	@scripts/lint.sh

clean: ## stop the services, delete their data, the tools and all build output
	@scripts/up.sh down --wipe
	@scripts/services.sh down --wipe
	@rm -rf --one-file-system .local/tools .local/tools-deploy .local/images
	@cargo clean
