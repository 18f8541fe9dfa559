package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"mailbrick/archive"
)

func newForgetCommand() *cli.Command {
	return &cli.Command{
		Name:      "forget",
		Usage:     "remove versions of items from history",
		UsageText: "mailbrick forget [--reason R] [--apply] [ID|ID@VERSION... | --mailbox ADDRESS [--before T] | -]",
		Description: "Lists what would go; with --apply it goes, by one record of the journal that says who and why. An ID means all versions that the\n" +
			"item had before the present one, or all when it is gone from the mailbox; ID@VERSION means one. --mailbox means all that is not in\n" +
			"the mailbox any more, and its old snapshots; with --before only what went before T: the mailbox as it stood at T and what came\n" +
			"after stay. --living forgets also what is in the mailbox now, and the next backup brings that back. Nothing that a hold covers is\n" +
			"forgotten. `prune` gives back the room.\n\n" +
			"Example:\n  mailbrick forget --mailbox ann@example.com --before 2020-01-01 --reason \"policy 7\" --apply\n  mailbrick forget --apply 5znbxckwdl6mnh5zbvjbdmkfyq",
		Flags: commonFlags(
			&cli.StringFlag{Name: "mailbox", Aliases: []string{"m"}, Usage: "what went from mailbox `ADDRESS`"},
			&cli.StringFlag{Name: "before", Usage: "of the mailbox, only what went before `T`: 2026-03-01T12:00:00Z, or a date for its end (UTC)"},
			&cli.StringFlag{Name: "reason", Usage: "say in the journal that it is for `R`"},
			&cli.BoolFlag{Name: "living", Usage: "also what is in the mailbox now"},
			&cli.BoolFlag{Name: "apply", Usage: "do it"}),
		Action: func(c *cli.Context) error {
			o := commonOf(c)
			f := &forgetOptions{common: o, words: c.Args().Slice(), mailbox: c.String("mailbox"), before: c.String("before"),
				reason: c.String("reason"), living: c.Bool("living"), apply: c.Bool("apply")}
			if err := f.check(); err != nil {
				return err
			}
			return o.withArchive(c.Context, func(a *archive.Archive) error { return runForget(c.Context, f, a) })
		},
	}
}

type forgetOptions struct {
	*common
	words                   []string
	mailbox, before, reason string
	living, apply           bool
}

func (f *forgetOptions) check() (err error) {
	if len(f.words) == 1 && f.words[0] == "-" {
		if f.words, err = readLines(f.in); err != nil {
			return err
		}
	} else if len(f.words) == 0 && f.mailbox == "" {
		return usagef("nothing named: give ids, --mailbox ADDRESS, or - for ids on standard input")
	}
	switch {
	case len(f.words) > 0 && f.mailbox != "":
		return usagef("give item ids or --mailbox, not both")
	case f.before != "" && f.mailbox == "":
		return usagef("--before goes with --mailbox")
	case f.before != "" && f.living:
		return usagef("--living means what is there now: it does not go with --before")
	}
	return nil
}

type forgetLine struct {
	ID        string `json:"id"`
	Mailbox   string `json:"mailbox"`
	Version   uint32 `json:"version"`
	Size      int64  `json:"size"`
	FirstSeen string `json:"first_seen"`
	LastSeen  string `json:"last_seen"`
	Deleted   bool   `json:"deleted"`
}

