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
// system, key derivation apart for this one (a host identity opens its archive). This program goes its steps once before each of
// the others, from the beginning: what a disk does for the one after much was removed from it, or written to it, it does for all.
type peers struct {
	*bench
	corpus string // OUT of make-corpus.sh: base/ and inc/
	script string // peers.sh
	steps  map[string]map[string]step
	order  []string // of steps

	catalog float64 // bytes, of what all items are in
}

// step is what one tool took for it; the median where it ran several times.
type step struct{ cpu, wall, peakMiB, stored []float64 }

// comparePeers runs peers.sh for each tool that is there, then this program, and prints the steps side by side.
func (b *bench) comparePeers(ctx context.Context, corpus, script string) error {
	p := &peers{bench: b, corpus: corpus, script: script, steps: map[string]map[string]step{}}
	tools := []string{"mailbrick"}
	for _, tool := range []string{"restic", "borg", "casync", "zpaq"} {
		if _, err := exec.LookPath(tool); err != nil {
			fmt.Fprintf(os.Stderr, "no %s here: left out\n", tool)
			continue
		}
		own := func() error { return p.own(ctx, filepath.Join(p.dir, "before-"+tool)) }
		if err := p.each(ctx, own, func() error { return p.peer(ctx, tool) }); err != nil {
			return err
		}
		tools = append(tools, tool)
	}
	if len(tools) == 1 {
		if err := p.each(ctx, func() error { return p.own(ctx, filepath.Join(p.dir, "alone")) }); err != nil {
			return err
		}
	}
	p.print(tools)
	return nil
}

// each measures one after another, on ground that is even.
func (p *peers) each(ctx context.Context, measures ...func() error) error {
	for _, measure := range measures {
		if err := even(ctx, p.corpus); err != nil {
			return err
		}
		if err := measure(); err != nil {
			return err
		}
	}
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

// own runs this program through the steps, in a folder of its own.
func (p *peers) own(ctx context.Context, dir string) error {
	a, identity, out := filepath.Join(dir, "archive"), filepath.Join(dir, "identity"), filepath.Join(dir, "restored")
	base := filepath.Join(p.corpus, "base")
	if err := errors.Join(os.Mkdir(dir, 0o700), os.Unsetenv("MAILBRICK_IDENTITY")); err != nil {
		return err
	}
	if _, err := p.mailbrick(ctx, a, "init"); err != nil {
		return err
	}
	if _, err := p.mailbrick(ctx, a, "key", "add", "--host-identity", identity, "--name", "bench"); err != nil {
		return err
	}
	if err := os.Setenv("MAILBRICK_IDENTITY", identity); err != nil {
		return err
	}
	backup := []string{"backup", "--quiet", "--no-index", "--from", base}
	if err := errors.Join(p.step(ctx, a, "backup1", backup), p.step(ctx, a, "backup2", backup)); err != nil {
		return err
	}
	undo, err := p.addIncrement(base)
	if err != nil {
		return err
	}
	err = p.step(ctx, a, "backup-inc", backup)
	if err = errors.Join(err, undo()); err != nil {
		return err
	}
	if p.catalog, err = bytesBelow(filepath.Join(a, "catalog")); err != nil {
		return err
	}
	if err := p.step(ctx, a, "restore", []string{"export", "--quiet", "--all", "--format", "blob", "-o", out}); err != nil {
		return err
	}
	mailboxes, ids, err := p.some(ctx, a)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := p.step(ctx, a, "restore1", []string{"cat", id}); err != nil {
			return err
		}
	}
	var forget [][]string
	for i := 1; i < len(mailboxes); i += 2 {
		forget = append(forget, []string{"forget", "--quiet", "--living", "--apply", "--mailbox", mailboxes[i]})
	}
	for _, s := range []struct {
		name     string
		commands [][]string
	}{
		{"check", [][]string{{"verify", "--quiet"}}}, {"check-data", [][]string{{"verify", "--quiet", "--read-all"}}},
		{"forget", forget}, {"prune", [][]string{{"prune", "--quiet", "--apply"}}},
	} {
		if err := p.step(ctx, a, s.name, s.commands...); err != nil {
			return err
		}
	}
	return nil
}

// step measures the commands that are one step of this program.
func (p *peers) step(ctx context.Context, archive, name string, commands ...[]string) error {
	var cpu, wall, peak float64
	for _, args := range commands {
		k, err := p.mailbrick(ctx, archive, args...)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		cpu, wall, peak = cpu+k.cpu, wall+k.seconds, max(peak, k.peakMiB)
	}
	stored, err := bytesBelow(filepath.Join(archive, "packs"), filepath.Join(archive, "journal"), filepath.Join(archive, "keys"))
	p.add("mailbrick", name, cpu, wall, peak, stored)
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
			fmt.Fprintf(p.table, "\t%.2f (%.1f, %.0f, %.1f)", median(slices.Clone(s.cpu)), median(slices.Clone(s.wall)), slices.Max(s.peakMiB), s.stored[len(s.stored)-1]/1e6)
		}
		fmt.Fprintln(p.table)
	}
	for _, name := range []string{"backup1", "restore"} {
		p.figure("each run of "+name+", CPU-s", "%.2f", p.steps[name]["mailbrick"].cpu)
	}
	p.figure("catalog", "%.1f MB", p.catalog/1e6)
}
