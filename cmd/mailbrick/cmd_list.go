package main

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/urfave/cli/v2"

	"mailbrick/archive"
)

func newMailboxesCommand() *cli.Command {
	return &cli.Command{
		Name:        "mailboxes",
		Usage:       "list the mailboxes of an archive",
		UsageText:   "mailbrick mailboxes",
		Description: "Lists every mailbox with its latest snapshot.\n\nExample:\n  mailbrick mailboxes --archive /srv/mail",
		Flags:       commonFlags(),
		Action: func(c *cli.Context) error {
			o := commonOf(c)
			return o.withArchive(c.Context, func(a *archive.Archive) error {
				for _, s := range a.Mailboxes() {
					if err := o.printSnapshot(s); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
}

func newSnapshotsCommand() *cli.Command {
	return &cli.Command{
		Name:        "snapshots",
		Usage:       "list the moments that can be gone back to",
		UsageText:   "mailbrick snapshots [--mailbox ADDRESS]",
		Description: "A snapshot is a mailbox as a complete run left it. A run that found nothing new makes none.\n\nExample:\n  mailbrick snapshots --mailbox ann@example.com",
		Flags:       commonFlags(&cli.StringFlag{Name: "mailbox", Aliases: []string{"m"}, Usage: "of `ADDRESS` only"}),
		Action: func(c *cli.Context) error {
			o := commonOf(c)
			return o.withArchive(c.Context, func(a *archive.Archive) error { return runSnapshots(c.Context, o, a, c.String("mailbox")) })
		},
	}
}

func runSnapshots(ctx context.Context, o *common, a *archive.Archive, mailbox string) error {
	names := []string{mailbox}
	if mailbox == "" {
		names = nil
		for _, s := range a.Mailboxes() {
			names = append(names, s.Mailbox)
		}
	}
	for _, name := range names {
		for s, err := range a.Snapshots(ctx, name) {
			if err != nil {
				return err
			}
			if err := o.printSnapshot(s); err != nil {
				return err
			}
		}
	}
	return nil
}

func (o *common) printSnapshot(s archive.Snapshot) error {
	if o.json {
		return o.print(struct {
			Snapshot uint32 `json:"snapshot"`
			Mailbox  string `json:"mailbox"`
			Time     string `json:"time"`
			Items    int    `json:"items"`
			Added    int    `json:"added"`
			Changed  int    `json:"changed"`
			Removed  int    `json:"removed"`
		}{s.Ordinal, s.Mailbox, moment(s.Time), s.Items, s.Added, s.Changed, s.Removed})
	}
	_, err := fmt.Fprintf(o.out, "%s  %5d  %-40s %8d items  +%d ~%d -%d\n", moment(s.Time), s.Ordinal, s.Mailbox, s.Items, s.Added, s.Changed, s.Removed)
	return err
}

func newLsCommand() *cli.Command {
	return &cli.Command{
		Name:      "ls",
		Usage:     "list the items of a mailbox",
		UsageText: "mailbrick ls --mailbox ADDRESS [--folder PATH] [--at T]",
		Description: "Lists a mailbox as it is, or as it was at a moment: the last snapshot at or before it (said on stderr).\n\n" +
			"Example:\n  mailbrick ls --mailbox ann@example.com --folder Inbox --at 2026-03-01",
		Flags: commonFlags(
			&cli.StringFlag{Name: "mailbox", Aliases: []string{"m"}, Usage: "of `ADDRESS`"},
			&cli.StringFlag{Name: "folder", Usage: "only `PATH` and what lies below it"},
			&cli.StringFlag{Name: "at", Usage: "as it was at `T`: 2026-03-01T12:00:00Z, or a date for its end (UTC)"}),
		Action: func(c *cli.Context) error {
			o := commonOf(c)
			if c.String("mailbox") == "" {
				return usagef("no mailbox: give --mailbox ADDRESS")
			}
			return o.withArchive(c.Context, func(a *archive.Archive) error {
				s, err := snapshotOf(c.Context, a, c.String("mailbox"), c.String("at"))
				if err != nil {
					return err
				}
				if c.String("at") != "" {
					o.say("snapshot %d of %s, %s", s.Ordinal, s.Mailbox, moment(s.Time))
				}
				items, err := itemsIn(c.Context, a, s, c.String("folder"))
				if err != nil {
					return err
				}
				return o.printItems(items)
			})
		},
	}
}

// itemsIn are the items of a snapshot, in a folder and below if one is named. A folder that is not there is an error: a slip
// of the pen must not look like an empty folder.
func itemsIn(ctx context.Context, a *archive.Archive, s archive.Snapshot, folder string) (iter.Seq2[*archive.Version, error], error) {
	if strings.Trim(folder, "/") == "" {
		return a.Versions(ctx, s), nil
	}
	folders, err := a.Folders(ctx, s)
	if err != nil {
		return nil, err
	}
	for id := range folders {
		if strings.EqualFold(archive.Path(folders, id), strings.Trim(folder, "/")) {
			return inFolder(a.Versions(ctx, s), folder), nil
		}
	}
	return nil, fmt.Errorf("folder %s of %s: %w", folder, s.Mailbox, archive.ErrNotFound)
}

// inFolder leaves the items of a folder and below.
func inFolder(items iter.Seq2[*archive.Version, error], folder string) iter.Seq2[*archive.Version, error] {
	folder = strings.ToLower(strings.Trim(folder, "/"))
	if folder == "" {
		return items
	}
	return func(yield func(*archive.Version, error) bool) {
		for v, err := range items {
			if err == nil {
				path := strings.ToLower(v.Folder)
				if path != folder && !strings.HasPrefix(path, folder+"/") {
					continue
				}
			}
			if !yield(v, err) {
				return
			}
		}
	}
}

func newVersionsCommand() *cli.Command {
	return &cli.Command{
		Name:        "versions",
		Usage:       "list the versions of an item",
		UsageText:   "mailbrick versions ID",
		Description: "Lists every state an item was seen in, oldest first. `show`, `cat`, `export` and `restore` take ID@VERSION.\n\nExample:\n  mailbrick versions ufafsgqo4sd6iw5xp4h5q6c2fa",
		Flags:       commonFlags(),
		Action: func(c *cli.Context) error {
			o := commonOf(c)
			if c.NArg() != 1 {
				return usagef("versions takes one item id")
			}
			id, err := archive.ParseID(c.Args().First())
			if err != nil {
				return usagef("%s", err)
			}
			return o.withArchive(c.Context, func(a *archive.Archive) error { return runVersions(c.Context, o, a, id) })
		},
	}
}

func runVersions(ctx context.Context, o *common, a *archive.Archive, id archive.ID) error {
	for v, err := range a.History(ctx, id) {
		if err != nil {
			return err
		}
		if o.json {
			err = o.printItem(v)
		} else {
			_, err = fmt.Fprintf(o.out, "%s@%d  %s .. %s  %s  %s\n", v.ID, v.From, moment(v.FirstSeen), moment(v.LastSeen), bytes(v.Size), plain(v.Folder))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
