# Everything here is a short name for a go command; nothing needs make.
export CGO_ENABLED ?= 0

FUZZTIME ?= 15s
# make bench BENCH=Cut BENCHTIME=5x; make bench MAIL=DIR for a tree of mailboxes instead of seeded mail
BENCH     ?= .
BENCHTIME ?= 1s
MAIL      ?=

STATICCHECK := go run honnef.co/go/tools/cmd/staticcheck@v0.8.2

.PHONY: build test race vet lint fuzz bench bench-peers torture accept cover ci clean

build:
	go build -trimpath -o bin/mailbrick ./cmd/mailbrick

test:
	go test ./...

# The race detector wants a C compiler.
race:
	CGO_ENABLED=1 go test -race -shuffle=on ./...

vet:
	go vet ./...
	GOOS=windows go vet ./...
	GOOS=darwin go vet ./...

lint: vet
	@test -z "$$(gofmt -l .)" || { gofmt -l .; exit 1; }
	$(STATICCHECK) ./...

# Every fuzz function for FUZZTIME.
fuzz:
	.ci/run fuzz $(FUZZTIME)

bench:
	go test -run '^$$' -bench '$(BENCH)' -benchtime $(BENCHTIME) -benchmem $$(grep -rl --include='*_test.go' '^func Benchmark' . | xargs -n1 dirname | sort -u)
	go run ./cmd/mailbench $(if $(MAIL),-mail $(MAIL))

# This program beside restic, borg, casync and zpaq (those that are installed), on the same exported items and by the same steps.
CORPUS ?= $(or $(TMPDIR),/tmp)/mailbrick-corpus
ITEMS  ?= 24000

bench-peers:
	@[ -d $(CORPUS)/base ] || ../shared/bench/make-corpus.sh $(CORPUS) $(ITEMS)
	go run ./cmd/mailbench -corpus $(CORPUS) -peers ../shared/bench/peers.sh

# Long loops: kills, power losses, damage, models, large corpora. The short suite has a small seeded share of each.
# make torture TORTURE=kill for those of the list (.ci/torture -l) whose line has the word.
TORTURE ?=

torture:
	.ci/torture $(TORTURE)

accept:
	../shared/accept/main-job.sh .

cover:
	go test -coverprofile=cover.out -coverpkg=./... ./...
	go tool cover -func=cover.out | tail -1
	go tool cover -html=cover.out -o cover.html

ci:
	.ci/run

clean:
	rm -rf bin cover.out cover.html
