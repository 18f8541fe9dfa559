package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/sync/errgroup"

	"mailbrick/archive"
	"mailbrick/fetch"
	"mailbrick/fetch/ews"
)

func newWatchCommand() *cli.Command {
	b := newBackupCommand()
	return &cli.Command{
		Name:      "watch",
		Usage:     "keep mailboxes up to date until it is stopped",
		UsageText: "mailbrick watch --config F\nmailbrick watch --ews URL --user U --user-password-file F --impersonate --mailbox ADDRESS...",
		Description: "A backup that stays. A mailbox is read when its server says that something happened there (EWS), else now and then, the\n" +
			"less often the less happens. One that fails is tried again after ever longer waits; the others go on.\n" +
			"While it runs, `search`, `ls`, `show`, `cat`, `export`, `restore`, `hold`, `report`, `stats`, `log` and `backup` on the same\n" +
			"archive are run by it: they need no password then, and nobody waits.\n" +
			"SIGHUP reads sources, mailboxes and credentials anew; SIGTERM and SIGINT stop it, a second one at once.\n" +
			"It logs on stderr: never a subject, a body, or an address other than a mailbox's name. docs/config.md has the keys of F,\n" +
			"and docs/mailbrick.service is a unit for systemd.\n\n" +
			"Example:\n  mailbrick watch --config /etc/mailbrick/config.toml",
		Flags: b.Flags,
		Action: func(c *cli.Context) error {
			reload := make(chan os.Signal, 1)
			signal.Notify(reload, syscall.SIGHUP)
			defer signal.Stop(reload)
			o, err := backupOptionsOf(c)
			if err != nil {
				return err
			}
			return runWatch(c.Context, o, func() (*backupOptions, error) { return backupOptionsOf(c) }, reload)
		},
	}
}

// watcher is a running `watch`.
type watcher struct {
	*common
	config     *config
	log        *slog.Logger
	watch      *fetch.Watch
	tally      tally
	noIndex    bool
	committing chan struct{} // holds one: the index may be behind
	reread     func() (*backupOptions, error)

	mu  sync.Mutex // guards what follows
	now *generation
}

// generation is what the configuration said when it was last read.
type generation struct {
	*backupOptions
	users   int  // runs that work with it
	retired bool // another one is in its place; the last user closes it
}

func runWatch(ctx context.Context, o *backupOptions, reread func() (*backupOptions, error), reload <-chan os.Signal) (err error) {
	cfg := o.config
	if cfg == nil {
		cfg = &config{}
		cfg.defaults()
	}
	common := *o.common
	w := &watcher{common: &common, config: cfg, log: cfg.Log.logger(o.talk, o.verbose), reread: reread, noIndex: o.noIndex, committing: make(chan struct{}, 1)}
	w.talk, w.quiet, w.verbose = &talkLog{w.log}, true, false
	w.now = w.generation(o)
	defer func() { err = errors.Join(err, w.now.from.close()) }()
	bucket, err := w.bucket(ctx)
	if err != nil {
		return err
	}
	m := &meter{Bucket: bucket}
	a, err := w.openOwn(ctx, m, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	if err := m.begin(ctx, strings.HasPrefix(o.archive, inStore)); err != nil {
		return err
	}
	w.lent = &lent{a: a, meter: m, index: &lentIndex{a: a, dir: w.indexDir()}}
	defer func() { err = errors.Join(err, w.lent.index.close()) }()
	w.watch = fetch.NewWatch(w.schedule(o))
	w.watch.Set(o.mailboxes)
	return w.serve(ctx, reload)
}

// generation makes a generation of options: what they say is logged, not printed.
func (w *watcher) generation(o *backupOptions) *generation {
	o.common.talk, o.common.quiet, o.common.verbose = w.talk, false, false
	o.common.waited = w.waited
	return &generation{backupOptions: o}
}

// waited lets another mailbox be read while the server lets one wait.
func (w *watcher) waited(mailbox string, d time.Duration) {
	if d >= fetch.LongWait {
		w.watch.Stand(mailbox)
	}
}

func (w *watcher) schedule(o *backupOptions) fetch.WatchOptions {
	c := w.config.Watch
	return fetch.WatchOptions{Run: w.run, Parallel: o.parallel, Standing: o.standing, Poll: c.Poll.Duration, PollMost: c.PollMost.Duration, Settle: c.Settle.Duration,
		Retry: c.Retry.Duration, RetryMost: c.RetryMost.Duration, NextFull: c.FullCheck.next, Log: w.log}
}

// serve does all that a watch does until it is told to stop, which is no error.
func (w *watcher) serve(ctx context.Context, reload <-chan os.Signal) error {
	socket, err := listenSocket(socketPath(w.local), w.lent, w.log)
	if err != nil {
		w.log.Warn("no socket: other verbs have to wait until this ends", "cause", err)
	}
	metrics, err := w.listenMetrics(ctx)
	if err != nil {
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return w.watch.Run(gctx) })
	g.Go(func() error { w.index(gctx); return nil })
	g.Go(func() error { w.listen(gctx, reload); return nil })
	g.Go(func() error { stayAlive(gctx, func() { w.watch.States() }); return nil })
	if socket != nil {
		g.Go(func() error { socket.serve(gctx); return nil })
	}
	if metrics != nil {
		g.Go(func() error { return serve(gctx, metrics, &http.Server{Handler: w}) })
	}
	w.log.Info("watching", "mailboxes", len(w.now.mailboxes))
	w.tell("READY=1")
	defer w.tell("STOPPING=1")
	err = g.Wait()
	if ctx.Err() != nil {
		w.log.Info("stopped")
		return nil
	}
	return err
}

