package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"mailbrick/archive"
	"mailbrick/archive/blob"
	"mailbrick/index"
)

// common are the flags that every verb has.
type common struct {
	archive, cache, passwordFile, identity string
	local                                  string // folder of this machine's catalog and index; bucket sets it
	wait                                   time.Duration
	json, quiet, verbose                   bool
	lent                                   *lent // what `watch` has open, inside of it; else nil
	in                                     io.Reader
	out, talk                              io.Writer

	waited func(mailbox string, d time.Duration) // told of what mailboxes wait for their server; may be nil
}

func talkFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "json", Usage: "print one JSON object a line"},
		&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "no progress"},
		&cli.BoolFlag{Name: "verbose", Aliases: []string{"v"}, Usage: "say more"},
	}
}

func commonFlags(more ...cli.Flag) []cli.Flag {
	flags := []cli.Flag{
		&cli.StringFlag{Name: "archive", Aliases: []string{"a"}, EnvVars: []string{"MAILBRICK_ARCHIVE"}, Usage: "the archive: a folder `DIR`, or s3://BUCKET/PREFIX"},
		&cli.StringFlag{Name: "cache", EnvVars: []string{"MAILBRICK_CACHE"}, Usage: "keep catalog and index of an archive in s3:// below `DIR`, and not in the user's cache folder"},
		&cli.StringFlag{Name: "password-file", EnvVars: []string{"MAILBRICK_PASSWORD_FILE"}, Usage: "read the archive's password from `FILE` (or set MAILBRICK_PASSWORD)"},
		&cli.StringFlag{Name: "identity", EnvVars: []string{"MAILBRICK_IDENTITY"}, Usage: "open the archive with the identity in `FILE`: a host identity, a key of age or SSH (see key add)"},
		&cli.StringFlag{Name: "config", EnvVars: []string{"MAILBRICK_CONFIG"}, Usage: "take what is not said here from the configuration in `FILE` (docs/config.md)"},
		&cli.DurationFlag{Name: "wait", Value: 10 * time.Second, Usage: "how long to wait for an archive in use, and for a server that never answered"},
	}
	return append(append(flags, talkFlags()...), more...)
}

func commonOf(c *cli.Context) *common {
	l, _ := c.App.Metadata[lentKey].(*lent)
	return &common{lent: l, archive: c.String("archive"), cache: c.String("cache"), passwordFile: c.String("password-file"), identity: c.String("identity"), wait: c.Duration("wait"),
		json: c.Bool("json"), quiet: c.Bool("quiet"), verbose: c.Bool("verbose"),
		in: c.App.Reader, out: c.App.Writer, talk: c.App.ErrWriter}
}

// say talks to the person at the terminal.
func (o *common) say(format string, args ...any) {
	if !o.quiet {
		o.warn(format, args...)
	}
}

// warn tells what the user must know, also when he wants no talk.
func (o *common) warn(format string, args ...any) {
	fmt.Fprintf(o.talk, "mailbrick: %s\n", plain(fmt.Sprintf(format, args...)))
}

// print writes an object as a line of JSON.
func (o *common) print(v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(o.out, "%s\n", line)
	return err
}

// password reads the archive's password from a file, the environment or the terminal; confirm asks there twice.
func (o *common) password(ctx context.Context, confirm bool) (string, error) {
	if o.passwordFile != "" {
		return readSecret(o.passwordFile)
	}
	if p := os.Getenv("MAILBRICK_PASSWORD"); p != "" {
		return p, nil
	}
	const prompt, instead = "password of the archive: ", "give --password-file F or set MAILBRICK_PASSWORD"
	if confirm {
		return o.askTwice(ctx, prompt, instead)
	}
	return o.ask(ctx, prompt, instead)
}

// askTwice asks for a password that is to be.
func (o *common) askTwice(ctx context.Context, prompt, instead string) (string, error) {
	p, err := o.ask(ctx, prompt, instead)
	if err != nil {
		return "", err
	}
	again, err := o.ask(ctx, "once more: ", instead)
	if err == nil && p != again {
		err = errors.New("the two passwords differ")
	}
	return p, err
}

// secretLimit is more than any password has.
const secretLimit = 64 << 10

// readSecret reads the first line of a file.
func readSecret(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", fmt.Errorf("read password: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, secretLimit))
	if err != nil {
		return "", fmt.Errorf("read password: %w", err)
	}
	line, _, _ := strings.Cut(strings.TrimPrefix(string(data), "\ufeff"), "\n")
	line = strings.TrimSuffix(line, "\r")
	switch {
	case line == "":
		return "", fmt.Errorf("read password: %s is empty", file)
	case len(data) == secretLimit || !utf8.ValidString(line) || strings.ContainsRune(line, 0):
		return "", fmt.Errorf("read password: %s is not a text file in UTF-8", file)
	}
	return line, nil
}

// ask reads a secret from the terminal.
func (o *common) ask(ctx context.Context, prompt, instead string) (string, error) {
	f, ok := o.in.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return "", usagef("no %s: %s", strings.TrimSuffix(prompt, ": "), instead)
	}
	state, err := term.GetState(int(f.Fd()))
	if err != nil {
		return "", fmt.Errorf("read password: %w", err)
	}
	fmt.Fprint(o.talk, prompt)
	typed := make(chan error, 1)
	var p []byte
	go func() {
		var err error
		p, err = term.ReadPassword(int(f.Fd()))
		typed <- err
	}()
	select {
	case err = <-typed:
	case <-ctx.Done(): // the reader stays behind: nothing can end it, and the process ends
		return "", errors.Join(ctx.Err(), term.Restore(int(f.Fd()), state))
	}
	fmt.Fprintln(o.talk)
	if err == nil && len(p) == 0 {
		err = usagef("an empty password opens nothing")
	}
	return string(p), err
}

