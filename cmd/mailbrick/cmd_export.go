package main

import (
	"context"
	"fmt"
	"iter"

	"github.com/urfave/cli/v2"

	"mailbrick/archive"
	"mailbrick/restore"
)

func newExportCommand() *cli.Command {
	return &cli.Command{
		Name:      "export",
		Usage:     "write items as files",
		UsageText: "mailbrick export --format eml|msg|blob -o DIR [IDs | --query Q | --mailbox ADDRESS [--at T] | --all [--at T] | -]",
		Description: "Writes each item into a file, folders as folders, with a manifest of SHA-256 digests (sha256sum -c manifest.sha256)\n" +
			"and a list of what could not be written (exceptions.jsonl). eml is mail for any program, msg is Outlook's\n" +
			"file with all properties, blob is the export stream itself.\n\n" +
			"Example:\n  mailbrick export --format eml -o /tmp/case-17 --query 'subject:contract AND sent>=2026-01-01'",
		Flags: commonFlags(append(selectionFlags(),
			&cli.BoolFlag{Name: "all", Usage: "the items of all mailboxes"},
			&cli.StringFlag{Name: "format", Value: "eml", Usage: "`FORMAT`: eml, msg or blob"},
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "into folder `DIR`"},
			&cli.BoolFlag{Name: "dry-run", Usage: "say what would be written, write nothing"})...),
		Action: func(c *cli.Context) error {
			o := commonOf(c)
			s, err := selectionOf(c, o)
			if err != nil {
				return err
			}
			if c.String("output") == "" {
				return usagef("no folder: give -o DIR")
			}
			format := restore.Format(c.String("format"))
			if format != restore.EML && format != restore.MSG && format != restore.Blob {
				return usagef("--format %q is not supported yet: eml, msg or blob", format)
			}
			return runExport(c.Context, o, s, restore.NewFiles(c.String("output"), format), c.Bool("dry-run"))
		},
	}
}

func runExport(ctx context.Context, o *common, s *selection, files *restore.Files, dryRun bool) error {
	var sum restore.Report
	err := o.withArchive(ctx, func(a *archive.Archive) error {
		return s.items(ctx, o, a, func(items iter.Seq2[*archive.Version, error]) error {
			var err error
			sum, err = o.bring(ctx, a, files, items, restore.Options{DryRun: dryRun})
			return err
		})
	})
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	if !o.json {
		o.say("%d items: %d written, %d failed", sum.Items, sum.Restored, sum.Failed)
	}
	if sum.Failed+sum.Differs+s.missed > 0 {
		return errPartly
	}
	return nil
}