func (w *watcher) tell(state string) {
	if err := notify(state); err != nil {
		w.log.Warn("service manager not told", "cause", err)
	}
}

// run is one run of a mailbox.
func (w *watcher) run(ctx context.Context, name string, full bool, leave func()) (out fetch.Outcome, err error) {
	gen := w.enter()
	defer w.leave(gen)
	start := time.Now()
	log := w.log.With("mailbox", name)
	mailbox, err := gen.from.open(ctx, name)
	var r fetch.Result
	var spent cost
	if err == nil {
		defer mailbox.close()
		r, err = w.fetch(ctx, name, mailbox, fetch.Options{Include: slices.Concat(gen.include, mailbox.include), Exclude: slices.Concat(gen.exclude, mailbox.exclude),
			Exports: mailbox.exports, BatchItems: mailbox.batch, Full: full, Log: log, Fetched: leave, Slow: func() { w.watch.Stand(name) }})
		spent = mailbox.cost()
		if err != nil && mailbox.moved != nil {
			mailbox.moved(err) // the next run looks for it
		}
	}
	if ctx.Err() != nil {
		return out, ctx.Err()
	}
	s := r.Snapshot
	out.Changed = s.Added+s.Changed+s.Removed > 0 || err != nil && r.Exported > 0
	out.Partly = len(r.Failures) > 0
	w.tally.ran(name, r, spent, err)
	level := slog.LevelDebug
	if out.Changed || full || len(r.Failures) > 0 {
		level = slog.LevelInfo
	}
	if err == nil {
		log.Log(ctx, level, "mailbox done", "snapshot", s.Ordinal, "items", s.Items, "added", s.Added, "changed", s.Changed, "removed", s.Removed,
			"failed", len(r.Failures), "complete", r.Complete, "full", full, "requests", spent.requests, "exported_bytes", r.ExportedBytes, "seconds", time.Since(start).Seconds())
		w.committed()
		return out, nil
	}
	var u *usage
	if ofMailbox(err) || errors.As(err, &u) || errors.Is(err, archive.ErrConflict) {
		log.Warn("mailbox failed", "cause", err)
		out.Failed, err = err, nil
	}
	return out, err
}

func (w *watcher) fetch(ctx context.Context, name string, mailbox *opened, o fetch.Options) (r fetch.Result, err error) {
	s, err := w.lent.a.Begin(name)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, s.Close(ctx)) }()
	return fetch.Run(ctx, mailbox.source, s, o)
}

func (w *watcher) enter() *generation {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now.users++
	return w.now
}

func (w *watcher) leave(g *generation) {
	w.mu.Lock()
	defer w.mu.Unlock()
	g.users--
	w.retire(g)
}

// retire closes a generation that nobody works with any more, under mu.
func (w *watcher) retire(g *generation) {
	if g.retired && g.users == 0 {
		if err := g.from.close(); err != nil {
			w.log.Warn("source not closed", "cause", err)
		}
	}
}

