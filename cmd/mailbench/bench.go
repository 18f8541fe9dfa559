package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"

	"mailbrick/archive"
	"mailbrick/archive/blob/dir"
	"mailbrick/index"
)

// bench is where everything lies and what was measured.
type bench struct {
	dir, exe string
	table    *tabwriter.Writer
	url      string
	stop     func()
}

// cost is what a run of the program took.
type cost struct {
	seconds, cpu float64
	peakMiB      float64
	out          []byte
}

func (b *bench) figure(name, format string, args ...any) {
	fmt.Fprintf(b.table, "%s\t%s\n", name, fmt.Sprintf(format, args...))
	b.table.Flush()
}

func (b *bench) build(ctx context.Context) error {
	c := exec.CommandContext(ctx, "go", "build", "-o", b.exe, "./cmd/mailbrick")
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w: %s", err, out)
	}
	return nil
}

// serve starts the simulated Exchange with the mailboxes of a tree and one empty one.
func (b *bench) serve(ctx context.Context, tree string) (mailboxes []string, err error) {
	entries, err := os.ReadDir(tree)
	if err != nil {
		return nil, err
	}
	empty := filepath.Join(b.dir, "empty")
	if err := os.MkdirAll(empty, 0o700); err != nil {
		return nil, err
	}
	args := []string{"simulate", "--listen", "127.0.0.1:0", "--user", "backup:secret", "--mailbox", "restored@contoso.example=" + empty}
	for _, e := range entries {
		if e.IsDir() {
			mailboxes = append(mailboxes, e.Name())
			args = append(args, "--mailbox", e.Name()+"="+filepath.Join(tree, e.Name()))
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	c := exec.CommandContext(ctx, b.exe, args...)
	c.Stderr = os.Stderr
	pipe, err := c.StdoutPipe()
	if err != nil {
		cancel()
		return nil, err
	}
	if err := c.Start(); err != nil {
		cancel()
		return nil, err
	}
	b.stop = func() { cancel(); _ = c.Wait() } // killed: its exit says nothing
	var ready struct{ EWS string }
	line, err := bufio.NewReader(pipe).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &ready)
	}
	b.url = ready.EWS
	return mailboxes, err
}

// mailbrick runs the program on an archive.
func (b *bench) mailbrick(ctx context.Context, archive string, args ...string) (cost, error) {
	c := exec.CommandContext(ctx, b.exe, args...)
	c.Env = append(os.Environ(), "MAILBRICK_ARCHIVE="+archive, "MAILBRICK_PASSWORD=bench")
	var out, talk bytes.Buffer
	c.Stdout, c.Stderr = &out, &talk
	start := time.Now()
	err := c.Run()
	k := cost{seconds: time.Since(start).Seconds(), out: out.Bytes()}
	if c.ProcessState != nil {
		k.cpu = (c.ProcessState.UserTime() + c.ProcessState.SystemTime()).Seconds()
		k.peakMiB = peakMiB(c.ProcessState)
	}
	if err != nil {
		err = fmt.Errorf("%s: %w: %s", args[0], err, talk.Bytes())
	}
	return k, err
}

func (b *bench) source(mailboxes ...string) []string {
	password := filepath.Join(b.dir, "password")
	_ = os.WriteFile(password, []byte("secret\n"), 0o600) // a missing file is told by the program
	args := []string{"--ews", b.url, "--user", "backup", "--user-password-file", password, "--impersonate"}
	for _, m := range mailboxes {
		args = append(args, "--mailbox", m)
	}
	return args
}

type totals struct {
	Items         int   `json:"items"`
	Requests      int   `json:"requests"`
	ExportedBytes int64 `json:"exported_bytes"`
}

func sum(out []byte) (t totals) {
	for _, line := range bytes.Split(out, []byte("\n")) {
		var l totals
		if json.Unmarshal(line, &l) == nil {
			t.Items += l.Items
			t.Requests += l.Requests
			t.ExportedBytes += l.ExportedBytes
		}
	}
	return t
}

// corpus measures everything on a tree of mailboxes.
func (b *bench) corpus(ctx context.Context, tree string) error {
	mailboxes, err := b.serve(ctx, tree)
	if err != nil {
		return err
	}
	defer b.stop()
	a := b.archive()
	if _, err := b.mailbrick(ctx, a, "init"); err != nil {
		return err
	}
	if err := b.backups(ctx, a, mailboxes); err != nil {
		return err
	}
	return b.commands(ctx, a, mailboxes[0])
}

func (b *bench) archive() string { return filepath.Join(b.dir, "archive") }

func (b *bench) backups(ctx context.Context, a string, mailboxes []string) error {
	args := append([]string{"backup", "--json", "--no-index"}, b.source(mailboxes...)...)
	k, err := b.mailbrick(ctx, a, args...)
	if err != nil {
		return err
	}
	t := sum(k.out)
	b.figure("first backup", "%d items, %.1f MB exported: %.0f items/s, %.1f s, %.2f CPU-s, %d requests, peak %.0f MiB",
		t.Items, float64(t.ExportedBytes)/1e6, float64(t.Items)/k.seconds, k.seconds, k.cpu, t.Requests, k.peakMiB)
	k, err = b.mailbrick(ctx, a, "search", "--count", "budget")
	if err != nil {
		return err
	}
	b.figure("index of it", "%.1f s, %.2f CPU-s, peak %.0f MiB", k.seconds, k.cpu, k.peakMiB)
	k, err = b.mailbrick(ctx, a, "stats", "--json")
	if err != nil {
		return err
	}
	var s struct {
		Exported int64 `json:"exported_bytes"`
		Stored   int64 `json:"stored_bytes"`
		Catalog  int64 `json:"catalog_bytes"`
		Index    int64 `json:"index_bytes"`
	}
	if err := json.Unmarshal(k.out, &s); err != nil {
		return err
	}
	b.figure("stored / exported", "%.3f (%.2f of %.1f MB); catalog %.2f MB, index %.2f MB", float64(s.Stored)/float64(s.Exported),
		float64(s.Stored)/1e6, float64(s.Exported)/1e6, float64(s.Catalog)/1e6, float64(s.Index)/1e6)
	args = append([]string{"backup", "--json"}, b.source(mailboxes...)...)
	if k, err = b.mailbrick(ctx, a, args...); err != nil {
		return err
	}
	b.figure("unchanged backup", "%d requests for %d mailboxes, %.2f s, %.2f CPU-s (key derivation included)", sum(k.out).Requests, len(mailboxes), k.seconds, k.cpu)
	return nil
}

