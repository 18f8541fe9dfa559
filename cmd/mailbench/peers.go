package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// peers measures this program and others on the same exported items, by the same steps: whole processes, CPU-seconds of user and
// system, key derivation apart for this one (a host identity opens its archive).
type peers struct {
	*bench
	corpus string // OUT of make-corpus.sh: base/ and inc/
	script string // peers.sh
	steps  map[string]map[string]step
	order  []string // of steps
}

// step is what one tool took for it; the median where it ran several times.
type step struct{ cpu, wall, peakMiB, stored []float64 }

// comparePeers runs peers.sh for each tool that is there, then this program, and prints the steps side by side.
func (b *bench) comparePeers(ctx context.Context, corpus, script string) error {
	p := &peers{bench: b, corpus: corpus, script: script, steps: map[string]map[string]step{}}
	tools := []string{"mailbrick"}
	if err := even(ctx, corpus); err != nil {
		return err
	}
	if err := p.own(ctx); err != nil {
		return err
	}
	for _, tool := range []string{"restic", "borg", "casync", "zpaq"} {
		if _, err := exec.LookPath(tool); err != nil {
			fmt.Fprintf(os.Stderr, "no %s here: left out\n", tool)
			continue
		}
		if err := p.peer(ctx, tool); err != nil {
			return err
		}
		tools = append(tools, tool)
	}
	p.print(tools)
	return nil
}

func (p *peers) add(tool, name string, cpu, wall, peak, stored float64) {
	if p.steps[name] == nil {
		p.steps[name] = map[string]step{}
		p.order = append(p.order, name)
	}
	s := p.steps[name][tool]
	s.cpu, s.wall, s.peakMiB, s.stored = append(s.cpu, cpu), append(s.wall, wall), append(s.peakMiB, peak), append(s.stored, stored)
	p.steps[name][tool] = s
}

// peer runs the script for a tool and reads its table: tool, step, CPU s, wall s, peak MiB, exit code, repository bytes.
func (p *peers) peer(ctx context.Context, tool string) error {
	results := filepath.Join(p.dir, tool+".tsv")
	c := exec.CommandContext(ctx, "bash", p.script, tool, p.corpus, filepath.Join(p.dir, "peers"), results)
	c.Stderr = os.Stderr
	if err := c.Run(); err != nil {
		return fmt.Errorf("peers.sh %s: %w", tool, err)
	}
	f, err := os.Open(results)
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		fields := strings.Split(lines.Text(), "\t")
		if len(fields) != 7 {
			continue // the count of restored files
		}
		if fields[5] != "rc=0" {
			return fmt.Errorf("%s: %s ended with %s", tool, fields[1], fields[5])
		}
		var n [4]float64
		for i, text := range []string{fields[2], fields[3], fields[4], fields[6]} {
			if n[i], err = strconv.ParseFloat(text, 64); err != nil {
				return fmt.Errorf("%s: %s: %w", tool, fields[1], err)
			}
		}
		p.add(tool, fields[1], n[0], n[1], n[2], n[3])
	}
	return lines.Err()
}

// own runs this program through the steps.
func (p *peers) own(ctx context.Context) error {
	a, identity, out := filepath.Join(p.dir, "peer-archive"), filepath.Join(p.dir, "identity"), filepath.Join(p.dir, "restored")
	base := filepath.Join(p.corpus, "base")
	if _, err := p.mailbrick(ctx, a, "init"); err != nil {
		return err
	}
	if _, err := p.mailbrick(ctx, a, "key", "add", "--host-identity", identity, "--name", "bench"); err != nil {
		return err
	}
	if err := os.Setenv("MAILBRICK_IDENTITY", identity); err != nil {
		return err
	}
	run := func(name string, args ...string) error {
		k, err := p.mailbrick(ctx, a, args...)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		stored, err := bytesBelow(filepath.Join(a, "packs"), filepath.Join(a, "journal"), filepath.Join(a, "keys"))
		p.add("mailbrick", name, k.cpu, k.seconds, k.peakMiB, stored)
		return err
	}
	backup := []string{"backup", "--quiet", "--no-index", "--from", base}
	err := errors.Join(run("backup1", backup...), run("backup2", backup...))
	if err != nil {
		return err
	}
	undo, err := p.addIncrement(base)
	if err != nil {
		return err
	}
	err = run("backup-inc", backup...)
	if err = errors.Join(err, undo()); err != nil {
		return err
	}
	if err := run("restore", "export", "--quiet", "--all", "--format", "blob", "-o", out); err != nil {
		return err
	}
	mailboxes, ids, err := p.some(ctx, a)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := run("restore1", "cat", id); err != nil {
			return err
		}
	}
	if err := errors.Join(run("check", "verify", "--quiet"), run("check-data", "verify", "--quiet", "--read-all")); err != nil {
		return err
	}
	for i := 1; i < len(mailboxes); i += 2 {
		if err := run("forget", "forget", "--quiet", "--living", "--apply", "--mailbox", mailboxes[i]); err != nil {
			return err
		}
	}
	if err := run("prune", "prune", "--quiet", "--apply"); err != nil {
		return err
	}
	catalog, err := bytesBelow(filepath.Join(a, "catalog"))
	if err == nil {
		p.figure("catalog of it at the end", "%.1f MB", catalog/1e6)
	}
	return err
}

