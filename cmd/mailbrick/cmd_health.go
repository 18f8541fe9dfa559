package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/urfave/cli/v2"

	"mailbrick/archive"
	"mailbrick/index"
)

func newVerifyCommand() *cli.Command {
	return &cli.Command{
		Name:      "verify",
		Usage:     "check that the archive is whole",
		UsageText: "mailbrick verify [--read-all [--again]] [--checkpoint FILE]",
		Description: "Checks the journal's chain, every byte of packs and journal, config and keys, and that every item's recipe is there.\n" +
			"--read-all also gives every item back to its SHA-256; one that is interrupted goes on where it was. Damage is listed with\n" +
			"whether `mailbrick repair` mends it, and the exit code is 1. --checkpoint makes sure that the archive still has the history\n" +
			"that `log --checkpoint` told of.\n\nExample:\n  mailbrick verify --read-all",
		Flags: commonFlags(
			&cli.BoolFlag{Name: "read-all", Usage: "give every item back"},
			&cli.BoolFlag{Name: "again", Usage: "with --read-all: from the start, not where an interrupted one was"},
			&cli.StringFlag{Name: "checkpoint", Usage: "compare with the checkpoint in `FILE`"}),
		Action: func(c *cli.Context) error {
			o := commonOf(c)
			check := archive.CheckOptions{ReadAll: c.Bool("read-all"), Again: c.Bool("again")}
			if check.Again && !check.ReadAll {
				return usagef("--again is for --read-all: nothing else is remembered")
			}
			var err error
			if check.Checkpoint, err = readCheckpoint(c.String("checkpoint")); err != nil {
				return err
			}
			return o.withArchive(c.Context, func(a *archive.Archive) error { return runVerify(c.Context, o, a, check) })
		},
	}
}

// errDamageFound makes verify end with exit code 1 after it has listed what it found.
var errDamageFound = fmt.Errorf("damage was found: %w", archive.ErrDamaged)

// errMendable is that damage, where all of it can be mended.
var errMendable = errors.New("damage was found that can be mended")

func runVerify(ctx context.Context, o *common, a *archive.Archive, check archive.CheckOptions) error {
	bar := o.progress("verify", 0, "steps")
	check.Progress = func(done, total int64, what string) { bar.set(done) }
	r, err := a.Check(ctx, check)
	bar.done()
	if err != nil {
		return err
	}
	if !r.Since.IsZero() {
		o.say("%d items of these were checked by a run that began at %s and was interrupted (--again checks them anew)", r.Before, stamp(r.Since))
	}
	if err := o.printCheck(r); err != nil {
		return err
	}
	switch {
	case len(r.Errors) == 0:
		if r.Orphans > 0 {
			o.say("%d packs are of runs that were broken off; they do no harm", r.Orphans)
		}
		return nil
	case r.Mendable == len(r.Errors):
		return errMendable
	}
	return errDamageFound
}

func (o *common) printCheck(r *archive.CheckReport) error {
	if o.json {
		return o.print(struct {
			Packs    int      `json:"checked_packs"`
			Chunks   int      `json:"checked_chunks"`
			Items    int      `json:"checked_items"`
			Orphans  int      `json:"orphan_packs"`
			Errors   []string `json:"errors"`
			Mendable int      `json:"mendable"`
		}{r.Packs, r.Chunks, r.Items, r.Orphans, list(r.Errors), r.Mendable})
	}
	for _, e := range r.Errors {
		fmt.Fprintln(o.out, e)
	}
	_, err := fmt.Fprintf(o.out, "%d journal records, %d packs, %d chunks, %d item versions checked; %d errors\n", r.Records, r.Packs, r.Chunks, r.Items, len(r.Errors))
	return err
}