func runForget(ctx context.Context, f *forgetOptions, a *archive.Archive) error {
	what := archive.Forget{Reason: f.reason, Living: f.living}
	var bytesGone int64
	add := func(v *archive.Version) error {
		what.Versions = append(what.Versions, archive.VersionRef{Mailbox: v.Mailbox, ID: v.ID, From: v.From})
		bytesGone += v.Size
		line := forgetLine{v.ID.String(), v.Mailbox, v.From, v.Size, moment(v.FirstSeen), moment(v.LastSeen), v.Deleted}
		if f.json {
			return f.print(line)
		}
		_, err := fmt.Fprintf(f.out, "%s@%d  %s  %s to %s  %s\n", line.ID, line.Version, plain(line.Mailbox), line.FirstSeen, line.LastSeen, bytes(line.Size))
		return err
	}
	err := f.named(ctx, a, add)
	if err == nil && f.mailbox != "" {
		err = f.inMailbox(ctx, a, &what, add)
	}
	if err != nil {
		return err
	}
	would := "would go"
	var report archive.ForgetReport
	if f.apply {
		if report, err = a.Forget(ctx, what); err != nil {
			return err
		}
		would = "are forgotten"
	}
	if f.json {
		return f.print(struct {
			Versions  int    `json:"versions"`
			Snapshots int    `json:"snapshots"`
			Bytes     int64  `json:"bytes"`
			Applied   bool   `json:"applied"`
			Position  uint64 `json:"position"`
		}{len(what.Versions), len(what.Snapshots), bytesGone, f.apply, report.Position})
	}
	f.warn("%d versions of %s as exported and %d snapshots %s", len(what.Versions), bytes(bytesGone), len(what.Snapshots), would)
	if !f.apply {
		f.say("nothing was changed; --apply does it")
	}
	return nil
}