func (w *watcher) committed() {
	select {
	case w.committing <- struct{}{}:
	default: // it will look anyway
	}
}

// index keeps the index behind the archive's head. That it cannot is no reason to stop backing up.
func (w *watcher) index(ctx context.Context) {
	if w.noIndex {
		return
	}
	w.committed()
	for {
		select {
		case <-w.committing:
		case <-ctx.Done():
			return
		}
		head := w.lent.a.Head()
		if err := w.lent.index.follow(ctx, w.common); err == nil {
			w.tally.indexed.Store(head)
		} else if ctx.Err() == nil {
			w.log.Error("index is behind", "cause", err)
		}
	}
}

// hearing is an origin whose servers tell when something happens.
type hearing interface {
	watched(ctx context.Context, mailboxes []string) ([]ews.Watched, error)
}

// listen listens to the servers that tell what happens, and again after each reload, until the context ends.
func (w *watcher) listen(ctx context.Context, reload <-chan os.Signal) {
	for ctx.Err() == nil {
		heard, stop := context.WithCancel(ctx)
		var listeners sync.WaitGroup
		for _, o := range w.listeners() {
			listeners.Go(func() {
				list, err := o.from.(hearing).watched(heard, o.mailboxes)
				if err != nil {
					w.log.Warn("not listening", "cause", err)
				}
				if len(list) > 0 {
					w.watch.ListenEWS(heard, list)
				}
			})
		}
		w.awaitReload(ctx, reload)
		stop()
		listeners.Wait()
	}
}

// listeners are the sources that can be listened to.
func (w *watcher) listeners() (out []*backupOptions) {
	if on := w.config.Watch.Notify; on != nil && !*on {
		return nil
	}
	all := []*backupOptions{w.now.backupOptions} // only this goroutine puts another in its place
	if s, ok := w.now.from.(*sources); ok {
		all = s.all
	}
	for _, o := range all {
		if _, ok := o.from.(hearing); ok {
			out = append(out, o)
		}
	}
	return out
}

// awaitReload waits until new options are in place.
func (w *watcher) awaitReload(ctx context.Context, reload <-chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-reload:
		}
		o, err := w.reread()
		if err == nil {
			w.replace(o)
			w.log.Info("configuration read anew", "mailboxes", len(o.mailboxes))
			return
		}
		w.log.Error("configuration not read: the old one stays", "cause", err)
	}
}

// replace puts new options in the place of the old ones. Sources that are what they were go on: they know what their servers
// asked for.
func (w *watcher) replace(o *backupOptions) {
	g := w.generation(o)
	w.mu.Lock()
	defer w.mu.Unlock()
	old := w.now
	if was, ok := old.from.(*sources); ok {
		if is, ok := o.from.(*sources); ok {
			is.inherit(was)
		}
	}
	w.now, old.retired = g, true
	w.retire(old)
	w.watch.Set(o.mailboxes)
}

// logger speaks in the way and from the level that the configuration wants.
func (c logConfig) logger(out io.Writer, verbose bool) *slog.Logger {
	var o slog.HandlerOptions
	level := slog.LevelInfo
	if c.Level != "" {
		_ = level.UnmarshalText([]byte(c.Level)) // it was checked
	}
	if verbose {
		level = slog.LevelDebug
	}
	o.Level = level
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(out, &o))
	}
	return slog.New(slog.NewTextHandler(out, &o))
}

// talkLog makes log records of what is said to people.
type talkLog struct{ log *slog.Logger }

func (t *talkLog) Write(p []byte) (int, error) {
	for line := range strings.Lines(string(p)) {
		t.log.Warn("notice", "text", strings.TrimPrefix(strings.TrimSpace(line), "mailbrick: "))
	}
	return len(p), nil
}

// watched are clients to listen with. One that cannot be made is no reason not to listen to the others.
func (s *server) watched(ctx context.Context, mailboxes []string) (list []ews.Watched, err error) {
	for _, name := range mailboxes {
		if s.publicBy != "" && name == s.scope.PublicAs {
			continue
		}
		client, failed := s.client(ctx, name)
		if failed != nil {
			err = fmt.Errorf("%s: %w", name, failed)
			continue
		}
		e, failed := s.of(ctx, s.url, name)
		if failed != nil {
			err = failed
			continue
		}
		list = append(list, ews.Watched{Name: name, Group: e.url, Client: client})
	}
	return list, err
}
