package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"mailbrick/archive"
)

func newRepairCommand() *cli.Command {
	return &cli.Command{
		Name:      "repair",
		Usage:     "mend what is damaged in the archive",
		UsageText: "mailbrick repair",
		Description: "Reads all of the archive and mends what is damaged: packs and journal by their parity, config and keys by their\n" +
			"copies. Nothing else is touched. What is beyond repair is named, and the exit code is 1.\n\nExample:\n  mailbrick repair",
		Flags:  commonFlags(),
		Action: func(c *cli.Context) error { return runRepair(c.Context, commonOf(c)) },
	}
}

// errBeyondRepair makes repair end with exit code 1 after it has listed what it could not mend.
var errBeyondRepair = errors.New("not everything could be mended")

func runRepair(ctx context.Context, o *common) error {
	bucket, err := o.bucket(ctx)
	if err != nil {
		return err
	}
	opts := archive.Options{Bucket: bucket, Catalog: filepath.Join(o.local, "catalog"), Wait: o.wait, Secrets: o.secrets}
	bar := o.progress("repair", 0, "files")
	r, err := archive.Repair(ctx, opts, func(done int, _ string) { bar.set(int64(done)) })
	bar.done()
	if err != nil {
		return fmt.Errorf("repair %s: %w", o.archive, err)
	}
	if !r.Parity {
		o.warn("this archive keeps no parity: only config and keys can be mended")
	}
	if err := o.printRepair(r); err != nil {
		return err
	}
	if r.Beyond() > 0 {
		return errBeyondRepair
	}
	return nil
}

func (o *common) printRepair(r *archive.RepairReport) error {
	if o.json {
		mended, beyond := []string{}, []string{}
		for _, d := range r.Damaged {
			if d.Fate == archive.Mended {
				mended = append(mended, d.Object)
			} else {
				beyond = append(beyond, d.Object)
			}
		}
		return o.print(struct {
			Files  int      `json:"files"`
			Mended []string `json:"mended"`
			Beyond []string `json:"beyond_repair"`
		}{r.Objects, mended, beyond})
	}
	for _, d := range r.Damaged {
		fmt.Fprintln(o.out, plain(d.Error()))
	}
	_, err := fmt.Fprintf(o.out, "%d files of packs and journal looked at; %d mended, %d beyond repair\n", r.Objects, len(r.Damaged)-r.Beyond(), r.Beyond())
	return err
}