func newRebuildCommand() *cli.Command {
	return &cli.Command{
		Name:      "rebuild",
		Usage:     "make the catalog or the index anew from the archive",
		UsageText: "mailbrick rebuild [--catalog] [--index]",
		Description: "Catalog and index are derived: they are deleted here and made again from packs and journal. Without a flag both are.\n\n" +
			"Example:\n  mailbrick rebuild --index",
		Flags: commonFlags(
			&cli.BoolFlag{Name: "catalog", Usage: "the catalog"},
			&cli.BoolFlag{Name: "index", Usage: "the search index"}),
		Action: func(c *cli.Context) error {
			catalog, index := c.Bool("catalog"), c.Bool("index")
			if !catalog && !index {
				catalog, index = true, true
			}
			return runRebuild(c.Context, commonOf(c), catalog, index)
		},
	}
}

func runRebuild(ctx context.Context, o *common, catalog, index bool) error {
	bucket, err := o.bucket(ctx)
	if err != nil {
		return err
	}
	return o.withOpened(ctx, bucket, catalog, func(a *archive.Archive) error {
		if !index {
			return nil
		}
		if err := os.RemoveAll(o.indexDir()); err != nil {
			return fmt.Errorf("delete the index: %w", err)
		}
		return o.withIndex(ctx, a, nil)
	})
}

func newStatsCommand() *cli.Command {
	return &cli.Command{
		Name:        "stats",
		Usage:       "tell how large the archive is",
		UsageText:   "mailbrick stats",
		Description: "Example:\n  mailbrick stats --json",
		Flags:       commonFlags(),
		Action: func(c *cli.Context) error {
			o := commonOf(c)
			return o.withArchive(c.Context, func(a *archive.Archive) error { return runStats(c.Context, o, a) })
		},
	}
}

type statsLine struct {
	Mailboxes     int    `json:"mailboxes"`
	Items         int    `json:"items"`
	Versions      int    `json:"versions"`
	ExportedBytes int64  `json:"exported_bytes"`
	DistinctBytes int64  `json:"distinct_bytes"`
	StoredBytes   int64  `json:"stored_bytes"`
	CatalogBytes  int64  `json:"catalog_bytes"`
	Packs         int    `json:"packs"`
	Chunks        int    `json:"chunks"`
	IndexBytes    int64  `json:"index_bytes"`
	IndexBehind   uint64 `json:"index_behind"`
}

func runStats(ctx context.Context, o *common, a *archive.Archive) error {
	s, err := a.Stats(ctx)
	if err != nil {
		return err
	}
	line := statsLine{s.Mailboxes, s.Items, s.Versions, s.ExportedBytes, s.DistinctBytes, s.StoredBytes, s.CatalogBytes, s.Packs, s.Chunks, 0, a.Head()}
	if err := o.indexStats(a, &line); err != nil {
		return err
	}
	if o.json {
		return o.print(line)
	}
	ratio := 0.0
	if s.StoredBytes > 0 {
		ratio = float64(s.ExportedBytes) / float64(s.StoredBytes)
	}
	_, err = fmt.Fprintf(o.out, "%d mailboxes, %d items, %d versions\nexported %s, stored %s (%.1f to 1) in %d packs of %d chunks\ncatalog %s, index %s, %d records behind\n",
		line.Mailboxes, line.Items, line.Versions, bytes(line.ExportedBytes), bytes(line.StoredBytes), ratio, line.Packs, line.Chunks,
		bytes(line.CatalogBytes), bytes(line.IndexBytes), line.IndexBehind)
	return err
}

// indexStats measures the index, if there is one.
func (o *common) indexStats(a *archive.Archive, line *statsLine) (err error) {
	if o.lent != nil {
		line.IndexBytes, line.IndexBehind, err = o.lent.index.stats()
		return err
	}
	if _, err := os.Stat(o.indexDir()); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	x, err := index.Open(o.indexDir(), index.Options{})
	if errors.Is(err, index.ErrVersion) || errors.Is(err, index.ErrDamaged) {
		o.warn("%s", err)
		return nil // behind by everything
	}
	if err != nil {
		return fmt.Errorf("open index: %w", err)
	}
	defer func() { err = errors.Join(err, x.Close()) }()
	if line.IndexBytes, err = x.Size(); err != nil {
		return err
	}
	line.IndexBehind, err = x.Behind(a.Head())
	return err
}
