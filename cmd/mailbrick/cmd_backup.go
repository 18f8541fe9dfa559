package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/sync/errgroup"

	"mailbrick/archive"
	"mailbrick/archive/blob"
	"mailbrick/fetch"
	"mailbrick/fetch/auth"
	"mailbrick/fetch/ews"
	"mailbrick/fetch/graph"
)

type backupOptions struct {
	*common
	from             origin
	mailboxes        []string
	include, exclude []string
	parallel         int
	standing         int // more mailboxes that may be open while their server lets them wait
	noIndex          bool
	config           *config                // nil without
	mark             [32]byte               // of a source of the configuration: the same where nothing has changed
	public           bool                   // the public folders too
	each             func(backupLine) error // takes the lines instead of stdout; may be nil
}

// sourceFlags say which mailboxes there are, and how much of them is wanted.
func sourceFlags() []cli.Flag {
	return append(serverFlags(),
		&cli.StringFlag{Name: "from", Usage: "take mail files from `PATH` instead of a server: each folder a mailbox, or all of it the one named with --mailbox"},
		&cli.StringSliceFlag{Name: "mailbox", Aliases: []string{"m"}, Usage: "back up `ADDRESS`; again for more"},
		&cli.StringFlag{Name: "mailboxes", Usage: "back up the addresses in `FILE`, one a line"},
		&cli.StringSliceFlag{Name: "include", Usage: "only `FOLDER` and what lies below it; again for more"},
		&cli.StringSliceFlag{Name: "exclude", Usage: "not `FOLDER` and what lies below it; again for more"},
		&cli.BoolFlag{Name: "archive-mailbox", Usage: "the in-place archives of the mailboxes too"},
		&cli.BoolFlag{Name: "recoverable-items", Usage: "what users deleted and can still recover, and what holds keep, too"},
		&cli.BoolFlag{Name: "associated", Usage: "hidden items too: rules, views, settings of programs"},
		&cli.BoolFlag{Name: "public-folders", Usage: "the public folders too, as a mailbox \"public folders of DOMAIN\""})
}

func newBackupCommand() *cli.Command {
	flags := append(sourceFlags(),
		&cli.IntFlag{Name: "parallel", Usage: "`N` mailboxes at once (default: 16 of a server, and more while it lets some wait; of files one for two processors)"},
		&cli.BoolFlag{Name: "no-index", Usage: "leave the search index to the next command that needs it"})
	return &cli.Command{
		Name:      "backup",
		Usage:     "bring mailboxes up to date",
		UsageText: "mailbrick backup --ews URL --user U --user-password-file F --impersonate --mailbox ADDRESS...\nmailbrick backup --graph --tenant T --client-id ID --client-secret-file F --mailbox ADDRESS...\nmailbrick backup --from PATH [--mailbox NAME]\nmailbrick backup --config F",
		Description: "Fetches what is new or changed since the last run, at full fidelity, and commits a snapshot of each mailbox.\n" +
			"A run that is broken off goes on where it was. Items that fail are listed and tried again by the next run.\n" +
			"What a run did not cover is said in its result and listed by `report exceptions`. Leaving out a flag of scope later\n" +
			"leaves what is known there as it is.\n" +
			"PATH may hold exported blobs (.fts), .eml, Maildir, mbox, .msg, .pst, .ics and .vcf files. Links are not followed.\n\n" +
			"Example:\n  mailbrick backup --archive /srv/mail --ews https://mail.example.com/EWS/Exchange.asmx --user svc-backup \\\n" +
			"      --user-password-file /etc/mailbrick/svc --impersonate --mailboxes mailboxes.txt\n" +
			"  mailbrick backup --archive /srv/mail --graph --tenant example.com --client-id ID --client-cert /etc/mailbrick/app.pem --mailboxes mailboxes.txt\n" +
			"  mailbrick backup --archive /srv/mail --from /media/custodians",
		Flags: commonFlags(flags...),
		Action: func(c *cli.Context) error {
			o, err := backupOptionsOf(c)
			if err != nil {
				return err
			}
			return runBackup(c.Context, o)
		},
	}
}