// open opens the archive, or takes the one that is lent; rebuild makes its catalog anew. done must be called when it is not
// needed any more.
func (o *common) open(ctx context.Context, bucket blob.Bucket, rebuild bool) (a *archive.Archive, done func() error, err error) {
	if o.lent != nil {
		return o.lent.a, func() error { return nil }, nil
	}
	a, err = o.openOwn(ctx, bucket, rebuild)
	if err != nil {
		return nil, nil, err
	}
	return a, a.Close, nil
}

func (o *common) openOwn(ctx context.Context, bucket blob.Bucket, rebuild bool) (*archive.Archive, error) {
	a, err := archive.Open(ctx, archive.Options{Bucket: bucket, Far: strings.HasPrefix(o.archive, inStore), Catalog: filepath.Join(o.local, "catalog"), Secrets: o.secrets, Wait: o.wait,
		Rebuild: rebuild, Machine: machine(), AnyClock: anyClock(), Fatal: func(err error) { os.Exit(report(o.talk, o.json, err)) }, Damaged: o.damaged})
	if err != nil {
		return nil, fmt.Errorf("open archive %s: %w", o.archive, err)
	}
	return a, nil
}

// damaged tells that something was read by its parity.
func (o *common) damaged(err error) {
	o.warn("%s; its parity gave it back: run `mailbrick repair` before more is damaged", err)
}

// machine is what this machine is called in the journal.
func machine() string {
	name, _ := os.Hostname() // without one the key it signs with says who it was
	return name
}

// anyClock lets a person go on who knows that the last record's time is wrong.
func anyClock() bool { return os.Getenv("MAILBRICK_ANY_CLOCK") == "1" }

// withArchive opens the archive, does the work and closes it.
func (o *common) withArchive(ctx context.Context, work func(a *archive.Archive) error) error {
	bucket, err := o.bucket(ctx)
	if err != nil {
		return err
	}
	return o.withOpened(ctx, bucket, false, work)
}

func (o *common) withOpened(ctx context.Context, bucket blob.Bucket, rebuild bool, work func(a *archive.Archive) error) (err error) {
	a, done, err := o.open(ctx, bucket, rebuild)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	return work(a)
}

func (o *common) indexDir() string { return filepath.Join(o.local, "index") }

// withIndex opens the index, brings it up to the archive's head, does the work and closes it.
func (o *common) withIndex(ctx context.Context, a *archive.Archive, work func(x *index.Index) error) (err error) {
	if o.lent != nil {
		return o.lent.index.with(ctx, o, work)
	}
	defer unlimited()()
	a.Rest()
	x, err := openIndex(o.indexDir())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, x.Close()) }()
	if err := o.follow(ctx, a, x); err != nil {
		return err
	}
	if work == nil {
		return nil
	}
	return work(x)
}

func openIndex(dir string) (*index.Index, error) {
	x, err := index.Open(dir, index.Options{})
	if errors.Is(err, index.ErrVersion) {
		// Nothing is only in the index: one of another version is made anew.
		if err = os.RemoveAll(dir); err == nil {
			x, err = index.Open(dir, index.Options{})
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open index: %w", err)
	}
	return x, nil
}

func (o *common) follow(ctx context.Context, a *archive.Archive, x *index.Index) error {
	behind, err := x.Behind(a.Head())
	if err != nil || behind == 0 {
		return err
	}
	bar := o.progress("index", int64(behind), "records")
	defer bar.done()
	head := a.Head()
	if err := x.Follow(ctx, a, func(done uint64) { bar.set(int64(behind) - int64(head-min(done, head))) }); err != nil {
		return fmt.Errorf("index: %w", err)
	}
	return nil
}

// parseTime reads a moment: RFC 3339, a date with or without a time (UTC). It means the end of what is written: of the day,
// the minute or the second, so that a moment that was printed finds what happened then.
func parseTime(s string) (time.Time, error) {
	for _, form := range []struct {
		layout string
		width  time.Duration
	}{
		{time.RFC3339, time.Second}, {"2006-01-02T15:04:05", time.Second}, {"2006-01-02T15:04", time.Minute},
		{"2006-01-02 15:04:05", time.Second}, {"2006-01-02 15:04", time.Minute}, {time.DateOnly, 24 * time.Hour},
	} {
		t, err := time.Parse(form.layout, s)
		if err != nil {
			continue
		}
		if t.Nanosecond() == 0 && !strings.Contains(s, ".") {
			t = t.Add(form.width - time.Nanosecond)
		}
		return t.UTC(), nil
	}
	return time.Time{}, usagef("%q is no moment: write 2026-03-01T12:00:00Z, or 2026-03-01 for the end of that day (UTC)", s)
}

// readLines reads words from standard input, one a line.
func readLines(in io.Reader) (out []string, err error) {
	for line := range inputLines(in, &err) {
		out = append(out, line)
	}
	return out, err
}

// inputLines yields words, one a line. Why it ended goes to err, when that is not the end.
func inputLines(in io.Reader, err *error) iter.Seq[string] {
	return func(yield func(string) bool) {
		s := bufio.NewScanner(in)
		for s.Scan() {
			if line := strings.TrimSpace(strings.TrimPrefix(s.Text(), "\ufeff")); line != "" && !yield(line) {
				return
			}
		}
		*err = s.Err()
	}
}