// named adds what was named by id.
func (f *forgetOptions) named(ctx context.Context, a *archive.Archive, add func(*archive.Version) error) error {
	for _, w := range f.words {
		v, err := itemOf(ctx, a, w)
		if err != nil {
			return err
		}
		if w != v.ID.String() {
			if err := add(v); err != nil {
				return err
			}
			continue
		}
		for v, err := range a.History(ctx, v.ID) {
			if err == nil && (v.To != archive.Forever || f.living) {
				err = add(v)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// inMailbox adds what a mailbox had before a snapshot, which stays as it is: the last at the moment, or the latest.
func (f *forgetOptions) inMailbox(ctx context.Context, a *archive.Archive, what *archive.Forget, add func(*archive.Version) error) error {
	stays, err := snapshotOf(ctx, a, f.mailbox, f.before)
	if err != nil {
		return err
	}
	for v, err := range a.Histories(ctx, stays.Mailbox) {
		if err == nil && (v.To <= stays.Ordinal || f.living) {
			err = add(v)
		}
		if err != nil {
			return err
		}
	}
	for s, err := range a.Snapshots(ctx, stays.Mailbox) {
		if err != nil {
			return err
		}
		if s.Ordinal < stays.Ordinal {
			what.Snapshots = append(what.Snapshots, archive.SnapshotRef{Mailbox: s.Mailbox, Ordinal: s.Ordinal})
		}
	}
	return nil
}

func newPruneCommand() *cli.Command {
	return &cli.Command{
		Name:      "prune",
		Usage:     "give back the room of what was forgotten",
		UsageText: "mailbrick prune [--max-garbage PERCENT] [--broken-off D] [--apply]",
		Description: "Tells how much of the archive no version needs; with --apply what is needed is copied out of the packs that have most of it,\n" +
			"and these are removed, until little is left. Other machines can go on writing. Packs of runs that were broken off go when the\n" +
			"run began longer ago than --broken-off; should it still be at work it ends, with a word, and the next run takes up its work.\n" +
			"It also makes many small files few: records of the journal, of which each run of a backup adds one, become part of larger ones,\n" +
			"32 at first. Only prune removes anything, so only its credentials need the right to; run it now and then where backups are many.\n" +
			"What is damaged is read by its parity; where that does not help it is left as it is, and named.\n\n" +
			"Example:\n  mailbrick prune\n  mailbrick prune --apply",
		Flags: commonFlags(
			&cli.IntFlag{Name: "max-garbage", Value: 5, Usage: "how much may stay, in `PERCENT` of all packs"},
			&cli.DurationFlag{Name: "broken-off", Value: 24 * time.Hour, Usage: "take a run that left packs for broken off after `D`"},
			&cli.BoolFlag{Name: "apply", Usage: "do it"}),
		Action: func(c *cli.Context) error {
			o := commonOf(c)
			percent, old := c.Int("max-garbage"), c.Duration("broken-off")
			if percent < 0 || percent > 100 || old <= 0 {
				return usagef("--max-garbage is from 0 to 100, --broken-off more than nothing")
			}
			p := archive.PruneOptions{MaxGarbage: float64(percent) / 100, BrokenOff: old}
			if percent == 0 {
				p.MaxGarbage = 1e-9
			}
			return o.withArchive(c.Context, func(a *archive.Archive) error { return runPrune(c.Context, o, a, p, c.Bool("apply")) })
		},
	}
}

type pruneLine struct {
	Packs        int    `json:"packs"`
	Bytes        int64  `json:"bytes"`
	Garbage      int64  `json:"garbage_bytes"`
	Delete       int    `json:"delete_packs"`
	Rewrite      int    `json:"rewrite_packs"`
	Copied       int64  `json:"copied_bytes"`
	Freed        int64  `json:"freed_bytes"`
	Left         int64  `json:"left_bytes"`
	Orphans      int    `json:"orphan_packs"`
	OrphanBytes  int64  `json:"orphan_bytes"`
	Applied      bool   `json:"applied"`
	Removed      int    `json:"removed_packs"`
	RemovedBytes int64  `json:"removed_bytes"`
	AddedBytes   int64  `json:"added_bytes"`
	Locked       int    `json:"locked_packs"`
	Position     uint64 `json:"position"`
	Fold         int    `json:"fold_records"`
	Folded       int    `json:"folded_records"`

	InDoubt bool     `json:"in_doubt"`
	Errors  []string `json:"errors"`
}

func runPrune(ctx context.Context, o *common, a *archive.Archive, p archive.PruneOptions, apply bool) error {
	bar := o.progress("prune", 0, "steps")
	p.Progress = func(done, _ int64, _ string) { bar.set(done) }
	var r archive.PruneReport
	var err error
	if apply {
		r, err = a.Prune(ctx, p)
	} else {
		r.PrunePlan, err = a.PlanPrune(ctx, p)
	}
	bar.done()
	if err != nil {
		return err
	}
	if err := o.printPrune(&r, apply); err != nil {
		return err
	}
	if len(r.Damaged) > 0 {
		return errLeftAlone
	}
	return nil
}

// errLeftAlone is that damage kept prune from some of its work.
var errLeftAlone = errors.New("something is damaged, and was left as it is")

func (o *common) printPrune(r *archive.PruneReport, apply bool) error {
	for _, d := range r.Damaged {
		o.warn("left alone: %s", d)
	}
	if r.InDoubt {
		o.warn("damage hides what is needed, so nothing was taken for garbage")
	}
	if o.json {
		return o.print(pruneLine{r.Packs, r.Bytes, r.Garbage, r.Delete, r.Rewrite, r.Copied, r.FreedBytes, r.Left, r.Orphans, r.OrphanBytes,
			apply, r.Removed, r.RemovedBytes, r.AddedBytes, r.Locked, r.Position, r.Fold, r.Folded, r.InDoubt, list(r.Damaged)})
	}
	if r.Fold > 0 {
		o.say("%d files of the journal become part of larger ones", r.Fold)
	}
	_, err := fmt.Fprintf(o.out, "%d packs of %s, of which nothing needs %s; %d to remove, %d to write anew (%s copied); %d packs of broken runs, %s\n",
		r.Packs, bytes(r.Bytes), bytes(r.Garbage), r.Delete, r.Rewrite, bytes(r.Copied), r.Orphans, bytes(r.OrphanBytes))
	if apply {
		_, more := fmt.Fprintf(o.out, "%d packs of %s removed, %s added; %s that nothing needs stays\n", r.Removed, bytes(r.RemovedBytes), bytes(r.AddedBytes), bytes(r.Left))
		err = errors.Join(err, more)
	} else {
		o.say("nothing was changed; --apply does it")
	}
	if r.Locked > 0 {
		o.warn("%d objects are locked in the bucket; they go when their lock has ended and prune runs again", r.Locked)
	}
	return err
}
