package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"mailbrick/fetch"
)

// tally counts what a watch did since it began.
type tally struct {
	indexed atomic.Uint64 // the archive's head to which the index has come

	mu        sync.Mutex // guards the rest
	runs      [3]int64   // by how they ended
	items     [3]int64   // added, changed, removed
	exported  int64
	requests  int64
	throttled time.Duration
	mailboxes map[string]mailboxTally
}

type mailboxTally struct{ items, failed, unparsed int }

// ran counts a run.
func (t *tally) ran(name string, r fetch.Result, c cost, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.exported += r.ExportedBytes
	t.requests += int64(c.requests)
	t.throttled += c.throttled
	if err != nil {
		t.runs[2]++
		return
	}
	ended := 0
	if !r.Complete {
		ended = 1
	}
	t.runs[ended]++
	for i, n := range [3]int{r.Snapshot.Added, r.Snapshot.Changed, r.Snapshot.Removed} {
		t.items[i] += int64(n)
	}
	if t.mailboxes == nil {
		t.mailboxes = map[string]mailboxTally{}
	}
	t.mailboxes[name] = mailboxTally{r.Snapshot.Items, len(r.Failures), r.Unparsed}
}

// check refuses to show numbers and mailboxes to others than this machine, unless that is said.
func (c metricsConfig) check() error {
	if c.Listen == "" {
		return nil
	}
	at, err := netip.ParseAddrPort(c.Listen)
	switch {
	case err != nil:
		return fmt.Errorf("metrics.listen %q: write \"127.0.0.1:9477\"", c.Listen)
	case !at.Addr().IsLoopback() && !c.Anywhere:
		return fmt.Errorf("metrics.listen %s is open to other machines, and the metrics name mailboxes: give 127.0.0.1, or say metrics.anywhere = true", c.Listen)
	}
	return nil
}

// listenMetrics begins to listen where the configuration says; nil where it says nothing.
func (w *watcher) listenMetrics(ctx context.Context) (net.Listener, error) {
	if w.config.Metrics.Listen == "" {
		return nil, nil
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", w.config.Metrics.Listen)
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	w.log.Info("metrics", "listen", l.Addr().String())
	return l, nil
}

// ServeHTTP answers /metrics and /healthz.
func (w *watcher) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		http.Error(out, "only GET", http.StatusMethodNotAllowed)
	case r.URL.Path == "/metrics":
		out.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		_, _ = io.WriteString(out, w.metrics()) // who has gone needs no answer
	case r.URL.Path == "/healthz":
		w.health(out)
	default:
		http.NotFound(out, r)
	}
}

// health is 200 as long as the loop answers and not every mailbox fails.
func (w *watcher) health(out http.ResponseWriter) {
	failing, states := 0, w.watch.States()
	for _, s := range states {
		if s.Failures > 0 {
			failing++
		}
	}
	out.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if failing > 0 && failing == len(states) {
		out.WriteHeader(http.StatusServiceUnavailable)
	}
	fmt.Fprintf(out, "%d mailboxes, %d failing\n", len(states), failing)
}

// exposition is the text format of Prometheus.
type exposition struct{ strings.Builder }

// family begins a metric.
func (e *exposition) family(name, kind, help string) {
	fmt.Fprintf(e, "# HELP mailbrick_%s %s\n# TYPE mailbrick_%s %s\n", name, help, name, kind)
}

// value writes one; label and its value may be empty.
func (e *exposition) value(name, label, of string, v float64) {
	if label != "" {
		of = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(of)
		name += "{" + label + `="` + of + `"}`
	}
	fmt.Fprintf(e, "mailbrick_%s %v\n", name, v)
}

func (e *exposition) single(name, kind, help string, v float64) {
	e.family(name, kind, help)
	e.value(name, "", "", v)
}

func (w *watcher) metrics() string {
	e := &exposition{}
	states := w.watch.States()
	w.tally.write(e, states)
	head := w.lent.a.Head()
	e.single("archive_head", "gauge", "Number of the last record of the archive's journal.", float64(head))
	e.single("archive_stored_bytes", "gauge", "Bytes in the bucket.", float64(w.lent.meter.stored()))
	e.single("index_behind_records", "gauge", "Records that are not in the search index yet.", float64(head-min(head, w.tally.indexed.Load())))
	writeStates(e, states)
	return e.String()
}

func (t *tally) write(e *exposition, states []fetch.WatchState) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e.family("runs_total", "counter", "Runs of mailboxes, by how they ended.")
	for i, result := range []string{"complete", "partly", "failed"} {
		e.value("runs_total", "result", result, float64(t.runs[i]))
	}
	e.family("items_total", "counter", "Items by what happened to them.")
	for i, change := range []string{"added", "changed", "removed"} {
		e.value("items_total", "change", change, float64(t.items[i]))
	}
	e.single("exported_bytes_total", "counter", "Bytes of items that servers exported.", float64(t.exported))
	e.single("requests_total", "counter", "Requests to servers.", float64(t.requests))
	e.single("throttled_seconds_total", "counter", "Time during which servers wanted to be left alone.", t.throttled.Seconds())
	for _, m := range []struct {
		name, help string
		of         func(mailboxTally) int
	}{
		{"mailbox_items", "Items in the mailbox after its last run.", func(m mailboxTally) int { return m.items }},
		{"mailbox_failed_items", "Items that are still to be had.", func(m mailboxTally) int { return m.failed }},
	} {
		e.family(m.name, "gauge", m.help)
		for _, s := range states {
			if mailbox, ran := t.mailboxes[s.Mailbox]; ran {
				e.value(m.name, "mailbox", s.Mailbox, float64(m.of(mailbox)))
			}
		}
	}
}

// writeStates writes how the mailboxes stand.
func writeStates(e *exposition, states []fetch.WatchState) {
	count := func(is func(fetch.WatchState) bool) (n float64) {
		for _, s := range states {
			if is(s) {
				n++
			}
		}
		return n
	}
	e.single("mailboxes", "gauge", "Mailboxes that are watched.", float64(len(states)))
	e.single("mailboxes_listening", "gauge", "Mailboxes whose server tells when something happens.", count(func(s fetch.WatchState) bool { return s.Listening }))
	e.single("mailboxes_running", "gauge", "Runs at hand.", count(func(s fetch.WatchState) bool { return s.Running }))
	e.single("mailboxes_waiting", "gauge", "Mailboxes that are due and wait for a place.", count(func(s fetch.WatchState) bool { return s.Waiting }))
	e.family("mailbox_failures", "gauge", "Failed runs one after another.")
	for _, s := range states {
		e.value("mailbox_failures", "mailbox", s.Mailbox, float64(s.Failures))
	}
	e.family("mailbox_last_success_timestamp_seconds", "gauge", "End of the last run that went well.")
	for _, s := range states {
		if !s.Success.IsZero() {
			e.value("mailbox_last_success_timestamp_seconds", "mailbox", s.Mailbox, float64(s.Success.Unix()))
		}
	}
}