func backupOptionsOf(c *cli.Context) (*backupOptions, error) {
	o := &backupOptions{common: commonOf(c), parallel: c.Int("parallel"), noIndex: c.Bool("no-index")}
	if !c.IsSet("parallel") {
		o.parallel, o.standing = parallelFor(c.String("from") != "")
	}
	if o.parallel < 1 || o.parallel > 64 {
		return nil, usagef("--parallel %d: 1 to 64", o.parallel)
	}
	if c.String("config") != "" {
		var err error
		if o.config, err = readConfig(c.String("config")); err != nil {
			return nil, err
		}
		if n := o.config.Parallel; n > 0 && !c.IsSet("parallel") {
			o.parallel, o.standing = n, 0
		}
		o.noIndex = o.noIndex || o.config.Index != nil && !*o.config.Index
		if !c.IsSet("ews") && !c.IsSet("graph") && !c.IsSet("from") {
			return o, o.configured(c)
		}
	}
	return o, o.source(c)
}

// source takes source and mailboxes from flags.
func (o *backupOptions) source(c *cli.Context) error {
	o.include, o.exclude = c.StringSlice("include"), c.StringSlice("exclude")
	var err error
	if o.mailboxes, err = mailboxList(c.StringSlice("mailbox"), c.String("mailboxes")); err != nil {
		return err
	}
	scope := fetch.EWSScope{Archive: c.Bool("archive-mailbox"), Recoverable: c.Bool("recoverable-items"), Associated: c.Bool("associated")}
	o.public = c.Bool("public-folders")
	if c.String("from") != "" {
		if scope != (fetch.EWSScope{}) || o.public {
			return usagef("--archive-mailbox, --recoverable-items, --associated and --public-folders go with a server")
		}
		o.from, o.mailboxes, err = filesOf(c, o.common, o.mailboxes)
		return err
	}
	if len(o.mailboxes) == 0 {
		return usagef("no mailbox: give --mailbox ADDRESS or --mailboxes FILE")
	}
	if c.IsSet("graph") {
		o.from, err = o.graph(c, scope)
		return err
	}
	s, err := serverOf(c, o.common)
	if err != nil {
		return err
	}
	o.from, s.scope = s, scope
	if o.public {
		o.withPublic(s)
	}
	return nil
}

// graph is Microsoft Graph as the source; what is asked for and not to be had there is said with each mailbox.
func (o *backupOptions) graph(c *cli.Context, scope fetch.EWSScope) (*graphServer, error) {
	g, err := graphOf(c, o.common)
	if err != nil {
		return nil, err
	}
	g.scope = fetch.GraphScope{Recoverable: scope.Recoverable, Associated: scope.Associated, Public: o.public}
	if g.inside = scope.Archive; g.inside {
		o.warn("archive mailboxes are read by the preview (beta) of Graph, which Microsoft does not support in production")
	}
	return g, nil
}

// withPublic adds the public folders to the mailboxes, as the first of these sees them.
func (o *backupOptions) withPublic(s *server) {
	s.publicBy = o.mailboxes[0]
	s.scope.PublicAs = fetch.PublicFoldersName(s.publicBy)
	o.mailboxes = append(o.mailboxes, s.scope.PublicAs)
}

// parallelFor is how many mailboxes are read at once when nobody says, and how many more while the server lets some wait. Of a
// server the governor says how many requests go at once; there are as many mailboxes as keep it busy, and no more for memory's
// sake. Files make nobody wait: two mailboxes on one core's two threads only get into each other's way, and take a fifth more
// CPU for the same time.
func parallelFor(files bool) (parallel, standing int) {
	if files {
		return max(1, runtime.NumCPU()/2), 0
	}
	return 16, 48
}