// addIncrement puts the 1 % that is new into the tree.
func (p *peers) addIncrement(base string) (undo func() error, err error) {
	inc := filepath.Join(p.corpus, "inc")
	names, err := filepath.Glob(filepath.Join(inc, "*", "*.fts"))
	deeper, err2 := filepath.Glob(filepath.Join(inc, "*", "*", "*.fts"))
	if err := errors.Join(err, err2); err != nil {
		return nil, err
	}
	var added []string
	for _, name := range append(names, deeper...) {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		to := filepath.Join(base, strings.TrimPrefix(name, inc))
		if err := errors.Join(os.MkdirAll(filepath.Dir(to), 0o700), os.WriteFile(to, data, 0o600)); err != nil {
			return nil, err
		}
		added = append(added, to)
	}
	return func() error {
		var err error
		for _, name := range added {
			err = errors.Join(err, os.Remove(name))
		}
		return err
	}, nil
}

// some are the mailboxes and the ids of five items.
func (p *peers) some(ctx context.Context, a string) (mailboxes, ids []string, err error) {
	k, err := p.mailbrick(ctx, a, "mailboxes", "--json")
	if err != nil {
		return nil, nil, err
	}
	for line := range bytes.Lines(k.out) {
		var m struct{ Mailbox string }
		if json.Unmarshal(line, &m) == nil {
			mailboxes = append(mailboxes, m.Mailbox)
		}
	}
	slices.Sort(mailboxes)
	for i := range 5 {
		if k, err = p.mailbrick(ctx, a, "ls", "--json", "--mailbox", mailboxes[(i*17+7)%len(mailboxes)]); err != nil {
			return nil, nil, err
		}
		var item struct{ ID string }
		if err := json.NewDecoder(bytes.NewReader(k.out)).Decode(&item); err != nil {
			return nil, nil, err
		}
		ids = append(ids, item.ID)
	}
	return mailboxes, ids, nil
}

func bytesBelow(folders ...string) (sum float64, err error) {
	for _, folder := range folders {
		err = errors.Join(err, filepath.WalkDir(folder, func(_ string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			info, err := d.Info()
			if err == nil {
				sum += float64(info.Size())
			}
			return err
		}))
	}
	return sum, err
}

// print gives the steps as a table, CPU-seconds and what is stored after them.
func (p *peers) print(tools []string) {
	fmt.Fprintln(p.table, "CPU-seconds (wall s, peak MiB, stored MB)\t"+strings.Join(tools, "\t"))
	for _, name := range p.order {
		fmt.Fprint(p.table, name)
		for _, tool := range tools {
			s, ok := p.steps[name][tool]
			if !ok {
				fmt.Fprint(p.table, "\t–")
				continue
			}
			cpu, wall := median(slices.Clone(s.cpu)), median(slices.Clone(s.wall))
			if name == "forget" {
				cpu, wall = total(s.cpu), total(s.wall)
			}
			fmt.Fprintf(p.table, "\t%.2f (%.1f, %.0f, %.1f)", cpu, wall, slices.Max(s.peakMiB), s.stored[len(s.stored)-1]/1e6)
		}
		fmt.Fprintln(p.table)
	}
	p.table.Flush()
}

func total(v []float64) (sum float64) {
	for _, x := range v {
		sum += x
	}
	return sum
}