const rounds = 15

// commands measures single commands as a whole, key derivation included.
func (b *bench) commands(ctx context.Context, a, mailbox string) error {
	k, err := b.mailbrick(ctx, a, "ls", "--json", "--mailbox", mailbox)
	if err != nil {
		return err
	}
	var ids []string
	for _, line := range bytes.Split(k.out, []byte("\n")) {
		var l struct{ ID string }
		if json.Unmarshal(line, &l) == nil {
			ids = append(ids, l.ID)
		}
	}
	if len(ids) == 0 {
		return fmt.Errorf("mailbox %s has no items to measure single commands with: a tree of mail is DIR/ADDRESS/FOLDER/*.eml", mailbox)
	}
	restore := append([]string{"restore", "--mode", "new", "--to-mailbox", "restored@contoso.example"}, b.source()...)
	for _, c := range []struct {
		name string
		args func(i int) []string
	}{
		{"search, the command", func(int) []string { return []string{"search", "--count", "budget"} }},
		{"cat of one item, the command", func(i int) []string { return []string{"cat", ids[i*7%len(ids)]} }},
		{"restore of one item, the command", func(i int) []string { return append(slices.Clone(restore), ids[i*7%len(ids)]) }},
	} {
		var wall, cpu []float64
		for i := range rounds {
			k, err := b.mailbrick(ctx, a, c.args(i)...)
			if err != nil {
				return err
			}
			wall, cpu = append(wall, k.seconds), append(cpu, k.cpu)
		}
		b.figure(c.name, "p50 %.0f ms, %.0f ms CPU, key derivation included", 1000*median(wall), 1000*median(cpu))
	}
	return nil
}

func median(v []float64) float64 {
	slices.Sort(v)
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// warm measures searches in a process that has everything open.
func (b *bench) warm(ctx context.Context) error {
	path := b.archive()
	bucket, err := dir.Open(path)
	if err != nil {
		return err
	}
	a, err := archive.Open(ctx, archive.Options{Bucket: bucket, Catalog: filepath.Join(path, "catalog"), Passphrase: "bench"})
	if err != nil {
		return err
	}
	defer a.Close()
	x, err := index.Open(filepath.Join(path, "index"), index.Options{})
	if err != nil {
		return err
	}
	defer x.Close()
	view := map[string]uint32{}
	for _, m := range a.Mailboxes() {
		view[m.Mailbox] = m.Ordinal
	}
	for _, q := range []string{"budget", "budget AND plan", `"the plan"`, "subject:contract", "sched*", "has* NOT budget"} {
		var took []float64
		n := 0
		for range rounds * 4 {
			start := time.Now()
			if n, err = x.Count(ctx, index.Query{Text: q, View: view}); err != nil {
				return err
			}
			took = append(took, time.Since(start).Seconds())
		}
		b.figure("search, warm: "+q, "p50 %.2f ms, %d items", 1000*median(took), n)
	}
	return nil
}

// bigItem measures what one big attachment adds to the memory of a run.
func (b *bench) bigItem(ctx context.Context, mib int) error {
	peaks := map[string]float64{}
	for _, name := range []string{"small", "big"} {
		tree := filepath.Join(b.dir, name)
		size := 0
		if name == "big" {
			size = mib
		}
		if err := writeBig(filepath.Join(tree, "big@contoso.example", "Inbox", "1.eml"), size); err != nil {
			return err
		}
		mailboxes, err := b.serve(ctx, tree)
		if err != nil {
			return err
		}
		a := filepath.Join(b.dir, name+"-archive")
		_, err = b.mailbrick(ctx, a, "init")
		var k cost
		if err == nil {
			k, err = b.mailbrick(ctx, a, append([]string{"backup", "--json"}, b.source(mailboxes...)...)...)
		}
		if err == nil && name == "big" {
			b.figure(fmt.Sprintf("one item of %d MiB", mib), "%.1f s, %.2f CPU-s, %.1f MB exported", k.seconds, k.cpu, float64(sum(k.out).ExportedBytes)/1e6)
		}
		peaks[name] = k.peakMiB
		if err == nil && name == "big" {
			k, err = b.mailbrick(ctx, a, append([]string{"restore", "--mode", "new", "--to-mailbox", "restored@contoso.example", "--mailbox", mailboxes[0]}, b.source()...)...)
			peaks["restore"] = k.peakMiB
		}
		b.stop()
		if err != nil {
			return err
		}
	}
	b.figure("memory of it", "backup peak %.0f MiB, %.0f MiB without it: %+.0f MiB; restore and verify peak %.0f MiB", peaks["big"], peaks["small"], peaks["big"]-peaks["small"], peaks["restore"])
	return nil
}