// backupLine is what a backup did for a mailbox.
type backupLine struct {
	Mailbox       string  `json:"mailbox"`
	Snapshot      uint32  `json:"snapshot"`
	Complete      bool    `json:"complete"`
	Items         int     `json:"items"`
	Added         int     `json:"added"`
	Changed       int     `json:"changed"`
	Removed       int     `json:"removed"`
	Failed        int     `json:"failed"`
	Unparsed      int     `json:"unparsed"`
	Requests      int     `json:"requests"`
	ThrottledMS   int64   `json:"throttled_ms"`
	Concurrency   int     `json:"concurrency"` // requests at once that the server was found to take
	ExportedBytes int64   `json:"exported_bytes"`
	StoredBytes   int64   `json:"stored_bytes"`
	Seconds       float64 `json:"seconds"`
	Error         string  `json:"error,omitempty"`

	Failures []exceptionLine `json:"failures,omitempty"`
	Coverage fetch.Coverage  `json:"coverage"`
}

func runBackup(ctx context.Context, o *backupOptions) (err error) {
	defer func() { err = errors.Join(err, o.from.close()) }()
	bucket, err := o.bucket(ctx)
	if err != nil {
		return err
	}
	meter := &meter{Bucket: bucket}
	a, done, err := o.open(ctx, meter, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	if o.lent != nil {
		meter = o.lent.meter
	} else if o.json || o.each != nil { // nobody else is told how much is stored
		if err := meter.begin(ctx, strings.HasPrefix(o.archive, inStore)); err != nil {
			return err
		}
	}
	b := &backup{backupOptions: o, a: a, meter: meter, bar: o.progress("backup", 0, "items")}
	runErr := b.all(ctx)
	b.bar.done()
	if runErr == nil && !o.noIndex {
		runErr = o.withIndex(ctx, a, nil)
	}
	if runErr != nil {
		return runErr
	}
	switch {
	case b.ruined == len(o.mailboxes):
		return fmt.Errorf("no mailbox could be backed up: %w", b.last)
	case b.ruined > 0 || b.partly:
		return errPartly
	case b.refused:
		return errRefusedParts
	}
	return nil
}

// backup is a run over all mailboxes.
type backup struct {
	*backupOptions
	a     *archive.Archive
	meter *meter
	bar   *progress

	mu      sync.Mutex // guards the rest, and the order of lines on stdout
	ruined  int        // mailboxes that failed as a whole
	partly  bool       // some items or folders failed: the next run takes them up
	refused bool       // a part was refused, or does not come by this way
	last    error
}

// all backs up the mailboxes, some at a time; one that waits for its commit only, or for its server, leaves its seat to the
// next. A mailbox that fails does not stop the others, unless the archive itself fails.
func (b *backup) all(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	seats := fetch.NewSeats(b.parallel, b.standing)
	var seated sync.Map // by mailbox: its *fetch.Seat
	b.waited = func(mailbox string, d time.Duration) {
		if seat, ok := seated.Load(mailbox); ok && d >= fetch.LongWait {
			seat.(*fetch.Seat).Stand()
		}
	}
	for _, name := range b.mailboxes {
		g.Go(func() error {
			return b.one(ctx, name, func() (*fetch.Seat, error) {
				seat, err := seats.Sit(ctx)
				if err == nil {
					seated.Store(name, seat)
				}
				return seat, err
			})
		})
	}
	return g.Wait()
}

// one backs up a mailbox. Its session begins before it has a seat, so that the archive knows who is still to come: what many
// mailboxes add lands together, and not mailbox by mailbox.
func (b *backup) one(ctx context.Context, name string, sit func() (*fetch.Seat, error)) (err error) {
	line := backupLine{Mailbox: name}
	s, err := b.a.Begin(name)
	if err != nil {
		return b.settle(ctx, line, err)
	}
	defer func() { err = errors.Join(err, s.Close(ctx)) }()
	seat, err := sit()
	if err != nil {
		return err
	}
	defer seat.Leave()
	start := time.Now()
	again, err := b.read(ctx, s, &line, seat)
	if again {
		_, err = b.read(ctx, s, &line, seat)
	}
	line.Seconds = float64(time.Since(start).Milliseconds()) / 1000
	return b.settle(ctx, line, err)
}

// read opens the mailbox of a line and fetches what is new there. again says that it is elsewhere by now, where it can be opened.
func (b *backup) read(ctx context.Context, s *archive.Session, line *backupLine, seat *fetch.Seat) (again bool, err error) {
	mailbox, err := b.from.open(ctx, line.Mailbox)
	if err != nil {
		return false, err
	}
	defer mailbox.close()
	err = b.fetch(ctx, s, mailbox, line, seat)
	cost := mailbox.cost()
	line.Requests += cost.requests
	line.ThrottledMS += cost.throttled.Milliseconds()
	line.Concurrency = cost.concurrency
	return err != nil && mailbox.moved != nil && mailbox.moved(err), err
}

// settle tells what came of a mailbox; an error that is not the mailbox's is handed on.
func (b *backup) settle(ctx context.Context, line backupLine, err error) error {
	line.StoredBytes = b.meter.stored()
	var u *usage
	if err != nil && (ctx.Err() != nil || errors.As(err, &u) || !ofMailbox(err)) {
		return err
	}
	return b.tell(line, err)
}

// ofMailbox tells whether an error is the mailbox's or its source's; any other is the archive's and ends the run.
func ofMailbox(err error) bool {
	var e *ews.Error
	var g *graph.Error
	var s *auth.Error
	return errors.As(err, &e) || errors.As(err, &g) || errors.As(err, &s) || errors.Is(err, ews.ErrNotExchange) || errors.Is(err, ews.ErrCredentials) ||
		errors.Is(err, ews.ErrTruncated) || errors.Is(err, graph.ErrNotGraph) || errors.Is(err, fetch.ErrGone) || errors.Is(err, fetch.ErrFolder) || errors.Is(err, fetch.ErrOtherSource)
}

func (b *backup) fetch(ctx context.Context, s *archive.Session, mailbox *opened, line *backupLine, seat *fetch.Seat) error {
	name := line.Mailbox
	var seen fetch.Progress
	r, err := fetch.Run(ctx, mailbox.source, s, fetch.Options{Include: slices.Concat(b.include, mailbox.include), Exclude: slices.Concat(b.exclude, mailbox.exclude), Exports: mailbox.exports, BatchItems: mailbox.batch, Log: b.logger(name), Fetched: seat.Leave, Slow: func() { seat.Stand() },
		Progress: func(p fetch.Progress) {
			b.bar.expect(int64(p.Expected - seen.Expected))
			b.bar.add(int64(p.Items-seen.Items), "")
			seen = p
		}})
	line.Snapshot, line.Complete = r.Snapshot.Ordinal, r.Complete
	line.Items, line.Added, line.Changed, line.Removed = r.Snapshot.Items, r.Snapshot.Added, r.Snapshot.Changed, r.Snapshot.Removed
	line.Failed, line.Unparsed, line.ExportedBytes = len(r.Failures), r.Unparsed, r.ExportedBytes
	line.Coverage, line.Failures = r.Coverage, nil
	for _, f := range r.Failures {
		line.Failures = append(line.Failures, failureLine(name, f))
		what := "item " + f.ItemID
		if f.ItemID == "" {
			what = "folder " + f.Folder
		}
		b.warn("%s: failed: %s: %s", name, what, f.Cause)
	}
	for _, gap := range r.Coverage.Missing() {
		b.warn("%s: not covered: %s", name, gap)
	}
	return err
}

// logger speaks on the talk stream when the user wants more. Mailboxes are named as the user named them; nothing of mail is said.
func (b *backup) logger(mailbox string) *slog.Logger {
	if !b.verbose {
		return nil
	}
	return slog.New(slog.NewTextHandler(b.talk, nil)).With("mailbox", mailbox)
}

// tell prints a mailbox's line.
func (b *backup) tell(line backupLine, err error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil {
		line.Error, line.Complete = err.Error(), false
		b.ruined++
		b.last = err
		b.warn("%s: failed: %s", line.Mailbox, err)
		if last, err := b.a.Latest(line.Mailbox); err == nil {
			line.Snapshot, line.Items = last.Ordinal, last.Items
		}
	}
	switch {
	case line.Complete:
	case err == nil && line.Failed == 0:
		b.refused = true
	default:
		b.partly = true
	}
	if b.each != nil {
		return b.each(line)
	}
	if b.json {
		return b.print(line)
	}
	if err != nil {
		return nil
	}
	if line.Unparsed > 0 {
		b.warn("%s: %d items could not be read; they are kept as they are, and `ls --json` names them as unparsed", line.Mailbox, line.Unparsed)
	}
	_, werr := fmt.Fprintf(b.out, "%s: snapshot %d: %d items, %d added, %d changed, %d removed, %d failed; %d requests, %s exported, %.1f s%s\n",
		line.Mailbox, line.Snapshot, line.Items, line.Added, line.Changed, line.Removed, line.Failed, line.Requests, bytes(line.ExportedBytes), line.Seconds, throttling(line))
	if text := coverageText(line.Coverage); text != "" && werr == nil {
		_, werr = fmt.Fprintf(b.out, "  covered: %s\n", text)
	}
	return werr
}

// throttling says what the server's throttling cost; nothing where there was none.
func throttling(line backupLine) string {
	if line.ThrottledMS == 0 {
		return ""
	}
	return fmt.Sprintf(" (%.1f s of them held back by the server; it takes %d at once)", float64(line.ThrottledMS)/1000, line.Concurrency)
}

// coverageText says in a line what was covered and what was not.
func coverageText(c fetch.Coverage) string {
	var covered, not []string
	for _, p := range c.Parts {
		switch {
		case p.State == fetch.Covered:
			covered = append(covered, p.Name)
		case p.State == fetch.Apart, p.Name == fetch.PartArchiveRecoverable && p.State != fetch.Refused: // said elsewhere
		default:
			not = append(not, fmt.Sprintf("%s (%s)", p.Name, p.State))
		}
	}
	if len(c.Skipped) > 0 {
		not = append(not, fmt.Sprintf("%d folders left out by --include and --exclude", len(c.Skipped)))
	}
	text := strings.Join(covered, ", ")
	if text != "" && len(not) > 0 {
		text += "; not: "
	}
	return text + strings.Join(not, ", ")
}

// meter is a bucket that knows how many bytes it holds without listing itself again.
type meter struct {
	blob.Bucket
	mu sync.Mutex // guards n
	n  int64
}

// begin counts what is there. A bucket folder may hold a catalog and an index beside the archive; they are not the bucket's, and
// not walked. A store is asked for all at once.
func (m *meter) begin(ctx context.Context, store bool) error {
	prefixes := []string{"config", "keys/", "packs/", "journal/"}
	ours := func(name string) bool {
		return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) })
	}
	asked := prefixes
	if store {
		asked = []string{""}
	}
	for _, prefix := range asked {
		for info, err := range m.List(ctx, prefix) {
			if err != nil {
				return fmt.Errorf("measure the archive: %w", err)
			}
			if ours(info.Name) {
				m.add(info.Size)
			}
		}
	}
	return nil
}

// Unwrap is the bucket inside, for who looks for what else it can do.
func (m *meter) Unwrap() blob.Bucket { return m.Bucket }

func (m *meter) add(n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.n += n
}

func (m *meter) stored() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.n
}

func (m *meter) Create(ctx context.Context, name string) (blob.Writer, error) {
	w, err := m.Bucket.Create(ctx, name)
	if err != nil {
		return nil, err
	}
	return &meteredWriter{Writer: w, m: m}, nil
}

type meteredWriter struct {
	blob.Writer
	m *meter
	n int64
}

func (w *meteredWriter) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	w.n += int64(n)
	return n, err
}

func (w *meteredWriter) Commit() error {
	err := w.Writer.Commit()
	if err == nil {
		w.m.add(w.n)
	}
	return err
}
